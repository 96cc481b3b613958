"""The graph of a Functional model: its operations in order, and a walk.

Keras has no public way to run a model's graph with a say in how each layer is
called, no public list of a layer's producers, and none of the layers inside of
a layer.
"""

import dataclasses
import functools

import keras

from tl_keras import keras_internals


def functional(model) -> keras.Model:
    """The Functional model behind `model`.

    Args:
        model: A Functional or Sequential `keras.Model`.

    Raises:
        TypeError: If it is something else: a subclassed model's layers are
            not known as a graph.
    """
    inner = opened(model)
    if not is_functional(inner):
        raise TypeError(
            "`model` must be a Functional or a built Sequential keras.Model. "
            f"Got: {type(model).__name__}. Make it Functional: "
            "`keras.Model(inputs, outputs)`."
        )
    return inner


def opened(operation):
    """The Functional model inside a built Sequential; else the operation."""
    return keras_internals.functional_of(operation) or operation


def layers_within(operation) -> list:
    """A layer and all layers inside of it, whatever its class.

    Example:
        >>> import keras
        >>> names = [l.name for l in layers_within(keras.layers.ReLU(name="a"))]
        >>> names
        ['a']
    """
    if not isinstance(operation, keras.layers.Layer):
        return []
    return keras_internals.layers_within(operation)


def parts_of(operation) -> dict[str, list]:
    """The parts of an operation that holds a whole network, or none.

    Args:
        operation: An operation of a Keras model. A layer has parts if it has
            an attribute of that name, as a `HubEncoder` has.

    Returns:
        Part name to weights of the layer, in the order of their use; every
        weight of the layer is in one.

    Example:
        >>> import keras
        >>> parts_of(keras.layers.ReLU())
        {}
    """
    return getattr(operation, "parts", {})


def producer_of(tensor):
    """The operation whose output a symbolic tensor is.

    Example:
        >>> import keras
        >>> inputs = keras.Input((2,))
        >>> producer_of(keras.layers.ReLU(name="r")(inputs)).name
        'r'
    """
    return keras_internals.producer_of(tensor)


def end_of(model):
    """The operation that gives a model's first output.

    Args:
        model: A Functional or Sequential `keras.Model`. Where a nested model
            gives it, the operation is one of its own.

    Example:
        >>> import keras
        >>> layers = [keras.Input((2,)), keras.layers.ReLU(name="r")]
        >>> end_of(keras.Sequential(layers)).name
        'r'
    """
    operation = model
    while is_functional(opened(operation)):
        operation = producer_of(opened(operation).outputs[0])
    return operation


def is_functional(operation) -> bool:
    """Whether `operation` is a model with a graph of its own."""
    return keras_internals.is_functional(operation)


def run(model, inputs, call):
    """Computes a model's outputs, calling each operation by `call`.

    Args:
        model: A Functional `keras.Model`.
        inputs: Its inputs, of the structure that the model was made with.
        call: Called as `call(operation, *args, **kwargs)` in graph order,
            with the arguments with which the operation stands in the graph.

    Returns:
        The outputs, of the structure that the model was made with.

    Example:
        >>> import keras
        >>> inputs = keras.Input((2,))
        >>> model = keras.Model(inputs, keras.layers.ReLU(name="r")(inputs))
        >>> seen = []
        >>> def note(operation, *args, **kwargs):
        ...     seen.append(operation.name)
        ...     return operation(*args, **kwargs)
        >>> float(run(model, keras.ops.array([[-1.0, 3.0]]), note)[0, 1]), seen
        (3.0, ['r'])
    """
    return keras_internals.run_through_graph(
        functional(model),
        inputs,
        lambda operation: functools.partial(call, operation),
    )


