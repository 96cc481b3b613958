"""What can be said of TPUs where there is none."""

import time
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras import configs
from tl_keras.data import parts
from tl_keras.training import feeds
from tl_keras.training import static_feed
from tl_keras.training import strategies
from tl_keras.training import tpu
from tl_keras.tuning import Phase

_RNG = np.random.default_rng(0)
INPUTS = _RNG.normal(size=(22, 6)).astype("float32")
LABELS = np.arange(22) % 3


class ConnectTest(parameterized.TestCase):
    def test_a_wheel_without_kernels_is_told_of_at_once(self):
        began = time.monotonic()
        with self.assertRaisesRegex(OSError, "Install tensorflow-tpu"):
            with tl_keras.strategy("tpu"):
                pass
        self.assertLess(time.monotonic() - began, 20)

    def test_a_name_that_is_not_found_is_told(self):
        resolver = mock.patch.object(
            tf.distribute.cluster_resolver,
            "TPUClusterResolver",
            side_effect=OSError("Name or service not known"),
        )
        with (
            resolver,
            self.assertRaisesRegex(OSError, "no TPU 'mine' here.*not known"),
            tl_keras.strategy("tpu:mine"),
        ):
            pass

    def test_one_that_does_not_answer_is_not_waited_for(self):
        hangs = mock.patch.object(
            tpu, "_initialised", side_effect=lambda _: time.sleep(5)
        )
        began = time.monotonic()
        with hangs, self.assertRaisesRegex(OSError, "no answer within 0.1"):
            tpu.connect("mute", seconds=0.1)
        self.assertLess(time.monotonic() - began, 4)

    @parameterized.parameters("tpu:", "tpus", "gpu:0")
    def test_a_wrong_name_is_refused(self, name):
        with self.assertRaisesRegex(ValueError, "Unknown `strategy`"):
            configs.RunConfig(strategy=name)

    @parameterized.parameters(
        ("folder:/pictures", None), ("cifar10", "/data"), ("cifar10", None)
    )
    def test_paths_that_its_hosts_cannot_read_are_refused(self, name, folder):
        config = configs.RunConfig(
            strategy="tpu:mine",
            data=configs.DataConfig(name=name, data_dir=folder),
            workdir=self.create_tempdir().full_path,
        )
        with self.assertRaisesRegex(ValueError, "begin with gs://"):
            tl_keras.run(config)


def network():
    def start(seed):
        return keras.initializers.HeNormal(seed)

    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(
                8, "relu", name="body", kernel_initializer=start(0)
            ),
            keras.layers.Dense(3, name="head", kernel_initializer=start(1)),
        ]
    )


def batches(count=22):
    rows = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS))
    return rows.take(count).batch(8)


class Shapes(keras.callbacks.Callback):
    """With which static shapes steps were traced."""

    def __init__(self, model):
        super().__init__()
        self.seen = set()
        body = model.get_layer("body")
        call = body.call

        def noting(inputs, *args, **kwargs):
            self.seen.add(inputs.shape[0])
            return call(inputs, *args, **kwargs)

        body.call = noting


