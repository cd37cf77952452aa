"""The prompts that scenarios send: varied in task, length, tone and language, and all our own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman_bench.scenarios.documents import (
    CONTRACT,
    ESSAY,
    FUNCTION,
    INCIDENT,
    MINUTES,
    TABLE,
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a request asks. ``kind`` is ours, for the result's mix; the server does not see it."""

    kind: str
    text: str


def _of(kind: str, texts: Sequence[str]) -> tuple[Prompt, ...]:
    return tuple(Prompt(kind, text) for text in texts)


QUESTIONS = _of(
    "question",
    (
        "Which river flows through Porto?",
        "How many minutes does an egg take to be hard-boiled?",
        "What does HTTP status 409 mean?",
        "Who wrote The Master and Margarita?",
        "What is 17 % of 2,340?",
        "Is a tomato a fruit?",
        "When did the Edo period end?",
        "What's the plural of 'octopus'?",
        "Wie heißt die Hauptstadt von Kanada?",
        "¿Cuántos litros tiene un metro cúbico?",
    ),
)
SMALL_TALK = _of(
    "small talk",
    (
        "Hi! How's it going?",
        "thanks, that was really helpful :)",
        "Tell me a joke about trains.",
        "Good morning. I slept badly, say something nice.",
        "lol ok",
        "Bonjour, tu vas bien ?",
    ),
)
REWRITES = _of(
    "rewrite",
    (
        "Make this polite: 'Your invoice is wrong again, fix it.'",
        "Shorten to one sentence: the meeting that had been planned for Monday has been moved to "
        "Wednesday, since half of the team is at a fair on Monday and Tuesday.",
        "Translate into French: The lift is out of order; please use the stairs.",
        "Fix the grammar: she don't never seen them two reports what i send yesterday",
        "Turn this into bullet points:\n\n" + MINUTES,
        "Rewrite for a ten-year-old: photosynthesis converts light into chemical energy.",
        "Übersetze ins Englische: Der Vertrag verlängert sich stillschweigend um ein Jahr.",
    ),
)
CODE = _of(
    "code",
    (
        "Write a Python function that merges overlapping intervals.",
        "Why does `for x in list: list.remove(x)` skip elements? Show the fix.",
        "SQL: customers who ordered in every month of 2025. Table orders(customer, at, total).",
        "Review this function, name its bugs, and give a corrected version:\n\n" + FUNCTION,
        "Give me a regular expression for an ISO 8601 date without a time.",
        "Write a Go HTTP handler that limits each client to ten requests a second.",
        "What is the time complexity of building a heap, and why is it not n log n?",
        "Port to TypeScript and add types:\n\n" + FUNCTION,
        "Explain `SELECT ... FOR UPDATE SKIP LOCKED` with a job queue as an example.",
        "Write property-based tests for this, and say which of them fail:\n\n" + FUNCTION,
    ),
)
ANALYSIS = _of(
    "analysis",
    (
        "Read this incident log. What was the root cause, what made it worse, and which two "
        "measures would have prevented most of the damage?\n\n" + INCIDENT,
        "Did raising the ad spend pay off? Say what the data can't tell.\n\n" + TABLE,
        "A supplier missed availability by 0.35 points this month, and we pay 12,000 a month. What "
        "may we claim, and can we leave?\n\n" + CONTRACT,
        "Compare a four-day week with longer holidays for a support team of nine.",
        "Which claims of this essay are supported by what it tells, and which are not?\n\n" + ESSAY,
        "We lose 3 % of subscribers a month. How large must a discount for yearly plans be at "
        "most, so that it pays?",
        "List the risks of moving a 2 TB PostgreSQL database to another region in one night.",
        "Is it cheaper to insulate the roof or to replace a gas boiler with a heat pump? House of "
        "1974, 140 m², 21,000 kWh a year.",
    ),
)
WRITING = _of(
    "writing",
    (
        "Write a friendly reminder to a tenant whose rent is ten days late.",
        "Write the opening page of a novel that plays in a signal box in 1931.",
        "Draft a job advertisement for a database engineer, without clichés.",
        "Write a 600-word blog post on why small teams should write decision records.",
        "Compose a toast for my sister's wedding; she is a surgeon and he restores pianos.",
        "Write an apology to customers based on this log, honest and without jargon:\n\n"
        + INCIDENT,
        "Ecris un poème de huit vers sur la pluie à Bruxelles.",
    ),
)
STEPS = _of(
    "several steps",
    (
        "Plan a weekend in Ghent for four people with 500 euros: first the travel, then where to "
        "stay, then a programme for each day, and in the end a list of what it costs.",
        "Read the minutes, list the decisions, then the open questions, and draft the mail that "
        "Ines has to write to the two customers.\n\n" + MINUTES,
        "Design a database schema for a library, write the SQL, then queries for overdue loans and "
        "for the most borrowed titles, and explain which indexes you would add.",
        "Compute the conversion rate of each month, find the month that stands out, give three "
        "explanations, and propose how to tell them apart.\n\n" + TABLE,
        "Research plan: does background noise change how people judge prices? Hypotheses, design, "
        "sample size, analysis, pitfalls.",
        "Take this clause apart, find what is to our disadvantage, propose new wording, and "
        "summarise it for our managing director in five lines.\n\n" + CONTRACT,
    ),
)
URGENT = _of(
    "urgent",
    (
        "URGENT: production is down, every request gets 502 since the certificate was renewed. "
        "What do I check first?",
        "I need this in two minutes: one sentence that says why our quarter was weak without "
        "blaming anybody.",
        "My flight boards in ten minutes and the app wants a visa number for Canada, what is it??",
        "The disk of our main database is at 98 % and growing. What can I delete safely, now?",
        "quick!! client on the phone, what's the difference between net 30 and 2/10 net 30",
    ),
)
EXPERT = _of(
    "expert",
    (
        "Prove that every finite integral domain is a field.",
        "Explain why consensus is impossible in an asynchronous system with one faulty process, "
        "and what practical protocols assume to get around it.",
        "Derive the Black-Scholes equation from no-arbitrage, and say where each assumption "
        "enters.",
        "A patient on warfarin needs an antibiotic for a urinary infection. Which interact, how, "
        "and what would a careful clinician choose?",
    ),
)

ALL = (
    *QUESTIONS,
    *SMALL_TALK,
    *REWRITES,
    *CODE,
    *ANALYSIS,
    *WRITING,
    *STEPS,
    *URGENT,
    *EXPERT,
)
