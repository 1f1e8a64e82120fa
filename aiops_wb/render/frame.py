"""The frame of every page: one look, nothing loaded from elsewhere, and no value taken for HTML."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..log.durable import fsync
from ..log.modes import as_its_folder, make_below

__all__ = ["POLICY", "Link", "filled", "page", "failure_page", "write_whole"]

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
"""The Content-Security-Policy of every page: what a page shows stands in it, and no script runs. A
page with a slider adds one, by its hash."""


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


def filled(template: str, title: str, **values: Any) -> str:
    "A template as a complete HTML page."
    frame = {"navigation": (), "footer": "", "body": "", "policy": POLICY, "script": ""}
    return _templates().get_template(template).render(frame | {"title": title} | values)


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
    temporary.write_text(text, encoding="utf-8")
    as_its_folder(temporary)
    fsync(temporary)
    temporary.replace(path)
