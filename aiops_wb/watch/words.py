"""How figures are written."""

from math import isnan

__all__ = ["percent", "number"]


def percent(x: float, digits: int = 0) -> str:
    "A share as a percentage, '-' when unknown."
    return "-" if isnan(x) else f"{x:.{digits}%}"


def number(x: float, digits: int = 3) -> str:
    "A figure with fixed digits, '-' when unknown."
    return "-" if isnan(x) else f"{x:.{digits}f}"
