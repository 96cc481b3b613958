"""Decoding and resizing agree with Pillow, and with themselves."""

import io

import numpy as np
import PIL.Image
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

from tl_keras.data import images


def random_image(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def encode(array, kind, **options):
    buffer = io.BytesIO()
    PIL.Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


class DecodeTest(parameterized.TestCase):
    @parameterized.parameters("PNG", "BMP", "GIF", "WEBP", "JPEG")
    def test_gives_what_pillow_gives(self, kind):
        smooth = np.linspace(0, 255, 20 * 30).reshape(20, 30, 1)
        array = np.concatenate([smooth, 255 - smooth, smooth / 2], -1)
        options = {"lossless": True} if kind == "WEBP" else {}
        encoded = encode(array.astype(np.uint8), kind, **options)
        expected = np.asarray(
            PIL.Image.open(io.BytesIO(encoded)).convert("RGB")
        )
        decoded = images.decode(encoded).numpy()
        self.assertEqual(decoded.shape, (20, 30, 3))
        # JPEG decoders round differently.
        atol = 4 if kind == "JPEG" else 0
        np.testing.assert_allclose(decoded, expected, atol=atol)

    def test_takes_the_first_frame_of_an_animation(self):
        frames = [
            PIL.Image.fromarray(np.full([4, 5], value, np.uint8))
            for value in (10, 200)
        ]
        buffer = io.BytesIO()
        frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
        decoded = images.decode(buffer.getvalue()).numpy()
        np.testing.assert_array_equal(decoded, np.full([4, 5, 3], 10))

    def test_repeats_grey(self):
        array = random_image(4, 5)
        decoded = images.decode(encode(array, "PNG"), channels=3).numpy()
        np.testing.assert_array_equal(decoded, np.stack([array] * 3, -1))

    def test_keeps_grey_as_it_is_with_one_channel(self):
        array = np.arange(256, dtype=np.uint8).reshape(16, 16)
        decoded = images.decode(encode(array, "PNG"), channels=1).numpy()
        np.testing.assert_array_equal(decoded[..., 0], array)

    @parameterized.parameters("PNG", "BMP")
    def test_makes_colours_grey_by_luminance(self, kind):
        array = random_image(4, 5, 3)
        decoded = images.decode(encode(array, kind), channels=1).numpy()
        expected = np.rint(array @ np.array([0.2989, 0.5870, 0.1140]))
        np.testing.assert_array_equal(decoded[..., 0], expected)

    def test_drops_a_transparency_channel(self):
        array = random_image(4, 5, 4)
        decoded = images.decode(encode(array, "PNG"), channels=3).numpy()
        np.testing.assert_array_equal(decoded, array[..., :3])

    @parameterized.parameters("PNG", "WEBP")
    def test_keeps_a_transparency_channel_if_asked(self, kind):
        array = random_image(4, 5, 4)
        options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        decoded = images.decode(encode(array, kind, **options), channels=4)
        np.testing.assert_array_equal(decoded.numpy(), array)

    @parameterized.parameters("JPEG", "PNG", "GIF", "BMP", "WEBP")
    def test_is_opaque_where_there_is_no_transparency(self, kind):
        encoded = encode(np.full([4, 5, 3], 100, np.uint8), kind)
        decoded = images.decode(encoded, channels=4).numpy()
        self.assertEqual(decoded.shape, (4, 5, 4))
        np.testing.assert_array_equal(decoded[..., 3], np.full([4, 5], 255))

    def test_drops_the_transparency_of_webp(self):
        array = random_image(4, 5, 4)
        encoded = encode(array, "WEBP", lossless=True, exact=True)
        decoded = images.decode(encoded, channels=3).numpy()
        np.testing.assert_array_equal(decoded, array[..., :3])

    def test_reads_palettes_and_sixteen_bits(self):
        grey = np.full([4, 5], 0x6464, np.uint16)
        decoded = images.decode(encode(grey, "PNG")).numpy()
        np.testing.assert_array_equal(decoded, np.full([4, 5, 3], 0x64))
        buffer = io.BytesIO()
        picture = PIL.Image.fromarray(random_image(4, 5, 3)).convert("P")
        picture.save(buffer, "PNG")
        decoded = images.decode(buffer.getvalue()).numpy()
        np.testing.assert_array_equal(decoded, picture.convert("RGB"))

    def test_works_inside_of_a_data_set(self):
        array = random_image(4, 5, 3)
        encoded = tf.data.Dataset.from_tensors(encode(array, "PNG"))
        decoded = next(iter(encoded.map(images.decode))).numpy()
        np.testing.assert_array_equal(decoded, array)

    def test_refuses_what_is_no_image(self):
        with self.assertRaises(tf.errors.InvalidArgumentError):
            images.decode(b"hello")

    def test_refuses_two_channels(self):
        with self.assertRaisesRegex(ValueError, "Got: 2.*Expected one of: 1"):
            images.decode(b"", channels=2)


class ConvertChannelsTest(absltest.TestCase):
    def test_keeps_floats_as_floats(self):
        array = np.array([[[10.5, 20.5, 30.5]]], np.float32)
        grey = images.convert_channels(array, 1).numpy()
        expected = 0.2989 * 10.5 + 0.5870 * 20.5 + 0.1140 * 30.5
        np.testing.assert_allclose(grey, [[[expected]]], rtol=1e-6)


class ResizeTest(parameterized.TestCase):
    @parameterized.parameters(8, 20, 31, 90)
    def test_gives_what_pillow_gives(self, size):
        array = random_image(30, 20, 3)
        expected = PIL.Image.fromarray(array).resize(
            (size, size), PIL.Image.Resampling.BILINEAR
        )
        resized = images.resize(array, size).numpy()
        self.assertEqual(resized.dtype, np.uint8)
        # Pillow computes with eight bits in between its two passes.
        difference = np.abs(resized.astype(int) - np.asarray(expected))
        self.assertLessEqual(difference.max(), 1)

    def test_keeps_the_ratio_by_a_square_in_the_middle(self):
        array = random_image(6, 9, 3)
        resized = images.resize(array, 4, keep_aspect_ratio=True).numpy()
        # 9 - 6 columns too many: one to the left, two to the right.
        expected = images.resize(array[:, 1:7], 4).numpy()
        np.testing.assert_array_equal(resized, expected)

    @parameterized.parameters(5, 40)
    def test_of_a_batch_equals_that_of_each_image(self, size):
        batch = random_image(7, 12, 16, 3)
        each = np.stack([images.resize(one, size).numpy() for one in batch])
        np.testing.assert_array_equal(images.resize(batch, size).numpy(), each)

    @parameterized.product(size=[5, 14, 40], keep_aspect_ratio=[False, True])
    def test_is_the_same_for_unknown_shapes(self, size, keep_aspect_ratio):
        array = random_image(12, 16, 3)

        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
        def resize(image):
            return images.resize(image, size, keep_aspect_ratio)

        np.testing.assert_array_equal(
            resize(array).numpy(),
            images.resize(array, size, keep_aspect_ratio).numpy(),
        )

    def test_leaves_floats_unrounded(self):
        array = np.array([[[0.0]], [[1.0]]], np.float32)
        resized = images.resize(tf.image.resize(array, [2, 2]), 3).numpy()
        self.assertEqual(resized.dtype, np.float32)
        np.testing.assert_allclose(resized[:, 0, 0], [0, 0.5, 1], atol=1e-6)

    def test_leaves_an_image_of_the_right_size(self):
        array = random_image(5, 5, 3)
        np.testing.assert_array_equal(images.resize(array, 5).numpy(), array)


if __name__ == "__main__":
    absltest.main()
