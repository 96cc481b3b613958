"""What is to be explained, and how, as a value that imports nothing slow."""

import dataclasses

from tl_keras import checks

METHODS = ("grad_cam", "integrated_gradients", "occlusion", "lime", "shap")
_SPLITS = ("test", "validation", "train")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What of a finished run is to be explained, and how.

    Attributes:
        methods: Names as `tl_keras.interpretation.explain` takes them; none
            for its default.
        class_name: The class to explain; None for the predicted one.
        layer: The layer of Grad-CAM; None for the last one that will do.
        check: Whether each explanation is checked.
        neighbours: How many of the nearest training examples to name.
        top_losses: How many of the worst errors on `split` to explain too.
        split: "test", "validation" or "train".
        seed: Of what is drawn at random.

    Raises:
        TypeError, ValueError: If a field is none of these.

    Example:
        >>> Request(methods=("grad_cam",)).neighbours
        0
    """

    methods: tuple[str, ...] = ()
    class_name: str | None = None
    layer: str | None = None
    check: bool = True
    neighbours: int = 0
    top_losses: int = 0
    split: str = "test"
    seed: int = 0

    def __post_init__(self):
        object.__setattr__(self, "methods", tuple(self.methods))
        for method in self.methods:
            checks.one_of(method, METHODS, name="methods")
        checks.integer(self.neighbours, name="neighbours")
        checks.integer(self.top_losses, name="top_losses")
        checks.integer(self.seed, name="seed")
        checks.one_of(self.split, _SPLITS, name="split")
