"""A SavedModel loaded: what to call, with what, and what of it can train.

The conventions are those of reusable SavedModels: a `__call__` that may take
`training`, `trainable_variables`, `variables` and `regularization_losses`.
A module without them is called by a signature, and cannot train.

Reference:
    https://www.tensorflow.org/hub/reusable_saved_models
"""

import dataclasses
import importlib.util
import inspect
import pathlib
import re

import keras
import tensorflow as tf

from tl_keras import checks
from tl_keras.encoders import saved_models


@dataclasses.dataclass(frozen=True, eq=False)
class Module:
    """A loaded SavedModel.

    Attributes:
        loaded: What `tf.saved_model.load` gave.
        function: Called as `function(inputs, **arguments)`.
        input_forms: What the function takes: a list of structures of
            `tf.TensorSpec`, of which an input has to fit one.
        output_form: What it returns, likewise.
        training_modes: The values of `training` that it can be called with;
            empty if it takes none.
        variables: Its distinct variables, the trainable ones first.
        num_trainable: How many of these are trainable.
        frozen_because: Why it cannot train, or None if it can.
    """

    loaded: object
    function: object
    input_forms: list
    output_form: object
    training_modes: frozenset[bool]
    variables: tuple
    num_trainable: int
    frozen_because: str | None

    @property
    def penalties(self) -> list:
        """Functions without arguments, each a loss that it trains with."""
        return list(getattr(self.loaded, "regularization_losses", None) or ())


def load(
    folder: pathlib.Path,
    *,
    signature: str | None = None,
    tags: list[str] | None = None,
) -> Module:
    """Loads a SavedModel in the current strategy's scope.

    Args:
        folder: Its folder.
        signature: Name of the signature to call; None for `__call__`, or for
            the only or the usual signature where there is no `__call__`.
        tags: Which graph to load of a SavedModel with several.

    Raises:
        ImportError: If it holds operations of a package that is missing.
        ValueError: If it cannot be loaded, or has no such signature.
    """
    is_hub_v1 = (folder / saved_models.HUB_V1_FILE).is_file()
    if is_hub_v1 and tags is None:
        tags = []
    loaded = _loaded(folder, tags)
    called = None
    if signature is None and not is_hub_v1 and callable(loaded):
        called = _by_call(loaded)
    variables, trainable = _variables(loaded)
    if called is not None:
        function, forms, output_form, modes = called
        reason = None if trainable else "it lists no trainable variables"
    else:
        name = _signature_name(folder, loaded, signature)
        function, form = _by_signature(loaded.signatures[name])
        forms, output_form = [form], loaded.signatures[name].structured_outputs
        modes = frozenset()
        reason = f"it is called by its signature {name!r}, which cannot train"
        if is_hub_v1 or hasattr(loaded, "graph"):
            reason = "it is of the format of TensorFlow 1"
    if reason:
        trainable = ()
    rest = [v for v in variables if id(v) not in {id(t) for t in trainable}]
    return Module(
        loaded=loaded,
        function=function,
        input_forms=forms,
        output_form=output_form,
        training_modes=modes,
        variables=(*trainable, *rest),
        num_trainable=len(trainable),
        frozen_because=reason,
    )


def _loaded(folder, tags):
    # Loaded while a function is traced, its variables would be lost with it.
    with tf.init_scope():
        try:
            return tf.saved_model.load(str(folder), tags=tags)
        except Exception as error:
            missing = re.search(r"Op type not registered '(\w+)'", str(error))
            if not missing:
                raise ValueError(
                    f"The SavedModel in {str(folder)!r} cannot be loaded: "
                    f"{error} It may be damaged, or have several graphs (pass "
                    "`tags`)."
                ) from error
            _import_text_operations(folder, missing[1], error)
        try:
            return tf.saved_model.load(str(folder), tags=tags)
        except Exception as error:
            raise ValueError(
                f"The SavedModel in {str(folder)!r} cannot be loaded: {error} "
                "Operations of other packages are known once their package "
                "is imported."
            ) from error


def _import_text_operations(folder, operation, error):
    if importlib.util.find_spec("tensorflow_text") is None:
        raise ImportError(
            f"The SavedModel in {str(folder)!r} holds the operation "
            f"{operation!r}, which is none of TensorFlow's own. If it is one "
            "of TensorFlow Text, run `pip install tensorflow-text`."
        ) from error
    # Importing it is what registers its operations.
    importlib.import_module("tensorflow_text")


