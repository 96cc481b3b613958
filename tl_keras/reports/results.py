"""What a run found out, as `results.json` and as a table."""

import dataclasses
import importlib.resources
import json
import math
import pathlib
import platform

import numpy as np

from tl_keras import checks
from tl_keras import whole_files

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
    """The content of `results.json`, whose JSON schema `schema` gives.

    What a run did not do is None, and is not in the file.

    Attributes:
        schema_version: Of the form of the file.
        dataset: Name of the data set.
        encoder: Name of the encoder.
        plan: Name of the plan.
        seed: Seed of the run.
        data_fingerprint: Hexadecimal digest of the data's content.
        parameters: `trained` and `frozen`: how many parameters trained in
            any phase, and how many in none.
        phases: One dict per phase, in order: `name`, `groups` (names of the
            layer groups that trained), `epochs`, `seconds`,
            `best_validation_score` (None without validation),
            `trained_parameters`, `frozen_parameters`, `waiting` (for each
            epoch, which share of its training time passed in wait for data),
            `prefix_cache` (the fields of a `CacheReport`) and `sparsity` (the
            share of zeros at its end in the kernels that it pruned; None
            without such kernels).
        test: The fields of an `Evaluation` on the test split; None if there
            is no such split.
        versions: Versions of `tl_keras`, `tensorflow`, `keras`, `numpy` and
            `python`.
        calibration: The fields of a `Calibration`, whose `before` and `after`
            are under `validation`, and under `test` those on the test part
            (None without one); None where nothing was calibrated.
        cross_validation: The fields of `Trials` over folds, from `tl-keras
            evaluate --folds`; None if that was not asked for.
        stability: `seeds` and `splits`: the fields of `Trials` over them,
            from `--seeds` and `--splits`; None as above.
        robustness: The fields of a `Robustness`, from `tl-keras evaluate
            --corruptions`; None if that was not asked for.
        config: The fields of the config, None for a training without one.
        data: What `description.of` says of the data.
        history: A dict an epoch, the rows of `FitResult.history`.
        best: Of the epoch whose weights were kept: its `row` in `history`
            (from 0), `phase`, `epoch`, `monitor` and `score`.
        cost: What `Costs.as_dict` gave.
        origin: What `tl_keras.encoders.origins` says of the encoder.
        examples: Single examples of the test part that are worth a look.
        excluded_examples: How many examples were left out by name, by the
            part of the source that they were in.
        comparison: The fields of a `Comparison` with other runs.
        explanations: What `tl-keras explain` found.
        audit: What `tl-keras audit` found in the data.
    """

    schema_version: int = SCHEMA_VERSION
    dataset: str
    encoder: str
    plan: str
    seed: int
    data_fingerprint: str
    parameters: dict[str, int]
    phases: list[dict]
    test: dict | None
    versions: dict[str, str]
    config: dict | None = None
    data: dict | None = None
    history: list[dict] | None = None
    best: dict | None = None
    cost: dict | None = None
    origin: dict | None = None
    examples: dict | None = None
    excluded_examples: dict[str, int] | None = None
    calibration: dict | None = None
    cross_validation: dict | None = None
    stability: dict | None = None
    robustness: dict | None = None
    comparison: dict | None = None
    explanations: dict | None = None
    audit: dict | None = None


def schema() -> dict:
    """The JSON schema (draft 2020-12) of `results.json`.

    Example:
        >>> schema()["properties"]["seed"]["type"]
        'integer'
    """
    folder = importlib.resources.files(__package__)
    return json.loads((folder / "results.schema.json").read_text("utf-8"))


