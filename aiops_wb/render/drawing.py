"""Drawings of this package in a page: known by how they begin, each with names of its own."""

import re

__all__ = ["BEGINS", "alone_in", "is_drawing"]

BEGINS = '<svg xmlns="http://www.w3.org/2000/svg" class="drawing" '
"How a drawing begins; any other picture is shown as an image, which runs and styles nothing."
_KEY = re.compile(r'aria-labelledby="(k\w+)-t ')


def is_drawing(svg: str) -> bool:
    "Whether a picture was drawn by this package, to stand in a page as it is."
    return svg.startswith(BEGINS)


def alone_in(svg: str, name: str) -> str:
    "A drawing whose parts go by a name that no other of its page has; other pictures stay."
    key = _KEY.search(svg[:1000]) if is_drawing(svg) else None
    return svg.replace(key[1], name) if key else svg
