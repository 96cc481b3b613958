"""Training again and faster: one compiled model, several steps at a time."""

import json
import pathlib
import tempfile
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.training import step_trial
from tl_keras.training import timed_choices
from tl_keras.training.training_model import TrainingModel
from tl_keras.tuning import Phase

_RNG = np.random.default_rng(0)
IMAGES = _RNG.integers(0, 256, (46, 16, 16, 3)).astype("uint8")
LABELS = np.arange(46) % 2


def data():
    return tl_keras.data.from_arrays(
        train=(IMAGES, LABELS),
        validation=(IMAGES[:6], LABELS[:6]),
        batch_size=8,
    )


def tiny():
    return tl_keras.build(
        tl_keras.encoders.load("tiny", 16),
        tl_keras.heads.Classifier(num_classes=2, dropout=0.3),
    )


def fit(model, phase, **options):
    return tl_keras.fit(
        model,
        data(),
        phase,
        **{"prefix_cache": "never", "verbose": 0, **options},
    )


def equal(one, other):
    return all(map(np.array_equal, one, other))


class CompiledTest(parameterized.TestCase):
    @parameterized.parameters("head", "last 1")
    def test_a_second_training_is_the_first_to_the_bit(self, train):
        model = tiny()
        start = model.get_weights()
        phase = Phase(name="a", train=train, epochs=2, optimizer="nadam")
        first = fit(model, phase)
        ended = model.get_weights()
        model.set_weights(start)
        with mock.patch.object(TrainingModel, "compile") as compiles:
            second = fit(model, phase)
        compiles.assert_not_called()
        self.assertTrue(equal(ended, model.get_weights()))
        self.assertEqual(
            [row["val_loss"] for row in first.history],
            [row["val_loss"] for row in second.history],
        )

    def test_what_differs_is_compiled_anew(self):
        model = tiny()
        phase = Phase(name="a", train="head")
        fit(model, phase)
        model.get_layer("head_logits").trainable = False
        with self.assertRaisesRegex(ValueError, "Nothing trains"):
            fit(model, phase)
        model.get_layer("head_logits").trainable = True
        for changed, options in (
            (Phase(name="a", train="head", learning_rate=0.5), {}),
            (phase, {"loss": keras.losses.CategoricalHinge()}),
            (phase, {"metrics": ["accuracy", keras.metrics.Mean(name="m")]}),
        ):
            with mock.patch.object(
                TrainingModel, "compile", side_effect=ZeroDivisionError
            ):
                with self.assertRaises(ZeroDivisionError):
                    fit(model, changed, **options)

    def test_the_users_model_saves_and_copies_as_before(self):
        model = tiny()
        fit(model, Phase(name="a", train="head"))
        path = tl_keras.save(
            model, self.create_tempdir().full_path + "/m.keras"
        )
        again = tl_keras.load_model(path)
        self.assertTrue(equal(again.get_weights(), model.get_weights()))
        self.assertLen(model.layers, len(tiny().layers))


class SeveralStepsTest(parameterized.TestCase):
    def trained(self, count, phase, **options):
        chosen = {"steps_per_execution": count, "jit_compile": False}
        model = tiny()
        with mock.patch.object(step_trial, "FEWEST_STEPS", 1):
            with mock.patch.object(
                step_trial, "choose", return_value=chosen
            ) as choose:
                result = fit(model, phase, **options)
        choose.assert_called()
        return model.get_weights(), result.history

    @parameterized.parameters(2, 4, 16)
    def test_at_a_time_give_the_weights_of_single_ones(self, count):
        # Six steps an epoch: 4 and 16 do not divide it.
        phase = Phase(name="a", train="head", epochs=3, learning_rate=0.05)
        one, one_history = self.trained(1, phase)
        several, history = self.trained(count, phase)
        for a, b in zip(one, several, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
        for a, b in zip(one_history, history, strict=True):
            self.assertAlmostEqual(a["loss"], b["loss"], places=5)
            self.assertAlmostEqual(a["val_loss"], b["val_loss"], places=5)

    def test_end_at_the_step_that_was_asked_for(self):
        phase = Phase(name="a", train="head", steps=8)
        seen = []

        class Count(keras.callbacks.Callback):
            def on_train_end(self, logs=None):
                seen.append(int(self.model.optimizer.iterations))

        self.trained(16, phase, callbacks=[Count()])
        self.assertEqual(seen, [8])

    def test_a_trial_changes_nothing_but_the_time(self):
        phase = Phase(name="a", train="last 1", epochs=2)
        plain, tried = tiny(), tiny()
        fit(plain, phase, step_trial=False)
        with mock.patch.object(step_trial, "FEWEST_STEPS", 1):
            with mock.patch.object(step_trial, "_GAIN", 0.0):
                fit(tried, phase)
        self.assertTrue(equal(plain.get_weights(), tried.get_weights()))

    def test_a_restart_does_as_was_chosen(self):
        folder = self.create_tempdir().full_path
        phase = Phase(name="a", train="head", epochs=2)
        with mock.patch.object(step_trial, "FEWEST_STEPS", 1):
            fit(tiny(), phase, workdir=folder)
            with mock.patch.object(step_trial, "choose") as choose:
                fit(tiny(), phase, workdir=folder)
        choose.assert_not_called()
        made = json.loads(pathlib.Path(folder, "choices.json").read_text())
        [[chosen]] = [list(choices.values()) for choices in made.values()]
        self.assertFalse(chosen["jit_compile"])

    def test_callbacks_that_want_each_batch_get_each(self):
        seen = []

        class Batches(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                seen.append(batch)

        phase = Phase(name="a", train="head")
        with mock.patch.object(step_trial, "FEWEST_STEPS", 1):
            fit(tiny(), phase, callbacks=[Batches()])
        self.assertEqual(seen, list(range(6)))


class WaitingTest(absltest.TestCase):
    def waiting(self, pause):
        def slow(images, labels):
            tf.py_function(lambda: __import__("time").sleep(pause), [], [])
            return images, labels

        batches = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(8)
        result = tl_keras.fit(
            tiny(),
            batches.map(slow),
            Phase(name="a", train="head", epochs=3),
            verbose=0,
        )
        self.assertEqual(
            result.phases[0].waiting,
            tuple(row["waiting"] for row in result.history),
        )
        return result.history[-1]

    def test_is_told_as_a_share_of_the_time_for_training(self):
        row = self.waiting(0.1)
        # Six batches of 0.1 seconds each, which nothing else takes.
        self.assertGreater(row["waiting"], 0.6)
        self.assertLessEqual(row["waiting"], 1.0)
        self.assertLess(self.waiting(0.0)["waiting"], row["waiting"])


class TimedChoicesTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.enter_context(tempfile.TemporaryDirectory())
        self.path = pathlib.Path(folder) / "choices.json"

    def test_are_kept_for_the_same_subject(self):
        first = timed_choices.TimedChoices(self.path)
        self.assertEqual(first.get("a", "steps", lambda: 16), 16)
        again = timed_choices.TimedChoices(self.path)
        self.assertEqual(again.get("a", "steps", lambda: 1), 16)
        self.assertEqual(again.get("b", "steps", lambda: 1), 1)
        self.assertIsNone(again.find("a", "xla"))

    def test_a_broken_file_is_told(self):
        self.path.write_text("{")
        with self.assertRaisesRegex(ValueError, "Remove the file"):
            timed_choices.TimedChoices(self.path)


if __name__ == "__main__":
    absltest.main()
