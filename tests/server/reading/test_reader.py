"""Identical prompts are read once, whoever asks and whoever leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from classifiers import GatedClassifier
from pointsman_server.domain.messages import Message, Role, Text
from pointsman_server.domain.profile import Profile
from pointsman_server.reading import ClassifierReader
from pointsman_server.reading.cache import LONGEST_CHARACTERS


def asking(*turns: str) -> tuple[Message, ...]:
    """A conversation: the user, the assistant, and so on in turn."""
    roles = (Role.USER, Role.ASSISTANT)
    return tuple(Message(roles[i % 2], (Text(text),)) for i, text in enumerate(turns))


def counts(reader: ClassifierReader) -> tuple[int, int, int]:
    return (reader.counts.hits, reader.counts.shared, reader.counts.misses)


@asynccontextmanager
async def reading(
    classifier: GatedClassifier, *, cache_size: int = 10
) -> AsyncIterator[ClassifierReader]:
    reader = ClassifierReader(classifier, cache_size=cache_size)  # type: ignore[arg-type]
    try:
        yield reader
    finally:
        reader.close()


async def until(true: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(10):
        while True:
            if true():
                return
            await asyncio.sleep(0)


def start(reader: ClassifierReader, *turns: str) -> asyncio.Task[Profile]:
    return asyncio.create_task(reader.read(asking(*turns)))


async def test_a_prompt_is_read_once() -> None:
    """The second time it is known, and took no time; the length is the conversation's."""
    classifier = GatedClassifier()
    async with reading(classifier) as reader:
        first = await reader.read(asking("hello"))
        second = await reader.read(asking("hello"))
        longer = await reader.read(asking("something before", "yes?", "hello"))
    assert classifier.read == ["hello"]
    assert counts(reader) == (2, 0, 1)
    assert first.task_type == second.task_type
    assert (first.duration_s, second.duration_s) == (0.001, 0.0)
    assert first.prompt_tokens == second.prompt_tokens == 5 + 4
    assert longer.prompt_tokens > first.prompt_tokens + 8


async def test_a_prompt_is_no_shorter_than_its_bytes() -> None:
    """Where the classifier sees hardly a token, the length is that of the text all the same."""
    classifier = GatedClassifier()
    classifier.tokens = 1
    async with reading(classifier) as reader:
        lengths = [(await reader.read(asking("x" * 500))).prompt_tokens for _ in range(2)]
    assert lengths == [100 + 4, 100 + 4]


async def test_the_event_loop_never_reads() -> None:
    """All reading is done by one thread, which is not the loop's."""
    classifier = GatedClassifier()
    async with reading(classifier) as reader:
        await asyncio.gather(*(reader.read(asking(f"prompt {n}")) for n in range(20)))
    assert len(classifier.threads) == 1
    assert threading.get_ident() not in classifier.threads
    assert sorted(classifier.read) == sorted(f"prompt {n}" for n in range(20))


async def test_those_who_come_meanwhile_share_it() -> None:
    """What is just being read is not read again for those who ask for the same."""
    classifier = GatedClassifier(open_=False)
    async with reading(classifier) as reader:
        tasks = [start(reader, "hello") for _ in range(5)]
        await until(classifier.busy.is_set)
        tasks += [start(reader, "hello") for _ in range(5)]
        await asyncio.sleep(0)
        classifier.let()
        profiles = await asyncio.gather(*tasks)
    assert classifier.read == ["hello"]
    assert len({profile.prompt_tokens for profile in profiles}) == 1
    assert counts(reader) == (0, 9, 1)


@pytest.mark.parametrize("begun", [False, True], ids=["in the line", "being read"])
@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_who_leaves_does_not_disturb_the_others(leaver: int, begun: bool) -> None:
    """One caller's cancellation, be it the first's, leaves the others with their reading."""
    classifier = GatedClassifier(open_=False)
    async with reading(classifier) as reader:
        before = start(reader, "another")
        await until(classifier.busy.is_set)
        tasks = [start(reader, "hello") for _ in range(3)]
        await asyncio.sleep(0)
        if begun:
            classifier.let()
            await before
            await until(classifier.busy.is_set)
        tasks[leaver].cancel()
        await asyncio.wait({tasks[leaver]})
        classifier.let(2)
        stayed = [task for task in tasks if task is not tasks[leaver]]
        assert [(await task).task_type.value for task in stayed] == ["code", "code"]
        assert tasks[leaver].cancelled()
    assert classifier.read == ["another", "hello"]