def collect(
    fit_result,
    evaluation,
    *,
    dataset: str,
    encoder: str,
    plan: str,
    seed: int,
    data_fingerprint: str,
    **sections,
) -> Results:
    """The results of a run that has just ended, with the versions in use.

    Args:
        fit_result: What `tl_keras.fit` returned.
        evaluation: What `tl_keras.evaluate` returned for the test split, or
            None if there is no such split.
        dataset: Name of the data set.
        encoder: Name of the encoder.
        plan: Name of the plan.
        seed: Seed of the run.
        data_fingerprint: Of the data's content: `data.fingerprint`.
        **sections: Other fields of `Results`, e.g. `calibration`.

    Returns:
        `Results`.

    Example:
        >>> import types
        >>> from tl_keras.reports import results
        >>> phase = types.SimpleNamespace(
        ...     name="head",
        ...     groups=("head",),
        ...     epochs=2,
        ...     seconds=1.5,
        ...     best_score=0.9,
        ...     trained_parameters=30,
        ...     frozen_parameters=400,
        ...     waiting=(0.1, 0.02),
        ...     prefix_cache=None,
        ...     sparsity=None,
        ... )
        >>> found = results.collect(
        ...     types.SimpleNamespace(
        ...         phases=(phase,),
        ...         trained_parameters=30,
        ...         frozen_parameters=400,
        ...         history=[],
        ...         monitor=None,
        ...         best_score=None,
        ...     ),
        ...     None,
        ...     dataset="digits",
        ...     encoder="tiny",
        ...     plan="linear_probe",
        ...     seed=0,
        ...     data_fingerprint="5f3a",
        ... )
        >>> found.parameters
        {'trained': 30, 'frozen': 400}
        >>> print(results.table(found))
        digits, tiny, linear_probe, seed 0
        <BLANKLINE>
        phase  groups  epochs  seconds  trained  best validation score
        head   head         2      1.5       30                 0.9000
        <BLANKLINE>
        30 of 430 parameters trained.
    """
    phases = [
        {
            "name": phase.name,
            "groups": list(phase.groups),
            "epochs": phase.epochs,
            "seconds": phase.seconds,
            "best_validation_score": phase.best_score,
            "trained_parameters": phase.trained_parameters,
            "frozen_parameters": phase.frozen_parameters,
            "waiting": list(phase.waiting),
            "prefix_cache": _plain(
                phase.prefix_cache and dataclasses.asdict(phase.prefix_cache)
            ),
            "sparsity": phase.sparsity,
        }
        for phase in fit_result.phases
    ]
    return Results(
        dataset=dataset,
        encoder=encoder,
        plan=plan,
        seed=seed,
        data_fingerprint=data_fingerprint,
        parameters={
            "trained": fit_result.trained_parameters,
            "frozen": fit_result.frozen_parameters,
        },
        phases=phases,
        test=None if evaluation is None else evaluation.as_dict(),
        versions=_versions(),
        history=[dict(row) for row in fit_result.history],
        best=_best(fit_result),
        **sections,
    )


def _best(fit_result) -> dict | None:
    """Which epoch gave the weights that the model has; None if it is last."""
    for index, row in enumerate(fit_result.history):
        score = row.get(fit_result.monitor)
        if score is not None and score == fit_result.best_score:
            return {
                "row": index,
                "phase": row["phase"],
                "epoch": row["epoch"],
                "monitor": fit_result.monitor,
                "score": score,
            }
    return None


def write(results: Results, path) -> pathlib.Path:
    """Writes results as JSON.

    JSON knows neither NaN nor infinity: both are written as null, and `read`
    gives None for them. A file of that name is replaced once the new one is
    whole.

    Args:
        results: `Results`, with NumPy numbers or plain ones.
        path: File name. Missing folders are made.

    Returns:
        The path.

    Raises:
        TypeError: If `results` is something else, or holds what JSON cannot.
    """
    checks.instance(
        results, Results, name="results", hint="`results.collect` makes one."
    )
    text = _json(_plain(as_dict(results))) + "\n"
    with whole_files.replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return pathlib.Path(path)


def as_dict(results: Results) -> dict:
    """The entries of the file: all fields but those of what was not done.

    `test` is always there, null where there is no test part.
    """
    optional = {
        field.name
        for field in dataclasses.fields(Results)
        if field.default is None
    }
    return {
        name: value
        for name, value in dataclasses.asdict(results).items()
        if value is not None or name not in optional
    }


