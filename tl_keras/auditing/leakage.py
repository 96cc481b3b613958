"""What training sees of the parts that are to judge it."""

import collections
import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Leakage:
    """What several parts have in common.

    Attributes:
        duplicates: Part (`"validation"`, `"test"`) to how many of its
            examples have a copy in the training part.
        duplicate_shares: The same as a share of the part.
        groups: Group that occurs in several parts to part to its number of
            examples there, the largest first; None where no groups are known.
        in_groups: Part to how many of its examples are of a group that
            occurs in the training part; None likewise.
    """

    duplicates: dict[str, int]
    duplicate_shares: dict[str, float]
    groups: dict[str, dict[str, int]] | None
    in_groups: dict[str, int] | None


def of(collection, duplicate_groups, groups=None) -> Leakage:
    """What the parts of a `Collection` have in common.

    Args:
        collection: A `Collection`.
        duplicate_groups: `DuplicateGroup`s.
        groups: Array of `str` `[examples]`: of which person, place or scene
            each example is; None if that is not known.
    """
    splits = collection.splits
    copied = collections.Counter()
    for group in duplicate_groups:
        parts = splits[list(group.indices)]
        if "train" in parts:
            copied.update(parts[parts != "train"].tolist())
    judging = [split for split in collection.data.splits if split != "train"]
    sizes = {split: int((splits == split).sum()) for split in judging}
    shared, in_groups = None, None
    if groups is not None:
        shared = _shared(groups, splits)
        in_train = set(np.asarray(groups)[splits == "train"])
        in_groups = {
            split: sum(g in in_train for g in groups[splits == split])
            for split in judging
        }
    return Leakage(
        duplicates={split: copied[split] for split in judging},
        duplicate_shares={s: copied[s] / sizes[s] for s in judging},
        groups=shared,
        in_groups=in_groups,
    )


def _shared(groups, splits):
    counts = collections.defaultdict(collections.Counter)
    for group, split in zip(groups, splits, strict=True):
        counts[group][split] += 1
    several = {g: dict(parts) for g, parts in counts.items() if len(parts) > 1}
    return dict(
        sorted(several.items(), key=lambda one: (-sum(one[1].values()), one[0]))
    )
