"""The folder of a run: what lies where, and how to read it back."""

import dataclasses
import json
import os
import pathlib
import shutil

from tl_keras import checks
from tl_keras import configs
from tl_keras import differences

# What scores may scatter over.
SPREADS = ("folds", "seeds", "splits")
# By section: fields that may change when a run goes on.
_UNDECIDING = {
    "": ("workdir", "checkpoints", "check_export", "report"),
    "data": ("data_dir",),
    "prefix_cache": ("folder", "memory_gb", "disk_gb"),
}


@dataclasses.dataclass(frozen=True)
class Workdir:
    """Names the files of a run.

    Attributes:
        path: The folder.

    Example:
        >>> Workdir(pathlib.Path("runs/first")).model.as_posix()
        'runs/first/model.keras'
    """

    path: pathlib.Path

    @property
    def config(self) -> pathlib.Path:
        """The run's config as JSON."""
        return self.path / "config.json"

    @property
    def log(self) -> pathlib.Path:
        """A row per epoch, from `fit`."""
        return self.path / "log.csv"

    @property
    def model(self) -> pathlib.Path:
        """The trained model."""
        return self.path / "model.keras"

    @property
    def results(self) -> pathlib.Path:
        """Phases, scores, versions, seed and fingerprint as JSON."""
        return self.path / "results.json"

    @property
    def curves(self) -> pathlib.Path:
        """Loss and accuracy over the epochs, as a picture."""
        return self.path / "curves.png"

    @property
    def confusion(self) -> pathlib.Path:
        """The confusion matrix, as a picture."""
        return self.path / "confusion.png"

    @property
    def reliability(self) -> pathlib.Path:
        """Confidence and accuracy on the test part, as a picture."""
        return self.path / "reliability.png"

    @property
    def predictions(self) -> pathlib.Path:
        """What the model said of each example of the test part."""
        return self.path / "predictions.npz"

    def spread(self, kind: str) -> pathlib.Path:
        """How scores scatter, as a picture.

        Args:
            kind: "folds", "seeds" or "splits".
        """
        return self.path / f"{kind}.png"

    @property
    def corruptions(self) -> pathlib.Path:
        """Accuracy on corrupted images by severity, as a picture."""
        return self.path / "corruptions.png"

    @property
    def explanations(self) -> pathlib.Path:
        """Folder of pictures of explanations, and their JSON."""
        return self.path / "explanations"

    @property
    def report(self) -> pathlib.Path:
        """The report, a page for a browser."""
        return self.path / "report.html"

    @property
    def pictures(self) -> pathlib.Path:
        """Folder of the examples that the report shows."""
        return self.path / "pictures"

    @property
    def model_card(self) -> pathlib.Path:
        """What the user wrote of the model; no run writes it."""
        return self.path / "model_card.md"

    @property
    def comparison(self) -> pathlib.Path:
        """How the run does beside others, if they were compared."""
        return self.path / "comparison.json"

    @property
    def audit(self) -> pathlib.Path:
        """What an audit found in the data."""
        return self.path / "audit.json"

    @property
    def export(self) -> pathlib.Path:
        """Folder of all that was exported."""
        return self.path / "export"

    @property
    def served(self) -> pathlib.Path:
        """Folder of the versions for TensorFlow Serving, `1` the first.

        Its name is the model's on the server, and the one that TensorFlow
        Serving takes by default.
        """
        return self.export / "model"

    @property
    def tensorboard(self) -> pathlib.Path:
        """Folder of TensorBoard's logs."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Folder of what an unfinished run goes on from."""
        return self.path / "checkpoints"

    def holds_a_run(self) -> bool:
        """Whether a run wrote here, finished or not."""
        return any(path.exists() for path in self._contents())

    def is_unfinished(self) -> bool:
        """Whether a run wrote here that was stopped on its way."""
        if not self.config.is_file():
            return False
        has_results = self.model.exists() or self.results.exists()
        return self.checkpoints.exists() or not has_results

    def goes_on(self, config, *, overwrite: bool = False) -> bool:
        """Whether a run would go on with one that was stopped here.

        Args:
            config: Its config.
            overwrite: Whether it would replace what is here.

        Returns:
            False if it would begin anew.

        Raises:
            ValueError: If there is a run that is finished, or one of another
                config, and `overwrite` is False.
            NotADirectoryError: If the path is a file.
        """
        if overwrite or not self.is_unfinished():
            self.check(overwrite=overwrite)
            return False
        lines = differences.lines(
            _deciding(_read_config(self)), _deciding(config), where="in it"
        )
        if lines:
            raise ValueError(
                "The workdir holds an unfinished run of another config. Got: "
                f"{str(self.path)!r}, which differs:\n  "
                + "\n  ".join(lines)
                + "\nRun that config to go on with it; or choose another "
                "`workdir`; or replace it with --overwrite (`overwrite=True`)."
            )
        return True

    def remove_results(self):
        """Removes what a run writes after its training, where it is there."""
        _remove(self.model, *self._made_of_results(), self.export)

    def remove_checkpoints(self):
        """Removes the checkpoints, where there are any: a run is finished."""
        _remove(self.checkpoints)

    def prepare(self, *, overwrite: bool = False):
        """Makes the folder; removes an earlier run's files if told so.

        Args:
            overwrite: Whether an earlier run may be replaced. Files that no
                run writes stay.

        Raises:
            ValueError: If the folder holds a run and `overwrite` is False.
            NotADirectoryError: If the path is a file.
        """
        self.check(overwrite=overwrite)
        _remove(*self._contents())
        self.path.mkdir(parents=True, exist_ok=True)

    def check(self, *, overwrite: bool = False):
        """Raises what `prepare` would, and changes nothing."""
        if self.path.exists() and not self.path.is_dir():
            raise NotADirectoryError(
                f"The workdir is a file. Got: {str(self.path)!r}. Expected a "
                "folder, or a path where none is yet."
            )
        if self.holds_a_run() and not overwrite:
            raise ValueError(
                f"The workdir holds a run already. Got: {str(self.path)!r}. "
                "Choose another `workdir`, or replace that run with "
                "--overwrite (`overwrite=True`)."
            )

    def _contents(self):
        return (
            self.config,
            self.log,
            self.model,
            *self._made_of_results(),
            self.export,
            self.tensorboard,
            self.checkpoints,
        )

    def _made_of_results(self):
        return (
            self.results,
            self.curves,
            self.confusion,
            self.reliability,
            self.predictions,
            self.corruptions,
            self.explanations,
            self.comparison,
            self.report,
            self.pictures,
            *map(self.spread, SPREADS),
        )


