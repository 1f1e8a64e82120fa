"""What an act has to say, by its kind: shapes that need no catalog to be checked."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from math import isfinite, nan
from typing import Any

from .errors import InvalidAct
from .names import checked_name

__all__ = ["KINDS", "LONGEST_TEXT", "OUTCOMES", "checked_text", "checked_what"]

LONGEST_TEXT = 2_000
"Characters of a reason at most."
MOST_IDS = 100
"Cases or alarms that one act is about at most."
MOST_POINTS = (1 << 15) - 1
OUTCOMES = ("confirmed", "dismissed", "unclear")
"""How a case can have ended, as the person says who closes it: for people to read. It is no label,
and no figure rests on it."""

# what is not seen, or turns round what stands beside it, makes one name look like another
_UNSEEN = r"\u200b\u202a-\u202e\u2060-\u2069\ufeff"
_CONTROL = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_UNSEEN}]")

Check = Callable[[str, Any], Any]


def checked_text(name: str, value: Any, longest: int = LONGEST_TEXT) -> str:
    "A text of one line; InvalidAct when it is none, empty, too long or has control characters."
    if not isinstance(value, str) or not value.strip():
        raise InvalidAct(f"{name} has to be a text that is not empty.")
    if len(value) > longest:
        raise InvalidAct(f"{name} has {len(value):,} characters: {longest:,} are allowed.")
    if bad := _CONTROL.search(value):
        raise InvalidAct(f"{name} has the control character {bad[0]!a}: one line of text, please.")
    return value


def _name(name, value):
    try:
        return checked_name(checked_text(name, value, 1_000))
    except ValueError as error:
        raise InvalidAct(f"{name}: {error}.") from None


def _short(name, value):
    return checked_text(name, value, 200)


def _points(name, value):
    if type(value) is not int or abs(value) > MOST_POINTS:
        raise InvalidAct(f"{name} has to be a whole number of points, not {_told(value)}.")
    return value


def _number(name, value):
    try:
        number = float(value) if type(value) in (int, float) else nan
    except OverflowError:
        number = nan
    if not isfinite(number):
        raise InvalidAct(f"{name} has to be a number, not {_told(value)}.")
    return number


def _ids(name, value):
    if not isinstance(value, (list, tuple)) or not 1 <= len(value) <= MOST_IDS:
        raise InvalidAct(f"{name} has to be a list of 1 to {MOST_IDS} ids of cases or alarms.")
    ids = [_short(name, one) for one in value]
    return list(dict.fromkeys(ids))


def _day(name, value):
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        told = _told(value)
        raise InvalidAct(f"{name} has to be a day such as 2026-04-01, not {told}.") from None


def _outcome(name, value):
    if value not in OUTCOMES:
        told = ", ".join(OUTCOMES)
        raise InvalidAct(f"{name} has to be one of {told}, not {_told(value)}.")
    return value


def _told(value):
    return repr(value)[:40]


_SEEN: Mapping[str, Check] = {"version": _name, "if_in_force": _points}
_WHERE: Mapping[str, Check] = {"tenant": _name, "site": _short} | _SEEN
_VALUE: Mapping[str, Check] = {"points": _points, "score": _number}
_PROMISE: Mapping[str, Check] = {"promise": _short, "confidence": _number}
_CHANGE = ({"model": _name, "why": checked_text}, _VALUE | _WHERE | _PROMISE)
_DECIDED = ({"proposal": _short, "why": checked_text}, {})
_HANDLED = ({"ids": _ids, "why": checked_text}, {})

_SHAPES: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = {
    "propose": _CHANGE,
    "set": _CHANGE,
    "approve": _DECIDED,
    "reject": _DECIDED,
    "rollback": ({"model": _name, "why": checked_text}, _WHERE),
    "acknowledge": _HANDLED,
    "close": ({"ids": _ids, "why": checked_text}, {"outcome": _outcome}),
    "mute": ({"ids": _ids, "until": _day, "why": checked_text}, {}),
    "assign": ({"ids": _ids, "to": _short, "why": checked_text}, {}),
    "comment": ({"ids": _ids, "text": checked_text}, {}),
}
"Kind of act -> what it has to say, and what else it may."

KINDS = tuple(_SHAPES)
"What can be handed in."


def checked_what(kind: str, what: Any) -> dict[str, Any]:
    "What an act says, in one form; InvalidAct with a sentence when it is not of the kind's shape."
    if kind not in _SHAPES:
        raise InvalidAct(f"{_told(kind)} is no kind of act: choose one of {', '.join(KINDS)}.")
    if not isinstance(what, Mapping):
        raise InvalidAct(f"what is to be done has to be an object of names and values: {kind}.")
    needed, others = _SHAPES[kind]
    known, given = needed | others, {k: v for k, v in what.items() if v is not None}
    if unknown := [key for key in given if key not in known]:
        named = ", ".join(known)
        raise InvalidAct(f"{kind} knows no {_told(unknown[0])}: it takes {named}.")
    if missing := [key for key in needed if key not in given]:
        raise InvalidAct(f"{kind} needs {' and '.join(missing)}.")
    if "points" in known and ("points" in given) == ("score" in given):
        raise InvalidAct(f"{kind} needs either score or points, the threshold.")
    return {key: known[key](key, value) for key, value in given.items()}
