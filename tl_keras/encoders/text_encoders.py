"""What encoders of texts have in common."""

import keras


def check_takes_texts(name, image_size, channels):
    """Raises if an encoder of texts is asked for images of some size.

    Args:
        name: The encoder's name, for the message.
        image_size: As the user gave it; None is right.
        channels: As the user gave it; 3 is the default of `load`.
    """
    for argument, value, default in (
        ("image_size", image_size, None),
        ("channels", channels, 3),
    ):
        if value != default:
            raise ValueError(
                f"{name} takes texts, which have no `{argument}`. Got: "
                f"{value!r}. Leave it out."
            )


def mean_of_tokens(features, present):
    """The mean over the tokens of each text, without its padding.

    Args:
        features: Keras tensor `[batch, tokens, width]`.
        present: Keras tensor `[batch, tokens]`, bool: which are no padding;
            at least one of each text.

    Returns:
        Keras tensor `[batch, width]`, float32, since a bfloat16 cannot count
        to 300.

    Example:
        >>> features = keras.ops.array([[[1.0], [3.0], [9.0]]])
        >>> float(mean_of_tokens(features, [[True, True, False]])[0, 0])
        2.0
    """
    weights = keras.ops.cast(keras.ops.expand_dims(present, -1), "float32")
    total = keras.ops.cast(features, "float32") * weights
    return keras.ops.sum(total, axis=1) / keras.ops.sum(weights, axis=1)
