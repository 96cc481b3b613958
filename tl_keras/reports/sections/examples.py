"""Examples of the test part that are worth a look."""

from tl_keras.reports import blocks

_CAPTIONS = {
    "top_losses": "The highest losses: wrong labels, odd examples, and what "
    "the model has not learned.",
    "confident_errors": "The errors of which the model was surest.",
}


def of(findings) -> blocks.Section | None:
    """The section, or None where no examples were kept."""
    galleries = []
    for name, caption in _CAPTIONS.items():
        pictures = [
            _picture(findings, entry)
            for entry in findings.part("examples", name) or []
        ]
        if pictures:
            galleries.append(
                blocks.Gallery(caption=caption, pictures=tuple(pictures))
            )
    if not galleries:
        return None
    return blocks.Section(
        name="examples",
        title="Examples to look at",
        intro=_intro(findings),
        blocks=tuple(galleries),
    )


def _intro(findings) -> str:
    method = findings.part("examples", "method")
    if not method:
        return ""
    return (
        f"Second pictures show, by {method}, what spoke for the predicted "
        "class: the warmer, the more. Such a map is a hint, and no proof; "
        "“tl-keras explain” tests it."
    )


def _picture(findings, entry):
    return blocks.Picture(
        address=findings.picture(entry.get("picture")),
        overlay=findings.picture(entry.get("overlay")),
        alt=f"Example {entry['id']}: labelled “{entry['label']}”, taken for "
        f"“{entry['predicted']}”",
        text=entry.get("text") or "",
        lines=(
            ("Label", blocks.text(entry["label"])),
            ("Predicted", blocks.text(entry["predicted"])),
            ("Probability", blocks.decimal(entry["probability"], 3)),
            ("Loss", blocks.decimal(entry["loss"], 2)),
            ("Id", blocks.text(entry["id"])),
        ),
    )
