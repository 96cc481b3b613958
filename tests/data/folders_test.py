"""Class folders: what is read, what is left, what is an error."""

import os
import pathlib

import files_for_tests
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import input_specs
from tl_keras.data import sources

REAL = pathlib.Path(
    os.environ.get("TL_KERAS_DATA")
    or pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
)


class FoldersTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.root = pathlib.Path(self.create_tempdir().full_path)

    def write(self, *folders, per_class=4):
        written = {}
        for number, folder in enumerate(folders):
            written |= files_for_tests.write_class_folders(
                self.root / folder, ("cat", "dog"), per_class, seed=9 * number
            )
        return written

    def load(self, **options):
        return sources.load(f"folder:{self.root}", **options)

    def assert_refuses(self, words, **options):
        with self.assertRaisesRegex(ValueError, words):
            self.load(**options)


class ColumnsTest(FoldersTest):
    def test_folders_within_a_class_are_a_column(self):
        for patient in ("anna", "ben"):
            for name in ("cat", "dog"):
                files_for_tests.write_class_folders(
                    self.root / name, (patient,), 2, seed=len(patient)
                )
        data = self.load(validation_fraction=0)
        found = dict(
            zip(data.ids("train"), data.columns("train")["folder"], strict=True)
        )
        self.assertLen(found, 8)
        for path, folder in found.items():
            self.assertEqual(pathlib.Path(path).parent.name, folder)

    def test_without_them_there_are_none(self):
        self.write("")
        self.assertEqual(self.load().columns("train"), {})


class LevelsTest(FoldersTest):
    def test_without_a_split_level_all_is_for_training(self):
        written = self.write("")
        data = self.load(validation_fraction=0.25)
        self.assertEqual(
            data.num_examples, {"train": 6, "validation": 2, "test": 0}
        )
        self.assertEqual(data.class_names, ("cat", "dog"))
        self.assertIsNone(data.test)
        ids = data.ids("train") + data.ids("validation")
        self.assertEqual(sorted(ids), sorted(written))

    @parameterized.parameters("val", "valid", "validation", "dev")
    def test_with_a_split_level_its_folders_are_the_parts(self, name):
        written = self.write("train", name, "test")
        data = self.load()
        self.assertEqual(
            data.num_examples, {"train": 8, "validation": 8, "test": 8}
        )
        ((images, labels),) = files_for_tests.batches(data.validation)
        for image, label, path in zip(
            images, labels, data.ids("validation"), strict=True
        ):
            np.testing.assert_array_equal(image, written[path])
            self.assertIn(f"{name}/{data.class_names[label]}/", path)

    def test_a_test_part_is_never_made(self):
        self.write("train")
        data = self.load()
        self.assertIsNone(data.test)
        self.assertEqual(data.num_examples["validation"], 2)

    def test_images_may_lie_deeper(self):
        self.write("", per_class=2)
        image = files_for_tests.random_images(6, 6, 3)
        deep = self.root / "cat" / "2024" / "may" / "x.png"
        files_for_tests.write_png(deep, image)
        data = self.load(validation_fraction=0)
        self.assertIn(str(deep), data.ids("train"))

    def test_a_name_that_ends_otherwise_is_an_image_by_its_content(self):
        self.write("")
        (self.root / "cat" / "000.png").rename(self.root / "cat" / "photo")
        data = self.load(validation_fraction=0)
        self.assertIn(str(self.root / "cat" / "photo"), data.ids("train"))


class LeftAloneTest(FoldersTest):
    def test_hidden_files_and_folders(self):
        self.write("")
        for hidden in (
            ".DS_Store",
            "cat/.DS_Store",
            "cat/Thumbs.db",
            "dog/desktop.ini",
            ".git/config",
            "__MACOSX/cat/._1.png",
            "cat/.thumbnails/1.png",
        ):
            path = self.root / hidden
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"hidden")
        data = self.load(validation_fraction=0)
        self.assertEqual(data.num_examples["train"], 8)
        self.assertEqual(data.class_names, ("cat", "dog"))

    def test_a_licence_beside_class_folders(self):
        self.write("")
        (self.root / "LICENSE.txt").write_text("CC BY")
        self.assertEqual(self.load().num_examples["train"], 6)


