"""Tests of the tokenizer, against BERT's algorithm written out word by word."""

import os
import pathlib
import subprocess
import sys
import unicodedata
import unittest

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.encoders import wordpiece
from tl_keras.encoders import words

try:
    import tokenizers
except ImportError:
    tokenizers = None

DATA = pathlib.Path(
    os.environ.get("TL_KERAS_DATA")
    or pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
)
SENTENCES = DATA / "text" / "sst2" / "train.tsv"

SPECIAL = list(wordpiece.SPECIAL_TOKENS)
TEXTS = [
    "",
    "   ",
    "Hello, World!",
    "multiple   spaces,\ttabs\nand\r\nlines",
    "Café crème brûlée — naïve Ångström",
    "我爱北京天安门 and 日本語 ひらがな カタカナ 한국어 豈",
    "🎉 party🎊 👨‍👩‍👧 ☀️",
    "control\x00\x01\x02\x7f\x0bcha\x0cracters and zero\u200bwidth\ufeff",
    "no\u00a0break, thin\u2009space, line\u2028separator, ideographic\u3000",
    "#hash ##ing @user http://x.y/z?q=1&b=2 $5.00 50% `a` ~b~ {c}|[d] ^_<>=+",
    "«quotes» “curly” ‘single’ … ¿qué? ¡sí! 10–20 §3 †",
    "ﬁ ½ ① Ⅷ ß ẞ İstanbul ı ΑΣ Σας Ǆ ≠ ≮",
    "قال العربية हिन्दी தமிழ் ไทย",
    "[CLS] spelled [SEP] out [PAD] [UNK] [MASK]",
    "a" * 100 + " " + "a" * 101 + " " + "b" * 250,
    "word " * 60,
]


