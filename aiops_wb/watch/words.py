"""How figures are written."""

from math import isnan

__all__ = ["percent", "number"]


def percent(x: float, digits: int = 0) -> str:
    "A share as a percentage, '-' when unknown; nearly all is not 100 %."
    if isnan(x):
        return "-"
    text = f"{x:.{digits}%}"
    if x >= 1 or float(text[:-1]) < 100:
        return text
    return percent(x, digits + 1) if digits < 2 else "over 99.99%"


def number(x: float, digits: int = 3) -> str:
    "A figure with fixed digits, '-' when unknown."
    return "-" if isnan(x) else f"{x:.{digits}f}"
