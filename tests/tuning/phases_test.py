from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.tuning import phases
from tl_keras.tuning import plans

NAMES = ("stem", "stage1", "stage2", "stage3", "head")


class PhaseTest(parameterized.TestCase):
    @parameterized.parameters(
        ("all", NAMES),
        ("head", ("head",)),
        ("stage2", ("stage2", "stage3", "head")),
        ("last 1", ("stage3", "head")),
        ("last 0", ("head",)),
        ("last 4", NAMES),
        ("last 50%", ("stage2", "stage3", "head")),
        # A quarter of four groups and a bit is rounded up to two.
        ("last 26%", ("stage2", "stage3", "head")),
        ("last 100%", NAMES),
        (("head", "stem"), ("stem", "head")),
        (["stage1"], ("stage1",)),
    )
    def test_says_which_groups_train(self, train, expected):
        phase = phases.Phase(name="a", train=train)
        self.assertEqual(phase.groups(NAMES), expected)

    def test_an_unknown_group_is_named_with_the_list(self):
        phase = phases.Phase(name="a", train="stage9")
        with self.assertRaisesRegex(ValueError, "stage9.*'stage3'.*you mean"):
            phase.groups(NAMES)

    def test_more_groups_than_there_are_is_an_error(self):
        for train in ("last 5", "last 120%", "last 1.5"):
            with self.assertRaisesRegex(ValueError, "has 4 groups"):
                phases.Phase(name="a", train=train).groups(NAMES)

    @parameterized.parameters(
        ("train", ()),
        ("train", ""),
        ("epochs", 0),
        ("steps", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("inf")),
        ("depth_decay", 0.0),
        ("depth_decay", 1.1),
        ("encoder_rate_factor", -1.0),
        ("rate_factors", {"stem": -1.0}),
        ("warmup_epochs", -1),
        ("clip_norm", 0.0),
        ("schedule", "linear"),
        ("label_smoothing", 1.0),
        ("micro_batches", 0),
        ("weights_average", 0.0),
        ("weights_average", 1.0),
        ("patience", 0),
        ("batch_norm", "freeze"),
        ("lora_rank", 0),
        ("lora_alpha", 0.0),
        # Without a rank there is nothing to scale.
        ("lora_alpha", 8.0),
    )
    def test_a_value_out_of_range_is_refused_at_once(self, field, value):
        with self.assertRaisesRegex(ValueError, field):
            phases.Phase(name="a", **{field: value})

    def test_a_wrong_type_is_refused_at_once(self):
        with self.assertRaisesRegex(TypeError, "Augmentation"):
            phases.Phase(name="a", augmentation="flip")
        with self.assertRaisesRegex(TypeError, "epochs"):
            phases.Phase(name="a", epochs=2.5)

    def test_phases_of_a_plan_have_different_names(self):
        one = phases.Phase(name="a")
        with self.assertRaisesRegex(ValueError, r"\['a', 'a'\]"):
            phases.Plan("twice", [one, one])
        with self.assertRaisesRegex(ValueError, "one or more"):
            phases.Plan("none", [])


class PlansTest(parameterized.TestCase):
    @parameterized.parameters(
        ("linear_probe", ["head"]),
        ("head_then_top", ["head", "last 50%"]),
        ("gradual", ["head", "last 1", "last 2", "last 3"]),
        ("full", ["all"]),
        ("probe_then_full", ["head", "all"]),
        ("lora", ["head", "all"]),
    )
    def test_has_the_phases_of_its_name(self, name, trains):
        plan = plans.make(name)
        self.assertEqual(plan.name, name)
        self.assertEqual([phase.train for phase in plan.phases], trains)

    def test_options_reach_every_phase(self):
        plan = plans.head_then_top(weight_decay=0.5, batch_norm="inference")
        for phase in plan.phases:
            self.assertEqual(phase.weight_decay, 0.5)
            self.assertEqual(phase.batch_norm, "inference")

    def test_only_the_second_phase_of_lora_has_adapters(self):
        head, adapted = plans.make("lora", lora_rank=4, lora_alpha=8.0).phases
        self.assertEqual((head.lora_rank, head.lora_alpha), (None, None))
        self.assertEqual((adapted.lora_rank, adapted.lora_alpha), (4, 8.0))

    def test_adapters_of_other_plans_leave_the_head_alone(self):
        head, top = plans.make("head_then_top", lora_rank=2).phases
        self.assertEqual((head.lora_rank, top.lora_rank), (None, 2))

    def test_an_unknown_plan_or_option_is_named_with_the_list(self):
        with self.assertRaisesRegex(ValueError, "Did you mean 'gradual'"):
            plans.make("gradully")
        with self.assertRaisesRegex(ValueError, "Did you mean 'head_epochs'"):
            plans.make("head_then_top", head_epoch=3)
        with self.assertRaisesRegex(ValueError, "option of plan 'full'"):
            plans.make("full", name="mine")


if __name__ == "__main__":
    absltest.main()
