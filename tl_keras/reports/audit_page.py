"""`audit.html`: one file that shows what an audit found, with pictures."""

import dataclasses
import io
import pathlib

import numpy as np

from tl_keras import whole_files
from tl_keras.reports import html_parts

# Most groups of copies, and most doubtful labels, that are shown.
_SHOWN = 60
_SHOWN_IN_GROUP = 6
_SIDE_PX = 96
_TEXT_CHARACTERS = 300


@dataclasses.dataclass(frozen=True)
class Card:
    """An example as the page shows it.

    Attributes:
        id: Its id.
        split: The part it is in.
        label: Its class name.
        picture: Address of its picture, a `data:` URI, or None.
        sound: The same of its sound, or None.
        text: Its text, or "".
    """

    id: str
    split: str
    label: str
    picture: str | None = None
    sound: str | None = None
    text: str = ""


def write(audit, path) -> pathlib.Path:
    """Writes the page of an audit; it needs no other file.

    Args:
        audit: An `Audit`.
        path: File name, in a folder that exists.
    """
    with whole_files.replacing(path) as beside:
        beside.write_text(render(audit), encoding="utf-8")
    return pathlib.Path(path)


def render(audit) -> str:
    """The page of an audit as HTML, with pictures in it.

    Copies across parts come first, then those whose labels differ; labels by
    how doubtful they are.

    Args:
        audit: An `Audit`.
    """
    from tl_keras.auditing import results

    groups = _chosen(audit)
    doubts = (audit.likely_errors or audit.doubtful_labels)[:_SHOWN]
    cards = _cards(
        audit,
        [i for g in groups for i in g.indices[:_SHOWN_IN_GROUP]]
        + [doubt.index for doubt in doubts],
    )
    names = audit.collection.data.class_names
    page = html_parts.environment().get_template("audit.html.jinja")
    return page.render(
        title=f"Audit of {audit.collection.data.name}",
        counts=results.counts(audit),
        balance=audit.balance,
        files=audit.files,
        leaking=list((audit.leakage.groups or {}).items())[:_SHOWN],
        groups=[
            {
                "cards": [cards[i] for i in group.indices[:_SHOWN_IN_GROUP]],
                "more": max(0, len(group.indices) - _SHOWN_IN_GROUP),
                "likeness": "equal" if group.exact else f"{group.likeness:.3f}",
                "conflicting": audit.conflicts(group),
            }
            for group in groups
        ],
        num_groups=len(audit.duplicates),
        doubts=[
            {
                "card": cards[doubt.index],
                "suggestion": names[doubt.suggestion],
                "quality": f"{doubt.quality:.4f}",
                "probability": f"{doubt.probability:.4f}",
                "agreement": f"{doubt.agreement:.0%}",
            }
            for doubt in doubts
        ],
        num_doubts=len(audit.likely_errors),
        most=_SHOWN,
    )


def _chosen(audit):
    splits = audit.collection.splits

    def rank(group):
        crosses = len(set(splits[list(group.indices)])) > 1
        return (not crosses, not audit.conflicts(group), -group.likeness)

    return sorted(audit.duplicates, key=rank)[:_SHOWN]


def _cards(audit, indices) -> dict[int, Card]:
    collection = audit.collection
    indices = sorted(set(indices))
    show = {"image": _picture, "text": _text, "audio": _sound}[collection.kind]
    spec = collection.data.input_spec
    return {
        index: Card(
            collection.ids[index],
            collection.splits[index],
            audit.label_of(index),
            **show(content, spec),
        )
        for index, content in zip(
            indices, collection.read(indices), strict=True
        )
    }


def _picture(image, spec):
    from PIL import Image

    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[spec.channels]
    shown = Image.fromarray(pixels.squeeze() if mode == "L" else pixels, mode)
    shown.thumbnail((_SIDE_PX, _SIDE_PX))
    file = io.BytesIO()
    shown.save(file, "PNG", optimize=True)
    return {"picture": html_parts.address_of(file.getvalue(), "image/png")}


def _text(text, spec):
    return {"text": text.decode()[:_TEXT_CHARACTERS]}


def _sound(clip, spec):
    import wave

    samples = np.clip(np.rint(clip * 32768), -32768, 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(spec.channels)
        writer.setsampwidth(2)
        writer.setframerate(spec.sample_rate)
        writer.writeframes(samples.tobytes())
    return {"sound": html_parts.address_of(file.getvalue(), "audio/wav")}