class ErrorsTest(FoldersTest):
    def test_what_is_no_example_is_named(self):
        self.write("")
        (self.root / "cat" / "notes.pdf").write_text("notes")
        self.assert_refuses("cat/notes.pdf is no image.*WAV.*Remove it")

    def test_a_text_that_calls_itself_an_image_is_named(self):
        self.write("")
        (self.root / "dog" / "001.png").write_text("no image")
        self.assert_refuses("dog/001.png cannot be decoded", image_size=8)

    def test_an_empty_file_is_named(self):
        self.write("")
        (self.root / "cat" / "000.png").write_bytes(b"")
        self.assert_refuses("cat/000.png cannot be decoded")

    def test_an_image_without_a_class_is_named(self):
        self.write("")
        (self.root / "cat" / "000.png").rename(self.root / "lost.png")
        self.assert_refuses("lost.png belongs to no class")

    def test_an_empty_class_is_named(self):
        self.write("")
        (self.root / "cow").mkdir()
        self.assert_refuses("class folder .*cow is empty")

    def test_a_single_class_is_too_few(self):
        files_for_tests.write_class_folders(self.root, ("cat",), 3)
        self.assert_refuses(r"too few classes. Got: \['cat'\]")

    def test_no_classes_at_all(self):
        self.assert_refuses("has no class folders")

    def test_a_class_that_is_not_in_the_training_part_is_named(self):
        self.write("train", "val")
        (self.root / "val" / "dog").rename(self.root / "val" / "dogs")
        self.assert_refuses("val/dogs is no class.*Did you mean 'dog'")

    def test_a_split_level_without_train(self):
        self.write("val", "test")
        self.assert_refuses("no training part.*'test', 'val'")

    def test_an_unknown_folder_beside_train(self):
        self.write("train", "val", "tset")
        self.assert_refuses("tset is not expected beside .*train")

    def test_validation_images_without_a_class_are_named(self):
        self.write("train")
        image = files_for_tests.random_images(6, 6, 3)
        files_for_tests.write_png(self.root / "val" / "1.png", image)
        self.assert_refuses("val/1.png belongs to no class")

    def test_two_validation_parts(self):
        self.write("train", "val", "valid")
        self.assert_refuses("valid is not expected")

    def test_a_class_with_one_image_cannot_be_divided(self):
        self.write("", per_class=1)
        self.assert_refuses("Class 'cat' has 1 training.*validation_fraction=0")

    def test_a_test_part_without_labels_is_left_out_with_a_warning(self):
        self.write("train")
        image = files_for_tests.random_images(6, 6, 3)
        files_for_tests.write_png(self.root / "test" / "1.png", image)
        with self.assertWarnsRegex(UserWarning, "test.* has no labels"):
            data = self.load()
        self.assertIsNone(data.test)


