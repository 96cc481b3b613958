"""Examples of two splits put together."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import examples


def inputs(kind, names):
    names = np.array(names, object)
    if kind == "pixels":
        return examples.Pixels(np.zeros([len(names), 2, 2, 3], np.uint8))
    if kind == "texts":
        return examples.Texts(names)
    return examples.Encoded(names, names, "image")


def some(kind, names, columns):
    count = len(names)
    return examples.Examples(
        inputs(kind, names),
        np.arange(count),
        np.array(names, object),
        np.zeros([count, 16], np.uint8),
        {name: np.array([name] * count, object) for name in columns},
    )


class JoinedTest(parameterized.TestCase):
    @parameterized.parameters("pixels", "texts", "encoded")
    def test_has_all_of_both_in_order(self, kind):
        found = examples.joined(
            some(kind, ["a", "b"], ("day", "site")),
            some(kind, ["c"], ("day",)),
        )
        self.assertLen(found, 3)
        self.assertLen(found.inputs, 3)
        self.assertEqual(found.inputs.kind, some(kind, ["a"], ()).inputs.kind)
        self.assertEqual(found.ids.tolist(), ["a", "b", "c"])
        self.assertEqual(found.labels.tolist(), [0, 1, 0])
        self.assertEqual(list(found.columns), ["day"])
        self.assertLen(found.take(np.array([2, 0])).columns["day"], 2)


if __name__ == "__main__":
    absltest.main()
