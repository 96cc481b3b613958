"""From a source to `Data`: the user's choices, checked and carried out."""

import dataclasses

from tl_keras import checks
from tl_keras.data import data
from tl_keras.data import fingerprint
from tl_keras.data import preparation
from tl_keras.data import splits as splits_


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choices:
    """The arguments of `load` that hold for every source; see there."""

    image_size: int | None
    batch_size: int
    seed: int
    channels: int | None
    validation_fraction: float
    train_examples: int | None
    keep_aspect_ratio: bool
    cache: bool | str

    def __post_init__(self):
        if self.image_size is not None:
            checks.integer(self.image_size, name="image_size", low=1)
        checks.integer(self.batch_size, name="batch_size", low=1)
        checks.integer(self.seed, name="seed")
        checks.in_range(self.seed, name="seed", high=2**32 - 1)
        if self.channels is not None:
            checks.integer(self.channels, name="channels", low=1)
        checks.share(self.validation_fraction, name="validation_fraction")
        if self.train_examples is not None:
            checks.integer(self.train_examples, name="train_examples", low=1)
        checks.instance(self.keep_aspect_ratio, bool, name="keep_aspect_ratio")
        checks.one_of(self.cache, ["auto", True, False], name="cache")

    def apply(self, source) -> data.Data:
        """Splits, reduces and prepares what a source has read."""
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
