"""Low-rank adapters (LoRA): kernels that move by products of thin matrices.

Elsewhere a layer adds the product to its kernel whenever it is called. Here
the kernel holds the sum, and the optimizer moves the two factors of the
product and writes it anew after each step. The numbers are the same, and the
model is at every moment an ordinary one: there is nothing to switch on in its
layers, and nothing to merge before it is saved, exported or trained further.
"""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras.tuning import kernels


@dataclasses.dataclass(frozen=True, eq=False)
class Adapter:
    """A low-rank change of one kernel.

    Attributes:
        kernel: The weight that changes. After each step it is `value()`,
            whatever was assigned to it in between.
        start: Its value before any change, of the same shape.
        a: Float32 `(rows, rank)`, at first random.
        b: Float32 `(rank, columns)`, at first zero.
        scale: Factor on the product of the two.
    """

    kernel: keras.Variable
    start: keras.Variable
    a: keras.Variable
    b: keras.Variable
    scale: float

    def value(self):
        """`start + scale * a @ b`, a tensor of the kernel's shape and dtype."""
        change = self.scale * tf.matmul(self.a.value, self.b.value)
        change = tf.reshape(change, self.kernel.shape)
        return self.start.value + tf.cast(change, self.kernel.dtype)

    def gradients(self, of_kernel) -> tuple:
        """From the kernel's gradient to those of `a` and `b`."""
        rows, columns = self.a.shape[0], self.b.shape[1]
        gradient = tf.reshape(
            # That of an embedding comes as the rows which a batch has read.
            tf.cast(tf.convert_to_tensor(of_kernel), "float32"),
            (rows, columns),
        )
        gradient *= self.scale
        return (
            tf.matmul(gradient, self.b.value, transpose_b=True),
            tf.matmul(self.a.value, gradient, transpose_a=True),
        )


def can_adapt(weight, rank: int) -> bool:
    """Whether a weight can move through an adapter.

    It can if it is a kernel or a table, has no constraint, which the sum would
    not keep to, and has more entries than its adapter would have: with fewer,
    the rank would not be a low one.

    Args:
        weight: A `keras.Variable`.
        rank: Rank of the adapter.

    Example:
        >>> import keras
        >>> layer = keras.layers.Dense(16)
        >>> layer.build((None, 16))
        >>> can_adapt(layer.kernel, 4), can_adapt(layer.kernel, 8)
        (True, False)
        >>> can_adapt(layer.bias, 4)
        False
    """
    if not kernels.is_kernel(weight) or weight.constraint is not None:
        return False
    if not keras.backend.is_float_dtype(weight.dtype):
        return False
    return rank * sum(_sides(weight.shape)) < math.prod(weight.shape)


def adapters_for(
    weights, rank: int, alpha: float | None = None, *, seed: int = 0
) -> list[Adapter]:
    """New adapters, which leave the weights as they are until they train.

    A kernel of more than two axes is read as a matrix: a convolution's of
    images has a column for each filter; one of three axes, as attention and
    clips have, is divided where its sides have the fewest entries, which for
    attention is between its width and what its heads have together.

    Args:
        weights: The `keras.Variable`s to adapt.
        rank: Columns of each `a` and rows of each `b`, at least 1.
        alpha: The products are scaled by `alpha / rank`; None is the rank.
        seed: Of the values at which each `a` begins.

    Returns:
        One `Adapter` a weight. Each keeps a copy of its weight.

    Raises:
        ValueError: If a weight cannot be adapted, see `can_adapt`.

    Example:
        >>> import keras
        >>> layer = keras.layers.Dense(16)
        >>> layer.build((None, 32))
        >>> [adapter] = adapters_for([layer.kernel], rank=4)
        >>> tuple(adapter.a.shape), tuple(adapter.b.shape)
        ((32, 4), (4, 16))

    Reference:
        Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR
        2022, https://arxiv.org/abs/2106.09685
    """
    checks.integer(rank, name="rank", low=1)
    scale = 1.0 if alpha is None else alpha / rank
    return [
        _adapter(weight, rank, scale, np.random.default_rng([seed, number]))
        for number, weight in enumerate(weights)
    ]


