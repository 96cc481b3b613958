"""One plan trained again and again: over folds, splits and seeds."""

import dataclasses
import time

import numpy as np

from tl_keras import cards
from tl_keras import checks
from tl_keras.data import reading
from tl_keras.evaluation import folds as folds_
from tl_keras.evaluation import predictions
from tl_keras.evaluation import sample as samples
from tl_keras.evaluation import temperature
from tl_keras.evaluation import trials as trials_
from tl_keras.training import fit as training
from tl_keras.training import kept_outputs
from tl_keras.training import prefix_settings


@dataclasses.dataclass(frozen=True)
class Settings:
    """How each training of several is done.

    Attributes:
        seed: Of the first training and of the first division; those after it
            count on.
        calibrate: Whether the temperature is fitted on the validation part of
            each training.
        prefix_cache: As in `fit`.
        class_weight: As in `fit`.
        say: Called with a line for each training; None says nothing.
    """

    seed: int = 0
    calibrate: bool = True
    prefix_cache: prefix_settings.PrefixCache = dataclasses.field(
        default_factory=prefix_settings.PrefixCache
    )
    class_weight: object = None
    say: object = None


def cross_validate(
    model,
    data,
    plan,
    *,
    folds: int = 5,
    repeats: int = 1,
    seeds: int = 1,
    group_column: str | None = None,
    validation_fraction: float = 0.1,
    settings: Settings | None = None,
) -> trials_.Trials:
    """Trains on all folds but one and tests on that one, for each fold.

    The training part of `data` is divided; its test part stays untouched. No
    training sees anything of its fold: weights, the choice of the epoch and
    the temperature come from the other folds, of which a share validates.
    Examples of equal content, or of one value of `group_column`, are never in
    both. One model is compiled, and its weights put back for each training;
    what is frozen in front is computed once for each example.

    Args:
        model: A model from `tl_keras.build`, with the weights that each
            training begins with. It has them again at the end.
        data: A `tl_keras.data.Data` without a validation part (load it with
            `validation_fraction=0`).
        plan: A `Plan`.
        folds: Number of folds, at least 2.
        repeats: How many divisions into folds, at least 1.
        seeds: How many trainings of each fold, with other initial weights of
            the head and another order, at least 1.
        group_column: A column of `data.columns("train")`, or None.
        validation_fraction: Share of the other folds that validates, in
            [0, 1).
        settings: A `Settings`; None for its defaults.

    Returns:
        A `Trials`.

    Raises:
        TypeError, ValueError: If an argument does not fit, before training.
    """
    checks.integer(repeats, name="repeats", low=1)
    settings = settings or Settings()
    groups = _groups(data, group_column)
    divisions = [
        (repeat, fold, parts)
        for repeat in range(repeats)
        for fold, parts in enumerate(
            folds_.k_fold(
                data.labels("train"),
                groups,
                folds,
                validation_fraction=validation_fraction,
                seed=settings.seed + repeat,
            )
        )
    ]
    return _over(
        "folds",
        divisions,
        _Trainer(model, data, plan, settings),
        seeds,
        folds=folds,
        repeats=repeats,
        group_column=group_column,
    )


def over_splits(
    model,
    data,
    plan,
    *,
    splits: int = 5,
    seeds: int = 1,
    test_fraction: float = 0.2,
    group_column: str | None = None,
    validation_fraction: float = 0.1,
    settings: Settings | None = None,
) -> trials_.Trials:
    """Trains and tests on several random divisions of the training part.

    Args:
        model, data, plan, seeds, group_column, validation_fraction, settings:
            As in `cross_validate`.
        splits: Number of divisions, at least 2.
        test_fraction: Share that is tested in each, in (0, 0.5].

    Returns:
        A `Trials`.

    Raises:
        TypeError, ValueError: As `cross_validate`.
    """
    settings = settings or Settings()
    divisions = folds_.hold_outs(
        data.labels("train"),
        _groups(data, group_column),
        splits,
        test_fraction=test_fraction,
        validation_fraction=validation_fraction,
        seed=settings.seed,
    )
    return _over(
        "splits",
        [(number, 0, parts) for number, parts in enumerate(divisions)],
        _Trainer(model, data, plan, settings),
        seeds,
        folds=None,
        repeats=splits,
        group_column=group_column,
    )


