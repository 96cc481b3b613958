"""Kept tensors stand in for images: same examples, same order, same labels."""

import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.data import Augmentation
from tl_keras.data import randomness
from tl_keras.data.features import Features

_COUNT = 20
_VIEWS = 3
_RNG = np.random.default_rng(0)
IMAGES = _RNG.integers(0, 256, (_COUNT, 4, 4, 3), "uint8")
LABELS = np.arange(_COUNT) % 4


def image_data(**options):
    return tl_keras.data.from_arrays(
        (IMAGES, LABELS),
        validation=(IMAGES[:6], LABELS[:6]),
        **{"batch_size": 8, "seed": 5, **options},
    )


def feature_data(of_train, of_validation=None, **options):
    """The data of the images, with features in place of them."""
    data = image_data(**options)
    splits = dict(data.splits)
    for split, reader in (("train", of_train), ("validation", of_validation)):
        if reader is not None:
            splits[split] = dataclasses.replace(splits[split], inputs=reader)
    return dataclasses.replace(data, splits=splits)


def pixels(count=_COUNT, views=1):
    """Features that are the images themselves, as floats, in any row."""
    rows = np.random.default_rng(1).permutation(_COUNT)[None, :count]
    kept = np.empty([_COUNT, 4, 4, 3], "float32")
    kept[rows[0]] = IMAGES[:count]
    return Features(
        (tf.constant(kept),),
        tf.constant(np.repeat(rows, views, axis=0), tf.int64),
        ("float32",),
    )


