"""What spoke for the model's answers, and how far that can be trusted."""

from tl_keras.reports import blocks
from tl_keras.reports import drawings
from tl_keras.reports import figures

_CHECKS = {
    "deletion_area": "Deletion area",
    "random_deletion_area": "Deletion area, at random",
    "insertion_area": "Insertion area",
    "random_insertion_area": "Insertion area, at random",
    "randomised_correlation": "Correlation with shuffled weights",
}


def of(findings) -> blocks.Section | None:
    """The section, or None where nothing was explained."""
    found = findings.part("explanations", "explanations") or []
    if not found:
        return None
    content = []
    pictures = [_picture(findings, entry) for entry in found]
    pictures = [one for one in pictures if one.address or one.text]
    if pictures:
        content.append(
            blocks.Gallery(
                caption="What spoke for the class that is named.",
                pictures=tuple(pictures),
            )
        )
    checked = [entry for entry in found if entry.get("checks")]
    if checked:
        content += [_checks(checked), _curves(checked[0])]
    neighbours = findings.part("explanations", "neighbours") or []
    content += [_neighbours(entry) for entry in neighbours]
    return blocks.Section(
        name="explanations",
        title="Explanations",
        intro="A map means something only if the probability falls faster "
        "when pixels are taken away in its order than at random (deletion), "
        "rises faster when they are put in (insertion), and if the map is "
        "another one when the weights are shuffled.",
        blocks=tuple(content),
    )


def _picture(findings, entry):
    name = entry.get("picture")
    tokens = entry.get("tokens") or []
    method = entry["method"].replace("_", " ")
    return blocks.Picture(
        address=findings.picture(name and f"explanations/{name}"),
        alt=f"{entry['input']}: what spoke for “{entry['class_name']}” by "
        f"{method}",
        text=" ".join(token for token, _ in _strongest(tokens)),
        lines=(
            ("Input", blocks.text(_short(entry["input"]))),
            ("Class", blocks.text(entry["class_name"])),
            ("Probability", blocks.decimal(entry["probability"], 3)),
            ("Method", blocks.text(method)),
        ),
    )


def _strongest(tokens):
    return sorted(tokens, key=lambda pair: -abs(pair[1]))[:12]


def _checks(entries):
    shown = [
        name
        for name in _CHECKS
        if any(entry["checks"].get(name) is not None for entry in entries)
    ]
    return blocks.Table(
        caption="How far each map can be trusted.",
        columns=(
            "Input",
            "Method",
            *[_CHECKS[name] for name in shown],
            "Passes",
        ),
        rows=tuple(
            (
                blocks.text(_short(entry["input"])),
                blocks.text(entry["method"].replace("_", " ")),
                *[blocks.score(entry["checks"].get(name)) for name in shown],
                blocks.any_value(entry["checks"].get("passes")),
            )
            for entry in entries
        ),
    )


def _curves(entry):
    checks = entry["checks"]
    return figures.drawing(
        lambda figure: drawings.deletion(figure, checks),
        caption=f"The probability of “{entry['class_name']}” while pixels "
        f"of {_short(entry['input'])} are taken away, and put in.",
        alt=f"Deletion curve with area {checks['deletion_area']:.3f}, at "
        f"random {checks['random_deletion_area']:.3f}.",
        size=(7.2, 2.8),
    )


def _neighbours(entry):
    return blocks.Table(
        caption=f"The training examples most like {_short(entry['input'])}, "
        "in the encoder’s features.",
        columns=("Id", "Class", "Similarity"),
        rows=tuple(
            (
                blocks.text(one["id"]),
                blocks.text(one["class_name"]),
                blocks.score(one["similarity"]),
            )
            for one in entry["neighbours"]
        ),
        folded=True,
    )


def _short(text: str) -> str:
    """The end of a path, the beginning of a text."""
    text = str(text)
    if len(text) <= 40:
        return text
    return f"...{text[-37:]}" if "/" in text else f"{text[:37]}..."
