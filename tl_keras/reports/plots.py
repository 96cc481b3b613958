"""Pictures of a run: learning curves, how it errs, how scores scatter."""

import pathlib

import numpy as np
from matplotlib import colors
from matplotlib import ticker

from tl_keras.reports import phase_spans
from tl_keras.reports import png_files

_TRAINING_COLOR = "#1f77b4"
_VALIDATION_COLOR = "#d95f02"
_PHASE_COLORS = ("#f4f4f4", "#e2e6ea")
# What a row of the history holds besides metrics.
_NOT_METRICS = ("phase", "epoch", "seconds", "learning_rate", "loss")
_MAX_NAME_LENGTH = 24
# Up to this many classes a cell has room for its count.
_MAX_CLASSES_WITH_COUNTS = 30
# A picture wider than this is hard to open.
_MAX_SIDE_INCHES = 64.0
_CORRUPTIONS_A_ROW = 6


def curves(history, path) -> pathlib.Path:
    """Draws loss and accuracy over all epochs, with the phases shaded.

    Args:
        history: Rows as in `FitResult.history`, one dict per epoch with
            `phase`, `epoch` and `loss`, and `val_loss`, `accuracy`,
            `val_accuracy` where there are any. Without `accuracy`, the first
            other metric is drawn. What is missing, None or NaN is a gap.
        path: Name of the PNG file. Missing folders are made.

    Returns:
        The path.

    Raises:
        ValueError: If `history` has no rows, or a row lacks `phase`, `epoch`
            or `loss`.

    Example:
        >>> import os, tempfile
        >>> from tl_keras.reports import plots
        >>> history = [
        ...     {"phase": "head", "epoch": 1, "loss": 0.9, "val_loss": 1.0},
        ...     {"phase": "head", "epoch": 2, "loss": 0.5, "val_loss": 0.7},
        ...     {"phase": "top", "epoch": 1, "loss": 0.3, "val_loss": 0.6},
        ... ]
        >>> path = os.path.join(tempfile.mkdtemp(), "curves.png")
        >>> plots.curves(history, path).name
        'curves.png'
    """
    history = list(history)
    _check_history(history)
    metrics = ["loss", *_second_metric(history)]
    figure = png_files.figure(5.5 * len(metrics), 4.0)
    panels = figure.subplots(1, len(metrics), squeeze=False)[0]
    for panel, metric in zip(panels, metrics, strict=True):
        _shade_phases(panel, history)
        _draw_metric(panel, history, metric)
    return png_files.save(figure, path)


def confusion(matrix, class_names, path) -> pathlib.Path:
    """Draws a confusion matrix, coloured by the share of each label.

    Up to 30 classes, the counts stand in the cells. The picture grows with
    the number of classes; every class has its name up to 400 of them.

    Args:
        matrix: Counts `[num_classes, num_classes]`, `[label][prediction]`, as
            in `Evaluation.confusion_matrix`.
        class_names: `num_classes` names in the same order.
        path: Name of the PNG file. Missing folders are made.

    Returns:
        The path.

    Raises:
        ValueError: If `matrix` is not square and finite, holds a negative
            number, or has another size than `class_names`.

    Example:
        >>> import os, tempfile
        >>> from tl_keras.reports import plots
        >>> path = os.path.join(tempfile.mkdtemp(), "confusion.png")
        >>> plots.confusion([[5, 1], [0, 6]], ["cat", "dog"], path).name
        'confusion.png'
    """
    names = [_shortened(str(name)) for name in class_names]
    matrix = _checked_matrix(matrix, names)
    cell = _cell_inches(len(names))
    margin = 1.2 + 0.08 * max(len(name) for name in names)
    side = cell * len(names) + margin
    figure = png_files.figure(side + 1.0, side)
    panel = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    # The root of the share, so that a confusion of one percent is seen.
    norm = colors.PowerNorm(0.5, vmin=0, vmax=1)
    shown = panel.imshow(
        shares, cmap="Blues", norm=norm, interpolation="nearest"
    )
    figure.colorbar(
        shown,
        ax=panel,
        label="share of the label's examples",
        shrink=0.8,
        aspect=30,
    )
    _name_classes(panel, names)
    if len(names) <= _MAX_CLASSES_WITH_COUNTS:
        _write_counts(panel, matrix, shares)
    panel.set_title(f"{int(matrix.sum()):,} examples")
    return png_files.save(figure, path)