def read(path) -> Results:
    """Reads what `write` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no JSON, lacks an entry or has others.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There are no results at {str(path)!r}. A run writes them when "
            "it ends; name a workdir of a run that has ended."
        )
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as JSON: {error}. Expected a file "
            "that `tl_keras` wrote; run again to replace it."
        ) from error
    return from_dict(entries, where=repr(str(path)))


def from_dict(entries: dict, *, where: str = "The dict") -> Results:
    """Results from the entries of their file.

    Args:
        entries: What JSON holds.
        where: How an error speaks of it.

    Raises:
        ValueError: If there are other entries, or some are missing.
    """
    fields = dataclasses.fields(Results)
    known = [field.name for field in fields]
    needed = {f.name for f in fields if f.default is dataclasses.MISSING}
    got = sorted(entries) if isinstance(entries, dict) else type(entries)
    if not isinstance(entries, dict) or not (
        needed <= set(entries) <= set(known)
    ):
        raise ValueError(
            f"{where} holds no results of this version of tl_keras. "
            f"Got: {got}. Expected the entries {sorted(needed)}, and of the "
            f"others {sorted(set(known) - needed)}; run again to replace it."
        )
    if entries.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
        raise ValueError(
            f"{where} holds results of another form. Got: schema_version "
            f"{entries['schema_version']}. Expected {SCHEMA_VERSION}; read it "
            "with the version of tl_keras that wrote it."
        )
    return Results(**entries)


def table(results: Results) -> str:
    """Results for a person to read: phases, then the figures on the test part.

    Args:
        results: From `collect` or `read`.

    Returns:
        Lines of text without a last line break.
    """
    checks.instance(
        results, Results, name="results", hint="`results.collect` makes one."
    )
    total = sum(results.parameters.values())
    lines = [
        f"{results.dataset}, {results.encoder}, {results.plan}, "
        f"seed {results.seed}",
        "",
        *_phase_lines(results.phases),
        "",
        f"{results.parameters['trained']:,} of {total:,} parameters trained.",
    ]
    if results.calibration is not None:
        lines.append(_calibration_line(results.calibration))
    if results.test is not None:
        # scikit-learn takes a second to import, and reading needs none of it.
        from tl_keras.evaluation import metrics

        lines += ["", f"Test: {metrics.Evaluation(**results.test)}"]
    return "\n".join(lines)


def _calibration_line(calibration) -> str:
    if not calibration["applied"]:
        return f"Not calibrated, since {calibration['reason']}."
    before, after = (
        calibration["validation"][when]["log_loss"]
        for when in ("before", "after")
    )
    return (
        f"Calibrated: logits are divided by {calibration['temperature']:.3f}, "
        f"validation log loss\n{before:.4f} before and {after:.4f} after."
    )


def _phase_lines(phases) -> list[str]:
    header = (
        "phase",
        "groups",
        "epochs",
        "seconds",
        "trained",
        "best validation score",
    )
    # Few runs prune, and results of earlier versions tell nothing of it.
    sparsities = [phase.get("sparsity") for phase in phases]
    prunes = any(share is not None for share in sparsities)
    rows = [header + ("sparsity",) * prunes]
    for phase, sparsity in zip(phases, sparsities, strict=True):
        score = phase["best_validation_score"]
        rows.append(
            (
                phase["name"],
                _span(phase["groups"]),
                str(phase["epochs"]),
                f"{phase['seconds']:.1f}",
                f"{phase['trained_parameters']:,}",
                _score(score),
                *[_score(sparsity)] * prunes,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if index < 2 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells))
    return lines


def _score(value) -> str:
    return "none" if value is None else f"{value:.4f}"


def _span(groups) -> str:
    """All of a few groups; the first and the last of many."""
    if len(groups) <= 2:
        return ", ".join(groups)
    return f"{groups[0]} ... {groups[-1]} ({len(groups)})"


def provenance(results: Results) -> dict:
    """What an exported model says of where it came from, ready for JSON.

    Args:
        results: Of the run.

    Returns:
        Data set, its fingerprint, plan, seed, the scores on the test part
        without those of single classes, and the temperature by which the
        logits were divided; None in place of what there is not.
    """
    test = results.test
    if test is not None:
        test = {k: v for k, v in test.items() if isinstance(v, (int, float))}
    return {
        "dataset": results.dataset,
        "data_fingerprint": results.data_fingerprint,
        "plan": results.plan,
        "seed": results.seed,
        "test": test,
        "temperature": (results.calibration or {}).get("temperature"),
    }


def _versions() -> dict[str, str]:
    # TensorFlow takes seconds to import, and reading results needs none of it.
    import keras
    import tensorflow as tf

    import tl_keras

    return {
        "tl_keras": tl_keras.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def _plain(value):
    """The same with Python's own numbers and lists, and None for NaN."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _json(value, indent: str = "") -> str:
    """JSON with a line for each entry, and for each innermost list or dict.

    `json.dumps(indent=2)` gives a confusion matrix a line per number.
    """
    inner = indent + "  "
    if isinstance(value, dict) and (not indent or _is_nested(value.values())):
        items = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: "
            f"{_json(item, inner)}"
            for key, item in value.items()
        ]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, list) and _is_nested(value):
        items = [inner + _json(item, inner) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _is_nested(values) -> bool:
    return any(isinstance(value, (dict, list)) for value in values)
