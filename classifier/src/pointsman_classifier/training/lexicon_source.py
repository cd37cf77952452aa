"""Makes the lexicon's JSON out of the lists in ``data/lexicon``.

A list is one language's: a line has an English reading, a tab, and the forms that stand for it,
parted by ``|``. A form that ends in ``*`` stands for every word that begins so.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

from pointsman_classifier.errors import DataError
from pointsman_classifier.lexicon import UNSPACED

_LEAST_STEM = 3
_BY_WRITERS = ("es", "de", "fr", "pt", "ru", "it", "pl", "tr", "nl", "id", "vi", "sv", "cs", "hi")
"""Languages that share scripts with others, about by how many write to a machine in them."""
_ENGLISH = frozenset(
    ["bd", "btw", "chats", "cholera", "muon", "priya", "rota", "sats", "thu", "vat", "vim"]
)
"""Forms that English uses too, rarely enough to be missing among its common words."""


def read_lexicon(folder: Path, english: frozenset[str]) -> str:
    """The JSON of every ``*.tsv`` in ``folder``.

    A form that several languages read differently is read as most do, and where they tie as the one
    with more writers; forms of several words are passed over.

    Args:
        folder: where the lists are.
        english: words that are read as they are, whatever a list says.

    Raises:
        DataError: a line is not a reading and its forms.
    """
    readings: dict[str, Counter[str]] = defaultdict(Counter)
    for path in sorted(folder.glob("*.tsv"), key=_rank):
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if not line.strip():
                continue
            reading, tab, forms = line.partition("\t")
            if not tab or not reading.strip() or not forms.strip():
                raise DataError(path, number, "it is not a reading, a tab and its forms")
            for form in forms.split("|"):
                for variant in _variants(form.strip().lower()):
                    readings[variant][reading.strip().lower()] += 1
    words, stems, signs = {}, {}, {}
    for form, counted in sorted(readings.items()):
        ((best, _),) = counted.most_common(1)
        if form.endswith("*"):
            stem = form.rstrip("*")
            if len(stem) >= _LEAST_STEM:
                stems[stem] = best
        elif UNSPACED.search(form):
            signs[form] = best
        elif form not in english | _ENGLISH and len(form) > 1:
            words[form] = best
    held = {"words": words, "stems": stems, "signs": signs}
    return json.dumps(held, ensure_ascii=False, separators=(",", ":"))


def _rank(path: Path) -> tuple[int, str]:
    known = path.stem in _BY_WRITERS
    return (_BY_WRITERS.index(path.stem) if known else len(_BY_WRITERS), path.stem)


def _variants(form: str) -> set[str]:
    """The form, and as it is typed by those whose keyboard has no accents."""
    if not form or " " in form:
        return set()
    plain = "".join(c for c in unicodedata.normalize("NFD", form) if not unicodedata.combining(c))
    latin = plain.rstrip("*").isascii()
    return {form, plain} if latin else {form}
