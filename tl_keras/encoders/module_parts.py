"""The parts of a SavedModel's network, read off its graph and its names.

A module is one call, and its variables have the only names in it. They tell
which variables belong together; the graph tells in which order they are used.
"""

import collections
import graphlib
import math
import pathlib
import re

from tl_keras.encoders import naming
from tl_keras.encoders import saved_models

_NORMALISATION = {
    "gamma",
    "beta",
    "moving_mean",
    "moving_variance",
    "scale",
    "offset",
}
ONE_PART = "encoder"


def find(folder: pathlib.Path, names: list[str]) -> dict[str, list[str]]:
    """Divides the variables of a module into parts.

    Variables belong to one part if their names begin alike up to a number
    ("block_3_expand/kernel", "block_3_project/kernel"); a normalisation of
    its own name belongs to what comes before it.

    Args:
        folder: The SavedModel.
        names: Names of its variables, e.g. "block_3_expand/kernel".

    Returns:
        Part name to names of variables. Parts are in the order in which the
        module's call first uses one of their variables. One part, "encoder",
        where neither names nor graph show any structure.

    Raises:
        ValueError: If the graph is damaged.
    """
    first_use = _first_uses(saved_models.graph(folder))
    units = _units([tuple(name.split("/")) for name in names])
    parts = collections.defaultdict(list)
    for name in names:
        parts[units[tuple(name.split("/"))]].append(name)
    started = {
        unit: min(first_use.get(name, math.inf) for name in members)
        for unit, members in parts.items()
    }
    ordered = sorted(parts, key=started.__getitem__)
    joined = []
    for unit in ordered:
        follows = _is_normalisation(parts[unit]) or started[unit] == math.inf
        if joined and follows:
            joined[-1][1].extend(parts[unit])
        else:
            joined.append((unit, list(parts[unit])))
    if len(joined) < 2:
        return {ONE_PART: list(names)}
    short = _short([unit for unit, _ in joined])
    return {
        name: members for name, (_, members) in zip(short, joined, strict=True)
    }


def _is_normalisation(names) -> bool:
    return {name.rpartition("/")[2] for name in names} <= _NORMALISATION


def _units(paths) -> dict[tuple, tuple]:
    """From each variable's path to the path of the unit it belongs to."""
    units = {}
    _divide(paths, 0, len(paths), units)
    return units


def _divide(paths, depth, total, units):
    while len({path[depth] for path in paths}) == 1 and all(
        len(path) > depth + 2 for path in paths
    ):
        depth += 1
    children = collections.defaultdict(list)
    for path in paths:
        children[path[depth]].append(path)
    for child, members in children.items():
        # A folder of numbered blocks with most of the variables is no part
        # but the place where the parts are.
        if len(members) > total / 2 and _holds_a_series(members, depth + 1):
            _divide(members, depth + 1, total, units)
            continue
        for path in members:
            units[path] = (*path[:depth], naming.up_to_number(child))


def _holds_a_series(paths, depth) -> bool:
    series = collections.defaultdict(set)
    for path in paths:
        if len(path) > depth + 1:
            name = naming.up_to_number(path[depth])
            series[re.sub(r"\d+[a-z]?$", "", name)].add(name)
    return any(len(names) > 1 for names in series.values())


def _short(units) -> list[str]:
    """Names for units: the last word of each, if no two are alike."""
    last = [unit[-1] for unit in units]
    if len(set(last)) == len(last):
        return last
    return ["_".join(unit) for unit in units]


def _first_uses(content) -> dict[str, int]:
    """How deep in the module's call each variable first meets the input."""
    graph = content.meta_graphs[0]
    objects = graph.object_graph_def
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    name = _called_function(objects)
    if name not in functions:
        return {}
    function = functions[name]
    bound = objects.concrete_functions[name].bound_inputs
    given = len(function.signature.input_arg) - len(bound)
    # Of each tensor: its depth, where it depends on the input, and the
    # variables that it is made of, where it does not.
    arguments = [(0, frozenset())] * given
    for number in bound:
        variable = objects.nodes[number].variable.name
        arguments.append((None, frozenset([variable] if variable else [])))
    first_use = {}
    try:
        _walk(function, arguments, functions, first_use)
    except graphlib.CycleError:
        return {}  # Loops as TensorFlow 1 wrote them.
    return first_use


def _called_function(objects) -> str | None:
    """The name of a function behind the `__call__` of the loaded object."""
    for child in objects.nodes[0].children if objects.nodes else ():
        if child.local_name == "__call__":
            names = objects.nodes[child.node_id].function.concrete_functions
            return names[0] if names else None
    return None


def _walk(function, arguments, functions, first_use) -> list:
    """Notes the uses of variables in a function; gives its outputs' states."""
    nodes = {node.name: node for node in function.node_def}
    states = {
        argument.name: [state]
        for argument, state in zip(
            function.signature.input_arg, arguments, strict=True
        )
    }
    readers = {
        name: {
            reference.split(":")[0]
            for reference in node.input
            if not reference.startswith("^")
        }
        for name, node in nodes.items()
    }
    for name in graphlib.TopologicalSorter(readers).static_order():
        if name not in nodes:
            continue
        node = nodes[name]
        read = [
            _state(states, reference)
            for reference in node.input
            if not reference.startswith("^")
        ]
        called = functions.get(node.attr["f"].func.name)
        if called is not None and len(called.signature.input_arg) == len(read):
            states[name] = _walk(called, read, functions, first_use)
        else:
            states[name] = [_used(read, first_use)]
    return [
        _state(states, function.ret[output.name])
        for output in function.signature.output_arg
    ]


def _state(states, reference):
    """The state of "NODE:OUTPUT:INDEX", or of an argument's name."""
    name, *output = reference.split(":")
    known = states[name]
    position = int(output[-1]) if output else 0
    return known[position if position < len(known) else 0]


def _used(read, first_use):
    """The state of what an operation makes of the tensors it reads."""
    depths = [depth for depth, _ in read if depth is not None]
    variables = frozenset().union(*(variables for _, variables in read))
    if not depths:
        return None, variables
    depth = max(depths) + 1
    for variable in variables:
        first_use[variable] = min(first_use.get(variable, depth), depth)
    return depth, frozenset()
