"""Temperature scaling: a model's scores made as sure as it is right."""

import dataclasses

import keras
import numpy as np
from scipy import optimize
from scipy import special

from tl_keras import graph
from tl_keras import models
from tl_keras.evaluation import predictions
from tl_keras.evaluation import sample as samples

# The search for the temperature stays within.
_LOWEST, _HIGHEST = 1e-2, 1e2
METRICS = (
    "log_loss",
    "brier_score",
    "expected_calibration_error",
    "debiased_calibration_error",
)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What `calibrate` did.

    Attributes:
        temperature: What the logits are divided by: above 1 for a model that
            was too sure; 1.0 where none was fitted.
        applied: Whether the model's weights were divided by it.
        reason: Why, or why not.
        num_examples: How many examples it was fitted on.
        before: `log_loss`, `brier_score`, `expected_calibration_error` and
            `debiased_calibration_error` on these without it.
        after: The same with it.
    """

    temperature: float
    applied: bool
    reason: str
    num_examples: int
    before: dict[str, float]
    after: dict[str, float]

    def as_dict(self) -> dict:
        """The fields as plain numbers and dicts, ready for JSON."""
        return dataclasses.asdict(self)


def calibrate(model, dataset) -> Calibration:
    """Divides a classifier's logits by the best temperature, in place.

    Trained networks are surer than they are right. One number, fitted on
    validation data, mends most of it, and changes no predicted class. It is
    put into the weights of the last layer (kernel and bias are divided by
    it), so that every form in which the model is saved or exported gives
    calibrated probabilities, and needs no layer more.

    Args:
        model: A `keras.Model` whose last layer is Dense, with logits or with
            a softmax, such as `tl_keras.build` gives.
        dataset: Validation data, as `tl_keras.evaluate` takes it: what the
            weights were not fitted to.

    Returns:
        A `Calibration`.

    Raises:
        TypeError, ValueError: As `tl_keras.evaluate` does, and if the last
            layer is no Dense.

    Reference:
        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017,
        https://arxiv.org/abs/1706.04599

    Example:
        >>> import keras, numpy, tensorflow
        >>> dense = keras.layers.Dense(2, "linear", False, "identity")
        >>> model = keras.Sequential([keras.Input((2,)), dense])
        >>> inputs = numpy.array([[4.0, 0], [4, 0], [4, 0], [4, 0]])
        >>> pairs = (inputs, [0, 0, 0, 1])
        >>> dataset = tensorflow.data.Dataset.from_tensor_slices(pairs).batch(4)
        >>> round(calibrate(model, dataset).temperature, 2)  # 4 / log(3)
        3.64
    """
    layer = _last_dense(model)
    logits, labels = predictions.predict_logits(model, dataset)
    found = of_logits(logits, labels)
    if found.applied:
        layer.set_weights(
            [weight / found.temperature for weight in layer.get_weights()]
        )
    return found


def of_logits(logits, labels) -> Calibration:
    """What `calibrate` finds for logits, without a model.

    Args:
        logits: Float array `[examples, num_classes]`.
        labels: Integer array `[examples]`.

    Returns:
        A `Calibration`; `applied` says whether there is a best temperature.

    Example:
        >>> found = of_logits([[4.0, 0.0]] * 4, [0, 0, 0, 1])
        >>> round(found.temperature, 2), found.applied
        (3.64, True)
    """
    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    temperature, reason = fit(logits, labels)
    before = _scores(logits, labels)
    return Calibration(
        temperature=temperature or 1.0,
        applied=temperature is not None,
        reason=reason,
        num_examples=len(labels),
        before=before,
        after=_scores(logits / temperature, labels) if temperature else before,
    )


def fit(logits, labels) -> tuple[float | None, str]:
    """The temperature with the lowest log loss.

    The log loss is convex in the inverse temperature. It has no lowest value
    where every example is classified correctly (the surer the better), nor
    where guessing is better than the model.

    Args:
        logits: float64 array `[examples, num_classes]`.
        labels: Integer array `[examples]`.

    Returns:
        The temperature, or None; and why.
    """
    of_label = logits[np.arange(len(labels)), labels]
    if (of_label >= logits.max(axis=1)).all():
        return None, (
            "every validation example is classified correctly, so that the "
            "log loss has no lowest value"
        )
    if np.mean(of_label - logits.mean(axis=1)) <= 0:
        return None, "the validation scores say less than guessing would"

    def slope(log_inverse):
        """Of the log loss, over the inverse temperature."""
        scaled = special.softmax(np.exp(log_inverse) * logits, axis=1)
        return ((scaled * logits).sum(axis=1) - of_label).mean()

    bounds = np.log([1 / _HIGHEST, 1 / _LOWEST])
    if slope(bounds[0]) >= 0 or slope(bounds[1]) <= 0:
        return None, (
            f"the best temperature is not between {_LOWEST:g} and {_HIGHEST:g}"
        )
    root = optimize.brentq(slope, *bounds, xtol=1e-10)
    return float(np.exp(-root)), "it has the lowest validation log loss"


def _scores(logits, labels) -> dict[str, float]:
    sample = samples.Sample(predictions.softmax(logits), labels)
    found = sample.metrics()
    return {name: float(found[name][0]) for name in METRICS}


def before_and_after(logits, labels, temperature: float) -> dict[str, dict]:
    """The scores that calibrated logits had, and those that they have.

    Args:
        logits: Float array `[examples, num_classes]` of the calibrated model.
        labels: Integer array `[examples]`.
        temperature: By which they were divided.

    Returns:
        `{"before": {...}, "after": {...}}` with the metrics of a
        `Calibration`.
    """
    logits = np.asarray(logits, np.float64)
    return {
        "before": _scores(logits * temperature, labels),
        "after": _scores(logits, labels),
    }


def _last_dense(model):
    """The layer that gives the logits."""
    if getattr(model, "outputs", None) and models.last_activation(model) in (
        None,
        "softmax",
    ):
        operations = [one for one, _ in graph.operations(model)]
        for operation in reversed(operations):
            if isinstance(operation, keras.layers.Dense):
                return operation
            kept = isinstance(
                operation, (keras.layers.Activation, keras.layers.Softmax)
            )
            if not kept:
                break
    raise ValueError(
        "The model cannot be calibrated in its weights. Expected a "
        "`keras.Model` that ends in a Dense layer with logits or a softmax, "
        "such as `tl_keras.build` gives. Fit the temperature to its logits by "
        "`tl_keras.evaluation.temperature.of_logits` instead."
    )
