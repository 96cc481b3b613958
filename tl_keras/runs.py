"""One run: from a config to a trained model with its results in a folder."""

import dataclasses
import pathlib
import warnings

import keras

from tl_keras import boards
from tl_keras import checks
from tl_keras import configs
from tl_keras import encoders
from tl_keras import heads
from tl_keras import models
from tl_keras import reporting
from tl_keras import serving
from tl_keras import workdirs
from tl_keras.data import exclusion
from tl_keras.data import sources
from tl_keras.data.augmentation import Augmentation
from tl_keras.encoders import loading
from tl_keras.encoders import origins
from tl_keras.evaluation import metrics
from tl_keras.evaluation import prediction_files
from tl_keras.evaluation import predictions
from tl_keras.evaluation import slices
from tl_keras.evaluation import temperature
from tl_keras.reports import costs as costs_
from tl_keras.reports import description
from tl_keras.reports import plots
from tl_keras.reports import results as reports
from tl_keras.reports import showcase
from tl_keras.training import fit as training
from tl_keras.training import log
from tl_keras.training import strategies
from tl_keras.training import strategy_names
from tl_keras.training import tpu
from tl_keras.training import tpu_check
from tl_keras.training import workers
from tl_keras.tuning import plans


@dataclasses.dataclass(frozen=True)
class RunResult:
    """What a run leaves, beside the files in its workdir.

    Attributes:
        config: The config that was run.
        workdir: Where its files are.
        model: The trained `keras.Model`.
        fit: The `FitResult`: phases, scores and history.
        test: The `Evaluation` on the test part, or None if the data has none.
        report: What `results.json` holds.
        page: Path of `report.html`; None if it was not asked for, or failed.
    """

    config: configs.RunConfig
    workdir: workdirs.Workdir
    model: keras.Model
    fit: training.FitResult
    test: metrics.Evaluation | None
    report: reports.Results
    page: pathlib.Path | None = None


