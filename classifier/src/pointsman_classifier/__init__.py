"""Reads what a prompt asks for: task, complexity, urgency, domain and tone.

    >>> from pointsman_classifier import Classifier
    >>> classifier = Classifier.load()
    >>> profile = classifier.classify("Why does `for i in 3:` raise a TypeError?")
    >>> profile.task_type.value
    'code'

Everything that is public is listed in ``__all__``. Nothing is loaded at import.
"""

from pointsman_classifier.classifier import Classifier
from pointsman_classifier.errors import ClassifierError, ModelFileError
from pointsman_classifier.profile import Profile, Reading

__all__ = ["Classifier", "ClassifierError", "ModelFileError", "Profile", "Reading"]
