"""The folder of a run: what lies where, and how to read it back."""

import dataclasses
import json
import pathlib
import shutil

from tl_keras import checks
from tl_keras import configs


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

    def holds_a_run(self) -> bool:
        """Whether a run wrote here, finished or not."""
        return any(path.exists() for path in self._contents())

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
        for path in self._contents():
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
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
            self.results,
            self.curves,
            self.confusion,
            self.export,
            self.tensorboard,
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
    workdir.config.write_text(text + "\n", encoding="utf-8")
