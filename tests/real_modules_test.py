"""Real modules, from the command's config to a server's answer.

Each is fine-tuned in two phases where it can train, its own folder is removed,
and a new process reads the saved model and the export.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import encoders_for_tests
import modules_for_tests
import numpy as np
import pytest
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import configs
from tl_keras import runs

HUB = modules_for_tests.DATA / "hub"
FLOWERS = f"folder:{modules_for_tests.DATA}/images/flowers_small"
SST2 = f"tsv:{modules_for_tests.DATA}/text/sst2"
TEXT_COLUMNS = ["data.text_column=0", "data.label_column=1"]

_PROGRAM = """
import sys
import numpy as np
import tensorflow as tf
import tl_keras

folder = sys.argv[1]
inputs = np.load(f"{folder}/inputs.npy", allow_pickle=True)
inputs = tf.constant(inputs.tolist() if inputs.dtype == object else inputs)
model = tl_keras.load_model(f"{folder}/run/model.keras", trust_modules=True)
serve = tf.saved_model.load(f"{folder}/run/export/model/1").signatures
raw = {"pixels", "waveforms"} & set(serve)
serve = serve[raw.pop() if raw else "serving_default"]
[argument] = serve.structured_input_signature[1].values()
served = serve(**{argument.name: tf.cast(inputs, argument.dtype)})
np.savez(
    f"{folder}/answers.npz",
    reloaded=model(inputs).numpy(),
    served=served["probabilities"].numpy(),
)
"""


def real(name):
    """A maker of a copy of a real module."""

    def make(folder):
        return shutil.copytree(HUB / name, f"{folder}/{name}")

    return make


# Name: what makes the module, the data, further overrides, whether it trains.
MODULES = {
    "mobilenet_v1": (
        real("mobilenet_v1_025_224_feature_vector"),
        FLOWERS,
        ["data.train_examples=32"],
        True,
    ),
    "mobilenet_v2": (
        real("mobilenet_v2_035_224_feature_vector"),
        FLOWERS,
        ["data.train_examples=32"],
        True,
    ),
    "glove": (
        real("glove_6b_50d_sentence_encoder"),
        SST2,
        [*TEXT_COLUMNS, "data.train_examples=200"],
        True,
    ),
    "pair": (
        lambda folder: modules_for_tests.token_module(
            f"{folder}/tokens", num_words=30_522
        ),
        SST2,
        [*TEXT_COLUMNS, "data.train_examples=200"],
        True,
    ),
    "yamnet": (
        real("yamnet_from_tflite"),
        "sounds",
        ["data.train_examples=30"],
        True,
    ),
    "basic_pitch": (
        real("basic_pitch_icassp2022_nmp"),
        "sounds",
        [
            "data.train_examples=16",
            "data.batch_size=8",
            "encoder.options.output_key=note",
            "encoder.options.sample_rate=22050",
        ],
        True,
    ),
    "tf1": (
        lambda folder: modules_for_tests.tf1_module(f"{folder}/tf1"),
        FLOWERS,
        [],
        False,
    ),
    "signature": (
        lambda folder: modules_for_tests.signature_module(
            f"{folder}/signature"
        ),
        FLOWERS,
        [],
        False,
    ),
}

# As `mobilenet_v2` and `yamnet`.
LIKE_OTHERS = ("mobilenet_v1", "basic_pitch")


@unittest.skipUnless(
    HUB.is_dir(), f"no real modules and data in {HUB} (TL_KERAS_DATA)"
)
class RealModulesTest(parameterized.TestCase):
    @parameterized.named_parameters(
        (name, name) for name in MODULES if name not in LIKE_OTHERS
    )
    def test_the_whole_way(self, name):
        self._check(name)

    @parameterized.named_parameters((name, name) for name in LIKE_OTHERS)
    @pytest.mark.slow
    def test_the_whole_way_of_others(self, name):
        self._check(name)

    def _check(self, name):
        make, dataset, overrides, trains = MODULES[name]
        folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
        modules = folder / "modules"
        modules.mkdir()
        module = make(modules)
        if name == "pair":
            words = shutil.copytree(
                HUB / "bert_en_uncased_preprocess_128", modules / "words"
            )
            overrides = [*overrides, f"encoder.options.preprocessor={words}"]
        if dataset == "sounds":
            dataset = f"csv:{_sounds(folder)}"
            overrides = [*overrides, "data.seconds=1"]
        plan = "head_then_top" if trains else "linear_probe"
        epochs = ["head_epochs", "top_epochs"] if trains else ["epochs"]
        config = configs.load(
            overrides=[
                f"data.name={dataset}",
                f"encoder.name=hub:{module}",
                f"plan.name={plan}",
                *(f"plan.options.{option}=1" for option in epochs),
                f"workdir={folder}/run",
                *overrides,
            ]
        )
        result = runs.run(config, verbose=0)
        self.assertLen(result.fit.phases, 2 if trains else 1)
        if trains:
            self.assertGreater(len(result.fit.phases[1].groups), 1)

        spec = encoders_for_tests.input_spec_of(result.model)
        inputs = encoders_for_tests.inputs(spec, 4)
        answer = result.model(inputs).numpy()
        values = inputs.numpy()
        np.save(folder / "inputs.npy", values, allow_pickle=True)
        shutil.rmtree(modules)
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(folder)],
            capture_output=True,
            text=True,
            env=os.environ | {"TL_KERAS_CACHE": f"{folder}/cache"},
        )
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        answers = np.load(folder / "answers.npz")
        scale = np.abs(answer).max()
        np.testing.assert_allclose(
            answers["reloaded"], answer, rtol=1e-4, atol=1e-5 * scale
        )
        np.testing.assert_allclose(
            answers["served"], tf.nn.softmax(answer), rtol=1e-4, atol=1e-6
        )


def _sounds(folder) -> pathlib.Path:
    """A table of three spoken digits."""
    table = folder / "sounds.csv"
    lines = ["path,label,split"]
    clips = modules_for_tests.DATA / "audio" / "fsdd_8k"
    for path in sorted(clips.glob("[012]_*.wav")):
        digit, _, take = path.stem.split("_")
        if int(take) in (0, 5, 6):
            split = "test" if int(take) == 0 else "train"
            lines.append(f"{path},{digit},{split}")
    table.write_text("\n".join(lines))
    return table


if __name__ == "__main__":
    absltest.main()
