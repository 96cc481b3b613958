"""The prefix cache: exact, kept, found again, and told when it is not used."""

import contextlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import cards
from tl_keras import cuts
from tl_keras import graph
from tl_keras.data import Augmentation
from tl_keras.training import feature_store
from tl_keras.training import prefix_cache
from tl_keras.training import prefix_pass
from tl_keras.tuning import Phase
from tl_keras.tuning import Plan
from tl_keras.tuning import freezing
from tl_keras.tuning import groups

_RNG = np.random.default_rng(0)
IMAGES = _RNG.integers(0, 256, (46, 16, 16, 3)).astype("uint8")
IMAGES[::2] //= 2
LABELS = np.arange(46) % 2


def data(seed=0, **options):
    return tl_keras.data.from_arrays(
        train=(IMAGES[:40], LABELS[:40]),
        validation=(IMAGES[40:], LABELS[40:]),
        batch_size=16,
        seed=seed,
        **options,
    )


def tiny(**head):
    return tl_keras.build(
        tl_keras.encoders.load("tiny", 16),
        tl_keras.heads.Classifier(num_classes=2, **head),
    )


def head_phase(**options):
    return Phase(
        **{
            "name": "head",
            "train": "head",
            "epochs": 5,
            "learning_rate": 0.05,
            **options,
        }
    )


class PrefixCacheTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())

    def settings(self, mode="always", **options):
        return tl_keras.PrefixCache(mode=mode, folder=self.folder, **options)

    def fit(self, model, plan, cached=True, given=None, **options):
        settings = options.pop("settings", None) or self.settings(
            "always" if cached else "never"
        )
        return tl_keras.fit(
            model,
            given or data(),
            plan,
            prefix_cache=settings,
            **{"verbose": 0, **options},
        )

    def check_same(self, plan, *, model=None, **options):
        """The plan ends with the same weights with the cache and without."""
        model = model or tiny(dropout=0.2)
        start = model.get_weights()
        result = self.fit(model, plan, True, **options)
        cached = model.get_weights()
        model.set_weights(start)
        self.fit(model, plan, False, **options)
        moved = False
        for one, other, before in zip(
            cached, model.get_weights(), start, strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
            moved |= not np.array_equal(before, other)
        self.assertTrue(moved)
        return result

    @parameterized.named_parameters(
        ("a head", [head_phase()], {}),
        ("a flip", [head_phase(augmentation=Augmentation(flip=True))], {}),
        (
            "views that come again",
            [
                head_phase(
                    augmentation=Augmentation(crop=0.5, flip=True),
                    cache_views=2,
                )
            ],
            {},
        ),
        (
            "soft labels and class weights",
            [head_phase(label_smoothing=0.1)],
            {"class_weight": {0: 2.0}},
        ),
        (
            "a part of the encoder, with normalisation that trains",
            [head_phase(train="last 1", learning_rate=1e-3, epochs=2)],
            {},
        ),
        (
            "normalisation in inference mode",
            [head_phase(train="last 1", batch_norm="inference", epochs=2)],
            {},
        ),
        (
            "steps in place of epochs",
            [head_phase(steps=7)],
            {},
        ),
    )
    def test_gives_the_same_weights(self, phases, options):
        result = self.check_same(Plan("plan", phases), **options)
        self.assertTrue(result.phases[0].prefix_cache.used)

    def test_phases_in_a_row_give_the_same_and_share_a_pass(self):
        plan = tl_keras.plans.gradual(2, 2, 2, augmentation=Augmentation())
        result = self.check_same(plan)
        computed = [phase.prefix_cache.computed for phase in result.phases]
        # On the way to the head's, both earlier cuts were kept.
        self.assertEqual(computed, [46, 0, 0])

    def test_a_later_cut_is_computed_from_an_earlier_one(self):
        model = tiny()
        self.fit(model, head_phase(name="top", train="last 2", epochs=2))
        plan = Plan(
            "plan", [head_phase(), head_phase(name="b", train="last 2")]
        )
        with mock.patch.object(
            prefix_pass, "Beginning", wraps=prefix_pass.Beginning
        ) as made:
            self.fit(model, plan)
        # The encoder has moved, but not what is in front of its last groups.
        self.assertEqual(
            [call.kwargs["takes_inputs"] for call in made.call_args_list][:1],
            [False],
        )

    def test_two_tensors_may_cross(self):
        inputs = keras.Input((16, 16, 3), name="pixels")
        first = keras.layers.Conv2D(4, 3, name="first")(inputs)
        second = keras.layers.Conv2D(4, 3, padding="same", name="second")(first)
        third = keras.layers.Conv2D(4, 3, padding="same", name="third")(second)
        both = keras.layers.Concatenate(name="both")([third, first, second])
        outputs = keras.layers.Dense(2, name="out")(
            keras.layers.GlobalAveragePooling2D(name="pool")(both)
        )
        model = keras.Model(inputs, outputs)
        groups = {"body": ["first", "second"], "head": ["third", "out"]}
        result = self.check_same(head_phase(), model=model, groups=groups)
        self.assertLen(result.phases[0].prefix_cache.cut, 2)

    def test_a_nested_model_can_be_cut_inside(self):
        inner = keras.Sequential(
            [
                keras.Input((16, 16, 3)),
                keras.layers.Conv2D(4, 3, name="low"),
                keras.layers.Conv2D(4, 3, name="high"),
            ]
        )
        inputs = keras.Input((16, 16, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(inner(inputs))
        model = keras.Model(inputs, keras.layers.Dense(2, name="out")(pooled))
        groups = {"low": ["low"], "high": ["high"], "head": ["out"]}
        phase = head_phase(train="high", learning_rate=1e-3)
        result = self.check_same(phase, model=model, groups=groups)
        self.assertEqual(result.phases[0].prefix_cache.cut, ("low",))

    def test_another_head_seed_or_split_finds_what_is_kept(self):
        model = tiny()
        first = self.fit(model, head_phase()).phases[0].prefix_cache
        self.assertEqual(first.computed, 46)
        # The same images, held out otherwise.
        again = tl_keras.data.from_arrays(
            train=(IMAGES[6:], LABELS[6:]),
            validation=(IMAGES[:6], LABELS[:6]),
            seed=3,
        )
        other = tiny(hidden_units=(4,))
        result = self.fit(other, head_phase(), given=again, seed=5)
        self.assertEqual(result.phases[0].prefix_cache.computed, 0)

    def test_only_new_examples_are_computed(self):
        part = tl_keras.data.from_arrays(
            train=(IMAGES[:30], LABELS[:30]), validation=False
        )
        self.fit(tiny(), head_phase(), given=part)
        whole = tl_keras.data.from_arrays(
            train=(IMAGES, LABELS), validation=False
        )
        result = self.fit(tiny(), head_phase(), given=whole)
        self.assertEqual(result.phases[0].prefix_cache.computed, 16)

    def test_anything_changed_is_computed_anew(self):
        self.fit(tiny(), head_phase())
        moved = tiny()
        weight = (
            moved.layers[-4].weights
            or moved.get_layer(
                next(layer.name for layer in moved.layers if layer.weights)
            ).weights
        )
        weight[0].assign(weight[0] + 1e-3)
        for given, model in (
            (data(), moved),
            (tl_keras.data.from_arrays((IMAGES // 2, LABELS)), tiny()),
        ):
            result = self.fit(model, head_phase(), given=given)
            self.assertEqual(result.phases[0].prefix_cache.computed, 46)
        halves = self.settings(dtype="float16")
        result = self.fit(tiny(), head_phase(), settings=halves)
        self.assertEqual(result.phases[0].prefix_cache.computed, 46)

    @parameterized.parameters(("float16", 2.0**-11), ("bfloat16", 2.0**-8))
    def test_tells_what_a_lower_precision_costs(self, dtype, unit):
        model = tiny()
        result = self.fit(
            model, head_phase(), settings=self.settings(dtype=dtype)
        )
        rounding = result.phases[0].prefix_cache.rounding
        # Rounding to nearest is off by half a unit in the last place.
        self.assertGreater(rounding, unit / 16)
        self.assertLessEqual(rounding, unit)

    def test_mapped_and_in_memory_give_the_same(self):
        model = tiny()
        start = model.get_weights()
        ends = []
        for gigabytes in (0.0, 1.0):
            model.set_weights(start)
            self.fit(
                model,
                head_phase(),
                settings=self.settings(memory_gb=gigabytes),
            )
            ends.append(model.get_weights())
        for one, other in zip(*ends, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_mixup_of_features_blends_what_is_kept(self):
        mixing = Augmentation(mixup=0.4, mix_features=True)
        result = self.fit(
            tiny(),
            head_phase(augmentation=mixing),
            settings=self.settings("auto"),
        )
        self.assertTrue(result.phases[0].prefix_cache.used)
        self.assertTrue(np.isfinite(result.history[-1]["loss"]))
        with self.assertRaisesRegex(ValueError, "switched off"):
            self.fit(tiny(), head_phase(augmentation=mixing), cached=False)

    def test_a_single_view_of_a_crop_is_the_crop(self):
        crop = Augmentation(crop=0.5)
        self.check_same(head_phase(augmentation=crop, cache_views=1))

    @parameterized.named_parameters(
        ("its mean", lambda x: x - keras.ops.mean(x, axis=0, keepdims=True)),
        (
            "its rows",
            lambda x: keras.ops.reshape(
                keras.layers.Dense(3)(keras.ops.reshape(x, (-1, 192))), (-1, 12)
            ),
        ),
    )
    def test_is_not_used_where_a_batch_is_mixed_up_by(self, mix):
        inputs = keras.Input((16, 16, 3))
        hidden = keras.layers.Flatten()(inputs)
        hidden = keras.layers.Dense(12, name="low")(mix(hidden))
        model = keras.Model(inputs, keras.layers.Dense(2, name="out")(hidden))
        layers = [layer.name for layer in model.layers if layer.weights]
        groups = {"low": layers[:-1], "head": ["out"]}
        result = self.fit(
            model, head_phase(), settings=self.settings("auto"), groups=groups
        )
        report = result.phases[0].prefix_cache
        if report.used:
            # The rows are whole again behind the last layer.
            model_again = keras.models.clone_model(model)
            self.check_same(head_phase(), model=model_again, groups=groups)
        else:
            self.assertIn("batch", report.reason)

    def test_what_differs_from_what_is_kept_is_an_error(self):
        class Scaled(keras.layers.Layer):
            factor = 1.0

            def build(self, shape):
                self.offset = self.add_weight(shape=(1,))

            def call(self, inputs):
                return inputs * self.factor + self.offset

        def model():
            layers = [keras.layers.Flatten(), Scaled(name="scaled")]
            end = keras.layers.Dense(2, name="out")
            whole = keras.Sequential([keras.Input((16, 16, 3)), *layers, end])
            whole.get_layer("scaled").set_weights([np.ones(1)])
            return whole

        groups = {"body": ["scaled"], "head": ["out"]}
        phase = head_phase(learning_rate=1e-4)
        self.fit(model(), phase, groups=groups)
        Scaled.factor = 2.0
        with self.assertRaisesRegex(ValueError, "is not what the model gives"):
            self.fit(model(), phase, groups=groups)


class ChoiceTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.enter_context(tempfile.TemporaryDirectory())
        )

    def fit(self, phase, *, mode="auto", given=None, model=None, **options):
        settings = tl_keras.PrefixCache(
            mode=mode, folder=str(self.folder / "cache"), **options
        )
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            result = tl_keras.fit(
                model or tiny(),
                given or data(),
                phase,
                prefix_cache=settings,
                workdir=self.folder / "run",
                verbose=2,
            )
        return result.phases[0].prefix_cache, said.getvalue()

    def test_auto_uses_it_where_epochs_come_again(self):
        report, said = self.fit(head_phase())
        self.assertTrue(report.used)
        self.assertIn("Prefix cache: 46 results behind head_pool", said)

    @parameterized.named_parameters(
        ("one epoch", {"epochs": 1}, "nothing twice"),
        (
            "two flips",
            {"epochs": 2, "augmentation": Augmentation(flip=True)},
            "nothing twice",
        ),
        (
            "endless views",
            {"augmentation": Augmentation(crop=0.5)},
            "cache_views",
        ),
        ("mixing", {"augmentation": Augmentation(mixup=0.2)}, "mix_features"),
        ("everything trains", {"train": "all"}, "nothing with weights"),
    )
    def test_tells_why_it_is_not_used(self, options, why):
        report, said = self.fit(head_phase(**options))
        self.assertFalse(report.used)
        self.assertIn(why, report.reason)
        self.assertIn(why, said)

    def test_a_choice_is_made_once(self):
        with (
            mock.patch.object(
                prefix_cache.prefix_costs, "saved_seconds", return_value=-1.0
            ),
            mock.patch.object(prefix_pass, "_LARGEST_BATCH", 16),
        ):
            report, said = self.fit(head_phase())
        self.assertFalse(report.used)
        self.assertIn("computing takes", report.reason)
        # Measured again, it would pay.
        report, _ = self.fit(head_phase())
        self.assertFalse(report.used)
        self.assertIn("did not pay", report.reason)

    @parameterized.named_parameters(
        ("what trains", {"train": "all"}, "nothing with weights"),
        ("views", {"augmentation": Augmentation(crop=0.5)}, "cache_views"),
    )
    def test_always_is_an_error_where_it_cannot_be(self, options, why):
        with self.assertRaisesRegex(ValueError, why):
            self.fit(head_phase(**options), mode="always")

    def test_a_bare_dataset_is_refused_or_computed_anew(self):
        given = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(8)
        report, _ = self.fit(head_phase(), given=given)
        self.assertIn("bare dataset", report.reason)
        with self.assertRaisesRegex(ValueError, "from_arrays"):
            self.fit(head_phase(), given=given, mode="always")

    def test_too_little_room_is_told(self):
        report, _ = self.fit(head_phase(), disk_gb=1e-6)
        self.assertIn("disk_gb", report.reason)
        with self.assertRaisesRegex(OSError, "disk_gb"):
            self.fit(head_phase(), mode="always", disk_gb=1e-6)

    def test_a_folder_that_cannot_be_made_is_told(self):
        (self.folder / "cache").write_text("a file")
        report, _ = self.fit(head_phase())
        self.assertIn("cannot be used", report.reason)
        with self.assertRaisesRegex(OSError, "cannot be used"):
            self.fit(head_phase(), mode="always")

    def test_a_full_disk_trains_without_it(self):
        with mock.patch.object(
            feature_store._Writer, "add", side_effect=OSError(28, "No space")
        ):
            report, said = self.fit(head_phase())
        self.assertFalse(report.used)
        self.assertIn("No space", said)

    def test_an_unknown_setting_is_refused(self):
        with self.assertRaisesRegex(ValueError, "always"):
            tl_keras.PrefixCache(mode="allways")
        with self.assertRaisesRegex(TypeError, "prefix_cache"):
            tl_keras.fit(tiny(), data(), head_phase(), prefix_cache=3)


# Slow enough to be killed in the middle, and otherwise an ordinary run.
_KILLED = """
import sys, time
import numpy as np
import tl_keras
from tl_keras.training import feature_store, prefix_pass
prefix_pass._LARGEST_BATCH = 16
feature_store._SECONDS_BETWEEN_BLOCKS = 0.1
add = feature_store._Writer.add
def slowly(writer, *arguments):
    add(writer, *arguments)
    print("batch", flush=True)
    time.sleep(float(sys.argv[3]))
feature_store._Writer.add = slowly
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (320, 16, 16, 3)).astype("uint8")
data = tl_keras.data.from_arrays((images, np.arange(320) % 2))
model = tl_keras.build(
    tl_keras.encoders.load("tiny", 16),
    tl_keras.heads.Classifier(num_classes=2),
)
plan = tl_keras.plans.linear_probe(epochs=2)
result = tl_keras.fit(
    model, data, plan, verbose=0,
    prefix_cache=tl_keras.PrefixCache(mode="always", folder=sys.argv[1]),
)
print("computed", result.phases[0].prefix_cache.computed, flush=True)
np.savez(sys.argv[2], *model.get_weights())
"""


class KilledTest(absltest.TestCase):
    def start(self, folder, weights, pause):
        return subprocess.Popen(
            [sys.executable, "-c", _KILLED, folder, weights, str(pause)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    def weights(self, path):
        with np.load(path) as archive:
            return [archive[name] for name in archive.files]

    def test_killed_in_the_pass_and_restarted_equals_never_killed(self):
        root = self.enter_context(tempfile.TemporaryDirectory())
        whole = self.start(f"{root}/whole", f"{root}/whole.npz", 0.0)
        killed_folder, left = f"{root}/killed", 320
        # At three moments: soon, a little later, and near the end.
        for batches in (2, 5, 9):
            process = self.start(killed_folder, f"{root}/x.npz", 0.15)
            for _ in range(batches):
                self.assertEqual(process.stdout.readline(), "batch\n")
            time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
        last = self.start(killed_folder, f"{root}/killed.npz", 0.0)
        told = last.communicate()[0].split()[-1]
        self.assertLess(int(told), left)
        self.assertEqual(whole.communicate()[0].split()[-1], str(left))
        for one, other in zip(
            self.weights(f"{root}/whole.npz"),
            self.weights(f"{root}/killed.npz"),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


class CutsTest(absltest.TestCase):
    """Where real encoders are cut."""

    def cut(self, name, train, size=96, **options):
        encoder = tl_keras.encoders.load(name, size, None, **options)
        model = tl_keras.build(
            encoder, tl_keras.heads.Classifier(num_classes=2)
        )
        trained = freezing.choose(
            Phase(name="a", train=train),
            groups.resolve(model, cards.of(model).groups),
        )
        inside = {id(operation) for operation in trained.operations}
        return cuts.behind_frozen(
            graph.flat(model),
            lambda o: id(o) in inside and not cuts.is_inert(o),
        )

    def test_a_head_reads_pooled_features(self):
        [value] = self.cut("MobileNetV2", "head", alpha=0.35)
        self.assertEqual(value.tensor.shape, (None, 1280))

    def test_the_narrow_end_of_a_bottleneck_is_kept(self):
        [value] = self.cut("MobileNetV2", "block_13", alpha=1.0)
        # 13.8 KB in float32: 6 x 6 x 96.
        self.assertEqual(cuts.bytes_per_example([value]), 13824)

    def test_cells_that_read_two_earlier_cells_take_two_tensors(self):
        values = self.cut("NASNetMobile", "last 1", size=32)
        self.assertLen(values, 2)


if __name__ == "__main__":
    absltest.main()
