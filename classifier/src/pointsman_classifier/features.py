"""Hand-made features: what a bag of word vectors cannot see, or would need much data to learn.

They are of three kinds: how much text there is (over its whole length), what its characters look
like, and how many cues of each family it holds (both over the excerpt). Counts go through log1p,
so that no text, however odd, sends the network far from what it was trained on.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"[^\W_]+(?:'[a-z]+)?")
_UPPER_WORD = re.compile(r"\b[A-Z]{2,}\b")
_LOWER_START = re.compile(r"(?:^|[.!?]\s+)[a-z]")
_LIST_ITEM = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.)]|\(?[a-h]\))\s", re.MULTILINE)
_INLINE_ITEM = re.compile(r"(?:^|[\s;,:])\(?(?:\d|[a-e]|i{1,3}|iv)\)\s")
_CHOICE = re.compile(r"^\s*\(?[A-E][.):]\s", re.MULTILINE)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_SOON = re.compile(
    r"\b(?:in|within|next|under|only|have|got|by|before|at|until|till)\s+(?:the\s+next\s+|about\s+)?"
    r"(?:\d{1,2}(?::\d\d)?\s?(?:m|min|mins|minutes?|h|hrs?|hours?|am|pm|o'clock)\b"
    r"|(?:an|one|two|half\s+an)\s+hours?\b|eod\b|cob\b|noon\b|tonight\b|midnight\b|today\b)"
)
_CODE_LINE = re.compile(
    r"^\s*(?:def |class |import |from \w+ import|return\b|if \(|for \(|while \(|func |fn |let |const "
    r"|var |public |private |#include|SELECT\b|UPDATE\b|INSERT\b|CREATE\b|WITH \w+ AS|\$ |@\w+|at \S+\("
    r"|Traceback|File \"|<\w+|\}|\{)",
    re.MULTILINE | re.IGNORECASE,
)
_CODE_NAME = re.compile(r"\w+\(\)|\w+_\w+|\b[a-z]+[A-Z]\w+|\w\.\w+\(|--\w+|\.(?:py|js|ts|go|rs|sql|ya?ml|json|sh|c|h|java)\b")
_MATHS = re.compile(r"\\(?:frac|int|sum|sqrt|lim|mathbb|le|ge)|[∫∑√≤≥∈∀∃π^]|\b[a-z]\s?=\s?[-\d(a-z]|\bmod\b|\d\s?[+*/]\s?\d")
_MONEY = re.compile(r"[$€£¥]\s?\d|\d\s?(?:usd|eur|gbp|dollars|euros)\b|\d\s?%")

_CUE_WORDS: Final[dict[str, str]] = {
    "soon": "asap urgent urgently immediately emergency now outage down critical sev1 sev0 p0 p1 "
    "deadline tonight hurry stat bleeding minutes",
    "later": "whenever eventually someday rush hurry overnight leisure spare background batch "
    "backlog quarter month",
    "polite": "please kindly grateful sincerely regards dear appreciate appreciated would could "
    "esteemed sir madam respectfully thank obliged courteous shall wish request",
    "slang": "lol lmao u ur gonna wanna gotta hey yo thx pls plz ya dunno kinda sorta idk tbh ngl "
    "btw omg haha hi dude bro gimme lemme cuz cos im dont whats cant ive yeah nah ok hmm sooo",
    "annoyed": "again still useless broken ridiculous sick fed wtf seriously stupid hate garbage "
    "damn hell annoying tired waste ffs fix nobody nothing crap absurd unacceptable furious "
    "third twice keeps joke",
    "ask": "what who when where which is are does do did can how why was were",
    "write": "write draft compose essay story article blog letter poem speech report email post "
    "memo newsletter review brochure script chapter paragraph words pages page",
    "build": "build implement function script code refactor class bug error debug query regex "
    "deploy api sql python rust javascript typescript bash docker compile test tests",
    "reason": "compare calculate compute prove solve derive estimate evaluate determine analyse "
    "analyze interpret assess probability explain why cause extract identify given table data "
    "forecast diagnose which",
    "sequence": "first then next finally afterwards after step steps phase stage lastly second "
    "third plan research design summarise summarize implement document produce deliver",
    "bound": "must exactly least most only avoid without each every never no than under between "
    "include maximum minimum strictly constraint constraints requirement requirements",
    "depth": "prove proof rigorous formal theorem distributed concurrency architecture tradeoffs "
    "trade-offs derive subtle asymptotic consistency jurisdiction synthesis comprehensive",
    "medical": "patient symptoms pain dose mg doctor treatment diagnosis medication fever blood "
    "pregnant surgery drug therapy clinical disease",
    "legal": "contract clause law legal court liability tenant landlord statute agreement lawyer "
    "sue gdpr copyright rights plaintiff defendant lease",
    "finance": "tax invest investment stock interest loan mortgage revenue profit portfolio bond "
    "cash budget ebitda bank price payment pension inflation",
    "science": "physics chemistry biology energy molecule cell species temperature atom protein "
    "reaction planet gene quantum mass velocity water light dna",
    "humanities": "history philosophy poem novel century war literature art poet empire king "
    "religion painting ethics language author culture",
    "math": "prove integral matrix polynomial equation theorem integer probability triangle "
    "derivative vector prime modulo limit sum function",
}
_CUE_PHRASES: Final[dict[str, tuple[str, ...]]] = {
    "soon": (
        "right now", "as soon as", "right away", "this minute", "in production", "losing money",
        "every minute", "at once", "is down", "without delay", "so quick", "quickly", "due today",
        "by tonight", "before the", "on the line", "call 911", "just swallowed",
    ),
    "later": (
        "no rush", "no hurry", "take your time", "not urgent", "no deadline", "low priority",
        "next month", "next quarter", "next year", "next week", "when you get", "when you have",
        "some day", "in the background", "can wait", "no pressure", "not in a hurry", "any time",
        "at your convenience", "nothing urgent", "later this year", "in the spring", "in the autumn",
        "nightly", "isn't urgent",
    ),
    "annoyed": (
        "fed up", "sick of", "how many times", "for the third", "keeps ", "doesn't work",
        "not working", "why does this", "what the", "waste of", "last time", "nobody ", "!!", "??",
        "still doesn", "still not", "is it so hard", "i already", "i said", "wasted", "i've asked",
        "come on", "stop ", "makes no sense", "losing my mind", "tried everything",
    ),
    "sequence": (
        "and then", "after that", "step by step", "end to end", "end-to-end", "from scratch",
        "then write", "then draft", "then design", "then build", "finally,", "with tests", "and tests",
        "and a readme", "and document", "followed by", "based on that", "using that", "from that",
    ),
    "polite": (
        "would you", "could you", "i would", "i should be", "thank you", "good morning",
        "good evening", "good afternoon", "i am writing", "be so kind", "yours ",
    ),
}

CUE_FAMILIES: Final = tuple(_CUE_WORDS)

_FAMILIES_OF_WORD: Final[dict[str, tuple[int, ...]]] = {
    word: tuple(i for i, family in enumerate(CUE_FAMILIES) if word in _CUE_WORDS[family].split())
    for words in _CUE_WORDS.values()
    for word in words.split()
}

SHAPE_NAMES: Final = (
    "log_chars",
    "log_words",
    "log_lines",
    "log_sentences",
    "mean_word_length",
    "mean_sentence_length",
    "digit_share",
    "upper_share",
    "punctuation_share",
    "non_ascii_share",
    "question_marks",
    "ends_with_question",
    "exclamation_marks",
    "shouted_words",
    "lower_case_starts",
    "no_capital_at_all",
    "ends_without_stop",
    "code_fences",
    "brackets_share",
    "code_lines",
    "code_names",
    "maths",
    "money",
    "numbers",
    "list_items",
    "choices",
    "commas",
    "colons",
    "paragraphs",
    "soon_pattern",
    "first_word_asks",
    "distinct_share",
)
FEATURE_NAMES: Final = SHAPE_NAMES + tuple(f"cue_{family}" for family in CUE_FAMILIES)
"""What each number in the vector means, in order."""


def compute_features(text: str, excerpt: str) -> NDArray[np.float32]:
    """The features of a text as a float32 vector of shape ``(len(FEATURE_NAMES),)``.

    Args:
        text: the whole text, of which only the length is used.
        excerpt: what :func:`pointsman_classifier.excerpt.cut_text` left of it.

    Raises:
        Nothing, for any two strings.
    """
    lowered = excerpt.lower()
    words = _WORD.findall(lowered)
    return np.array(
        _shape(text, excerpt, lowered, words) + _cues(lowered, words), dtype=np.float32
    )


def _shape(text: str, excerpt: str, lowered: str, words: list[str]) -> list[float]:
    chars = max(len(excerpt), 1)
    scale = max(len(text) / chars, 1.0)
    lines = excerpt.count("\n")
    sentences = len(_SENTENCE_END.findall(excerpt))
    digits = sum(map(excerpt.count, "0123456789"))
    stripped = excerpt.rstrip()
    first = words[0] if words else ""
    brackets = sum(map(excerpt.count, "{}()[]<>;="))
    upper = sum(map(str.isupper, excerpt))
    return [
        math.log1p(len(text)),
        math.log1p(len(words) * scale),
        math.log1p(lines * scale),
        math.log1p(sentences * scale),
        sum(map(len, words)) / max(len(words), 1),
        math.log1p(len(words) / max(sentences, 1)),
        digits / chars,
        upper / chars,
        sum(map(excerpt.count, ".,:;!?'\"-")) / chars,
        0.0 if excerpt.isascii() else sum(char > "\x7f" for char in excerpt) / chars,
        math.log1p(excerpt.count("?")),
        float(stripped.endswith("?")),
        math.log1p(excerpt.count("!")),
        math.log1p(len(_UPPER_WORD.findall(excerpt))),
        math.log1p(len(_LOWER_START.findall(excerpt))),
        float(upper == 0),
        float(not stripped.endswith((".", "?", "!"))),
        math.log1p(excerpt.count("`")),
        brackets / chars,
        math.log1p(len(_CODE_LINE.findall(excerpt))),
        math.log1p(len(_CODE_NAME.findall(excerpt))),
        math.log1p(len(_MATHS.findall(lowered))),
        math.log1p(len(_MONEY.findall(lowered))),
        math.log1p(len(_NUMBER.findall(excerpt))),
        math.log1p(len(_LIST_ITEM.findall(excerpt)) + len(_INLINE_ITEM.findall(excerpt))),
        math.log1p(len(_CHOICE.findall(excerpt))),
        math.log1p(excerpt.count(",")),
        math.log1p(excerpt.count(":")),
        math.log1p(excerpt.count("\n\n")),
        math.log1p(len(_SOON.findall(lowered))),
        float(first in _FIRST_ASKING),
        len(set(words)) / max(len(words), 1),
    ]


_FIRST_ASKING: Final = frozenset(_CUE_WORDS["ask"].split())


def _cues(lowered: str, words: list[str]) -> list[float]:
    counts = [0.0] * len(CUE_FAMILIES)
    for word in words:
        for family in _FAMILIES_OF_WORD.get(word, ()):
            counts[family] += 1.0
    for name, phrases in _CUE_PHRASES.items():
        hits = sum(phrase in lowered for phrase in phrases)
        counts[CUE_FAMILIES.index(name)] += 2.0 * hits
    return [math.log1p(count) for count in counts]
