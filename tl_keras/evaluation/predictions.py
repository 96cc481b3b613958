"""A model's probabilities for every example of a dataset."""

import numpy as np
import tensorflow as tf

from tl_keras import checks
from tl_keras import models
from tl_keras.training import replicas
from tl_keras.training import workers


def predict_probabilities(model, dataset):
    """Class probabilities and labels of a dataset, in its order.

    Within `with tl_keras.strategy(...):` the replicas share each batch, and
    each worker gets all probabilities; every worker has to call this then.
    Elsewhere the loop runs on one device, and reads a model that was built
    under a strategy as it reads any other.

    Args:
        model: A built `keras.Model` with one input, such as images
            `[batch, height, width, channels]`, strings `[batch]` or
            waveforms `[batch, samples]`, and one output, logits or
            probabilities `[batch, num_classes]`.
        dataset: A finite, batched `tf.data.Dataset` of `(inputs, labels)`,
            such as `data.test`. Labels are class indices `[batch]` or
            `[batch, 1]`, or one-hot rows `[batch, num_classes]`.

    Returns:
        `(probabilities, labels)`: float32 `[num_examples, num_classes]` and
        int64 `[num_examples]`. The probabilities of a model with logits are
        their softmax, taken in float32 whatever the precision of the model.

    Raises:
        TypeError: If `dataset` is not a `tf.data.Dataset`.
        ValueError: If the dataset is empty, endless or not batched, if the
            inputs do not fit the model, if a label is not a class of the
            model, or if a prediction is NaN or no probability.

    Example:
        >>> import keras, numpy, tensorflow
        >>> from tl_keras import evaluation
        >>> model = keras.Sequential(
        ...     [
        ...         keras.Input((2, 2, 1)),
        ...         keras.layers.Flatten(),
        ...         keras.layers.Dense(3, activation="softmax"),
        ...     ]
        ... )
        >>> images = numpy.zeros((5, 2, 2, 1), "float32")
        >>> pairs = (images, [0, 1, 2, 0, 1])
        >>> dataset = tensorflow.data.Dataset.from_tensor_slices(pairs).batch(2)
        >>> probabilities, labels = evaluation.predict_probabilities(
        ...     model, dataset
        ... )
        >>> probabilities.shape, labels.tolist()
        ((5, 3), [0, 1, 2, 0, 1])
    """
    logits, labels = predict_logits(model, dataset)
    return softmax(logits), labels


def predict_logits(model, dataset):
    """Logits and labels of a dataset, in its order.

    A softmax of logits far apart rounds to 0 and 1; these do not.

    Args:
        model, dataset: As in `predict_probabilities`.

    Returns:
        `(logits, labels)`: float32 `[num_examples, num_classes]` and int64
        `[num_examples]`. Of a model with probabilities, their logarithms.

    Raises:
        TypeError, ValueError: As `predict_probabilities` does.
    """
    _check_dataset(dataset)
    input_shape = _input_shape(model)
    are_logits = models.outputs_are_logits(model)
    step = _prediction_step(model, dataset, input_shape)
    all_logits, all_labels, done = [], [], 0
    for inputs, labels in dataset:
        _check_inputs(inputs, input_shape)
        outputs = step(inputs).numpy()
        logits = outputs if are_logits else _logarithms(outputs, first=done)
        _check_finite(logits, first=done)
        labels = _class_indices(labels.numpy(), logits.shape[1], first=done)
        if len(labels) != len(logits):
            raise ValueError(
                "A batch has not as many predictions as labels. Got: "
                f"{len(logits)} and {len(labels)}."
            )
        all_logits.append(logits)
        all_labels.append(labels)
        done += len(labels)
    if not done:
        raise ValueError(
            "The dataset is empty. Got: no examples. Expected at least one; "
            "check its filters and the split it was made of."
        )
    return np.concatenate(all_logits), np.concatenate(all_labels)


