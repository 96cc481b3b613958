"""Entries of a `results.json` that has every section, for tests."""

import io

import numpy as np
from matplotlib import image as matplotlib_image

# A name that would do harm where it is not escaped, and two that are odd.
NAMES = ("<script>alert(1)</script>", 'a "b" & c', "$x_1$ {{ 7 * 7 }}")
_SHARES = (0.25, 0.5, 0.75, 1.0)


def picture(size: int = 4) -> bytes:
    """A black PNG."""
    buffer = io.BytesIO()
    matplotlib_image.imsave(buffer, np.zeros((size, size, 3)), format="png")
    return buffer.getvalue()


def entries() -> dict:
    """A run on three classes, with all that can be known of one."""
    return {
        "schema_version": 1,
        "dataset": "folder:<b>pets</b>",
        "encoder": "tiny",
        "plan": "head_then_top",
        "seed": 3,
        "data_fingerprint": "5f3a",
        "parameters": {"trained": 1234567, "frozen": 89},
        "phases": [_phase("head", 2, True), _phase("<top>", 2, False)],
        "test": test(),
        "versions": {"tl_keras": "0.1.0", "python": "3.11.7"},
        "config": {
            "seed": 3,
            "data": {"name": "folder:<b>pets</b>"},
            "report": {"intended_use": "For <i>pets</i>.", "limits": None},
        },
        "data": {
            "kind": "image",
            "input": "images of 32 px with 3 channels",
            "batch_size": 32,
            "splits": {"train": 60, "validation": 9, "test": 33},
            "classes": [
                {"name": name, "train": 20, "validation": 3, "test": 11}
                for name in NAMES
            ],
        },
        "history": _history(),
        "best": {
            "row": 2,
            "phase": "<top>",
            "epoch": 1,
            "monitor": "val_accuracy",
            "score": 0.83,
        },
        "cost": {
            "seconds": {"training": 75.5, "evaluation": 2.25, "total": 80.0},
            "peak_memory_bytes": 3 * 2**28,
            "peak_device_memory_bytes": {"/device:GPU:0": 2**30},
            "devices": ["GPU: A <device>"],
            "frozen_passes": {"made": 120, "without_cache": 138},
        },
        "origin": {
            "name": "tiny",
            "weights": "imagenet",
            "source": "the weights in tl_keras",
            "licence": "Apache-2.0",
            "sha256": None,
        },
        "examples": _examples(),
        "excluded_examples": {"train": 7},
        "calibration": {
            "temperature": 1.37,
            "applied": True,
            "reason": "it lowers the log loss",
            "num_examples": 9,
            "validation": _before_and_after(0.31),
            "test": _before_and_after(0.33),
        },
        "cross_validation": _trials("folds", 6),
        "stability": {"seeds": _trials("seeds", 3), "splits": None},
        "robustness": _robustness(),
        "comparison": _comparison(),
        "explanations": _explanations(),
        "audit": audit(),
    }


def audit() -> dict:
    """What is in an `audit.json`, as far as the report reads it."""
    return {
        "dataset": "folder:<b>pets</b>",
        "fingerprint": "5f3a",
        "encoder": "tiny",
        "counts": {"Duplicates": "1 exact and 0 near groups of 2 examples"},
        "duplicates": {
            "exact_groups": 1,
            "groups": [
                {
                    "ids": ["cats/<i>.png", "dogs/2.png"],
                    "splits": ["train", "test"],
                    "labels": list(NAMES[:2]),
                    "exact": True,
                    "likeness": 1.0,
                    "conflicting": True,
                }
            ],
        },
        "doubtful_labels": {
            "judged": 60,
            "likely_errors": 1,
            "ranking": [
                {
                    "id": "cats/<u>.png",
                    "split": "train",
                    "label": NAMES[0],
                    "suggestion": NAMES[2],
                    "quality": 0.0123,
                    "probability": 0.98,
                    "agreement": 0.9,
                    "likely_error": True,
                }
            ],
        },
        "seconds": 12.5,
    }