class StaticShapesTest(parameterized.TestCase):
    """What a TPU is given, on a CPU."""

    def trained(self, data, on_tpu, **options):
        model = network()
        shapes = Shapes(model)
        with mock.patch.object(strategies, "runs_on_tpu", return_value=on_tpu):
            result = tl_keras.fit(
                model,
                data,
                Phase(name="a", epochs=3, learning_rate=0.05),
                **{
                    "validation_data": batches(13),
                    "groups": {"body": ["body"], "head": ["head"]},
                    "callbacks": [shapes],
                    "verbose": 0,
                    **options,
                },
            )
        return model, result.history, shapes.seen

    def test_whole_batches_train_and_every_example_is_validated(self):
        plain, expected, _ = self.trained(batches(16), on_tpu=False)
        # Of 22 examples the last six are left out; 13 are filled up to 16.
        model, history, shapes = self.trained(batches(), on_tpu=True)
        self.assertEqual(shapes, {8})
        for row, other in zip(expected, history, strict=True):
            for score in ("loss", "accuracy", "val_loss", "val_accuracy"):
                self.assertAlmostEqual(row[score], other[score], places=6)
        for a, b in zip(plain.get_weights(), model.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)

    def test_weights_of_classes_are_for_the_loss_alone(self):
        weights = {"class_weight": {0: 5.0}}
        _, expected, _ = self.trained(batches(16), on_tpu=False, **weights)
        _, history, _ = self.trained(batches(16), on_tpu=True, **weights)
        for row, other in zip(expected, history, strict=True):
            for score in ("loss", "accuracy", "val_loss", "val_accuracy"):
                self.assertAlmostEqual(row[score], other[score], places=6)

    def test_a_data_value_gives_whole_batches_too(self):
        images = _RNG.integers(0, 256, (21, 16, 16, 3)).astype("uint8")
        labels = np.arange(21) % 2
        data = tl_keras.data.from_arrays(
            train=(images, labels),
            validation=(images[:5], labels[:5]),
            batch_size=4,
        )
        model = tl_keras.build(
            tl_keras.encoders.load("tiny", 16),
            tl_keras.heads.Classifier(num_classes=2),
        )
        with mock.patch.object(strategies, "runs_on_tpu", return_value=True):
            result = tl_keras.fit(
                model, data, tl_keras.plans.linear_probe(1), verbose=0
            )
        self.assertFalse(result.phases[0].prefix_cache.used)
        self.assertLen(result.history, 1)

    def test_cores_share_batches_evenly(self):
        feed = static_feed.of(
            feeds.make(
                batches(),
                batches(13),
                num_classes=3,
                class_weight=None,
                seed=0,
            )
        )
        self.assertEqual((feed.steps_per_epoch, feed.validation_steps), (2, 2))
        two = parts.Parts(0, 2, 2)
        trained = feed.train(Phase(name="a"), 0, 1, parts=two)
        validated = feed.validation(two)
        for dataset in (trained, validated):
            inputs, labels, *_ = dataset.element_spec.batch
            self.assertEqual(inputs.shape, (4, 6))
            self.assertEqual(labels.shape, (4,))
        found = list(trained.as_numpy_iterator())
        self.assertEqual([part.share for part in found], [1.0] * 4)
        np.testing.assert_array_equal(
            np.concatenate([part.batch[0] for part in found]), INPUTS[:16]
        )
        weights = np.concatenate(
            [part.batch[2] for part in validated.as_numpy_iterator()]
        )
        # Thirteen examples weigh as much as sixteen.
        np.testing.assert_allclose(
            weights, [16 / 13] * 13 + [0.0] * 3, rtol=1e-6
        )

    def test_a_strategy_gets_one_size_as_well(self):
        plain, expected, _ = self.trained(batches(16), on_tpu=False)
        with tl_keras.strategy("mirrored"):
            model, history, shapes = self.trained(batches(), on_tpu=True)
        self.assertEqual(shapes, {8})
        for row, other in zip(expected, history, strict=True):
            for score in ("loss", "val_loss", "val_accuracy"):
                self.assertAlmostEqual(row[score], other[score], places=6)

    def test_the_prefix_cache_cannot_be_asked_for(self):
        with self.assertRaisesRegex(ValueError, "no prefix cache"):
            self.trained(batches(), on_tpu=True, prefix_cache="always")

    def test_parts_that_differ_in_size_are_refused(self):
        for function in (tl_keras.fit, tl_keras.check_tpu):
            with (
                mock.patch.object(strategies, "runs_on_tpu", return_value=True),
                self.assertRaisesRegex(ValueError, "batches of 8, 1 cores"),
            ):
                function(
                    network(),
                    batches(),
                    Phase(name="a", micro_batches=3),
                    groups={"body": ["body"], "head": ["head"]},
                )

    def test_less_than_a_batch_is_refused(self):
        data = tl_keras.data.from_arrays(
            train=(np.zeros((6, 6, 6, 3), "uint8"), [0, 1, 2] * 2),
            batch_size=8,
            validation=False,
        )
        inputs = keras.Input((6, 6, 3))
        body = keras.layers.Flatten(name="body")
        head = keras.layers.Dense(3, name="head")
        model = keras.Model(inputs, head(body(inputs)))
        with (
            mock.patch.object(strategies, "runs_on_tpu", return_value=True),
            self.assertRaisesRegex(ValueError, "less than one batch"),
        ):
            tl_keras.fit(
                model,
                data,
                Phase(name="a"),
                groups={"body": ["body"], "head": ["head"]},
            )


if __name__ == "__main__":
    absltest.main()
