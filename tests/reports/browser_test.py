"""Tests of the report as a browser shows it."""

import pathlib
import tempfile
import unittest

import browser_for_tests
import results_for_tests
from absl.testing import absltest

from tl_keras.reports import findings
from tl_keras.reports import page

BROWSER = browser_for_tests.find()

_COLUMN = (
    "[...document.querySelectorAll('#classes table')[0].tBodies[0].rows]"
    ".map((row) => row.cells[{}].textContent.trim())"
)
_CLICK = (
    "document.querySelectorAll('#classes table')[0].tHead.rows[0]"
    ".cells[{}].querySelector('button').click()"
)
_SORT = (
    "document.querySelectorAll('#classes table')[0].tHead.rows[0]"
    ".cells[{}].ariaSort"
)


@unittest.skipUnless(BROWSER, "no Chromium here: apt-get install chromium")
class BrowserTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        (cls.folder / "pictures").mkdir()
        picture = results_for_tests.picture(96)
        for name in ("one", "two"):
            (cls.folder / "pictures" / f"{name}.png").write_bytes(picture)
        found = findings.Findings(results_for_tests.entries(), cls.folder)
        cls.path = page.write(found, cls.folder / "report.html")
        cls.browser = browser_for_tests.Browser(BROWSER)
        cls.browser.__enter__()
        cls.addClassCleanup(cls.browser.__exit__)

    def test_it_loads_whole_at_both_widths(self):
        browser_for_tests.assert_is_well(self, self.browser, self.path)

    def test_a_click_sorts_numbers_by_value_and_again_the_other_way(self):
        self.browser.open(self.path, width=1280)
        before = self.browser.run(_COLUMN.format(2))
        self.assertEqual(before, ["0.7000", "0.8000", "0.9000"])
        self.browser.run(_CLICK.format(2))
        self.assertEqual(self.browser.run(_COLUMN.format(2)), before[::-1])
        self.assertEqual(self.browser.run(_SORT.format(2)), "descending")
        self.browser.run(_CLICK.format(2))
        self.assertEqual(self.browser.run(_COLUMN.format(2)), before)
        self.assertEqual(self.browser.run(_SORT.format(2)), "ascending")

    def test_a_click_sorts_texts_by_their_letters(self):
        self.browser.open(self.path, width=1280)
        self.browser.run(_CLICK.format(0))
        self.assertEqual(
            self.browser.run(_COLUMN.format(0)),
            sorted(results_for_tests.NAMES, key=lambda n: "<$a".index(n[0])),
        )

    def test_a_wide_table_scrolls_within_its_box(self):
        self.browser.open(self.path, width=390)
        boxes = self.browser.run(
            "[...document.querySelectorAll('.scroll')]"
            ".map((box) => [box.clientWidth, box.scrollWidth])"
        )
        self.assertTrue(any(inner > outer for outer, inner in boxes))
        self.assertLessEqual(max(outer for outer, _ in boxes), 390)

    def test_it_is_dark_where_that_is_preferred_and_light_on_paper(self):
        shown = {}
        for media in ("screen", "print"):
            for dark in (False, True):
                self.browser.open(self.path, width=1280, dark=dark, media=media)
                shown[media, dark] = self.browser.run(
                    "[getComputedStyle(document.body).backgroundColor,"
                    "...[...document.querySelectorAll('figure img')]"
                    ".filter((i) => i.offsetWidth).map((i) => i.className)]"
                )
        for (media, dark), (ground, *drawings) in shown.items():
            is_dark = media == "screen" and dark
            self.assertEqual(
                ground, "rgb(21, 25, 30)" if is_dark else "rgb(253, 253, 251)"
            )
            self.assertEqual(set(drawings), {"dark" if is_dark else "light"})

    def test_a_page_that_fails_is_seen_to_fail(self):
        path = self.folder / "bad.html"
        path.write_text(
            "<img src='absent.png' alt='x'><script>nonsense()</script>"
        )
        self.browser.open(path, width=390)
        self.assertLen(self.browser.requests, 2)
        self.assertNotEmpty(self.browser.complaints)


if __name__ == "__main__":
    absltest.main()
