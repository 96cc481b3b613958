"""How well the model of a finished run does on corrupted images."""

import dataclasses

from tl_keras import inference
from tl_keras import workdirs
from tl_keras.evaluation import robustness
from tl_keras.reports import plots
from tl_keras.reports import results as reports


def evaluate(
    workdir,
    *,
    max_examples: int | None = 500,
    seed: int = 0,
    dataset=None,
    data_dir=None,
    split: str = "test",
    trust_modules: bool = False,
) -> robustness.Robustness:
    """Evaluates the model of a finished run under common corruptions.

    On the test part of the run's own data, what is found goes into its
    `results.json` as `robustness`, and is drawn as `corruptions.png`.

    Args:
        workdir: The run's folder.
        max_examples: How many images to take, at random; None for all.
        seed: Of the choice and of the noise.
        dataset: Name of other data with the same classes. None: that of the
            run, split as it was.
        data_dir: Folder of prepared TensorFlow Datasets. None: that of the
            run.
        split: "test", "validation" or "train".
        trust_modules: See `tl_keras.load_model`.

    Returns:
        A `Robustness`.

    Raises:
        ValueError: If there is no finished run, if the data has other classes
            or no such part, or if the model takes no images.
    """
    model, data = inference.read_labelled(
        workdir,
        dataset=dataset,
        data_dir=data_dir,
        split=split,
        trust_modules=trust_modules,
    )
    found = robustness.evaluate(
        model, getattr(data, split), max_examples=max_examples, seed=seed
    )
    if dataset is None and split == "test":
        folder = workdirs.make(workdir)
        plots.corruptions(
            found.accuracy, found.clean_accuracy, folder.corruptions
        )
        results = reports.read(folder.results)
        reports.write(
            dataclasses.replace(results, robustness=found.as_dict()),
            folder.results,
        )
    return found
