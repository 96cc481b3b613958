"""What an audit found in the data: duplicates, doubtful labels, odd files."""

from tl_keras.reports import blocks


def of(findings) -> blocks.Section | None:
    """The section, or None where the data was not audited."""
    found = findings.part("audit")
    if not found:
        return None
    return blocks.Section(
        name="audit",
        title="Data audit",
        blocks=(_counts(found),),
    )


def _counts(found):
    return blocks.Facts(
        rows=tuple(
            (name.replace("_", " ").capitalize(), blocks.any_value(value))
            for name, value in found.items()
            if isinstance(value, (int, float))
        )
    )
