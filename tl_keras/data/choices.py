"""From a source to `Data`: the user's choices, checked and carried out."""

import dataclasses

from tl_keras import checks
from tl_keras.data import data
from tl_keras.data import exclusion
from tl_keras.data import fingerprint
from tl_keras.data import preparation
from tl_keras.data import splits as splits_

# Which kinds of input an argument is for, where it is not for all.
_KINDS = {
    "image_size": ("image",),
    "keep_aspect_ratio": ("image",),
    "channels": ("image", "audio"),
    "sample_rate": ("audio",),
    "seconds": ("audio",),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choices:
    """The arguments of `load` that hold for every source; see there."""

    image_size: int | None = None
    batch_size: int = 32
    seed: int = 0
    channels: int | None = None
    validation_fraction: float = 0.1
    train_examples: int | None = None
    keep_aspect_ratio: bool = False
    sample_rate: int | None = None
    seconds: float | None = None
    cache: bool | str = "auto"
    exclude: tuple[str, ...] = ()

    def __post_init__(self):
        checks.integer(self.batch_size, name="batch_size", low=1)
        checks.integer(self.seed, name="seed")
        checks.in_range(self.seed, name="seed", high=2**32 - 1)
        for name in ("image_size", "channels", "train_examples", "sample_rate"):
            if getattr(self, name) is not None:
                checks.integer(getattr(self, name), name=name, low=1)
        checks.share(self.validation_fraction, name="validation_fraction")
        checks.instance(self.keep_aspect_ratio, bool, name="keep_aspect_ratio")
        if self.seconds is not None:
            checks.in_range(
                self.seconds, name="seconds", low=0.0, include_low=False
            )
        checks.one_of(self.cache, ["auto", True, False], name="cache")
        checks.instance(
            self.exclude,
            (tuple, list),
            name="exclude",
            hint="Write the ids of examples, e.g. ['cats/3.jpg'].",
        )

    def apply(self, source) -> data.Data:
        """Splits, reduces and prepares what a source has read.

        Raises:
            ValueError: If a choice is for another kind of input.
        """
        self._check_kind(source)
        source, excluded = exclusion.apply(source, self.exclude)
        examples = self._divide(source)
        identity = {
            split: (part.digests, part.labels)
            for split, part in examples.items()
        }
        prepared, input_spec = preparation.prepare(examples, self)
        return data.Data(
            name=source.name,
            class_names=tuple(source.class_names),
            input_spec=input_spec,
            batch_size=self.batch_size,
            seed=self.seed,
            keep_aspect_ratio=self.keep_aspect_ratio,
            fingerprint=fingerprint.combine(source.class_names, identity),
            splits=prepared,
            excluded=excluded,
        )

    def _check_kind(self, source):
        for name, kinds in _KINDS.items():
            value = getattr(self, name)
            if value not in (None, False) and source.kind not in kinds:
                raise ValueError(
                    f"`{name}` is for data of kind {' or '.join(kinds)}, and "
                    f"{source.name!r} is of kind {source.kind}. Got: {value}. "
                    "Leave it out."
                )

    def _divide(self, source):
        train, validation = source.train, source.validation
        if validation is None and self.validation_fraction:
            rest, held_out = splits_.hold_out(
                train.labels,
                round(self.validation_fraction * len(train)),
                seed=self.seed,
                class_names=source.class_names,
            )
            train, validation = train.take(rest), train.take(held_out)
        if self.train_examples is not None:
            chosen = splits_.subset(
                train.labels,
                self.train_examples,
                seed=self.seed,
                class_names=source.class_names,
            )
            train = train.take(chosen)
        parts = {"train": train, "validation": validation, "test": source.test}
        return {name: part for name, part in parts.items() if part is not None}