def run(config, *, overwrite: bool = False, verbose="auto") -> RunResult:
    """Trains, evaluates, saves and exports what a config says.

    This is what `tl-keras finetune` does. It prints the config, the progress
    of each phase and a table of results, and writes into the workdir:
    `config.json`, `log.csv`, `model.keras`, `results.json`, `curves.png`,
    `confusion.png`, `reliability.png`, `predictions.npz`, `export/model/1` and
    `report.html`. A report that fails is warned of, and the run is complete
    without it.

    A run that was stopped on its way, by a kill or an error, goes on where it
    was when it is started again with the same config: from its last
    checkpoint, see `tl_keras.fit`.

    With the strategy "multiworker", every worker runs the same config and gets
    the same result; the first one prints, and writes the files.

    Args:
        config: A `tl_keras.configs.RunConfig` with a `workdir`.
        overwrite: Whether a run that the workdir holds, finished or not, may
            be replaced.
        verbose: 0 prints nothing; "auto", 1 and 2 are those of `fit`.

    Returns:
        A `RunResult`.

    Raises:
        TypeError: If `config` is no `RunConfig`.
        ValueError: If a name or value in it does not fit, or the workdir
            holds a finished run, or one of another config.
        OSError: If data or weights are missing, or a file cannot be written.

    Example:
        >>> import tempfile
        >>> import tl_keras
        >>> from tl_keras import configs
        >>> config = configs.load(
        ...     overrides=[
        ...         "data.train_examples=100",
        ...         "plan.name=linear_probe",
        ...         "plan.options.epochs=1",
        ...         f"workdir={tempfile.mkdtemp()}",
        ...     ]
        ... )
        >>> results = tl_keras.run(config, verbose=0)
        >>> results.test.num_examples
        359
    """
    checks.instance(config, configs.RunConfig, name="config")
    workdir = workdirs.make(config.workdir)
    _check_tpu_paths(config)
    if config.tensorboard:
        boards.require_tensorboard()
    costs = costs_.Costs()
    with strategies.strategy(config.strategy) as strategy:
        writes = workers.is_chief()
        goes_on = workers.from_chief(
            lambda: workdir.goes_on(config, overwrite=overwrite)
        )
        say = log.teller(verbose if writes else 0)
        say(_headline(config))
        loading.find(config.encoder.name)  # Told before data are read.
        with costs.part("data_and_model"):
            encoder, data = encoder_and_data(config, read_data(config.data))
            say(_summary(data), end="\n\n")
            model = _model(config, encoder, data.num_classes)
        callbacks = []
        if writes and not goes_on:
            callbacks.append(_Begin(config, workdir, overwrite))
        if writes:
            callbacks.extend(_callbacks(config, workdir))
        with costs.part("training"):
            fitted = training.fit(
                model,
                data,
                _plan(config),
                workdir=workdir.path,
                seed=config.seed,
                callbacks=callbacks,
                resume=goes_on,
                # Until all files are written.
                checkpoints=dataclasses.replace(config.checkpoints, keep=True),
                class_weight=config.class_weight,
                prefix_cache=config.prefix_cache,
                step_trial=config.step_trial,
                range_probe=config.range_probe,
                verbose=verbose,
            )
    if goes_on and writes:
        workdir.remove_results()

    # Saved first: whatever fails from here on, the training is not lost.
    def save():
        models.save(model, workdir.model)

    workers.from_chief(save, strategy)
    with costs.part("evaluation"):
        with strategies.strategy(config.strategy), workers.losses_told():
            calibration = _calibrated(model, data, config)
        if calibration is not None and calibration.applied:
            workers.from_chief(save, strategy)
        with strategies.strategy(config.strategy), workers.losses_told():
            predicted = _predicted(model, data)
            test = _evaluation(predicted, data, workdir)
    report = reports.collect(
        fitted,
        test,
        dataset=data.name,
        encoder=encoder.name,
        plan=config.plan.name,
        seed=config.seed,
        data_fingerprint=data.fingerprint,
        calibration=_told(calibration, predicted),
        config=configs.as_dict(config),
        data=description.of(data),
        excluded_examples=dict(data.excluded) or None,
        origin=origins.of(config.encoder.name, config.encoder.weights),
    )

    def write():
        reports.write(report, workdir.results)
        say("\n" + reports.table(report))
        _draw(workdir, fitted, test)
        with costs.part("export"):
            serving.export(
                model,
                workdir.served,
                class_names=data.class_names,
                keep_aspect_ratio=config.data.keep_aspect_ratio,
                provenance=reports.provenance(report),
                check=config.check_export,
            )
        added = {
            "cost": _cost(costs, report),
            "examples": _examples(config, workdir, model, data, predicted),
        }
        reports.write(dataclasses.replace(report, **added), workdir.results)
        page = _page(config, workdir)
        workdir.remove_checkpoints()
        say(f"\nThe model, the results and the export are in {workdir.path}")
        if page is not None:
            say(f"The report for a browser: {page}")
        return {"added": added, "page": page and str(page)}

    # The others wait: a cluster's job is done when all is written.
    written = workers.from_chief(write, strategy)
    return RunResult(
        config=config,
        workdir=workdir,
        model=model,
        fit=fitted,
        test=test,
        report=dataclasses.replace(report, **written["added"]),
        page=written["page"] and pathlib.Path(written["page"]),
    )


def check_tpu(config) -> tpu_check.TpuCheck:
    """Whether a TPU could run the training steps of what a config says.

    This is what `tl-keras doctor --check_tpu` does, see `tl_keras.check_tpu`.

    Args:
        config: A `tl_keras.configs.RunConfig`; its `workdir` and `strategy`
            are not used.

    Returns:
        A `TpuCheck`.

    Raises:
        TypeError, ValueError, OSError: As `run`.
    """
    checks.instance(config, configs.RunConfig, name="config")
    with strategies.strategy("none"):
        return tpu_check.check_tpu(
            *prepared(config), class_weight=config.class_weight
        )


def _check_tpu_paths(config):
    """Refuses data that a TPU elsewhere could not read."""
    name = strategy_names.tpu_of(config.strategy)
    if name is None or config.data.name == "digits":
        return
    prefix, _, path = config.data.name.partition(":")
    if prefix in ("folder", "csv", "tsv", "npz"):
        tpu.check_paths(name, {"data.name": path})
    else:
        folder = config.data.data_dir or "~/tensorflow_datasets"
        tpu.check_paths(name, {"data.data_dir": folder})


