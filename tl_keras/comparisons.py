"""Whether finished runs differ by more than chance."""

from tl_keras import workdirs
from tl_keras.evaluation import comparison
from tl_keras.evaluation import prediction_files


def compare(paths, *, resamples=None) -> comparison.Comparison:
    """Compares runs by what they predicted for their common test part.

    Args:
        paths: Their workdirs, at least two.
        resamples: A `tl_keras.evaluation.Resamples`; None for its defaults.

    Returns:
        A `Comparison`, whose names are the paths.

    Raises:
        ValueError: If a path is no finished run, or the runs were tested on
            different data.
        FileNotFoundError: If a run has no predictions.
    """
    predictions = {}
    for path in paths:
        workdir = workdirs.make(path)
        workdirs.read_config(path)
        predictions[str(path)] = prediction_files.read(workdir.predictions)
    return comparison.compare(predictions, resamples=resamples)
