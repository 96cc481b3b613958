"""What an audit found, as values, as a table, and as `audit.json`."""

import collections
import dataclasses
import json
import pathlib

from tl_keras import whole_files
from tl_keras.auditing import balance as balances
from tl_keras.auditing import collection as collections_
from tl_keras.auditing import doubtful_labels as doubts
from tl_keras.auditing import duplicates
from tl_keras.auditing import files as files_
from tl_keras.auditing import leakage as leakages

# Raised where a key of `audit.json` goes or means something else.
VERSION = 1
# Of the labels that are no likely errors, the most doubtful ones are listed.
_LISTED = 1000


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Audit:
    """What `tl_keras.audit` found; `print` shows the counts.

    Attributes:
        collection: The examples that could be read, all parts in one row;
            indices below are of it.
        encoder: Name of the encoder whose features were compared, or None.
        files: `FileFindings`.
        balance: `Balance` of classes and parts.
        duplicates: `DuplicateGroup`s, those that are most alike first.
        least_likeness: How alike near duplicates are at least, in (0, 1].
        leakage: `Leakage` between parts.
        doubtful_labels: `DoubtfulLabel`s, the most doubtful first; empty if
            labels were not judged.
        not_done: What was not looked for, and why.
        excluded: Id to why it should be left out, see `exclude_list.of`.
        seconds: How long it took.
    """

    collection: collections_.Collection
    encoder: str | None
    files: files_.FileFindings
    balance: balances.Balance
    duplicates: tuple[duplicates.DuplicateGroup, ...]
    least_likeness: float
    leakage: leakages.Leakage
    doubtful_labels: tuple[doubts.DoubtfulLabel, ...]
    not_done: dict[str, str]
    excluded: dict[str, str]
    seconds: float

    @property
    def likely_errors(self) -> tuple[doubts.DoubtfulLabel, ...]:
        """The doubtful labels that are likely to be wrong."""
        return tuple(d for d in self.doubtful_labels if d.likely_error)

    def conflicts(self, group) -> bool:
        """Whether the examples of a `DuplicateGroup` differ in their label."""
        return len(set(self.collection.labels[list(group.indices)])) > 1

    def as_dict(self) -> dict:
        """The content of `audit.json`: dicts, lists, texts and numbers.

        Its keys:

        - `version`: 1;
        - `dataset`, `kind`, `fingerprint`, `class_names`, `encoder`;
        - `examples`: part to number of examples that could be read;
        - `counts`: what was looked for to what was found, in words;
        - `files`: the fields of `FileFindings`;
        - `balance`: the fields of `Balance`;
        - `duplicates`: `exact_groups`, `near_groups`, `conflicting_groups`,
          `examples` (that have a copy), `least_likeness` (of near
          duplicates), and `groups`, each with `ids`,
          `splits`, `labels` (names), `exact`, `likeness`, `conflicting`;
        - `leakage`: the fields of `Leakage`;
        - `doubtful_labels`: `judged`, `likely_errors` (counts), and `ranking`,
          each with `id`, `split`, `label`, `suggestion` (names), `quality`,
          `probability`, `agreement`, `likely_error`: all likely errors, and
          the 1,000 most doubtful;
        - `excluded`: id to reason, what is in `exclude.txt`;
        - `not_done`: what was not looked for to why;
        - `seconds`.
        """
        data = self.collection.data
        return {
            "version": VERSION,
            "dataset": data.name,
            "kind": self.collection.kind,
            "fingerprint": data.fingerprint,
            "class_names": list(data.class_names),
            "encoder": self.encoder,
            "examples": {s: len(part) for s, part in data.splits.items()},
            "counts": counts(self),
            "files": dataclasses.asdict(self.files),
            "balance": dataclasses.asdict(self.balance),
            "duplicates": self._duplicates(),
            "leakage": dataclasses.asdict(self.leakage),
            "doubtful_labels": self._doubtful_labels(),
            "excluded": self.excluded,
            "not_done": self.not_done,
            "seconds": round(self.seconds, 1),
        }

    def _duplicates(self) -> dict:
        kinds = collections.Counter(group.exact for group in self.duplicates)
        return {
            "exact_groups": kinds[True],
            "near_groups": kinds[False],
            "conflicting_groups": sum(map(self.conflicts, self.duplicates)),
            "examples": sum(len(group.indices) for group in self.duplicates),
            "least_likeness": round(self.least_likeness, 4),
            "groups": [
                {
                    "ids": self.collection.ids[list(group.indices)].tolist(),
                    "splits": self.collection.splits[
                        list(group.indices)
                    ].tolist(),
                    "labels": [self.label_of(i) for i in group.indices],
                    "exact": group.exact,
                    "likeness": group.likeness,
                    "conflicting": self.conflicts(group),
                }
                for group in self.duplicates
            ],
        }

    def _doubtful_labels(self) -> dict:
        listed = [
            doubt
            for place, doubt in enumerate(self.doubtful_labels)
            if doubt.likely_error or place < _LISTED
        ]
        names = self.collection.data.class_names
        return {
            "judged": len(self.doubtful_labels),
            "likely_errors": len(self.likely_errors),
            "ranking": [
                {
                    "id": self.collection.ids[doubt.index],
                    "split": self.collection.splits[doubt.index],
                    "label": self.label_of(doubt.index),
                    "suggestion": names[doubt.suggestion],
                    "quality": doubt.quality,
                    "probability": doubt.probability,
                    "agreement": doubt.agreement,
                    "likely_error": doubt.likely_error,
                }
                for doubt in listed
            ],
        }

    def label_of(self, index: int) -> str:
        """The class name of an example."""
        return self.collection.data.class_names[self.collection.labels[index]]

    def __str__(self):
        return "\n".join(f"{k}: {v}" for k, v in counts(self).items())