class _Begin(keras.callbacks.Callback):
    """Makes room in the workdir when the first phase begins.

    An earlier run goes only now that `fit` has found nothing amiss.
    """

    def __init__(self, config, workdir, overwrite):
        super().__init__()
        self._begun = False
        self._config = config
        self._workdir = workdir
        self._overwrite = overwrite

    def on_train_begin(self, logs=None):
        if not self._begun:
            self._begun = True
            self._workdir.prepare(overwrite=self._overwrite)
            workdirs.write_config(self._workdir, self._config)


def _headline(config) -> str:
    """The three names, and every field that is not at its default."""
    defaults = configs.describe(configs.RunConfig()).splitlines()
    lines = [
        f"  {line}"
        for line in configs.describe(config).splitlines()
        if line not in defaults
    ]
    names = f"{config.encoder.name}, {config.data.name}, {config.plan.name}"
    return "\n".join([names, *lines])


def encoder_and_data(config, source, change=None):
    """Both, in the order in which one has to know of the other.

    Images are resized to what the encoder takes; an encoder of sound brings
    the clips as they are to what its network takes.

    Args:
        config: A `RunConfig`.
        source: Its source, from `read_data`.
        change: As of `prepared`.
    """
    data_config = config.data
    if change is not None:
        source, data_config = change(source, data_config)
    if source.kind == "image":
        encoder = _encoder(
            config,
            image_size=config.data.image_size,
            channels=config.data.channels,
        )
        spec = encoder.input_spec
        if spec.kind != source.kind:
            raise ValueError(
                f"Encoder and data do not fit. Got: {config.encoder.name!r}, "
                f"which takes {spec}, and {config.data.name!r}, which holds "
                "images. Choose an encoder for what the data are."
            )
        return encoder, prepare_data(
            source, data_config, config.seed, image_size=spec.size
        )
    data = prepare_data(source, data_config, config.seed)
    return _encoder(config, input_spec=data.input_spec), data


def _encoder(config, **options):
    if config.encoder.weights is None:
        # Keras draws initial weights from its global seed.
        keras.utils.set_random_seed(config.seed)
    return encoders.load(
        config.encoder.name,
        weights=config.encoder.weights,
        **options,
        **config.encoder.options,
    )


def prepared(config, *, change=None):
    """The model, data and plan of a config, as a run begins with them.

    Args:
        config: A `RunConfig`.
        change: From the source and the `DataConfig` to those to be used
            instead; None for these themselves.

    Returns:
        The untrained model, the `Data` and the `Plan`.
    """
    loading.find(config.encoder.name)  # Told before data are read.
    source = read_data(config.data)
    encoder, data = encoder_and_data(config, source, change)
    return _model(config, encoder, data.num_classes), data, _plan(config)


def read_data(config: configs.DataConfig, *, refused: dict | None = None):
    """The source that a config names, read, with nothing chosen yet.

    Args:
        config: The config.
        refused: As of `sources.read`.
    """
    _excluded(config)  # A wrong file is told before reading.
    return sources.read(
        config.name,
        data_dir=config.data_dir,
        text_column=config.text_column,
        label_column=config.label_column,
        refused=refused,
    )


def prepare_data(source, config: configs.DataConfig, seed: int, **choices):
    """The data of a source, as a config chooses.

    Args:
        source: From `read_data`.
        config: The config.
        seed: Of split and order.
        **choices: What stands in place of the config's own, e.g.
            `image_size`.
    """
    chosen = {
        "image_size": config.image_size,
        "batch_size": config.batch_size,
        "channels": config.channels,
        "sample_rate": config.sample_rate,
        "seconds": config.seconds,
        "validation_fraction": config.validation_fraction,
        "train_examples": config.train_examples,
        "keep_aspect_ratio": config.keep_aspect_ratio,
        "exclude": _excluded(config),
    }
    return sources.prepare(source, seed=seed, **{**chosen, **choices})


def _excluded(config) -> tuple[str, ...]:
    return () if config.exclude is None else exclusion.read(config.exclude)


def data_for(config, spec):
    """The data of a config as a trained model takes them.

    Args:
        config: A `RunConfig`.
        spec: The model's `input_spec`.

    Returns:
        `Data`, split as in a run with this config.
    """
    source = read_data(config.data)
    return prepare_data(source, config.data, config.seed, **choices_for(spec))


