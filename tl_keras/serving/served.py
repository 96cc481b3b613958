"""What a server tells of a model: its signatures and its versions."""

import dataclasses

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """A tensor that a signature takes or gives.

    Attributes:
        dtype: TensorFlow's name of its dtype, e.g. `"uint8"`, `"string"`.
        shape: Its sizes, None where one is free; None if the number of
            dimensions is unknown.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def numpy_dtype(self):
        """The dtype of such an array: `object` for strings."""
        return tf.dtypes.as_dtype(self.dtype).as_numpy_dtype


@dataclasses.dataclass(frozen=True)
class Signature:
    """A function that a server offers.

    Attributes:
        inputs: Name of each tensor that it takes, to its spec.
        outputs: Name of each tensor that it gives, to its spec.
    """

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


@dataclasses.dataclass(frozen=True)
class VersionState:
    """How far a version of a model is.

    Attributes:
        state: `"START"`, `"LOADING"`, `"AVAILABLE"`, `"UNLOADING"` or
            `"END"`.
        error: Why it could not be loaded; empty if nothing went wrong.
    """

    state: str
    error: str = ""


def signatures_from(signature_defs) -> dict[str, Signature]:
    """The signatures behind a map of `SignatureDef` messages.

    Args:
        signature_defs: Mapping of signature name to `SignatureDef`.

    Returns:
        Signature name to signature, by name; without those by which
        TensorFlow itself restores a model.
    """
    return {
        name: Signature(
            _specs_from(signature_defs[name].inputs),
            _specs_from(signature_defs[name].outputs),
        )
        for name in sorted(signature_defs)
        if not name.startswith("__saved_model_")
    }


def versions_from(status) -> dict[int, VersionState]:
    """The versions in a `GetModelStatusResponse`, by number."""
    by_number = {one.version: one for one in status.model_version_status}
    return {
        number: VersionState(
            type(one).State.Name(one.state), one.status.error_message
        )
        for number, one in sorted(by_number.items())
    }


def _specs_from(tensor_infos) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(
            tf.dtypes.as_dtype(tensor_infos[name].dtype).name,
            _shape_from(tensor_infos[name].tensor_shape),
        )
        for name in sorted(tensor_infos)
    }


def _shape_from(shape):
    if shape.unknown_rank:
        return None
    return tuple(one.size if one.size >= 0 else None for one in shape.dim)