def test() -> dict:
    """The entry `test`."""
    matrix = [[9, 1, 1], [2, 8, 1], [0, 0, 11]]
    scores = {
        f"{average}_{score}": 0.8 + place / 100
        for place, (average, score) in enumerate(
            (average, score)
            for average in ("macro", "micro", "weighted")
            for score in ("precision", "recall", "f1")
        )
    }
    scores |= {
        "accuracy": 28 / 33,
        "top_5_accuracy": None,
        "balanced_accuracy": 0.8484,
        "matthews_correlation": 0.77,
        "cohen_kappa": 0.76,
        "roc_auc": 0.93,
        "average_precision": 0.91,
        "log_loss": 0.41,
        "brier_score": 0.22,
        "expected_calibration_error": 0.061,
        "debiased_calibration_error": 0.044,
    }
    curve = [0.0, 0.5, 1.0]
    return {
        "num_examples": 33,
        **scores,
        "per_class": {
            name: {
                "precision": 0.7 + place / 10,
                "recall": matrix[place][place] / 11,
                "f1": 0.75 + place / 20,
                "support": 11,
                "roc_auc": 0.9,
                "average_precision": 0.88,
                "intervals": {
                    "precision": [0.6, 0.9],
                    "recall": [0.61, 0.91],
                    "f1": [0.62, 0.92],
                },
            }
            for place, name in enumerate(NAMES)
        },
        "confusion_matrix": matrix,
        "reliability": _bins(),
        "curves": {
            "roc": {
                name: {
                    "false_positive_rate": curve,
                    "true_positive_rate": [0.0, 0.9, 1.0],
                    "thresholds": [None, 0.5, 0.0],
                }
                for name in ("micro", *NAMES)
            },
            "precision_recall": {
                name: {
                    "recall": curve,
                    "precision": [1.0, 0.9, 0.3],
                    "thresholds": [0.9, 0.5, None],
                }
                for name in ("micro", *NAMES)
            },
        },
        "thresholds": {
            "precision": {
                "0.9": {
                    NAMES[0]: {
                        "threshold": 0.61,
                        "precision": 0.9,
                        "recall": 0.7,
                    },
                    NAMES[1]: None,
                }
            },
            "recall": {"0.9": {}},
        },
        "selective": {
            "coverage": list(_SHARES),
            "accuracy": [1.0, 0.95, 0.9, 28 / 33],
            "confidence": [0.99, 0.9, 0.7, 0.4],
            "mean_accuracy": 0.94,
        },
        "intervals": {
            name: [value - 0.05, value + 0.04]
            for name, value in scores.items()
            if value is not None
        },
        "interval_settings": {"count": 1000, "seed": 0, "level": 0.95},
        "slices": {
            "camera": {
                value: {
                    "num_examples": 11,
                    "accuracy": accuracy,
                    "balanced_accuracy": accuracy,
                    "macro_f1": accuracy,
                    "log_loss": 0.4,
                    "expected_calibration_error": 0.05,
                    "debiased_calibration_error": 0.04,
                    "intervals": {"accuracy": [accuracy - 0.1, 1.0]},
                }
                for value, accuracy in (("old & grey", 0.71), ("new", 0.92))
            }
        },
    }


def _phase(name, epochs, used) -> dict:
    return {
        "name": name,
        "groups": ["stage3", "head"],
        "epochs": epochs,
        "seconds": 12.75,
        "best_validation_score": 0.83 if name != "head" else None,
        "trained_parameters": 1290,
        "frozen_parameters": 304240,
        "waiting": [0.5, 0.25],
        "prefix_cache": {
            "used": used,
            "reason": "it pays" if used else "nothing is frozen in front",
            "cut": ["pool"] * used,
            "views": 2 * used,
            "bytes_per_example": 512 * used,
            "computed": 120 * used,
            "seconds": 3.5 * used,
            "rounding": 0.0,
        },
        "sparsity": None if used else 0.5,
    }


def _history() -> list[dict]:
    return [
        {
            "phase": phase,
            "epoch": epoch,
            "seconds": 5.5,
            "waiting": 0.125,
            "learning_rate": 1e-3,
            "accuracy": accuracy,
            "loss": 1 - accuracy,
            "val_accuracy": accuracy - 0.02,
            "val_loss": 1.02 - accuracy,
        }
        for phase, epoch, accuracy in (
            ("head", 1, 0.6),
            ("head", 2, 0.7),
            ("<top>", 1, 0.85),
            ("<top>", 2, 0.84),
        )
    ]


def _bins() -> list[dict]:
    edges = np.linspace(0, 1, 16).tolist()
    return [
        {
            "low": low,
            "high": high,
            "num_examples": 11 if low > 0.7 else 0,
            "confidence": (low + high) / 2 if low > 0.7 else None,
            "accuracy": low if low > 0.7 else None,
        }
        for low, high in zip(edges[:-1], edges[1:], strict=True)
    ]


def _before_and_after(loss) -> dict:
    def scores(factor):
        return {
            "log_loss": loss * factor,
            "brier_score": 0.2 * factor,
            "expected_calibration_error": 0.06 * factor,
            "debiased_calibration_error": 0.05 * factor,
        }

    return {"before": scores(1.0), "after": scores(0.9)}


