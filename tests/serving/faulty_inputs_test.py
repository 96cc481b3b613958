"""Tests of the search for inputs at fault."""

import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.serving import failures
from tl_keras.serving import faulty_inputs


class _Server:
    """Refuses what holds one of the faults, and counts."""

    def __init__(self, faults):
        self.faults = faults
        self.calls = 0

    def refusal(self, start, stop):
        self.calls += 1
        held = [one for one in range(start, stop) if one in self.faults]
        return f"fault {held[0]}" if held else None


class SearchTest(parameterized.TestCase):
    @parameterized.parameters(*range(1, 20))
    def test_finds_just_the_faults(self, count):
        rng = np.random.default_rng(count)
        faults = set(np.flatnonzero(rng.random(count) < 0.3).tolist())
        faults |= {int(rng.integers(count))}
        found = faulty_inputs.search(_Server(faults).refusal, count)
        self.assertEqual(
            found.messages, {one: f"fault {one}" for one in sorted(faults)}
        )
        self.assertTrue(found.is_complete)

    @parameterized.parameters(0, 31, 40, 63)
    def test_one_fault_among_64_takes_a_dozen_calls_at_most(self, fault):
        server = _Server({fault})
        faulty_inputs.search(server.refusal, 64)
        # 64 is halved six times; each time at most both halves are asked.
        self.assertLessEqual(server.calls, 12)

    def test_finds_none_in_a_batch_that_is_refused_as_a_whole(self):
        found = faulty_inputs.search(lambda start, stop: None, 64)
        self.assertEqual(found, faulty_inputs.Search({}, True))

    def test_stops_when_its_calls_are_spent(self):
        server = _Server(set(range(64)))
        found = faulty_inputs.search(server.refusal, 64, most_calls=20)
        self.assertEqual(server.calls, 20)
        self.assertFalse(found.is_complete)
        self.assertEqual(list(found.messages), list(range(len(found.messages))))
        self.assertNotEmpty(found.messages)

    def test_keeps_what_it_has_when_the_server_fails(self):
        server = _Server({0, 7})

        def refusal(start, stop):
            if stop > 4:
                raise failures.Failure("UNAVAILABLE", "gone")
            return server.refusal(start, stop)

        found = faulty_inputs.search(refusal, 8)
        self.assertEqual(found, faulty_inputs.Search({0: "fault 0"}, False))


if __name__ == "__main__":
    absltest.main()
