import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.tuning import phases
from tl_keras.tuning import plans
from tl_keras.tuning import pruning_settings


class ScheduleTest(parameterized.TestCase):
    @parameterized.parameters(
        (0.8, 0.0, 1.0, 1, 100),
        (0.5, 0.25, 0.75, 4, 200),
        (0.9, 0.1, 0.5, 7, 93),
    )
    def test_is_the_cubic_of_zhu_and_gupta(
        self, sparsity, start, end, every, total
    ):
        pruning = pruning_settings.Pruning(sparsity, start, end, every)
        steps, shares = zip(*pruning.schedule(total), strict=True)
        first, last = round(start * total), round(end * total)
        # s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3 with s_i = 0.
        t = np.array(steps)
        expected = sparsity - sparsity * (1 - (t - first) / (last - first)) ** 3
        np.testing.assert_allclose(shares, expected, rtol=1e-12)
        np.testing.assert_array_equal(np.diff(t[:-1]), every)
        self.assertEqual(steps[0], first + every)
        self.assertLessEqual(steps[-1] - steps[-2], every)

    @parameterized.parameters((0.0, 0.001, 5), (0.3, 0.3, 10), (0.9, 1.0, 1))
    def test_ends_with_the_sparsity_however_short(self, start, end, total):
        pruning = pruning_settings.Pruning(0.7, start, end)
        step, share = pruning.schedule(total)[-1]
        self.assertEqual((step, share), (max(1, round(end * total)), 0.7))

    def test_rises_from_step_to_step(self):
        schedule = pruning_settings.Pruning(0.9, every_steps=3).schedule(1000)
        steps, shares = map(np.array, zip(*schedule, strict=True))
        self.assertTrue(np.all(np.diff(steps) > 0))
        self.assertTrue(np.all(np.diff(shares) > 0))
        self.assertGreater(shares[0], 0)

    def test_keeping_zeros_has_none(self):
        self.assertEmpty(pruning_settings.Pruning(None).schedule(100))


class ValuesTest(parameterized.TestCase):
    @parameterized.parameters(
        ({"sparsity": 0.0}, "sparsity"),
        ({"sparsity": 1.0}, "sparsity"),
        ({"sparsity": 50}, "sparsity"),
        ({"sparsity": 0.5, "start": 1.0}, "start"),
        ({"sparsity": 0.5, "start": -0.1}, "start"),
        ({"sparsity": 0.5, "end": 0.0}, "end"),
        ({"sparsity": 0.5, "end": 1.5}, "end"),
        ({"sparsity": 0.5, "start": 0.6, "end": 0.4}, "end"),
        ({"sparsity": 0.5, "every_steps": 0}, "every_steps"),
        ({"sparsity": 0.5, "scope": "model"}, "scope"),
    )
    def test_out_of_range_are_refused_by_name(self, fields, name):
        with self.assertRaisesRegex(ValueError, rf"pruning\.{name}.*Got"):
            pruning_settings.Pruning(**fields)

    def test_of_another_type_are_refused(self):
        with self.assertRaisesRegex(TypeError, "pruning.sparsity"):
            pruning_settings.Pruning("0.5")


class PhaseTest(parameterized.TestCase):
    @parameterized.parameters(
        (0.5, pruning_settings.Pruning(0.5)),
        (
            {"sparsity": 0.5, "scope": "global"},
            pruning_settings.Pruning(0.5, scope="global"),
        ),
        ({"sparsity": None}, pruning_settings.Pruning(None)),
        (None, None),
    )
    def test_takes_what_a_config_can_hold(self, given, expected):
        self.assertEqual(
            phases.Phase(name="a", pruning=given).pruning, expected
        )

    @parameterized.parameters(
        ("half", TypeError, "phase.pruning.*Pruning"),
        (True, TypeError, "phase.pruning"),
        ({"sparsty": 0.5}, ValueError, "Did you mean 'sparsity'"),
        ({"scope": "layer"}, ValueError, "no sparsity"),
    )
    def test_refuses_what_says_no_pruning(self, given, error, message):
        with self.assertRaisesRegex(error, message):
            phases.Phase(name="a", pruning=given)

    def test_refuses_adapters_in_the_same_phase(self):
        with self.assertRaisesRegex(ValueError, "pruning.*lora_rank.*Leave"):
            phases.Phase(name="a", pruning=0.5, lora_rank=2)

    def test_documents_the_field(self):
        self.assertRegex(phases.Phase.__doc__, r"\n        pruning: ")


class PlansTest(parameterized.TestCase):
    @parameterized.parameters(
        ("linear_probe", [0.5]),
        ("full", [0.5]),
        ("head_then_top", [None, 0.5]),
        ("probe_then_full", [None, 0.5]),
        ("gradual", [None, None, None, 0.5]),
    )
    def test_the_last_phase_prunes(self, name, expected):
        plan = plans.make(name, pruning=0.5)
        self.assertEqual(
            [p.pruning and p.pruning.sparsity for p in plan.phases], expected
        )

    def test_adapters_are_not_pruned(self):
        with self.assertRaisesRegex(ValueError, "pruning.*lora_rank"):
            plans.make("lora", pruning=0.5)


if __name__ == "__main__":
    absltest.main()
