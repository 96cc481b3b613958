"""The head for one class out of several."""

import dataclasses

import keras

from tl_keras import checks


@dataclasses.dataclass(frozen=True)
class Classifier:
    """Layers from features to one logit a class.

    Feature maps are averaged over their positions first; features that are
    vectors are taken as they are.

    Args:
        num_classes: Number of classes, at least 2.
        hidden_units: Widths of hidden layers (ReLU) in front of the logits.
        dropout: Share of features dropped in training in front of each
            Dense layer, in [0, 1).
        l1: Strength of the L1 penalty on the kernels, at least 0.
        l2: Strength of the L2 penalty on the kernels, at least 0.

    Raises:
        TypeError, ValueError: If an argument is outside of its range.

    Example:
        >>> import keras
        >>> import tl_keras
        >>> head = tl_keras.heads.Classifier(num_classes=10, dropout=0.2)
        >>> head(keras.Input((7, 7, 64))).shape
        (None, 10)
    """

    num_classes: int
    hidden_units: tuple[int, ...] = ()
    dropout: float = 0.0
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self):
        checks.integer(self.num_classes, name="num_classes", low=2)
        object.__setattr__(self, "hidden_units", tuple(self.hidden_units))
        for units in self.hidden_units:
            checks.integer(units, name="hidden_units", low=1)
        checks.share(self.dropout, name="dropout")
        checks.in_range(self.l1, name="l1", low=0.0)
        checks.in_range(self.l2, name="l2", low=0.0)

    def __call__(self, features, *, seed: int = 0, dtype_policy=None):
        """Logits for features.

        Args:
            features: Symbolic tensor `(batch, channels)` or
                `(batch, ..., channels)`.
            seed: Of the kernels' initial values and of dropout.
            dtype_policy: Keras dtype policy of the hidden layers. The logits
                are float32 always, since a softmax needs the digits.

        Returns:
            Symbolic float32 tensor `(batch, num_classes)`.

        Raises:
            ValueError: If `features` has no channel dimension of known size.
        """
        if len(features.shape) < 2 or features.shape[-1] is None:
            raise ValueError(
                "`features` must be (batch, channels) or (batch, ..., "
                f"channels) with a known number of channels. Got shape: "
                f"{tuple(features.shape)}."
            )
        if len(features.shape) == 4:
            features = keras.layers.GlobalAveragePooling2D(
                name="head_pool", dtype=dtype_policy
            )(features)
        elif len(features.shape) == 3:
            features = keras.layers.GlobalAveragePooling1D(
                name="head_pool", dtype=dtype_policy
            )(features)
        for index, units in enumerate(self.hidden_units, start=1):
            features = self._drop(
                features, seed + index, f"head_dropout{index}"
            )
            features = keras.layers.Dense(
                units,
                activation="relu",
                kernel_initializer=keras.initializers.HeNormal(seed + index),
                kernel_regularizer=self._penalty(),
                dtype=dtype_policy,
                name=f"head_hidden{index}",
            )(features)
        features = self._drop(features, seed, "head_dropout")
        return keras.layers.Dense(
            self.num_classes,
            kernel_initializer=keras.initializers.GlorotUniform(seed),
            kernel_regularizer=self._penalty(),
            dtype="float32",
            name="head_logits",
        )(features)

    def _drop(self, features, seed, name):
        if self.dropout == 0.0:
            return features
        return keras.layers.Dropout(self.dropout, seed=seed, name=name)(
            features
        )

    def _penalty(self):
        if self.l1 == 0.0 and self.l2 == 0.0:
            return None
        return keras.regularizers.L1L2(self.l1, self.l2)