def codes(views):
    """Features that tell the example and the view: 100 * view + index."""
    numbers = np.arange(views * _COUNT)
    rows = np.random.default_rng(2).permutation(numbers)
    kept = np.empty([len(numbers)], "float32")
    kept[rows] = 100 * (numbers // _COUNT) + numbers % _COUNT
    return Features(
        (tf.constant(kept),),
        tf.constant(rows.reshape(views, _COUNT), tf.int64),
        ("float32",),
    )


def batches(dataset):
    """The batches as arrays."""
    return [
        tuple(np.asarray(part) for part in tf.nest.flatten(batch))
        for batch in dataset
    ]


def blended(own, other, share):
    share = share.reshape(-1, *[1] * (own.ndim - 1))
    return share * own + (1 - share) * other


class ReadTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(3)
        self.kept = rng.normal(size=(7, 2, 3)).astype("float32")
        self.others = rng.integers(0, 100, 7)
        self.rows = rng.integers(0, 7, (_VIEWS, 5))
        self.features = Features(
            (tf.constant(self.kept), tf.constant(self.others)),
            tf.constant(self.rows),
            ("float32", "int64"),
        )

    def test_gives_the_row_of_each_example_in_its_view(self):
        indices, view = [4, 0, 0, 3], [0, 2, 1, 2]
        kept, others = self.features.read(
            tf.constant(indices, tf.int64), tf.constant(view, tf.int64)
        )
        rows = self.rows[view, indices]
        np.testing.assert_array_equal(kept, self.kept[rows])
        np.testing.assert_array_equal(others, self.others[rows])

    def test_without_a_view_gives_the_first(self):
        kept, _ = self.features.read(tf.constant([1, 2], tf.int64))
        np.testing.assert_array_equal(kept, self.kept[self.rows[0, [1, 2]]])

    def test_takes_indices_of_another_integer_dtype(self):
        kept, _ = self.features.read(tf.constant([1, 2], tf.int32))
        np.testing.assert_array_equal(kept, self.kept[self.rows[0, [1, 2]]])

    def test_of_no_examples_is_empty(self):
        kept, others = self.features.read(tf.zeros([0], tf.int64))
        self.assertEqual(kept.shape, (0, 2, 3))
        self.assertEqual(others.shape, (0,))

    def test_one_row_may_be_that_of_several_examples(self):
        features = Features(
            (tf.constant([1.0, 2.0]),), tf.constant([[1, 1, 0]]), ("float32",)
        )
        [kept] = features.read(tf.range(3))
        np.testing.assert_array_equal(kept, [2.0, 2.0, 1.0])

    @parameterized.parameters(
        # How it is kept, and as what it is handed on.
        ("float16", "float32"),
        ("bfloat16", "float32"),
        ("uint8", "bool"),
        ("int32", "int32"),
        ("bfloat16", "bfloat16"),
    )
    def test_hands_on_the_dtype_of_the_cut(self, kept_as, wanted):
        kept = tf.cast([[1.0, 0.0], [0.0, 1.0]], kept_as)
        features = Features((kept,), tf.constant([[1, 0]]), (wanted,))
        [got] = features.read(tf.constant([0, 1]))
        self.assertEqual(got.dtype.name, wanted)
        np.testing.assert_array_equal(
            got.numpy().astype("float32"), [[0.0, 1.0], [1.0, 0.0]]
        )

    def test_an_example_that_is_not_kept_is_an_error(self):
        features = Features(
            (tf.constant([1.0]),), tf.constant([[0, -1]]), ("float32",)
        )
        with tf.device("CPU:0"):
            with self.assertRaises(tf.errors.InvalidArgumentError):
                features.read(tf.constant([1]))

    def test_gives_the_same_in_a_tf_function(self):
        indices = tf.constant([3, 1], tf.int64)
        view = tf.constant([2, 0], tf.int64)
        eager = self.features.read(indices, view)
        traced = tf.function(self.features.read)(indices, view)
        for got, want in zip(traced, eager, strict=True):
            np.testing.assert_array_equal(got, want)

    def test_gives_the_same_in_tf_data_with_a_known_shape(self):
        dataset = tf.data.Dataset.from_tensor_slices(([3, 1, 4], [2, 0, 1]))
        dataset = dataset.map(
            lambda index, view: (index, tf.cast(view, tf.int64))
        )
        dataset = dataset.batch(2).map(self.features.read)
        self.assertEqual(
            [tuple(spec.shape) for spec in dataset.element_spec],
            [(None, 2, 3), (None,)],
        )
        kept = np.concatenate([kept for kept, _ in batches(dataset)])
        rows = self.rows[[2, 0, 1], [3, 1, 4]]
        np.testing.assert_array_equal(kept, self.kept[rows])


class DataOfFeaturesTest(parameterized.TestCase):
    @parameterized.parameters(
        {},
        {"label_smoothing": 0.2},
        {"class_weight": {0: 2.0, 3: 0.5}},
        {"label_smoothing": 0.1, "class_weight": {1: 3.0}},
        {"drop_remainder": True},
        {"first_epoch": 4},
    )
    def test_batches_are_those_of_the_images(self, **options):
        options = {"epochs": 2, **options}
        got = batches(feature_data(pixels()).train_epochs(**options))
        expected = batches(image_data().train_epochs(**options))
        self.assertEqual(len(got), len(expected))
        for one, other in zip(got, expected, strict=True):
            # Images, labels, and weights where there are some.
            for mine, theirs in zip(one, other, strict=True):
                np.testing.assert_array_equal(mine, theirs)
            self.assertEqual(
                [part.dtype for part in one[1:]],
                [part.dtype for part in other[1:]],
            )

    def test_inputs_are_a_tuple_with_a_tensor_for_each_place(self):
        one, other = pixels(), codes(1)
        both = Features(
            (one.tensors[0], tf.gather(other.tensors[0], other.rows[0])),
            one.rows,
            ("float32", "float32"),
        )
        spec, _ = feature_data(both).train_epochs().element_spec
        self.assertEqual(
            [tuple(part.shape) for part in spec], [(None, 4, 4, 3), (None,)]
        )

    def test_validation_is_in_stored_order_with_its_labels(self):
        data = feature_data(pixels(), pixels(6))
        got = batches(data.evaluation_batches("validation"))
        images = np.concatenate([images for images, _ in got])
        labels = np.concatenate([labels for _, labels in got])
        np.testing.assert_array_equal(images, IMAGES[:6])
        np.testing.assert_array_equal(labels, LABELS[:6])

    def test_the_data_that_it_was_made_of_still_reads_images(self):
        feature_data(pixels(), pixels(6))
        images, _ = next(iter(image_data().train))
        self.assertEqual(images.dtype, tf.uint8)

    def test_class_weights_and_names_are_those_of_the_images(self):
        data, images = feature_data(pixels()), image_data()
        self.assertEqual(
            data.class_weight_balanced(), images.class_weight_balanced()
        )
        self.assertEqual(data.steps_per_epoch(), images.steps_per_epoch())
        self.assertEqual(data.num_examples, images.num_examples)
        self.assertEqual(data.ids("train"), images.ids("train"))

    def test_each_epoch_reads_its_view(self):
        augmentation = Augmentation(crop=0.5)
        dataset = feature_data(codes(_VIEWS)).train_epochs(
            epochs=2 * _VIEWS,
            augmentation=augmentation,
            repeat_after=_VIEWS,
        )
        read = np.concatenate([kept for kept, _ in batches(dataset)])
        for epoch, kept in enumerate(read.reshape(2 * _VIEWS, _COUNT)):
            # Each example once, all of them in the view of the epoch.
            expected = 100 * (epoch % _VIEWS) + np.arange(_COUNT)
            np.testing.assert_array_equal(np.sort(kept), expected)

    def test_each_example_is_mirrored_in_the_epochs_in_which_its_image_is(self):
        augmentation = Augmentation(flip=True)
        options = {"epochs": 4, "augmentation": augmentation}
        read = batches(feature_data(codes(2)).train_epochs(**options))
        shown = batches(image_data().train_epochs(**options))
        seen = set()
        for (kept, _), (images, _) in zip(read, shown, strict=True):
            for code, image in zip(kept.astype(int), images, strict=True):
                view, index = divmod(code, 100)
                original = IMAGES[index]
                if view:
                    original = original[:, ::-1]
                np.testing.assert_array_equal(image, original)
                seen.add(view)
        self.assertEqual(seen, {0, 1})


class MixFeaturesTest(parameterized.TestCase):
    AUGMENTATION = Augmentation(mixup=0.4, mix_features=True)

    def expected(self, kept, epoch, smoothing=0.0):
        """Batches of blended features and labels, by NumPy."""
        order = randomness.permutation(_COUNT, seed=5, epoch=epoch).numpy()
        shares = randomness.tables(
            _COUNT, self.AUGMENTATION, seed=5, epoch=epoch
        )
        shares = shares["mixup"].numpy()
        rows = np.eye(4, dtype="float32")[LABELS]
        rows = (1 - smoothing) * rows + smoothing / 4
        for start in range(0, _COUNT, 8):
            chosen = order[start : start + 8]
            # Each example is blended with the next; the last with the first.
            following = np.roll(chosen, -1)
            yield [
                blended(one[chosen], one[following], shares[chosen])
                for one in (*kept, rows)
            ]

    def check(self, features, kept, **options):
        data = feature_data(features)
        for epoch in (0, 3):
            got = batches(
                data.train_epochs(
                    first_epoch=epoch,
                    augmentation=self.AUGMENTATION,
                    label_smoothing=options.get("smoothing", 0.0),
                )
            )
            expected = list(self.expected(kept, epoch, **options))
            for one, other in zip(got, expected, strict=True):
                for mine, theirs in zip(one, other, strict=True):
                    np.testing.assert_allclose(
                        mine, theirs, rtol=1e-5, atol=1e-4
                    )

    def test_is_a_blend_done_by_numpy(self):
        self.check(pixels(), [IMAGES.astype("float32")])

    def test_labels_are_smoothed_too(self):
        self.check(pixels(), [IMAGES.astype("float32")], smoothing=0.2)

    def test_blends_all_tensors_by_the_same_share(self):
        one, other = pixels(), codes(1)
        tables = (
            tf.gather(one.tensors[0], one.rows[0]),
            tf.gather(other.tensors[0], other.rows[0]),
        )
        rows = tf.range(_COUNT, dtype=tf.int64)[None]
        both = Features(tables, rows, ("float32", "float32"))
        self.check(
            both,
            [IMAGES.astype("float32"), np.arange(_COUNT, dtype="float32")],
        )

    def test_is_new_in_every_epoch_though_views_come_again(self):
        data = feature_data(pixels())
        first, second = (
            batches(
                data.train_epochs(
                    first_epoch=epoch,
                    augmentation=self.AUGMENTATION,
                    repeat_after=1,
                )
            )
            for epoch in range(2)
        )
        self.assertFalse(np.array_equal(first[0][1], second[0][1]))

    def test_needs_features_and_features_need_it(self):
        with self.assertRaisesRegex(ValueError, "mix_features"):
            image_data().train_epochs(augmentation=self.AUGMENTATION)
        with self.assertRaisesRegex(ValueError, "mix_features"):
            feature_data(pixels()).train_epochs(
                augmentation=Augmentation(mixup=0.4)
            )

    def test_goes_with_mixup_and_without_cutmix(self):
        with self.assertRaisesRegex(ValueError, "mixup=0.0"):
            Augmentation(mix_features=True)
        with self.assertRaisesRegex(ValueError, "cutmix=1.0"):
            Augmentation(mixup=0.2, cutmix=1.0, mix_features=True)


if __name__ == "__main__":
    absltest.main()
