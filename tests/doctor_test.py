"""Tests of doctor."""

import pathlib

from absl.testing import absltest

from tl_keras import doctor


class DoctorTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)

    def test_finds_the_encoder_of_each_file_of_weights(self):
        # Names as Keras gives them; the last two are of no encoder's use.
        files = {
            "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5": "VGG16",
            "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5": "ResNet50",
            "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5": (
                "ResNet50V2"
            ),
            "mobilenet_1_0_224_tf_no_top.h5": "MobileNet",
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96_no_top"
            ".h5": "MobileNetV2",
            "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5": (
                "MobileNetV3Small"
            ),
            "efficientnetb0_notop.h5": "EfficientNetB0",
            "efficientnetv2-b0_notop.h5": "EfficientNetV2B0",
            "convnext_tiny_notop.h5": "ConvNeXtTiny",
            "nasnet_mobile_no_top.h5": "NASNetMobile",
            "xception_weights_tf_dim_ordering_tf_kernels_notop.h5": "Xception",
            "imagenet_class_index.json": None,
            "vgg19_weights_tf_dim_ordering_tf_kernels.h5": None,
        }
        for file in files:
            (self.folder / file).write_text("")
        found = {
            file: name for name, file in doctor.cached_encoders(self.folder)
        }
        expected = {file: name for file, name in files.items() if name}
        self.assertEqual(found, expected)

    def test_finds_prepared_data_with_and_without_a_config(self):
        for name in (
            "cifar10/3.0.2",
            "imagenet_resized/8x8/0.1.0",
            "mnist/3.0.1.incompleteAB12CD",
        ):
            (self.folder / name).mkdir(parents=True)
            (self.folder / name / "dataset_info.json").write_text("{}")
        self.assertEqual(
            doctor.prepared_datasets(self.folder),
            ["cifar10/3.0.2", "imagenet_resized/8x8/0.1.0"],
        )

    def test_finds_modules_that_were_fetched_whole(self):
        # As tensorflow_hub writes them: a folder, and beside it what it is.
        for name, handle in (("aa", "https://tfhub.dev/b/1"), ("bb", "half")):
            (self.folder / f"{name}.descriptor.txt").write_text(
                f"Module: {handle}\nDownload Time: now"
            )
        (self.folder / "aa").mkdir()
        self.assertEqual(
            doctor.cached_modules(self.folder), ["https://tfhub.dev/b/1"]
        )

    def test_folders_that_are_not_there_hold_nothing(self):
        absent = self.folder / "absent"
        self.assertEqual(doctor.cached_encoders(absent), [])
        self.assertEqual(doctor.prepared_datasets(absent), [])

    def test_the_page_shows_versions_devices_encoders_and_data(self):
        (self.folder / "cifar10" / "3.0.2").mkdir(parents=True)
        info = self.folder / "cifar10" / "3.0.2" / "dataset_info.json"
        info.write_text("{}")
        page = doctor.report(str(self.folder))
        for shown in ("tensorflow  ", "CPU", "tiny", "digits", "cifar10/3.0.2"):
            self.assertIn(shown, page)


if __name__ == "__main__":
    absltest.main()
