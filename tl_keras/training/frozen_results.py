"""What is frozen in front of a phase, kept for all examples of a part."""

import dataclasses

from tl_keras import graph
from tl_keras.training import feeds
from tl_keras.training import prefix_cache
from tl_keras.training import timed_choices


def of(model, groups, data, examples, phase, settings, *, say):
    """Reads results from the prefix cache, and computes those that it lacks.

    They are those that a `fit` by the phase reads, too.

    Args:
        model: A Functional `keras.Model`.
        groups: Its resolved layer groups.
        data: The `Data` that the examples are of.
        examples: `Examples` with a reader.
        phase: A `Phase`; what is in front of the groups that it trains counts.
        settings: A `PrefixCache`; its `mode` is not asked.
        say: Called with a line on what was computed.

    Returns:
        `(reader, rest, report)`: a reader of results in the examples' order,
        what of the model has to be run on them, and a `CacheReport`.

    Raises:
        ValueError: If there is nothing frozen that could be kept.
        OSError: If it cannot be kept.
    """
    feed = feeds.DataFeed(dataclasses.replace(data, splits={"train": examples}))
    prefixes = prefix_cache.Prefixes(
        model,
        graph.flat(model),
        groups,
        feed,
        dataclasses.replace(settings, mode="always"),
        (phase,),
        timed_choices.TimedChoices(None),
        say=say,
    )
    prefixes.check(phase)
    kept, rest, report = prefixes.apply(phase)
    return kept.data.splits["train"].inputs, rest, report
