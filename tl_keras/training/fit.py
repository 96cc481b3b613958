"""Training a model by a plan, phase by phase."""

import dataclasses
import hashlib
import pathlib
import sys

import keras

from tl_keras import cards
from tl_keras import checks
from tl_keras import differences
from tl_keras.training import best_weights
from tl_keras.training import checkpoint_files
from tl_keras.training import fit_state
from tl_keras.training import keeper as keepers
from tl_keras.training import log
from tl_keras.training import losses
from tl_keras.training import preparation
from tl_keras.training import range_probe as probes
from tl_keras.training import run_identity
from tl_keras.training import strategies
from tl_keras.training import termination as terminations
from tl_keras.training import timed_choices
from tl_keras.training import workers
from tl_keras.training.checkpoint_settings import Checkpoints
from tl_keras.training.phase_training import PhaseResult
from tl_keras.training.phase_training import count_parameters
from tl_keras.training.prefix_settings import PrefixCache
from tl_keras.tuning.phases import Phase
from tl_keras.tuning.phases import Plan


@dataclasses.dataclass(frozen=True)
class FitResult:
    """What `fit` did.

    Attributes:
        phases: One `PhaseResult` a phase.
        monitor: Name of the score that chose the weights, or None without
            validation.
        best_score: Its value at the weights that the model has now.
        trained_parameters: Number of parameters that trained in any phase.
        frozen_parameters: Number of all others.
        history: One dict an epoch: `phase`, `epoch` (from 1), `seconds`,
            `learning_rate` (of the head, at its end) and Keras' logs.
    """

    phases: tuple[PhaseResult, ...]
    monitor: str | None
    best_score: float | None
    trained_parameters: int
    frozen_parameters: int
    history: list[dict]


