"""Tests of calls that are repeated while that may help."""

import random
import time
from unittest import mock

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.serving import failures
from tl_keras.serving import retrying

_BUSY = failures.Failure("UNAVAILABLE", "starting")


class _Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 100.0
        self.waits = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.waits.append(seconds)
        self.now += seconds


class CallTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.clock = _Clock()
        for name in ("monotonic", "sleep"):
            patch = mock.patch.object(time, name, getattr(self.clock, name))
            patch.start()
            self.addCleanup(patch.stop)

    def call(self, outcomes, retries=10, seconds=1000.0):
        self.function = mock.Mock(side_effect=outcomes)
        return retrying.call(
            self.function,
            retries=retries,
            deadline=self.clock.now + seconds,
            jitter=random.Random(0),
        )

    def test_returns_the_first_answer(self):
        self.assertEqual(self.call([_BUSY, _BUSY, "answer", "next"]), "answer")
        self.assertEqual(self.function.call_count, 3)

    def test_waits_double_give_or_take_half_up_to_five_seconds(self):
        self.call([_BUSY] * 8 + ["answer"])
        centres = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
        self.assertLen(self.clock.waits, len(centres))
        for wait, centre in zip(self.clock.waits, centres, strict=True):
            self.assertBetween(wait, 0.5 * centre, 1.5 * centre)
        self.assertNotAlmostEqual(self.clock.waits[-1], self.clock.waits[-2])

    def test_gives_up_after_the_last_retry(self):
        with self.assertRaises(failures.Failure):
            self.call([_BUSY] * 9, retries=3)
        self.assertEqual(self.function.call_count, 4)

    def test_waits_never_beyond_the_deadline(self):
        began = self.clock.now
        with self.assertRaises(failures.Failure):
            self.call([_BUSY] * 100, retries=100, seconds=2.0)
        self.assertLess(self.clock.now, began + 2.0)

    def test_tells_the_function_what_time_is_left(self):
        self.call([_BUSY, "answer"], seconds=7.0)
        first, second = (one.args[0] for one in self.function.call_args_list)
        self.assertAlmostEqual(first, 7.0)
        self.assertAlmostEqual(second, 7.0 - self.clock.waits[0])

    @parameterized.parameters(
        ("INVALID_ARGUMENT", "no image"),
        ("NOT_FOUND", "no model"),
        ("RESOURCE_EXHAUSTED", "Sent message larger than max (9 vs. 4)"),
    )
    def test_does_not_repeat_what_would_fail_again(self, code, message):
        with self.assertRaisesRegex(failures.Failure, code):
            self.call([failures.Failure(code, message), "answer"])
        self.assertEqual(self.function.call_count, 1)


if __name__ == "__main__":
    absltest.main()
