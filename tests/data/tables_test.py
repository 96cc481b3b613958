"""Tables of files: what is read, and which line is wrong."""

import pathlib

import files_for_tests
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import sources


class TablesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)
        self.images = files_for_tests.random_images(8, 6, 6, 3)
        for number, image in enumerate(self.images):
            files_for_tests.write_png(self.root / "i" / f"{number}.png", image)

    def load(self, labels, splits=None, header=None, **options):
        lines = [header or ("path,label" + (",split" if splits else ""))]
        for number, label in enumerate(labels):
            split = f",{splits[number]}" if splits else ""
            lines.append(f"i/{number}.png,{label}{split}")
        table = self.root / "table.csv"
        table.write_text("\n".join(lines) + "\n")
        options = {"validation_fraction": 0} | options
        return sources.load(f"csv:{table}", **options)

    def assert_refuses(self, words, *args, **options):
        with self.assertRaisesRegex(ValueError, words):
            self.load(*args, **options)

    def test_paths_are_relative_to_the_table(self):
        data = self.load(["b", "a"] * 4)
        self.assertEqual(data.class_names, ("a", "b"))
        self.assertEqual(data.labels("train").tolist(), [1, 0] * 4)
        ((images, _),) = files_for_tests.batches(
            data.evaluation_batches("train")
        )
        np.testing.assert_array_equal(images, self.images)

    def test_numbers_are_sorted_as_numbers(self):
        data = self.load([10, 9, 2, 10, 9, 2, 2, 2])
        self.assertEqual(data.class_names, ("2", "9", "10"))
        self.assertEqual(data.labels("train")[:3].tolist(), [2, 1, 0])

    def test_a_split_column_makes_the_parts(self):
        splits = ["train"] * 4 + ["val", "valid", "validation", "test"]
        data = self.load(["a", "b"] * 4, splits)
        self.assertEqual(
            data.num_examples, {"train": 4, "validation": 3, "test": 1}
        )

    def test_validation_is_split_off_where_there_is_none(self):
        data = self.load(["a", "b"] * 4, validation_fraction=0.25)
        self.assertEqual(data.num_examples["validation"], 2)

    def test_other_columns_are_kept_beside(self):
        header = "path,label,photographer"
        data = self.load(
            ["a,Ann", "b,Bea"] * 4, header=header, validation_fraction=0.25
        )
        self.assertEqual(data.class_names, ("a", "b"))
        for split in ("train", "validation"):
            labels = data.labels(split)
            self.assertEqual(
                data.columns(split)["photographer"].tolist(),
                [("Ann", "Bea")[label] for label in labels],
            )

    @parameterized.parameters("", "-1", "-1.0")
    def test_a_test_part_without_labels_is_left_out_with_a_warning(self, label):
        splits = ["train"] * 6 + ["test"] * 2
        with self.assertWarnsRegex(UserWarning, "table.csv.* has no labels"):
            data = self.load(["a", "b"] * 3 + [label] * 2, splits)
        self.assertIsNone(data.test)

    def test_a_missing_label_is_named_by_line(self):
        # The header is line 1.
        self.assert_refuses("line 4: there is no label", ["a", "b", "", "a"])

    def test_a_test_label_that_is_missing_among_others_is_named(self):
        splits = ["train"] * 2 + ["test"] * 2
        self.assert_refuses(
            "line 5: there is no label", ["a", "b", "a", ""], splits
        )

    def test_an_unknown_test_label_is_named(self):
        self.assert_refuses(
            "line 4: label 'rosse'.*Did you mean 'rose'",
            ["rose", "lily", "rosse"],
            ["train", "train", "test"],
        )

    def test_one_number_has_one_spelling(self):
        self.assert_refuses(
            "line 4: label '1.0' is the number that .* line 3 writes as '1'",
            ["0", "1", "1.0"],
        )
        data = self.load(["10.0", "2.0", "10.0", "2.0"])
        self.assertEqual(data.class_names, ("2.0", "10.0"))

    @parameterized.parameters("nan", "1.5", "inf", "1_0")
    def test_numbers_that_are_not_whole_are_named(self, label):
        self.assert_refuses(
            f"line 4: label '{label}' is no whole number", [0, 1, label]
        )

    def test_an_unknown_split_is_named(self):
        self.assert_refuses(
            "line 3: split.*Got: 'tset'.*Did you mean 'test'",
            ["a", "b"],
            ["train", "tset"],
        )

    def test_a_missing_column_is_named(self):
        self.assert_refuses(
            "no column `label`.*'path', 'labels'.*Did you mean 'labels'",
            ["a"],
            header="path,labels",
        )

    def test_a_missing_image_is_named(self):
        with self.assertRaisesRegex(FileNotFoundError, r"line 10: .*i/8.png"):
            self.load(["a", "b"] * 4 + ["a"])

    def test_an_image_that_cannot_be_decoded_is_named(self):
        (self.root / "i" / "3.png").write_bytes(b"no image")
        self.assert_refuses("i/3.png cannot be decoded", ["a", "b"] * 4)

    def test_no_training_rows(self):
        self.assert_refuses("lists no training examples", ["a"], ["test"])
        self.assert_refuses("lists no training examples", [])


if __name__ == "__main__":
    absltest.main()
