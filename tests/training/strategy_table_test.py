"""Losses and weights under several strategies are those of one device.

This is a small part of the table that `benchmarks/strategies_table.py` makes:
what other tests do not show of two workers.
"""

import pathlib
import tempfile

import numpy as np
import processes_for_tests
from absl.testing import absltest
from absl.testing import parameterized

# Adding up in another order rounds otherwise.
ROUNDING = 1e-6
FEATURES = {
    "2 workers": (
        "messages",
        "batch_smaller_than_replicas",
        "text",
        "prefix_cache",
    ),
}
CELLS = [
    (setting, feature)
    for setting, features in FEATURES.items()
    for feature in features
]


class StrategyTableTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(
            cls.enterClassContext(tempfile.TemporaryDirectory())
        )
        every = dict.fromkeys(feature for _, feature in CELLS)
        cls.printed = {}
        for setting, features in {"one device": every, **FEATURES}.items():
            cls.printed[setting] = processes_for_tests.run_features(
                setting, "ours", features, cls.folder
            )

    @parameterized.parameters(*CELLS)
    def test_equals_one_device(self, setting, feature):
        expected = self._found("one device", feature, 0)
        for number in range(len(self.printed[setting])):
            found = self._found(setting, feature, number)
            self.assertEqual(found.keys(), expected.keys())
            self.assertTrue(expected.get("right", np.array(True)).all())
            for name, value in expected.items():
                np.testing.assert_allclose(
                    found[name],
                    value,
                    rtol=0.0,
                    atol=ROUNDING,
                    err_msg=f"{name} of worker {number}",
                )

    def _found(self, setting, feature, number):
        path = self.folder / setting / f"{feature}-{number}"
        if not path.with_suffix(".npz").exists():
            error = path.with_suffix(".txt")
            self.fail(
                error.read_text()
                if error.exists()
                else self.printed[setting][number][-3000:]
            )
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as found:
            return {name: found[name] for name in found.files}


if __name__ == "__main__":
    absltest.main()
