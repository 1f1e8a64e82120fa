"""Numbers as others write them down, with the marks that a person names."""

import re

import pandas as pd

__all__ = ["plain_numbers"]


def plain_numbers(column: pd.Series, decimal: str, thousands: str | None) -> pd.Series:
    """A column whose texts that are numbers in the spelling told are numbers as programs write
    them; what is spelt otherwise stays as it is."""
    if decimal == "." and thousands is None:
        return column
    whole = r"\d+"
    if thousands is not None:
        mark = re.escape(thousands)
        whole = rf"(?:\d{{1,3}}(?:{mark}\d{{3}})+|\d+)"
    number = re.compile(rf"[+-]?{whole}(?:{re.escape(decimal)}\d+)?(?:[eE][+-]?\d+)?")

    def plain(cell):
        if not isinstance(cell, str) or not number.fullmatch(cell.strip()):
            return cell
        joined = cell if thousands is None else cell.replace(thousands, "")
        return joined.replace(decimal, ".").strip()

    return pd.Series([plain(cell) for cell in column.tolist()], index=column.index, dtype=object)