def input_names(model) -> list[str]:
    """What a model's inputs are called in a dict of them, in their order.

    Args:
        model: A Functional or Sequential `keras.Model`: made of a dict, its
            keys; else the names of its inputs.

    Example:
        >>> import keras
        >>> inputs = {"a": keras.Input((2,), name="x")}
        >>> input_names(keras.Model(inputs, keras.layers.ReLU()(inputs["a"])))
        ['a']
    """
    model = functional(model)
    structure = keras_internals.inputs_structure(model)
    if not isinstance(structure, dict):
        return [tensor.name for tensor in model.inputs]
    key_of = {id(tensor): key for key, tensor in structure.items()}
    return [key_of[id(tensor)] for tensor in model.inputs]


def as_declared(model, inputs) -> list:
    """Inputs in the forms and dtypes that a model was made for, in order.

    Args:
        model: A Functional or Sequential `keras.Model`.
        inputs: A tensor, a list of them, or a dict by the names that
            `input_names` gives.

    Example:
        >>> import keras
        >>> inputs = keras.Input((1,))
        >>> model = keras.Model(inputs, keras.layers.ReLU()(inputs))
        >>> as_declared(model, keras.ops.array([1, 2]))[0].shape.as_list()
        [2, 1]
    """
    if isinstance(inputs, dict):
        inputs = [inputs[name] for name in input_names(model)]
    declared = functional(model).inputs
    return [
        _as_one_declared(value, tensor)
        for value, tensor in zip(
            keras.tree.flatten(inputs), declared, strict=True
        )
    ]


def _as_one_declared(value, declared):
    # As Keras has it, a last axis of one may be left out.
    if len(value.shape) == len(declared.shape) - 1 and declared.shape[-1] == 1:
        value = keras.ops.expand_dims(value, -1)
    if declared.dtype == "string":
        return value
    return keras.ops.cast(value, declared.dtype)


def inputs_of(model) -> dict[str, list[str]]:
    """Names of the operations that each operation reads, in graph order.

    A nested model counts as one operation.

    Args:
        model: A Functional or Sequential `keras.Model`.

    Returns:
        Operation name to names of operations; an input reads none.

    Example:
        >>> import keras
        >>> pixels = keras.Input((4, 4, 3), name="pixels")
        >>> hidden = keras.layers.Conv2D(2, 3, name="conv")(pixels)
        >>> inputs_of(keras.Model(pixels, hidden))
        {'pixels': [], 'conv': ['pixels']}
    """
    model = functional(model)
    made_by, inputs = {}, {}
    for node in keras_internals.nodes_of(model):
        name = node.operation.name
        reads = [made_by[id(tensor)] for tensor in node.input_tensors]
        inputs.setdefault(name, []).extend(reads)
        made_by.update({id(tensor): name for tensor in node.outputs})
    return {
        operation.name: inputs[operation.name] for operation in model.operations
    }


