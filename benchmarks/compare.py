"""tl_keras beside plain Keras, KerasHub, and what nothing can beat by much.

Every run is a process of its own; rounds go through all contestants in turn.
What is timed begins with images and a base model at hand, and ends with the
trained model: building, tracing and the pass through the frozen part are
inside, imports are not. All train the same layers by Adam at 1e-3.

    python benchmarks/compare.py --out=FILE.json
    python benchmarks/compare.py --mode=table --out=FILE.json

The contestants of `--mode=times`:

- `tl_keras`: `tl_keras.fit` with an empty cache folder.
- `guide`: the recipe of the Keras guide to transfer learning, on a tf.data
  pipeline. From a group on, it runs BatchNormalization in inference mode, and
  tl_keras in training mode; where everything trains, both train it.
- `keras_hub`: KerasHub's `ImageClassifier.fit`, for `head` and `all`. Its
  MobileNet writes depthwise convolutions as grouped ones, which take a second
  a step on two CPU cores: it runs with `--hub_mobilenet` only.
- `limit`: the frozen part once for each image, the rest on arrays in memory.
  Where everything trains, plain Keras on arrays.

`guide` and `keras_hub` do the same work in each epoch, and are measured for
`--peer_epochs`: all epochs together are the first, and the median of the later
ones for each of the others. The tables say so.

The other modes:

- `accuracy`: validation accuracy over time on real images with real weights:
  the guide's whole recipe beside the plan `head_then_top`.
- `memory`: peak memory by the number of examples, mapped from the disk.
- `second_run`: what a second run with another head and seed waits for.
- `repeats`: one model trained again and again, beside new ones by Keras.
- `table`: prints Markdown of all results in `--out`, and draws plots.

Rounds are added to those of the same work in `--out`.
"""

import contextlib
import dataclasses
import os
import pathlib
import tempfile

from absl import app
from absl import flags
from comparison import estimates
from comparison import plots
from comparison import processes
from comparison import results
from comparison import tables
from comparison import work as works

_MODES = ("times", "accuracy", "memory", "second_run", "repeats", "table")
_CONTESTANTS = ("tl_keras", "guide", "keras_hub", "limit")
# Small, so that 100,000 of them are read in minutes.
_MANY_FILES_PX = 32
_HIDDEN_UNITS = (64,)

_MODE = flags.DEFINE_enum("mode", "times", _MODES, "What to measure.")
_OUT = flags.DEFINE_string("out", None, "JSON file of results.")
_PLOTS = flags.DEFINE_string("plots", "benchmarks/plots", "Folder for plots.")
_SCRATCH = flags.DEFINE_string(
    "scratch", None, "Folder for images and caches; None for the system's."
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "How often.", lower_bound=1)
_ENCODERS = flags.DEFINE_list("encoders", list(works.ENCODERS), "Encoders.")
_ALPHA = flags.DEFINE_float("alpha", 0.35, "Width of MobileNetV2.")
_IMAGE_SIZES = flags.DEFINE_list("image_sizes", ["96", "160"], "In pixels.")
_CUTS = flags.DEFINE_list(
    "cuts",
    ["head", "block_13", "block_16", "conv5", "all"],
    "What trains: `head`, `all`, or a group and all after it. An encoder "
    "takes those that it has.",
)
_IMAGES = flags.DEFINE_integer("images", 10_000, "Training images.")
_EPOCHS = flags.DEFINE_integer("epochs", 20, "Epochs.", lower_bound=1)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 32, "Images in a step.")
_SOURCE = flags.DEFINE_enum(
    "source", "memory", ("memory", "disk"), "Arrays, or JPEG files."
)
_WHO = flags.DEFINE_list("contestants", list(_CONTESTANTS), "Who takes part.")
_PEER_EPOCHS = flags.DEFINE_integer(
    "peer_epochs", 3, "Epochs of guide and keras_hub; 0 for all."
)
_HUB_MOBILENET = flags.DEFINE_bool(
    "hub_mobilenet", False, "Whether KerasHub trains MobileNetV2 as well."
)
_DATA = flags.DEFINE_string(
    "data", "cifar10", "accuracy: ten classes, as `tl_keras.data.load` names."
)
_DATA_DIR = flags.DEFINE_string(
    "data_dir", None, "accuracy: folder of TensorFlow Datasets."
)
_WEIGHTS = flags.DEFINE_string(
    "weights", None, "accuracy: file of the first encoder's weights."
)
_HEAD_EPOCHS = flags.DEFINE_integer("head_epochs", 5, "accuracy: of the head.")
_TUNING_EPOCHS = flags.DEFINE_integer("tuning_epochs", 10, "accuracy: later.")
_COUNTS = flags.DEFINE_list("counts", ["10000", "100000"], "memory: examples.")
_MEMORY_CUT = flags.DEFINE_string(
    "memory_cut", "head", "memory: what of the tiny encoder trains."
)
_REPEATS = flags.DEFINE_integer("repeats", 10, "repeats: trainings.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Unexpected arguments. Got: {argv[1:]}.")
    # Before any of the processes imports TensorFlow.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    check_flags()
    found = results.Results(_OUT.value)
    if _MODE.value == "table":
        print(tables.markdown(found.rounds))
        for path in plots.draw(found.rounds, _PLOTS.value):
            print(f"\nDrawn: {path}")
        return
    with scratch_folder() as folder:
        for key, make_round in MODES[_MODE.value](folder):
            for number in range(_ROUNDS.value):
                print(f"{key}: round {number + 1}", flush=True)
                found.add(_MODE.value, key, make_round(number))
            mine = {_MODE.value: {key: found.rounds[_MODE.value][key]}}
            print(f"\n{tables.markdown(mine)}\n", flush=True)
    if _MODE.value == "accuracy":
        plots.draw({"accuracy": found.rounds["accuracy"]}, _PLOTS.value)