class KindsTest(FoldersTest):
    def write_texts(self, folder, per_class=3):
        written = {}
        for name in ("bad", "good"):
            for number in range(per_class):
                text = f"a {name} film, nr. {number}\n"
                path = self.root / folder / name / f"{number}.txt"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                written[str(path)] = text
        return written

    def test_texts_are_read_whole(self):
        written = self.write_texts("")
        odd = self.root / "good" / "Ä.TXT"
        odd.write_bytes("\ufeffGrüße,\n„Maß“".encode())
        written[str(odd)] = "Grüße,\n„Maß“"
        data = self.load(validation_fraction=0)
        ((texts, labels),) = files_for_tests.batches(
            data.evaluation_batches("train")
        )
        self.assertEqual(
            dict(zip(data.ids("train"), map(bytes.decode, texts), strict=True)),
            written,
        )
        self.assertEqual(labels.tolist(), [0] * 3 + [1] * 4)
        self.assertEqual(data.input_spec, input_specs.TextSpec())

    def test_a_licence_beside_texts_is_left_alone(self):
        self.write_texts("train")
        (self.root / "README.txt").write_text("read me")
        (self.root / "train" / "LICENSE.txt").write_text("CC BY")
        data = self.load(validation_fraction=0)
        self.assertEqual(data.num_examples["train"], 6)

    def test_what_is_not_utf_8_is_named_with_its_line(self):
        self.write_texts("")
        path = self.root / "bad" / "1.txt"
        path.write_bytes(b"first\nse\xe9cond")
        self.assert_refuses("bad/1.txt, line 2: byte 0xe9 is not.*iconv")

    def test_an_empty_text_is_named(self):
        self.write_texts("")
        (self.root / "bad" / "1.txt").write_text(" \n")
        self.assert_refuses("bad/1.txt: the text is empty")

    def test_sounds_are_read(self):
        waves = np.arange(12, dtype=np.int16).reshape(6, 2) * 1000
        for index, wave in enumerate(waves):
            path = self.root / "ab"[index % 2] / f"{index}.wav"
            files_for_tests.write_wav(path, wave, 8000)
        # By its content.
        (self.root / "b" / "5.wav").rename(self.root / "b" / "5")
        data = self.load(validation_fraction=0)
        ((clips, labels),) = files_for_tests.batches(
            data.evaluation_batches("train")
        )
        expected = waves[[0, 2, 4, 1, 3, 5]] / np.float32(32768)
        order = [int(pathlib.Path(id_).stem) for id_ in data.ids("train")]
        self.assertEqual(order, [0, 2, 4, 1, 3, 5])
        np.testing.assert_array_equal(clips, expected)
        self.assertEqual(labels.tolist(), [0] * 3 + [1] * 3)

    @parameterized.parameters(
        ("train/cat/notes.txt", b"notes", "an image, .*png, a text, .*notes"),
        ("test/dog/x.wav", b"RIFF", "an image, .*png, a sound file, .*x.wav"),
        ("test/dog/x", b"fLaC", "an image, .*png, a sound file, .*x"),
    )
    def test_two_kinds_are_refused_with_a_file_of_each(
        self, name, content, words
    ):
        self.write("train", "test")
        (self.root / name).write_bytes(content)
        self.assert_refuses(f"mixes kinds of files. Got: {words}")

    def test_what_is_no_example_is_noted_where_that_is_asked_for(self):
        self.write("train", "test")
        (self.root / "train/cat/notes.txt").write_bytes(b"notes")
        (self.root / "test/dog/letter.doc").write_bytes(b"letter")
        refused = {}
        source = sources.read(f"folder:{self.root}", refused=refused)
        self.assertLen(source.train, 8)
        self.assertLen(source.test, 8)
        self.assertEqual(
            {pathlib.Path(path).name: said for path, said in refused.items()},
            {
                "notes.txt": "is of kind text, and most are of image",
                "letter.doc": "is of kind unknown, and most are of image",
            },
        )

    def test_a_text_that_cannot_be_read_is_noted_too(self):
        for name in ("a/1.txt", "a/2.txt", "b/3.txt", "b/4.txt"):
            path = self.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"\xff" if "4" in name else b"words")
        refused = {}
        source = sources.read(f"folder:{self.root}", refused=refused)
        self.assertLen(source.train, 3)
        [said] = refused.values()
        self.assertIn("not UTF-8", said)


@absltest.skipUnless(
    (REAL / "images" / "flowers_small").is_dir(), f"no real data in {REAL}"
)
class FlowersTest(absltest.TestCase):
    def test_real_photographs_are_read(self):
        data = sources.load(
            f"folder:{REAL / 'images' / 'flowers_small'}", image_size=32
        )
        self.assertEqual(
            data.num_examples, {"train": 600, "validation": 200, "test": 0}
        )
        self.assertEqual(
            np.bincount(data.labels("validation")).tolist(), [40] * 5
        )


if __name__ == "__main__":
    absltest.main()