def operations(model):
    """The operations of a model in graph order, each with its producers.

    Nested models are opened: what is listed are their inner operations.

    Args:
        model: A Functional or Sequential `keras.Model`.

    Returns:
        A list of `(operation, producers)`. `producers` are the operations
        whose outputs this one takes; inputs are not listed.

    Example:
        >>> import keras
        >>> inputs = keras.Input((2,))
        >>> names = ("a", "b")
        >>> model = keras.Sequential(
        ...     [inputs, *(keras.layers.ReLU(name=name) for name in names)]
        ... )
        >>> [(op.name, [p.name for p in by]) for op, by in operations(model)]
        [('a', []), ('b', ['a'])]
    """
    made_by, listed = {}, []
    for call in flat(model).calls:
        reads = [made_by[v] for v in call.reads if v in made_by]
        listed.append((call.operation, reads))
        made_by.update(dict.fromkeys(call.writes, call.operation))
    return listed


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
    """What one call hands to others.

    Attributes:
        tensor: The `keras.KerasTensor` with its shape and dtype. A nested
            model that is called twice has the same tensors both times, and
            different values.
    """

    tensor: keras.KerasTensor
    may_have_mask: bool = False

    @property
    def has_mask(self) -> bool:
        """Whether Keras hands a mask along with it, as an attribute."""
        return self.may_have_mask or keras_internals.has_mask(self.tensor)


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """One call of an operation in a graph.

    Attributes:
        operation: A layer, or another Keras operation.
        reads: The values it takes.
        writes: The values it makes.
        node: Keras' node.
    """

    operation: object
    reads: tuple[Value, ...]
    writes: tuple[Value, ...]
    node: object

    @property
    def constants(self) -> tuple:
        """The arguments of the call that no other call makes."""
        return self.node.arguments.convert(
            lambda value: None if keras.utils.is_keras_tensor(value) else value
        )

    def run(self, values: dict, call):
        """Calls the operation by `call`; adds what it gives, in place.

        Args:
            values: From `Value` to its tensor.
            call: As in `run`.
        """
        tensors = {
            id(tensor): values[value]
            for tensor, value in zip(
                self.node.input_tensors, self.reads, strict=True
            )
        }
        args, kwargs = self.node.arguments.fill_in(tensors)
        outputs = call(self.operation, *args, **kwargs)
        values.update(
            zip(self.writes, keras.tree.flatten(outputs), strict=True)
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Flat:
    """A graph in which nested models are opened.

    Attributes:
        inputs: The values that it takes.
        calls: Calls in graph order.
        outputs: The values that it gives.
    """

    inputs: tuple[Value, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Value, ...]

    def run(self, inputs, call) -> list:
        """The tensors of the outputs for those of the inputs, in order.

        Args:
            inputs: A tensor for each input.
            call: As in `run`.
        """
        values = dict(zip(self.inputs, inputs, strict=True))
        for one in self.calls:
            one.run(values, call)
        return [values[value] for value in self.outputs]


def flat(model) -> Flat:
    """A model's graph with its nested models opened.

    Args:
        model: A Functional or Sequential `keras.Model`.

    Example:
        >>> import keras
        >>> layers = [keras.Input((2,)), keras.layers.ReLU(name="r")]
        >>> whole = flat(keras.Sequential(layers))
        >>> [call.operation.name for call in whole.calls]
        ['r']
    """
    model = functional(model)
    inputs, calls = tuple(map(Value, model.inputs)), []
    outputs = _flatten(model, inputs, calls)
    return Flat(inputs, tuple(calls), outputs)


def pack_outputs(model, tensors: list):
    """Output tensors in the structure that a model was made with."""
    return keras.tree.pack_sequence_as(
        keras_internals.outputs_structure(functional(model)), tensors
    )


def _flatten(model, inputs, calls, masked=None) -> tuple:
    """Appends the calls of a model; gives the values of its outputs.

    `masked` is given where the model is called on a masked tensor, which its
    own tensors do not tell: by id of an output, whether that has a mask.
    """
    values = dict(zip(map(id, model.inputs), inputs, strict=True))
    for node in keras_internals.nodes_of(model):
        if node.is_input:
            continue
        reads = tuple(values[id(tensor)] for tensor in node.input_tensors)
        inner = opened(node.operation)
        if is_functional(inner):
            # Keras hands masks to a model as arguments behind its inputs.
            count, of_inner = len(inner.inputs), masked
            if len(reads) > count or masked is not None:
                of_inner = {
                    id(own): keras_internals.has_mask(tensor)
                    for own, tensor in zip(
                        inner.outputs, node.outputs, strict=True
                    )
                }
            writes = _flatten(inner, reads[:count], calls, of_inner)
        else:
            writes = tuple(
                Value(one, masked is not None and masked.get(id(one), True))
                for one in node.outputs
            )
            calls.append(Call(node.operation, reads, writes, node))
        values.update(zip(map(id, node.outputs), writes, strict=True))
    return tuple(values[id(tensor)] for tensor in model.outputs)
