"""What a profile looks like, and what obvious prompts are read as."""

from __future__ import annotations

import dataclasses
import math
import re

import pytest
from pointsman_classifier import Classifier, Profile, Reading

LABELS = {
    "task_type": {"simple_qa", "long_form", "code", "analysis", "multi_step"},
    "complexity": {"low", "medium", "high"},
    "urgency": {"low", "normal", "high"},
    "domain": {"code", "math", "science", "medical", "legal", "finance", "humanities", "general"},
    "tone": {"neutral", "formal", "casual", "frustrated"},
}

TEXTS = [
    "",
    "hi",
    "Write a Rust function that reverses a linked list.",
    "What is the capital of Peru?",
    "word " * 5000,
]


def readings(profile: Profile) -> dict[str, Reading]:
    return {head: getattr(profile, head) for head in LABELS}


def test_it_has_the_five_heads_and_their_labels(classifier: Classifier) -> None:
    assert {head: set(labels) for head, labels in classifier.labels.items()} == LABELS


def test_ordinal_labels_ascend(classifier: Classifier) -> None:
    assert classifier.labels["complexity"] == ("low", "medium", "high")
    assert classifier.labels["urgency"] == ("low", "normal", "high")


def test_labels_cannot_be_changed(classifier: Classifier) -> None:
    with pytest.raises(TypeError):
        classifier.labels["tone"] = ("rude",)  # type: ignore[index]


def test_the_version_names_the_model_and_its_hash(classifier: Classifier) -> None:
    assert re.fullmatch(r"pointsman-2@[0-9a-f]{8}", classifier.version)


@pytest.mark.parametrize("text", TEXTS)
def test_scores_are_probabilities_that_fall_and_sum_to_one(
    classifier: Classifier, text: str
) -> None:
    for head, reading in readings(classifier.classify(text)).items():
        labels, scores = zip(*reading.scores, strict=True)
        assert set(labels) == LABELS[head]
        assert len(labels) == len(LABELS[head])
        assert math.isclose(sum(scores), 1.0, abs_tol=1e-9)
        assert list(scores) == sorted(scores, reverse=True)
        assert all(0.0 <= score <= 1.0 for score in scores)
        assert reading.value == labels[0]
        assert reading.confidence == scores[0]


@pytest.mark.parametrize("text", TEXTS)
def test_the_joint_confidence_is_a_probability(classifier: Classifier, text: str) -> None:
    profile = classifier.classify(text)
    assert 0.0 < profile.confidence < 1.0


@pytest.mark.parametrize("text", TEXTS)
def test_the_other_numbers_lie_where_they_are_said_to(classifier: Classifier, text: str) -> None:
    profile = classifier.classify(text)
    assert 0.0 <= profile.complexity_score <= 1.0
    assert 0.0 <= profile.multi_step <= 1.0
    assert isinstance(profile.output_tokens, int)
    assert 1 <= profile.output_tokens <= 2**15


def test_harder_prompts_score_higher(classifier: Classifier) -> None:
    texts = [
        "What is 3 + 4?",
        "Explain how photosynthesis works, for a school magazine.",
        "Prove that every subgroup of a finitely generated nilpotent group is finitely generated.",
    ]
    scores = [classifier.classify(text).complexity_score for text in texts]
    assert scores == sorted(scores)
    assert scores[-1] - scores[0] > 0.5


def test_longer_answers_are_expected_of_what_asks_for_more(classifier: Classifier) -> None:
    short = classifier.classify("What is the capital of Peru?")
    long = classifier.classify("Write an 800-word essay about the sea for a magazine.")
    assert short.output_tokens < 100
    assert long.output_tokens > 400


def test_stages_that_depend_on_each_other_are_seen(classifier: Classifier) -> None:
    staged = classifier.classify(
        "First research the market, then design the product, write the code with tests, and "
        "finally draft the launch announcement."
    )
    assert staged.multi_step > 0.5
    assert classifier.classify("What is the capital of Peru?").multi_step < 0.1


def test_an_obvious_prompt_is_read_for_sure_and_an_empty_one_is_not(
    classifier: Classifier,
) -> None:
    assert classifier.classify("Write a Python function that merges two lists.").task_type.sure
    assert not all(reading.sure for reading in readings(classifier.classify("")).values())


def test_a_profile_is_frozen(classifier: Classifier) -> None:
    profile = classifier.classify("hello")
    with pytest.raises(dataclasses.FrozenInstanceError):
        profile.tokens = 3  # type: ignore[misc]


def test_the_duration_is_what_the_clock_says(classifier: Classifier) -> None:
    assert 0.0 < classifier.classify("hello").duration_s < 60.0


def test_tokens_are_counted_where_all_was_read(classifier: Classifier) -> None:
    profile = classifier.classify("What is the name of it?")
    assert profile.tokens == 7
    assert not profile.truncated


def test_tokens_are_extrapolated_where_only_head_and_tail_were_read(
    classifier: Classifier,
) -> None:
    profile = classifier.classify("one two three four " * 10_000)
    assert profile.truncated
    assert profile.tokens == pytest.approx(40_000, rel=0.05)


def test_the_tail_of_a_long_prompt_is_read(classifier: Classifier) -> None:
    """A question after a long document decides what the prompt asks for."""
    document = "The committee met and talked about the garden. " * 200
    plain = classifier.classify(document)
    asked = classifier.classify(
        document + "\n\nURGENT: production is down, fix this Python function right now!"
    )
    assert asked.urgency.value == "high"
    assert plain.urgency.value != "high"


@pytest.mark.parametrize(
    ("head", "label", "text"),
    [
        ("task_type", "code", "Write a Python function that merges two sorted lists."),
        ("task_type", "code", "How do I undo my last git commit but keep the changes?"),
        ("task_type", "simple_qa", "What is the capital of Australia?"),
        ("task_type", "long_form", "Write an 800-word essay about the sea for a magazine."),
        ("task_type", "analysis", "Two dice are rolled; what is the probability of a sum of 7?"),
        (
            "task_type",
            "multi_step",
            "First research the market, then design the product, write the code with tests, and "
            "finally draft the launch announcement.",
        ),
        ("complexity", "low", "What is 3 + 4?"),
        (
            "complexity",
            "high",
            "Prove that every subgroup of a finitely generated nilpotent group is finitely "
            "generated, and give a rigorous counterexample for solvable groups.",
        ),
        ("urgency", "high", "URGENT: production is down and we are losing money every minute!"),
        ("urgency", "high", "I need this ASAP, the deadline is in 20 minutes."),
        ("urgency", "low", "No rush, whenever you have time: suggest a name for a cat."),
        ("urgency", "normal", "Suggest a name for a cat."),
        ("domain", "code", "Why does my React component re-render twice?"),
        ("domain", "math", "Find the derivative of x^2 sin(x)."),
        ("domain", "legal", "Is a verbal contract enforceable in court against my landlord?"),
        ("domain", "medical", "What are the side effects of this medication for blood pressure?"),
        ("domain", "finance", "Should I invest my pension in bonds or stocks given inflation?"),
        ("domain", "humanities", "What caused the fall of the Roman Empire?"),
        ("tone", "frustrated", "This is ridiculous!! I've asked THREE times and it STILL fails!"),
        ("tone", "formal", "Dear Sir or Madam, I would be grateful if you could kindly assist."),
        ("tone", "casual", "hey lol whats a good pizza topping u think"),
    ],
)
def test_obvious_prompts_are_read_right(
    classifier: Classifier, head: str, label: str, text: str
) -> None:
    assert readings(classifier.classify(text))[head].value == label
