"""Which examples to leave out, and the file that says so."""

import collections
import pathlib

from tl_keras.data import exclusion

_HEAD = """\
# Examples to leave out: tl-keras finetune --exclude=FILE
# A line is an id; lines that begin with a number sign are for people.
"""


def of(collection, files, groups) -> dict[str, str]:
    """Ids of what training is better off without, with the reason.

    Files that cannot be read. Of copies, those in the training part where a
    part that judges has one too, and those in the validation part where the
    test part has; else all but the first. Training copies whose labels differ
    all go, since at most one is right. The test part stays as it is. Labels
    that are only doubtful are no reason.

    Args:
        collection: A `Collection`.
        files: `FileFindings`.
        groups: `DuplicateGroup`s.

    Returns:
        Dict of id to reason. An id that several examples have is left out of
        it, since all of them would go; and one that fits on no line.
    """
    reasons = dict.fromkeys(filter(_fits, files.unreadable), "unreadable")
    times = collections.Counter(collection.ids.tolist())
    for group in groups:
        for index, reason in _of_group(collection, group):
            id_ = collection.ids[index]
            if times[id_] == 1 and _fits(id_):
                reasons.setdefault(id_, reason)
    return reasons


def write(audit, path) -> pathlib.Path:
    """Writes `exclude.txt`: ids to leave out, by reason.

    Likely label errors are listed too, behind number signs: to leave one out,
    remove the sign.

    Args:
        audit: An `Audit`.
        path: File name, in a folder that exists.
    """
    lines = [_HEAD]
    by_reason = collections.defaultdict(list)
    for id_, reason in audit.excluded.items():
        by_reason[reason].append(id_)
    for reason, ids in by_reason.items():
        lines.append(f"{exclusion.COMMENT}{reason} ({len(ids)})")
        lines += [*ids, ""]
    doubtful = [
        id_
        for doubt in audit.likely_errors
        if (id_ := audit.collection.ids[doubt.index]) not in audit.excluded
    ]
    lines.append(
        f"{exclusion.COMMENT}likely label errors, not left out "
        f"({len(doubtful)}), the most doubtful first"
    )
    lines += [exclusion.COMMENT + id_ for id_ in filter(_fits, doubtful)]
    path = pathlib.Path(path)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _of_group(collection, group):
    """Which examples of a group to leave out, with the reason."""
    by_part = {
        split: [i for i in group.indices if collection.splits[i] == split]
        for split in ("train", "validation", "test")
    }
    train, validation = by_part["train"], by_part["validation"]
    if by_part["test"]:
        for index in (*train, *validation):
            yield index, "copy of a test example"
        return
    if validation:
        for index in train:
            yield index, "copy of a validation example"
        for index in validation[1:]:
            yield index, "copy of another example"
        return
    if len(set(collection.labels[train])) > 1:
        for index in train:
            yield index, "copies with different labels"
        return
    for index in train[1:]:
        yield index, "copy of another example"


def _fits(id_) -> bool:
    """Whether a line of the file can hold an id."""
    return id_.splitlines() == [id_] and not id_.startswith(exclusion.COMMENT)