def softmax(logits) -> np.ndarray:
    """Probabilities of logits, float32, in whatever precision these are.

    Args:
        logits: Float array `[examples, num_classes]`.

    Example:
        >>> softmax([[0.0, 0.0]]).tolist()
        [[0.5, 0.5]]
    """
    logits = np.asarray(logits, np.float32)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def checked(probabilities, labels):
    """Probabilities and labels that were made elsewhere, checked.

    Args:
        probabilities: Float array-like `[examples, num_classes]`.
        labels: Class indices `[examples]` or `[examples, 1]`, or one-hot rows.

    Returns:
        float32 `[examples, num_classes]` and int64 `[examples]`.

    Raises:
        ValueError: If a shape is another one, there are no examples, a
            probability is NaN or none, or a label is no class.
    """
    probabilities = np.asarray(probabilities, np.float32)
    labels = np.asarray(labels)
    if (
        probabilities.ndim != 2
        or probabilities.shape[1] < 2
        or not len(probabilities)
        or len(labels) != len(probabilities)
    ):
        raise ValueError(
            "`probabilities` and `labels` do not fit together. Got the shapes: "
            f"{probabilities.shape} and {labels.shape}. Expected [examples, "
            "num_classes] with at least 2 classes, and [examples]; at least "
            "one example."
        )
    _check_finite(probabilities, first=0)
    _check_probabilities(probabilities, first=0)
    return probabilities, _class_indices(
        labels, probabilities.shape[1], first=0
    )


def _check_dataset(dataset):
    """Refuses what is not a finite dataset of batches of pairs."""
    checks.instance(
        dataset,
        tf.data.Dataset,
        name="dataset",
        hint="Pass a split such as `data.test` (None where the data has no "
        "such split), or `tf.data.Dataset.from_tensor_slices((images, "
        "labels)).batch(32)`.",
    )
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise ValueError(
            f"`dataset` has elements of another form. Got: {spec}. Expected "
            "pairs `(inputs, labels)`; leave sample weights away with "
            "`dataset.map(lambda inputs, labels, weights: (inputs, labels))`."
        )
    if spec[1].shape.rank == 0:
        raise ValueError(
            "`dataset` is not batched. Got: elements with a single label, "
            f"{spec}. Expected batches; write `dataset.batch(32)`."
        )
    if dataset.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise ValueError(
            "`dataset` never ends. Expected one pass over the examples; "
            "leave `.repeat()` away, or write `dataset.take(steps)`."
        )


def _input_shape(model):
    """The shape of one input as the model knows it, or None."""
    inputs = getattr(model, "inputs", None)
    if inputs is None:  # A subclassed model says nothing about its input.
        return None
    if len(inputs) != 1:
        raise ValueError(
            f"The model has several inputs. Got: {len(inputs)}. Expected one."
        )
    return tuple(inputs[0].shape[1:])


