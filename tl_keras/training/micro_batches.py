"""Training steps that compute a batch in parts: gradient accumulation."""

import keras
import tensorflow as tf


def train_step(model, data, count: int) -> dict:
    """Takes one optimizer step on a batch, computed part by part, in place.

    Gradients of the parts are added up, each weighted by its share of the
    examples: what the optimizer sees is that of the whole batch, while the
    activations of one part at a time are in memory. Keras' own
    `gradient_accumulation_steps` fails under strategies:
    https://github.com/keras-team/keras/issues/20582

    Args:
        model: A compiled `TrainingModel`, whose loss is a mean over examples.
        data: `(inputs, labels)` or `(inputs, labels, weights)`; of each
            replica, its own.
        count: How many parts there are, at least 1; fewer where a batch has
            fewer examples. They are equal in size, but for the last.

    Returns:
        Keras' logs.
    """
    weights = model.trainable_weights
    moved = _moved_without_gradients(model)
    total = _length(keras.tree.flatten(data)[0])
    size = _largest(-(-total // count), 1)
    # Found out while a part is traced.
    without_gradient, changed = set(), set()

    def add_part(index, sums, states):
        part, length = _part(data, index * size, size, total)
        gradients, new_states = _gradients(model, part, length, moved, states)
        share = tf.cast(length, "float32") / tf.cast(total, "float32")
        for number, gradient in enumerate(gradients):
            if gradient is None:
                without_gradient.add(number)
                gradients[number] = tf.zeros_like(sums[number])
        for number, (old, new) in enumerate(
            zip(states, new_states, strict=True)
        ):
            if new is not old:
                changed.add(number)
        sums = [
            # That of an embedding comes as the rows which a part has read.
            one + tf.convert_to_tensor(gradient) * tf.cast(share, one.dtype)
            for one, gradient in zip(sums, gradients, strict=True)
        ]
        return index + 1, sums, new_states

    _, sums, states = tf.while_loop(
        lambda index, *_: index * size < total,
        add_part,
        (
            tf.constant(0),
            [tf.zeros(weight.shape, weight.dtype) for weight in weights],
            [variable.value + 0 for variable in moved],
        ),
        # Side by side, the parts would be in memory together.
        parallel_iterations=1,
    )
    for number in changed:
        moved[number].assign(states[number])
    model.optimizer.apply_gradients(
        (None if number in without_gradient else gradient, weight)
        for number, (gradient, weight) in enumerate(
            zip(sums, weights, strict=True)
        )
    )
    return model.get_metrics_result()


def _gradients(model, part, length, moved, states):
    """Gradients of a part's loss, and what `moved` is behind it."""
    inputs, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(part)
    with (
        tf.GradientTape() as tape,
        # Replicas assign some of these together, which they cannot in a loop:
        # they are carried through it, and assigned behind.
        keras.StatelessScope(
            [
                *zip(moved, states, strict=True),
                # Penalties are computed of what is listed here.
                *((weight, weight) for weight in _with_penalty(model)),
            ],
            collect_losses=True,
        ) as scope,
    ):
        outputs = model(inputs, training=True)
        loss = model.compute_loss(
            inputs, labels, outputs, sample_weight, training=True
        )
        scaled = model.optimizer.scale_loss(loss)
        new_states = [scope.get_current_value(variable) for variable in moved]
    gradients = tape.gradient(scaled, model.trainable_weights)
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    # The first of a compiled model's metrics is the mean of its loss.
    model.metrics[0].update_state(loss * replicas, sample_weight=length)
    model.compute_metrics(inputs, labels, outputs, sample_weight)
    return gradients, new_states


def _with_penalty(model) -> list:
    return [
        weight
        for operation in model.operations
        for weight in getattr(operation, "trainable_weights", ())
        if getattr(weight, "regularizer", None) is not None
    ]


def _moved_without_gradients(model) -> list:
    """What a forward pass may change: statistics and random states."""
    listed = [
        variable
        for operation in model.operations
        if model.trains(operation)
        for variable in getattr(operation, "non_trainable_variables", ())
    ]
    return list({id(variable): variable for variable in listed}.values())


def _part(data, begin, size, total):
    """Examples from `begin` on, at most `size`, and how many they are."""
    length = size
    # Under XLA the length has to be known when it is compiled.
    if not isinstance(total, int) or total % size:
        length = tf.minimum(size, total - begin)

    def slice_of(value):
        # Known lengths, as -1 asks of XLA to know `begin`, too.
        others = [-1 if width is None else width for width in value.shape[1:]]
        starts = [begin, *[0] * len(others)]
        return tf.slice(value, starts, [length, *others])

    return keras.tree.map_structure(slice_of, data), length


def _length(value):
    """Number of examples, as an int where it is known."""
    known = value.shape[0]
    return tf.shape(value)[0] if known is None else known


def _largest(*values):
    if all(isinstance(value, int) for value in values):
        return max(values)
    return tf.maximum(*values)
