"""The model of a finished run in the forms in which it is used elsewhere."""

import dataclasses
import json
import pathlib

from tl_keras import cards
from tl_keras import checks
from tl_keras import models
from tl_keras import runs
from tl_keras import workdirs
from tl_keras.reports import results as reports
from tl_keras.serving import litert
from tl_keras.serving import onnx
from tl_keras.serving import savedmodel
from tl_keras.serving import self_check

FORMATS = ("saved_model", "litert", "onnx")


@dataclasses.dataclass(frozen=True)
class Exported:
    """A form of a model.

    Attributes:
        path: Its folder or file.
        report: What was found out about it, in words.
    """

    path: pathlib.Path
    report: str

    def __str__(self):
        return self.report


def export(
    workdir,
    to=("saved_model",),
    *,
    name: str = "model",
    check: bool = True,
    classify: bool = False,
    forms=("float32", "float16", "dynamic_range", "int8"),
    max_accuracy_drop: float = 0.01,
    data_dir=None,
    trust_modules: bool = False,
) -> list[Exported]:
    """Exports the model of a finished run.

    Everything is below the workdir's `export`: a version for TensorFlow
    Serving in `NAME/VERSION`, LiteRT files in `litert`, `onnx/model.onnx`.

    Args:
        workdir: The run's folder.
        to: Some of "saved_model", "litert" and "onnx".
        name: The model's name on the server.
        check: Whether the SavedModel is checked in fresh processes, see
            `tl_keras.serving.export`.
        classify: Whether the SavedModel answers Classify requests too.
        forms: Which LiteRT files, see `tl_keras.serving.litert.convert`.
        max_accuracy_drop: How much less accurate than the model they may be,
            on the test part of the run's data, as a share.
        data_dir: Folder of prepared TensorFlow Datasets. None: that of the
            run. Data are read for LiteRT only.
        trust_modules: See `tl_keras.load_model`.

    Returns:
        An `Exported` for each version or file.

    Raises:
        ValueError: If there is no finished run, an unknown form is asked for,
            the model cannot take it, or a file is less accurate than it may
            be.
        ImportError: If `onnx` is asked for and its packages are missing.
    """
    to = [to] if isinstance(to, str) else list(to)
    for one in to:
        checks.one_of(one, FORMATS, name="to")
    _check_name(name)
    config = workdirs.read_config(workdir)
    folder = workdirs.make(workdir)
    model = models.load_model(folder.model, trust_modules=trust_modules)
    provenance = _provenance(folder)
    exported = []
    if "saved_model" in to:
        path = savedmodel.export(
            model,
            folder.export / name,
            keep_aspect_ratio=config.data.keep_aspect_ratio,
            classify=classify,
            provenance=provenance,
            check=check,
        )
        exported.append(Exported(path, _checked(path)))
    if "litert" in to:
        data = _data(config, model, data_dir)
        exported += [
            Exported(one.path, _agreement(one))
            for one in litert.export(
                model,
                folder.export / "litert",
                data,
                forms=forms,
                max_accuracy_drop=max_accuracy_drop,
            )
        ]
    if "onnx" in to:
        path = onnx.export(
            model,
            folder.export / "onnx" / "model.onnx",
            provenance=provenance,
        )
        exported.append(
            Exported(path, f"{path}: ONNX Runtime answers as the model does")
        )
    return exported


def _check_name(name):
    checks.instance(name, str, name="name")
    if not name or pathlib.PurePath(name).name != name or name in FORMATS[1:]:
        raise ValueError(
            f"`name` does not name a model on a server. Got: {name!r}. "
            "Expected one name without slashes, such as 'pets', other than "
            "'litert' and 'onnx', whose folders are beside it."
        )


def _provenance(folder):
    if not folder.results.is_file():
        return None
    content = json.loads(folder.results.read_text(encoding="utf-8"))
    return reports.provenance(reports.Results(**content))


def _checked(path) -> str:
    checked = self_check.read(path)
    return f"{path}: not checked" if checked is None else str(checked)


def _agreement(one) -> str:
    return (
        f"{one.path}: {one.size_bytes:,} bytes, accuracy {one.accuracy:.4f} "
        f"where the model has {one.keras_accuracy:.4f} ({one.num_examples} "
        f"examples, {one.same_class:.1%} classified alike)"
    )


def _data(config, model, data_dir):
    chosen = config.data
    if data_dir is not None:
        chosen = dataclasses.replace(chosen, data_dir=data_dir)
    return runs.prepare_data(
        runs.read_data(chosen),
        chosen,
        config.seed,
        **runs.choices_for(cards.of(model).input_spec),
    )