def trained_variables(weights, adapters) -> list:
    """What moves for these weights to move: an adapted one's `a` and `b`.

    Args:
        weights: `keras.Variable`s.
        adapters: `Adapter`s of some of them.
    """
    of_kernel = {id(adapter.kernel): adapter for adapter in adapters}
    moved = []
    for weight in weights:
        adapter = of_kernel.get(id(weight))
        moved += [weight] if adapter is None else [adapter.a, adapter.b]
    return moved


def optimizer_class(kind: type, adapters) -> type:
    """An optimizer class that moves some weights through their adapters.

    Args:
        kind: A class of Keras' optimizers.
        adapters: `Adapter`s. Other weights move as ever.

    Returns:
        A subclass of `kind`, made and compiled as `kind` is. Its steps,
        clipping and weight decay are of `a` and `b`.

    Example:
        >>> import keras
        >>> inputs, outputs = keras.random.normal((2, 20, 9), seed=0)
        >>> layer = keras.layers.Dense(9)
        >>> model = keras.Sequential([keras.Input((9,)), layer])
        >>> start = layer.kernel.numpy()
        >>> adapters = adapters_for([layer.kernel], rank=2)
        >>> kind = optimizer_class(keras.optimizers.Adam, adapters)
        >>> model.compile(kind(learning_rate=0.01), "mse")
        >>> history = model.fit(inputs, outputs, epochs=3, verbose=0)
        >>> change = layer.kernel.numpy() - start
        >>> int(np.linalg.matrix_rank(change, tol=1e-5))
        2
    """
    of_kernel = {id(adapter.kernel): adapter for adapter in adapters}

    class ThroughAdapters(kind):
        def build(self, variables):
            super().build(trained_variables(variables, adapters))

        def apply(self, grads, trainable_variables):
            moved = []
            for gradient, weight in zip(
                grads, trainable_variables, strict=True
            ):
                adapter = of_kernel.get(id(weight))
                if adapter is None:
                    moved.append((gradient, weight))
                    continue
                # Keras says in a warning what has no gradient.
                of_a = of_b = None
                if gradient is not None:
                    of_a, of_b = adapter.gradients(gradient)
                moved += [(of_a, adapter.a), (of_b, adapter.b)]
            super().apply(*zip(*moved, strict=True))
            # As Keras' optimizers assign: where replicas may not do so each
            # for itself, all of them together.
            tf.__internal__.distribute.interim.maybe_merge_call(
                _write,
                tf.distribute.get_strategy(),
                adapters,
                [one.value() for one in adapters],
            )

        def finalize_variable_values(self, var_list):
            # Averages over steps take the place of what was averaged.
            super().finalize_variable_values(
                trained_variables(var_list, adapters)
            )
            for adapter in adapters:
                adapter.kernel.assign(adapter.value())

    # A model is saved with the optimizer that it could go on with.
    ThroughAdapters.__name__ = kind.__name__
    ThroughAdapters.__module__ = kind.__module__
    return ThroughAdapters


def _write(strategy, adapters, values):
    for adapter, value in zip(adapters, values, strict=True):
        strategy.extended.update(
            adapter.kernel.value,
            lambda kernel, new: kernel.assign(new),
            args=(value,),
            group=False,
        )


def _adapter(weight, rank, scale, draw) -> Adapter:
    if not can_adapt(weight, rank):
        raise ValueError(
            f"`weights` holds one that no adapter of rank {rank} fits. Got: "
            f"{weight.path!r} of shape {tuple(weight.shape)}. Expected kernels "
            "of floats, without constraint and with more entries than their "
            "adapters; choose them by `can_adapt`."
        )
    rows, columns = _sides(weight.shape)
    # He's uniform initialisation.
    limit = math.sqrt(6 / rows)
    a = draw.uniform(-limit, limit, (rows, rank)).astype("float32")
    b = np.zeros((rank, columns), "float32")
    return Adapter(
        kernel=weight,
        start=keras.Variable(
            weight.numpy(), dtype=weight.dtype, trainable=False
        ),
        a=keras.Variable(a, name="lora_a"),
        b=keras.Variable(b, name="lora_b"),
        scale=scale,
    )


def _sides(shape) -> tuple[int, int]:
    """Rows and columns of a kernel, read as a matrix."""
    splits = [
        (math.prod(shape[:axis]), math.prod(shape[axis:]))
        for axis in reversed(range(1, len(shape)))
    ]
    # Of three axes, heads may be with the inputs or with the outputs: where
    # they belong is where both sides are least.
    return min(splits, key=sum) if len(shape) == 3 else splits[0]
