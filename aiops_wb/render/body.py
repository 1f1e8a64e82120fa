"""An executed notebook as the body of a page: its text, and what its cells show, without code."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape, unescape
from typing import NamedTuple

from mistune import HTMLRenderer, Markdown, create_markdown
from nbformat import NotebookNode

from .drawing import is_drawing
from .sliders import SEGMENTS, SLIDER

__all__ = ["FOLDED", "PICTURE", "Part", "Section", "parts", "sections"]

PICTURE = "image/svg+xml"
FOLDED = "folded"
"The tag of a heading's cell whose section a page shows folded."
SHOWN = ("text/html", "text/markdown", PICTURE, "text/latex", "image/png", "image/jpeg")
"Forms of an output, the best first; plain text is what remains."

COLOURS, TAGS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), re.compile(r"<[^>]*>")


class Part(NamedTuple):
    """A piece of a page: 'text' (HTML of the author), 'html' (of a cell), 'drawing' (SVG of this
    package), 'picture' (the source of an image), 'plain', 'slider' (its counts), or 'beside' (a
    link to the page of tenants and sites)."""

    kind: str
    value: str
    static: str = ""  # of a slider: what stands there where no script runs (HTML)


class Section(NamedTuple):
    "A heading of the second order with what follows it; the first section is what stands above."

    parts: list[Part]
    heading: str = ""  # HTML, of a section that is shown folded
    name: str = ""  # what a link to it leads to
    inside: str = ""  # in words


class _Headings(HTMLRenderer):
    "Markdown as HTML; a heading can be linked to by its words."

    def heading(self, text: str, level: int, **_) -> str:
        name = escape(unescape(TAGS.sub("", text)).replace(" ", "-"))
        link = f'<a class="anchor-link" href="#{name}">¶</a>'
        return f'<h{level} id="{name}">{text}{link}</h{level}>\n'


@cache
def _markdown() -> Markdown:
    "Reads markdown as notebooks do; HTML in it is its author's."
    renderer = _Headings(escape=False, allow_harmful_protocols=True)
    return create_markdown(
        renderer=renderer, plugins=["strikethrough", "table", "url", "task_lists", "def_list"]
    )


_HEADING = re.compile(
    r'\s*<h2 id="([^"]*)">(.*?)(?:<a class="anchor-link".*?</a>)?</h2>\s*', re.DOTALL
)
_TABLE = re.compile(r"<table.*?</table>", re.DOTALL)


def sections(nb: NotebookNode) -> list[Section]:
    "What a notebook shows, a section for each heading of the second order."
    apart, cells = [], []
    for cell in nb.cells:
        if cells and cell.cell_type == "markdown" and cell.source.startswith("## "):
            apart.append(cells)
            cells = []
        cells.append(cell)
    return [_section(one) for one in (*apart, cells)]


def _section(cells):
    "A section of some cells; folded where its first one says so."
    found = list(_parts(cells))
    folded = cells and FOLDED in cells[0].metadata.get("tags", [])
    heading = _HEADING.match(found[0].value) if folded and found else None
    if heading is None:
        return Section(found)
    found[0] = found[0]._replace(value=found[0].value[heading.end() :])
    return Section(found, heading[2], heading[1], _inside(found))


def _inside(found):
    "What is inside, in words: pictures, tables with their rows, what can be moved."
    pictures = sum(part.kind in ("drawing", "picture") for part in found)
    tables = [
        table for part in found if part.kind == "html" for table in _TABLE.findall(part.value)
    ]
    rows = sum(max(0, table.count("<tr") - 1) for table in tables)
    told = [_many(pictures, "a picture", "pictures")] if pictures else []
    if tables:
        told.append(
            f"{_many(len(tables), 'a table', 'tables')} of {_many(rows, 'one row', 'rows')}"
        )
    told += ["a slider"] if any(part.kind == "slider" for part in found) else []
    return ", ".join(told) or "text"


def _many(n, one, more):
    return one if n == 1 else f"{n:,} {more}"


def parts(nb: NotebookNode) -> Iterator[Part]:
    "What a notebook shows, from top to bottom."
    return _parts(nb.cells)


def _parts(cells):
    for cell in cells:
        if cell.cell_type == "code":
            yield from _outputs(cell.outputs)
        elif cell.cell_type == "markdown":
            yield Part("text", _markdown()(_with_attachments(cell)))
        else:
            yield Part("plain", cell.source)


def _with_attachments(cell: NotebookNode) -> str:
    "The markdown of a cell, with the pictures that were pasted into it."
    source = cell.source
    for name, forms in cell.get("attachments", {}).items():
        for mime, data in forms.items():
            source = source.replace(f"(attachment:{name})", f"(data:{mime};base64,{data})")
    return source


def _outputs(outputs: Iterable[NotebookNode]) -> Iterator[Part]:
    for output in outputs:
        if output.output_type == "stream":
            yield Part("plain", COLOURS.sub("", output.text))
        elif output.output_type == "error":
            yield Part("plain", COLOURS.sub("", "\n".join(output.traceback)))
        else:
            yield from _data(output.data)


def _data(data: NotebookNode) -> Iterator[Part]:
    "An output in the best of its forms; none where it has no form to look at."
    if SLIDER in data:
        yield Part("slider", data[SLIDER], data.get("text/html", ""))
        return
    if SEGMENTS in data:
        yield Part("beside", "")
    form = next((mime for mime in SHOWN if mime in data), None)
    if form == "text/html":
        yield Part("html", data[form])
    elif form == "text/markdown":
        yield Part("html", _markdown()(data[form]))
    elif form == PICTURE and is_drawing(data[form]):
        yield Part("drawing", data[form])
    elif form == PICTURE:
        yield Part("picture", f"data:{form};base64,{b64encode(data[form].encode()).decode()}")
    elif form == "text/latex":
        yield Part("plain", data[form])
    elif form:
        yield Part("picture", f"data:{form};base64,{data[form]}")
    elif "text/plain" in data:
        yield Part("plain", COLOURS.sub("", data["text/plain"]))
