"""A choice is made once, and is on disk or not made."""

import json
import os
import pathlib
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.training import timed_choices
from tl_keras.training.timed_choices import TimedChoices


def never():
    raise AssertionError("Chosen again.")


class TimedChoicesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.path = self.folder / timed_choices.FILE

    def test_a_choice_is_kept_over_a_restart(self):
        self.assertEqual(TimedChoices(self.path).get("a", "b", lambda: 8), 8)
        again = TimedChoices(self.path)
        self.assertEqual(again.get("a", "b", never), 8)
        self.assertEqual(again.find("a", "b"), 8)

    @parameterized.parameters(False, True, 0, 0.5, "text", None, ([1, 2],))
    def test_a_choice_that_was_made_is_not_made_again(self, value):
        for path in (None, self.path):
            choices = TimedChoices(path)
            choices.get("a", "b", lambda: value)
            self.assertEqual(choices.get("a", "b", never), value)
        self.assertEqual(TimedChoices(self.path).get("a", "b", never), value)

    def test_another_subject_or_name_has_a_choice_of_its_own(self):
        choices = TimedChoices(self.path)
        choices.put("a", "b", 1)
        self.assertIsNone(choices.find("a", "c"))
        self.assertIsNone(choices.find("c", "b"))
        self.assertEqual(choices.get("a", "c", lambda: 2), 2)
        self.assertEqual(choices.get("c", "b", lambda: 3), 3)
        again = TimedChoices(self.path)
        found = [again.find(*of) for of in (("a", "b"), ("a", "c"), ("c", "b"))]
        self.assertEqual(found, [1, 2, 3])

    def test_a_choice_can_be_changed(self):
        choices = TimedChoices(self.path)
        choices.put("a", "b", 1)
        choices.put("a", "b", 2)
        self.assertEqual(choices.get("a", "b", never), 2)
        self.assertEqual(TimedChoices(self.path).find("a", "b"), 2)

    def test_to_look_for_a_choice_makes_none(self):
        choices = TimedChoices(self.path)
        self.assertIsNone(choices.find("a", "b"))
        self.assertFalse(self.path.exists())
        self.assertEqual(choices.get("a", "b", lambda: 4), 4)

    def test_a_subject_is_any_text(self):
        subject = 'lines\nand "quotes", é'
        TimedChoices(self.path).put(subject, "b", 1)
        self.assertEqual(TimedChoices(self.path).find(subject, "b"), 1)

    def test_without_a_file_nothing_is_kept(self):
        TimedChoices(None).put("a", "b", 1)
        self.assertIsNone(TimedChoices(None).find("a", "b"))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_choice_that_fails_is_made_the_next_time(self):
        def fail():
            raise RuntimeError("out of memory")

        choices = TimedChoices(self.path)
        with self.assertRaisesRegex(RuntimeError, "out of memory"):
            choices.get("a", "b", fail)
        self.assertEqual(choices.get("a", "b", lambda: 3), 3)
        self.assertEqual(TimedChoices(self.path).find("a", "b"), 3)

    def test_the_file_is_readable_json_and_alone(self):
        TimedChoices(self.path).put("a", "b", 1)
        self.assertEqual(json.loads(self.path.read_text()), {"a": {"b": 1}})
        self.assertEqual(list(self.folder.iterdir()), [self.path])

    @parameterized.parameters("", "{", '{"a": {"b": 1}', "3", "null", '"ab"')
    def test_a_broken_file_is_told_with_its_path(self, content):
        self.path.write_text(content)
        with self.assertRaisesRegex(ValueError, "choices.json.*Remove the"):
            TimedChoices(self.path)

    def test_a_file_that_is_no_text_is_told_with_its_path(self):
        self.path.write_bytes(b"\xff\xfe\x00")
        with self.assertRaisesRegex(ValueError, "choices.json.*Remove the"):
            TimedChoices(self.path)

    @parameterized.parameters((json, "dump"), (os, "fsync"), (os, "replace"))
    def test_an_interrupted_write_leaves_the_old_file(self, module, name):
        choices = TimedChoices(self.path)
        choices.put("a", "b", 1)
        before = self.path.read_bytes()
        with mock.patch.object(module, name, side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                choices.put("a", "b", 2)
        self.assertEqual(self.path.read_bytes(), before)
        self.assertEqual(TimedChoices(self.path).find("a", "b"), 1)

    def test_what_an_interrupted_write_left_is_written_over(self):
        (self.folder / "choices.json.part").write_text('{"a": {"b"')
        TimedChoices(self.path).put("a", "b", 1)
        self.assertEqual(TimedChoices(self.path).find("a", "b"), 1)
        self.assertEqual(list(self.folder.iterdir()), [self.path])


if __name__ == "__main__":
    absltest.main()
