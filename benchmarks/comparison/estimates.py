"""Seconds of a whole training, and whether two did the same."""

import statistics


def total_seconds(report: dict, epochs: int) -> float:
    """How long all epochs take, where some of them were measured.

    Args:
        report: Of a contestant.
        epochs: How many epochs the whole training has.

    Returns:
        What was measured, or the first epoch, with all that came before it,
        and the median of the later ones for each of the others.

    Example:
        >>> ends = [{"seconds": s} for s in (9.0, 11.0, 13.0)]
        >>> total_seconds({"epochs": ends, "seconds": 13.5}, epochs=20)
        47.0
    """
    ends = [epoch["seconds"] for epoch in report["epochs"]]
    if len(ends) == epochs:
        return report["seconds"]
    later = [end - before for before, end in zip(ends, ends[1:], strict=False)]
    return ends[0] + (epochs - 1) * statistics.median(later)


def check_same_work(reports: dict, work):
    """Makes sure that contestants trained the same parameters as often.

    KerasHub's network is another one, and may have other parameters.

    Raises:
        RuntimeError: If they did not.
    """
    steps_per_epoch = -(-work.images // work.batch_size)
    steps = {name: report["steps"] for name, report in reports.items()}
    expected = {
        name: report["measured_epochs"] * steps_per_epoch
        for name, report in reports.items()
    }
    if steps != expected:
        raise RuntimeError(f"Steps differ. Got: {steps}. Expected: {expected}.")
    parameters = {
        name: report["trained_parameters"]
        for name, report in reports.items()
        if name != "keras_hub"
    }
    if len(set(parameters.values())) > 1:
        raise RuntimeError(f"Trained parameters differ. Got: {parameters}.")