def _variables(loaded) -> tuple[list, list]:
    """All distinct variables, and the trainable ones."""
    listed = getattr(loaded, "variables", None)
    if listed is None:
        listed = [
            one
            for one in tf.train.TrackableView(loaded).descendants()
            if isinstance(one, tf.Variable)
        ]
    trainable = getattr(loaded, "trainable_variables", None) or ()
    return _distinct([*trainable, *listed]), _distinct(trainable)


def _distinct(variables) -> list:
    return list({id(v): v for v in variables if _is_number(v)}.values())


def _is_number(variable) -> bool:
    return variable.dtype.is_floating or variable.dtype.is_integer


def _by_call(loaded):
    """The `__call__` of a module: function, forms, training modes."""
    function = loaded.__call__
    names = list(inspect.signature(function).parameters)
    forms, modes = [], set()
    for concrete in function.concrete_functions:
        positional, named = concrete.structured_input_signature
        given = dict(zip(names, positional, strict=False)) | named
        form = given[names[0]] if names else None
        if not _is_of_tensors(form):
            continue
        forms.append(form)
        outputs = concrete.structured_outputs
        mode = given.get("training")
        if isinstance(mode, tf.TensorSpec):
            modes |= {True, False}
        elif mode is not None:
            modes.add(mode)
    if not forms:
        return None  # Not traced, so that nothing of it was saved.
    if modes == {True}:
        raise ValueError(
            "The module was saved with `training=True` alone, so that it "
            "cannot predict. Save it again after a call with "
            "`training=False`, or choose a `signature`."
        )
    return (
        function,
        _unique(forms),
        outputs,
        frozenset(modes),
    )


def _is_of_tensors(form) -> bool:
    leaves = keras.tree.flatten(form)
    return bool(leaves) and all(isinstance(x, tf.TensorSpec) for x in leaves)


def _by_signature(signature):
    """A signature as a function of one structure, and its input form."""
    _, named = signature.structured_input_signature
    if len(named) == 1:
        [name] = named

        def of_tensor(inputs, **arguments):
            return signature(**{name: inputs}, **arguments)

        return of_tensor, named[name]

    def of_dict(inputs, **arguments):
        return signature(**inputs, **arguments)

    return of_dict, dict(named)


def _signature_name(folder, loaded, wanted) -> str:
    names = list(getattr(loaded, "signatures", ()))
    if wanted is not None:
        return checks.one_of(wanted, names, name="signature")
    for usual in ("default", "serving_default"):
        if usual in names:
            return usual
    if len(names) == 1:
        return names[0]
    raise ValueError(
        f"The SavedModel in {str(folder)!r} cannot be called. Got: no "
        f"`__call__` of a tensor, and the signatures {names}. Expected a "
        "`__call__`, or choose one by `signature`."
    )


def _unique(forms) -> list:
    return list({str(form): form for form in forms}.values())


def describe(form) -> str:
    """What an input form or a tensor is, for an error message.

    Example:
        >>> describe(tf.TensorSpec([None, 3], tf.float32))
        'float32 (None, 3)'
    """
    if isinstance(form, dict):
        inner = ", ".join(f"{k}: {describe(form[k])}" for k in sorted(form))
        return "{" + inner + "}"
    if isinstance(form, (list, tuple)):
        return "[" + ", ".join(map(describe, form)) + "]"
    dtype = getattr(form.dtype, "name", form.dtype)
    rank = getattr(form.shape, "rank", len(form.shape))
    return f"{dtype} {'of any shape' if rank is None else tuple(form.shape)}"


def fits(inputs, form) -> bool:
    """Whether tensors are of the structure and the shapes of a form."""
    try:
        keras.tree.assert_same_structure(inputs, form)
    except (ValueError, TypeError):
        return False
    return all(
        tf.TensorShape(tuple(given.shape)).is_compatible_with(spec.shape)
        and (given.dtype == spec.dtype or "string" not in _names(given, spec))
        for given, spec in zip(
            keras.tree.flatten(inputs), keras.tree.flatten(form), strict=True
        )
    )


def _names(*tensors) -> list[str]:
    return [getattr(t.dtype, "name", t.dtype) for t in tensors]
