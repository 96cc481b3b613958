"""The encoder: a pretrained network without its own head."""

import dataclasses

import keras

from tl_keras import checks
from tl_keras.encoders import groups as groups_lib

PREPROCESSINGS = ("caffe", "tf", "torch", "in_model", "none", "custom")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """A pretrained network, raw pixels to features, and what is known of it.

    `tl_keras.encoders.load` and `from_model` make encoders; write one by hand
    for a network of your own. It is a value: `tl_keras.build` copies its
    weights and leaves the encoder as it is.

    Attributes:
        name: What it is called, e.g. `"MobileNetV2"`.
        model: One Functional `keras.Model` from a float32 `Input` of shape
            `(image_size, image_size, channels)`, pixels in 0..255, to the last
            feature map `[height, width, features]` or to a vector
            `[features]`. Its preprocessing is inside.
        groups: Group name to the names of its layers with weights. Groups
            come in graph order, from the input to the features; every layer
            with weights is in exactly one. A nested model counts as one layer.
        preprocessing: One of `"caffe"` (BGR, minus the mean), `"tf"` (-1..1),
            `"torch"` (mean and standard deviation per channel), `"in_model"`
            (part of the network), `"none"` or `"custom"`.
        preprocessing_output: Name of the last preprocessing layer, whose
            output the network proper gets. None: it gets the pixels.
        trained_range: Smallest and largest value that the network proper got
            when it was trained, after `preprocessing_output`.
        image_size: Height and width of the images, in pixels.
        min_image_size: The smallest `image_size` this network can have.
        channels: 1 (grey), 3 (RGB) or 4 (RGB and one more).

    Raises:
        TypeError: If `model` is not a `keras.Model`.
        ValueError: If the model is not Functional with one input of the stated
            shape and one output, if the groups leave out or repeat layers,
            name unknown ones or are out of order, or if another attribute is
            out of range.

    Example:
        >>> import keras
        >>> from tl_keras.encoders import Encoder
        >>> pixels = keras.Input((8, 8, 3))
        >>> scaled = keras.layers.Rescaling(1 / 255, name="scale")(pixels)
        >>> features = keras.layers.Conv2D(5, 3, name="conv")(scaled)
        >>> encoder = Encoder(
        ...     name="mine",
        ...     model=keras.Model(pixels, features),
        ...     groups={"stem": ["conv"]},
        ...     preprocessing="custom",
        ...     preprocessing_output="scale",
        ...     trained_range=(0.0, 1.0),
        ...     image_size=8,
        ...     min_image_size=3,
        ...     channels=3,
        ... )
        >>> encoder.feature_width
        5
    """

    name: str
    model: keras.Model
    groups: dict[str, tuple[str, ...]]
    preprocessing: str
    preprocessing_output: str | None
    trained_range: tuple[float, float]
    image_size: int
    min_image_size: int
    channels: int

    def __post_init__(self):
        checks.instance(self.name, str, name="name")
        checks.instance(self.model, keras.Model, name="model")
        checks.integer(self.min_image_size, name="min_image_size", low=1)
        checks.integer(
            self.image_size, name="image_size", low=self.min_image_size
        )
        checks.one_of(self.channels, (1, 3, 4), name="channels")
        checks.one_of(self.preprocessing, PREPROCESSINGS, name="preprocessing")
        low, high = self.trained_range
        checks.in_range(low, name="trained_range[0]")
        checks.in_range(
            high, name="trained_range[1]", low=low, include_low=False
        )
        self._check_model()
        groups = {name: tuple(layers) for name, layers in self.groups.items()}
        groups_lib.check_groups(self.model, groups)
        # Frozen: this is the one way to set a field.
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "trained_range", (float(low), float(high)))

    @property
    def feature_width(self) -> int:
        """How many numbers describe one place of the feature map."""
        return self.model.outputs[0].shape[-1]

    def _check_model(self):
        groups_lib.check_functional(self.model)
        pixels = self.model.inputs[0]
        expected = (None, self.image_size, self.image_size, self.channels)
        if tuple(pixels.shape) != expected or pixels.dtype != "float32":
            raise ValueError(
                "The encoder's `model` takes something other than its "
                f"`image_size` and `channels` say. Got: {pixels.dtype} of "
                f"shape {tuple(pixels.shape)}. Expected: float32 of shape "
                f"{expected}."
            )
        features = self.model.outputs[0]
        if len(features.shape) not in (2, 4) or features.shape[-1] is None:
            raise ValueError(
                "The encoder's `model` must end in a feature map [batch, "
                "height, width, features] or in a vector [batch, features]. "
                f"Got: shape {tuple(features.shape)}. Cut the model there "
                "with `keras.Model(model.inputs, TENSOR)`."
            )
        if self.preprocessing_output is not None:
            names = [layer.name for layer in self.model.layers]
            checks.one_of(
                self.preprocessing_output, names, name="preprocessing_output"
            )