def reliability(bins, path) -> pathlib.Path:
    """Draws accuracy over confidence, and how many examples have which.

    A calibrated model lies on the diagonal.

    Args:
        bins: As in `Evaluation.reliability`.
        path: Name of the PNG file. Missing folders are made.

    Returns:
        The path.

    Example:
        >>> import os, tempfile
        >>> from tl_keras.evaluation import calibration_error
        >>> from tl_keras.reports import plots
        >>> bins = calibration_error.reliability([0.9, 0.6], [True, False])
        >>> path = os.path.join(tempfile.mkdtemp(), "reliability.png")
        >>> plots.reliability(bins, path).name
        'reliability.png'
    """
    figure = png_files.figure(4.6, 5.2)
    upper, lower = figure.subplots(
        2, 1, sharex=True, height_ratios=(3, 1), squeeze=True
    )
    filled = [one for one in bins if one["num_examples"]]
    upper.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1)
    upper.bar(
        [one["low"] for one in filled],
        [one["accuracy"] for one in filled],
        [one["high"] - one["low"] for one in filled],
        align="edge",
        color="#c6d9ec",
        edgecolor=_TRAINING_COLOR,
    )
    upper.plot(
        [one["confidence"] for one in filled],
        [one["accuracy"] for one in filled],
        color=_VALIDATION_COLOR,
        marker="o",
        markersize=4,
    )
    upper.set_ylabel("accuracy")
    upper.set_ylim(0, 1)
    lower.bar(
        [one["low"] for one in bins],
        [one["num_examples"] for one in bins],
        [one["high"] - one["low"] for one in bins],
        align="edge",
        color=_TRAINING_COLOR,
    )
    lower.set_ylabel("examples")
    lower.set_xlabel("confidence")
    lower.set_xlim(0, 1)
    return png_files.save(figure, path)


def spread(trials, path) -> pathlib.Path:
    """Draws the scores of several trainings, their means and intervals.

    Args:
        trials: A `tl_keras.evaluation.trials.Trials`.
        path: Name of the PNG file. Missing folders are made.

    Returns:
        The path.
    """
    names = ("accuracy", "macro_f1", "log_loss")
    figure = png_files.figure(3.2 * len(names), 3.6)
    panels = figure.subplots(1, len(names))
    divisions = list(
        dict.fromkeys((one["repeat"], one["fold"]) for one in trials.trials)
    )
    for panel, name in zip(panels, names, strict=True):
        found = trials.metrics[name]
        if found["interval"] is not None:
            panel.axhspan(*found["interval"], color="#dde8f3", zorder=0)
        panel.axhline(found["mean"], color=_TRAINING_COLOR, linewidth=1)
        panel.plot(
            [
                divisions.index((one["repeat"], one["fold"])) + 1
                for one in trials.trials
            ],
            [one[name] for one in trials.trials],
            linestyle="",
            marker="o",
            markersize=5,
            color=_VALIDATION_COLOR,
            alpha=0.7,
        )
        panel.set_title(
            f"{name.replace('_', ' ')}: {found['mean']:.4f}", fontsize=10
        )
        panel.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
        panel.set_xlabel(
            {"folds": "fold", "splits": "split"}.get(trials.kind, "all seeds")
        )
    return png_files.save(figure, path)