def reference(text, vocabulary, length, lowercase=True):
    """The ids of one text, one step of BERT's tokenization after the other."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    cleaned = ""
    for character in text:
        category = unicodedata.category(character)
        if character in "\t\n\r" or category in ("Zs", "Zl", "Zp"):
            cleaned += " "
        elif not (category in ("Cc", "Cf", "Co") or character in "\0\ufffd"):
            cleaned += character
    spaced = "".join(f" {c} " if is_ideograph(c) else c for c in cleaned)
    pieces = []
    for word in spaced.split():
        if lowercase:
            decomposed = unicodedata.normalize("NFD", word)
            kept = [c for c in decomposed if unicodedata.category(c) != "Mn"]
            word = "".join(c.lower() for c in kept)
        for part in parted_at_punctuation(word):
            pieces += greedy(part, ids)
    framed = ["[CLS]", *pieces[: length - 2], "[SEP]"]
    return [ids[piece] for piece in framed] + [0] * (length - len(framed))


def is_ideograph(character):
    name = unicodedata.name(character, "")
    return name.startswith(("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEO"))


def parted_at_punctuation(word):
    parts, open_ = [], False
    for character in word:
        in_ascii = 33 <= ord(character) < 127 and not character.isalnum()
        if in_ascii or unicodedata.category(character).startswith("P"):
            parts.append(character)
            open_ = False
        elif open_:
            parts[-1] += character
        else:
            parts.append(character)
            open_ = True
    return parts


def greedy(word, ids):
    if len(word) > 100:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in ids:
                break
        else:
            return ["[UNK]"]
        pieces.append(piece)
        start = end
    return pieces


def some_vocabulary(texts, seed=0):
    """Random parts of words, so that some words have pieces and some none."""
    rng = np.random.default_rng(seed)
    found = {"##", "word", *map(chr, range(33, 127))}
    found |= {f"##{chr(code)}" for code in range(97, 123)}
    decomposed = unicodedata.normalize("NFD", " ".join(texts))
    for word in (" ".join(texts) + decomposed.lower()).split(" "):
        for _ in range(8):
            start, end = sorted(rng.integers(0, len(word) + 1, 2))
            token = ("##" if start else "") + word[start:end]
            if start < end and "\n" not in token:
                found.add(token)
    return SPECIAL + sorted(found - set(SPECIAL))


def ids_of(layer, texts):
    return layer(tf.constant(texts)).numpy().tolist()


class WordPieceTokenizerTest(parameterized.TestCase):
    @parameterized.product(lowercase=(True, False), seed=(0, 1))
    def test_equals_the_algorithm_written_out(self, lowercase, seed):
        vocabulary = some_vocabulary(TEXTS, seed)
        layer = wordpiece.WordPieceTokenizer(
            vocabulary, 50, lowercase=lowercase
        )
        for text, ids in zip(TEXTS, ids_of(layer, TEXTS), strict=True):
            with self.subTest(text[:40]):
                expected = reference(text, vocabulary, 50, lowercase)
                self.assertEqual(ids, expected)

    def test_a_part_that_no_piece_fits_makes_the_word_unknown(self):
        layer = wordpiece.WordPieceTokenizer([*SPECIAL, "un", "##do", "do"], 6)
        unknown, start, end, un, do, alone = 1, 2, 3, 4, 5, 6
        self.assertEqual(
            ids_of(layer, ["undo", "undone", "do undodo un"]),
            [
                [start, un, do, end, 0, 0],
                [start, unknown, end, 0, 0, 0],
                # Cut off in front of the end, which stays.
                [start, alone, un, do, do, end],
            ],
        )

    def test_case_accents_and_ideographs_can_stay(self):
        vocabulary = [*SPECIAL, "É", "e", "中文", "中", "文"]
        accents, plain, both, single, other = range(4, 9)
        texts = ["É", "中文"]
        for options, expected in (
            ({}, [[plain], [single, other]]),
            ({"lowercase": False}, [[accents], [single, other]]),
            ({"split_ideographs": False}, [[plain], [both]]),
            ({"strip_accents": False}, [[1], [single, other]]),
        ):
            layer = wordpiece.WordPieceTokenizer(vocabulary, 4, **options)
            rows = [
                [id_ for id_ in row if id_ not in (0, 2, 3)]
                for row in ids_of(layer, texts)
            ]
            self.assertEqual(rows, expected, options)

    def test_special_tokens_can_have_other_names(self):
        layer = wordpiece.WordPieceTokenizer(
            ["hi", "<s>", "</s>", "<pad>", "<unk>"],
            5,
            special_tokens=("<pad>", "<unk>", "<s>", "</s>"),
        )
        self.assertEqual(ids_of(layer, ["hi you"]), [[1, 0, 4, 2, 3]])
        self.assertEqual(layer.pad_id, 3)

    def test_drops_what_is_no_utf8(self):
        layer = wordpiece.WordPieceTokenizer([*SPECIAL, "ab"], 4)
        self.assertEqual(ids_of(layer, [b"a\xff\xfeb\xc3"]), [[2, 4, 3, 0]])

    def test_an_empty_batch_gives_no_rows(self):
        layer = wordpiece.WordPieceTokenizer(SPECIAL, 4)
        empty = layer(tf.constant([], tf.string))
        self.assertEqual(empty.shape, (0, 4))

    def test_gives_the_same_in_a_pipeline_and_in_a_function(self):
        layer = wordpiece.WordPieceTokenizer(some_vocabulary(TEXTS), 20)
        expected = ids_of(layer, TEXTS)
        dataset = tf.data.Dataset.from_tensor_slices(TEXTS).batch(5).map(layer)
        in_pipeline = np.concatenate(list(dataset.as_numpy_iterator()))
        self.assertEqual(in_pipeline.tolist(), expected)
        self.assertEqual(dataset.element_spec.shape.as_list(), [None, 20])
        in_function = tf.function(layer)(tf.constant(TEXTS))
        self.assertEqual(in_function.numpy().tolist(), expected)

    @parameterized.parameters(
        ([*SPECIAL, "a", "a"], "token twice. Got: 'a'"),
        ([*SPECIAL, "a\nb"], "line break inside"),
        (["[PAD]", "a"], r"\['\[UNK\]', '\[CLS\]', '\[SEP\]'\] not in"),
    )
    def test_refuses_a_vocabulary(self, vocabulary, why):
        with self.assertRaisesRegex(ValueError, why):
            wordpiece.WordPieceTokenizer(vocabulary, 4)

    def test_refuses_a_length_without_room_for_start_and_end(self):
        with self.assertRaisesRegex(ValueError, "Expected at least 2"):
            wordpiece.WordPieceTokenizer(SPECIAL, 1)

    def test_refuses_what_is_no_batch_of_texts(self):
        layer = wordpiece.WordPieceTokenizer(SPECIAL, 4)
        for wrong in (tf.constant("one"), tf.constant([1, 2])):
            with self.assertRaisesRegex(ValueError, "takes a batch of texts"):
                layer(wrong)


class SavedTokenizerTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        texts = keras.Input((), dtype="string")
        vocabulary = some_vocabulary(TEXTS)
        ids = wordpiece.WordPieceTokenizer(vocabulary, 20)(texts)
        vectors = keras.layers.Embedding(len(vocabulary), 3)(ids)
        cls.model = keras.Model(texts, vectors)
        cls.texts = tf.constant(TEXTS)
        cls.expected = cls.model(cls.texts).numpy()

    def test_a_keras_file_holds_the_vocabulary(self):
        path = os.path.join(self.create_tempdir(), "model.keras")
        self.model.save(path)
        answers = keras.models.load_model(path)(self.texts)
        np.testing.assert_array_equal(answers, self.expected)

    def test_a_clone_has_the_vocabulary(self):
        clone = keras.models.clone_model(self.model)
        clone.set_weights(self.model.get_weights())
        np.testing.assert_array_equal(clone(self.texts), self.expected)

    def test_a_saved_model_serves_without_this_package(self):
        module = tf.Module()
        module.kept = [variable.value for variable in self.model.variables]
        module.tables = self.model.layers[1].resources
        module.serve = tf.function(
            lambda texts: self.model(texts, training=False),
            [tf.TensorSpec([None], tf.string)],
        )
        folder = self.create_tempdir().full_path
        tf.saved_model.save(module, folder)
        np.save(os.path.join(folder, "texts.npy"), np.array(TEXTS, object))
        script = (
            "import numpy as np, tensorflow as tf\n"
            f"texts = np.load({folder!r} + '/texts.npy', allow_pickle=True)\n"
            f"served = tf.saved_model.load({folder!r})\n"
            f"np.save({folder!r} + '/out.npy',\n"
            "        served.serve(tf.constant(list(texts))))\n"
        )
        subprocess.run([sys.executable, "-c", script], check=True)
        answers = np.load(os.path.join(folder, "out.npy"))
        np.testing.assert_allclose(answers, self.expected, atol=1e-6)


class ReadVocabularyTest(absltest.TestCase):
    def test_keeps_tokens_that_are_kinds_of_white_space(self):
        path = os.path.join(self.create_tempdir(), "vocab.txt")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write("[PAD]\n\u2028\na\u00a0b\n")
        self.assertEqual(
            wordpiece.read_vocabulary(path), ["[PAD]", "\u2028", "a\u00a0b"]
        )


@unittest.skipIf(tokenizers is None, "needs the package `tokenizers`")
class BesideHuggingFaceTest(absltest.TestCase):
    def test_treats_every_old_character_alike_but_four(self):
        # Its Unicode is newer than version 3.2, which Python has too.
        old = unicodedata.ucd_3_2_0
        characters = [
            chr(code)
            for code in range(1, 0x110000)
            if old.category(chr(code)) not in ("Cn", "Cs", "Co")
        ]
        normalize = tokenizers.normalizers.BertNormalizer().normalize_str
        part = tokenizers.pre_tokenizers.BertPreTokenizer().pre_tokenize_str
        texts = [f"a{character}b" for character in characters]
        differ = [
            text[1:-1]
            for text, cut in zip(
                texts, words.split(tf.constant(texts)).to_list(), strict=True
            )
            if [word for word, _ in part(normalize(text))]
            != [word.decode() for word in cut]
        ]
        self.assertEqual(differ, ["\u166d", "\u1734", "\u1885", "\u1886"])

    @unittest.skipUnless(
        SENTENCES.is_file(), f"no SST-2 in {DATA} (TL_KERAS_DATA)"
    )
    def test_gives_the_same_ids_for_a_thousand_sentences(self):
        lines = SENTENCES.read_text(encoding="utf-8").split("\n")[:1000]
        sentences = [line.rpartition("\t")[0] for line in lines]
        vocabulary = some_vocabulary(sentences)
        theirs = tokenizers.BertWordPieceTokenizer(
            {token: number for number, token in enumerate(vocabulary)}
        )
        theirs.enable_truncation(40)
        theirs.enable_padding(length=40)
        layer = wordpiece.WordPieceTokenizer(vocabulary, 40)
        expected = [one.ids for one in theirs.encode_batch(sentences)]
        self.assertEqual(ids_of(layer, sentences), expected)


if __name__ == "__main__":
    absltest.main()