def check_flags():
    for given, known in (
        (_ENCODERS.value, works.ENCODERS),
        (_WHO.value, _CONTESTANTS),
    ):
        unknown = set(given) - set(known)
        if unknown:
            raise app.UsageError(
                f"Unknown: {sorted(unknown)}. Expected some of {list(known)}."
            )
    if _PEER_EPOCHS.value == 1:
        raise app.UsageError(
            "--peer_epochs=1 has no epoch behind the first, which traces. "
            "Expected 0 or at least 2."
        )
    if _MODE.value == "accuracy" and _WEIGHTS.value is None:
        raise app.UsageError("--mode=accuracy needs --weights=FILE.")
    if _MODE.value == "table" and _OUT.value is None:
        raise app.UsageError("--mode=table needs --out=FILE.json.")


def times(folder):
    """Works, each with a function that carries out a round of it."""
    for work in all_works():
        files = prepare_files(folder, work)
        names = [name for name in _WHO.value if takes_part(name, work)]

        def make_round(number, work=work, files=files, names=names):
            # Who comes first changes from round to round.
            turn = number % len(names)
            reports = {
                name: timed(name, work, files, folder)
                for name in names[turn:] + names[:turn]
            }
            estimates.check_same_work(reports, work)
            return {name: reports[name] for name in names}

        yield work.key, make_round


def timed(name, work, files, folder) -> dict:
    """One training of a contestant, with the seconds of all its epochs."""
    shortened = work
    if name in ("guide", "keras_hub") and _PEER_EPOCHS.value:
        epochs = min(work.epochs, _PEER_EPOCHS.value)
        shortened = dataclasses.replace(work, epochs=epochs)
    report = train(name, shortened, files, folder)
    report = {
        **report,
        "work_epochs": work.epochs,
        "measured_epochs": shortened.epochs,
        "total_seconds": estimates.total_seconds(report, work.epochs),
    }
    print(
        f"  {name}: {report['total_seconds']:.1f} s "
        f"({shortened.epochs} of {work.epochs} epochs measured)",
        flush=True,
    )
    return report


