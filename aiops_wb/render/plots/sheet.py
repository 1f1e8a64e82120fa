"""The sheet of a drawing: paths and texts, put together by their look, and what they refer to."""

import re
from collections.abc import Sequence
from hashlib import blake2s
from html import escape
from typing import NamedTuple

from ..drawing import BEGINS
from .path_data import Box

__all__ = ["OWN", "PIECES", "TENTHS", "Shape", "Sheet"]

TENTHS = 10
"Units of a drawing's coordinates in a point."
OWN = "\x00"
"Stands for the name of a drawing until all of it is known."
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_POWER = re.compile(r"\$\\mathdefault\{10\^\{([-\u2212]?\d+)\}\}\$")
_RAISED = str.maketrans(
    "-\u22120123456789", "\u207b\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)


PIECES = {"axes": "p", "legend": "l"}
"Pieces of a drawing that can be moved by their class, as matplotlib calls them -> its letter."


class Shape(NamedTuple):
    "A path that waits for others of its look."

    look: str
    data: str
    box: Box
    filled: bool
    clear: bool  # lets through what lies below


class Sheet:
    "What was drawn so far; `svg` is all of it."

    def __init__(self):
        self._rules: dict[str, str] = {}  # class -> what it says
        self._names: dict[str, str] = {}  # a definition -> its name
        self._waiting: list[Shape] = []
        self._texts: list[str] = []  # to be drawn over the lines of their axis
        self._in_axis = False
        self._pieces: list[str] = []  # that began, and have not ended
        self._begun = dict.fromkeys(PIECES.values(), 0)
        self._body: list[str] = []

    def axis(self, begins: bool) -> None:
        "Of an axis all lines of one look are put together: they do not cover each other."
        self._flush()
        self._in_axis = begins

    def piece(self, letter: str, begins: bool) -> None:
        "A panel, say, begins or ends; what lies within another piece is part of it."
        self._flush()
        if begins:
            self._pieces.append(letter)
        if len(self._pieces) == 1:
            name = f"{OWN}-{letter}{self._begun[letter]}"
            self._body.append(f'<g class="{name}">' if begins else "</g>")
            self._begun[letter] += not begins
        if not begins:
            self._pieces.pop()

    def add(self, shape: Shape) -> None:
        "Put a path to others of its look where nothing between is covered; else behind them."
        first = 0 if self._in_axis else max(0, len(self._waiting) - 1)
        for place, other in enumerate(self._waiting[first:], first):
            over = (shape.filled or shape.clear) and _meet(other.box, shape.box)
            if other.look == shape.look and not over:
                around = _around(other.box, shape.box)
                self._waiting[place] = other._replace(data=other.data + shape.data, box=around)
                return
        self._waiting.append(shape)

    def write(self, look: str, place: str, text: str) -> None:
        "Text at a place, over what was drawn before."
        if not self._in_axis:
            self._flush()
        self._texts.append(f'<text class="{look}" {place}>{_text(text)}</text>')

    def look(self, rule: Sequence[str]) -> str:
        "The class that says this."
        says = ";".join(filter(None, rule))
        name = _called(says, 3)
        self._rules[name] = says
        return name

    def defined(self, definition: str) -> str:
        "What refers to a definition, in which `{}` stands for its name."
        name = self._names.setdefault(definition, f"{OWN}-{len(self._names)}")
        return f"url(#{name})"

    def svg(self, width: float, height: float, narrow: str, title: str, says: str) -> str:
        """The drawing of so many points across and up, how it stands in a narrow page (CSS), its
        name, and what it shows in words."""
        self._flush()
        rules = "".join(f".{name}{{{rule}}}" for name, rule in self._rules.items())
        defined = "".join(text.replace("{}", name) for text, name in self._names.items())
        drawn = (f"<defs>{defined}</defs>" if defined else "") + "".join(self._body)
        name, words = _text(title), _text(says)
        key = _called(f"{name} {words} {rules}{drawn}", 5)
        across, up = (round(size * 4 / 3) for size in (width, height))  # of 96 an inch
        wide, high = (round(size * TENTHS) for size in (width, height))
        whole = (
            f'{BEGINS}role="img" aria-labelledby="{key}-t {key}-d" '
            f'width="{across}" height="{up}" viewBox="0 0 {wide} {high}" '
            'style="max-width:100%;height:auto;font-family:system-ui,sans-serif">'
            f'<title id="{key}-t">{name}</title><desc id="{key}-d">{words}</desc>'
            f"<style>{rules}{narrow}</style>{drawn}</svg>"
        )
        return whole.replace(OWN, key)

    def _flush(self):
        self._body += [f'<path class="{one.look}" d="{one.data}"/>' for one in self._waiting]
        self._body += self._texts
        self._waiting, self._texts = [], []


def _called(text, size):
    return f"k{blake2s(text.encode(), digest_size=size).hexdigest()}"


def _text(text):
    "Text as XML holds it; a power of ten as a formatter writes it, in plain letters."
    text = _POWER.sub(lambda told: f"10{told[1].translate(_RAISED)}", text)
    return escape(_NO_TEXT.sub("\ufffd", text), quote=False)


def _around(one: Box, other: Box) -> Box:
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _meet(one: Box, other: Box) -> bool:
    "Whether two boxes have more than an edge in common."
    across = one[0] < other[2] and other[0] < one[2]
    return across and one[1] < other[3] and other[1] < one[3]
