"""The report of a finished run, from what its workdir holds."""

import dataclasses
import json
import pathlib

from tl_keras import configs
from tl_keras import workdirs
from tl_keras.reports import findings as findings_
from tl_keras.reports import page
from tl_keras.reports import results as results_
from tl_keras.reports.sections import audit


def write(workdir) -> pathlib.Path:
    """Writes `report.html` into the workdir of a finished run.

    No model is loaded and no data is read: the report tells what the workdir
    holds, `results.json` and pictures; and what was put there since:

    - `audit.json`, by `tl-keras audit --out=WORKDIR`;
    - `comparison.json`, by `tl-keras compare ... --json=FILE`;
    - `explanations/explanations.json`, by `tl-keras explain`;
    - `model_card.md`, what the user has to say of the model, in Markdown.

    What is shown of the first three is put into `results.json`, too.

    Args:
        workdir: The run's folder.

    Returns:
        The report's path.

    Raises:
        FileNotFoundError: If there is no finished run.
        ValueError: If its files are not those of this version of tl_keras.
    """
    folder = workdirs.make(workdir)
    results = results_.read(folder.results)
    added = {
        "comparison": _read(folder.comparison),
        "explanations": _read(folder.explanations / "explanations.json"),
    }
    found = _read(folder.audit)
    if found is not None:
        added["audit"] = audit.condensed(found)
    added = {name: part for name, part in added.items() if part is not None}
    if added:
        results = dataclasses.replace(results, **added)
        results_.write(results, folder.results)
    card = folder.model_card
    return page.write(
        findings_.Findings(
            entries=results_.as_dict(results),
            folder=folder.path,
            card_text=card.read_text("utf-8") if card.is_file() else None,
            defaults=configs.as_dict(configs.RunConfig()),
        ),
        folder.report,
    )


def _read(path) -> dict | None:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{str(path)!r} cannot be read as JSON: {error}. Write it again, "
            "or remove it."
        ) from error
