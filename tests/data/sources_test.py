"""`load` finds sources by name and makes the user's choices."""

import dataclasses
import inspect
import os
import pathlib
import subprocess
import sys

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized
from sklearn import datasets

import tl_keras
from tl_keras.data import choices
from tl_keras.data import sources


class DigitsTest(absltest.TestCase):
    def test_are_scikit_learns_on_the_scale_0_to_255(self):
        data = sources.load("digits", channels=1)
        bunch = datasets.load_digits()
        index = [int(name) for name in data.ids("test")]
        images = np.concatenate([images for images, _ in data.test])
        expected = np.rint(bunch.images[index] * 255 / 16)
        np.testing.assert_array_equal(images[..., 0], expected)
        np.testing.assert_array_equal(data.labels("test"), bunch.target[index])
        self.assertEqual(data.input_spec.shape, (8, 8, 1))

    def test_have_the_same_test_part_whatever_the_seed(self):
        first, second = (sources.load("digits", seed=seed) for seed in (0, 1))
        self.assertEqual(first.ids("test"), second.ids("test"))
        self.assertNotEqual(first.ids("validation"), second.ids("validation"))
        # A fifth of each class.
        counts = np.bincount(datasets.load_digits().target)
        np.testing.assert_allclose(
            np.bincount(first.labels("test")), counts / 5, atol=1
        )

    def test_leak_nothing_between_the_parts(self):
        data = sources.load("digits")
        parts = [set(data.ids(split)) for split in data.splits]
        self.assertLen(set.union(*parts), 1797)
        self.assertEqual(sum(map(len, parts)), 1797)


class ChoicesTest(parameterized.TestCase):
    def test_validation_is_a_stratified_part_of_the_training_part(self):
        data = sources.load("digits", validation_fraction=0.25)
        labels = np.concatenate(
            [data.labels("train"), data.labels("validation")]
        )
        np.testing.assert_allclose(
            np.bincount(data.labels("validation")),
            np.bincount(labels) / 4,
            atol=1,
        )

    def test_no_validation_if_none_is_wanted(self):
        data = sources.load("digits", validation_fraction=0)
        self.assertIsNone(data.validation)

    def test_train_examples_are_taken_after_the_validation_part(self):
        everything = sources.load("digits")
        few = sources.load("digits", train_examples=100)
        self.assertEqual(few.num_examples["train"], 100)
        self.assertEqual(np.bincount(few.labels("train")).tolist(), [10] * 10)
        self.assertEqual(everything.ids("validation"), few.ids("validation"))
        self.assertEqual(everything.ids("test"), few.ids("test"))

    def test_image_size_and_channels_are_those_asked_for(self):
        data = sources.load("digits", image_size=12, channels=4)
        images, _ = next(iter(data.train))
        self.assertEqual(images.shape[1:].as_list(), [12, 12, 4])

    @parameterized.parameters(
        ({"image_size": 0}, ValueError),
        ({"image_size": "96"}, TypeError),
        ({"batch_size": 0}, ValueError),
        ({"seed": -1}, ValueError),
        ({"seed": 2**32}, ValueError),
        ({"channels": 2}, ValueError),
        ({"validation_fraction": 1.0}, ValueError),
        ({"train_examples": 9}, ValueError),
        ({"train_examples": 1798}, ValueError),
        ({"keep_aspect_ratio": "yes"}, TypeError),
        ({"cache": "always"}, ValueError),
        ({"sample_rate": 8000}, ValueError),
        ({"sample_rate": "8k"}, TypeError),
        ({"seconds": 1.0}, ValueError),
        ({"seconds": 0.0}, ValueError),
        ({"text_column": "body"}, ValueError),
        ({"label_column": "kind"}, ValueError),
        ({"data_dir": "/somewhere"}, ValueError),
    )
    def test_wrong_arguments_are_named(self, options, error):
        (name,) = options
        with self.assertRaisesRegex(error, f"`{name}`"):
            sources.load("digits", **options)


class TwoStepsTest(absltest.TestCase):
    def test_give_what_one_gives(self):
        options = {"image_size": 12, "seed": 3, "train_examples": 50}
        source = sources.read("digits")
        self.assertEqual(source.kind, "image")
        first = sources.prepare(source, **options)
        second = sources.load("digits", **options)
        self.assertEqual(first.fingerprint, second.fingerprint)
        self.assertEqual(first.input_spec, second.input_spec)
        self.assertEqual(first.input_spec.channels, 3)

    def test_have_the_same_defaults(self):
        defaults = {
            field.name: field.default
            for field in dataclasses.fields(choices.Choices)
        }
        of_read = inspect.signature(sources.read).parameters
        for name, parameter in inspect.signature(
            sources.load
        ).parameters.items():
            if name != "name":
                other = of_read.get(name)
                default = other.default if other else defaults.pop(name)
                self.assertEqual(parameter.default, default, name)
        self.assertEmpty(defaults)

    def test_wrong_arguments_answer_before_anything_is_read(self):
        for options in (
            {"seconds": -1},
            {"sample_rate": 0},
            {"text_column": 0},
            {"cache": "always"},
        ):
            (name,) = options
            with self.assertRaisesRegex(ValueError, name):
                sources.load("csv:nowhere", **options)


class NamesTest(parameterized.TestCase):
    def test_a_prefix_is_proposed(self):
        with self.assertRaisesRegex(ValueError, "Did you mean 'folder'"):
            sources.load("floder:/photos")

    @parameterized.parameters(
        ("digts", "Did you mean 'digits'"), ("cifar11", "Did you mean 'cifar1")
    )
    def test_a_name_is_proposed(self, name, words):
        with self.assertRaisesRegex(ValueError, words):
            sources.load(name)

    @parameterized.parameters(
        "folder:nowhere", "csv:nowhere", "tsv:nowhere", "npz:nowhere"
    )
    def test_a_path_without_anything_is_named(self, name):
        with self.assertRaisesRegex(FileNotFoundError, "nowhere"):
            sources.load(name)


class ImportsTest(absltest.TestCase):
    def test_nothing_heavy_is_imported_before_work_starts(self):
        code = (
            "import sys, tl_keras.data, tl_keras.data.sources\n"
            "import tl_keras.data.augmentation, tl_keras.data.folders\n"
            "import tl_keras.data.arrays, tl_keras.data.tables\n"
            "import tl_keras.data.digits, tl_keras.data.archives\n"
            "tl_keras.data.load, tl_keras.data.Augmentation\n"
            "heavy = {'tensorflow', 'sklearn', 'tensorflow_datasets',\n"
            "         'soundfile'}\n"
            "print(sorted(heavy & set(sys.modules)))\n"
        )
        root = pathlib.Path(tl_keras.__file__).parents[1]
        result = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(root)},
        )
        self.assertEqual(result.stdout.strip(), "[]")


if __name__ == "__main__":
    absltest.main()
