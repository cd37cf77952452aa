"""Words fall into the pieces that the tokenizer library gives, however often they are met."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pointsman_classifier import pieces
from pointsman_classifier.lexicon import Lexicon
from pointsman_classifier.pieces import PieceReader, split_words
from small_networks import LEXICON_JSON, make_tokenizer
from tokenizers import Tokenizer

WORDY = st.lists(
    st.sampled_from(["what", "WRITE", "trout", "trouts", "snake_case", "x2", "Émile", "漢字", "²"])
    | st.text(alphabet="abcdefgh0123_é", min_size=1, max_size=50)
).map(" ".join)
ANY_TEXT = st.text(max_size=300) | WORDY
SMALL = make_tokenizer()
NONE = Lexicon({}, {}, {})
FEW = Lexicon.from_json(LEXICON_JSON)


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(model_folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def reader(tokenizer: Tokenizer) -> PieceReader:
    """One for all examples, so that most words were met before."""
    return PieceReader(tokenizer, NONE)


def by_library(tokenizer: Tokenizer, words: list[str], lexicon: Lexicon = NONE) -> list[int]:
    """Word by word, as the lexicon reads them: without any, it still parts Thai from digits."""
    english = [reading for word in words for reading in lexicon.read(word)]
    encodings = tokenizer.encode_batch(english, add_special_tokens=False)
    return [index for encoding in encodings for index in encoding.ids]


@settings(max_examples=300, deadline=None)
@given(text=ANY_TEXT)
@example("\x00\x01\u0300\u200b\u202e\ufeff\ufffd")
@example("İstanbul ǅ ﬃ ŉ ß")
@example("Z̴̡͇̈́̓ á à ñ")
@example("👩‍👩‍👧‍👦 🙂🙂 🇩🇪")
@example("x" * 100 + " " + "y" * 40 + " " + "z" * 41)
@example("[UNK] [CLS] ##ing")
@example("0ก 用python写 リンQ酸")
def test_pieces_are_the_library_s(tokenizer: Tokenizer, reader: PieceReader, text: str) -> None:
    words = split_words(text.lower())
    assert reader.read(words) == by_library(tokenizer, words)
    assert reader.read(words) == by_library(tokenizer, words)


@settings(max_examples=100, deadline=None)
@given(text=ANY_TEXT)
def test_what_was_read_before_changes_nothing(text: str) -> None:
    words = split_words(text.lower())
    one_by_one = PieceReader(SMALL, NONE)
    for word in reversed(words):
        one_by_one.read([word])
    assert one_by_one.read(words) == PieceReader(SMALL, NONE).read(words)


def test_every_word_that_is_known_at_once_is_what_the_library_says(
    tokenizer: Tokenizer, reader: PieceReader
) -> None:
    words = sorted(tokenizer.get_vocab())
    known = [word for word in words if split_words(word.lower()) == [word]]
    assert len(known) > 3000
    assert reader.read(known) == by_library(tokenizer, known)


def test_a_text_of_english_prose_gives_what_the_library_gives_of_the_whole(
    tokenizer: Tokenizer, reader: PieceReader
) -> None:
    text = "Please summarise: the board's Q3 plan (draft 2) costs $4,500 — isn't that too much?!"
    whole = tokenizer.encode(text, add_special_tokens=False).ids
    assert reader.read(split_words(text.lower())) == whole


def test_no_word_gives_no_piece(reader: PieceReader) -> None:
    assert reader.read([]) == []
    assert split_words(" \n\t ") == []


def test_threads_get_the_pieces_that_one_gets(tokenizer: Tokenizer) -> None:
    """Also while they forget all that was met, which is forced here every few words."""
    texts = [[f"wort{n * m % 997}" for m in range(40)] for n in range(200)]
    expected = [by_library(tokenizer, words) for words in texts]
    shared = PieceReader(tokenizer, NONE)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr(pieces, "_MOST_KEPT", 64)
        assert list(pool.map(shared.read, texts * 3)) == expected * 3


def test_words_met_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_MOST_KEPT", 100)
    reader = PieceReader(SMALL, NONE)
    most = 0
    for start in range(0, 2000, 7):
        words = [f"n{number}" for number in range(start, start + 7)]
        assert reader.read(words) == by_library(SMALL, words)
        most = max(most, len(reader._met))
    assert 90 < most <= 100


def test_a_text_of_more_words_than_are_kept_is_read_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pieces, "_MOST_KEPT", 5)
    words = [f"n{number}" for number in range(50)]
    assert PieceReader(SMALL, NONE).read(words) == by_library(SMALL, words)


def test_long_words_are_not_kept() -> None:
    reader = PieceReader(SMALL, NONE)
    reader.read(["a" * 24, "b" * 25, "c" * 600])
    assert list(reader._met) == ["a" * 24]


def test_a_word_met_before_does_not_go_to_the_library_again() -> None:
    asked: list[list[str]] = []

    class Asked:
        """Notes what the library is asked."""

        def get_vocab(self) -> dict[str, int]:
            return SMALL.get_vocab()

        def encode(self, words: list[str], **options: bool) -> object:
            asked.append(words)
            return SMALL.encode(words, **options)

    reader = PieceReader(Asked(), NONE)  # type: ignore[arg-type]
    reader.read(["trout", "the", "pikes", "trout", "pikes"])
    reader.read(["pikes", "the", "eels"])
    assert asked == [["pikes"], ["eels"]]


FOREIGN = st.lists(
    st.sampled_from(["forelle", "bitte", "schreibst", "code", "trout", "何船", "用code書い", "хор"])
    | st.text(alphabet="abé何船書zx", min_size=1, max_size=30),
    max_size=20,
)


@settings(deadline=None)
@given(words=FOREIGN)
def test_foreign_words_give_the_pieces_of_their_readings(words: list[str]) -> None:
    reader = PieceReader(SMALL, FEW)
    english = [
        reading for word in words for reading in ([word] if word == "trout" else FEW.read(word))
    ]
    assert reader.read_english(words) == english
    assert reader.read(words) == by_library(SMALL, english)
    assert reader.read(words) == by_library(SMALL, english)


def test_what_the_lexicon_knows_goes_before_what_the_vocabulary_knows() -> None:
    reader = PieceReader(SMALL, Lexicon({"van": "of"}, {"tro": "tram"}, {}))
    of, tram = SMALL.token_to_id("of"), SMALL.token_to_id("tram")
    assert reader.read(["van"]) == [of]
    # But a word of the vocabulary is not taken for one that only begins like another.
    assert reader.read(["trout"]) == [SMALL.token_to_id("trout")]
    assert reader.read(["trollen"]) == [tram]
    assert reader.read_english(["van", "trout", "trollen"]) == ["of", "trout", "tram"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("why isn't it?", ["why", "isn", "'", "t", "it", "?"]),
        ("snake_case f(x)=2", ["snake_case", "f", "(", "x", ")", "=", "2"]),
        ("a\u00a0b\u3000c\n\td", ["a", "b", "c", "d"]),
        ("cafe\u0301 noir", ["cafe\u0301", "noir"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("שָלוֹם", ["שָלוֹם"]),
        ("ภาษาไทยที่", ["ภาษาไทยที่"]),
        ("漢字です。", ["漢字です", "。"]),
        ("🙂🙂", ["🙂", "🙂"]),
        ("...", [".", ".", "."]),
    ],
)
def test_a_text_is_split_into_words_and_signs(text: str, words: list[str]) -> None:
    assert split_words(text) == words
