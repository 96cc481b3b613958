"""How well the probabilities rank: ROC and precision-recall curves."""

from tl_keras.reports import blocks
from tl_keras.reports import drawings
from tl_keras.reports import figures

_MAX_CURVES = 6
_TOGETHER = "all together"


def of(findings) -> blocks.Section | None:
    """The section, or None where the curves were not computed."""
    curves = findings.part("test", "curves") or {}
    content = []
    if curves.get("roc"):
        content.append(
            _drawing(
                findings,
                curves["roc"],
                title="ROC curves",
                axes=("false_positive_rate", "true_positive_rate"),
                area="roc_auc",
                diagonal=True,
            )
        )
    if curves.get("precision_recall"):
        content.append(
            _drawing(
                findings,
                curves["precision_recall"],
                title="Precision and recall",
                axes=("recall", "precision"),
                area="average_precision",
                diagonal=False,
            )
        )
    if not content:
        return None
    return blocks.Section(
        name="ranking",
        title="ROC and precision-recall",
        intro="Each class against the rest. The areas of all classes are in "
        "the table of classes.",
        blocks=tuple(content),
    )


def _drawing(findings, curves, *, title, axes, area, diagonal):
    chosen = _hardest(findings, curves, area)
    names = " and ".join(name for name in chosen if name != _TOGETHER)
    return figures.drawing(
        lambda figure: drawings.curve_family(figure, chosen, *axes, diagonal),
        caption=f"{title} of all classes together and of those that "
        "are hardest to tell.",
        alt=f"{title} for all classes together, and for {names}.",
        size=(4.6, 4.0),
        narrow=True,
    )


def _hardest(findings, curves, area):
    per_class = findings.part("test", "per_class") or {}
    areas = {
        name: (per_class.get(name) or {}).get(area)
        for name in curves
        if name != "micro"
    }
    # A class without examples has no area.
    known = [name for name, value in areas.items() if value is not None]
    ranked = sorted(known, key=areas.get)[: _MAX_CURVES - 1]
    chosen = {name: curves[name] for name in ranked}
    if "micro" in curves:
        chosen = {_TOGETHER: curves["micro"], **chosen}
    return chosen
