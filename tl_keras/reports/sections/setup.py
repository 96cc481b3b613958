"""What was done, and with what: config, plan, phases, groups."""

from tl_keras.reports import blocks


def of(findings) -> blocks.Section | None:
    """The section; there always is one."""
    entries = findings.entries
    content = [
        blocks.Facts(
            rows=(
                ("Data set", blocks.text(entries["dataset"])),
                ("Encoder", blocks.text(entries["encoder"])),
                ("Plan", blocks.text(entries["plan"].replace("_", " "))),
                ("Seed", blocks.any_value(entries["seed"])),
            )
        ),
        _phases(entries["phases"]),
    ]
    if entries.get("config"):
        content.append(_config(entries["config"], findings.defaults or {}))
    return blocks.Section(
        name="setup", title="What was done", blocks=tuple(content)
    )


def _phases(phases):
    has_sparsity = any(p.get("sparsity") is not None for p in phases)
    return blocks.Table(
        caption="Phases in order: which layer groups trained, and how well.",
        columns=(
            "Phase",
            "Groups that trained",
            "Epochs",
            "Best validation score",
            "Trained parameters",
            "Frozen parameters",
            *["Share of zeros"] * has_sparsity,
        ),
        rows=tuple(
            (
                blocks.text(phase["name"]),
                blocks.text(", ".join(phase["groups"])),
                blocks.count(phase["epochs"]),
                blocks.score(phase["best_validation_score"]),
                blocks.count(phase["trained_parameters"]),
                blocks.count(phase["frozen_parameters"]),
                *[blocks.score(phase.get("sparsity"))] * has_sparsity,
            )
            for phase in phases
        ),
        sortable=False,
    )


def _config(config, defaults):
    """Every field; those that were changed come first, and say so."""
    fields, usual = dict(_flat(config)), dict(_flat(defaults))
    changed = [n for n in fields if defaults and fields[n] != usual.get(n)]
    others = [name for name in fields if name not in changed]
    return blocks.Table(
        caption="The config, field by field.",
        columns=("Field", "Value", "Default"),
        rows=tuple(
            (
                blocks.text(name),
                blocks.text(_shown(fields[name])),
                blocks.text(
                    f"changed from {_shown(usual.get(name))}"
                    if name in changed
                    else "as it is"
                ),
            )
            for name in changed + others
            if not name.startswith("report.") or fields[name] is not None
        ),
        folded=True,
        sortable=False,
    )


def _flat(values, prefix=""):
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _shown(value) -> str:
    if value in (None, {}, []):
        return "none"
    return blocks.any_value(value).text
