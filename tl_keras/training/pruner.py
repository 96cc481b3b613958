"""Masks that keep what is pruned at zero, step by step."""

import keras
import numpy as np
import tensorflow as tf

from tl_keras.tuning import magnitude


class Pruner:
    """Prunes kernels while they train.

    It acts at the end of each training step, within its graph: whatever the
    optimizer has made of a pruned weight, by momentum, weight decay or else,
    is zero again before anything reads it.

    Args:
        masked: The `pruning.Masked` of a phase.
        schedule: Pairs of a number of steps and the share of zeros from then
            on, as `Pruning.schedule` gives them.
        scope: `"layer"` or `"global"`.

    Attributes:
        kernels: The `keras.Variable`s that are masked.
        masks: For each a boolean `keras.Variable` of its shape, False for
            what is pruned.

    Example:
        >>> from tl_keras.tuning import pruning
        >>> layer = keras.layers.Dense(3)
        >>> layer.build((None, 2))
        >>> kernels = pruning.Masked((layer.kernel,))
        >>> pruner = Pruner(kernels, [(1, 0.5)], "layer")
        >>> pruner.after_step()
        >>> int((layer.kernel.numpy() == 0).sum()), pruner.sparsity()
        (3, 0.5)
    """

    def __init__(self, masked, schedule, scope: str):
        self.kernels = masked.kernels
        self._earlier = masked.earlier
        self._scope = scope
        self._steps = np.array([step for step, _ in schedule], "int64")
        self._shares = np.array([share for _, share in schedule], "float64")
        self.masks = [
            keras.Variable(
                np.ones(kernel.shape, "bool"),
                dtype="bool",
                trainable=False,
                name="mask",
            )
            for kernel in self.kernels
        ]
        self._done = keras.Variable(
            0, dtype="int64", trainable=False, name="steps"
        )
        self.restart()

    @property
    def variables(self) -> list:
        """What a step changes beside the kernels."""
        return [self._done, *self.masks]

    def restart(self):
        """Begins a phase, in place: what is zero now is masked."""
        self._done.assign(0)
        for kernel, mask in zip(self.kernels, self.masks, strict=True):
            mask.assign(self._not_zero(kernel))

    def after_step(self):
        """Ends a training step, in place. Runs within its graph."""
        done = self._done.value + 1
        kernels = [kernel.value for kernel in self.kernels]
        masks = [mask.value for mask in self.masks]
        if len(self._steps):
            now = tf.constant(self._steps) == done
            share = tf.reduce_max(tf.where(now, self._shares, 0.0))
            masks = tf.cond(
                tf.reduce_any(now),
                lambda: magnitude.masks(kernels, masks, share, self._scope),
                lambda: [tf.identity(mask) for mask in masks],
            )
        # As Keras' optimizers assign: where replicas may not do so each for
        # itself, all of them together. Each has found the same masks.
        tf.__internal__.distribute.interim.maybe_merge_call(
            self._write, tf.distribute.get_strategy(), done, masks
        )

    def apply(self):
        """Sets to zero what is masked, in place."""
        for kernel, mask in zip(self.kernels, self.masks, strict=True):
            kernel.assign(np.where(mask.numpy(), kernel.numpy(), 0))

    def sparsity(self) -> float:
        """Share of zeros in all kernels together."""
        zeros = sum(np.sum(kernel.numpy() == 0) for kernel in self.kernels)
        return float(zeros / sum(mask.numpy().size for mask in self.masks))

    def _not_zero(self, kernel):
        kept = kernel.numpy() != 0
        # A fresh kernel that begins at zero is to train; one that was pruned
        # as a whole is not.
        if not kept.any() and id(kernel) not in self._earlier:
            return np.ones_like(kept)
        return kept

    def _write(self, strategy, done, masks):
        def assign(variable, value):
            variable.assign(value)

        def assign_masked(kernel, mask):
            kernel.assign(tf.where(mask, kernel, tf.zeros_like(kernel)))

        def update(variable, change, value):
            strategy.extended.update(
                variable.value, change, args=(value,), group=False
            )

        update(self._done, assign, done)
        for kernel, mask, value in zip(
            self.kernels, self.masks, masks, strict=True
        ):
            update(kernel, assign_masked, value)
            if len(self._steps):
                update(mask, assign, value)
