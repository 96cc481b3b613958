"""How much memory is available, without a package for it."""

import os
import pathlib

_MEMINFO = pathlib.Path("/proc/meminfo")
_LIMIT = pathlib.Path("/sys/fs/cgroup/memory.max")
_USED = pathlib.Path("/sys/fs/cgroup/memory.current")
_UNKNOWN = 4 * 2**30
_SHARE = 0.25


def available_bytes() -> int:
    """Main memory that a program may still use, in bytes.

    What the system calls available, or what the container's limit leaves if
    that is less. Where neither can be read, half of the memory there is, and
    4 GB where that is unknown too.

    Example:
        >>> from tl_keras.data import memory
        >>> memory.available_bytes() > 0
        True
    """
    available = _from_meminfo() or _half_of_all() or _UNKNOWN
    limit = _left_in_container()
    return available if limit is None else min(available, limit)


def should_keep(num_bytes: int, cache) -> bool:
    """Whether to keep inputs decoded in memory.

    Args:
        num_bytes: What they take.
        cache: True or False, or "auto": if they take at most a quarter of
            what is available.

    Example:
        >>> from tl_keras.data import memory
        >>> memory.should_keep(2**60, "auto"), memory.should_keep(2**60, True)
        (False, True)
    """
    if cache != "auto":
        return cache
    return num_bytes <= _SHARE * available_bytes()


def _from_meminfo():
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None


def _half_of_all():
    try:
        pages = os.sysconf("SC_PHYS_PAGES")
        return pages * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, OSError, ValueError):
        return None


def _left_in_container():
    try:
        limit, used = _LIMIT.read_text().strip(), _USED.read_text().strip()
        return None if limit == "max" else max(0, int(limit) - int(used))
    except (OSError, ValueError):
        return None
