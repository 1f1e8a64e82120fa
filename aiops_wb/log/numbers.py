"""Numbers as others write them down, with the marks that a person names."""

import re
from collections.abc import Iterable

import pandas as pd

__all__ = ["plain_numbers", "spelling_of"]


def plain_numbers(column: pd.Series, decimal: str, thousands: str | None) -> pd.Series:
    """A column whose texts that are numbers in the spelling told are numbers as programs write
    them; what is spelt otherwise stays as it is."""
    if decimal == "." and thousands is None:
        return column
    number = _number(decimal, thousands)

    def plain(cell):
        if not isinstance(cell, str) or not number.fullmatch(cell.strip()):
            return cell
        joined = cell if thousands is None else cell.replace(thousands, "")
        return joined.replace(decimal, ".").strip()

    return pd.Series([plain(cell) for cell in column.tolist()], index=column.index, dtype=object)


def spelling_of(words: Iterable[str]) -> str | None:
    "The options with which words that are no numbers all become some; None when they do not."
    words = [word.strip() for word in words]
    for decimal, thousands, options in _SPELLINGS:
        if words and all(map(_number(decimal, thousands).fullmatch, words)):
            return options
    return None


_SPELLINGS = (
    (",", None, "--decimal ,"),
    (",", ".", "--decimal , --thousands ."),
    (".", ",", "--thousands ,"),
)


def _number(decimal, thousands):
    "The pattern of a number with these marks."
    whole = r"\d+"
    if thousands is not None:
        mark = re.escape(thousands)
        whole = rf"(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)"
    return re.compile(rf"[+-]?{whole}(?:{re.escape(decimal)}\d+)?(?:[eE][+-]?\d+)?")
