"""The frame of every page: one look, nothing loaded from elsewhere, and no value taken for HTML."""

import hashlib
import os
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from ..log.durable import fsync
from ..log.modes import as_its_folder, make_below
from .glossary import GLOSSARY, WORDS, heads, linked, words_of

__all__ = [
    "CASES_SCRIPT",
    "FRONT_SCRIPT",
    "POLICY",
    "SLIDER_SCRIPT",
    "Link",
    "failure_page",
    "filled",
    "glossary_page",
    "led",
    "page",
    "policy_of",
    "template",
    "with_script",
    "write_whole",
]

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy of every page: what a page shows stands in it, and no script runs. A
page with a slider adds one, by its hash."""


_NAVIGATION = re.compile(r"<nav>.*?</nav>", re.DOTALL)


class Link(NamedTuple):
    "A part of a page's navigation: a link, or the text of where one is (no `href`)."

    text: str
    href: str = ""


@cache
def _templates():
    "The templates of this package, with every value escaped that is not marked as HTML."
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("aiops_wb.render"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def filled(template: str, title: str, root: str | None = None, **values: Any) -> str:
    """A template as a complete HTML page, which explains the words of its heads at its end.

    `root` leads from the page to the front door; None where a page is made that has none.
    """
    frame = {"navigation": (), "footer": "", "body": "", "policy": POLICY, "script": ""}
    html = _templates().get_template(template).render(frame | {"title": title} | values)
    shown, end, rest = html.partition("</main>")
    words = words_of(heads(shown))
    if not words or template == "glossary.html":
        return html
    told = {"words": words, "root": root, "glossary": GLOSSARY}
    return linked(shown) + _templates().get_template("words.html").render(told) + end + rest


def glossary_page() -> str:
    "The page of all words, beside the front door."
    navigation = [Link("All days", "index.html"), Link("Words")]
    words = sorted(WORDS, key=lambda word: word.word.lower())
    return filled("glossary.html", "Words - aiops_wb", words=words, navigation=navigation)


def led(html: str, navigation: Sequence[Link]) -> str:
    "A page with another navigation at its top."
    told = _templates().get_template("navigation.html").render(navigation=navigation)
    return _NAVIGATION.sub(lambda _: told.rstrip("\n"), html, count=1)


def template(name: str) -> str:
    "The text of a file among the templates."
    return (files("aiops_wb.render") / "templates" / name).read_text(encoding="utf-8")


SLIDER_SCRIPT = ("slider.js", "page.js")
"Files among the templates that are the script of a page with a slider."
FRONT_SCRIPT = ("front.js",)
"The same of a page with a row for each model."
CASES_SCRIPT = ("cases.js",)
"The same of a page with a row for each case."


def with_script(names: Sequence[str]) -> dict[str, str]:
    """What a page with a script has of its own: the script, put together from files among the
    templates, and the policy that lets it run and no other."""
    return {"script": _script(tuple(names)), "policy": policy_of(names)}


def policy_of(*scripts: Sequence[str]) -> str:
    "The policy that lets some scripts run, each known by its hash."
    return f"{POLICY}; script-src {' '.join(_hash(tuple(names)) for names in scripts)}"


@cache
def _script(names):
    return "\n".join(template(name) for name in names)


@cache
def _hash(names):
    return f"'sha256-{b64encode(hashlib.sha256(_script(names).encode()).digest()).decode()}'"


def page(title: str, body: str, navigation: Sequence[Link] = (), footer: str = "") -> str:
    "A complete HTML page around a body that is HTML already."
    return filled("frame.html", title, body=body, navigation=navigation, footer=footer)


def failure_page(title: str, error: str, navigation: Sequence[Link] = ()) -> str:
    "The page that stands in for a report that failed."
    return filled("failure.html", title, error=error, navigation=navigation)


def write_whole(path: Path, text: str) -> None:
    "Write a file aside, flush it and rename it: readers see the old one or the new one."
    make_below(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        as_its_folder(temporary)
        fsync(temporary)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
