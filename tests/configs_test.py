"""Tests of configs."""

import dataclasses
import json

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import configs
from tl_keras.tuning import plans


class ConfigTest(parameterized.TestCase):
    def test_is_frozen(self):
        with self.assertRaises(dataclasses.FrozenInstanceError):
            configs.RunConfig().seed = 1

    @parameterized.parameters(
        (configs.DataConfig, {"name": ""}, "data.name"),
        (configs.DataConfig, {"batch_size": 0}, "data.batch_size"),
        (configs.DataConfig, {"batch_size": 1.5}, "data.batch_size"),
        (configs.DataConfig, {"image_size": 0}, "data.image_size"),
        (configs.DataConfig, {"channels": 0}, "data.channels"),
        (configs.DataConfig, {"validation_fraction": 1.0}, "fraction"),
        (configs.DataConfig, {"train_examples": 0}, "data.train_examples"),
        (configs.DataConfig, {"keep_aspect_ratio": 1}, "keep_aspect_ratio"),
        (configs.EncoderConfig, {"name": None}, "encoder.name"),
        (configs.EncoderConfig, {"options": [1]}, "encoder.options"),
        (configs.EncoderConfig, {"options": {"a": object()}}, "as JSON"),
        (configs.HeadConfig, {"dropout": 1.0}, "head.dropout"),
        (configs.HeadConfig, {"l2": -0.1}, "head.l2"),
        (configs.HeadConfig, {"hidden_units": 64}, r"\(64, 32\)"),
        (configs.HeadConfig, {"hidden_units": (0,)}, "head.hidden_units"),
        (configs.PlanConfig, {"name": "head_than_top"}, "'head_then_top'"),
        (configs.PlanConfig, {"options": {"epoch": 1}}, "epoch"),
        (configs.PlanConfig, {"options": {"augmentation": 1}}, "flip=true"),
        (configs.RunConfig, {"seed": -1}, "seed"),
        (configs.RunConfig, {"strategy": "gpu"}, "'mirrored'"),
        (configs.RunConfig, {"precision": "float16"}, "'mixed_float16'"),
        (configs.RunConfig, {"class_weight": "balance"}, "'balanced'"),
        (configs.RunConfig, {"range_probe": "of"}, "'off'"),
        (configs.RunConfig, {"plan": "full"}, "Expected: PlanConfig"),
        (configs.RunConfig, {"workdir": ""}, "workdir"),
    )
    def test_a_wrong_value_names_its_field(self, section, values, message):
        with self.assertRaisesRegex((ValueError, TypeError), message):
            section(**values)


