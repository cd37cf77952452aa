"""What can go wrong, and what mends it.

- ``ClassifierError``
    - ``ModelFileError``: a file of the model is missing, unreadable or not what the manifest says.
    - ``DataError``: a file of labelled prompts cannot be read, or a line of it is wrong.
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


class DataError(ClassifierError):
    """A file of labelled prompts cannot be used.

    Attributes:
        path: the file in question.
        line: the line at fault, counted from 1; ``None`` where it is the file.
        cause: what is wrong, in one clause that names the field.
    """

    def __init__(self, path: Path, line: int | None, cause: str) -> None:
        super().__init__(f"{path}:{'' if line is None else f'{line}:'} {cause}")
        self.path = path
        self.line = line
        self.cause = cause
