"""Tests of copies among texts."""

import numpy as np
from absl.testing import absltest

from tl_keras.auditing import text_copies

TEXTS = (
    "the quick brown fox jumps over the lazy dog near the river",
    "The quick brown fox jumps over the lazy dog, near the river!",
    "the quick brown fox jumped over the lazy dog near the river",
    "a slow green turtle sleeps below an old stone bridge",
    "what a wonderful film with a terrible ending indeed",
)


class TextCopiesTest(absltest.TestCase):
    def test_case_signs_and_spaces_make_no_difference(self):
        digests = text_copies.digests(TEXTS)
        self.assertTrue((digests[0] == digests[1]).all())
        self.assertFalse((digests[0] == digests[2]).all())

    def test_a_text_of_signs_is_what_it_is(self):
        self.assertEqual(text_copies.normalised(" :-)  "), ":-)")

    def test_texts_with_small_changes_are_near(self):
        pairs, alike = text_copies.near_pairs(text_copies.pieces(TEXTS))
        self.assertEqual(pairs.tolist(), [[0, 1], [0, 2], [1, 2]])
        self.assertAlmostEqual(float(alike[0]), 1.0, places=5)
        self.assertLess(alike[1], 1.0)

    def test_vectors_are_close_where_texts_are(self):
        vectors = text_copies.vectors(text_copies.pieces(TEXTS), seed=0)
        distances = np.linalg.norm(vectors - vectors[2], axis=1)
        self.assertLess(distances[0], 0.5 * distances[3])


if __name__ == "__main__":
    absltest.main()