def _prediction_step(model, dataset, input_shape):
    """A function of inputs that returns the model's outputs in float32."""

    def step(inputs):
        outputs = model(inputs, training=False)
        if not tf.is_tensor(outputs) or outputs.shape.rank != 2:
            raise ValueError(
                "The model is no classifier. Got the output: "
                f"{outputs}. Expected one tensor `[batch, num_classes]`."
            )
        if outputs.shape[1] is not None and outputs.shape[1] < 2:
            raise ValueError(
                f"The model has {outputs.shape[1]} output. Expected one per "
                "class, so at least 2; a yes-or-no question has two classes."
            )
        return tf.cast(outputs, tf.float32)

    def on_replicas(inputs):
        count = tf.distribute.get_strategy().num_replicas_in_sync
        size = tf.shape(inputs)[0]
        # Filled up by the last example, so that all get the same number.
        each = -(-size // count)
        here = count // workers.count()
        first = workers.index() * here * each
        mine = tf.minimum(tf.range(first, first + here * each), size - 1)
        (outputs,) = replicas.compute(
            lambda given: [step(given[0])], [tf.gather(inputs, mine)]
        )
        return outputs[:size]

    # In a strategy's scope only replicas can call a module that was loaded
    # there.
    on_devices = on_replicas if tf.distribute.has_strategy() else step
    if input_shape is None:
        return tf.function(on_devices, reduce_retracing=True)
    # With the batch size left open, a smaller last batch needs no second trace.
    dtype = dataset.element_spec[0].dtype
    return tf.function(on_devices, [tf.TensorSpec([None, *input_shape], dtype)])


def _check_inputs(inputs, input_shape):
    if input_shape is None:
        return
    if not inputs.shape[1:].is_compatible_with(input_shape):
        hint = ""
        if len(input_shape) == 3 and input_shape[0] is not None:
            hint = (
                f"; load the data with `image_size={input_shape[0]}, "
                f"channels={input_shape[2]}`"
            )
        raise ValueError(
            "The inputs do not fit the model. Got inputs of shape "
            f"{tuple(inputs.shape[1:])}. Expected {input_shape}{hint}."
        )


def _logarithms(probabilities, first: int):
    """Of what has to be probabilities; 0 becomes the smallest of float32."""
    _check_finite(probabilities, first)
    _check_probabilities(probabilities, first)
    smallest = np.finfo(np.float32).tiny
    return np.log(np.maximum(probabilities, smallest))


def _check_finite(values, first: int):
    """Refuses NaN; `first` is the first example's index."""
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        raise ValueError(
            "The model's predictions are not finite. Got NaN or infinity for "
            f"{np.sum(~finite)} of {len(finite)} examples, the first at index "
            f"{first + np.argmin(finite)}. The weights may have diverged "
            "(train with a lower learning rate), or the inputs hold NaN."
        )


def _check_probabilities(probabilities, first: int):
    """Refuses what is no distribution; `first` is the first index."""
    # The sum of 1,000 bfloat16 probabilities is off by up to 0.4 percent.
    valid = np.abs(probabilities.sum(axis=1) - 1) < 1e-2
    valid &= (probabilities >= 0).all(axis=1)
    if not valid.all():
        shown = probabilities[np.argmin(valid)][:5]
        raise ValueError(
            "The model's outputs are no probabilities. Got for the example at "
            f"index {first + np.argmin(valid)}: {shown}, sum "
            f"{probabilities[np.argmin(valid)].sum():.4g}. Expected numbers "
            "from 0 to 1 that sum to 1: end the model in logits without an "
            "activation, or in a softmax."
        )


def _class_indices(labels, num_classes: int, first: int):
    """int64 class indices of labels in any of the accepted forms."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.shape[1] == num_classes:
        labels = _from_one_hot(labels, first)
    if labels.ndim != 1:
        raise ValueError(
            f"The labels have another shape. Got: {labels.shape}. Expected "
            f"class indices [batch] or one-hot rows [batch, {num_classes}] "
            f"for a model with {num_classes} outputs."
        )
    if labels.dtype.kind not in "biuf":
        raise ValueError(
            f"The labels are no numbers. Got: {labels[:3]}. Expected class "
            f"indices from 0 to {num_classes - 1}."
        )
    valid = (labels >= 0) & (labels < num_classes)
    valid &= labels == np.floor(labels)
    if not valid.all():
        position = np.argmin(valid)
        raise ValueError(
            f"A label is no class of the model. Got: {labels[position]} at "
            f"index {first + position}. Expected whole numbers from 0 to "
            f"{num_classes - 1}, one per output of the model; -1 usually "
            "marks a split without labels."
        )
    return labels.astype(np.int64)


def _from_one_hot(labels, first: int):
    one_hot = ((labels == 0) | (labels == 1)).all(axis=1)
    one_hot &= labels.sum(axis=1) == 1
    if not one_hot.all():
        position = np.argmin(one_hot)
        raise ValueError(
            f"A label is not one-hot. Got: {labels[position]} at index "
            f"{first + position}. Expected one 1 and zeros: mixed or smoothed "
            "labels are for training only."
        )
    return np.argmax(labels, axis=1)
