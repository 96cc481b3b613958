"""What is amiss with labelled data: duplicates, doubtful labels, leakage.

Each file looks for one thing, and gives values; `tl_keras.audit` looks for all
of them and writes its report.
"""

from tl_keras import lazy

__all__, __getattr__, __dir__ = lazy.names(
    __name__,
    {
        "Audit": "tl_keras.auditing.results",
        "DoubtfulLabel": "tl_keras.auditing.doubtful_labels",
        "DuplicateGroup": "tl_keras.auditing.duplicates",
    },
)