def fit(
    model,
    data,
    plan,
    *,
    workdir=None,
    seed: int = 0,
    callbacks=(),
    loss=None,
    metrics=None,
    monitor: str | None = None,
    groups=None,
    class_weight=None,
    prefix_cache="auto",
    step_trial: bool = True,
    range_probe: str = "stop",
    validation_data=None,
    resume: bool = True,
    checkpoints: Checkpoints | None = None,
    verbose="auto",
) -> FitResult:
    """Trains a model in place, phase by phase, and keeps the best weights.

    Each phase is one `model.fit` of a training model that shares the weights
    of `model` and in which the frozen layer groups are in inference mode.
    `model` itself is not compiled, and its layers' `trainable` is left as it
    is: a layer that you froze stays frozen. At the end the model has the
    weights of the epoch with the best validation score of all phases; where a
    phase prunes, of those from its final sparsity on.

    With a `workdir`, a `fit` that was killed and is called again goes on where
    it was: with its weights, the optimizer's state and the schedule, the step
    in the epoch, masks, random states, scores and patience. On one CPU the
    weights at the end are, to the bit, those without the kill. On SIGTERM the
    step under way ends, a checkpoint is written, and the program ends with
    exit code 143.

    Within `with tl_keras.strategy(...):` several devices, of several workers
    too, share each batch; its size, the order of the examples, the losses and
    the weights are those of one device, but for rounding, BatchNormalization
    in training mode (which sees a replica's part of the batch) and what layers
    draw at random. All workers call `fit` alike; the first one writes.

    Args:
        model: A Functional or Sequential `keras.Model`, e.g. from `build`.
        data: A `tl_keras.data.Data` value, or a `tf.data.Dataset` of
            `(images, labels)` batches.
        plan: A `Plan`, e.g. `tl_keras.plans.head_then_top()`, or one `Phase`.
        workdir: Folder for `log.csv`, a row an epoch, which replaces an
            earlier one, and `choices.json`, what was chosen by a stopwatch,
            which is used again; and the folder `checkpoints`, which is
            removed when `fit` returns. None writes none of them.
        seed: Of the order of examples, augmentation and dropout.
        callbacks: Keras callbacks. Each phase is a training of its own to
            them; their `model` is the training model, and its `save` writes
            the user's. With methods `get_state()`, which gives a dict of
            numbers, texts, None, NumPy arrays, and lists and dicts of them,
            and `set_state(dict)`, what they remember is in the checkpoints.
            So it is for Keras' `EarlyStopping`, `ReduceLROnPlateau` and the
            best score of `ModelCheckpoint`; other callbacks begin anew when
            training goes on.
        loss: A Keras loss; None is the cross-entropy, of logits or
            probabilities as the model has them.
        metrics: Keras metrics; None is the accuracy.
        monitor: The score that chooses the best epoch; None is
            `"val_accuracy"` where there is one, else `"val_loss"`. A loss or
            error is best when low, any other score when high.
        groups: Group name to its layers, in graph order, for a model that
            was made elsewhere.
        class_weight: Class number to weight of its examples, or
            `"balanced"` for weights inverse to the classes' counts.
        prefix_cache: Whether what the frozen beginning of the model gives is
            computed once for each example and kept, and not anew in every
            epoch: `"auto"` where it pays, `"always"`, `"never"`, or a
            `PrefixCache` with more settings. It changes the time, and nothing
            else but the rounding of floats.
        step_trial: Whether a long phase (500 steps or more) on one device
            begins with a trial of a few steps: how many to run at a time, and
            on a GPU whether XLA makes them faster.
        range_probe: What happens when the first batch is not scaled as the
            encoder expects: `"stop"`, `"warn"` or `"off"`.
        validation_data: Validation batches beside a bare dataset.
        resume: Whether to go on from a checkpoint in the `workdir`, if there
            is one, which has to be of the same training. If not, checkpoints
            are removed. A bare dataset has to give the same batches in the
            same order each time.
        checkpoints: When they are written, a `tl_keras.Checkpoints`; None for
            its defaults.
        verbose: 0, 1 or 2 as in Keras; `"auto"` is a progress bar on a
            terminal, else a line an epoch.

    Returns:
        A `FitResult`.

    Raises:
        TypeError, ValueError: If an argument does not fit, or the `workdir`
            has checkpoints of another training; before training.
        FloatingPointError: If the loss becomes NaN or infinite.
        WorkerError: If another worker is gone.
        OSError: If a checkpoint cannot be written, e.g. to a full disk; the
            one before is as it was.

    Example:
        >>> import numpy as np
        >>> import tl_keras
        >>> rng = np.random.default_rng(0)
        >>> images = rng.integers(0, 256, (20, 32, 32, 3), "uint8")
        >>> data = tl_keras.data.from_arrays(train=(images, [0, 1] * 10))
        >>> model = tl_keras.build(
        ...     tl_keras.encoders.load("tiny"),
        ...     tl_keras.heads.Classifier(num_classes=2),
        ... )
        >>> plan = tl_keras.plans.linear_probe(epochs=2)
        >>> result = tl_keras.fit(model, data, plan, verbose=0)
        >>> [phase.groups for phase in result.phases]
        [('head',)]
    """
    checks.instance(model, keras.Model, name="model")
    if isinstance(plan, Phase):
        plan = Plan(plan.name, [plan])
    checks.instance(
        plan, Plan, name="plan", hint="Write e.g. `tl_keras.plans.full()`."
    )
    checks.integer(seed, name="seed")
    if isinstance(prefix_cache, str):
        prefix_cache = PrefixCache(mode=prefix_cache)
    checks.instance(
        prefix_cache,
        PrefixCache,
        name="prefix_cache",
        hint="Write 'auto', 'never', 'always' or `tl_keras.PrefixCache(...)`.",
    )
    checks.instance(resume, bool, name="resume")
    checkpoints = Checkpoints() if checkpoints is None else checkpoints
    checks.instance(
        checkpoints,
        Checkpoints,
        name="checkpoints",
        hint="Write e.g. `tl_keras.Checkpoints(seconds=600)`.",
    )
    with (
        terminations.Termination(
            active=workdir is not None and checkpoints.write
        ) as termination,
        strategies.scope_of(model) as strategy,
        workers.losses_told(),
    ):
        verbosity = _verbosity(verbose)
        prepared = preparation.prepare(
            model,
            data,
            plan,
            groups=groups,
            loss=loss,
            metrics=metrics,
            class_weight=class_weight,
            validation_data=validation_data,
            prefix_cache=prefix_cache,
            seed=seed,
            callbacks=callbacks,
            choices=timed_choices.TimedChoices(
                _file(workdir, timed_choices.FILE)
            ),
            step_trial=step_trial,
            verbose=verbosity,
        )
        feed, training = prepared.feed, prepared.training
        first_batch = next(iter(feed.train(Phase(name="probe"), 0, 1)))
        monitor = _monitor(monitor, training.metrics, feed.validates)
        # Mistakes in any phase are told before the first one trains.
        trained_weights = [
            weight
            for phase in plan.phases
            for weight in training.check(phase, monitor)
        ]
        probes.probe(model, first_batch[0], range_probe)
        in_parts = any(phase.micro_batches > 1 for phase in plan.phases)
        if in_parts or strategy.num_replicas_in_sync > 1:
            losses.check_shared(training.loss, first_batch[1], model)
        rows = log.EpochLog(
            _file(workdir, "log.csv") if workers.is_chief() else None
        )
        best = best_weights.BestWeights(model, monitor)
        identity = {}
        if workdir is not None or workers.count() > 1:
            identity = run_identity.of(
                plan=plan,
                model=model,
                whole=prepared.whole,
                groups=training.groups,
                feed=feed,
                seed=seed,
                loss=training.loss,
                metrics=training.metrics,
                monitor=monitor,
                prefix_cache=prefix_cache,
            )
        _check_alike(identity, model)
        keeper = keepers.Keeper(
            _checkpoint_folder(workdir, verbosity),
            checkpoints,
            identity,
            fit_state.FitState(
                model,
                [rows, best, *training.callbacks],
                training.starting_point,
            ),
            [phase.name for phase in plan.phases],
            termination,
        )
        keeper.begin(resume)
        results = [PhaseResult.from_dict(one) for one in keeper.results]
        try:
            with keeper:
                for phase in plan.phases[len(results) :]:
                    results.append(training.run(phase, best, rows, keeper))
                    keeper.end_phase(dataclasses.asdict(results[-1]))
        finally:
            # After an error or an interrupt the model has good weights too.
            best.restore()
    card = cards.of(model)
    if card is not None and getattr(data, "class_names", None):
        cards.attach(
            model,
            dataclasses.replace(card, class_names=tuple(data.class_names)),
        )
    trained, frozen = count_parameters(trained_weights, model)
    return FitResult(
        phases=tuple(results),
        monitor=best.monitor,
        best_score=best.score,
        trained_parameters=trained,
        frozen_parameters=frozen,
        history=rows.rows,
    )


