"""How the results of a model's frozen beginning are kept: the settings."""

import dataclasses
import pathlib

from tl_keras import caches
from tl_keras import checks

MODES = ("auto", "never", "always")
DTYPES = ("float16", "bfloat16")
FOLDER = "features"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrefixCache:
    """How the results of a model's frozen beginning are kept.

    Attributes:
        mode: `"auto"` keeps them where a short measurement says that it
            pays; `"always"` wherever it is possible, and is an error where
            it is not; `"never"` computes them anew at each step.
        folder: Where they are kept for later runs; None for `features` under
            the folder that `TL_KERAS_CACHE` names, else under
            `~/.cache/tl_keras`.
        dtype: None keeps float32 results as they are; `"float16"` or
            `"bfloat16"` rounds them to half the size, and the difference is
            printed.
        memory_gb: Results up to this size (GB, 2**30 bytes) are read into
            memory, larger ones are mapped from the disk; None is a quarter
            of the memory that is available.
        disk_gb: Most that all results in the folder may take, in GB: those
            that were not used for longest are removed for new ones.

    Raises:
        TypeError, ValueError: If a field is none of these.

    Example:
        >>> PrefixCache(mode="never").disk_gb
        50.0
    """

    mode: str = "auto"
    folder: str | None = None
    dtype: str | None = None
    memory_gb: float | None = None
    disk_gb: float = 50.0

    def __post_init__(self):
        checks.one_of(self.mode, MODES, name="prefix_cache.mode")
        if self.dtype is not None:
            checks.one_of(self.dtype, DTYPES, name="prefix_cache.dtype")
        if self.memory_gb is not None:
            checks.in_range(
                self.memory_gb, name="prefix_cache.memory_gb", low=0.0
            )
        checks.in_range(self.disk_gb, name="prefix_cache.disk_gb", low=0.0)

    @property
    def path(self) -> pathlib.Path:
        """The folder with all stores."""
        if self.folder is None:
            return caches.folder(FOLDER)
        return pathlib.Path(self.folder).expanduser()
