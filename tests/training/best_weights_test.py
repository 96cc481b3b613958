import keras
import numpy as np
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.training import best_weights


class BestWeightsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.network = keras.Sequential(
            [keras.Input((1,)), keras.layers.Dense(1)]
        )

    def after(self, best, epochs):
        """Plays epochs that each set the weight to their number."""
        for number, logs in enumerate(epochs):
            self.network.set_weights([np.full((1, 1), number), np.zeros(1)])
            best.on_epoch_end(number, logs)
        best.restore()
        return float(self.network.get_weights()[0][0, 0])

    @parameterized.parameters(
        ("val_accuracy", [0.1, 0.9, 0.5], 1.0, 0.9),
        ("val_loss", [0.4, 0.9, 0.2], 2.0, 0.2),
        ("val_accuracy", [0.7, 0.7, 0.7], 0.0, 0.7),
        ("val_accuracy", [float("nan"), 0.3, float("nan")], 1.0, 0.3),
    )
    def test_puts_back_the_best_epoch(self, monitor, scores, epoch, score):
        best = best_weights.BestWeights(self.network, monitor)
        self.assertEqual(
            self.after(best, [{monitor: s} for s in scores]), epoch
        )
        self.assertEqual(best.score, score)

    def test_a_phases_score_gets_over_a_nan(self):
        best = best_weights.BestWeights(self.network, "val_loss")
        best.on_train_begin()
        scores = [float("nan"), 0.5, float("nan"), 0.7]
        self.after(best, [{"val_loss": score} for score in scores])
        self.assertEqual(best.phase_score, 0.5)

    def test_a_lower_loss_decides_between_equal_scores(self):
        best = best_weights.BestWeights(self.network, "val_accuracy")
        epochs = [
            {"val_accuracy": 0.9, "val_loss": loss} for loss in (0.5, 0.3, 0.4)
        ]
        self.assertEqual(self.after(best, epochs), 1.0)

    def test_a_later_phase_that_only_loses_changes_nothing(self):
        best = best_weights.BestWeights(self.network, "val_accuracy")
        self.after(best, [{"val_accuracy": 0.2}, {"val_accuracy": 0.9}])
        best.on_train_begin()
        weight = self.after(best, [{"val_accuracy": 0.3}] * 3)
        self.assertEqual(weight, 1.0)
        self.assertEqual((best.score, best.phase_score), (0.9, 0.3))

    def test_a_phase_that_begins_anew_need_not_be_better(self):
        best = best_weights.BestWeights(self.network, "val_accuracy")
        self.after(best, [{"val_accuracy": 0.9}])
        best.begin_anew(first_epoch=2)
        best.on_train_begin()
        scores = [0.8, 0.95, 0.3, 0.6, 0.5]
        # The second one was too early.
        weight = self.after(best, [{"val_accuracy": s} for s in scores])
        self.assertEqual(weight, 3.0)
        self.assertEqual((best.score, best.phase_score), (0.6, 0.6))

    def test_until_a_phase_has_begun_anew_the_earlier_best_is_put_back(self):
        best = best_weights.BestWeights(self.network, "val_accuracy")
        self.after(best, [{"val_accuracy": 0.2}, {"val_accuracy": 0.9}])
        best.begin_anew(first_epoch=2)
        best.on_train_begin()
        weight = self.after(best, [{"val_accuracy": 1.0}] * 2)
        self.assertEqual((weight, best.score), (1.0, 0.9))
        self.assertIsNone(best.phase_score)

    def test_weights_with_a_nan_loss_are_never_the_best(self):
        best = best_weights.BestWeights(self.network, "val_accuracy")
        epochs = [
            {"val_accuracy": 0.5, "val_loss": loss} for loss in (1.0, np.nan)
        ]
        self.assertEqual(self.after(best, epochs), 0.0)

    def test_an_unknown_monitor_is_named_with_the_scores(self):
        best = best_weights.BestWeights(self.network, "val_acc")
        with self.assertRaisesRegex(ValueError, "'val_acc'.*'val_accuracy'"):
            best.on_epoch_end(0, {"loss": 1.0, "val_accuracy": 0.5})


if __name__ == "__main__":
    absltest.main()