class OverrideTest(parameterized.TestCase):
    @parameterized.parameters(
        ("seed=3", lambda c: c.seed, 3),
        ("data.batch_size=64", lambda c: c.data.batch_size, 64),
        ("data.image_size=96", lambda c: c.data.image_size, 96),
        ("data.image_size=none", lambda c: c.data.image_size, None),
        ("data.name=csv:a=b.csv", lambda c: c.data.name, "csv:a=b.csv"),
        ("data.keep_aspect_ratio=True", lambda c: c.data.keep_aspect_ratio, 1),
        ("encoder.weights=None", lambda c: c.encoder.weights, None),
        ("encoder.weights=a.h5", lambda c: c.encoder.weights, "a.h5"),
        ("head.dropout=.5", lambda c: c.head.dropout, 0.5),
        ("head.hidden_units=64, 32", lambda c: c.head.hidden_units, (64, 32)),
        ("head.hidden_units=(64,)", lambda c: c.head.hidden_units, (64,)),
        ("head.hidden_units=", lambda c: c.head.hidden_units, ()),
        ("workdir = runs/a ", lambda c: c.workdir, "runs/a"),
    )
    def test_reads_the_value_by_the_type_of_the_field(
        self, assignment, read, expected
    ):
        config = configs.override(configs.RunConfig(), assignment)
        self.assertEqual(read(config), expected)

    @parameterized.parameters(
        ("alpha=0.35", {"alpha": 0.35}),
        ("include_preprocessing=false", {"include_preprocessing": False}),
        ("pooling=none", {"pooling": None}),
        ("pooling=avg", {"pooling": "avg"}),
        ("shape=(1, 2)", {"shape": (1, 2)}),
    )
    def test_options_take_any_key_and_a_python_literal(self, text, expected):
        config = configs.override(
            configs.RunConfig(), f"encoder.options.{text}"
        )
        self.assertEqual(config.encoder.options, expected)

    def test_options_gather(self):
        config = configs.load(
            overrides=[
                "plan.options.head_epochs=1",
                "plan.options.top_epochs=2",
            ]
        )
        self.assertEqual(
            config.plan.options, {"head_epochs": 1, "top_epochs": 2}
        )

    @parameterized.parameters(
        ("0.5", 0.5, "layer"),
        ("{'sparsity':0.8,'scope':'global'}", 0.8, "global"),
    )
    def test_pruning_is_an_option_of_a_plan(self, text, sparsity, scope):
        config = configs.override(
            configs.RunConfig(), f"plan.options.pruning={text}"
        )
        self.assertEqual(configs.from_dict(configs.as_dict(config)), config)
        plan = plans.make(config.plan.name, **config.plan.options)
        pruning = plan.phases[-1].pruning
        self.assertEqual((pruning.sparsity, pruning.scope), (sparsity, scope))
        with self.assertRaisesRegex(ValueError, "pruning.sparsity"):
            configs.override(config, "plan.options.pruning=1.5")

    def test_parts_and_averages_are_options_of_a_plan(self):
        config = configs.load(
            overrides=[
                "plan.options.micro_batches=4",
                "plan.options.weights_average=0.999",
            ]
        )
        phase = plans.make(config.plan.name, **config.plan.options).phases[-1]
        self.assertEqual(
            (phase.micro_batches, phase.weights_average), (4, 0.999)
        )
        with self.assertRaisesRegex(ValueError, "phase.micro_batches"):
            configs.override(config, "plan.options.micro_batches=0")

    def test_options_are_replaced_whole_by_a_dict(self):
        config = configs.override(
            configs.RunConfig(
                encoder=configs.EncoderConfig(options={"alpha": 1.0})
            ),
            "encoder.options={'minimalistic': True}",
        )
        self.assertEqual(config.encoder.options, {"minimalistic": True})

    def test_another_name_starts_without_options(self):
        plan = configs.PlanConfig(options={"head_epochs": 1})
        config = configs.RunConfig(plan=plan)
        same = configs.override(config, "plan.name=head_then_top")
        self.assertEqual(same.plan.options, {"head_epochs": 1})
        other = configs.override(config, "plan.name=full")
        self.assertEqual(other.plan.options, {})

    def test_leaves_the_config_it_was_given(self):
        config = configs.RunConfig()
        configs.override(config, "data.batch_size=64")
        configs.override(config, "plan.options.head_epochs=1")
        self.assertEqual(config, configs.RunConfig())

    @parameterized.parameters(
        ("seed", "Expected FIELD=VALUE"),
        ("sede=3", "Got: 'sede'. .*Did you mean 'seed'"),
        ("data.batchsize=3", "'data.batch_size', .*mean 'data.batch_size'"),
        ("data=cifar10", "group of fields.*data.name, data.image_size"),
        ("plan=full", "plan.name, plan.options.KEY"),
        ("seed.a=3", "`seed` has no fields.*Write seed=VALUE"),
        ("seed=x", "`seed` must be a whole number. Got: 'x'"),
        ("seed=1.5", "`seed` must be a whole number"),
        ("head.dropout=much", "`head.dropout` must be a number"),
        ("head.dropout=nan", "`head.dropout` is out of range"),
        ("tensorboard=1", "`tensorboard` must be true or false. Got: '1'"),
        ("head.hidden_units=a", "must be whole numbers with commas"),
        ("plan.options=3", "must be a dict"),
        ("plan.name=ful", "Did you mean 'full'"),
        ("plan.options.epochz=3", "epochz"),
        ("seed=", "must be a whole number. Got: ''"),
    )
    def test_says_what_is_wrong(self, assignment, message):
        with self.assertRaisesRegex(ValueError, message):
            configs.override(configs.RunConfig(), assignment)


class LoadTest(absltest.TestCase):
    def write(self, text):
        return self.create_tempfile("config.py", text).full_path

    def test_reads_a_file_then_the_overrides_in_order(self):
        path = self.write(
            "from tl_keras import configs\n"
            "def get_config():\n"
            "    return configs.RunConfig(seed=1, strategy='none')\n"
        )
        config = configs.load(path, ["seed=2", "seed=3"])
        self.assertEqual((config.seed, config.strategy), (3, "none"))

    def test_a_missing_file_is_named(self):
        with self.assertRaisesRegex(ValueError, "no config file 'absent.py'"):
            configs.load("absent.py")

    def test_a_file_of_another_kind_is_refused(self):
        path = self.create_tempfile("config.json", "{}").full_path
        with self.assertRaisesRegex(ValueError, "ends in .py"):
            configs.load(path)

    def test_a_file_without_the_function_is_refused(self):
        with self.assertRaisesRegex(ValueError, "define `get_config"):
            configs.load(self.write("config = 1\n"))

    def test_a_function_that_returns_something_else_is_refused(self):
        with self.assertRaisesRegex(TypeError, "Expected: RunConfig"):
            configs.load(self.write("def get_config():\n    return {}\n"))


class RoundTripTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.config = configs.load(
            overrides=[
                "data.name=cifar10",
                "data.train_examples=1000",
                "encoder.options.alpha=0.35",
                "head.hidden_units=64,32",
                "plan.name=full",
                "plan.options.epochs=3",
                "augmentation.flip=true",
                "class_weight=balanced",
            ]
        )

    def test_json_gives_the_config_back(self):
        text = json.dumps(configs.as_dict(self.config))
        self.assertEqual(configs.from_dict(json.loads(text)), self.config)

    def test_the_description_is_a_list_of_overrides(self):
        lines = configs.describe(self.config).splitlines()
        self.assertEqual(configs.load(overrides=lines), self.config)

    def test_an_unknown_key_is_refused(self):
        with self.assertRaisesRegex(ValueError, "Did you mean 'seed'"):
            configs.from_dict({"sead": 1})
        with self.assertRaisesRegex(ValueError, "'batch_size'"):
            configs.from_dict({"data": {"batchsize": 1}})


if __name__ == "__main__":
    absltest.main()
