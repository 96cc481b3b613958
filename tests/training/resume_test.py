"""Training that was stopped goes on as if it had not been."""

import contextlib
import csv
import functools
import io
import os
import pathlib
import signal
import threading
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.training import step_trial
from tl_keras.tuning import Phase
from tl_keras.tuning import Plan

_RNG = np.random.default_rng(0)
INPUTS = _RNG.normal(size=(22, 6)).astype("float32")
LABELS = np.arange(22) % 2
# Batches of eight, eight and six.
STEPS = 3
EVERY_STEP = tl_keras.Checkpoints(seconds=None, steps=1)
MEASURED = ("seconds", "waiting")


def network(activation=None, **options):
    """A model that draws numbers, keeps statistics and has two groups."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(8, activation, name="body_dense", **options),
            keras.layers.BatchNormalization(name="body_norm", **options),
            keras.layers.Dropout(0.3, **options),
            keras.layers.Dense(2, name="head_dense", dtype="float32"),
        ]
    )


def batches():
    whole = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS))
    return whole.batch(8)


def fit(model, plan, workdir=None, **options):
    return tl_keras.fit(
        model,
        batches(),
        plan,
        workdir=workdir,
        **{
            "validation_data": batches(),
            "groups": {
                "body": ["body_dense", "body_norm"],
                "head": ["head_dense"],
            },
            "checkpoints": EVERY_STEP,
            "verbose": 0,
            **options,
        },
    )


def told(history):
    """What of a history does not depend on a stopwatch."""
    return [
        {name: value for name, value in row.items() if name not in MEASURED}
        for row in history
    ]


class Stopped(Exception):
    pass


class Stop(keras.callbacks.Callback):
    """Raises an error the `count`-th time that something happens."""

    def __init__(self, count, hook="on_train_batch_end"):
        super().__init__()
        self._left = count
        setattr(self, hook, self._count)

    def _count(self, *_, **__):
        self._left -= 1
        if not self._left:
            raise Stopped


class Base(parameterized.TestCase):
    def assert_equal_weights(self, one, other):
        for first, second in zip(
            one.get_weights(), other.get_weights(), strict=True
        ):
            np.testing.assert_array_equal(first, second)


class GoesOnTest(Base):
    """Stops a training everywhere, and compares with one that was not."""

    def compare(self, plan, counts, make=network, hook=None, **options):
        """Compares for stops at each of `counts`; gives the whole result."""
        extra = options.pop("extra", list)
        is_new = options.pop("new_models", False)
        whole, model = make(), make()
        start = model.get_weights()
        expected = fit(whole, plan, callbacks=extra(), **options)
        for count in counts:
            folder = self.create_tempdir().full_path
            stop = Stop(count, *([hook] if hook else []))
            with self.subTest(count=count):
                for callbacks in ([stop], []):
                    # A model that trained before is there to be trained on;
                    # one that is new has all its variables yet to make.
                    model = make() if is_new else model
                    model.set_weights(start)
                    stops = self.assertRaises(Stopped)
                    with stops if callbacks else contextlib.nullcontext():
                        result = fit(
                            model,
                            plan,
                            folder,
                            callbacks=[*extra(), *callbacks],
                            **options,
                        )
                self.assert_equal_weights(whole, model)
                self.assertEqual(told(expected.history), told(result.history))
                self.assertEqual(expected.best_score, result.best_score)
                self.assertEqual(
                    [phase.epochs for phase in expected.phases],
                    [phase.epochs for phase in result.phases],
                )
                with open(f"{folder}/log.csv") as file:
                    rows = list(csv.DictReader(file))
                self.assertLen(rows, len(expected.history))
                self.assertNotIn("checkpoints", os.listdir(folder))
        return expected

    @parameterized.named_parameters(
        ("adamw", {"optimizer": "adamw", "warmup_epochs": 1}),
        ("averages", {"optimizer_options": {"use_ema": True}}),
        ("pruning", {"pruning": {"sparsity": 0.5, "every_steps": 2}}),
        (
            "averages_in_parts",
            {"weights_average": 0.9, "micro_batches": 3, "lora_rank": 1},
        ),
        ("a_number_of_steps", {"steps": 2 * STEPS - 3}),
    )
    def test_at_each_step_with(self, fields):
        self._compare_at_each_step(fields)

    # They are among the phases of `test_through_several_phases`, too.
    @parameterized.named_parameters(
        ("momentum", {"optimizer": "sgd"}),
        ("lora", {"lora_rank": 1, "learning_rate": 0.05}),
        ("the_pull_to_the_start", {"starting_point_strength": 0.5}),
        ("a_frozen_body", {"train": "head"}),
    )
    @pytest.mark.slow
    def test_at_each_step_also_with(self, fields):
        self._compare_at_each_step(fields)

    def _compare_at_each_step(self, fields):
        options = {}
        if "optimizer_options" in fields:
            # Averages over steps go with no best epoch.
            options["validation_data"] = None
        phase = Phase(
            name="a", **{"epochs": 2, "learning_rate": 0.01, **fields}
        )
        steps = phase.steps or 2 * STEPS
        self.compare(phase, range(1, steps + 1), **options)

    def test_with_a_model_that_never_trained(self):
        phase = Phase(name="a", epochs=2, learning_rate=0.01)
        self.compare(phase, range(1, 2 * STEPS + 1), new_models=True)

    def test_through_several_phases(self):
        plan = Plan(
            "p",
            [
                Phase(name="a", train="head", learning_rate=0.1),
                Phase(
                    name="b",
                    lora_rank=1,
                    starting_point_strength=0.1,
                    learning_rate=0.1,
                ),
                Phase(
                    name="c",
                    pruning=0.5,
                    weights_average=0.5,
                    micro_batches=2,
                    learning_rate=0.01,
                ),
            ],
        )
        self.compare(plan, range(1, 3 * STEPS + 1))

    def test_in_a_validation_and_behind_it(self):
        phase = Phase(name="a", epochs=2, learning_rate=0.01)
        for hook, counts in (
            ("on_test_batch_end", [2, STEPS + 1]),
            ("on_epoch_end", [1, 2]),
            ("on_train_end", [1]),
        ):
            self.compare(phase, counts, hook=hook)

    def test_with_patience(self):
        # At this rate the loss is best early, and the patience ends.
        phase = Phase(
            name="a", epochs=8, learning_rate=0.5, patience=2, weight_decay=0.0
        )
        expected = self.compare(phase, [4, 3 * STEPS])
        self.assertLess(expected.phases[0].epochs, 8)

    def test_with_several_steps_at_a_time(self):
        chosen = {"steps_per_execution": 2, "jit_compile": False}
        phase = Phase(name="a", epochs=3, learning_rate=0.01)
        with mock.patch.object(step_trial, "FEWEST_STEPS", 1):
            with mock.patch.object(step_trial, "choose", return_value=chosen):
                # Two calls an epoch, of two steps and of one.
                self.compare(phase, range(1, 7))

    def test_with_class_weights_and_metrics(self):
        phases = [Phase(name="a", train="head"), Phase(name="b")]
        self.compare(
            Plan("p", phases),
            [2, STEPS + 2],
            class_weight={0: 0.3, 1: 2.0},
            metrics=[
                "accuracy",
                keras.metrics.SparseCategoricalCrossentropy(from_logits=True),
            ],
        )

    def test_with_a_scaled_loss(self):
        self.compare(
            Phase(name="a", epochs=2, learning_rate=0.01),
            [2, STEPS + 1],
            make=functools.partial(network, dtype="mixed_float16"),
        )

    def test_with_checkpoints_at_the_ends_of_epochs_alone(self):
        self.compare(
            Phase(name="a", epochs=3, learning_rate=0.01),
            [2, STEPS + 2, 3 * STEPS],
            checkpoints=tl_keras.Checkpoints(seconds=None),
        )

    def test_with_callbacks_that_remember(self):
        class Slower(keras.callbacks.Callback):
            """Halves the rate at every fifth step that it has seen."""

            def __init__(self):
                super().__init__()
                self.seen = 0

            def on_train_batch_end(self, batch, logs=None):
                self.seen += 1
                if not self.seen % 5:
                    optimizer = self.model.optimizer
                    optimizer.learning_rate = optimizer.learning_rate * 0.5

            def get_state(self):
                return {"seen": np.array(self.seen)}

            def set_state(self, state):
                self.seen = int(state["seen"])

        def extra():
            return [
                Slower(),
                keras.callbacks.ReduceLROnPlateau(patience=1, min_delta=9.0),
            ]

        phase = Phase(
            name="a", epochs=4, learning_rate=0.05, schedule="constant"
        )
        expected = self.compare(phase, range(2, 4 * STEPS, 3), extra=extra)
        # Twelve steps halve it twice, and of the three epochs that are no
        # better than the first, two end before the last row.
        rate = expected.history[-1]["learning_rate"]
        self.assertAlmostEqual(rate, 0.05 * 0.5**2 * 0.1**2, places=9)

    def test_where_a_callback_has_ended_training(self):
        class End(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if self.model.train_function.done == STEPS + 2:
                    self.model.stop_training = True

        phase = Phase(name="a", epochs=3, learning_rate=0.01)
        # In the validation of the second epoch, whose last step is behind it.
        expected = self.compare(
            phase,
            [STEPS + 1],
            extra=lambda: [End()],
            hook="on_test_batch_end",
        )
        self.assertEqual(expected.phases[0].epochs, 2)

    def test_a_second_stop_is_as_good_as_one(self):
        phase = Phase(name="a", epochs=2, learning_rate=0.01)
        whole, model = network(), network()
        fit(whole, phase)
        folder = self.create_tempdir().full_path
        for count in (4, 1, 1, 2):
            with self.assertRaises(Stopped):
                fit(network(), phase, folder, callbacks=[Stop(count)])
        fit(model, phase, folder)
        self.assert_equal_weights(whole, model)

    def test_callbacks_hear_of_no_step_twice(self):
        heard = []

        class Hear(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                heard.append(batch)

        phase = Phase(name="a")
        folder = self.create_tempdir().full_path
        with self.assertRaises(Stopped):
            fit(network(), phase, folder, callbacks=[Stop(3)])
        fit(network(), phase, folder, callbacks=[Hear()])
        # Two steps were done; the third was stopped before its end.
        self.assertEqual(heard, [2])


class CheckpointsOfFitTest(Base):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.checkpoints = pathlib.Path(self.folder, "checkpoints")
        self.phase = Phase(name="a", epochs=2, learning_rate=0.01)

    def stopped(self, count=3, **options):
        with self.assertRaises(Stopped):
            fit(
                network(),
                self.phase,
                self.folder,
                callbacks=[Stop(count)],
                **options,
            )

    def printed(self, **options):
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            model = network()
            fit(model, self.phase, self.folder, verbose=2, **options)
        return model, shown.getvalue()

    def assert_as_unbroken(self, model):
        whole = network()
        fit(whole, self.phase)
        self.assert_equal_weights(whole, model)

    def test_it_says_where_it_goes_on(self):
        self.stopped(STEPS + 3)
        _, shown = self.printed()
        self.assertIn("Going on in phase 'a', epoch 2, step 3.", shown)

    def test_two_are_kept(self):
        self.stopped(5)
        self.assertLen(list(self.checkpoints.iterdir()), 2)

    @parameterized.parameters("cut", "flipped", "empty")
    def test_a_damaged_one_is_passed_over(self, damage):
        self.stopped()
        newest = max(self.checkpoints.iterdir())
        content = bytearray(newest.read_bytes())
        if damage == "cut":
            content = content[:-1]
        elif damage == "flipped":
            content[len(content) // 2] ^= 1
        else:
            content = b""
        newest.write_bytes(content)
        model, shown = self.printed()
        self.assertIn("damaged", shown)
        # Two steps were done, and the last checkpoint but one has one.
        self.assertIn("epoch 1, step 2", shown)
        self.assert_as_unbroken(model)

    def test_where_all_are_damaged_it_begins_anew(self):
        self.stopped()
        for file in self.checkpoints.iterdir():
            file.write_bytes(b"nothing")
        model, shown = self.printed()
        self.assertNotIn("Going on", shown)
        self.assert_as_unbroken(model)

    def test_another_training_is_refused_with_the_difference(self):
        self.stopped()
        for phase, options, message in (
            (
                Phase(name="a", epochs=2, learning_rate=0.02),
                {},
                "plan.a.learning_rate: 0.01 in the checkpoint, 0.02 now",
            ),
            (self.phase, {"seed": 3}, "seed: 0 in the checkpoint, 3 now"),
            (
                self.phase,
                {"class_weight": {0: 2.0}},
                "class_weight.0: nothing in the checkpoint, 2.0 now",
            ),
            (
                self.phase,
                {"groups": {"all": ["body_dense", "body_norm", "head_dense"]}},
                "model.groups",
            ),
        ):
            with self.assertRaisesRegex(ValueError, message):
                fit(network(), phase, self.folder, **options)

    def test_another_model_is_refused(self):
        self.stopped()
        model = network()
        model.get_layer("body_dense").trainable = False
        with self.assertRaisesRegex(ValueError, "weights.0:.*frozen' now"):
            fit(model, self.phase, self.folder)
        with self.assertRaisesRegex(ValueError, "model.graph"):
            fit(network(activation="relu"), self.phase, self.folder)

    def test_that_may_be_begun_anew(self):
        self.stopped()
        phase = Phase(name="a", learning_rate=0.02)
        result = fit(network(), phase, self.folder, resume=False)
        self.assertLen(result.history, 1)
        self.assertFalse(self.checkpoints.exists())

    def test_what_is_kept_gives_the_result_at_once(self):
        keep = tl_keras.Checkpoints(keep=True)
        model = network()
        first = fit(model, self.phase, self.folder, checkpoints=keep)
        again = network()
        with mock.patch.object(keras.Model, "fit") as trains:
            second = fit(again, self.phase, self.folder, checkpoints=keep)
        trains.assert_not_called()
        self.assertEqual(first, second)
        self.assert_equal_weights(model, again)

    def test_none_are_written_where_none_are_wanted(self):
        self.stopped(checkpoints=tl_keras.Checkpoints(write=False))
        self.assertFalse(self.checkpoints.exists())

    def test_a_full_disk_leaves_the_last_one(self):
        full = OSError(28, "No space left on device")
        sync, count = os.fsync, iter(range(100))

        def fsync(handle):
            # Each checkpoint syncs its file and its folder.
            if next(count) >= 6:
                raise full
            return sync(handle)

        with mock.patch.object(os, "fsync", fsync):
            with self.assertRaisesRegex(OSError, "No space.*make room"):
                fit(network(), self.phase, self.folder)
        self.assertEqual(
            sorted(file.name for file in self.checkpoints.iterdir()),
            ["00000002.checkpoint", "00000003.checkpoint"],
        )
        model, shown = self.printed()
        self.assertIn("epoch 1, behind its last step", shown)
        self.assert_as_unbroken(model)

    def test_a_state_that_cannot_be_kept_is_told(self):
        class Strange(keras.callbacks.Callback):
            def get_state(self):
                return {"lock": {1, 2}}

            def set_state(self, state):
                pass

        with self.assertRaisesRegex(TypeError, "set.*Expected numbers"):
            fit(network(), self.phase, self.folder, callbacks=[Strange()])


class TerminationTest(Base):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.phase = Phase(name="a", epochs=2, learning_rate=0.01)
        self.rare = tl_keras.Checkpoints(seconds=None)

    def terminated(self, hook, count):
        class Terminate(Stop):
            def _count(self, *_, **__):
                self._left -= 1
                if not self._left:
                    os.kill(os.getpid(), signal.SIGTERM)

        shown = io.StringIO()
        with contextlib.redirect_stderr(shown):
            with self.assertRaises(SystemExit) as raised:
                fit(
                    network(),
                    self.phase,
                    self.folder,
                    callbacks=[Terminate(count, hook)],
                    checkpoints=self.rare,
                )
        self.assertEqual(raised.exception.code, 143)
        self.assertIn("Start the same again", shown.getvalue())
        heard = []

        class Hear(keras.callbacks.Callback):
            def on_train_batch_begin(self, batch, logs=None):
                heard.append(batch)

        model, whole = network(), network()
        fit(model, self.phase, self.folder, callbacks=[Hear()])
        fit(whole, self.phase)
        self.assert_equal_weights(whole, model)
        return heard

    def test_ends_the_step_under_way_and_loses_none(self):
        heard = self.terminated("on_train_batch_begin", STEPS + 1)
        self.assertEqual(heard, [1, 2])

    def test_ends_the_validation_under_way(self):
        heard = self.terminated("on_test_batch_begin", 1)
        self.assertEqual(heard, list(range(STEPS)))

    def test_between_epochs_it_is_heard_at_once(self):
        heard = self.terminated("on_train_begin", 1)
        self.assertLen(heard, 2 * STEPS)

    def test_what_was_done_on_the_signal_is_done_again(self):
        earlier = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            fit(network(), self.phase, self.folder)
            self.assertEqual(signal.getsignal(signal.SIGTERM), signal.SIG_IGN)
        finally:
            signal.signal(signal.SIGTERM, earlier)

    def test_another_thread_trains_without_it(self):
        results = []
        thread = threading.Thread(
            target=lambda: results.append(
                fit(network(), self.phase, self.folder)
            )
        )
        thread.start()
        thread.join()
        self.assertLen(results, 1)


if __name__ == "__main__":
    absltest.main()
