"""What callbacks remember, for a checkpoint."""

import copy

import keras

# What Keras' own callbacks remember from epoch to epoch.
_OF_KERAS = {
    keras.callbacks.EarlyStopping: (
        "wait",
        "best",
        "best_epoch",
        "best_weights",
        "stopped_epoch",
    ),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: ("best",),
}


def get(callbacks) -> list:
    """The state of each callback.

    A callback may have `get_state()`, which gives a dict of numbers, texts,
    None, NumPy arrays, and lists and dicts of them; and `set_state(dict)`.

    Args:
        callbacks: Keras callbacks.

    Returns:
        A pair `[name of its class, state]` for each; None is the state of one
        that has none, or none that is known.

    Example:
        >>> stops = keras.callbacks.EarlyStopping()
        >>> stops.wait = 2
        >>> get([stops])[0][1]["wait"]
        2
    """
    # A copy: it is written while they go on.
    return [
        [type(one).__name__, copy.deepcopy(_state_of(one))] for one in callbacks
    ]


def put(callbacks, states):
    """Gives callbacks the states that `get` gave, in place.

    Args:
        callbacks: Keras callbacks.
        states: From `get`. Each goes to the first callback of its class that
            has none yet; what is left over on either side is left alone.
    """
    by_class = {}
    for name, state in states:
        by_class.setdefault(name, []).append(state)
    for callback in callbacks:
        rest = by_class.get(type(callback).__name__)
        state = rest.pop(0) if rest else None
        if state is not None:
            _give(callback, state)


def _state_of(callback):
    if hasattr(callback, "get_state"):
        return callback.get_state()
    names = _remembered(callback)
    if not names:
        return None
    return {name: getattr(callback, name, None) for name in names}


def _give(callback, state):
    if hasattr(callback, "set_state"):
        callback.set_state(state)
        return
    for name in _remembered(callback):
        setattr(callback, name, state.get(name))


def _remembered(callback) -> tuple:
    for kind, names in _OF_KERAS.items():
        if isinstance(callback, kind):
            return names
    return ()