def over_seeds(
    model, data, plan, *, seeds: int = 5, settings: Settings | None = None
) -> trials_.Trials:
    """Trains several times on the same parts, and tests on the test part.

    Initial weights of the head, order, augmentation and dropout differ.

    Args:
        model, plan, settings: As in `cross_validate`.
        data: A `tl_keras.data.Data` with a test part.
        seeds: Number of trainings, at least 2.

    Returns:
        A `Trials`.

    Raises:
        TypeError, ValueError: As `cross_validate`.
    """
    checks.integer(seeds, name="seeds", low=2)
    settings = settings or Settings()
    if "test" not in data.splits:
        raise ValueError(
            f"{data.name!r} has no test part, on which trainings of several "
            "seeds could be compared. Divide it instead (`over_splits`, "
            "--splits=5)."
        )
    trainer = _Trainer(model, data, plan, settings, splits=data.splits)
    return _over(
        "seeds",
        [(0, 0, None)],
        trainer,
        seeds,
        folds=None,
        repeats=None,
        group_column=None,
    )


def _groups(data, group_column):
    if "validation" in data.splits:
        raise ValueError(
            "The data has a validation part, which would be left out. Load it "
            "with `validation_fraction=0`: each training makes one."
        )
    examples = data.splits["train"]
    column = None
    if group_column is not None:
        checks.one_of(group_column, list(examples.columns), name="group_column")
        column = examples.columns[group_column]
    return folds_.groups_of(examples.digests, column)


def _over(kind, divisions, trainer, seeds, *, folds, repeats, group_column):
    """Trains each division with each seed."""
    checks.integer(seeds, name="seeds", low=1)
    began = time.perf_counter()
    found = []
    try:
        prefix_seconds = trainer.prepare()
        for repeat, fold, parts in divisions:
            for number in range(seeds):
                seed = trainer.settings.seed + number
                trial = {"repeat": repeat, "fold": fold, "seed": seed}
                found.append(trial | trainer.run(parts, seed))
                if trainer.settings.say:
                    trainer.settings.say(_line(found[-1], kind))
    finally:
        trainer.restore()
    return trials_.summary(
        kind,
        found,
        folds=folds,
        repeats=repeats,
        seeds=seeds,
        group_column=group_column,
        num_examples=trainer.num_examples,
        seconds=time.perf_counter() - began,
        prefix_seconds=prefix_seconds,
    )


def _line(trial, kind) -> str:
    where = {
        "folds": f"repeat {trial['repeat'] + 1}, fold {trial['fold'] + 1}, ",
        "splits": f"split {trial['repeat'] + 1}, ",
        "seeds": "",
    }
    return (
        f"{where[kind]}seed {trial['seed']}: accuracy {trial['accuracy']:.4f} "
        f"({trial['seconds']:.1f} s)"
    )


