"""How many weights of a model are zero, and what that saves."""

import dataclasses
import math
import zlib

import keras
import numpy as np

from tl_keras import checks
from tl_keras.tuning import kernels


@dataclasses.dataclass(frozen=True)
class KernelSparsity:
    """The zeros of one kernel.

    Attributes:
        path: Keras' path of the weight.
        shape: Its shape.
        zeros: How many of its weights are zero.
    """

    path: str
    shape: tuple[int, ...]
    zeros: int

    @property
    def size(self) -> int:
        """How many weights it has."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True)
class SparsityReport:
    """The zeros of a model, and its size with and without compression.

    Attributes:
        kernels: One `KernelSparsity` a kernel, in the model's order. Kernels
            are weights of two axes or more: no biases and no scales.
        parameters: Number of all weights, biases and scales among them.
        bytes: What they take as float32.
        gzip_bytes: The same after gzip.
        dense_gzip_bytes: Likewise of the model to compare with, or None.
    """

    kernels: tuple[KernelSparsity, ...]
    parameters: int
    bytes: int
    gzip_bytes: int
    dense_gzip_bytes: int | None = None

    @property
    def sparsity(self) -> float:
        """Share of zeros in all kernels together, in [0, 1]."""
        size = sum(kernel.size for kernel in self.kernels)
        return sum(kernel.zeros for kernel in self.kernels) / max(size, 1)

    def __str__(self):
        rows = [
            ("kernel", "shape", "weights", "zeros"),
            *(
                (
                    kernel.path,
                    " x ".join(map(str, kernel.shape)),
                    f"{kernel.size:,}",
                    f"{kernel.zeros / kernel.size:.1%}",
                )
                for kernel in self.kernels
                if kernel.size
            ),
            (
                "all kernels",
                "",
                f"{sum(kernel.size for kernel in self.kernels):,}",
                f"{self.sparsity:.1%}",
            ),
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            f"{path:{widths[0]}}  {shape:{widths[1]}}  "
            f"{weights:>{widths[2]}}  {zeros:>{widths[3]}}"
            for path, shape, weights, zeros in rows
        ]
        return "\n".join([*lines, "", self._sizes()])

    def _sizes(self) -> str:
        told = (
            f"{self.parameters:,} parameters: {self.bytes:,} bytes, "
            f"{self.gzip_bytes:,} after gzip"
        )
        if self.dense_gzip_bytes is None:
            return f"{told}."
        share = self.gzip_bytes / max(self.dense_gzip_bytes, 1)
        return (
            f"{told}, {share:.0%} of the {self.dense_gzip_bytes:,} of the "
            "dense model."
        )


def sparsity(model, dense=None) -> SparsityReport:
    """Counts the zeros of a model, and what its weights take after gzip.

    Zeros save nothing where a model is kept as it is; they save room where it
    is packed: in an archive, a package or on its way over the network.

    Args:
        model: A `keras.Model`.
        dense: The model to compare with, e.g. one that trained without
            pruning, or None.

    Returns:
        A `SparsityReport`; `print` shows it as a table.

    Raises:
        TypeError: If one of them is no `keras.Model`.

    Example:
        >>> layer = keras.layers.Dense(2, name="end")
        >>> model = keras.Sequential([keras.Input((3,)), layer], name="net")
        >>> _ = layer.kernel.assign([[0.0, 1.0], [0.0, 2.0], [0.0, 3.0]])
        >>> report = sparsity(model)
        >>> report.sparsity
        0.5
        >>> print(str(report).splitlines()[1])
        net/end/kernel  3 x 2        6  50.0%
    """
    checks.instance(model, keras.Model, name="model")
    if dense is not None:
        checks.instance(dense, keras.Model, name="dense")
    return SparsityReport(
        kernels=tuple(
            KernelSparsity(
                weight.path,
                tuple(weight.shape),
                int(np.sum(weight.numpy() == 0)),
            )
            for weight in model.weights
            if kernels.is_kernel(weight)
        ),
        parameters=model.count_params(),
        bytes=4 * model.count_params(),
        gzip_bytes=_gzip_bytes(model),
        dense_gzip_bytes=None if dense is None else _gzip_bytes(dense),
    )


def _gzip_bytes(model) -> int:
    """Bytes of all weights as float32, in the model's order, after gzip."""
    # The largest windows, and gzip's header and trailer around.
    compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
    size = 0
    for weight in model.weights:
        raw = np.ascontiguousarray(weight.numpy(), "<f4").tobytes()
        size += len(compressor.compress(raw))
    return size + len(compressor.flush())
