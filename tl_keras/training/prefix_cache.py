"""The prefix cache: what is frozen in front is computed once an example."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import shutil

import keras
import numpy as np
import tensorflow as tf

from tl_keras import cuts
from tl_keras import graph
from tl_keras.data import features
from tl_keras.data import memory
from tl_keras.data import views as views_
from tl_keras.training import feature_store
from tl_keras.training import feeds
from tl_keras.training import graph_fingerprint
from tl_keras.training import prefix_costs
from tl_keras.training import prefix_pass
from tl_keras.training import workers
from tl_keras.tuning import freezing

# Room that is left to others on a disk.
_DISK_RESERVE = 2**30
# Raised where rows of an earlier version would not fit or be wrong.
_FORMAT = 1
# How far what is kept may be from what is computed now, as a share of the
# largest number: rounding of another batch size, and far from another model.
_TOLERANCE = {"float32": 1e-3, "float16": 2e-3, "bfloat16": 1e-2}
_CHECKED_EXAMPLES = 2


@dataclasses.dataclass(frozen=True)
class CacheReport:
    """What the prefix cache did for a phase.

    Attributes:
        used: Whether the phase trained on kept results.
        reason: Why, or why not.
        cut: The layers whose outputs are kept.
        views: How many copies of each training example.
        bytes_per_example: What one takes.
        computed: How many were computed, each copy counted; the others were
            there already.
        seconds: How long that took.
        rounding: Largest error of the stored numbers, as a share of the
            largest of them; 0 where they are stored as they are.
    """

    used: bool
    reason: str
    cut: tuple[str, ...] = ()
    views: int = 0
    bytes_per_example: int = 0
    computed: int = 0
    seconds: float = 0.0
    rounding: float = 0.0


class Prefixes:
    """The prefix cache of one `fit`.

    Args:
        model: The user's model.
        whole: Its graph, flat.
        groups: Its `LayerGroups`.
        feed: What `fit` reads.
        settings: A `PrefixCache`.
        phases: All phases of the plan.
        choices: The `TimedChoices` of the run.
        say: Called with what is to be told.
    """

    def __init__(
        self, model, whole, groups, feed, settings, phases, choices, say
    ):
        self._model = model
        self._graph = whole
        self._groups = groups
        self._feed = feed
        self._settings = settings
        self._phases = tuple(phases)
        self._choices = choices
        self._say = say

    def check(self, phase):
        """Raises what stands against a phase that has to use the cache.

        Raises:
            ValueError: If the phase needs the cache and cannot use it.
        """
        needs = phase.augmentation.mix_features
        if not needs and self._settings.mode != "always":
            return
        reason = self._obstacle(phase, self._cut(phase))
        if needs and self._settings.mode == "never":
            reason = "it is switched off"
        if reason is not None:
            asked = "`mix_features`" if needs else "`prefix_cache='always'`"
            raise ValueError(
                f"{asked} needs the prefix cache, and phase {phase.name!r} "
                f"cannot use it: {reason}."
            )

    def apply(self, phase):
        """What a phase reads and runs, if it trains on kept results.

        Args:
            phase: A `Phase` of the plan.

        Returns:
            A feed, the rest of the graph, and a `CacheReport`. The first two
            are None if the phase does not use the cache.
        """
        cut = self._cut(phase)
        try:
            reason = self._obstacle(phase, cut) or self._why_not(phase)
            if reason is None:
                return self._cached(phase, self._target(cut))
        except (_NotUsed, prefix_pass.NotPerExample) as stop:
            reason = str(stop)
        except OSError as error:
            # Where several workers compute, one cannot leave alone.
            if workers.count() > 1:
                raise
            reason = self._unusable(error)
        if self._is_wanted(phase):
            raise OSError(
                f"Phase {phase.name!r} needs the prefix cache, and cannot use "
                f"it: {reason}."
            )
        self._say(f"Prefix cache: not used, since {reason}.")
        return None, None, CacheReport(False, reason)

    def _is_wanted(self, phase) -> bool:
        return (
            self._settings.mode == "always" or phase.augmentation.mix_features
        )

    def _cut(self, phase) -> tuple:
        return cuts.behind_frozen(self._graph, self._moves(phase))

    def _moves(self, phase):
        """From an operation to whether it changes in a phase."""
        trained = freezing.choose(phase, self._groups)
        moved = {id(weight) for weight in trained.weights}
        in_training_mode = {id(operation) for operation in trained.operations}

        def moves(operation):
            if id(operation) in in_training_mode:
                return not cuts.is_inert(operation)
            weights = getattr(operation, "weights", ())
            return any(id(weight) in moved for weight in weights)

        return moves

    def _obstacle(self, phase, cut) -> str | None:
        """Why a phase cannot use the cache, or None."""
        if not isinstance(self._feed, feeds.DataFeed):
            return (
                "the examples of a bare dataset have no index (make it with "
                "`tl_keras.data.from_arrays` or `tl_keras.data.load`)"
            )
        if not cut:
            return (
                "nothing with weights is frozen in front of what trains, or "
                "what it gives has no fixed size"
            )
        augmentation = phase.augmentation
        if augmentation.mixes_labels and not augmentation.mix_features:
            return (
                "MixUp and CutMix make new images in every epoch (with "
                "`mix_features` MixUp blends what is kept)"
            )
        if self._views(phase).count is None:
            return (
                "its augmentation makes new images in every epoch (set "
                "`cache_views`, after how many epochs they come again)"
            )
        return None

    def _why_not(self, phase) -> str | None:
        """Why a phase that could use the cache does not, or None."""
        if self._is_wanted(phase):
            return None
        if self._settings.mode == "never":
            return "it is switched off"
        count = self._views(phase).count
        if self._epochs(phase) <= count:
            return (
                f"in {self._epochs(phase)} epochs no more than {count} views "
                "of an example are seen, nothing twice"
            )
        return None

    def _cached(self, phase, target):
        views = self._views(phase)
        parts = self._parts(views)
        every_part = [part for several in parts.values() for part in several]
        subject = self._subject(phase, target, views)
        decided = self._choices.find(subject, "prefix_cache")
        if decided is False and not self._is_wanted(phase):
            raise _NotUsed("it did not pay when that was measured")
        needed = sum(len(part.digests) for part in every_part)
        lacking = _lacking(target, every_part)
        if lacking < needed:
            self._compare(target, every_part[0])
        report = prefix_pass.PassReport(0, 0.0, 0.0)
        if lacking:
            watch = None
            if decided is None and not self._is_wanted(phase):
                watch = self._watch(phase, target, subject, needed)
            report = self._compute(phase, target, every_part, watch)
        if decided is None:
            self._choices.put(subject, "prefix_cache", True)
        result = CacheReport(
            used=True,
            reason="it is asked for" if self._is_wanted(phase) else "it pays",
            cut=tuple(graph.producer_of(v.tensor).name for v in target.values),
            views=views.count,
            bytes_per_example=target.store.bytes_per_row,
            computed=report.examples,
            seconds=report.seconds,
            rounding=report.rounding,
        )
        self._say(_sentence(result, needed))
        rest = cuts.between(self._graph, target.values, self._graph.outputs)
        return self._feed_from(target, parts), rest, result

    def _feed_from(self, target, parts):
        """The feed, with what is kept in place of inputs."""
        store, data = target.store, self._feed.data
        tensors = store.tensors(in_memory=self._fits_memory(store.num_bytes))
        splits = dict(data.splits)
        for split, several in parts.items():
            found = [store.find(part.digests) for part in several]
            reader = _reader(target, tensors, np.stack(found))
            splits[split] = dataclasses.replace(splits[split], inputs=reader)
        return dataclasses.replace(
            self._feed, data=dataclasses.replace(data, splits=splits)
        )

    def _compute(self, phase, target, parts, watch):
        """Fills a store, and those of later phases that lie on the way."""
        targets = [
            target,
            *(
                other
                for other in self._on_the_way(phase, target)
                if _lacking(other, parts)
            ),
        ]
        source = self._earlier(target, parts)
        if source is not None and len(targets) == 1:
            given, parts = source
        else:
            given = self._graph.inputs
        wanted = [value for one in targets for value in one.values]
        beginning = prefix_pass.Beginning(
            self._model,
            cuts.between(self._graph, given, wanted),
            takes_inputs=given == self._graph.inputs,
        )
        return prefix_pass.compute(
            beginning, parts, targets, watch=watch, writes=self._writes
        )

    def _on_the_way(self, phase, target) -> list:
        """The stores of later phases that the same pass can fill."""
        views = self._views(phase)
        later_phases = self._phases[self._phases.index(phase) + 1 :]
        first = cuts.between(self._graph, self._graph.inputs, target.values)
        made = {*first.inputs, *(v for c in first.calls for v in c.writes)}
        found, cuts_so_far = [], {target.values}
        for number, later in enumerate(later_phases):
            cut = self._cut(later)
            if cut in cuts_so_far or not made.issuperset(cut):
                continue
            if self._obstacle(later, cut) or self._why_not(later):
                continue
            # What trains until then would be kept as it is now.
            before = cuts.between(self._graph, self._graph.inputs, cut)
            moves = list(map(self._moves, later_phases[:number]))
            if self._views(later) == views and not any(
                moves_in_one(call.operation)
                for moves_in_one in moves
                for call in before.calls
            ):
                cuts_so_far.add(cut)
                # Where there is no room, that phase will say so.
                with contextlib.suppress(_NotUsed):
                    found.append(self._target(cut))
        return found

    def _earlier(self, target, parts):
        """An earlier cut of which everything is kept, with parts to read."""
        for phase in self._phases:
            cut = self._cut(phase)
            if not cut or cut == target.values:
                continue
            if cuts.between(self._graph, cut, target.values) is None:
                continue
            store, rows = self._store(cut, make=False), []
            if store is not None:
                rows = [store.find(part.digests) for part in parts]
            has_all = store and min(found.min() for found in rows) >= 0
            if workers.any_of(not has_all):
                continue
            source = prefix_pass.Target(cut, store)
            tensors = store.tensors(in_memory=False)
            return cut, [
                dataclasses.replace(
                    part,
                    reader=_reader(source, tensors, found[None]),
                    change=_unchanged,
                )
                for part, found in zip(parts, rows, strict=True)
            ]
        return None

    def _watch(self, phase, target, subject, needed):
        """What decides, after the first batches, whether the cache pays."""
        passes = self._epochs(phase)

        def watch(total, seconds):
            if self._choices.find(subject, "prefix_cache") is not None:
                return
            reading = prefix_costs.seconds_to_read(
                target.store, target.store.bytes_per_row * needed
            )
            count = self._views(phase).count
            saved = prefix_costs.saved_seconds(
                computing=seconds,
                reading=reading,
                examples=needed / count,
                epochs=passes,
                lacking=total,
            )
            pays = saved > 0.0
            self._choices.put(subject, "prefix_cache", pays)
            pays = self._choices.find(subject, "prefix_cache")
            told = (
                f"computing takes {1e3 * seconds:.2g} ms an example, reading "
                f"{1e3 * reading:.2g} ms"
            )
            if not pays:
                raise _NotUsed(told)
            self._say(
                f"Prefix cache: {told}; it saves about {saved:.0f} s in "
                f"{passes} epochs."
            )

        return watch

    def _compare(self, target, part):
        """Makes sure that what is kept is what the model computes today."""
        rows = target.store.find(part.digests)
        lacked = workers.any_of_each(rows < 0)
        known = np.flatnonzero(~lacked)[:_CHECKED_EXAMPLES]
        if not len(known):
            return
        beginning = prefix_pass.Beginning(
            self._model,
            cuts.between(self._graph, self._graph.inputs, target.values),
            takes_inputs=True,
        )
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        indices = np.resize(
            known, max(replicas, len(known)) // replicas * replicas
        )
        mine = tf.constant(prefix_pass.mine_of(indices, len(indices)))
        now = beginning.run(keras.tree.flatten(part.read(mine)))
        kept = target.store.tensors(in_memory=False)
        for value, stored in zip(now, kept, strict=True):
            difference, largest = prefix_pass.compared(
                value, stored[rows[indices]]
            )
            tolerance = _TOLERANCE[self._settings.dtype or "float32"]
            if difference > tolerance * largest:
                raise ValueError(
                    "What the prefix cache keeps is not what the model gives. "
                    f"Got: {str(target.store.folder)!r}, which differs by "
                    f"{difference:.3g} of at most {largest:.3g}. The code of a "
                    "layer of your own may have changed. Remove that folder "
                    "(`tl-keras cache --clear` removes all), or pass "
                    "`prefix_cache='never'`."
                )

    def _parts(self, views) -> dict[str, list]:
        """What has to be known: training views, and validation as it is."""
        splits = self._feed.data.splits
        examples = splits["train"]
        parts = {
            "train": [
                prefix_pass.Part(
                    examples.inputs,
                    views.changer(view, len(examples)),
                    views.digests(examples.digests, view),
                )
                for view in range(views.count)
            ]
        }
        if "validation" in splits:
            examples = splits["validation"]
            parts["validation"] = [
                prefix_pass.Part(examples.inputs, _unchanged, examples.digests)
            ]
        return parts

    def _views(self, phase):
        return views_.Views(
            phase.augmentation, phase.cache_views, self._feed.data.seed
        )

    def _target(self, cut):
        """The place for what a cut gives, made on all workers or on none.

        Raises:
            _NotUsed: If it cannot be made on all.
        """
        store, reason = None, None
        make_room = self._writes
        try:
            store = self._store(cut, make_room=make_room)
        except _NotUsed as stop:
            reason = str(stop)
        except OSError as error:
            reason = self._unusable(error)
        for one in filter(None, workers.gathered(reason)):
            raise _NotUsed(one)
        return prefix_pass.Target(cut, store)

    def _unusable(self, error) -> str:
        return f"{self._settings.path} cannot be used ({error})"

    @functools.cached_property
    def _writes(self) -> bool:
        """Whether this worker writes, and not another one into the folder."""
        return workers.is_first_in(self._settings.path)

    def _store(self, cut, *, make: bool = True, make_room: bool = False):
        """The store of what a cut gives with the weights of now."""
        data = self._feed.data
        part = cuts.between(self._graph, self._graph.inputs, cut)
        key = store_key(part, data, self._settings.dtype)
        # Of seeds that Keras draws, each worker has its own.
        folder = self._settings.path / workers.of_chief(key)
        if not make and not folder.exists():
            return None
        specs = [
            feature_store.RowSpec(
                tuple(value.tensor.shape[1:]), self._stored_dtype(value)
            )
            for value in cut
        ]
        described = ", ".join(
            f"{graph.producer_of(v.tensor).name} {tuple(v.tensor.shape[1:])}"
            for v in cut
        )
        store = feature_store.FeatureStore(
            folder,
            specs,
            f"{self._model.name}: {described}, from {data.input_spec} of "
            f"{data.name}",
        )
        examples = sum(map(len, data.splits.values()))
        if make_room:
            self._make_room(store, examples)
        return store

    def _stored_dtype(self, value) -> str:
        dtype = value.tensor.dtype
        if dtype == "float32" and self._settings.dtype is not None:
            return self._settings.dtype
        return dtype

    def _subject(self, phase, target, views) -> str:
        """What the choice for a phase depends on."""
        return (
            f"{phase.name}: {target.store.folder.name}, {views}, "
            f"{self._epochs(phase)} epochs, data {self._feed.data.fingerprint}"
        )

    def _epochs(self, phase) -> int:
        if phase.steps is None:
            return phase.epochs
        return -(-phase.steps // self._feed.steps_per_epoch)

    def _fits_memory(self, num_bytes: int) -> bool:
        if self._settings.memory_gb is None:
            return memory.should_keep(num_bytes, "auto")
        return num_bytes <= self._settings.memory_gb * 2**30

    def _make_room(self, store, examples: int):
        """Sees to it that rows for all examples fit, or says why not."""
        rows = max(0, examples - len(store))
        needed = rows * store.bytes_per_row
        limit = self._settings.disk_gb * 2**30
        if store.bytes_per_row * examples > limit:
            raise _NotUsed(
                f"it would take {_in_gb(store.bytes_per_row * examples)}, and "
                f"`disk_gb` allows {_in_gb(limit)}"
            )
        feature_store.make_room(
            self._settings.path, limit - needed, but_not=store.folder
        )
        free = shutil.disk_usage(store.folder).free - _DISK_RESERVE
        if needed > free:
            raise _NotUsed(
                f"it would take {_in_gb(needed)}, and {_in_gb(max(free, 0))} "
                f"are free in {self._settings.path}"
            )


def store_key(part: graph.Flat, data, dtype: str | None = None) -> str:
    """The name of the store of what a part of a model gives for data.

    Args:
        part: From the inputs to the cut.
        data: A `Data`.
        dtype: The `dtype` of the `PrefixCache`.

    Returns:
        32 hexadecimal digits: of what computes the rows, and from what.
    """
    content = [
        _FORMAT,
        graph_fingerprint.of(part),
        repr(data.input_spec),
        data.keep_aspect_ratio,
        dtype,
        tf.__version__,
        keras.__version__,
        sorted({d.device_type for d in tf.config.list_logical_devices()}),
    ]
    text = json.dumps(content).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()


class _NotUsed(Exception):
    """Ends the work on the cache for a phase, with the reason."""


def _lacking(target, parts) -> int:
    """How many results a store lacks of what has to be known."""
    return sum(
        int(workers.any_of_each(target.store.find(part.digests) < 0).sum())
        for part in parts
    )


def _unchanged(inputs, indices):
    return inputs


def _reader(target, tensors, rows) -> features.Features:
    """Reads what is kept at a cut; `rows` are `[views, examples]`."""
    with tf.device("CPU:0"):
        rows = tf.constant(rows)
    dtypes = tuple(value.tensor.dtype for value in target.values)
    return features.Features(tensors, rows, dtypes)


def _in_gb(num_bytes: float) -> str:
    return f"{num_bytes / 2**30:.3g} GB"


def _sentence(report, needed: int) -> str:
    size = needed * report.bytes_per_example / 2**20
    computed = "all were there already"
    if report.computed:
        computed = (
            f"{report.computed:,} of them computed in {report.seconds:.1f} s"
        )
    rounding = ""
    if report.rounding:
        rounding = f" Rounding is off by at most {report.rounding:.1e}."
    return (
        f"Prefix cache: {needed:,} results behind {', '.join(report.cut)}, "
        f"{size:,.1f} MB, {computed}.{rounding}"
    )
