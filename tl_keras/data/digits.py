"""scikit-learn's handwritten digits, which need no download."""

import numpy as np

from tl_keras.data import examples
from tl_keras.data import fingerprint
from tl_keras.data import splits

_TEST_SHARE = 0.2


def read() -> examples.Source:
    """1,797 grey images of 8 x 8 pixels; a fifth of each class is for testing.

    The values 0..16 are scaled to 0..255. Which digits are for testing is
    fixed, whatever the seed of the run.

    Example:
        >>> from tl_keras.data import digits
        >>> source = digits.read()
        >>> len(source.train), len(source.test)
        (1438, 359)

    Reference:
        Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI
        Machine Learning Repository, 1998, https://doi.org/10.24432/C50P49
    """
    # scikit-learn takes long to import, and other sources need none of this.
    from sklearn import datasets

    bunch = datasets.load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = bunch.target.astype(np.int64)
    class_names = tuple(str(digit) for digit in range(10))
    everything = examples.Examples(
        examples.Pixels(images),
        labels,
        np.array([str(index) for index in range(len(images))], object),
        fingerprint.of_rows(images),
    )
    train, test = splits.hold_out(
        labels,
        round(_TEST_SHARE * len(labels)),
        seed=0,
        class_names=class_names,
    )
    return examples.Source(
        "digits",
        class_names,
        train=everything.take(train),
        test=everything.take(test),
    )
