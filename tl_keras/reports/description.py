"""What data hold, in numbers."""

import numpy as np


def of(data) -> dict:
    """Counts by split and class, and what the inputs are.

    Args:
        data: A `tl_keras.data.Data`.

    Returns:
        A dict of `kind` (`"image"`, `"text"` or `"audio"`), `input` (in
        words), `batch_size`, `splits` (name to number of examples, of those
        that exist) and `classes`: a dict for each with `name`, and the number
        of its examples in each split.

    Example:
        >>> import tl_keras
        >>> found = of(tl_keras.data.load("digits"))
        >>> found["splits"]["test"], found["classes"][0]["name"]
        (359, '0')
    """
    splits = {name: count for name, count in data.num_examples.items() if count}
    counts = {
        split: np.bincount(data.labels(split), minlength=data.num_classes)
        for split in splits
    }
    return {
        "kind": data.input_spec.kind,
        "input": str(data.input_spec),
        "batch_size": data.batch_size,
        "splits": splits,
        "classes": [
            {
                "name": name,
                **{split: int(counts[split][index]) for split in splits},
            }
            for index, name in enumerate(data.class_names)
        ],
    }
