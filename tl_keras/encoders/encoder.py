"""The encoder: a pretrained network without its own head."""

import dataclasses

import keras

from tl_keras import checks
from tl_keras import input_specs
from tl_keras.encoders import groups as groups_lib

PREPROCESSINGS = ("caffe", "tf", "torch", "in_model", "none", "custom")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Encoder:
    """A pretrained network, raw input to features, and what is known of it.

    `tl_keras.encoders.load` and `from_model` make encoders; write one by hand
    for a network of your own. It is a value: `tl_keras.build` copies its
    weights and leaves the encoder as it is.

    Attributes:
        name: What it is called, e.g. `"MobileNetV2"`.
        model: One Functional `keras.Model` from one `Input` of the shape and
            dtype of `input_spec` to features: a map `[height, width,
            features]`, a sequence `[steps, features]` or a vector
            `[features]`. Its preprocessing is inside.
        groups: Group name to the names of its layers with weights. Groups
            come in graph order, from the input to the features; every layer
            with weights is in exactly one. A nested model counts as one layer.
            Of a layer that holds a whole network (see `HubEncoder`), the parts
            are named `"LAYER/PART"`.
        input_spec: What it takes: an `ImageSpec`, `TextSpec` or `AudioSpec`.
        preprocessing: One of `"caffe"` (BGR, minus the mean), `"tf"` (-1..1),
            `"torch"` (mean and standard deviation per channel), `"in_model"`
            (part of the network), `"none"` or `"custom"`.
        preprocessing_output: Name of the last preprocessing layer, whose
            output the network proper gets. None: it gets the pixels.
        trained_range: Smallest and largest value that the network proper got
            when it was trained, after `preprocessing_output`. None: unknown,
            or it is no range of numbers, as of texts.
        min_image_size: The smallest image size in pixels that this network
            can have; None where it takes no images.

    Raises:
        TypeError: If `model` is not a `keras.Model`.
        ValueError: If the model is not Functional with one input of the stated
            shape and one output, if the groups leave out or repeat layers,
            name unknown ones or are out of order, or if another attribute is
            out of range.

    Example:
        >>> import keras
        >>> from tl_keras import input_specs
        >>> from tl_keras.encoders import Encoder
        >>> pixels = keras.Input((8, 8, 3))
        >>> scaled = keras.layers.Rescaling(1 / 255, name="scale")(pixels)
        >>> features = keras.layers.Conv2D(5, 3, name="conv")(scaled)
        >>> encoder = Encoder(
        ...     name="mine",
        ...     model=keras.Model(pixels, features),
        ...     groups={"stem": ["conv"]},
        ...     input_spec=input_specs.ImageSpec(size=8),
        ...     preprocessing="custom",
        ...     preprocessing_output="scale",
        ...     trained_range=(0.0, 1.0),
        ...     min_image_size=3,
        ... )
        >>> encoder.feature_width
        5
    """

    name: str
    model: keras.Model
    groups: dict[str, tuple[str, ...]]
    input_spec: input_specs.InputSpec
    preprocessing: str
    preprocessing_output: str | None = None
    trained_range: tuple[float, float] | None = None
    min_image_size: int | None = None

    def __post_init__(self):
        checks.instance(self.name, str, name="name")
        checks.instance(self.model, keras.Model, name="model")
        checks.instance(self.input_spec, input_specs.SPECS, name="input_spec")
        if self.input_spec.kind == "image" and self.min_image_size is not None:
            checks.integer(self.min_image_size, name="min_image_size", low=1)
            checks.integer(
                self.input_spec.size, name="image_size", low=self.min_image_size
            )
        checks.one_of(self.preprocessing, PREPROCESSINGS, name="preprocessing")
        if self.trained_range is not None:
            self._check_range()
        self._check_model()
        groups = {name: tuple(layers) for name, layers in self.groups.items()}
        groups_lib.check_groups(self.model, groups)
        # Frozen: this is the one way to set a field.
        object.__setattr__(self, "groups", groups)

    @property
    def feature_width(self) -> int:
        """How many numbers describe one place of the feature map."""
        return self.model.outputs[0].shape[-1]

    def _check_range(self):
        low, high = self.trained_range
        checks.in_range(low, name="trained_range[0]")
        checks.in_range(
            high, name="trained_range[1]", low=low, include_low=False
        )
        object.__setattr__(self, "trained_range", (float(low), float(high)))

    def _check_model(self):
        groups_lib.check_functional(self.model)
        taken = self.model.inputs[0]
        expected = (None, *self.input_spec.shape)
        if tuple(taken.shape) != expected or taken.dtype != (
            self.input_spec.dtype
        ):
            raise ValueError(
                "The encoder's `model` takes something other than its "
                f"`input_spec` says. Got: {taken.dtype} of shape "
                f"{tuple(taken.shape)}. Expected: {self.input_spec.dtype} of "
                f"shape {expected}."
            )
        features = self.model.outputs[0]
        if (
            len(features.shape) not in (2, 3, 4)
            or features.shape[-1] is None
            or not features.dtype.startswith(("float", "bfloat"))
        ):
            raise ValueError(
                "The encoder's `model` must end in a float feature map "
                "[batch, height, width, features], a sequence [batch, steps, "
                "features] or a vector [batch, features]. Got: "
                f"{features.dtype} of shape {tuple(features.shape)}. Cut the "
                "model there with `keras.Model(model.inputs, TENSOR)`."
            )
        if self.preprocessing_output is not None:
            names = [layer.name for layer in self.model.layers]
            checks.one_of(
                self.preprocessing_output, names, name="preprocessing_output"
            )
