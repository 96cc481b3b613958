"""Tests of the report as a page, with every section and with few."""

import html.parser
import math
import pathlib
import re
import tempfile

import jsonschema
import results_for_tests
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.reports import findings
from tl_keras.reports import page
from tl_keras.reports import palette
from tl_keras.reports import results

# What a run always leaves.
_NEEDED = ("summary", "setup", "cost", "provenance", "card")


class Page(html.parser.HTMLParser):
    """What a test asks of a page: elements, and the cells of its tables."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.cells = []
        self.text = ""
        self._open = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in ("td", "dd"):
            self._open = [dict(attributes), ""]

    def handle_endtag(self, tag):
        if tag in ("td", "dd") and self._open:
            self.cells.append(tuple(self._open))
            self._open = None

    def handle_data(self, data):
        self.text += data
        if self._open:
            self._open[1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def numbers_in(value):
    """All numbers within lists and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return {number for item in value for number in numbers_in(item)}
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {float(value)} if is_number else set()


def is_rounded(text, value):
    """Whether a cell's text is its value, rounded as far as it shows."""
    match = re.fullmatch(r"(-?[\d,]+(?:\.(\d+))?)(%?)", text)
    if not match:  # Times, memory, and numbers such as 1e-05, have own tests.
        return bool(re.search(r"\d", text))
    shown = float(match[1].replace(",", ""))
    step = 10.0 ** -len(match[2] or "")
    if match[3]:
        shown, step = shown / 100, step / 100
    return math.isclose(shown, value, abs_tol=0.5001 * step)


class FullPageTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        for name in (
            "pictures/one",
            "pictures/two",
            "explanations/one.grad_cam",
        ):
            path = cls.folder / f"{name}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(results_for_tests.picture())
        cls.entries = results_for_tests.entries()
        cls.html = page.render(
            findings.Findings(
                entries=cls.entries,
                folder=cls.folder,
                card_text="# Owners\n\nThe <em>pet</em> team.\n\n- one\n- two",
                defaults={"seed": 0, "data": {"name": "digits"}},
            )
        )
        cls.page = Page(cls.html)

    def test_the_entries_are_of_the_schema(self):
        jsonschema.Draft202012Validator(results.schema()).validate(self.entries)

    def test_there_is_a_section_for_everything(self):
        sections = [attributes["id"] for attributes in self.page.all("section")]
        self.assertContainsSubset(
            {
                *_NEEDED,
                *("data", "training", "test", "classes", "calibration"),
                *("decisions", "ranking", "slices", "stability"),
                *("robustness", "examples", "explanations", "audit"),
                "comparison",
            },
            sections,
        )
        linked = [link["href"] for link in self.page.all("a")]
        self.assertContainsSubset([f"#{name}" for name in sections], linked)

    def test_every_number_in_a_table_is_in_the_results(self):
        known = numbers_in(self.entries)
        valued = [cell for cell in self.page.cells if "data-value" in cell[0]]
        self.assertGreater(len(valued), 200)
        for attributes, text in valued:
            value = float(attributes["data-value"])
            self.assertIn(value, known, text)
            self.assertTrue(is_rounded(text.strip(), value), (text, value))

    def test_a_column_of_numbers_holds_nothing_else(self):
        for attributes, text in self.page.cells:
            if "number" in attributes.get("class", "").split():
                if "data-value" not in attributes:
                    self.assertEqual(text.strip(), "none")

    def test_what_comes_from_the_run_is_escaped(self):
        # The style, the script, and nothing that a name has smuggled in.
        self.assertLen(self.page.all("script"), 1)
        self.assertLen(self.page.all("style"), 1)
        self.assertEmpty(self.page.all("b"))
        self.assertEmpty(self.page.all("i"))
        self.assertEmpty(self.page.all("em"))
        for name in results_for_tests.NAMES:
            self.assertIn(name, self.page.text)
        for image in self.page.all("img"):
            self.assertStartsWith(image["src"], "data:image/")

    def test_nothing_is_loaded_from_elsewhere(self):
        for tag, attributes in self.page.elements:
            for name in ("src", "href", "srcset", "action", "data"):
                address = attributes.get(name, "#")
                self.assertStartsWith(
                    address[:5].replace("#", "data:"), "data:"
                )
            self.assertNotIn("style", attributes, tag)
            self.assertFalse([a for a in attributes if a.startswith("on")])

    def test_it_can_be_read_aloud(self):
        self.assertEqual(self.page.all("html"), [{"lang": "en"}])
        self.assertLen(self.page.all("h1"), 1)
        self.assertLen(self.page.all("main"), 1)
        for image in self.page.all("img"):
            self.assertGreater(len(image["alt"]), 10)
        tables, captions = self.page.all("table"), self.page.all("caption")
        self.assertEqual(len(tables), len(captions))
        for header in self.page.all("th"):
            self.assertIn(header["scope"], ("row", "col"))
        ids = [a["id"] for _, a in self.page.elements if "id" in a]
        self.assertLen(set(ids), len(ids))

    def test_the_users_own_card_is_a_part_of_it(self):
        for text in ("Owners", "The <em>pet</em> team.", "For <i>pets</i>."):
            self.assertIn(text, self.page.text)

    def test_dark_pages_have_drawings_of_their_own(self):
        images = self.page.all("img")
        light = [i["src"] for i in images if i.get("class") == "light"]
        dark = [i["src"] for i in images if i.get("class") == "dark"]
        self.assertLen(light, len(self.page.all("figure")))
        self.assertGreater(len(light), 6)
        for one, other in zip(light, dark, strict=True):
            self.assertNotEqual(one, other)

    def test_the_same_run_gives_the_same_page(self):
        again = findings.Findings(
            entries=results_for_tests.entries(),
            folder=self.folder,
            card_text="# Owners\n\nThe <em>pet</em> team.\n\n- one\n- two",
            defaults={"seed": 0, "data": {"name": "digits"}},
        )
        self.assertEqual(page.render(again), self.html)

    def test_a_picture_elsewhere_is_not_taken(self):
        (self.folder / "secret.png").write_bytes(b"secret")
        found = findings.Findings({}, folder=self.folder / "pictures")
        self.assertIsNone(found.picture("../secret.png"))
        self.assertIsNotNone(found.picture("one.png"))


