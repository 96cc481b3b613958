"""What `fit` is handed, made ready: data, model and plan in one value."""

import dataclasses

from tl_keras import cards
from tl_keras import checks
from tl_keras import cuts
from tl_keras import graph
from tl_keras import models
from tl_keras.training import feeds
from tl_keras.training import log
from tl_keras.training import losses
from tl_keras.training import prefix_cache as prefix_caches
from tl_keras.training import static_feed
from tl_keras.training import strategies
from tl_keras.training.phase_training import PhaseTraining
from tl_keras.tuning import groups as layer_groups
from tl_keras.tuning import pruning


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What all phases have in common.

    Attributes:
        feed: What the user's model reads.
        whole: The graph of that model, flat.
        training: A `PhaseTraining`.
    """

    feed: object
    whole: graph.Flat
    training: PhaseTraining


def prepare(
    model,
    data,
    plan,
    *,
    groups,
    loss,
    metrics,
    class_weight,
    validation_data,
    prefix_cache,
    seed,
    callbacks,
    choices,
    step_trial,
    verbose,
    static: bool | None = None,
) -> Prepared:
    """Makes ready what `fit` is handed, in the scope of its strategy.

    Args:
        model, data, plan, groups, loss, metrics, class_weight: As of `fit`.
        validation_data, seed, callbacks, step_trial: As of `fit`.
        prefix_cache: A `PrefixCache`.
        choices: A `TimedChoices`.
        verbose: 0, 1 or 2.
        static: Whether all batches are of one size; None where the strategy
            asks for it.

    Returns:
        A `Prepared`.

    Raises:
        TypeError, ValueError: If an argument does not fit.
    """
    if static is None:
        static = strategies.runs_on_tpu()
    card = cards.of(model)
    if groups is None and card is not None:
        groups = card.groups
    if card is not None and hasattr(data, "input_spec"):
        _check_inputs(data.input_spec, card.input_spec)
    resolved = layer_groups.resolve(model, groups)
    feed = feeds.make(
        data,
        validation_data,
        num_classes=_num_classes(model, loss),
        class_weight=class_weight,
        seed=seed,
    )
    whole = graph.flat(model)
    prefixes = prefix_caches.Prefixes(
        model,
        whole,
        resolved,
        feed,
        _uncached(prefix_cache) if static else prefix_cache,
        plan.phases,
        choices,
        say=log.teller(verbose),
    )
    begun_feed, rest = _without_strings(feed, model, whole)
    if static:
        begun_feed = static_feed.of(begun_feed)
    training = PhaseTraining(
        model=model,
        rest=rest,
        groups=resolved,
        feed=begun_feed,
        prefixes=prefixes,
        loss=_loss(model, loss, plan),
        metrics=_metrics(metrics, loss),
        starting_point=_starting_point(resolved, plan),
        masked=pruning.masked(plan.phases, resolved),
        seed=seed,
        callbacks=tuple(callbacks),
        choices=choices,
        step_trial=step_trial,
        static=static,
        verbose=verbose,
    )
    return Prepared(feed, whole, training)


def _uncached(prefix_cache):
    """Without the prefix cache, which a TPU has nowhere been tried with."""
    if prefix_cache.mode == "always":
        raise ValueError(
            "On a TPU there is no prefix cache. Got: "
            "prefix_cache='always'. Expected 'auto', which does without "
            "there, or 'never'."
        )
    return dataclasses.replace(prefix_cache, mode="never")


def _check_inputs(given, taken):
    """Refuses data of another kind or form than the model takes."""
    is_alike = given.kind == taken.kind and all(
        expected in (None, size)
        for expected, size in zip(taken.shape, given.shape, strict=False)
    )
    if is_alike and len(given.shape) == len(taken.shape):
        rates = {getattr(spec, "sample_rate", 0) for spec in (given, taken)}
        if len(rates) == 1:
            return
    raise ValueError(
        f"Data and model differ in their inputs. Got: data of {given}, and a "
        f"model that takes {taken}. Load the encoder for the data: "
        "`tl_keras.encoders.load(NAME, input_spec=data.input_spec)`."
    )


def _without_strings(feed, model, whole):
    """Moves what reads strings into the input pipeline, if that can be.

    Tokenising has no weights. Ahead of the step, it needs no CPU between two
    parts on a GPU, and what is left runs under XLA and on a TPU.
    """
    cut = cuts.behind_strings(whole)
    if not cut:
        return feed, None
    beginning, rest = cuts.split(whole, cut)
    return feeds.BegunFeed(feed, model, beginning), rest


def _num_classes(model, loss) -> int | None:
    """The number of classes, or None if the labels may be something else."""
    if loss is not None and cards.of(model) is None:
        return None
    shape = model.output_shape
    if isinstance(shape, list) or shape[-1] is None or shape[-1] < 2:
        raise ValueError(
            "`fit` chooses a loss for classifiers with one output a class, "
            f"at least 2. Got: outputs of shape {shape}. Pass `loss`, and "
            "`metrics` and `monitor` as they go with it."
        )
    return shape[-1]


def _loss(model, loss, plan):
    if loss is None:
        last = models.last_activation(model)
        if last == "sigmoid":
            raise ValueError(
                "The model ends in a sigmoid, whose outputs are no "
                "distribution over classes. Pass `loss` (e.g. "
                "'binary_crossentropy') and `metrics`, or end it in a softmax."
            )
        return losses.Crossentropy(from_logits=last is None)
    name = loss if isinstance(loss, str) else _name_of(loss)
    softens = [
        phase.name
        for phase in plan.phases
        if phase.label_smoothing
        or phase.augmentation.mixup
        or phase.augmentation.cutmix
    ]
    if softens and name.lower().startswith("sparse"):
        raise ValueError(
            f"Phases {softens} turn labels into probabilities (label "
            f"smoothing, MixUp or CutMix). Got `loss`: {name}, which takes "
            "class numbers. Leave `loss` out, or switch those off."
        )
    return loss


def _name_of(loss) -> str:
    return getattr(loss, "__name__", type(loss).__name__)


def _metrics(metrics, loss) -> list:
    if metrics is None:
        return [losses.accuracy] if loss is None else []
    checks.instance(
        metrics, (list, tuple), name="metrics", hint="Write a list of them."
    )
    # By its name Keras chooses between two kinds of accuracy by the first
    # labels it sees; with soft training labels it is wrong in validation.
    return [
        losses.accuracy
        if loss is None and metric in ("accuracy", "acc")
        else metric
        for metric in metrics
    ]


def _starting_point(groups, plan) -> dict:
    if not any(phase.starting_point_strength for phase in plan.phases):
        return {}
    return {
        id(weight): weight.numpy()
        for group in groups.names[:-1]
        for member in groups.members[group]
        for weight in member.trainable_weights
    }
