"""What the model was made of: versions, data, where the weights came from."""

from tl_keras.reports import blocks


def of(findings) -> blocks.Section | None:
    """The section; there always is one."""
    content = []
    origin = findings.part("origin")
    if origin:
        content.append(_origin(origin))
    content.append(_versions(findings))
    return blocks.Section(
        name="provenance", title="Provenance", blocks=tuple(content)
    )


def _origin(origin):
    rows = [
        ("Encoder", blocks.text(origin["name"])),
        ("Its weights", blocks.text(origin["source"])),
        ("Their licence", blocks.text(origin["licence"])),
    ]
    if origin.get("sha256"):
        rows.append(("SHA-256 of their file", blocks.text(origin["sha256"])))
    return blocks.Facts(rows=tuple(rows))


def _versions(findings):
    rows = [
        (f"Version of {name}", blocks.text(version))
        for name, version in findings.part("versions").items()
    ]
    fingerprint = blocks.text(findings.part("data_fingerprint"))
    rows.append(("Fingerprint of the data", fingerprint))
    rows.append(("Seed", blocks.any_value(findings.part("seed"))))
    return blocks.Facts(rows=tuple(rows))