def _trials(kind, count) -> dict:
    return {
        "kind": kind,
        "folds": 3 if kind == "folds" else None,
        "repeats": 2,
        "seeds": 1,
        "group_column": "patient",
        "num_examples": 102,
        "interval_method": "Student's t over repeats",
        "seconds": 61.5,
        "prefix_seconds": 12.5,
        "metrics": {
            name: {
                "mean": 0.8,
                "standard_deviation": 0.02,
                "interval": [0.77, 0.83],
                "lowest": 0.75,
                "highest": 0.86,
                "seed_deviation": None,
            }
            for name in ("accuracy", "macro_f1")
        },
        "trials": [
            {
                "repeat": place // 3,
                "fold": place % 3,
                "seed": 0,
                "num_train": 60,
                "num_validation": 8,
                "num_test": 34,
                "seconds": 5.0,
                "accuracy": 0.75 + place / 50,
                "macro_f1": 0.74 + place / 50,
            }
            for place in range(count)
        ],
    }


def _comparison() -> dict:
    scores = {
        "accuracy": 0.85,
        "balanced_accuracy": 0.84,
        "macro_f1": 0.83,
        "log_loss": 0.4,
        "brier_score": 0.2,
    }
    return {
        "num_examples": 33,
        "level": 0.95,
        "scores": {"this <run>": scores, "other": {**scores, "accuracy": 0.8}},
        "pairs": [
            {
                "first": "this <run>",
                "second": "other",
                "only_first_right": 4,
                "only_second_right": 2,
                "p_value": 0.6875,
                "adjusted_p_value": 0.6875,
                "differ": False,
                "differences": {
                    name: {"difference": 0.05, "interval": [-0.08, 0.17]}
                    for name in scores
                },
            }
        ],
    }


def _robustness() -> dict:
    accuracy = {
        name: [start - step / 20 for step in range(5)]
        for name, start in (
            ("gaussian_noise", 0.7),
            ("blur", 0.65),
            ("jpeg", 0.8),
            ("contrast", 0.78),
        )
    }
    return {
        "num_examples": 33,
        "seed": 0,
        "clean_accuracy": 28 / 33,
        "mean_accuracy": 0.63,
        "mean_accuracy_interval": [0.6, 0.66],
        "by_severity": np.mean(list(accuracy.values()), axis=0).tolist(),
        "by_corruption": {k: float(np.mean(v)) for k, v in accuracy.items()},
        "accuracy": accuracy,
        "relative_accuracy": 0.74,
    }


def _examples() -> dict:
    shown = {
        "id": "cats/<img src=x>.png",
        "label": NAMES[0],
        "predicted": NAMES[1],
        "probability": 0.97,
        "loss": 4.5,
        "index": 12,
        "picture": "pictures/one.png",
        "overlay": "pictures/two.png",
    }
    text = {**shown, "text": "a <b>bad</b> film", "index": 13}
    del text["picture"], text["overlay"]
    return {
        "method": "Grad-CAM",
        "samples": [
            {"id": "a", "label": NAMES[2], "picture": "pictures/one.png"}
        ],
        "top_losses": [shown, text],
        "confident_errors": [shown],
    }


def _explanations() -> dict:
    fractions = [0.0, 0.5, 1.0]
    return {
        "schema_version": 1,
        "model": "cats <and> dogs",
        "methods": ["grad_cam"],
        "explanations": [
            {
                "input": "cats/<b>.png",
                "class_name": NAMES[0],
                "class_index": 0,
                "probability": 0.9,
                "predicted": NAMES[0],
                "method": "grad_cam",
                "layer": "conv",
                "picture": "one.grad_cam.png",
                "tokens": [],
                "checks": {
                    "deletion_area": 0.31,
                    "insertion_area": 0.72,
                    "random_deletion_area": 0.52,
                    "random_insertion_area": 0.55,
                    "fractions": fractions,
                    "deletion": [0.9, 0.2, 0.1],
                    "insertion": [0.1, 0.8, 0.9],
                    "random_deletion": [0.9, 0.5, 0.1],
                    "random_insertion": [0.1, 0.5, 0.9],
                    "randomised_correlation": 0.12,
                    "randomised_deletion_area": 0.5,
                    "completeness_gap": None,
                    "passes": True,
                },
            }
        ],
        "neighbours": [
            {
                "input": "cats/<b>.png",
                "neighbours": [
                    {
                        "id": "cats/7.png",
                        "index": 7,
                        "class_name": NAMES[0],
                        "similarity": 0.93,
                    }
                ],
            }
        ],
    }
