"""What a run is told: frozen values, read from a file and from `a.b=value`.

A config holds names and numbers, and nothing that runs. Every default of a
run lives here. None of it imports TensorFlow, so that a mistake in a config
answers at once.
"""

import ast
import dataclasses
import importlib.util
import json
import pathlib
import types
import typing

from tl_keras import checks
from tl_keras.data.augmentation import Augmentation
from tl_keras.training import strategy_names
from tl_keras.training.checkpoint_settings import Checkpoints
from tl_keras.training.prefix_settings import PrefixCache
from tl_keras.tuning import plans

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
RANGE_PROBES = ("stop", "warn", "off")
CLASS_WEIGHTS = (None, "balanced")


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which examples, and how they are read.

    What is for one kind of data has to be left at its default for others.

    Attributes:
        name: A source: "digits", a TensorFlow Datasets name such as
            "cifar10", or "folder:PATH", "csv:PATH", "tsv:PATH", "npz:PATH".
        image_size: Height and width in pixels that images are resized to. None:
            the encoder's own size.
        channels: Of images, colour channels: 1, 3 or 4; None: 3. Of sound:
            None keeps the files' own number.
        sample_rate: Of sound, in Hz: what clips are resampled to when they
            are read. None: the files' own.
        seconds: Of sound: length that clips are cut or padded to. None: that
            of the longest training clip.
        text_column: Of a table of texts: the name of their column, or its
            position from 0 in a table without a header.
        label_column: Of a table: the name of the labels' column, or its
            position.
        batch_size: Examples per optimizer step.
        validation_fraction: Share of the training part, in [0, 1), that is
            kept for validation where the source has no validation part.
        train_examples: How many training examples are used, stratified by
            class. None: all.
        keep_aspect_ratio: Whether the largest square in the middle is cut out
            of each image, rather than the whole image squeezed into one.
        data_dir: Folder of prepared TensorFlow Datasets. None: their default.
        exclude: Text file with the ids of examples that are left out, one a
            line, such as the exclude.txt of `tl-keras audit`. None: nothing
            is.
    """

    name: str = "digits"
    image_size: int | None = None
    channels: int | None = None
    sample_rate: int | None = None
    seconds: float | None = None
    text_column: str = "text"
    label_column: str = "label"
    batch_size: int = 32
    validation_fraction: float = 0.1
    train_examples: int | None = None
    keep_aspect_ratio: bool = False
    data_dir: str | None = None
    exclude: str | None = None

    def __post_init__(self):
        _text(self.name, "data.name")
        _optional_integer(self.image_size, "data.image_size")
        _optional_integer(self.channels, "data.channels")
        _optional_integer(self.sample_rate, "data.sample_rate")
        if self.seconds is not None:
            checks.in_range(
                self.seconds, name="data.seconds", low=0.0, include_low=False
            )
        _text(self.text_column, "data.text_column")
        _text(self.label_column, "data.label_column")
        checks.integer(self.batch_size, name="data.batch_size", low=1)
        checks.share(self.validation_fraction, name="data.validation_fraction")
        _optional_integer(self.train_examples, "data.train_examples")
        _boolean(self.keep_aspect_ratio, "data.keep_aspect_ratio")
        _optional_text(self.data_dir, "data.data_dir")
        _optional_text(self.exclude, "data.exclude")


@dataclasses.dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Which pretrained network.

    Attributes:
        name: "tiny"; "minilm"; a model of `keras.applications`, e.g.
            "MobileNetV2"; "hub:HANDLE", a TF Hub module or another
            SavedModel; "preset:NAME" of KerasHub; or "file:PATH", a saved
            Keras model.
        weights: "imagenet" for the pretrained weights, None for random ones,
            or the path of a weights file. A module has its own.
        options: The model's own options, e.g. `{"alpha": 0.35}`.
    """

    name: str = "tiny"
    weights: str | None = "imagenet"
    options: dict[str, object] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        _text(self.name, "encoder.name")
        _optional_text(self.weights, "encoder.weights")
        _options(self.options, "encoder.options")


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadConfig:
    """The new layers on top of the encoder.

    Attributes:
        hidden_units: Widths of the Dense layers before the last one.
        dropout: Share of the features that is dropped in training, in [0, 1).
        l1: Strength of the L1 penalty on the kernels, at least 0.
        l2: Strength of the L2 penalty on the kernels, at least 0.
    """

    hidden_units: tuple[int, ...] = ()
    dropout: float = 0.0
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self):
        checks.instance(
            self.hidden_units,
            (tuple, list),
            name="head.hidden_units",
            hint="Write for example (64, 32).",
        )
        for units in self.hidden_units:
            checks.integer(units, name="head.hidden_units", low=1)
        object.__setattr__(self, "hidden_units", tuple(self.hidden_units))
        checks.share(self.dropout, name="head.dropout")
        checks.in_range(self.l1, name="head.l1", low=0.0)
        checks.in_range(self.l2, name="head.l2", low=0.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """Which groups train in which order, and how fast.

    Attributes:
        name: A named plan, e.g. "head_then_top".
        options: The plan's own arguments, e.g. `{"head_epochs": 3}`. What is
            not given has the plan's own default.
    """

    name: str = "head_then_top"
    options: dict[str, object] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        _text(self.name, "plan.name")
        _options(self.options, "plan.options")
        if "augmentation" in self.options:
            raise ValueError(
                "`plan.options` takes no augmentation. Write it as a field of "
                "its own: augmentation.flip=true."
            )
        # Plans are TensorFlow-free values: making one checks name and options.
        plans.make(self.name, **self.options)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """What `report.html` shows, and what its model card says.

    Attributes:
        write: Whether a run writes it.
        pictures: How many examples of each kind it shows, of the highest
            losses and of the surest errors; 0 shows none.
        intended_use: For what and whom the model is made. None: not stated.
        limits: Where it should not be used. None: what follows from the
            scores alone.
    """

    write: bool = True
    pictures: int = 8
    intended_use: str | None = None
    limits: str | None = None

    def __post_init__(self):
        _boolean(self.write, "report.write")
        checks.integer(self.pictures, name="report.pictures")
        _optional_text(self.intended_use, "report.intended_use")
        _optional_text(self.limits, "report.limits")


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that `tl_keras.run` is told.

    Attributes:
        data: Which images, texts or sounds, and how they are read.
        encoder: Which pretrained network.
        head: The new layers on top of it.
        plan: Which groups train in which order, and how fast.
        augmentation: How training images are varied, in every phase.
        class_weight: "balanced" weighs every class by the inverse of its
            share of the training part; None weighs every example the same.
        seed: Seed of the split, the order, the augmentation and the head; and
            of an encoder with random weights, for which a run sets Keras'
            global seed.
        prefix_cache: How what is frozen in front is computed once and kept.
        step_trial: Whether long phases begin with a trial of how to run their
            steps.
        strategy: "none" for one device, "mirrored" for all GPUs, "auto" for
            mirrored where there are several GPUs, "multiworker" for the
            processes that the environment variable `TF_CONFIG` names, "tpu"
            for the TPU of this machine, "tpu:NAME" for one elsewhere.
        precision: Keras' dtype policy. Logits are float32 in each.
        range_probe: What happens when the first batch reaches the encoder in
            another range of values than it was trained on: "stop", "warn" or
            "off".
        calibrate: Whether the logits are divided by the temperature with the
            lowest validation log loss, where there is a validation part. The
            saved and the exported model are calibrated; no predicted class
            changes.
        tensorboard: Whether logs for TensorBoard are written to the workdir.
        checkpoints: When checkpoints are written, from which a run that was
            killed goes on. They are removed when its files are complete.
        check_export: Whether the export is loaded in fresh processes, and its
            answers compared with the model's, before it counts.
        report: What `report.html` shows.
        workdir: Folder of the results. None has to be set before the run.
    """

    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    encoder: EncoderConfig = dataclasses.field(default_factory=EncoderConfig)
    head: HeadConfig = dataclasses.field(default_factory=HeadConfig)
    plan: PlanConfig = dataclasses.field(default_factory=PlanConfig)
    augmentation: Augmentation = dataclasses.field(default_factory=Augmentation)
    class_weight: str | None = None
    seed: int = 0
    prefix_cache: PrefixCache = dataclasses.field(default_factory=PrefixCache)
    step_trial: bool = True
    strategy: str = "auto"
    precision: str = "float32"
    range_probe: str = "stop"
    calibrate: bool = True
    tensorboard: bool = False
    checkpoints: Checkpoints = dataclasses.field(default_factory=Checkpoints)
    check_export: bool = True
    report: ReportConfig = dataclasses.field(default_factory=ReportConfig)
    workdir: str | None = None

    def __post_init__(self):
        for name, section in _sections(RunConfig).items():
            checks.instance(getattr(self, name), section, name=name)
        checks.one_of(self.class_weight, CLASS_WEIGHTS, name="class_weight")
        checks.integer(self.seed, name="seed")
        strategy_names.check(self.strategy)
        checks.one_of(self.precision, PRECISIONS, name="precision")
        checks.one_of(self.range_probe, RANGE_PROBES, name="range_probe")
        _boolean(self.step_trial, "step_trial")
        _boolean(self.calibrate, "calibrate")
        _boolean(self.tensorboard, "tensorboard")
        _boolean(self.check_export, "check_export")
        if self.checkpoints.keep:
            raise ValueError(
                "`checkpoints.keep` is for `fit`: a run removes its "
                "checkpoints when its files are complete. Leave it out."
            )
        _optional_text(self.workdir, "workdir")


def load(path: str | None = None, overrides=()) -> RunConfig:
    """The config that a file describes, with fields overridden.

    Args:
        path: A Python file that defines `get_config()`, which returns a
            `RunConfig`. None starts from the defaults.
        overrides: Strings such as "plan.options.head_epochs=3", applied in
            order.

    Returns:
        A `RunConfig`.

    Raises:
        ValueError: If there is no such file or function, or an override is
            not valid.
        TypeError: If `get_config()` returns something else.

    Example:
        >>> load(overrides=["seed=3", "encoder.options.alpha=0.35"]).seed
        3
    """
    config = RunConfig() if path is None else _from_file(pathlib.Path(path))
    for assignment in overrides:
        config = override(config, assignment)
    return config


def override(config: RunConfig, assignment: str) -> RunConfig:
    """A copy of `config` with one field changed.

    Args:
        config: A `RunConfig`.
        assignment: "FIELD=VALUE" with a dotted field; the value is read by the
            field's type. "none" stands for None where a field allows it, and a
            tuple is written with commas. Below `options` any key is taken, and
            the value is read as Python reads a literal. Options belong to a
            name: another `encoder.name` or `plan.name` starts without any.

    Returns:
        A `RunConfig`.

    Raises:
        ValueError: If there is no such field, or the value does not fit.

    Example:
        >>> override(RunConfig(), "head.hidden_units=64,32").head.hidden_units
        (64, 32)
        >>> override(RunConfig(), "sede=3")
        Traceback (most recent call last):
            ...
        ValueError: Unknown `field of the config`. Got: 'sede'. ...
    """
    field, equals, text = assignment.partition("=")
    if not equals:
        raise ValueError(
            f"An override has no value. Got: {assignment!r}. Expected "
            "FIELD=VALUE, for example seed=3 or data.batch_size=64."
        )
    return _replace(config, field.strip().split("."), text.strip(), "")


def as_dict(config: RunConfig) -> dict:
    """The config as dicts, lists, strings and numbers, ready for JSON.

    Example:
        >>> as_dict(RunConfig(seed=3))["seed"]
        3
    """
    return _plain(dataclasses.asdict(config))


def from_dict(values: dict) -> RunConfig:
    """The config that `as_dict` wrote.

    Raises:
        ValueError: If a key is not a field.

    Example:
        >>> config = RunConfig(head=HeadConfig(hidden_units=(64,)))
        >>> from_dict(as_dict(config)) == config
        True
    """
    arguments = {}
    sections = _sections(RunConfig)
    for name, value in values.items():
        checks.one_of(name, _fields(RunConfig), name="field of the config")
        if name in sections:
            for key in value:
                checks.one_of(key, _fields(sections[name]), name=name)
            value = sections[name](**value)
        arguments[name] = value
    return RunConfig(**arguments)


def describe(config: RunConfig) -> str:
    """One line per field, each as `override` takes it.

    Example:
        >>> print(describe(RunConfig()).splitlines()[0])
        data.name=digits
    """
    return "\n".join(_lines(config, ""))


def _from_file(path: pathlib.Path) -> RunConfig:
    if not path.is_file():
        raise ValueError(
            f"There is no config file {str(path)!r}. Expected a Python file "
            "that defines `get_config()`."
        )
    spec = importlib.util.spec_from_file_location("tl_keras_config", path)
    if spec is None:
        raise ValueError(
            f"A config file is Python. Got: {str(path)!r}. Expected a name "
            "that ends in .py."
        )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise ValueError(
            f"{str(path)!r} does not define `get_config()`. Expected a "
            "function without arguments that returns a "
            "`tl_keras.configs.RunConfig`."
        )
    return checks.instance(
        module.get_config(), RunConfig, name=f"get_config() of {path}"
    )


def _replace(section, keys: list[str], text: str, prefix: str):
    """A copy of a dataclass whose field at `keys` is read from `text`."""
    key, *rest = keys
    name = prefix + key
    if key not in _fields(type(section)):
        known = [prefix + field for field in _fields(type(section))]
        checks.one_of(name, known, name="field of the config")
    value = getattr(section, key)
    if dataclasses.is_dataclass(value):
        if not rest:
            raise ValueError(
                f"`{name}` is a group of fields. Got: {name}={text}. Expected "
                f"one of: {', '.join(_settable(value, name + '.'))}."
            )
        new = _replace(value, rest, text, name + ".")
    elif isinstance(value, dict) and rest:
        new = value | {".".join(rest): _literal(text)}
    elif rest:
        raise ValueError(
            f"`{name}` has no fields of its own. Got: "
            f"{'.'.join([name, *rest])}. Write {name}=VALUE."
        )
    else:
        hint = typing.get_type_hints(type(section))[key]
        new = _parse(text, hint, name)
    changes = {key: new}
    if key == "name" and "options" in _fields(type(section)) and new != value:
        changes["options"] = {}
    return dataclasses.replace(section, **changes)


def _parse(text: str, hint, name: str):
    """`text` as a value of the type `hint`."""
    if isinstance(hint, types.UnionType):
        if text.lower() == "none":
            return None
        hint = next(
            arg for arg in typing.get_args(hint) if arg is not type(None)
        )
    expected, read = _READERS[typing.get_origin(hint) or hint]
    try:
        return read(text)
    except (ValueError, SyntaxError, KeyError):
        raise ValueError(
            f"`{name}` must be {expected}. Got: {text!r}."
        ) from None


def _integers(text: str) -> tuple[int, ...]:
    inner = text.strip("()[] ").rstrip(",")
    return tuple(int(part) for part in inner.split(",")) if inner else ()


def _dict(text: str) -> dict:
    value = ast.literal_eval(text)
    if not isinstance(value, dict):
        raise ValueError
    return value


_READERS = {
    bool: (
        "true or false",
        lambda t: {"true": True, "false": False}[t.lower()],
    ),
    int: ("a whole number", int),
    float: ("a number", float),
    str: ("a text", str),
    tuple: ("whole numbers with commas, for example 64,32", _integers),
    dict: ("a dict, for example {'alpha': 0.35}", _dict),
}


def _literal(text: str):
    """`text` as Python reads it, else as a string."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _fields(section) -> list[str]:
    return [field.name for field in dataclasses.fields(section)]


def _sections(config) -> dict[str, type]:
    """Names and types of the fields that are dataclasses themselves."""
    hints = typing.get_type_hints(config)
    return {n: h for n, h in hints.items() if dataclasses.is_dataclass(h)}


def _settable(section, prefix: str) -> list[str]:
    return [
        f"{prefix}{name}.KEY"
        if isinstance(getattr(section, name), dict)
        else prefix + name
        for name in _fields(section)
    ]


def _lines(section, prefix: str):
    for name in _fields(section):
        value = getattr(section, name)
        if dataclasses.is_dataclass(value):
            yield from _lines(value, f"{prefix}{name}.")
        elif isinstance(value, dict):
            for key, item in value.items():
                yield f"{prefix}{name}.{key}={item}"
        elif isinstance(value, tuple):
            yield f"{prefix}{name}={','.join(str(item) for item in value)}"
        else:
            yield f"{prefix}{name}={value}"


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _text(value, name: str):
    checks.instance(value, str, name=name)
    if not value:
        raise ValueError(f"`{name}` is empty. Expected a name.")


def _optional_text(value, name: str):
    if value is not None:
        _text(value, name)


def _optional_integer(value, name: str):
    if value is not None:
        checks.integer(value, name=name, low=1)


def _boolean(value, name: str):
    checks.instance(value, bool, name=name)


def _options(value, name: str):
    checks.instance(value, dict, name=name)
    for key in value:
        checks.instance(key, str, name=f"a key of {name}")
    try:
        json.dumps(value)
    except TypeError as error:
        raise TypeError(
            f"`{name}` must hold names and numbers, since the workdir keeps "
            f"them as JSON. Got: {value}. {error}."
        ) from error
