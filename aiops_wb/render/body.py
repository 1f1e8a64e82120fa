"""An executed notebook as the body of a page: its text, and what its cells show, without code."""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape, unescape
from typing import NamedTuple

from mistune import HTMLRenderer, Markdown, create_markdown
from nbformat import NotebookNode

from .sliders import SEGMENTS, SLIDER

__all__ = ["PICTURE", "Part", "parts"]

PICTURE = "image/svg+xml"
SHOWN = ("text/html", "text/markdown", PICTURE, "text/latex", "image/png", "image/jpeg")
"Forms of an output, the best first; plain text is what remains."

COLOURS, TAGS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]"), re.compile(r"<[^>]*>")


class Part(NamedTuple):
    """A piece of a page: 'text' (HTML of the author), 'html' (of a cell), 'picture', 'plain',
    'slider' (its counts), or 'beside' (a link to the page of tenants and sites)."""

    kind: str
    value: str
    static: str = ""  # of a slider: what stands there where no script runs (HTML)


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


def parts(nb: NotebookNode) -> Iterator[Part]:
    "What a notebook shows, from top to bottom."
    for cell in nb.cells:
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
    elif form == PICTURE:
        yield Part("picture", f"data:{form};base64,{b64encode(data[form].encode()).decode()}")
    elif form == "text/latex":
        yield Part("plain", data[form])
    elif form:
        yield Part("picture", f"data:{form};base64,{data[form]}")
    elif "text/plain" in data:
        yield Part("plain", COLOURS.sub("", data["text/plain"]))