async def test_what_nobody_waits_for_is_not_read() -> None:
    """A prompt whose callers have all left before its turn costs no reading, and is no obstacle."""
    classifier = GatedClassifier(open_=False)
    async with reading(classifier) as reader:
        before = start(reader, "another")
        await until(classifier.busy.is_set)
        gone = [start(reader, "hello") for _ in range(2)]
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        await asyncio.wait(gone)
        classifier.let()
        await before
        after = start(reader, "last")
        classifier.let()
        await after
        assert classifier.read == ["another", "last"]
        again = start(reader, "hello")
        classifier.let()
        assert (await again).task_type.value == "code"


async def test_what_was_begun_is_remembered_though_all_left() -> None:
    """A reading that nobody stayed for serves those who come later, or meanwhile."""
    classifier = GatedClassifier(open_=False)
    async with reading(classifier) as reader:
        task = start(reader, "hello")
        await until(classifier.busy.is_set)
        task.cancel()
        await asyncio.wait({task})
        meanwhile = start(reader, "hello")
        await asyncio.sleep(0)
        classifier.let()
        await meanwhile
        await reader.read(asking("hello"))
    assert classifier.read == ["hello"]
    assert counts(reader) == (1, 1, 1)


async def test_a_break_down_reaches_all_and_is_forgotten() -> None:
    """All who wait are told what broke; the next one tries again."""
    classifier = GatedClassifier(open_=False)
    async with reading(classifier) as reader:
        tasks = [start(reader, "broken") for _ in range(3)]
        await asyncio.sleep(0)
        classifier.let()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [str(error) for error in results] == ["it broke"] * 3
        classifier.let()
        with pytest.raises(ValueError, match="it broke"):
            await reader.read(asking("broken"))
        classifier.let()
        await reader.read(asking("whole"))
    assert classifier.read == ["broken", "broken", "whole"]


async def test_memory_is_bounded() -> None:
    """Of many prompts the last few are remembered, and nothing is left of those under way."""
    classifier = GatedClassifier()
    async with reading(classifier, cache_size=3) as reader:
        for n in range(10):
            await reader.read(asking(f"prompt {n}"))
        assert not reader._under_way
        classifier.read.clear()
        for n in (9, 8, 7, 6):
            await reader.read(asking(f"prompt {n}"))
    assert classifier.read == ["prompt 6"]


async def test_nothing_need_be_remembered() -> None:
    """With no room every prompt is read; so is one that is too long to be looked up."""
    classifier = GatedClassifier()
    async with reading(classifier, cache_size=0) as reader:
        await asyncio.gather(*(reader.read(asking("hello")) for _ in range(3)))
    assert classifier.read == ["hello"] * 3
    classifier = GatedClassifier()
    async with reading(classifier) as reader:
        for _ in range(2):
            await reader.read(asking("x" * (LONGEST_CHARACTERS + 1)))
        assert not reader._under_way
    assert len(classifier.read) == 2


async def test_nothing_is_kept_of_the_text() -> None:
    """Once a prompt was read, nothing that the reader holds contains it."""
    classifier = GatedClassifier()
    async with reading(classifier) as reader:
        await reader.read(asking("the canary sings"))
        classifier.read.clear()
        assert "canary" not in repr(reader._cache._readings) + repr(reader._under_way)


async def test_closing_sends_away_who_waits() -> None:
    """Closing ends waiting at once, refuses whoever comes later, and may be done twice."""
    classifier = GatedClassifier(open_=False)
    async with reading(classifier) as reader:
        tasks = [start(reader, "one"), start(reader, "one"), start(reader, "two")]
        await until(classifier.busy.is_set)
        reader.close()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        with pytest.raises(RuntimeError, match="closed"):
            await reader.read(asking("three"))
        classifier.let()
        await until(lambda: not reader._under_way)
        reader.close()
    assert classifier.read == ["one"]


def test_a_loop_that_is_gone_does_not_stop_the_thread() -> None:
    """A reading whose loop has closed meanwhile is dropped; another loop goes on with the next."""
    classifier = GatedClassifier(open_=False)
    reader = ClassifierReader(classifier)  # type: ignore[arg-type]

    async def leave() -> None:
        start(reader, "hello")
        await until(classifier.busy.is_set)

    async def stay(prompt: str) -> str:
        task = start(reader, prompt)
        classifier.let(2)
        return (await task).task_type.value

    asyncio.run(leave())
    assert asyncio.run(stay("next")) == "code"
    assert asyncio.run(stay("hello")) == "code"
    reader.close()
