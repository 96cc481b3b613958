"""The public surface is short and on purpose."""

import importlib

from absl.testing import absltest
from absl.testing import parameterized

PUBLIC = {
    "tl_keras": (
        "Checkpoints",
        "PrefixCache",
        "audit",
        "build",
        "check_tpu",
        "compression",
        "data",
        "encoders",
        "evaluate",
        "fit",
        "heads",
        "interpretation",
        "load_model",
        "plans",
        "run",
        "save",
        "serving",
        "strategy",
    ),
    "tl_keras.auditing": ("Audit", "DoubtfulLabel", "DuplicateGroup"),
    "tl_keras.compression": ("SparsityReport", "sparsity"),
    "tl_keras.data": (
        "Augmentation",
        "Data",
        "DownloadError",
        "from_arrays",
        "load",
    ),
    "tl_keras.encoders": (
        "Encoder",
        "HubEncoder",
        "from_model",
        "load",
        "names",
    ),
    "tl_keras.evaluation": (
        "Evaluation",
        "Resamples",
        "calibrate",
        "compare",
        "corruptions",
        "cross_validate",
        "evaluate",
        "from_predictions",
        "over_seeds",
        "over_splits",
        "predict_probabilities",
        "robustness",
    ),
    "tl_keras.heads": ("Classifier",),
    "tl_keras.interpretation": (
        "Explanation",
        "confused_pairs",
        "explain",
        "grad_cam",
        "integrated_gradients",
        "nearest_neighbours",
        "occlusion",
        "token_attributions",
        "top_losses",
    ),
    "tl_keras.reports": ("plots", "results"),
    "tl_keras.serving": (
        "CheckError",
        "Client",
        "InvalidInputError",
        "check",
        "export",
    ),
    "tl_keras.tuning": (
        "Phase",
        "Plan",
        "Pruning",
        "lora",
        "plans",
        "starting_point_penalty",
    ),
}


class PublicNamesTest(parameterized.TestCase):
    @parameterized.parameters(*PUBLIC)
    def test_the_list_is_the_one_written_here(self, package):
        module = importlib.import_module(package)
        self.assertSequenceEqual(sorted(module.__all__), PUBLIC[package])

    @parameterized.parameters(*PUBLIC)
    def test_every_name_can_be_read_and_is_documented(self, package):
        module = importlib.import_module(package)
        for name in module.__all__:
            self.assertTrue(getattr(module, name).__doc__, name)

    @parameterized.parameters(*PUBLIC)
    def test_a_wrong_name_gets_the_list(self, package):
        module = importlib.import_module(package)
        with self.assertRaisesRegex(AttributeError, PUBLIC[package][0]):
            module.no_such_name  # noqa: B018


if __name__ == "__main__":
    absltest.main()
