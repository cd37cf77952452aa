"""The words and phrases that hint at a label, by family.

A family is not a rule: it is counted, and the network learns what the count is worth.
"""

from __future__ import annotations

from typing import Final

_WORDS: Final[dict[str, str]] = {
    "soon": "asap urgent urgently immediately emergency now outage down critical sev1 sev0 p0 p1 "
    "deadline tonight hurry stat bleeding minutes today quick quickly",
    "later": "whenever eventually someday rush hurry overnight leisure spare background batch "
    "backlog quarter month convenience",
    "polite": "please kindly grateful sincerely regards dear appreciate appreciated would could "
    "esteemed sir madam respectfully thank obliged courteous shall wish request hereby pursuant",
    "slang": "lol lmao u ur gonna wanna gotta hey yo thx pls plz ya dunno kinda sorta idk tbh ngl "
    "btw omg haha hi dude bro gimme lemme cuz cos im dont whats cant ive yeah nah ok hmm sooo "
    "lil outta tho n w",
    "annoyed": "again still useless broken ridiculous sick fed wtf seriously stupid hate garbage "
    "damn hell annoying tired waste ffs fix nobody nothing crap absurd unacceptable furious "
    "third fourth fifth twice keeps joke ugh",
    "ask": "what who when where which is are does do did can how why was were",
    "build": "build implement function script code refactor class bug error debug query regex "
    "deploy api sql python rust javascript typescript bash docker compile test tests react css "
    "html git npm java json yaml linux server database index thread kubernetes node component "
    "array string exception stack endpoint regexp repo branch commit android cron",
    "reason": "compare calculate compute prove solve derive estimate evaluate determine analyse "
    "analyze interpret assess probability explain why cause extract identify given table data "
    "forecast diagnose which",
    "sequence": "first then next finally afterwards after step steps phase stage lastly second "
    "third",
    "bound": "must exactly least most only avoid without each every never no than under between "
    "include maximum minimum strictly constraint constraints requirement requirements",
    "depth": "prove proof rigorous formal theorem distributed concurrency architecture tradeoffs "
    "trade-offs derive subtle asymptotic consistency jurisdiction synthesis comprehensive",
    "medical": "patient symptoms pain dose mg doctor treatment diagnosis medication fever blood "
    "pregnant surgery drug therapy clinical disease vaccine tablet tablets nurse hospital "
    "infection diabetes pulse muscle allergy vitamin",
    "legal": "contract clause law legal court liability tenant landlord statute agreement lawyer "
    "sue gdpr copyright rights plaintiff defendant lease patent will custody regulation directive "
    "employer dismissal clauses refund licence license warranty",
    "finance": "tax invest investment stock interest loan mortgage revenue profit portfolio bond "
    "cash budget ebitda bank price payment pension inflation savings fund bonds credit debt equity "
    "dividend invoice salary currency",
    "science": "physics chemistry biology energy molecule cell species temperature atom protein "
    "reaction planet gene quantum mass velocity water light dna star gas acid electron magnet "
    "chemical experiment lab plant plants animal animals climate",
    "humanities": "history philosophy poem novel century war literature art poet empire king "
    "religion painting ethics language author culture treaty roman medieval sonnet verse kant "
    "wrote novelist myth empire revolution archive",
    "math": "prove integral matrix polynomial equation theorem integer probability triangle "
    "derivative vector prime modulo limit sum function theorem lemma algebra geometry graph "
    "eigenvalue series sequence dice",
    "prose": "essay story article blog letter poem speech report email post memo newsletter review "
    "brochure script chapter paragraph words pages page leaflet eulogy announcement",
    "find_out": "analyse analyze compare research review find identify examine audit survey trace "
    "gather read collect assess evaluate diagnose investigate summarise summarize study extract",
    "settle": "design plan propose choose pick outline decide recommend select shortlist schedule "
    "estimate prioritise prioritize rank model cost budget",
    "make": "implement build code program test deploy fix patch migrate configure automate "
    "refactor script prototype develop",
    "put_down": "write draft compose document prepare describe produce present summarise summarize "
    "create explain rewrite list",
}
_PHRASES: Final[dict[str, str]] = {
    "soon": "right now|as soon as|right away|this minute|in production|losing money|every minute"
    "|at once|is down|without delay|due today|by tonight|before the|on the line|call 911"
    "|just swallowed|this instant|at this moment",
    "later": "no rush|no hurry|take your time|not urgent|no deadline|low priority|next month"
    "|next quarter|next year|next week|when you get|when you have|when u |some day|sometime"
    "|in the background|can wait|no pressure|not in a hurry|any time|your convenience"
    "|nothing urgent|later this year|in the spring|in the autumn|nightly|isn't urgent",
    "annoyed": "fed up|sick of|how many times|for the third|keeps |doesn't work|not working"
    "|why does this|what the|waste of|last time|nobody |!!|??|still doesn|still not|i already"
    "|i said|wasted|i've asked|come on|stop |makes no sense|losing my mind|tried everything"
    "|had it with",
    "sequence": "and then|after that|step by step|end to end|end-to-end|from scratch|then write"
    "|then draft|then design|then build|finally,|with tests|and tests|and a readme|and document"
    "|followed by|based on that|using that|from that",
    "polite": "would you|could you|i would|i should be|thank you|good morning|good evening"
    "|good afternoon|i am writing|be so kind|yours ",
}

FAMILIES: Final = tuple(_WORDS)
"""The families in the order of their features."""

STAGES: Final = tuple(FAMILIES.index(name) for name in ("find_out", "settle", "make", "put_down"))
"""The families of verbs of which a task in several stages has more than one."""

QUESTION_WORDS: Final = frozenset(_WORDS["ask"].split())

_SETS: Final = [frozenset(_WORDS[family].split()) for family in FAMILIES]

FAMILIES_BY_WORD: Final[dict[str, tuple[int, ...]]] = {
    word: tuple(index for index, words in enumerate(_SETS) if word in words)
    for word in sorted(frozenset().union(*_SETS))
}
"""Word in lower case -> indices of the families it belongs to."""

PHRASES: Final = tuple(
    (FAMILIES.index(family), tuple(phrases.split("|"))) for family, phrases in _PHRASES.items()
)
"""Family's index and its phrases, in lower case."""
