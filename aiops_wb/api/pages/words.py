"""Values as pages write them: as the commands print them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from math import isnan

from .links import model_page

__all__ = ["FILTERS", "limits", "moment", "number", "score", "whose"]


def number(x: float | None, digits: int = 3, sign: str = "-") -> str:
    "A number, with a sign where it is asked for; '-' where it is not known."
    return "-" if x is None or isnan(x) else f"{x:{sign},.{digits}f}"


def score(x: float | None) -> str:
    "A threshold."
    return number(x)


def moment(at: datetime | str | None) -> str:
    "A time (UTC), to the minute; empty for none."
    if at is None or at == "":
        return ""
    when = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{when:%Y-%m-%d %H:%M}Z"


def day(on: date | str | None) -> str:
    "A day; empty for none."
    return "" if on is None else str(on)[:10]


def limits(figure: Sequence[float | None]) -> str:
    "A figure with the limits of its interval."
    value, lower, upper = figure
    if value is None:
        return "-"
    return f"{value:.3g}" + ("" if lower is None else f" ({lower:.3g} to {upper:.3g})")


def whose(row: Mapping) -> str:
    "Whose a threshold is, in words."
    if row["tenant"] is None:
        return "all events"
    if row["site"] is None:
        return f"tenant {row['tenant']}"
    return f"site {row['site']} of tenant {row['tenant']}"


def mark(name: str) -> str:
    "A name as part of an id that any selector can name."
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:12]


FILTERS = {
    "number": number,
    "score": score,
    "moment": moment,
    "day": day,
    "limits": limits,
    "whose": whose,
    "page": model_page,
    "mark": mark,
}
