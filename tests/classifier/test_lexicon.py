"""Words of other languages are read as English ones: whole, by their stems, or sign by sign."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pointsman_classifier.errors import DataError
from pointsman_classifier.lexicon import Lexicon
from pointsman_classifier.pieces import PieceReader, split_words
from pointsman_classifier.training.lexicon_source import read_lexicon
from pointsman_classifier.training.prompts import Prompt
from tokenizers import Tokenizer

LEXICON = Lexicon(
    words={"schreibe": "write me", "gift": "poison", "код": "code"},
    stems={"schr": "scream", "schreib": "write", "übersetz": "translate"},
    signs={"写": "write", "写作": "compose", "函数": "function", "ภาษา": "language", "です": "is"},
)
EMPTY = Lexicon({}, {}, {})


@pytest.mark.parametrize(
    ("word", "english"),
    [
        ("gift", ("poison",)),
        ("код", ("code",)),
        ("schreibe", ("write", "me")),
        ("schreiben", ("write",)),
        ("schreib", ("write",)),
        ("schrank", ("scream",)),
        ("schr", ("scream",)),
        ("sch", ("sch",)),
        ("übersetzung", ("translate",)),
        ("übersetz", ("translate",)),
        ("verschreiben", ("verschreiben",)),
        ("gifts", ("gifts",)),
        ("写", ("write",)),
        ("写作", ("compose",)),
        ("写函数", ("write", "function")),
        ("我写一个函数", ("我", "write", "一", "个", "function")),
        ("用python3写", ("用", "python3", "write")),
        ("apiです", ("api", "is")),
        ("ภาษาไทย", ("language", "ไ", "ท", "ย")),
        ("", ("",)),
    ],
)
def test_a_word_is_read_as(word: str, english: tuple[str, ...]) -> None:
    assert LEXICON.read(word) == english


def test_only_whole_words_are_known() -> None:
    assert LEXICON.knows("gift")
    assert not LEXICON.knows("schreiben")
    assert not LEXICON.knows("写")


SPACED = st.text(alphabet="abcäßжαñé0_", max_size=20)
UNSPACED = st.text(alphabet="写作函数我ภาษですa9", min_size=1, max_size=20)


@settings(deadline=None)
@given(word=SPACED)
def test_a_lexicon_without_forms_changes_no_word(word: str) -> None:
    assert EMPTY.read(word) == (word,)


@settings(deadline=None)
@given(run=UNSPACED)
def test_no_sign_is_lost_or_made_up(run: str) -> None:
    assert "".join(EMPTY.read(run)) == run
    forms = {english: form for form, english in LEXICON._signs.items()}
    back = "".join(
        form for english in LEXICON.read(run) for form in [forms.get((english,), english)]
    )
    assert back == run


def test_a_form_may_be_read_as_several_words() -> None:
    lexicon = Lexicon({}, {"zusammenfass": "sum up"}, {"要約": "sum up"})
    assert lexicon.read("zusammenfassung") == ("sum", "up")
    assert lexicon.read("要約を") == ("sum", "up", "を")


def test_json_gives_it_back() -> None:
    held = {"words": {"ja": "yes"}, "stems": {"frag": "ask"}, "signs": {"問": "ask"}}
    lexicon = Lexicon.from_json(json.dumps(held))
    assert [lexicon.read(word) for word in ("ja", "fragen", "問題")] == [
        ("yes",),
        ("ask",),
        ("ask", "題"),
    ]


def write(folder: Path, **lists: str) -> Path:
    for language, lines in lists.items():
        (folder / f"{language}.tsv").write_text(lines, "utf-8")
    return folder


def read(folder: Path, *english: str) -> dict[str, dict[str, str]]:
    held: dict[str, dict[str, str]] = json.loads(read_lexicon(folder, frozenset(english)))
    assert set(held) == {"words", "stems", "signs"}
    return held


def test_lists_become_words_stems_and_signs(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        de="Write\tschreibe|Schreib*\n\nsum up\tFasse|zusammenfass*\n",
        zh="write\t写|写作\n",
    )
    assert read(folder) == {
        "words": {"schreibe": "write", "fasse": "sum up"},
        "stems": {"schreib": "write", "zusammenfass": "sum up"},
        "signs": {"写": "write", "写作": "write"},
    }


def test_forms_are_known_without_their_accents_too(tmp_path: Path) -> None:
    folder = write(tmp_path, es="explain\texplícame|tradúc*\n", el="what\tτί\n")
    held = read(folder)
    assert held["words"] == {"explícame": "explain", "explicame": "explain", "τί": "what"}
    assert held["stems"] == {"tradúc": "explain", "traduc": "explain"}


def test_common_english_words_stay_what_they_are(tmp_path: Path) -> None:
    folder = write(tmp_path, de="poison\tgift|giftig\n")
    assert read(folder, "gift")["words"] == {"giftig": "poison"}


def test_a_form_that_languages_read_differently_goes_by_the_most_then_by_writers(
    tmp_path: Path,
) -> None:
    folder = write(
        tmp_path,
        da="poison\tgift\nbut\tmen\n",
        sv="poison\tgift\n",
        nl="present\tgift\nthey\tmen\n",
    )
    assert read(folder)["words"] == {"gift": "poison", "men": "they"}


@pytest.mark.parametrize("form", ["in order to", "a", "ab*", "*", ""])
def test_forms_that_are_too_short_or_of_several_words_are_passed_over(
    tmp_path: Path, form: str
) -> None:
    folder = write(tmp_path, xx=f"know\twissen|{form}\n")
    assert read(folder) == {"words": {"wissen": "know"}, "stems": {}, "signs": {}}


@pytest.mark.parametrize("line", ["write", "write schreibe", "\tschreibe", "write\t", " \tx"])
def test_a_wrong_line_is_named_by_file_and_line(tmp_path: Path, line: str) -> None:
    folder = write(tmp_path, de=f"know\twissen\n{line}\n")
    with pytest.raises(DataError, match="it is not a reading, a tab and its forms") as caught:
        read_lexicon(folder, frozenset())
    assert (caught.value.path.name, caught.value.line) == ("de.tsv", 2)


def test_the_same_lists_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    lists = {"de": "write\tschreib*|tippe\n", "fr": "write\técris|tape\n"}
    write(tmp_path / "one", **lists)
    write(tmp_path / "two", **dict(reversed(lists.items())))
    one = read_lexicon(tmp_path / "one", frozenset())
    assert one == read_lexicon(tmp_path / "two", frozenset())


def test_without_lists_it_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path) == {"words": {}, "stems": {}, "signs": {}}


@pytest.fixture(scope="module")
def committed(model_folder: Path) -> dict[str, dict[str, str]]:
    held: dict[str, dict[str, str]] = json.loads((model_folder / "lexicon.json").read_text("utf-8"))
    return held


@pytest.fixture(scope="module")
def reader(model_folder: Path, committed: dict[str, dict[str, str]]) -> PieceReader:
    tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    return PieceReader(tokenizer, Lexicon.from_json(json.dumps(committed)))


def share_changed(reader: PieceReader, prompts: Sequence[Prompt]) -> float:
    words = [word for prompt in prompts for word in split_words(prompt.text.lower())]
    return sum(reader.read_english([word]) != [word] for word in words) / len(words)


def test_the_model_s_lexicon_is_that_of_the_lists(
    committed: dict[str, dict[str, str]], data_folder: Path
) -> None:
    """But for the forms that are common English words, which the build knows and this does not."""
    listed = json.loads(read_lexicon(data_folder / "lexicon", frozenset()))
    assert committed["stems"] == listed["stems"]
    assert committed["signs"] == listed["signs"]
    assert committed["words"].items() <= listed["words"].items()
    assert len(committed["words"]) > 0.9 * len(listed["words"])


def test_there_are_lists_of_many_languages(data_folder: Path) -> None:
    names = {path.stem for path in (data_folder / "lexicon").glob("*.tsv")}
    assert len(names) >= 25
    assert all(len(name) == 2 for name in names)


def test_the_words_that_hold_english_together_stay(reader: PieceReader) -> None:
    words = split_words(
        "the a an is it to of on as at do me so no not or in i we he be by if up us my and but "
        "for was war die men man may can will want what who how why gift chat pain rat son"
    )
    assert reader.read_english(words) == words


def test_english_prompts_are_left_nearly_as_they_are(
    reader: PieceReader, test_prompts: Sequence[Prompt]
) -> None:
    assert share_changed(reader, [p for p in test_prompts if p.lang == "en"]) < 0.005


def test_a_good_part_of_other_prompts_is_read_in_english(
    reader: PieceReader, test_prompts: Sequence[Prompt]
) -> None:
    assert share_changed(reader, [p for p in test_prompts if p.lang != "en"]) > 0.08


@pytest.mark.parametrize(
    ("foreign", "english"),
    [
        ("warum", "why"),
        ("schreibe", "write"),
        ("dringend", "urgent"),
        ("pourquoi", "why"),
        ("traduis", "translate"),
        ("qué", "what"),
        ("перепиши", "rewrite"),
        ("なぜ", "why"),
        ("为什么", "why"),
    ],
)
def test_the_words_by_which_one_asks_are_known(
    reader: PieceReader, foreign: str, english: str
) -> None:
    assert english in reader.read_english(split_words(foreign))
