"""What a run costs: seconds by part, memory, devices."""

import contextlib
import platform
import resource
import sys
import time


class Costs:
    """Collects what a run costs while it goes on.

    Example:
        >>> costs = Costs()
        >>> with costs.part("training"):
        ...     pass
        >>> list(costs.as_dict()["seconds"])
        ['training', 'total']
    """

    def __init__(self):
        self._began = time.perf_counter()
        self._seconds = {}

    @contextlib.contextmanager
    def part(self, name: str):
        """Counts what happens inside of it to a part of the run."""
        began = time.perf_counter()
        try:
            yield
        finally:
            passed = time.perf_counter() - began
            self._seconds[name] = self._seconds.get(name, 0.0) + passed

    def as_dict(self) -> dict:
        """`seconds` by part, `peak_memory_bytes` and `devices`, up to now.

        `total` is all time that passed; the memory is the largest that the
        process ever had, and, in `peak_device_memory_bytes`, that TensorFlow
        had on each GPU.
        """
        import tensorflow as tf

        gpus = tf.config.list_logical_devices("GPU")
        return {
            "seconds": {
                **{name: round(s, 3) for name, s in self._seconds.items()},
                "total": round(time.perf_counter() - self._began, 3),
            },
            "peak_memory_bytes": peak_memory_bytes(),
            "peak_device_memory_bytes": {
                gpu.name: tf.config.experimental.get_memory_info(gpu.name)[
                    "peak"
                ]
                for gpu in gpus
            },
            "devices": [_name(device) for device in _devices(tf)],
        }


def frozen_passes(phases, splits: dict[str, int]) -> dict[str, int]:
    """How often an example went through frozen layers, and would have.

    Of the phases that used the prefix cache.

    Args:
        phases: The `phases` of `Results`.
        splits: Number of examples by split; training and validation count.

    Returns:
        `made`, with the cache, and `without_cache`: every example of every
        epoch.

    Example:
        >>> cache = {"used": True, "computed": 100}
        >>> frozen_passes(
        ...     [{"epochs": 5, "prefix_cache": cache}],
        ...     {"train": 90, "validation": 10, "test": 50},
        ... )
        {'made': 100, 'without_cache': 500}
    """
    used = [p for p in phases if (p.get("prefix_cache") or {}).get("used")]
    each_epoch = splits.get("train", 0) + splits.get("validation", 0)
    return {
        "made": sum(phase["prefix_cache"]["computed"] for phase in used),
        "without_cache": sum(phase["epochs"] * each_epoch for phase in used),
    }


def peak_memory_bytes() -> int:
    """The most main memory that this process has had.

    Example:
        >>> peak_memory_bytes() > 2**20
        True
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In KiB, but on macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def _devices(tf):
    return tf.config.list_physical_devices("GPU") or (
        tf.config.list_physical_devices("CPU")
    )


def _name(device) -> str:
    import tensorflow as tf

    details = tf.config.experimental.get_device_details(device)
    named = details.get("device_name") or platform.machine()
    return f"{device.device_type}: {named}"
