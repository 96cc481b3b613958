"""The signatures of a served classifier: what it answers to which request."""

import keras
import tensorflow as tf

from tl_keras import cards
from tl_keras import graph
from tl_keras import models
from tl_keras.serving import inputs as served_inputs

SERVE = "serving_default"
EMBED = "embed"
CLASSIFY = "classify"
MOST_TOP_CLASSES = 5


def functions(model, names, inputs, *, classify: bool = False) -> dict:
    """The functions behind the signatures.

    Args:
        model: A classifier that `check` accepts.
        names: A table from an int64 class number to its name.
        inputs: The `Inputs` of the model.
        classify: Whether to answer TensorFlow Serving's Classify requests,
            which hold `tf.Example`s.

    Returns:
        Signature name to `tf.function`. `serving_default` takes encoded files
        or texts; `pixels` or `waveforms` what has been decoded; both give
        `probabilities`, `class_names` and `top_classes`. `embed` takes what
        `serving_default` takes and gives `features`, where it is known which
        these are.
    """
    if classify and inputs.decode is None:
        raise ValueError(
            "Classify requests hold encoded images, and those of this model "
            f"cannot be decoded. Got: inputs {inputs.raw.shape}. Expected 1, "
            "3 or 4 channels; leave out `classify`."
        )
    network = _traced_once(model)
    answer = _answer(model, network, names)
    taken, decode = inputs.first
    found = {SERVE: _joined(decode, answer, taken)}
    if inputs.raw is not None:
        found[inputs.raw_name] = _joined(inputs.prepare, answer, inputs.raw)
    if features_of(model) is not None:

        def embed(given):
            features = network(given)[1]
            return {"features": tf.cast(features, tf.float32)}

        found[EMBED] = _joined(decode, embed, taken)
    if classify:
        found[CLASSIFY] = _classifier(answer, inputs)
    return found


def resources(model) -> list:
    """The tables and files that a model's layers need, beside variables.

    Args:
        model: A `keras.Model`. A layer may list them in an attribute
            `resources`; of others, what TensorFlow tracks is found.
    """
    found = [
        one
        for layer in graph.layers_within(model)
        for one in getattr(layer, "resources", None) or _tracked_by(layer)
    ]
    return list({id(one): one for one in found}.values())


def check(model):
    """Raises unless a model can be served.

    Args:
        model: What the user gave.

    Raises:
        TypeError: If it is no `keras.Model` with known shapes.
        ValueError: If it is no classifier of images, texts or clips.
    """
    if not getattr(model, "inputs", None) or not getattr(
        model, "outputs", None
    ):
        raise TypeError(
            "`model` has no inputs and outputs of known shape. Got: "
            f"{type(model).__name__}. Expected a built Functional or "
            "Sequential `keras.Model`, such as `tl_keras.build` returns."
        )
    taken, given = (
        [tuple(tensor.shape) for tensor in tensors]
        for tensors in (model.inputs, model.outputs)
    )
    is_classifier = len(given) == 1 and len(given[0]) == 2 and given[0][1]
    if (
        len(taken) != 1
        or not is_classifier
        or served_inputs.kind(model) is None
    ):
        raise ValueError(
            "The model is no classifier of images, texts or clips. Got inputs "
            f"of shape {taken} and outputs of shape {given}. Expected one "
            "input, (batch, height, width, channels) or strings (batch,), or "
            "waveforms of a model from `tl_keras.build`; and one output "
            "(batch, num_classes)."
        )
    if given[0][1] < 2:
        raise ValueError(
            "The model has 1 output. Expected one per class, so at least 2; "
            "a yes-or-no question has two classes."
        )


def features_of(model):
    """The symbolic features of a model; None where they are not known."""
    card = cards.of(model)
    if card is None or card.features is None:
        return None
    operations = graph.functional(model).operations
    found = [one for one in operations if one.name == card.features]
    return found[0].output if found else None


def with_features(model) -> keras.Model:
    """A model that gives its outputs, and its features where these are known.

    Args:
        model: A classifier that `check` accepts.
    """
    features = features_of(model)
    # Some models give a list or a dict of one.
    [outputs] = keras.tree.flatten(model.outputs)
    if features is None:
        return keras.Model(model.inputs, [outputs])
    return keras.Model(model.inputs, [outputs, features])


def _traced_once(model):
    """A function that all signatures call, and the file holds once."""
    network = with_features(model)
    [taken] = model.inputs

    def run(given):
        return keras.tree.flatten(network(given, training=False))

    return tf.function(run, [tf.TensorSpec(taken.shape, taken.dtype)])


def _answer(model, network, names):
    """A function from a model's inputs to what a request is answered."""
    are_logits = models.outputs_are_logits(model)
    num_classes = model.outputs[0].shape[1]
    num_top = min(MOST_TOP_CLASSES, num_classes)

    def answer(given):
        outputs = tf.cast(network(given)[0], tf.float32)
        probabilities = tf.nn.softmax(outputs) if are_logits else outputs
        every_name = names.lookup(tf.range(num_classes, dtype=tf.int64))
        top = tf.math.top_k(probabilities, num_top).indices
        return {
            "probabilities": probabilities,
            "class_names": tf.tile(
                every_name[None], [tf.shape(probabilities)[0], 1]
            ),
            "top_classes": tf.gather(every_name, top),
        }

    return answer


def _joined(decode, answer, taken):
    def serve(given):
        return answer(decode(given))

    return tf.function(serve, [taken])


def _classifier(answer, inputs):
    features = {inputs.feature: tf.io.FixedLenFeature([], tf.string)}

    def classify(examples):
        encoded = tf.io.parse_example(examples, features)[inputs.feature]
        answered = answer(inputs.decode(encoded))
        return {
            "classes": answered["class_names"],
            "scores": answered["probabilities"],
        }

    return tf.function(classify, [tf.TensorSpec([None], tf.string, "inputs")])


def _tracked_by(layer) -> list:
    kinds = (
        tf.saved_model.experimental.TrackableResource,
        tf.saved_model.Asset,
    )
    tracked = tf.train.TrackableView(layer).descendants()
    return [one for one in tracked if isinstance(one, kinds)]
