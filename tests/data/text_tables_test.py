"""Tables of texts: what is read, and which line is wrong."""

import csv
import pathlib

import files_for_tests
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import input_specs
from tl_keras.data import fingerprint
from tl_keras.data import sources

TEXTS = [
    "a film, a 'play'",
    'he said "no" and left',
    "Größe – naïve 映画",
    "  two  spaces ",
    "one\nline\n\nmore",
    '"quoted"',
    "-1",
    "text",
]
LABELS = ["good", "bad"] * 4


class TablesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def write(self, name, *lines):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    def load(self, path, **options):
        options = {"validation_fraction": 0} | options
        form = options.pop("form", None) or path.suffix[1:]
        return sources.load(f"{form}:{path}", **options)

    def texts(self, data, split="train"):
        """The texts of a part in stored order."""
        batches = files_for_tests.batches(data.evaluation_batches(split))
        joined = np.concatenate([texts for texts, _ in batches])
        return [text.decode() for text in joined]

    def assert_refuses(self, words, path, error=ValueError, **options):
        with self.assertRaisesRegex(error, words):
            self.load(path, **options)


class TextsTest(TablesTest):
    def test_csv_is_what_the_csv_module_writes(self):
        path = self.root / "t.csv"
        with open(path, "w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "label", "text"])
            for index, row in enumerate(zip(LABELS, TEXTS, strict=True)):
                writer.writerow([index, *row])
        data = self.load(path)
        self.assertEqual(self.texts(data), TEXTS)
        self.assertEqual(data.class_names, ("bad", "good"))
        self.assertEqual(data.labels("train").tolist(), [1, 0] * 4)
        self.assertEqual(data.input_spec, input_specs.TextSpec())
        # The header is line 1, and the fifth text has four lines.
        lines = [2, 3, 4, 5, 6, 10, 11, 12]
        self.assertEqual(data.ids("train"), [f"{path}:{n}" for n in lines])

    def test_in_tsv_quotes_are_ordinary_characters(self):
        lines = ['"I came\tgood', 'I "saw"\tbad', '""\tgood', "it's\tbad"]
        data = self.load(self.write("t.tsv", "text\tlabel", *lines))
        self.assertEqual(self.texts(data), ['"I came', 'I "saw"', '""', "it's"])

    def test_batches_are_strings_and_integers(self):
        path = self.write("t.tsv", "text\tlabel", "a\t0", "b\t1", "c\t1")
        texts, labels = next(iter(self.load(path).train))
        self.assertEqual((texts.dtype.name, texts.shape), ("string", [3]))
        self.assertEqual((labels.dtype.name, labels.shape), ("int32", [3]))

    def test_line_ends_of_other_systems_are_not_in_the_text(self):
        path = self.root / "t.tsv"
        path.write_bytes(b"text\tlabel\r\na\tx\r\n\r\nb\ty\r\n")
        data = self.load(path)
        self.assertEqual(self.texts(data), ["a", "b"])
        self.assertEqual(data.class_names, ("x", "y"))

    def test_other_columns_may_be_named(self):
        path = self.write("t.tsv", "path\tkind\tnote", "-\tx\ta", "-\ty\tb")
        data = self.load(path, text_column="note", label_column="kind")
        self.assertEqual(self.texts(data), ["a", "b"])

    @parameterized.parameters(((1, 0),), (("1", "0"),))
    def test_without_a_header_columns_are_positions(self, columns):
        path = self.write("t.csv", 'ham,"Go, now"', "spam,WIN", "ham,Ok", "\n")
        text_column, label_column = columns
        data = self.load(
            path, text_column=text_column, label_column=label_column
        )
        self.assertEqual(self.texts(data), ["Go, now", "WIN", "Ok"])
        self.assertEqual(data.class_names, ("ham", "spam"))

    def test_a_split_column_makes_the_parts(self):
        lines = ["a\tx\ttrain", "b\ty\ttrain", "c\tx\tdev", "d\ty\ttest"]
        data = self.load(self.write("t.tsv", "text\tlabel\tsplit", *lines))
        self.assertEqual(
            data.num_examples, {"train": 2, "validation": 1, "test": 1}
        )
        self.assertEqual(self.texts(data, "validation"), ["c"])

    def test_the_fingerprint_is_that_of_the_text_in_utf_8(self):
        path = self.write("t.tsv", "text\tlabel", "ä\tx", "b\ty")
        first = self.load(path)
        digests = fingerprint.of_bytes(["ä".encode(), b"b"])
        np.testing.assert_array_equal(first.splits["train"].digests, digests)
        path = self.write("t.csv", "label,text", "x,ä", "y,b")
        self.assertEqual(first.fingerprint, self.load(path).fingerprint)


class FoldersTest(TablesTest):
    @parameterized.parameters("validation", "val", "valid", "dev")
    def test_the_parts_are_tables_of_a_folder(self, name):
        for form, comma in (("tsv", "\t"), ("csv", ",")):
            for part in ("train", name, "test"):
                lines = [f"{part} {n}{comma}{'xy'[n % 2]}" for n in range(4)]
                self.write(f"{form}/{part}.{form}", *lines)
            # Other files are left alone.
            self.write(f"{form}/README", "read me")
            self.write(f"{form}/.extra.{form}", "hidden")
            data = self.load(
                self.root / form, form=form, text_column=0, label_column=1
            )
            for split, part in (
                ("train", "train"),
                ("validation", name),
                ("test", "test"),
            ):
                expected = [f"{part} {n}" for n in range(4)]
                self.assertEqual(self.texts(data, split), expected)
            self.assertEndsWith(data.ids("test")[2], f"test.{form}:3")

    def test_tables_of_files_may_be_the_parts_too(self):
        for part in ("train", "dev"):
            for name in "ab":
                image = files_for_tests.random_images(6, 6, 3)
                path = self.root / "t" / "i" / f"{part}-{name}.png"
                files_for_tests.write_png(path, image)
            lines = [f"i/{part}-{name}.png,{name}" for name in "ab"]
            self.write(f"t/{part}.csv", "path,label", *lines)
        data = self.load(self.root / "t", form="csv")
        self.assertEqual(
            data.num_examples, {"train": 2, "validation": 2, "test": 0}
        )
        self.assertEqual(data.input_spec.kind, "image")

    @parameterized.parameters(
        (("tset", "train"), "tset.tsv is not expected in a folder of tables"),
        (("train", "val", "dev"), "val.tsv is not expected"),
        (("test", "dev"), r"no training part. Got.*'dev.tsv', 'test.tsv'"),
        ((), "no training part"),
    )
    def test_names_that_do_not_fit_are_refused(self, names, words):
        (self.root / "t" / "train.tsv.tsv").mkdir(parents=True)
        for name in names:
            self.write(f"t/{name}.tsv", "text\tlabel", "a\tx", "b\ty")
        self.assert_refuses(words, self.root / "t", form="tsv")

    def test_a_split_column_beside_the_name_is_refused(self):
        self.write("t/train.tsv", "text\tlabel\tsplit", "a\tx\ttrain")
        self.assert_refuses("has a column `split`", self.root / "t", form="tsv")

    def test_texts_and_paths_are_not_mixed(self):
        image = files_for_tests.random_images(6, 6, 3)
        files_for_tests.write_png(self.root / "t" / "1.png", image)
        self.write("t/train.tsv", "text\tlabel", "a\tx", "b\ty")
        self.write("t/test.tsv", "path\tlabel", "1.png\tx")
        self.assert_refuses(
            "One table.*train.tsv, .*test.tsv", self.root / "t", form="tsv"
        )

    def test_a_test_table_without_labels_is_left_out_with_a_warning(self):
        self.write("t/train.tsv", "text\tlabel", "a\tx", "b\ty")
        self.write("t/test.tsv", "text\tlabel", "a\t-1", "b\t-1")
        with self.assertWarnsRegex(UserWarning, "has no labels"):
            data = self.load(self.root / "t", form="tsv")
        self.assertIsNone(data.test)


class KindsOfFilesTest(TablesTest):
    def test_sound_files_are_sounds(self):
        for index in range(4):
            samples = files_for_tests.random_samples(50, seed=index)
            files_for_tests.write_wav(self.root / f"{index}.wav", samples, 8000)
        lines = [f"{index}.wav\t{'xy'[index % 2]}" for index in range(4)]
        data = self.load(self.write("t.tsv", "path\tlabel", *lines))
        self.assertEqual(data.input_spec.kind, "audio")
        self.assertEqual(data.input_spec.num_samples, 50)

    def test_text_files_are_texts(self):
        self.write("a.txt", "first")
        self.write("b.txt", "second")
        data = self.load(
            self.write("t.csv", "path,label", "a.txt,x", "b.txt,y")
        )
        self.assertEqual(self.texts(data), ["first\n", "second\n"])

    def test_two_kinds_are_refused_with_a_file_of_each(self):
        files_for_tests.write_png(
            self.root / "a.png", files_for_tests.random_images(6, 6, 3)
        )
        files_for_tests.write_wav(
            self.root / "b.wav", files_for_tests.random_samples(50), 8000
        )
        path = self.write("t.csv", "path,label", "a.png,x", "b.wav,y")
        self.assert_refuses(
            "mixes kinds.*an image, .*a.png, a sound file, .*b.wav", path
        )


class ErrorsTest(TablesTest):
    def test_what_is_not_utf_8_is_named_with_its_line(self):
        path = self.root / "t.tsv"
        path.write_bytes(
            "text\tlabel\na\tx\ngr\u00fc\u00df\ty\n".encode("latin1")
        )
        self.assert_refuses("t.tsv, line 3: byte 0xfc is not UTF-8", path)

    def test_utf_16_is_named(self):
        path = self.root / "t.tsv"
        path.write_text("text\tlabel\n", encoding="utf-16")
        self.assert_refuses("byte 0xff is not UTF-8.*-f UTF-16", path)

    def test_an_empty_text_is_named_with_its_line(self):
        path = self.write("t.tsv", "text\tlabel", "a\tx", "  \ty")
        self.assert_refuses("t.tsv, line 3: the text is empty", path)

    def test_a_missing_label_is_named_with_its_line(self):
        path = self.write("t.tsv", "text\tlabel", "a\tx", "b", "c\ty")
        self.assert_refuses("t.tsv, line 3: there is no label", path)

    def test_a_text_with_a_comma_that_is_not_quoted_is_named(self):
        path = self.write("t.csv", "text,label", "a,x", "b, c,y")
        self.assert_refuses("line 3: 3 cells. Expected 2.*double quotes", path)

    def test_a_quote_that_is_never_closed_is_named(self):
        path = self.write("t.csv", "text,label", "a,x", '"b,y', "c,y")
        self.assert_refuses("line 3 cannot be read.*quotes", path)

    def test_a_text_that_is_too_long_for_the_csv_module_is_named(self):
        path = self.write("t.tsv", "text\tlabel", "a\tx", "b" * 140_000 + "\ty")
        self.assert_refuses("line 3 cannot be read.*field_size_limit", path)

    def test_unknown_columns_are_listed_with_a_way_out(self):
        path = self.write("t.tsv", "texts\tlabel", "a\tx")
        self.assert_refuses(
            r"no column `text`. Got the columns: \['texts', 'label'\].*"
            "text_column=0, label_column=1.*Did you mean 'texts'",
            path,
        )

    def test_a_long_first_line_is_not_listed_whole(self):
        path = self.write("t.tsv", "b" * 500 + "\t1", "a\t0")
        with self.assertRaises(ValueError) as caught:
            self.load(path)
        self.assertLess(len(str(caught.exception)), 600)

    def test_a_column_that_comes_twice_is_named(self):
        path = self.write("t.tsv", "text\tlabel\tlabel", "a\tx\ty")
        self.assert_refuses("several columns `label`", path)

    def test_a_position_beyond_the_last_column_is_named(self):
        path = self.write("t.csv", "a\tx", "b\ty")
        self.assert_refuses(
            "`label_column` is beyond the last.*Got: 1. Expected.*0 to 0",
            path,
            text_column=0,
            label_column=1,
        )

    def test_a_header_is_not_taken_for_an_example(self):
        path = self.write("t.tsv", "sentence\tlabel", *["a\tx", "b\ty"] * 2)
        self.assert_refuses(
            "looks like a header: its label, 'label'",
            path,
            text_column=0,
            label_column=1,
        )

    def test_an_empty_table_is_named(self):
        path = self.root / "t.tsv"
        path.write_text("")
        self.assert_refuses("t.tsv is empty", path)
        path = self.write("t.tsv", "text\tlabel")
        self.assert_refuses("lists no training examples", path)

    @parameterized.parameters(
        ({"text_column": 0}, ValueError, "two positions. Got: 0 and 'label'"),
        ({"text_column": "label"}, ValueError, "the same. Got twice: 'label'"),
        ({"text_column": 1.0, "label_column": 0}, TypeError, "text_column"),
        ({"text_column": True, "label_column": 0}, TypeError, "text_column"),
        ({"text_column": -1, "label_column": 0}, ValueError, "text_column"),
        ({"text_column": None}, TypeError, "text_column"),
        ({"text_column": "body"}, ValueError, "no column `body`"),
        ({"image_size": 8}, ValueError, "`image_size` is for data of kind im"),
        ({"keep_aspect_ratio": True}, ValueError, "`keep_aspect_ratio` is for"),
        ({"channels": 1}, ValueError, "`channels` is for .*image or audio"),
        ({"sample_rate": 8000}, ValueError, "`sample_rate` is for .*audio"),
        ({"seconds": 1.0}, ValueError, "`seconds` is for data of kind audio"),
    )
    def test_arguments_that_do_not_fit_are_refused(self, options, error, words):
        path = self.write("t.tsv", "text\tlabel", "a\tx", "b\ty")
        self.assert_refuses(words, path, error, **options)

    def test_a_column_of_texts_is_not_that_of_files(self):
        files_for_tests.write_png(
            self.root / "a.png", files_for_tests.random_images(6, 6, 3)
        )
        path = self.write("t.csv", "path,label", "a.png,x")
        self.assert_refuses("no column `words`", path, text_column="words")


if __name__ == "__main__":
    absltest.main()
