"""The model card: what the model is for, and where it ends.

Reference:
    Mitchell et al., "Model Cards for Model Reporting", FAT* 2019,
    https://arxiv.org/abs/1810.03993
"""

import re

from tl_keras.reports import blocks


def of(findings) -> blocks.Section | None:
    """The section; there always is one."""
    parts = [
        ("heading", "Intended use"),
        ("paragraph", _use(findings)),
        ("heading", "Data"),
        ("paragraph", _data(findings)),
        ("heading", "How good it is"),
        ("paragraph", _scores(findings)),
        ("heading", "Limits"),
        *[("item", limit) for limit in _limits(findings)],
    ]
    content = [blocks.Prose(parts=tuple(parts))]
    if findings.card_text:
        content.append(blocks.Prose(parts=tuple(parse(findings.card_text))))
    return blocks.Section(
        name="card", title="Model card", blocks=tuple(content)
    )


def parse(markdown: str):
    """The headings, paragraphs and list items of a text in Markdown.

    Other marks are left as they are.

    Args:
        markdown: The text.

    Yields:
        Pairs as in `Prose`.

    Example:
        >>> list(parse("# Use\\n\\nFor pets,\\nnot for people.\\n- cats"))[1:]
        [('paragraph', 'For pets, not for people.'), ('item', 'cats')]
    """
    paragraph = []
    for line in [*markdown.splitlines(), ""]:
        line = line.strip()
        heading = re.match(r"#+\s+(.*)", line)
        item = re.match(r"[-*+]\s+(.*)", line)
        if line and not heading and not item:
            paragraph.append(line)
            continue
        if paragraph:
            yield "paragraph", " ".join(paragraph)
            paragraph = []
        if heading:
            yield "heading", heading[1]
        elif item:
            yield "item", item[1]


def _use(findings) -> str:
    said = findings.part("config", "report", "intended_use")
    if said:
        return said
    entries = findings.entries
    return (
        "Not stated. The model tells the classes of the data set "
        f"“{entries['dataset']}” apart, in inputs like its own. State the use "
        "in the field report.intended_use or in model_card.md in the workdir."
    )


def _data(findings) -> str:
    data = findings.part("data")
    if not data:
        return f"“{findings.entries['dataset']}”."
    splits = ", ".join(f"{n:,} {split}" for split, n in data["splits"].items())
    return (
        f"“{findings.entries['dataset']}”: {len(data['classes'])} classes, "
        f"{data['input']}; {splits}."
    )


def _scores(findings) -> str:
    test = findings.part("test")
    if not test:
        return "There is no test part: nothing is known beyond validation."
    bounds = (test.get("intervals") or {}).get("accuracy")
    interval = bounds and f" (95% interval {blocks.interval(bounds, '.3f')})"
    sentences = [
        f"Accuracy {test['accuracy']:.3f}{interval or ''}, macro F1 "
        f"{test['macro_f1']:.3f} on {test['num_examples']:,} test examples."
    ]
    for column, values in (test.get("slices") or {}).items():
        worst = min(values, key=lambda name: values[name]["accuracy"])
        best = max(values, key=lambda name: values[name]["accuracy"])
        sentences.append(
            f"By {column}, accuracy goes from "
            f"{values[worst]['accuracy']:.3f} ({worst}) to "
            f"{values[best]['accuracy']:.3f} ({best})."
        )
    return " ".join(sentences)


def _limits(findings):
    said = findings.part("config", "report", "limits")
    if said:
        yield said
    yield (
        "It gives one of its classes for every input, also for what belongs "
        "to none of them."
    )
    test = findings.part("test")
    if test:
        weak = sorted(
            (name for name, row in test["per_class"].items() if row["support"]),
            key=lambda name: test["per_class"][name]["f1"],
        )[:3]
        shown = ", ".join(
            f"“{name}” ({test['per_class'][name]['f1']:.3f})" for name in weak
        )
        yield f"It is weakest, by F1, on {shown}."
        if not test.get("slices"):
            yield "How good it is on parts of the test part was not measured."
    if not findings.part("robustness"):
        yield "How it does on noisy or blurred inputs was not measured."
    audit = findings.part("audit")
    if not audit:
        yield "The data was not searched for duplicates and wrong labels."