def train(name, work, files, folder, *more) -> dict:
    """One training of a contestant, with an empty folder for its cache."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        return processes.measure(
            "comparison.contestants.prepare",
            *(name, work, files, pathlib.Path(scratch), *more),
        )


def takes_part(name, work) -> bool:
    """Whether a contestant can do some work; says so if it cannot."""
    if name != "keras_hub":
        return True
    reason = None
    if work.cut not in ("head", "all"):
        reason = "its backbones freeze as a whole"
    elif work.encoder == "MobileNetV2" and not _HUB_MOBILENET.value:
        reason = "its MobileNet is slow on a CPU (see --hub_mobilenet)"
    if reason is not None:
        print(f"{work.key}: keras_hub is left out, since {reason}.")
    return reason is None


def accuracy(folder):
    """The guide's recipe beside the default plan, on real images."""
    epochs = _HEAD_EPOCHS.value, _TUNING_EPOCHS.value
    work = dataclasses.replace(
        next(iter(all_works())),
        cut="head, then more",
        epochs=sum(epochs),
        source="memory",
    )
    files = works.Files(folder / "data", pathlib.Path(_WEIGHTS.value))
    processes.measure(
        "comparison.contestants.prepare_arrays",
        *(_DATA.value, _DATA_DIR.value, work, 0.04, files.folder),
    )

    def make_round(number):
        seeded = dataclasses.replace(work, seed=number)
        return {
            name: train(name, seeded, files, folder, *epochs)
            for name in ("guide_twice", "tl_keras_plan")
        }

    # A path would tell nothing elsewhere.
    yield f"{_DATA.value.partition(':')[0]}, {work.key}", make_round


def memory(folder):
    """The same training on few and on many files."""
    places = {}
    for count in map(int, _COUNTS.value):
        places[count] = folder / f"files_{count}"
        works.write_files(places[count], count, _MANY_FILES_PX, "png")

    def make_round(number):
        del number
        reports = {}
        for count, place in places.items():
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                reports[str(count)] = processes.measure(
                    "comparison.reuse.many_files",
                    *(place, _MANY_FILES_PX, _MEMORY_CUT.value),
                    *(_EPOCHS.value, pathlib.Path(scratch)),
                )
        return reports

    yield f"tiny, {_MEMORY_CUT.value}, {_EPOCHS.value} epochs", make_round


def second_run(folder):
    """Two runs on one cache folder, the second with another head and seed."""
    for work in all_works():
        if work.cut == "all":
            continue
        other = dataclasses.replace(work, seed=1, hidden_units=_HIDDEN_UNITS)
        files = prepare_files(folder, work)

        def make_round(number, work=work, other=other, files=files):
            del number
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                reports = {
                    name: processes.measure(
                        "comparison.contestants.prepare",
                        *("tl_keras", one, files, pathlib.Path(scratch)),
                    )
                    for name, one in (("first", work), ("second", other))
                }
            if not reports["first"]["prefix"]["used"]:
                reason = reports["first"]["prefix"]["reason"]
                raise RuntimeError(f"The cache was not used: {reason}.")
            return reports

        yield work.key, make_round


def repeats(folder):
    """Many trainings in one process."""
    for work in all_works():
        files = prepare_files(folder, work)

        def make_round(number, work=work, files=files):
            del number
            reports = {}
            for name in ("tl_keras", "keras"):
                with tempfile.TemporaryDirectory(dir=folder) as scratch:
                    reports[name] = processes.measure(
                        f"comparison.reuse.repeat_{name}",
                        *(work, files, pathlib.Path(scratch)),
                        _REPEATS.value,
                    )
            return reports

        yield work.key, make_round


MODES = {
    "times": times,
    "accuracy": accuracy,
    "memory": memory,
    "second_run": second_run,
    "repeats": repeats,
}


def all_works():
    """The works that the flags name."""
    for encoder in _ENCODERS.value:
        for size in map(int, _IMAGE_SIZES.value):
            for cut in _CUTS.value:
                if works.has_cut(encoder, cut):
                    yield works.Work(
                        encoder=encoder,
                        alpha=_ALPHA.value,
                        image_size_px=size,
                        cut=cut,
                        images=_IMAGES.value,
                        epochs=_EPOCHS.value,
                        batch_size=_BATCH_SIZE.value,
                        source=_SOURCE.value,
                    )


def prepare_files(folder, work) -> works.Files:
    """Images and weights of some work, made where they are not there yet."""
    images = folder / f"{work.source}_{work.image_size_px}"
    if not images.exists():
        if work.source == "disk":
            works.write_files(images, work.images, work.image_size_px, "jpg")
        else:
            works.write_arrays(images, work.images, work.image_size_px)
    weights = folder / f"{work.encoder}_{work.image_size_px}.weights.h5"
    if not weights.exists():
        processes.measure("comparison.networks.prepare_weights", work, weights)
    return works.Files(images, weights)


@contextlib.contextmanager
def scratch_folder():
    """An empty folder, removed in the end."""
    if _SCRATCH.value is not None:
        pathlib.Path(_SCRATCH.value).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_SCRATCH.value) as folder:
        yield pathlib.Path(folder)


if __name__ == "__main__":
    app.run(main)