class SmallPageTest(absltest.TestCase):
    def test_sections_without_data_are_not_there(self):
        full = results_for_tests.entries()
        needed = ("dataset", "encoder", "plan", "seed", "data_fingerprint")
        entries = {name: full[name] for name in needed}
        entries |= {
            name: full[name] for name in ("parameters", "phases", "versions")
        }
        shown = Page(page.render(findings.Findings({**entries, "test": None})))
        sections = [attributes["id"] for attributes in shown.all("section")]
        self.assertCountEqual(sections, _NEEDED)

    def test_a_test_part_of_earlier_results_is_shown_too(self):
        entries = results_for_tests.entries()
        kept = ("num_examples", "accuracy", "balanced_accuracy", "log_loss")
        kept += ("macro_precision", "macro_recall", "macro_f1")
        test = {name: entries["test"][name] for name in kept}
        test["confusion_matrix"] = entries["test"]["confusion_matrix"]
        test["per_class"] = {
            name: {k: row[k] for k in ("precision", "recall", "f1", "support")}
            for name, row in entries["test"]["per_class"].items()
        }
        entries["test"] = test
        shown = Page(page.render(findings.Findings(entries)))
        sections = [attributes["id"] for attributes in shown.all("section")]
        self.assertIn("test", sections)
        self.assertNotIn("ranking", sections)

    def test_of_many_classes_the_matrix_is_a_picture(self):
        entries = results_for_tests.entries()
        names = [f"class {index}" for index in range(120)]
        row = next(iter(entries["test"]["per_class"].values()))
        entries["test"]["per_class"] = dict.fromkeys(names, row)
        entries["test"]["confusion_matrix"] = [
            [11 * (row == column) for column in range(120)]
            for row in range(120)
        ]
        entries["test"]["curves"] = {"roc": {}, "precision_recall": {}}
        shown = Page(page.render(findings.Findings(entries)))
        self.assertNotIn("Confusion matrix: labels in rows", shown.text)
        matrix = [i for i in shown.all("img") if "1,320 of" in i["alt"]]
        self.assertEqual([i["class"] for i in matrix], ["light", "dark"])
        self.assertStartsWith(matrix[0]["src"], "data:image/png")
        self.assertIn("class 119", shown.text)


class PaletteTest(parameterized.TestCase):
    @parameterized.product(
        text=("ink", "muted", "first", "second", "third"),
        ground=("ground", "raised"),
        theme=(0, 1),
    )
    def test_text_can_be_read(self, text, ground, theme):
        # WCAG 2, success criterion 1.4.3: 4.5 to 1 or more.
        bright, dim = sorted(
            (
                _luminance(palette.COLORS[name][theme])
                for name in (text, ground)
            ),
            reverse=True,
        )
        self.assertGreaterEqual((bright + 0.05) / (dim + 0.05), 4.5)

    def test_each_light_color_is_another_one(self):
        lights = [light for light, _ in palette.COLORS.values()]
        self.assertLen(set(lights), len(lights))


def _luminance(color):
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return sum(
        weight * part
        for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


if __name__ == "__main__":
    absltest.main()
