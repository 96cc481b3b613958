"""Why the model of a finished run says what it says, in pictures and JSON."""

import dataclasses
import functools
import os
import pathlib

import keras
import numpy as np

from tl_keras import cards
from tl_keras import checks
from tl_keras import configs
from tl_keras import inference
from tl_keras import models
from tl_keras import runs
from tl_keras import workdirs
from tl_keras.data import data as data_
from tl_keras.evaluation import predictions
from tl_keras.interpretation import class_scores
from tl_keras.interpretation import explanations
from tl_keras.interpretation import mistakes
from tl_keras.interpretation import neighbours
from tl_keras.interpretation import requests
from tl_keras.reports import explanation_files
from tl_keras.reports import heatmaps
from tl_keras.training import encoder_features

_FILE = "explanations.json"
_KINDS = ("image", "text")


def explain(
    workdir,
    paths=(),
    *,
    texts=(),
    request: requests.Request | None = None,
    out=None,
    data_dir=None,
    trust_modules: bool = False,
) -> dict:
    """Explains what the model of a finished run says of files, or texts.

    Of sound it names neighbours and errors, and draws nothing.

    Args:
        workdir: The run's folder.
        paths: Files of the kind that the model takes, or folders of them.
        texts: Texts, for a model that takes them.
        request: What is to be explained, and how. None: the default method,
            checked.
        out: Folder for `explanations.json` and the pictures. None:
            `explanations` in the workdir.
        data_dir: Folder of prepared TensorFlow Datasets. None: that of the
            run. Data are read for neighbours and errors only.
        trust_modules: See `tl_keras.load_model`.

    Returns:
        What `explanations.json` holds.

    Raises:
        ValueError: If there is no finished run, a file cannot be read, a
            class or method is unknown or does not suit the model.
        FileNotFoundError: If there is no such file or folder.
        ImportError: If the package of a method is missing.
    """
    request = request or requests.Request()
    run = _open(workdir, data_dir, trust_modules)
    inputs, names = _inputs(run, paths, texts)
    out = pathlib.Path(out or workdirs.make(workdir).explanations)
    found = {
        "schema_version": explanation_files.SCHEMA_VERSION,
        "model": run.model.name,
        "methods": list(request.methods),
        "explanations": [],
        "neighbours": [],
        "top_losses": [],
        "confused_pairs": [],
    }
    _check_kind(run, request)
    classes = _wanted_class(run, request.class_name)
    pictures = explanation_files.Pictures(out)
    if len(names):
        found["explanations"] += _explained(
            run, inputs, names, classes, request, pictures
        )
        if request.neighbours:
            found["neighbours"] = _near(run, inputs, names, request.neighbours)
    if request.top_losses:
        worst, pairs, more = _errors(run, request, pictures)
        found["top_losses"], found["confused_pairs"] = worst, pairs
        found["explanations"] += more
    found["methods"] = sorted({e["method"] for e in found["explanations"]})
    explanation_files.write(found, out / _FILE)
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class _Run:
    """A finished run, read back."""

    config: configs.RunConfig
    model: keras.Model
    card: cards.Card

    @functools.cached_property
    def scores(self):
        return class_scores.ClassScores(self.model)

    @functools.cached_property
    def data(self) -> data_.Data:
        return runs.data_for(self.config, self.card.input_spec)


def _open(workdir, data_dir, trust_modules) -> _Run:
    config = workdirs.read_config(workdir)
    if data_dir is not None:
        data = dataclasses.replace(config.data, data_dir=data_dir)
        config = dataclasses.replace(config, data=data)
    model = models.load_model(
        workdirs.make(workdir).model, trust_modules=trust_modules
    )
    return _Run(config, model, cards.of(model))


def _inputs(run, paths, texts):
    """What is to be explained, and what each is called."""
    paths = [paths] if isinstance(paths, (str, os.PathLike)) else paths
    texts = [texts] if isinstance(texts, str) else list(texts)
    kind = run.card.input_spec.kind
    if kind not in _KINDS:
        raise ValueError(
            f"Images and texts can be explained. Got a model that takes "
            f"{run.card.input_spec}."
        )
    if texts and kind != "text":
        raise ValueError(
            f"The model takes {run.card.input_spec}. Got: {len(texts)} texts. "
            "Expected files."
        )
    files = [f for path in paths for f in inference.files_of(path, kind)]
    if not files:
        return texts, texts
    read = inference.read_files(files, run.config, run.card)
    if texts:
        read = [*read, *texts]
    return read, [*map(str, files), *texts]


