"""One plan trained again and again, without seeing what it is tested on."""

import dataclasses
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest

import tl_keras
from tl_keras import evaluation
from tl_keras.evaluation import repeats
from tl_keras.evaluation import temperature
from tl_keras.training import fit as training
from tl_keras.training.training_model import TrainingModel
from tl_keras.tuning import Phase
from tl_keras.tuning import Plan


def some_data(labels=None, images=None):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2 if labels is None else labels
    if images is None:
        images = rng.integers(0, 200, (60, 16, 16, 3))
        images = (images + 50 * labels[:, None, None, None]).astype("uint8")
    return tl_keras.data.from_arrays(
        train=(images, labels),
        validation=False,
        test=(images[:20], labels[:20]),
        batch_size=16,
    )


def some_model(seed=0):
    return tl_keras.build(
        tl_keras.encoders.load("tiny", 16),
        tl_keras.heads.Classifier(num_classes=2, hidden_units=(4,)),
        seed=seed,
    )


class RepeatsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = tempfile.TemporaryDirectory()
        cls.settings = repeats.Settings(
            prefix_cache=tl_keras.PrefixCache(folder=cls.folder.name)
        )
        cls.plan = Plan(
            "probe",
            [Phase(name="head", train="head", epochs=3, learning_rate=0.01)],
        )
        cls.model, cls.data = some_model(), some_data()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()
        super().tearDownClass()

    def cross_validate(self, data=None, **options):
        options = {"folds": 3, "settings": self.settings, **options}
        return evaluation.cross_validate(
            self.model, data or self.data, self.plan, **options
        )

    def as_images(self, data):
        """The same parts of the data, read as images."""
        positions = {
            name: index for index, name in enumerate(self.data.ids("train"))
        }
        examples = self.data.splits["train"]
        return dataclasses.replace(
            data,
            splits={
                split: repeats._chosen(
                    examples,
                    np.array([positions[name] for name in data.ids(split)]),
                )
                for split in data.splits
            },
        )

    def test_gives_the_scores_of_models_built_and_fitted_one_by_one(self):
        found = self.cross_validate(seeds=2, validation_fraction=0.25)
        self.assertLen(found.trials, 6)
        self.assertEqual(found.num_examples, 60)
        seen = mock.create_autospec(training.fit, side_effect=ZeroDivisionError)
        with mock.patch.object(repeats.training, "fit", seen):
            with self.assertRaises(ZeroDivisionError):
                self.cross_validate(validation_fraction=0.25)
        given = self.as_images(seen.call_args.args[1])
        model = some_model(seed=1)
        tl_keras.fit(
            model, given, self.plan, seed=1, prefix_cache="never", verbose=0
        )
        chosen = temperature.calibrate(model, given.validation)
        trained = set(given.ids("train")) | set(given.ids("validation"))
        positions = [
            index
            for index, name in enumerate(self.data.ids("train"))
            if name not in trained
        ]
        images = np.concatenate(
            [batch for batch, _ in self.data.evaluation_batches("train")]
        )[positions]
        expected = evaluation.from_predictions(
            temperature.predictions.softmax(model.predict(images, verbose=0)),
            self.data.labels("train")[positions],
        )
        self.assertEqual(found.trials[1]["num_test"], len(positions))
        self.assertAlmostEqual(
            found.trials[1]["temperature"], chosen.temperature, places=3
        )
        for name in ("accuracy", "log_loss", "macro_f1"):
            self.assertAlmostEqual(
                found.trials[1][name], getattr(expected, name), places=4
            )

    def test_nothing_of_the_fold_reaches_weights_or_temperature(self):
        def trained(data):
            """Weights after the first fold, and its temperature."""
            weights = []
            fit = training.fit

            def keep(model, *args, **options):
                result = fit(model, *args, **options)
                weights.append(model.get_weights())
                return result

            with mock.patch.object(repeats.training, "fit", keep):
                found = self.cross_validate(data, validation_fraction=0.25)
            return weights[0], found.trials[0]

        with mock.patch.object(
            repeats.training, "fit", side_effect=ZeroDivisionError
        ) as fit:
            with self.assertRaises(ZeroDivisionError):
                self.cross_validate(validation_fraction=0.25)
        given = fit.call_args.args[1]
        kept = [*given.ids("train"), *given.ids("validation")]
        fold = np.array([name not in kept for name in self.data.ids("train")])
        self.assertEqual(fold.sum(), 20)
        # The fold's images are noise now, which no training may notice.
        pixels = self.data.splits["train"].inputs.values.numpy().copy()
        pixels[fold] = np.random.default_rng(1).integers(
            0, 256, pixels[fold].shape
        )
        before, first = trained(self.data)
        after, second = trained(some_data(images=pixels))
        for one, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(one, other)
        self.assertEqual(first["temperature"], second["temperature"])
        self.assertNotEqual(first["log_loss"], second["log_loss"])

    def test_one_compiled_model_and_one_prefix_pass_serve_all(self):
        self.cross_validate()
        with mock.patch.object(
            TrainingModel,
            "compile",
            autospec=True,
            side_effect=TrainingModel.compile,
        ) as compiles:
            found = self.cross_validate(repeats=2)
        compiles.assert_called_once()
        self.assertEqual(found.prefix_seconds, 0.0)
        self.assertLen(found.trials, 6)

    def test_the_model_is_as_it_was(self):
        before = self.model.get_weights()
        self.cross_validate()
        for one, other in zip(before, self.model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)

    def test_random_labels_score_as_guessing_does(self):
        rng = np.random.default_rng(0)
        labels = rng.permutation(np.arange(60) % 2)
        data = some_data(labels, rng.integers(0, 256, (60, 16, 16, 3), "uint8"))
        found = self.cross_validate(data, repeats=2)
        self.assertBetween(found.metrics["accuracy"]["mean"], 0.3, 0.7)

    def test_a_phase_of_the_encoder_runs_without_kept_outputs(self):
        plan = Plan("full", [Phase(name="all", train="all", epochs=1)])
        found = evaluation.over_splits(
            self.model, self.data, plan, splits=2, settings=self.settings
        )
        self.assertEqual(found.prefix_seconds, 0.0)
        self.assertLen(found.trials, 2)

    def test_seeds_are_told_on_the_test_part(self):
        data = dataclasses.replace(
            self.data,
            splits={**self.data.splits, "validation": self.data.splits["test"]},
        )
        found = evaluation.over_seeds(
            self.model, data, self.plan, seeds=3, settings=self.settings
        )
        self.assertEqual(found.trials[0]["num_test"], 20)
        self.assertLen({trial["log_loss"] for trial in found.trials}, 3)
        self.assertIsNotNone(found.metrics["accuracy"]["interval"])

    def test_a_validation_part_that_would_be_lost_is_refused(self):
        data = dataclasses.replace(
            self.data,
            splits={**self.data.splits, "validation": self.data.splits["test"]},
        )
        with self.assertRaisesRegex(ValueError, "validation_fraction=0"):
            self.cross_validate(data)
        with self.assertRaisesRegex(ValueError, "group_column"):
            self.cross_validate(group_column="patient")


if __name__ == "__main__":
    absltest.main()
