"""Numbers as others write them down, with the marks that a person names."""

import re
from collections.abc import Iterable
from functools import cache
from math import isnan

import pandas as pd

from .values import as_number

__all__ = ["plain_numbers", "spelling_of"]


def plain_numbers(column: pd.Series, decimal: str, thousands: str | None) -> pd.Series:
    """A column whose texts that are numbers in the spelling told are numbers as programs write
    them; what is spelt otherwise stays as it is."""
    if decimal == "." and thousands is None:
        return column
    cells = [_respelt(cell, decimal, thousands) for cell in column.tolist()]
    return pd.Series(cells, index=column.index, dtype=object)


def _respelt(cell, decimal, thousands):
    "A text that is a number in the spelling told as programs write it; anything else as it stands."
    if not isinstance(cell, str) or not _number(decimal, thousands).fullmatch(cell.strip()):
        return cell
    joined = cell if thousands is None else cell.replace(thousands, "")
    return joined.replace(decimal, ".").strip()


def spelling_of(words: Iterable[str]) -> str | None:
    "The options with which words that are no numbers all become some; None when they do not."
    words = list(words)
    for decimal, thousands, options in _SPELLINGS:
        read = [as_number(_respelt(word, decimal, thousands)) for word in words]
        if words and not any(map(isnan, read)):
            return options
    return None


_SPELLINGS = (
    (",", None, "--decimal ,"),
    (",", ".", "--decimal , --thousands ."),
    (".", ",", "--thousands ,"),
)


@cache
def _number(decimal, thousands):
    "The pattern of a number with these marks."
    whole = r"\d+"
    if thousands is not None:
        mark = re.escape(thousands)
        whole = rf"(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)"
    return re.compile(rf"[+-]?{whole}(?:{re.escape(decimal)}\d+)?(?:[eE][+-]?\d+)?")
