"""What was read of prompts lately."""

from __future__ import annotations

from dataclasses import replace

from builders import make_profile
from hypothesis import given
from hypothesis import strategies as st
from pointsman_server.reading.cache import LONGEST_CHARACTERS, ReadingCache

SECRET = b"s" * 32
steps = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()))


@given(steps=steps, size=st.integers(1, 5))
def test_the_least_recently_used_goes_first(steps: list[tuple[str, bool]], size: int) -> None:
    """Those that were put or found last are there, and no more than there is room for."""
    cache = ReadingCache(size, SECRET)
    recent: list[str] = []
    for text, put in steps:
        key = cache.key(text)
        assert key is not None
        assert (cache.get(key) is not None) == (text in recent)
        if text in recent or put:
            recent = [t for t in recent if t != text]
            recent = [*recent, text][-size:]
        if put:
            cache.put(key, make_profile())
        assert len(cache) == len(recent)


def test_what_was_read_is_what_is_found() -> None:
    """A reading is found as it was, but for the time that it took: none."""
    cache = ReadingCache(1, SECRET)
    profile = replace(make_profile(task_type="code", prompt_tokens=7), duration_s=0.2)
    cache.put(b"key", profile)
    assert cache.get(b"key") == replace(profile, duration_s=0.0)


@given(one=st.text(), two=st.text())
def test_different_texts_have_different_keys(one: str, two: str) -> None:
    """Two prompts share a key exactly if they are the same."""
    cache = ReadingCache(1, SECRET)
    assert (cache.key(one) == cache.key(two)) == (one == two)


def test_lone_surrogates_are_texts_too() -> None:
    """A text that has no proper UTF-8 has a key of its own."""
    cache = ReadingCache(1, SECRET)
    assert cache.key("\ud800") not in (None, cache.key("\ud801"), cache.key("?"))


def test_keys_say_nothing_without_the_secret() -> None:
    """Another process has other keys for the same prompts, and none holds any of the text."""
    key = ReadingCache(1, SECRET).key("a prompt")
    assert key != ReadingCache(1, b"t" * 32).key("a prompt")
    assert key == ReadingCache(1, SECRET).key("a prompt")
    assert key is not None
    assert len(key) == 16


def test_very_long_texts_have_none() -> None:
    """What would take long to digest is not looked up, and nothing is where nothing is kept."""
    cache = ReadingCache(1, SECRET)
    assert cache.key("x" * LONGEST_CHARACTERS) is not None
    assert cache.key("x" * (LONGEST_CHARACTERS + 1)) is None
    assert ReadingCache(0, SECRET).key("x") is None
