"""Random numbers that belong to an example, not to the order of computation.

Row `i` of a table is what example `i` gets in an epoch, whichever batch it is
in, whichever thread computes it, and however many epochs ran before.
"""

import tensorflow as tf

# What the numbers are for; a new use takes a new number.
_ORDER, _FLIP, _CROP, _RAND_AUGMENT, _MIXUP, _CUTMIX, _BOX, _WHICH = range(8)


def permutation(num_examples: int, *, seed: int, epoch):
    """The order of the examples in an epoch.

    Args:
        num_examples: Number of examples.
        seed: Seed of the run.
        epoch: Index of the epoch, an integer or an integer scalar tensor.

    Returns:
        int64 tensor `[num_examples]`, a permutation of 0 to num_examples - 1.

    Example:
        >>> from tl_keras.data import randomness
        >>> order = randomness.permutation(5, seed=0, epoch=0)
        >>> sorted(order.numpy().tolist())
        [0, 1, 2, 3, 4]
    """
    return tf.random.experimental.stateless_shuffle(
        tf.range(num_examples, dtype=tf.int64),
        seed=_stream(seed, epoch, _ORDER),
    )


def tables(num_examples: int, augmentation, *, seed: int, epoch):
    """What the augmentation needs, one row per example.

    Args:
        num_examples: Number of examples.
        augmentation: An `Augmentation`.
        seed: Seed of the run.
        epoch: Index of the epoch, an integer or an integer scalar tensor.

    Returns:
        Dict of float32 tensors `[num_examples, ...]` in [0, 1): `flip` `[]`,
        `crop` `[4]`, `rand_augment` `[layers, 2]`, and, if labels are mixed,
        `mixup` and `cutmix` `[]` (the image's own share), `box` `[2]`,
        `which` `[]`. Only what the augmentation uses.

    Example:
        >>> from tl_keras.data import augmentation, randomness
        >>> flips = augmentation.Augmentation(flip=True)
        >>> sorted(randomness.tables(5, flips, seed=0, epoch=0))
        ['flip']
    """

    def uniforms(purpose, *shape):
        return tf.random.stateless_uniform(
            [num_examples, *shape], _stream(seed, epoch, purpose)
        )

    def shares(alpha, purpose):
        return _beta(alpha, num_examples, _stream(seed, epoch, purpose))

    numbers = {}
    if augmentation.flip:
        numbers["flip"] = uniforms(_FLIP)
    if augmentation.crop:
        numbers["crop"] = uniforms(_CROP, 4)
    if augmentation.rand_augment_layers:
        layers = augmentation.rand_augment_layers
        numbers["rand_augment"] = uniforms(_RAND_AUGMENT, layers, 2)
    if augmentation.mixup:
        numbers["mixup"] = shares(augmentation.mixup, _MIXUP)
    if augmentation.cutmix:
        numbers["cutmix"] = shares(augmentation.cutmix, _CUTMIX)
        numbers["box"] = uniforms(_BOX, 2)
    if augmentation.mixup and augmentation.cutmix:
        numbers["which"] = uniforms(_WHICH)
    return numbers


def _stream(seed, epoch, purpose):
    base = tf.stack([tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])
    return tf.random.experimental.stateless_fold_in(base, purpose)


def _beta(alpha, count, seed):
    # If X and Y are Gamma(alpha), X / (X + Y) is Beta(alpha, alpha). In
    # float64, since a Gamma of small alpha is often below float32's smallest.
    gammas = tf.random.stateless_gamma(
        [count, 2], seed, alpha=tf.constant(alpha, tf.float64), dtype=tf.float64
    )
    total = tf.reduce_sum(gammas, axis=1)
    share = tf.math.divide_no_nan(gammas[:, 0], total)
    return tf.cast(share, tf.float32)
