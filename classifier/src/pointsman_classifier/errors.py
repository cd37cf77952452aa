"""What can go wrong, and what mends it.

- ``ClassifierError``
    - ``ModelFileError``: a file of the model is missing, unreadable or not what the manifest says.
"""

from __future__ import annotations

from pathlib import Path


class ClassifierError(Exception):
    """Base of every error this package raises on purpose."""


class ModelFileError(ClassifierError):
    """A file of the model cannot be used.

    Attributes:
        path: the file in question.
        cause: what is wrong with it, in one clause.
        mend: what the reader can do about it, in one sentence.
    """

    def __init__(self, path: Path, cause: str, mend: str) -> None:
        super().__init__(f"cannot load the classifier's {path.name} ({path}): {cause}. {mend}")
        self.path = path
        self.cause = cause
        self.mend = mend
