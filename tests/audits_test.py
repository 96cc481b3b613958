"""Tests of the audit as a whole: what was planted is found."""

import html.parser
import json
import pathlib

import numpy as np
import pictures_for_tests
import PIL.Image
from absl.testing import absltest

import tl_keras
from tl_keras import audits
from tl_keras.data import exclusion
from tl_keras.training.prefix_settings import PrefixCache

COPIES = (
    pictures_for_tests.flipped,
    pictures_for_tests.recompressed,
    pictures_for_tests.cropped,
)


def pairs_within(groups):
    return {
        (a, b) for g in groups for a in g.indices for b in g.indices if a < b
    }


class PictureAddresses(html.parser.HTMLParser):
    """Collects what a page asks for."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [v for k, v in attrs if k in ("src", "href")]


class PlantedCopiesTest(absltest.TestCase):
    def test_are_found_and_little_else_is(self):
        originals = pictures_for_tests.pictures(120)
        copies = [copy(p) for copy in COPIES for p in originals[:30]]
        planted = {
            (source, 120 + 30 * number + source)
            for number in range(3)
            for source in range(30)
        }
        # Copies of one picture are copies of each other.
        planted |= {
            (120 + 30 * a + source, 120 + 30 * b + source)
            for a in range(3)
            for b in range(a + 1, 3)
            for source in range(30)
        }
        images = np.concatenate([originals, np.stack(copies)])
        labels = np.arange(len(images)) % 2
        data = tl_keras.data.from_arrays((images, labels), validation=False)
        found = pairs_within(tl_keras.audit(data, verbose=0).duplicates)
        self.assertGreaterEqual(len(found & planted) / len(planted), 0.95)
        self.assertGreaterEqual(len(found & planted) / len(found), 0.95)


class FolderTest(absltest.TestCase):
    """A folder with one of each fault, audited once."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = pathlib.Path(absltest.get_default_test_tmpdir()) / "audited"
        cls.root, cls.out = folder / "pictures", folder / "out"
        pictures = pictures_for_tests.pictures(40)
        for number, picture in enumerate(pictures):
            split = "train" if number < 30 else "test"
            cls.save(f"{split}/{'ab'[number % 2]}/{number:02}.png", picture)
        # A test picture in training, with another name and the other label.
        cls.save("train/b/leak.png", pictures[30])
        cls.save("train/a/again.png", pictures[0])
        flipped = pictures_for_tests.flipped(pictures[3])
        cls.save("train/b/turned.png", flipped)
        (cls.root / "train/a/broken.png").write_bytes(b"\x89PNG nothing")
        notes = cls.root / "train/b/notes.doc"
        notes.write_text("no image")
        cls.name = f"folder:{cls.root}"
        cls.cache = PrefixCache(folder=str(folder / "features"))
        cls.found = tl_keras.audit(
            cls.name, out=cls.out, prefix_cache=cls.cache, verbose=0
        )
        # No run reads the folder before it is gone.
        notes.unlink()

    @classmethod
    def save(cls, name, picture):
        path = cls.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.fromarray(picture).save(path)

    def path(self, name):
        return str(self.root / name)

    def test_groups_are_those_that_were_planted(self):
        content = json.loads((self.out / "audit.json").read_text())
        found = {
            tuple(sorted(group["ids"])): group["exact"]
            for group in content["duplicates"]["groups"]
        }
        self.assertEqual(
            found,
            {
                (
                    self.path("test/a/30.png"),
                    self.path("train/b/leak.png"),
                ): True,
                (
                    self.path("train/a/00.png"),
                    self.path("train/a/again.png"),
                ): True,
                (
                    self.path("train/b/03.png"),
                    self.path("train/b/turned.png"),
                ): False,
            },
        )

    def test_the_json_has_the_keys_that_are_promised(self):
        content = json.loads((self.out / "audit.json").read_text())
        self.assertEqual(
            list(content),
            [
                "version",
                "dataset",
                "kind",
                "fingerprint",
                "class_names",
                "encoder",
                "examples",
                "counts",
                "files",
                "balance",
                "duplicates",
                "leakage",
                "doubtful_labels",
                "excluded",
                "not_done",
                "seconds",
            ],
        )
        self.assertEqual(content["examples"], {"train": 33, "test": 10})
        self.assertEqual(content["leakage"]["duplicates"], {"test": 1})
        self.assertEqual(content["doubtful_labels"]["judged"], 43)

    def test_the_counts_are_printed(self):
        said = str(self.found)
        self.assertIn("1 to remove, 1 of 44 unreadable", said)
        self.assertIn("1 of test (10.00%) have a copy in train", said)

    def test_the_list_is_what_finetune_takes(self):
        ids = exclusion.read(self.out / "exclude.txt")
        self.assertCountEqual(
            ids,
            [
                self.path("train/a/broken.png"),
                self.path("train/b/leak.png"),
                self.path("train/a/again.png"),
                self.path("train/b/turned.png"),
            ],
        )
        data = tl_keras.data.load(
            self.name, image_size=32, validation_fraction=0, exclude=ids
        )
        self.assertEqual(data.num_examples["train"], 30)

    def test_the_page_shows_pictures_and_asks_for_nothing(self):
        page = (self.out / "audit.html").read_text()
        addresses = PictureAddresses()
        addresses.feed(page)
        pictures = [a for a in addresses.addresses if a != "data:,"]
        self.assertGreaterEqual(len(pictures), 6)
        for address in addresses.addresses:
            self.assertStartsWith(address, "data:")
        self.assertIn("train/b/turned.png", page)

    def test_features_are_computed_once_and_read_by_fit(self):
        data = tl_keras.data.load(
            self.name,
            image_size=32,
            validation_fraction=0,
            exclude=[self.path("train/a/broken.png")],
        )
        encoder = tl_keras.encoders.load("tiny", input_spec=data.input_spec)
        head = tl_keras.heads.Classifier(num_classes=2)
        result = tl_keras.fit(
            tl_keras.build(encoder, head),
            data,
            tl_keras.plans.linear_probe(epochs=2),
            prefix_cache=PrefixCache(mode="always", folder=self.cache.folder),
            verbose=0,
        )
        self.assertEqual(result.phases[0].prefix_cache.computed, 0)
        self.assertTrue(result.phases[0].prefix_cache.used)