def _check_kind(run, request):
    spec = run.card.input_spec
    if spec.kind in _KINDS or request.neighbours or request.top_losses:
        return
    raise ValueError(
        f"Images and texts can be explained. Got a model that takes {spec}. "
        "Ask for its nearest training examples with `neighbours`, or for its "
        "worst errors with `top_losses`."
    )


def _wanted_class(run, name) -> int | None:
    if name is None:
        return None
    names = run.card.class_names
    return names.index(checks.one_of(name, names, name="class"))


def _explained(run, inputs, names, classes, request, pictures) -> list[dict]:
    if run.card.input_spec.kind not in _KINDS:
        return []
    methods = request.methods or (explanations.default_method(run.scores),)
    entries = []
    for method in methods:
        options = {}
        if method == "grad_cam" and request.layer is not None:
            options["layer"] = request.layer
        found = explanations.explain(
            run.scores,
            inputs,
            method,
            classes=classes,
            check=request.check,
            seed=request.seed,
            **options,
        )
        entries += [
            _entry(run, one, content, name, pictures)
            for one, content, name in zip(found, inputs, names, strict=True)
        ]
    return entries


def _entry(run, explanation, content, name, pictures) -> dict:
    class_names = run.card.class_names
    class_name = class_names[explanation.class_index]
    probability = f"{explanation.probability:.3f}"
    title = f"{explanation_files.shortened(name)}: {class_name}, {probability}"
    picture = pictures.path(name, explanation.method)
    if explanation.map is not None:
        heatmaps.image_explanation(content, explanation, title, picture)
    else:
        heatmaps.text_explanation(explanation, title, picture)
    checked = explanation.checks
    entry = {
        "input": name,
        "class_name": class_name,
        "class_index": explanation.class_index,
        "probability": explanation.probability,
        "predicted": class_names[explanation.predicted],
        "method": explanation.method,
        "layer": explanation.layer,
        "picture": picture.name,
        "completeness_gap": explanation.completeness_gap,
        "checks": None if checked is None else checked.as_dict(),
    }
    if explanation.tokens is not None:
        entry["tokens"] = [list(token) for token in explanation.tokens]
    return entry


def _near(run, inputs, names, count) -> list[dict]:
    kept = encoder_features.encoder_features(
        run.model, run.data, "train", settings=run.config.prefix_cache
    )
    own = encoder_features.features_of(run.model, inputs)
    found = neighbours.nearest_neighbours(kept, own, count=count)
    ids, labels = run.data.ids("train"), run.data.labels("train")
    return [
        {
            "input": name,
            "neighbours": [
                {
                    "id": ids[one.index],
                    "index": one.index,
                    "class_name": run.data.class_names[labels[one.index]],
                    "similarity": one.similarity,
                }
                for one in row
            ],
        }
        for name, row in zip(names, found, strict=True)
    ]


def _errors(run, request, pictures):
    """The worst errors on a split, the confused pairs, and explanations."""
    split = getattr(run.data, request.split)
    if split is None:
        raise ValueError(
            f"{run.data.name!r} has no {request.split} part. Choose another "
            "`split`."
        )
    examples = run.data.splits[request.split]
    probabilities, labels = predictions.predict_probabilities(
        run.model, run.data.evaluation_batches(request.split)
    )
    names, ids = run.data.class_names, run.data.ids(request.split)
    worst = mistakes.top_losses(probabilities, labels, count=request.top_losses)
    pairs = mistakes.confused_pairs(probabilities, labels, names)
    indices = [one.index for one in worst]
    inputs = examples.inputs.read(np.array(indices)).numpy()
    if run.card.input_spec.kind == "text":
        inputs = [text.decode() for text in inputs]
    explained = _explained(
        run,
        inputs,
        [f"{request.split} {ids[i]}" for i in indices],
        None,
        request,
        pictures,
    )
    entries = [
        {
            **dataclasses.asdict(one),
            "id": ids[one.index],
            "label": names[one.label],
            "predicted": names[one.predicted],
        }
        for one in worst
    ]
    return entries, [dataclasses.asdict(pair) for pair in pairs], explained
