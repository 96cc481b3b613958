"""Tests of the layer groups of `keras.applications`."""

import functools

import keras
import pytest
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.encoders import applications
from tl_keras.encoders import stages

# These take seconds each and are made of the same blocks as their smaller
# siblings; `benchmarks/check_applications.py` checks them.
_LARGEST = (
    "ConvNeXtLarge",
    "ConvNeXtXLarge",
    "DenseNet201",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "ResNet152",
    "ResNet152V2",
)


@functools.cache
def _groups(name):
    # Makes no weights, which would take minutes for all models together. The
    # encoder checks that its groups partition the layers in graph order.
    _, min_size = applications.image_sizes(name)
    with keras.StatelessScope():
        return applications.load(name, min_size, weights=None).groups


class StagesTest(parameterized.TestCase):
    @pytest.mark.slow
    def test_partition_the_weights_of_every_application(self):
        for name in applications.names():
            if name not in _LARGEST:
                with self.subTest(name):
                    self.assertGreaterEqual(len(_groups(name)), 5)

    @parameterized.parameters(
        ("MobileNetV2", ["stem"] + [f"block_{i}" for i in range(17)] + ["top"]),
        ("ResNet50", ["stem", "conv2", "conv3", "conv4", "conv5"]),
        ("ResNet50V2", ["stem", "conv2", "conv3", "conv4", "conv5", "top"]),
        ("VGG16", [f"block{i}" for i in range(1, 6)]),
        ("Xception", [f"block{i}" for i in range(1, 15)]),
        ("InceptionV3", ["stem"] + [f"mixed{i}" for i in range(11)]),
    )
    def test_are_named_after_the_stages(self, name, expected):
        self.assertEqual(list(_groups(name)), expected)

    def test_put_xceptions_shortcuts_beside_the_block_that_they_skip(self):
        # Two separable convolutions and the shortcut, each normalized; the
        # shortcut's layers have automatic names.
        for block in (2, 3, 4, 13):
            self.assertLen(_groups("Xception")[f"block{block}"], 6)

    def test_put_inceptions_branches_into_the_block_that_joins_them(self):
        groups = _groups("InceptionV3")
        # Five convolutions in the stem; the last block has nine, counted in
        # the paper's figures; each is normalized.
        self.assertLen(groups["stem"], 10)
        self.assertLen(groups["mixed10"], 18)

    def test_have_the_normalisation_that_efficientnet_learned_in_the_stem(self):
        stem = _groups("EfficientNetB0")["stem"]
        self.assertRegex(stem[0], "normalization.*")
        self.assertEqual(stem[1:], ("stem_conv", "stem_bn"))

    def test_refuse_a_module_without_patterns(self):
        with self.assertRaisesRegex(ValueError, "applications.new.*from_model"):
            stages.groups_of(None, "new")


if __name__ == "__main__":
    absltest.main()