class OtherKindsTest(absltest.TestCase):
    def test_texts_are_compared_by_their_letters(self):
        folder = pathlib.Path(self.create_tempdir().full_path)
        words = "sun moon rain snow wind leaf tree bird fish stone".split()
        rng = np.random.default_rng(0)
        lines = ["text,label,split,author"]
        for number in range(60):
            good = number % 2
            some = [*rng.choice(words, 6), *(["fine"] if good else ["awful"])]
            split = "test" if number >= 50 else "train"
            lines.append(f"{' '.join(some)},{good},{split},author{number % 30}")
        lines.append(lines[1].replace("sun", "SUN").replace(" ", "  "))
        (folder / "texts.csv").write_text("\n".join(lines))
        found = tl_keras.audit(
            f"csv:{folder / 'texts.csv'}",
            groups="author",
            out=folder / "out",
            verbose=0,
        )
        self.assertIn((0, 50), pairs_within(found.duplicates))
        self.assertEqual(found.leakage.in_groups, {"test": 10})
        self.assertEqual(len(found.doubtful_labels), 61)
        self.assertIn("blockquote", (folder / "out/audit.html").read_text())

    def test_sounds_without_an_encoder_have_no_doubtful_labels(self):
        rng = np.random.default_rng(0)
        envelope = np.linspace(0, 1, 4000)
        clips = [
            np.sin(rng.uniform(0.05, 0.9) * np.arange(4000))
            * np.abs(np.sin(rng.uniform(2, 9) * envelope * 3))
            * 0.5
            + 0.01 * rng.normal(size=4000)
            for _ in range(30)
        ]
        clips.append(0.6 * clips[4])
        clips = np.stack(clips).astype(np.float32)
        data = tl_keras.data.from_arrays(
            (clips, np.arange(31) % 2), validation=False, sample_rate=8000
        )
        out = self.create_tempdir().full_path
        found = tl_keras.audit(data, out=out, verbose=0)
        self.assertIn((4, 30), pairs_within(found.duplicates))
        self.assertIn("Doubtful labels", found.not_done)
        page = pathlib.Path(out) / "audit.html"
        self.assertIn("audio/wav", page.read_text())


class MistakesTest(absltest.TestCase):
    def test_groups_need_a_table(self):
        with self.assertRaisesRegex(ValueError, "Only tables have columns"):
            tl_keras.audit("digits", groups="author", verbose=0)

    def test_a_data_has_been_read_already(self):
        data = tl_keras.data.load("digits")
        with self.assertRaisesRegex(ValueError, "has been read already"):
            tl_keras.audit(data, image_size=32, verbose=0)

    def test_a_file_is_no_folder(self):
        file = self.create_tempfile().full_path
        with self.assertRaisesRegex(NotADirectoryError, "`out` is a file"):
            tl_keras.audit("digits", out=file, verbose=0)

    def test_arrays_are_no_data(self):
        with self.assertRaisesRegex(TypeError, "`dataset`"):
            audits.audit(np.zeros((2, 2)))


if __name__ == "__main__":
    absltest.main()
