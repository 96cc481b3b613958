"""The pull of weights towards where fine-tuning began."""

from keras import ops


def starting_point_penalty(weights, start, strength: float):
    """Squared distance of the weights from where fine-tuning began (L2-SP).

    Weight decay pulls weights towards zero, away from what the encoder has
    learned. This penalty pulls them back to their pretrained values:

        strength / 2 * sum_i ||weights[i] - start[i]||^2

    Args:
        weights: Float tensors of any shapes: the encoder's weights now.
        start: Float tensors with the same shapes in the same order: the
            pretrained values.
        strength: Dimensionless factor, at least 0.

    Returns:
        Float scalar, shape `()`, to add to a loss that is a mean per example.

    Raises:
        ValueError: If `weights` and `start` do not pair up by shape.

    Example:
        >>> float(starting_point_penalty([[1.0, 3.0]], [[1.0, 1.0]], 0.5))
        1.0

    Reference:
        Li, Grandvalet and Davoine, "Explicit Inductive Bias for Transfer
        Learning with Convolutional Networks", ICML 2018,
        https://arxiv.org/abs/1802.01483
    """
    weights = [ops.convert_to_tensor(weight) for weight in weights]
    start = [ops.convert_to_tensor(value) for value in start]
    shapes = [tuple(weight.shape) for weight in weights]
    start_shapes = [tuple(value.shape) for value in start]
    if shapes != start_shapes:
        raise ValueError(
            "`weights` and `start` do not pair up. "
            f"Got shapes: {shapes} and {start_shapes}. "
            "Expected the same shapes in the same order; pass "
            "`start=[ops.copy(w) for w in encoder.weights]`, taken before "
            "training."
        )
    squares = [
        ops.sum(ops.square(weight - value))
        for weight, value in zip(weights, start, strict=True)
    ]
    # Stacked rather than added to a 0, which would have a dtype of its own.
    return strength / 2 * ops.sum(ops.stack(squares)) if squares else 0.0
