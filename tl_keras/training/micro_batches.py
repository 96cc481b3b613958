"""Gradients of a batch that is computed in parts: gradient accumulation."""

import keras
import tensorflow as tf


def gradients(model, batch, share, count: int) -> list:
    """Gradients of the loss of a batch, which is computed part by part.

    Those of the parts are added up, each weighted by its number of examples:
    the sum is that of the whole batch, while the activations of one part at a
    time are in memory. Keras' own `gradient_accumulation_steps` fails under
    strategies: https://github.com/keras-team/keras/issues/20582

    What the model keeps of a forward pass, such as random states, is changed
    in place, as by one for each part, and the parts are added to the metrics.

    Args:
        model: A compiled `TrainingModel`, whose loss is a mean over examples.
        batch: `(inputs, labels)` or `(inputs, labels, weights)`; of each
            replica, its own.
        share: As of `TrainingModel.gradients`.
        count: How many parts there are, at least 1; fewer where a batch has
            fewer examples. They are equal in size, but for the last.

    Returns:
        A list like that of `TrainingModel.gradients`.
    """
    weights = model.trainable_weights
    moved = _moved_without_gradients(model)
    total = _length(keras.tree.flatten(batch)[0])
    size = -(-total // count)
    # Found out while a part is traced.
    without_gradient, changed = set(), set()

    def add_part(index, sums, states):
        part, length = _part(batch, index * size, size, total)
        found, new_states = _gradients(model, part, share, moved, states)
        weight_of_part = tf.cast(length, "float32") / tf.cast(total, "float32")
        new_sums = []
        for number, (one, gradient) in enumerate(zip(sums, found, strict=True)):
            if gradient is None:
                without_gradient.add(number)
                new_sums.append(one)
                continue
            # That of an embedding comes as the rows which a part has read.
            gradient = tf.convert_to_tensor(gradient)
            new_sums.append(one + gradient * tf.cast(weight_of_part, one.dtype))
        changed.update(
            number
            for number, (old, new) in enumerate(
                zip(states, new_states, strict=True)
            )
            if new is not old
        )
        return index + 1, new_sums, new_states

    _, sums, states = tf.while_loop(
        lambda index, *_: index * size < total,
        add_part,
        (
            tf.constant(0),
            [tf.zeros(weight.shape, weight.dtype) for weight in weights],
            [tf.convert_to_tensor(variable.value) for variable in moved],
        ),
        # Side by side, the parts would be in memory together.
        parallel_iterations=1,
    )
    for number in changed:
        moved[number].assign(states[number])
    return [
        None if number in without_gradient else one
        for number, one in enumerate(sums)
    ]


def _gradients(model, part, share, moved, states):
    """Gradients of a part's loss, and what `moved` is behind it."""
    scopes = []

    def scope():
        # Replicas assign some variables together, which they cannot in a
        # loop: they are carried through it, and assigned behind. Penalties
        # are computed of the weights that are listed.
        values = [(weight, weight) for weight in _with_penalty(model)]
        scopes.append(
            keras.StatelessScope(
                [*zip(moved, states, strict=True), *values],
                collect_losses=True,
            )
        )
        return scopes[0]

    found = model.gradients(part, share, scope)
    return found, [scopes[0].get_current_value(one) for one in moved]


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


def _part(batch, begin, size, total):
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

    return keras.tree.map_structure(slice_of, batch), length


def _length(value):
    """Number of examples, as an int where it is known."""
    known = value.shape[0]
    return tf.shape(value)[0] if known is None else known
