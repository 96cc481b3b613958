"""An augmentation is a checked value."""

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import augmentation


class AugmentationTest(parameterized.TestCase):
    def test_changes_nothing_by_default(self):
        self.assertFalse(augmentation.Augmentation().mixes_labels)

    @parameterized.parameters({"mixup": 0.1}, {"cutmix": 1})
    def test_says_when_labels_are_mixed(self, **options):
        self.assertTrue(augmentation.Augmentation(**options).mixes_labels)

    @parameterized.parameters(
        {"crop": 1.0},
        {"crop": -0.1},
        {"rand_augment_layers": -1},
        {"rand_augment_magnitude": 11},
        {"mixup": -1},
        {"cutmix": float("nan")},
    )
    def test_refuses_values_out_of_range(self, **options):
        (name,) = options
        with self.assertRaisesRegex(ValueError, f"augmentation.{name}"):
            augmentation.Augmentation(**options)

    @parameterized.parameters({"flip": 1}, {"crop": "a"})
    def test_refuses_wrong_types(self, **options):
        (name,) = options
        with self.assertRaisesRegex(TypeError, f"augmentation.{name}"):
            augmentation.Augmentation(**options)


if __name__ == "__main__":
    absltest.main()
