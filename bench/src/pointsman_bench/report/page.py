"""The HTML document: everything in one file, no script, and nothing fetched from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from pointsman_bench.report.markup import Html, el, join, text

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's content security policy: a browser fetches and runs nothing for it."""


def page(
    title: str,
    sections: Sequence[str],
    *,
    subtitle: str = "",
    eyebrow: str = "pointsman bench",
    contents: Sequence[tuple[str, str]] = (),
) -> Html:
    """A whole document around ``sections``, which are `Html` (else they are shown as text).

    ``contents`` are the (id, title) of sections to link to from the top.
    """
    css = resources.files("pointsman_bench.report").joinpath("page.css").read_text("utf-8")
    head = el(
        "head",
        {},
        el("meta", {"charset": "utf-8"}),
        el("meta", {"http-equiv": "Content-Security-Policy", "content": POLICY}),
        el("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        el("meta", {"name": "referrer", "content": "no-referrer"}),
        el("title", {}, title),
        el("style", {}, Html(css)),
    )
    header = [el("p", {"class": "eyebrow"}, eyebrow), el("h1", {}, title)]
    if subtitle:
        header.append(el("p", {"class": "subtitle"}, subtitle))
    if contents:
        links = (el("a", {"href": f"#{name}"}, shown) for name, shown in contents)
        header.append(el("nav", {"aria-label": "Contents"}, *links))
    body = el("body", {}, el("main", {}, el("header", {}, *header), *map(text, sections)))
    return join([Html("<!doctype html>\n"), el("html", {"lang": "en"}, head, body), Html("\n")])