class _Trainer:
    """One model that is trained again and again.

    Args:
        model, data, plan, settings: As in `cross_validate`.
        splits: Split name to `Examples` where these stay the same in all
            trainings; None where the training part is divided.
    """

    def __init__(self, model, data, plan, settings, splits=None):
        self.settings = settings
        self._model = model
        self._data = data
        self._plan = plan
        self._splits = splits
        self._start = model.get_weights()
        self._kept = kept_outputs.KeptOutputs(
            model, plan, data, settings.prefix_cache
        )
        self._parts = {}
        self._head = None

    @property
    def num_examples(self) -> int:
        if self._splits is None:
            return len(self._data.splits["train"])
        return sum(map(len, self._splits.values()))

    def prepare(self) -> float:
        """Computes what is frozen for all that will be asked; seconds."""
        seconds = 0.0
        for name in self._splits or ("train",):
            self._parts[name], more = self._kept.prepare(
                self._data.splits[name]
            )
            seconds += more
        self._head = self._kept.head(self._parts["train"])
        return seconds

    def run(self, parts, seed: int) -> dict:
        """Trains once; sizes, seconds and metrics of the test part."""
        began = time.perf_counter()
        self.restore()
        _draw_head(self._model, seed - self.settings.seed)
        splits, asked = self._divided(parts)
        test = splits["test"]
        self._fit(splits, asked, seed)
        logits = self._kept.outputs(*asked["test"])
        chosen = None
        if self.settings.calibrate and len(splits["validation"]):
            found = temperature.of_logits(
                self._kept.outputs(*asked["validation"]),
                splits["validation"].labels,
            )
            chosen = found.temperature
            logits = logits / np.float32(chosen)
        sample = samples.Sample(predictions.softmax(logits), test.labels)
        scores = sample.metrics()
        return {
            "num_train": len(splits["train"]),
            "num_validation": len(splits["validation"]),
            "num_test": len(test),
            "temperature": chosen,
            "seconds": time.perf_counter() - began,
            **{name: float(scores[name][0]) for name in trials_.METRICS},
        }

    def _fit(self, splits, asked, seed):
        """Trains on what is for training and validation, and on no more."""
        given = {
            name: part
            for name, part in splits.items()
            if name != "test" and len(part)
        }
        model, options = self._model, {}
        if self._head is not None:
            # No search for what is kept, which takes longer than the steps.
            model = self._head
            layers = [layer for layer in model.layers if layer.weights]
            options["groups"] = {"head": layers}
            for name, part in given.items():
                kept, indices = asked[name]
                reader = kept.reader.chosen(indices)
                given[name] = dataclasses.replace(part, inputs=reader)
        training.fit(
            model,
            dataclasses.replace(self._data, splits=given),
            self._plan,
            seed=seed,
            class_weight=self.settings.class_weight,
            prefix_cache=(
                self.settings.prefix_cache if self._head is None else "never"
            ),
            range_probe="off",
            verbose=0,
            **options,
        )

    def restore(self):
        """Puts back the weights that each training begins with, in place."""
        self._model.set_weights(self._start)

    def _divided(self, parts):
        """Examples by split, and what to ask for: a kept part, and indices."""
        if parts is None:
            none = _chosen(self._splits["train"], np.arange(0))
            splits = {"validation": none, **self._splits}
            asked = {
                name: (self._parts[name], np.arange(len(splits[name])))
                for name in self._parts
            }
            return splits, asked
        examples = self._data.splits["train"]
        indices = {
            name: getattr(parts, name)
            for name in ("train", "validation", "test")
        }
        kept = self._parts["train"]
        splits = {n: _chosen(examples, i) for n, i in indices.items()}
        return splits, {n: (kept, i) for n, i in indices.items()}


def _chosen(examples, indices):
    """Examples at some indices, read by the same reader."""
    return dataclasses.replace(
        examples,
        inputs=reading.Chosen(examples.inputs, indices),
        labels=examples.labels[indices],
        ids=examples.ids[indices],
        digests=examples.digests[indices],
        columns={name: v[indices] for name, v in examples.columns.items()},
    )


def _draw_head(model, further: int):
    """Gives the head other initial weights, in place.

    They are those that `build` gives for a seed that is `further` from the
    model's own.

    Args:
        model: A model with a card.
        further: Difference of the seeds; 0 leaves all as it is.
    """
    if not further:
        return
    *_, head = cards.of(model).groups.values()
    for name in head:
        layer = model.get_layer(name)
        for weight in layer.weights:
            found = getattr(layer, f"{weight.name}_initializer", None)
            seed = getattr(found, "seed", None)
            if isinstance(seed, int):
                config = {**found.get_config(), "seed": seed + further}
                drawn = type(found).from_config(config)
                weight.assign(drawn(weight.shape, weight.dtype))
