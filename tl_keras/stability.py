"""How the scores of a finished run scatter: over folds, splits and seeds."""

import dataclasses

from tl_keras import checks
from tl_keras import runs
from tl_keras import workdirs
from tl_keras.data import examples
from tl_keras.evaluation import repeats
from tl_keras.evaluation import trials
from tl_keras.reports import plots
from tl_keras.reports import results as reports
from tl_keras.training import log
from tl_keras.training import strategies


def measure(
    workdir,
    kind: str,
    count: int,
    *,
    repeat: int = 1,
    seeds: int = 1,
    group_column: str | None = None,
    data_dir: str | None = None,
    verbose="auto",
) -> trials.Trials:
    """Trains a finished run's plan again and again, and tells how it scatters.

    The figures go into the workdir's `results.json`, under
    `cross_validation` or `stability`, and a picture beside it.

    Args:
        workdir: The run's folder.
        kind: "folds": stratified cross-validation of what the run trained
            and validated on; "splits": random divisions of it; "seeds": other
            initial weights and order, on the run's own parts.
        count: How many folds, splits or seeds, at least 2.
        repeat: Of folds: how many divisions into them.
        seeds: Of folds and splits: how many trainings of each.
        group_column: Of folds and splits: a column of the data, whose equal
            values are never in both training and test.
        data_dir: Folder of prepared TensorFlow Datasets. None: that of the
            run.
        verbose: 0 prints nothing, else a line for each training.

    Returns:
        A `Trials`.

    Raises:
        ValueError: If there is no finished run, or an argument does not fit.
    """
    checks.one_of(kind, workdirs.SPREADS, name="kind")
    checks.integer(count, name=kind, low=2)
    config = workdirs.read_config(workdir)
    folder = workdirs.make(workdir)
    if data_dir is not None:
        chosen = dataclasses.replace(config.data, data_dir=data_dir)
        config = dataclasses.replace(config, data=chosen)
    settings = repeats.Settings(
        seed=config.seed,
        calibrate=config.calibrate,
        prefix_cache=config.prefix_cache,
        class_weight=config.class_weight,
        say=log.teller(verbose),
    )
    with strategies.strategy(config.strategy):
        model, data, plan = runs.prepared(
            config, change=None if kind == "seeds" else _pooled
        )
        common = {"settings": settings}
        if kind != "seeds":
            common |= {
                "seeds": seeds,
                "group_column": group_column,
                "validation_fraction": config.data.validation_fraction,
            }
        if kind == "folds":
            found = repeats.cross_validate(
                model, data, plan, folds=count, repeats=repeat, **common
            )
        elif kind == "splits":
            found = repeats.over_splits(
                model, data, plan, splits=count, **common
            )
        else:
            found = repeats.over_seeds(model, data, plan, seeds=count, **common)
    plots.spread(found, folder.spread(kind))
    _keep(found, folder)
    return found


def _pooled(source, config):
    """All that is for training and validation, as one part."""
    train = source.train
    if source.validation is not None:
        train = examples.joined(train, source.validation)
    pooled = dataclasses.replace(source, train=train, validation=None)
    return pooled, dataclasses.replace(config, validation_fraction=0.0)


def _keep(found, folder):
    """Adds the figures to the results of the run, where there are any."""
    if not folder.results.is_file():
        return
    known = reports.read(folder.results)
    if found.kind == "folds":
        known = dataclasses.replace(known, cross_validation=found.as_dict())
    else:
        scattered = {"seeds": None, "splits": None, **(known.stability or {})}
        scattered[found.kind] = found.as_dict()
        known = dataclasses.replace(known, stability=scattered)
    reports.write(known, folder.results)