def counts(audit: Audit) -> dict[str, str]:
    """What was found in a few words, by what was looked for."""
    data, balance = audit.collection.data, audit.balance
    parts = ", ".join(f"{len(p):,} {s}" for s, p in data.splits.items())
    exact = sum(group.exact for group in audit.duplicates)
    copied = sum(len(group.indices) for group in audit.duplicates)
    conflicting = sum(map(audit.conflicts, audit.duplicates))
    lines = {
        "Examples": f"{parts}, {data.num_classes} classes",
        "Balance": (
            f"largest class {balance.largest_to_smallest:.1f} times the "
            f"smallest, evenness {balance.evenness:.3f}"
            + _missing(balance.missing)
        ),
        "Files": _files(audit.files),
        "Duplicates": (
            f"{exact:,} exact and {len(audit.duplicates) - exact:,} near "
            f"groups of {copied:,} examples, {conflicting:,} with different "
            "labels"
        ),
        "Leakage": _leakage(audit.leakage),
        "Doubtful labels": (
            f"{len(audit.likely_errors):,} likely errors among "
            f"{len(audit.doubtful_labels):,}"
        ),
        "To exclude": f"{len(audit.excluded):,} ids",
    }
    for what, why in audit.not_done.items():
        lines[what] = f"not done: {why}"
    return lines


def write(audit: Audit, path) -> pathlib.Path:
    """Writes `audit.json`; a file of that name is replaced.

    Args:
        audit: An `Audit`.
        path: File name, in a folder that exists.
    """
    text = json.dumps(audit.as_dict(), indent=1, ensure_ascii=False)
    with whole_files.replacing(path) as beside:
        beside.write_text(text + "\n", encoding="utf-8")
    return pathlib.Path(path)


def _missing(missing) -> str:
    return "".join(
        f"; {split} has no {', '.join(names)}"
        for split, names in missing.items()
    )


def _files(files) -> str:
    said = [f"{len(files.refused):,} to remove"] if files.refused else []
    if files.checked:
        said += [
            f"{len(files.unreadable):,} of {files.checked:,} unreadable",
            f"{len(files.odd):,} odd",
        ]
    return ", ".join(said) or "none to open"


def _leakage(leakage) -> str:
    said = [
        f"{count:,} of {split} ({leakage.duplicate_shares[split]:.2%}) have a "
        "copy in train"
        for split, count in leakage.duplicates.items()
    ]
    if leakage.groups is not None:
        said.append(f"{len(leakage.groups):,} groups in several parts")
        said += [
            f"{count:,} of {split} are of groups in train"
            for split, count in leakage.in_groups.items()
        ]
    return ", ".join(said) or "there is one part only"
