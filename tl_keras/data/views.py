"""Which changed copies of an example the epochs of a phase see."""

import dataclasses

import numpy as np
import tensorflow as tf

from tl_keras.data import augmentation as augmentation_
from tl_keras.data import fingerprint
from tl_keras.data import randomness
from tl_keras.data import transforms


@dataclasses.dataclass(frozen=True)
class Views:
    """Numbers the changed copies of examples, where these are bounded.

    Attributes:
        augmentation: What is done to training images.
        repeat_after: After how many epochs the changed images come again, or
            None for never. Mixing of two images is new in every epoch.
        seed: Of the augmentation.

    Example:
        >>> from tl_keras.data import Augmentation
        >>> Views(Augmentation(flip=True), None, seed=0).count
        2
    """

    augmentation: augmentation_.Augmentation
    repeat_after: int | None
    seed: int

    @property
    def count(self) -> int | None:
        """How many copies there are of each example; None if ever new ones."""
        if self._leaves_alone:
            return 1
        if self._only_flips:
            return 2
        return self.repeat_after

    def tables(self, num_examples: int, epoch) -> dict:
        """What an epoch needs, one row an example.

        Args:
            num_examples: Number of examples.
            epoch: Index of the epoch, an integer or an integer scalar tensor.

        Returns:
            What `randomness.tables` gives, and int64 `view` `[num_examples]`,
            the number of each example's copy if these are bounded.
        """
        of_one = epoch
        if self.repeat_after is not None:
            of_one = tf.cast(epoch, tf.int64) % self.repeat_after
        numbers = {
            **self._numbers(num_examples, self.augmentation.of_one, of_one),
            **self._numbers(num_examples, self.augmentation.of_two, epoch),
        }
        if self._only_flips:
            numbers["view"] = tf.cast(numbers["flip"] < 0.5, tf.int64)
        elif self._leaves_alone:
            numbers["view"] = tf.zeros([num_examples], tf.int64)
        elif self.count is not None:
            numbers["view"] = tf.fill([num_examples], of_one)
        return numbers

    def changer(self, view: int, num_examples: int):
        """A function from inputs and their indices to their copies.

        Args:
            view: The number of the copies.
            num_examples: Number of examples.
        """
        if self._leaves_alone or (self._only_flips and view == 0):
            return lambda inputs, indices: inputs
        if self._only_flips:
            return lambda inputs, indices: tf.reverse(inputs, axis=[2])
        of_one = self.augmentation.of_one
        tables = self._numbers(num_examples, of_one, view)

        def change(inputs, indices):
            numbers = {k: tf.gather(t, indices) for k, t in tables.items()}
            return transforms.augment(inputs, None, numbers, of_one)[0]

        return change

    def digests(self, digests, view: int) -> np.ndarray:
        """What identifies the copies of examples with these digests.

        Args:
            digests: uint8 array `[examples, 16]`.
            view: The number of the copies.

        Returns:
            uint8 array of the same shape.
        """
        if self._leaves_alone or (self._only_flips and view == 0):
            return digests
        rows = [b""] * len(digests)
        if not self._only_flips:
            tables = self._numbers(len(digests), self.augmentation.of_one, view)
            rows = [
                b"".join(np.ascontiguousarray(part).tobytes() for part in row)
                for row in zip(
                    *(tables[name].numpy() for name in sorted(tables)),
                    strict=True,
                )
            ]
        how = repr(self.augmentation.of_one).encode()
        return fingerprint.of_bytes(
            digest.tobytes() + how + row
            for digest, row in zip(digests, rows, strict=True)
        )

    @property
    def _leaves_alone(self) -> bool:
        return self.augmentation.of_one == augmentation_.Augmentation()

    @property
    def _only_flips(self) -> bool:
        flips = augmentation_.Augmentation(flip=True)
        return self.augmentation.of_one == flips

    def _numbers(self, num_examples, augmentation, epoch):
        return randomness.tables(
            num_examples, augmentation, seed=self.seed, epoch=epoch
        )
