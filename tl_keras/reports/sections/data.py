"""Which examples: splits, classes, fingerprint, and a few to look at."""

from tl_keras.reports import blocks

_SPLITS = ("train", "validation", "test")


def of(findings) -> blocks.Section | None:
    """The section, or None where nothing is known of the data."""
    data = findings.part("data")
    if not data:
        return None
    content = [_facts(findings, data), _balance(data)]
    samples = _samples(findings)
    if samples:
        content.append(samples)
    return blocks.Section(name="data", title="Data", blocks=tuple(content))


def _facts(findings, data):
    rows = [("Inputs", blocks.text(data["input"]))]
    rows += [
        (f"Examples, {split}", blocks.count(data["splits"][split]))
        for split in _SPLITS
        if split in data["splits"]
    ]
    for split, count in (findings.part("excluded_examples") or {}).items():
        rows.append((f"Left out of {split} by name", blocks.count(count)))
    rows.append(("Examples a batch", blocks.count(data["batch_size"])))
    rows.append(
        ("Fingerprint", blocks.text(findings.entries["data_fingerprint"]))
    )
    return blocks.Facts(rows=tuple(rows))


def _balance(data):
    splits = [split for split in _SPLITS if split in data["splits"]]
    largest = {
        split: max(row[split] for row in data["classes"]) or 1
        for split in splits
    }
    return blocks.Table(
        caption="Class balance: examples by class and split.",
        columns=("Class", *[split.capitalize() for split in splits]),
        rows=tuple(
            (
                blocks.text(row["name"]),
                *[
                    blocks.count(row[split], share=row[split] / largest[split])
                    for split in splits
                ],
            )
            for row in data["classes"]
        ),
        folded=len(data["classes"]) > 12,
    )


def _samples(findings):
    found = findings.part("examples", "samples") or []
    pictures = [
        blocks.Picture(
            address=findings.picture(entry.get("picture")),
            alt=f"A training example of “{entry['label']}”",
            text=entry.get("text") or "",
            lines=(("", blocks.text(entry["label"])),),
        )
        for entry in found
    ]
    pictures = [one for one in pictures if one.address or one.text]
    if not pictures:
        return None
    return blocks.Gallery(
        caption="A training example of each of the first classes.",
        pictures=tuple(pictures),
    )