def choices_for(spec) -> dict:
    """How data have to be read to be what a model takes."""
    if spec.kind == "image":
        return {"image_size": spec.size, "channels": spec.channels}
    if spec.kind == "audio":
        return {
            "sample_rate": spec.sample_rate,
            "seconds": spec.seconds,
            "channels": spec.channels,
        }
    return {}


def _summary(data) -> str:
    counts = ", ".join(
        f"{count:,} {split}"
        for split, count in data.num_examples.items()
        if count
    )
    lines = [
        f"{data.name}: {data.num_classes} classes, {counts} {data.input_spec}"
    ]
    if data.excluded:
        excluded = ", ".join(f"{n:,} {s}" for s, n in data.excluded.items())
        lines.append(f"Left out by `exclude`: {excluded}")
    return "\n".join(lines)


def _model(config, encoder, num_classes):
    head = heads.Classifier(
        num_classes=num_classes, **dataclasses.asdict(config.head)
    )
    policy = None if config.precision == "float32" else config.precision
    return models.build(encoder, head, dtype_policy=policy, seed=config.seed)


def _plan(config):
    options = dict(config.plan.options)
    if config.augmentation != Augmentation():
        options["augmentation"] = config.augmentation
    return plans.make(config.plan.name, **options)


def _callbacks(config, workdir):
    if not config.tensorboard:
        return ()
    return (boards.EpochScalars(workdir.tensorboard),)


def _calibrated(model, data, config):
    """Calibrates the model, in place; a `Calibration` or None."""
    if not config.calibrate or data.validation is None:
        return None
    return temperature.calibrate(model, data.validation)


def _predicted(model, data):
    """Logits and labels of the test part, or None without one."""
    if data.test is None:
        return None
    return predictions.predict_logits(model, data.test)


def _evaluation(predicted, data, workdir):
    """The `Evaluation` on the test part; writes the predictions, too."""
    if predicted is None:
        return None
    logits, labels = predicted
    probabilities = predictions.softmax(logits)
    part = data.splits["test"]
    found = prediction_files.Predictions(
        part.ids, labels, probabilities, part.digests, data.class_names
    )
    if workers.is_chief():
        prediction_files.write(found, workdir.predictions)
    return metrics.from_predictions(
        probabilities,
        labels,
        class_names=data.class_names,
        columns=slices.worth_slicing(data.columns("test")),
    )


def _told(calibration, predicted):
    """What `Results.calibration` is."""
    if calibration is None:
        return None
    told = calibration.as_dict()
    told["validation"] = {when: told.pop(when) for when in ("before", "after")}
    told["test"] = None
    if predicted is not None:
        told["test"] = temperature.before_and_after(
            *predicted, calibration.temperature
        )
    return told


def _draw(workdir, fitted, test):
    plots.curves(fitted.history, workdir.curves)
    if test is not None:
        plots.confusion(
            test.confusion_matrix, list(test.per_class), workdir.confusion
        )
        plots.reliability(test.reliability, workdir.reliability)


def _cost(costs, report):
    passes = costs_.frozen_passes(report.phases, report.data["splits"])
    return {**costs.as_dict(), "frozen_passes": passes}


def _examples(config, workdir, model, data, predicted):
    """What `Results.examples` is; writes pictures of them."""
    if not config.report.write or not config.report.pictures:
        return None
    probabilities, labels = None, None
    if predicted is not None:
        logits, labels = predicted
        probabilities = predictions.softmax(logits)
    return _attempted(
        "The pictures of the report",
        lambda: showcase.collect(
            data,
            probabilities,
            labels,
            model=model,
            count=config.report.pictures,
            workdir=workdir.path,
        ),
    )


def _page(config, workdir):
    """Path of the report; None where it was not asked for, or failed."""
    if not config.report.write:
        return None
    return _attempted("The report", lambda: reporting.write(workdir.path))


def _attempted(what: str, attempt):
    """What a function returns; a warning and None where it fails."""
    try:
        return attempt()
    # Whatever it is, a training of hours is worth more than its report.
    except Exception as error:
        warnings.warn(
            f"{what} could not be made: {type(error).__name__}: {error}. "
            "The run is complete without; `tl-keras report` tries again.",
            stacklevel=4,
        )
        return None
