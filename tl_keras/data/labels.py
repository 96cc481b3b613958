"""Checks of labels: whole numbers, in range, every class with examples."""

import collections
import warnings

import numpy as np


def whole_numbers(labels, *, where: str) -> np.ndarray:
    """Returns labels as np.int64, if that is what they are.

    Args:
        labels: Array-like `[examples]` or `[examples, 1]` of whole numbers;
            floats are taken where they are whole.
        where: Where they come from, for the error, e.g. `"y_train"`.

    Raises:
        ValueError: If they have another shape, or an entry is NaN or no whole
            number. The message names the position.

    Example:
        >>> from tl_keras.data import labels
        >>> labels.whole_numbers([[0.0], [2.0]], where="y_train").tolist()
        [0, 2]
    """
    labels = np.asarray(labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise ValueError(
            f"The labels in {where} have the wrong shape. Got: {labels.shape}. "
            "Expected one whole number per example; for one-hot rows pass "
            "`labels.argmax(axis=1)`."
        )
    if labels.dtype.kind not in "iufb":
        raise ValueError(
            f"The labels in {where} are not numbers. Got dtype: "
            f"{labels.dtype}. Expected the indices of classes, 0, 1, ...; "
            "the names belong into `class_names`."
        )
    if labels.dtype.kind == "f":
        wrong = np.flatnonzero(~np.isfinite(labels) | (labels % 1 != 0))
        if wrong.size:
            raise ValueError(
                f"{wrong.size} labels in {where} are not whole numbers. The "
                f"first is {labels[wrong[0]]} at position {wrong[0]}. Expected "
                "the indices of classes, 0, 1, ..."
            )
    return labels.astype(np.int64)


def check_range(labels, num_classes: int, *, where: str) -> None:
    """Raises an error unless all labels are in `[0, num_classes)`.

    Example:
        >>> from tl_keras.data import labels
        >>> labels.check_range([0, 1], 2, where="y_train")
    """
    labels = np.asarray(labels)
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if wrong.size:
        raise ValueError(
            f"{wrong.size} labels in {where} are out of range. The first is "
            f"{labels[wrong[0]]} at position {wrong[0]}. Expected labels from "
            f"0 to {num_classes - 1}, since there are {num_classes} classes."
        )


def are_missing(labels, *, where: str) -> bool:
    """Whether a test part has no labels, which is said in a warning.

    Args:
        labels: Integer array, where -1 stands for a missing label; or None.
        where: Where they come from, e.g. `"y_test"`.

    Example:
        >>> from tl_keras.data import labels
        >>> labels.are_missing([0, 1], where="y_test")
        False
    """
    if labels is not None and np.any(np.asarray(labels) != -1):
        return False
    warnings.warn(
        f"The test part ({where}) has no labels, so it is left out: `test` is "
        "None. Give labels to evaluate on it.",
        UserWarning,
        stacklevel=2,
    )
    return True


def check_classes(source: str, class_names, train_labels) -> None:
    """Raises an error unless there are two classes, all with examples.

    Example:
        >>> from tl_keras.data import labels
        >>> labels.check_classes("pets", ("cat", "dog"), [0, 1, 1])
    """
    if len(class_names) < 2:
        raise ValueError(
            f"{source} has too few classes. Got: {list(class_names)}. Expected "
            "at least two to tell apart."
        )
    repeated = [
        name
        for name, times in collections.Counter(class_names).items()
        if times > 1
    ]
    if repeated:
        raise ValueError(
            f"{source} has several classes of one name. Got twice: "
            f"{repeated[:5]}. Expected every class once in `class_names`."
        )
    counts = np.bincount(train_labels, minlength=len(class_names))
    empty = [class_names[index] for index in np.flatnonzero(counts == 0)]
    if empty:
        raise ValueError(
            f"{source} has {len(empty)} classes without a training example, "
            f"among them: {empty[:5]}. Add examples, or leave the class out."
        )
