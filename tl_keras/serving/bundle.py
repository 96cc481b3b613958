"""The files beside a SavedModel: what it is, and how to serve it."""

import datetime
import json
import os
import pathlib
import tempfile

from tl_keras.serving import description

_CONFIG = """\
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
  }}
}}
"""
# Half of the threads of a small machine wait for a batch to fill.
_BATCHING = """\
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 4 }
"""


def write_card(about: str, class_names, requests, folder: pathlib.Path):
    """Writes `tl_keras.json`: what the model is and where it came from.

    Args:
        about: What `description.as_json` says.
        class_names: Names of the classes.
        requests: The golden requests, one a signature.
        folder: Where the file is made, the version's `assets.extra`.
    """
    now = datetime.datetime.now(datetime.UTC)
    content = {
        "created": now.isoformat(timespec="seconds"),
        **json.loads(about),
        "class_names": class_names,
        "signatures": {
            request.signature: {
                "inputs": sorted(request.inputs),
                "outputs": sorted(request.outputs),
            }
            for request in requests
        },
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (folder / description.FILE).write_text(text + "\n", encoding="utf-8")


def write_how_to_serve(name, request, class_names, directory: pathlib.Path):
    """Writes `models.config`, `batching_parameters.txt` and `SERVING.md`.

    A config that is there already stays: its owner may have changed it.

    Args:
        name: Of the model, the last part of `directory`.
        request: The golden request of `serving_default`.
        class_names: Names of the classes.
        directory: The folder of the versions.
    """
    contents = {
        "models.config": _CONFIG.format(name=name),
        "batching_parameters.txt": _BATCHING,
    }
    for file, content in contents.items():
        if not (directory / file).exists():
            _write(directory / file, content)
    page = _serving_md(name, request, class_names)
    _write(directory / "SERVING.md", page)


def _write(path, content):
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".export-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _serving_md(name, request, class_names) -> str:
    [(input_name, values)] = request.inputs.items()
    shown = ", ".join(f"`{class_name}`" for class_name in class_names[:10])
    if len(class_names) > 10:
        shown += f" and {len(class_names) - 10} more"
    if input_name in _FORMS:
        given, instance, imports, prepare = _FORMS[input_name]
    else:
        dtype, shape = values.dtype.name, list(values.shape)
        given, instance = f"{dtype} arrays of shape {shape[1:]}", "..."
        imports = "import numpy as np\n"
        prepare = f'inputs = np.zeros({shape}, "{dtype}")'
    return _SERVING_MD.format(
        name=name,
        given=given,
        input_name=input_name,
        classes=shown,
        instance=instance,
        imports=imports,
        prepare=prepare,
    )


# Input to: what it is, one of it in JSON, and one of it in Python.
_FORMS = {
    "texts": ("texts", '"a text"', "", 'inputs = ["a text"]'),
    "image_bytes": (
        "encoded images (JPEG, PNG, GIF or BMP) of any size",
        '{"b64": "\'$(base64 -w0 image.jpg)\'"}',
        "import pathlib\n\n",
        'inputs = [pathlib.Path("image.jpg").read_bytes()]',
    ),
    "wav_bytes": (
        "WAV files of 16 bits",
        '{"b64": "\'$(base64 -w0 clip.wav)\'"}',
        "import pathlib\n\n",
        'inputs = [pathlib.Path("clip.wav").read_bytes()]',
    ),
}
_SERVING_MD = """\
# Serving {name}

`serving_default` takes {given} as `{input_name}`, a string for each, and
gives for each:

- `probabilities`, one a class;
- `class_names`, in the order of the probabilities: {classes};
- `top_classes`, the names of the most probable ones, best first.

`assets.extra/tl_keras.json` of each version lists the other signatures, and
where the model came from. Each signature has a request with its answer in
`assets.extra/golden.json`; `tl-keras export --check=VERSION_FOLDER` sends
them.

## Start the server

In the folder that holds `{name}`:

    docker run --rm -p 8500:8500 -p 8501:8501 \\
        --mount type=bind,source="$(pwd)/{name}",target=/models/{name} \\
        -e MODEL_NAME={name} tensorflow/serving

With batching, which joins requests that come at about the same time, add to
it (one image that cannot be read then fails the requests joined with it):

    --model_config_file=/models/{name}/models.config \\
    --enable_batching \\
    --batching_parameters_file=/models/{name}/batching_parameters.txt

A new version in the folder is loaded while the server runs.

## Ask it

    curl http://localhost:8501/v1/models/{name}:predict \\
        -d '{{"instances": [{instance}]}}'

In Python, over gRPC:

```python
{imports}import tl_keras

{prepare}
with tl_keras.serving.Client("localhost:8500", "{name}") as client:
    answer = client.predict(inputs)
print(answer["top_classes"][:, 0], answer["probabilities"].max(axis=1))
```
"""