def corruptions(accuracy, clean_accuracy: float, path) -> pathlib.Path:
    """Draws accuracy on corrupted images, a small panel for each corruption.

    Args:
        accuracy: Name to accuracies at severities 1, 2, ..., as in
            `Robustness.accuracy`.
        clean_accuracy: On the same images as they are: severity 0.
        path: Name of the PNG file. Missing folders are made.

    Returns:
        The path.

    Raises:
        ValueError: If `accuracy` is empty.

    Example:
        >>> import os, tempfile
        >>> from tl_keras.reports import plots
        >>> path = os.path.join(tempfile.mkdtemp(), "corruptions.png")
        >>> accuracy = {"snow": [0.8, 0.7, 0.6, 0.5, 0.4]}
        >>> plots.corruptions(accuracy, 0.9, path).name
        'corruptions.png'
    """
    if not accuracy:
        raise ValueError("`accuracy` is empty. Expected a corruption at least.")
    columns = min(_CORRUPTIONS_A_ROW, len(accuracy))
    rows = -(-len(accuracy) // columns)
    figure = png_files.figure(1.7 * columns + 0.6, 1.6 * rows + 0.4)
    panels = figure.subplots(
        rows, columns, sharex=True, sharey=True, squeeze=False
    )
    means = [clean_accuracy, *np.mean(list(accuracy.values()), axis=0)]
    for panel, (name, values) in zip(
        panels.flat, accuracy.items(), strict=False
    ):
        severities = range(len(values) + 1)
        panel.plot(severities, means, color="#9aa5b1", linestyle=":")
        panel.plot(
            severities,
            [clean_accuracy, *values],
            color=_TRAINING_COLOR,
            marker="o",
            ms=3,
        )
        panel.set_title(name.replace("_", " "), fontsize=8)
        panel.set_xticks(severities)
        panel.set_ylim(0, 1)
        panel.grid(axis="y", linewidth=0.4)
    for panel in panels.flat[len(accuracy) :]:
        panel.set_axis_off()
    figure.supxlabel("severity, 0 is none; dotted: mean of all", fontsize=9)
    figure.supylabel("accuracy", fontsize=9)
    return png_files.save(figure, path)


def _check_history(history):
    if not history:
        raise ValueError(
            "`history` is empty. Expected a row per epoch, as in "
            "`FitResult.history`."
        )
    for row in history:
        missing = {"phase", "epoch", "loss"} - set(row)
        if missing:
            raise ValueError(
                f"A row of `history` lacks {sorted(missing)}. Got: {row}. "
                "Expected rows as in `FitResult.history`."
            )


def _second_metric(history) -> list[str]:
    """What to draw beside the loss: accuracy, or else any other metric."""
    names = [
        name
        for row in history
        for name in row
        if name not in _NOT_METRICS and not name.startswith("val_")
    ]
    return ["accuracy"] if "accuracy" in names else names[:1]


def _shade_phases(panel, history):
    spans = phase_spans.of(history)
    # About 60 letters fit over a panel.
    crowded = any(
        len(name) > 60 * (end - start) / len(history)
        for name, start, end in spans
    )
    turned = {"rotation": 40, "ha": "left"} if crowded else {"ha": "center"}
    for index, (name, start, end) in enumerate(spans):
        panel.axvspan(
            start + 0.5, end + 0.5, color=_PHASE_COLORS[index % 2], zorder=0
        )
        panel.text(
            (start + end) / 2 + 0.5,
            1.02,
            _shortened(name),
            transform=panel.get_xaxis_transform(),
            va="bottom",
            fontsize=9,
            parse_math=False,
            **turned,
        )


def _draw_metric(panel, history, metric: str):
    epochs = np.arange(1, len(history) + 1)
    for name, label, color in (
        (metric, "training", _TRAINING_COLOR),
        (f"val_{metric}", "validation", _VALIDATION_COLOR),
    ):
        values = np.array([row.get(name) for row in history], float)
        if np.isfinite(values).any():
            # A marker shows a phase of one epoch, and points between gaps.
            panel.plot(
                epochs, values, label=label, color=color, marker="o", ms=3.5
            )
    panel.set_xlim(0.5, len(history) + 0.5)
    panel.xaxis.set_major_locator(
        ticker.MaxNLocator(integer=True, min_n_ticks=1)
    )
    panel.set_xlabel("epoch")
    panel.set_ylabel(metric.replace("_", " "))
    panel.grid(axis="y", color="white", linewidth=1.0)
    panel.set_axisbelow(True)
    if panel.get_lines():
        panel.legend(frameon=False)


def _checked_matrix(matrix, names):
    matrix = np.asarray(matrix)
    size = len(names)
    if matrix.shape != (size, size) or not size:
        raise ValueError(
            "`matrix` and `class_names` do not fit. Got: shape "
            f"{matrix.shape} and {size} names. Expected a row and a column "
            "for each name."
        )
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError(
            "`matrix` holds NaN, infinity or a negative number. Expected "
            "counts of examples."
        )
    return matrix


def _cell_inches(num_classes: int) -> float:
    if num_classes <= 10:
        return 0.9 if num_classes <= 4 else 0.6
    if num_classes <= _MAX_CLASSES_WITH_COUNTS:
        return 0.42
    return min(0.16, _MAX_SIDE_INCHES / num_classes)


def _name_classes(panel, names):
    """Writes the names along the axes; of very many every n-th."""
    cell = _cell_inches(len(names))
    step = max(1, int(np.ceil(0.16 / cell)))
    options = {"fontsize": 10 if cell > 0.2 else 7, "parse_math": False}
    places = range(0, len(names), step)
    labels = names[::step]
    panel.set_xticks(places, labels, rotation=90, **options)
    panel.set_yticks(places, labels, **options)
    panel.set_xlabel("predicted class")
    panel.set_ylabel("label")
    if len(names) > _MAX_CLASSES_WITH_COUNTS:
        # The way from a cell to the left edge is long here.
        panel.tick_params(labeltop=True, labelright=True, labelrotation=0)
        panel.tick_params(axis="x", labelrotation=90)
        borders = np.arange(len(names) + 1) - 0.5
        line = {"color": "#e8ecf2", "linewidth": 0.4}
        panel.hlines(borders, borders[0], borders[-1], **line)
        panel.vlines(borders, borders[0], borders[-1], **line)


def _write_counts(panel, matrix, shares):
    for row, column in np.argwhere(matrix > 0):
        panel.text(
            column,
            row,
            f"{matrix[row, column]:.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color="white" if shares[row, column] > 0.3 else "black",
        )


def _shortened(name: str) -> str:
    if len(name) <= _MAX_NAME_LENGTH:
        return name
    return name[: _MAX_NAME_LENGTH - 3] + "..."
