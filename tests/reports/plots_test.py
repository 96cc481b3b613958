"""Tests of the pictures of a run."""

import os
import pathlib
import subprocess
import sys
import tempfile
from unittest import mock

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized
from matplotlib import image as matplotlib_image

from tl_keras.reports import plots
from tl_keras.reports import png_files


def _rows(*phases, **metrics):
    """Two rows for each phase; `metrics` are functions of the row's index."""
    rows = []
    for phase in phases:
        for epoch in (1, 2):
            values = {name: of(len(rows)) for name, of in metrics.items()}
            rows.append({"phase": phase, "epoch": epoch, **values})
    return rows


class PlotsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "new" / "picture.png"

    def _panels(self, draw, *arguments):
        """The panels of a picture before it becomes pixels."""
        with mock.patch.object(png_files, "save") as save:
            draw(*arguments, self.path)
        return save.call_args.args[0].axes

    def test_curves_writes_a_picture(self):
        rows = _rows("head", "top", loss=lambda i: 1 / (i + 1))
        self.assertEqual(plots.curves(rows, self.path), self.path)
        pixels = matplotlib_image.imread(self.path)
        self.assertGreater(min(pixels.shape[:2]), 300)
        # A picture of one colour would show nothing.
        self.assertGreater(pixels[..., :3].std(), 0.05)

    def test_curves_shows_loss_and_accuracy_over_all_epochs(self):
        rows = _rows(
            "head",
            "top",
            loss=lambda i: 4.0 - i,
            val_loss=lambda i: 5.0 - i,
            accuracy=lambda i: i / 4,
            val_accuracy=lambda i: i / 5,
            learning_rate=lambda i: 0.1,
        )
        loss, accuracy = self._panels(plots.curves, rows)
        drawn = {
            (panel.get_ylabel(), line.get_label()): line.get_xydata().tolist()
            for panel in (loss, accuracy)
            for line in panel.get_lines()
        }
        self.assertEqual(
            drawn,
            {
                ("loss", "training"): [[1, 4], [2, 3], [3, 2], [4, 1]],
                ("loss", "validation"): [[1, 5], [2, 4], [3, 3], [4, 2]],
                ("accuracy", "training"): [[i + 1, i / 4] for i in range(4)],
                ("accuracy", "validation"): [[i + 1, i / 5] for i in range(4)],
            },
        )

    def test_curves_names_the_phases_in_their_middle(self):
        rows = _rows("head", "top", "top", loss=float)
        (panel,) = self._panels(plots.curves, rows)
        places = [
            (text.get_text(), text.get_position()[0]) for text in panel.texts
        ]
        self.assertEqual(places, [("head", 1.5), ("top", 3.5), ("top", 5.5)])
        self.assertLen(panel.patches, 3)

    def test_curves_falls_back_on_another_metric(self):
        rows = _rows("head", loss=float, f1=float, val_f1=float)
        panels = self._panels(plots.curves, rows)
        self.assertEqual([p.get_ylabel() for p in panels], ["loss", "f1"])

    def test_curves_leaves_gaps_for_what_is_missing(self):
        rows = [
            {"phase": "head", "epoch": 1, "loss": 2.0, "val_loss": None},
            {"phase": "head", "epoch": 2, "loss": float("nan")},
            {"phase": "head", "epoch": 3, "loss": 1.0},
        ]
        (panel,) = self._panels(plots.curves, rows)
        (line,) = panel.get_lines()
        np.testing.assert_array_equal(line.get_ydata(), [2.0, np.nan, 1.0])

    def test_curves_draws_a_loss_that_was_never_finite(self):
        rows = _rows("head", loss=lambda i: float("nan"))
        self.assertTrue(plots.curves(rows, self.path).is_file())

    @parameterized.parameters(
        ([], "empty"), ([{"loss": 1.0}], r"lacks \['epoch', 'phase'\]")
    )
    def test_curves_refuses_rows(self, rows, message):
        with self.assertRaisesRegex(ValueError, message):
            plots.curves(rows, self.path)

    @parameterized.parameters(2, 30, 200)
    def test_confusion_names_each_class_and_grows(self, num_classes):
        names = [f"class {index}" for index in range(num_classes)]
        plots.confusion(np.eye(num_classes), names, self.path)
        height, width = matplotlib_image.imread(self.path).shape[:2]
        # Letters of 7 points are 11 pixels high at 110 pixels an inch.
        self.assertGreater(min(height, width), 14 * num_classes)
        self.assertLess(max(height, width), 8000)
        panel = self._panels(plots.confusion, np.eye(num_classes), names)[0]
        for axis in (panel.xaxis, panel.yaxis):
            # Labels of the second side follow those of the first.
            labels = [label.get_text() for label in axis.get_ticklabels()]
            self.assertEqual(labels[:num_classes], names)
            self.assertLen(axis.get_majorticklocs(), num_classes)

    def test_confusion_stays_a_picture_for_1000_classes(self):
        names = [str(index) for index in range(1000)]
        panel = self._panels(plots.confusion, np.eye(1000), names)[0]
        self.assertLess(max(panel.figure.get_size_inches()), 70)
        self.assertLess(len(panel.get_xticks()), 400)

    def test_confusion_colours_the_share_of_each_label(self):
        matrix = [[3, 1, 0], [0, 0, 0], [50, 0, 50]]
        panel = self._panels(plots.confusion, matrix, "abc")[0]
        np.testing.assert_allclose(
            panel.get_images()[0].get_array(),
            [[0.75, 0.25, 0], [0, 0, 0], [0.5, 0, 0.5]],
        )
        counts = sorted(text.get_text() for text in panel.texts)
        self.assertEqual(counts, ["1", "3", "50", "50"])

    def test_confusion_shows_names_as_they_are(self):
        # "$" opens a formula in matplotlib, and "\\frac" alone is no formula.
        names = ["$\\frac$", "a_b^c", "x" * 100]
        plots.confusion(np.eye(3), names, self.path)
        self.assertTrue(self.path.is_file())

    @parameterized.parameters(
        ([[1, 0]], "ab", r"\(1, 2\) and 2 names"),
        ([[1, 0], [0, 1]], "abc", "3 names"),
        ([[1, -1], [0, 1]], "ab", "negative"),
        ([[1, float("nan")], [0, 1]], "ab", "NaN"),
    )
    def test_confusion_refuses(self, matrix, names, message):
        with self.assertRaisesRegex(ValueError, message):
            plots.confusion(matrix, names, self.path)

    def test_leaves_pyplot_alone(self):
        program = (
            "import sys; from tl_keras.reports import plots; "
            "plots.confusion([[1]], ['a'], sys.argv[1]); "
            "sys.exit('matplotlib.pyplot' in sys.modules)"
        )
        finished = subprocess.run(
            [sys.executable, "-c", program, str(self.path)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.assertEqual(finished.returncode, 0, finished.stderr)


if __name__ == "__main__":
    absltest.main()
