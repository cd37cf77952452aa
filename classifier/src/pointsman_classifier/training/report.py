"""Draws the figures: one page of HTML that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from pointsman_classifier.model_file import HEADS
from pointsman_classifier.training.labels import LABELS

_WIDTH, _HEIGHT, _MARGIN = 320, 200, 34
_COLOURS = ("#1f5fa8", "#c2571a", "#2d7d46", "#8a3ea8", "#a8862a")

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#1c2430}
table{border-collapse:collapse;margin:.6em 0}
th,td{padding:.25em .6em;text-align:right;border:1px solid #d5dbe3}
td{font-variant-numeric:tabular-nums}
th{background:#f2f5f8;font-weight:600}th:first-child,td:first-child{text-align:left}
h2{margin-top:2em;border-bottom:1px solid #d5dbe3}.row{display:flex;flex-wrap:wrap;gap:2em}
.note{color:#566273}svg text{font:11px system-ui,sans-serif;fill:#566273}
"""


def draw(figures: dict[str, Any]) -> str:
    """The page, of what :func:`pointsman_classifier.training.evaluation.evaluate` gives."""
    parts = [
        f"<h1>{html.escape(figures['model'])}: {figures['prompts']:,} prompts</h1>",
        '<p class="note">Only labels on which all annotators agree count.</p>',
        _overview(figures),
        "<h2>Accuracy when it may abstain</h2>",
        '<p class="note">Share right among the most confident readings, by the share of prompts '
        "that are read at all.</p>",
        _curves(figures),
        "<h2>Confusion</h2>",
        '<p class="note">Rows: what the annotators say. Columns: what was read.</p>',
        '<div class="row">',
        *(_confusion(head, figures["heads"][head]) for head in HEADS),
        "</div>",
        "<h2>By style</h2>",
        _groups(figures["by_style"]),
        "<h2>By language</h2>",
        _groups(figures["by_lang"]),
        "<h2>What it gets wrong</h2>",
        '<p class="note">The errors of which it was most confident.</p>',
        _errors(figures["wrong"]),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(figures['model'])}</title><style>{_STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _overview(figures: dict[str, Any]) -> str:
    rows = []
    for head in HEADS:
        held = figures["heads"][head]
        if held["prompts"]:
            sure = held["sure"]
            rows.append(
                [
                    head,
                    held["prompts"],
                    held["accuracy"],
                    held["macro_f1"],
                    held["ece"],
                    f"{sure['share']:.0%} at {_share(sure['accuracy'])}",
                ]
            )
    names = ["head", "prompts", "accuracy", "macro-F1", "ECE", "sure: share, accuracy"]
    lines = [_table(names, rows)]
    joint, rank = figures["joint"], figures["complexity_rank"]
    if joint["prompts"]:
        lines.append(
            f"<p>Task type, complexity and domain all right: {joint['accuracy']:.0%} "
            f"(ECE of that confidence {joint['ece']}).</p>"
        )
    if rank["prompts"]:
        lines.append(
            f"<p>Complexity score against the annotators: Spearman {rank['spearman']}; "
            f"the prompt's length alone: {rank['spearman_of_log_length']}.</p>"
        )
    steps, length = figures["multi_step"], figures["output_tokens"]
    if steps["prompts"]:
        lines.append(f"<p>Several steps: F1 {steps['f1']}, ECE {steps['ece']}.</p>")
    if length["prompts"]:
        lines.append(
            f"<p>Length of the answer: Spearman {length['spearman']}, off by a factor of "
            f"{length['median_factor_off']} in the median, within a factor of 2 for "
            f"{length['within_factor_2']:.0%}.</p>"
        )
    return "".join(lines)


def _curves(figures: dict[str, Any]) -> str:
    lines, legend = [], []
    for colour, head in zip(_COLOURS, HEADS, strict=True):
        held = figures["heads"][head]
        if not held["prompts"]:
            continue
        points = " ".join(
            f"{_x(share):.1f},{_y(value):.1f}"
            for share, value in zip(figures["coverages"], held["accuracy_at"], strict=True)
        )
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        legend.append(f'<span style="color:{colour}">■</span> {head}')
    grid = "".join(
        f'<line x1="{_MARGIN}" x2="{_WIDTH - 6}" y1="{_y(v)}" y2="{_y(v)}" stroke="#e3e8ee"/>'
        f'<text x="2" y="{_y(v) + 4}">{v:.0%}</text>'
        for v in (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    )
    feet = "".join(
        f'<text x="{_x(v) - 10}" y="{_HEIGHT - 6}">{v:.0%}</text>' for v in (0.2, 0.6, 1.0)
    )
    picture = f'<svg width="{_WIDTH * 2}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
    return f"{picture}{grid}{feet}{''.join(lines)}</svg><p>{' '.join(legend)}</p>"


def _x(share: float) -> float:
    return _MARGIN + share * (_WIDTH - _MARGIN - 10)


def _y(value: float) -> float:
    return (1 - (max(value, 0.4) - 0.4) / 0.6) * (_HEIGHT - _MARGIN) + 8


def _confusion(head: str, held: dict[str, Any]) -> str:
    if not held["prompts"]:
        return ""
    names = LABELS[head]
    rows = []
    for name, counts in zip(names, held["confusion"], strict=True):
        total = max(sum(counts), 1)
        cells = "".join(
            f'<td style="background:rgba(31,95,168,{count / total:.2f});'
            f'color:{"#fff" if count / total > 0.55 else "inherit"}">{count}</td>'
            for count in counts
        )
        rows.append(f"<tr><td>{name}</td>{cells}</tr>")
    top = "".join(f"<th>{name}</th>" for name in names)
    return f"<div><h3>{head}</h3><table><tr><th></th>{top}</tr>{''.join(rows)}</table></div>"


def _groups(groups: dict[str, Any]) -> str:
    rows = [
        [name, held["prompts"], *(held.get(head, {}).get("macro_f1", "–") for head in HEADS)]
        for name, held in groups.items()
    ]
    return _table(["macro-F1", "prompts", *HEADS], rows)


def _errors(wrong: dict[str, list[dict[str, Any]]]) -> str:
    rows = [
        [head, error["id"], error["gold"], error["read"], error["confidence"]]
        for head in HEADS
        for error in wrong[head][:5]
    ]
    return _table(["head", "prompt", "annotators", "read", "confidence"], rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    top = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
