"""The graph of a Functional model: its operations in order, and a walk.

Keras has no public way to run a model's graph with a say in how each layer is
called, no public list of a layer's producers, and none of the layers inside of
a layer; the private names that this takes are used here and nowhere else.
"""

import functools

import keras


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
    return getattr(operation, "_functional", None) or operation


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
    return list(operation._flatten_layers())


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
    return tensor._keras_history.operation


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
    return hasattr(operation, "_nodes_by_depth")


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
    return functional(model)._run_through_graph(
        inputs,
        operation_fn=lambda operation: functools.partial(call, operation),
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
    if not isinstance(model._inputs_struct, dict):
        return [tensor.name for tensor in model.inputs]
    key_of = {id(tensor): key for key, tensor in model._inputs_struct.items()}
    return [key_of[id(tensor)] for tensor in model.inputs]


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
    for node in _nodes(model):
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
    listed = []
    _list_operations(functional(model), {}, listed)
    return listed


def cut_behind_strings(model):
    """A model as two: from its inputs to where no string is left, and on.

    Args:
        model: A Functional or Sequential `keras.Model`.

    Returns:
        `(beginning, rest)`, two Functional models that share the layers of
        `model`; `rest` takes a list of what `beginning` gives. None if the
        model takes no strings, or if what reads them has weights.

    Example:
        >>> import keras
        >>> texts = keras.Input((), dtype="string")
        >>> numbers = keras.layers.Hashing(9)(texts)
        >>> rows = keras.layers.Embedding(9, 2)(numbers)
        >>> beginning, rest = cut_behind_strings(keras.Model(texts, rows))
        >>> beginning.outputs[0].dtype, rest.output_shape
        ('int64', (None, 2))
    """
    model = functional(model)
    inside = set()
    for node in _nodes(model):
        tensors = [*node.input_tensors, *node.outputs]
        if not any(tensor.dtype == "string" for tensor in tensors):
            continue
        if getattr(node.operation, "weights", ()):
            return None
        inside.add(id(node))
    if not inside:
        return None
    made_inside = {
        id(tensor)
        for node in _nodes(model)
        if id(node) in inside or node.is_input
        for tensor in node.outputs
    }
    crossing = {
        id(tensor): tensor
        for node in _nodes(model)
        if id(node) not in inside
        for tensor in node.input_tensors
        if id(tensor) in made_inside
    }
    if any(id(tensor) in made_inside for tensor in model.outputs):
        return None
    crossing = list(crossing.values())
    return (
        keras.Model(model.inputs, crossing),
        keras.Model(crossing, model.outputs),
    )


def _list_operations(model, made_by, listed):
    """Appends a model's operations; `made_by` maps tensors to producers."""
    for node in _nodes(model):
        if node.is_input:
            continue
        operation = node.operation
        producers = [
            producer
            for tensor in node.input_tensors
            for producer in made_by.get(id(tensor), [])
        ]
        inner = opened(operation)
        if is_functional(inner):
            for outer, own in zip(
                node.input_tensors, inner.inputs, strict=True
            ):
                made_by[id(own)] = made_by.get(id(outer), [])
            _list_operations(inner, made_by, listed)
            ends = [made_by.get(id(tensor), []) for tensor in inner.outputs]
        else:
            listed.append((operation, producers))
            ends = [[operation]] * len(node.outputs)
        for tensor, end in zip(node.outputs, ends, strict=True):
            made_by[id(tensor)] = end


def _nodes(model):
    """The calls of operations in a Functional model, producers first."""
    by_depth = model._nodes_by_depth
    for depth in sorted(by_depth, reverse=True):
        yield from by_depth[depth]