def _monitor(monitor, metrics, validates: bool) -> str | None:
    if monitor is None and not validates:
        return None
    if monitor is None:
        return "val_accuracy" if _have_accuracy(metrics) else "val_loss"
    if all(metric is losses.accuracy for metric in metrics):
        known = ["loss", "val_loss"]
        if metrics:
            known += ["accuracy", "val_accuracy"]
        checks.one_of(monitor, known, name="monitor")
    if monitor.startswith("val_") and not validates:
        raise ValueError(
            f"`monitor` is {monitor!r}, and there is no validation data. Leave "
            "`monitor` out (the last epoch is kept), or give validation data."
        )
    return monitor


def _have_accuracy(metrics) -> bool:
    names = [getattr(m, "name", getattr(m, "__name__", m)) for m in metrics]
    return "accuracy" in names


def _check_alike(identity, model):
    """Refuses workers that would not train the same."""
    if workers.count() == 1:
        return
    hasher = hashlib.blake2b(digest_size=16)
    for weight in model.weights:
        hasher.update(weight.numpy().tobytes())
    facts = {**identity, "values of the weights": hasher.hexdigest()}
    first, *others = workers.gathered(facts)
    for number, other in enumerate(others, start=1):
        lines = differences.lines(first, other, where="in the first worker")
        if lines:
            raise ValueError(
                f"The workers are to train something different. Worker "
                f"{number} differs from the first one:\n  "
                + "\n  ".join(lines)
                + "\nGive all of them the same program, data and weights."
            )


def _checkpoint_folder(workdir, verbosity):
    if workdir is None:
        return None
    return checkpoint_files.CheckpointFolder(
        pathlib.Path(workdir) / checkpoint_files.FOLDER,
        log.teller(verbosity),
    )


def _file(workdir, name):
    if workdir is None:
        return None
    folder = pathlib.Path(workdir)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def _verbosity(verbose) -> int:
    checks.one_of(verbose, ["auto", 0, 1, 2], name="verbose")
    if not workers.is_chief():
        return 0
    if verbose == "auto":
        return 1 if sys.stdout.isatty() else 2
    return verbose
