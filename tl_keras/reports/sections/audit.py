"""What an audit found in the data: copies, doubtful labels, odd files."""

from tl_keras.reports import blocks

_LISTED = 20


def condensed(audit: dict) -> dict:
    """Of an `audit.json` what the report shows: counts, and the worst.

    Args:
        audit: The content of `audit.json`, which lists all that was found.

    Example:
        >>> condensed({"dataset": "pets", "counts": {}, "seconds": 2.5})
        {'dataset': 'pets', 'counts': {}, 'seconds': 2.5}
    """
    kept = ("dataset", "fingerprint", "encoder", "counts", "seconds")
    found = {name: audit[name] for name in kept if name in audit}
    for part, listed in (
        ("duplicates", "groups"),
        ("doubtful_labels", "ranking"),
    ):
        if part in audit:
            found[part] = {**audit[part], listed: audit[part][listed][:_LISTED]}
    return found


def of(findings) -> blocks.Section | None:
    """The section, or None where the data was not audited."""
    found = findings.part("audit")
    if not found:
        return None
    content = [_counts(found)]
    groups = findings.part("audit", "duplicates", "groups")
    if groups:
        content.append(_groups(groups))
    ranking = findings.part("audit", "doubtful_labels", "ranking")
    if ranking:
        content.append(_ranking(ranking))
    return blocks.Section(
        name="audit",
        title="Data audit",
        intro=_intro(findings, found),
        blocks=tuple(content),
    )


def _intro(findings, found) -> str:
    encoder = found.get("encoder")
    how = f", compared by the encoder {encoder}" if encoder else ""
    note = ""
    if found.get("fingerprint") != findings.part("data_fingerprint"):
        note = (
            " The audit looked at all of it; the run may have used a part, or "
            "split it in another way."
        )
    return f"Of the data set “{found['dataset']}”{how}.{note}"


def _counts(found):
    return blocks.Facts(
        rows=tuple(
            (name, blocks.text(said)) for name, said in found["counts"].items()
        )
    )


def _groups(groups):
    return blocks.Table(
        caption="Copies, those most alike first.",
        columns=("Ids", "Parts", "Labels", "Likeness", "Differ in label"),
        rows=tuple(
            (
                blocks.text(", ".join(map(str, group["ids"][:4]))),
                blocks.text(", ".join(dict.fromkeys(group["splits"]))),
                blocks.text(", ".join(dict.fromkeys(group["labels"]))),
                blocks.score(group["likeness"]),
                blocks.any_value(group["conflicting"]),
            )
            for group in groups
        ),
    )


def _ranking(ranking):
    return blocks.Table(
        caption="Doubtful labels, the most doubtful first.",
        columns=(
            "Id",
            "Part",
            "Label",
            "Suggested",
            "Quality of the label",
            "Neighbours that agree",
            "Likely an error",
        ),
        rows=tuple(
            (
                blocks.text(doubt["id"]),
                blocks.text(doubt["split"]),
                blocks.text(doubt["label"]),
                blocks.text(doubt["suggestion"]),
                blocks.score(doubt["quality"]),
                blocks.percent(doubt["agreement"]),
                blocks.any_value(doubt["likely_error"]),
            )
            for doubt in ranking
        ),
    )
