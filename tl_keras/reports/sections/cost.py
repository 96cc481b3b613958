"""What it took: time, memory, parameters, and what the cache saved."""

from tl_keras.reports import blocks


def of(findings) -> blocks.Section | None:
    """The section; there always is one, since phases know their time."""
    content = []
    cost = findings.part("cost")
    if cost:
        content += [_facts(findings, cost), _parts(cost)]
    content.append(_phases(findings.part("phases")))
    return blocks.Section(name="cost", title="Cost", blocks=tuple(content))


def _facts(findings, cost):
    rows = [
        ("Time in all", blocks.seconds(cost["seconds"]["total"])),
        ("Most memory", blocks.memory(cost["peak_memory_bytes"])),
    ]
    for name, peak in (cost.get("peak_device_memory_bytes") or {}).items():
        rows.append((f"Most memory of {name}", blocks.memory(peak)))
    rows.append(("Device", blocks.text(", ".join(cost["devices"]))))
    parameters = findings.part("parameters")
    rows.append(("Parameters trained", blocks.count(parameters["trained"])))
    rows.append(("Parameters frozen", blocks.count(parameters["frozen"])))
    passes = cost.get("frozen_passes")
    if passes and passes["without_cache"]:
        rows += [
            ("Passes through frozen layers", blocks.count(passes["made"])),
            (
                "Without the prefix cache",
                blocks.count(passes["without_cache"]),
            ),
        ]
    return blocks.Facts(rows=tuple(rows))


def _parts(cost):
    seconds = {n: s for n, s in cost["seconds"].items() if n != "total"}
    total = cost["seconds"]["total"] or 1.0
    return blocks.Table(
        caption="Time by part of the run.",
        columns=("Part", "Seconds"),
        rows=tuple(
            (
                blocks.text(name.replace("_", " ").capitalize()),
                blocks.decimal(value, share=min(1.0, value / total)),
            )
            for name, value in seconds.items()
        ),
    )


def _phases(phases):
    return blocks.Table(
        caption="Time by phase, and what was computed once and kept of the "
        "frozen layers in front.",
        columns=(
            "Phase",
            "Epochs",
            "Seconds",
            "Kept",
            "Seconds to compute",
            "Computed",
            "Bytes an example",
            "Views",
            "Why",
        ),
        rows=tuple(
            (
                blocks.text(phase["name"]),
                blocks.count(phase["epochs"]),
                blocks.decimal(phase["seconds"]),
                *_cache(phase.get("prefix_cache") or {}),
            )
            for phase in phases
        ),
        note="A pass takes one example through the frozen layers; without "
        "kept results every epoch makes one for each.",
    )


def _cache(cache):
    return (
        blocks.text("yes" if cache.get("used") else "no"),
        blocks.decimal(cache.get("seconds")),
        blocks.count(cache.get("computed")),
        blocks.count(cache.get("bytes_per_example")),
        blocks.count(cache.get("views")),
        blocks.text(cache.get("reason", "")),
    )