def make(path) -> Workdir:
    """The workdir at `path`, which need not exist.

    Raises:
        ValueError: If `path` is None or empty.

    Example:
        >>> make("runs/first").log.name
        'log.csv'
    """
    if not path:
        raise ValueError(
            "`workdir` is missing. Expected the folder for the results, for "
            "example --workdir=runs/first."
        )
    return Workdir(pathlib.Path(path))


def read_config(path) -> configs.RunConfig:
    """The config of a finished run.

    Args:
        path: The run's folder.

    Raises:
        ValueError: If there is no finished run.
    """
    workdir = make(path)
    for needed in (workdir.config, workdir.model):
        if not needed.is_file():
            raise ValueError(
                f"There is no finished run in {str(workdir.path)!r}: "
                f"{needed.name} is missing. Expected the `--workdir` of "
                "`tl-keras finetune`."
            )
    return _read_config(workdir)


def _read_config(workdir) -> configs.RunConfig:
    try:
        values = json.loads(workdir.config.read_text(encoding="utf-8"))
        return configs.from_dict(checks.instance(values, dict, name="config"))
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{str(workdir.config)!r} is no config of a run. {error}"
        ) from error


def write_config(workdir: Workdir, config: configs.RunConfig):
    """Writes the config into its workdir."""
    text = json.dumps(configs.as_dict(config), indent=2)
    # Beside it and renamed: a kill leaves a whole one or none.
    beside = workdir.config.with_suffix(".json.part")
    beside.write_text(text + "\n", encoding="utf-8")
    os.replace(beside, workdir.config)


def _deciding(config) -> dict:
    """What of a config decides how a run ends, but not where it lies."""
    fields = configs.as_dict(config)
    for section, names in _UNDECIDING.items():
        for name in names:
            del (fields[section] if section else fields)[name]
    return fields


def _remove(*paths):
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
