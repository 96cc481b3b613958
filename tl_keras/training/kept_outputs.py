"""What a model gives for examples whose frozen beginning was computed once."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tl_keras import cards
from tl_keras import graph
from tl_keras.data.augmentation import Augmentation
from tl_keras.training import frozen_results
from tl_keras.training import training_model
from tl_keras.tuning import groups as layer_groups

_BATCH_SIZE = 512


class KeptOutputs:
    """Asks a model for examples again and again, with weights that change.

    What no phase of a plan trains is computed once for each example, and kept
    where `fit` keeps it and finds it. Where that cannot be, the whole model is
    run each time.

    Args:
        model: A model from `tl_keras.build`.
        plan: A `Plan`: what may have changed when `outputs` is called.
        data: The `tl_keras.data.Data` that the examples are of.
        settings: A `PrefixCache`.
    """

    def __init__(self, model, plan, data, settings):
        self._model = model
        self._groups = layer_groups.resolve(model, cards.of(model).groups)
        self._plan = plan
        self._phase = _widest(plan, self._groups.names)
        self._data = data
        self._settings = settings
        self._steps = {}

    def prepare(self, examples):
        """Computes what is frozen for all examples of a part.

        Args:
            examples: `Examples` with a reader.

        Returns:
            `(examples, seconds)`: what `outputs` takes, and how long it took.
        """
        if self._phase is None or self._settings.mode == "never":
            return KeptPart(examples.inputs, None), 0.0
        try:
            reader, rest, report = frozen_results.of(
                self._model,
                self._groups,
                self._data,
                examples,
                self._phase,
                self._settings,
                say=lambda *_, **__: None,
            )
        except (ValueError, OSError):
            # It reads images or strings, or there is no room for it.
            return KeptPart(examples.inputs, None), 0.0
        return KeptPart(reader, rest), report.seconds

    def head(self, part):
        """The head alone, as a model that takes what is kept.

        It has the layers and weights of the whole model, so that training one
        trains the other, and needs nothing of the encoder.

        Args:
            part: From `prepare`.

        Returns:
            A `keras.Model`, or None where training it would not be the same:
            where nothing is kept, or a phase trains or changes more than the
            head and the order of examples.
        """
        plain = all(
            phase.groups(self._groups.names) == self._groups.names[-1:]
            and phase.augmentation == Augmentation()
            and not phase.starting_point_strength
            for phase in self._plan.phases
        )
        if part.rest is None or not plain:
            return None
        inputs = [
            keras.Input(value.tensor.shape[1:], dtype=value.tensor.dtype)
            for value in part.rest.inputs
        ]
        outputs = part.rest.run(inputs, _call)
        head = keras.Model(inputs, outputs)
        own = {
            id(weight)
            for member in self._groups.members[self._groups.names[-1]]
            for weight in member.weights
        }
        if {id(weight) for weight in head.trainable_weights} - own:
            return None
        # The layers that draw numbers draw them in turn.
        if _num_states(head) != _num_states(self._model):
            return None
        return head

    def outputs(self, part, indices) -> np.ndarray:
        """What the model gives for some examples, with the weights of now.

        Args:
            part: From `prepare`.
            indices: int64 array `[examples]`, not empty.

        Returns:
            float32 `[examples, num_classes]`.
        """
        step = self._steps.get(id(part))
        if step is None:
            # Traced once, since each trace takes memory that stays taken.
            step = self._steps[id(part)] = (tf.function(self._step(part)), part)
        found = []
        for start in range(0, len(indices), _BATCH_SIZE):
            chosen = indices[start : start + _BATCH_SIZE]
            filled = np.resize(chosen, _BATCH_SIZE)
            found.append(step[0](tf.constant(filled)).numpy()[: len(chosen)])
        return np.concatenate(found)

    def _step(self, part):
        def step(indices):
            inputs = part.reader.read(indices)
            if part.rest is None:
                inputs = graph.as_declared(
                    self._model, keras.tree.flatten(inputs)
                )
                outputs = self._model(inputs[0], training=False)
            else:
                [outputs] = part.rest.run(list(inputs), training_model.infer)
            return tf.cast(outputs, tf.float32)

        return step


@dataclasses.dataclass(frozen=True, eq=False)
class KeptPart:
    """Examples of which the frozen beginning was computed.

    Attributes:
        reader: Reads what is kept, or the inputs.
        rest: What of the model has to be run for them; None for all.
    """

    reader: object
    rest: object


def _call(operation, *args, **kwargs):
    return operation(*args, **kwargs)


def _num_states(model) -> int:
    names = [variable.name for variable in model.variables]
    return names.count("seed_generator_state")


def _widest(plan, names):
    """A phase that trains all that any other one trains, without its changes.

    None if there is none: then each phase trains something of its own.
    """
    trained = [set(phase.groups(names)) for phase in plan.phases]
    everything = set().union(*trained)
    for phase, groups in zip(plan.phases, trained, strict=True):
        if groups == everything:
            return dataclasses.replace(
                phase, augmentation=Augmentation(), cache_views=None
            )
    return None
