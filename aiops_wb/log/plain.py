"""Values of one event as every file can hold them: nothing, a boolean, a number or a text.

The standard library alone: values of numpy and pandas are known by how they behave.
"""

import json
import math
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

__all__ = ["Several", "LARGEST_INT", "LONGEST_TEXT", "microseconds", "plain", "spelt", "text_of"]

LARGEST_INT = 2**63 - 1
"Whole numbers beyond are kept as a text of their digits: no column holds them as numbers."

LONGEST_TEXT = 1_000_000
"Characters of one value."

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -2_208_988_800_000_000, 7_258_118_400_000_000  # 1900 and 2200
_WHOLE = re.compile(r"([-+]?[0-9]+)\.0+")


class Several(Exception):
    "Where one value should stand there is a column, or something that only pandas can tell."


def microseconds(value, name: str) -> int:
    """A time as microseconds since 1970 in UTC.

    ValueError when it has no offset or lies far off, Several when it is not simply one time.
    """
    if type(value) is str:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise Several from None
    elif isinstance(value, datetime) and type(value).__name__ != "NaTType":
        moment = value
    else:
        raise Several
    if moment.utcoffset() is None:
        raise ValueError(
            f"{name} has times without an offset (such as {value}): "
            "give '2013-04-01T12:00:00+00:00' or aware datetimes."
        )
    since = moment - _EPOCH
    passed = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if not _FIRST <= passed <= _LAST:
        raise ValueError(f"{name} {value} is not between 1900 and 2200.")
    return passed


def text_of(value, name: str) -> str | None:
    "A value of a column of text; Several when it is not simply one value."
    if value is None or type(value) is str and value.isascii() and len(value) <= LONGEST_TEXT:
        return value
    if isinstance(value, (list, tuple, dict, set)) or getattr(value, "ndim", 0):
        raise Several
    value = plain(value, name)
    if value is None or type(value) is str:
        return value
    return spelt(value) if type(value) is bool else repr(value)


def plain(value, name: str) -> bool | int | float | str | None:
    """One value as a boolean, number or text, None where it is missing.

    Days and times, lists and structs become texts, spans of time seconds. ValueError names what no
    file can hold.
    """
    simple = _PLAIN.get(type(value))
    if simple is not None:
        return simple(value, name)
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if type(value).__module__ == "numpy":
        return _of_numpy(value, name)
    for kind, simple in _SUBCLASSES:
        if isinstance(value, kind):
            return simple(value, name)
    raise ValueError(
        f"{name} is a {type(value).__name__}, which no file can hold: "
        "give a number, a boolean, a text or a time."
    )


def spelt(value: bool | int | float | str) -> str:
    "A plain value among texts: whole numbers without decimals, `true` and `false`."
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    text = repr(value)
    whole = _WHOLE.fullmatch(text)
    return text if whole is None else "0" if whole[1] == "-0" else whole[1]


def _boolean(value, name):
    return bool(value)


def _integer(value, name):
    value = int(value)
    if -LARGEST_INT <= value <= LARGEST_INT:
        return value
    try:
        float(value)
    except OverflowError:
        raise ValueError(f"{name} is a whole number beyond every float64.") from None
    return str(value)


def _number(value, name):
    try:
        number = float(value)
    except (OverflowError, ValueError):  # beyond every float64, or a signalling NaN
        raise ValueError(f"{name} is no number that a float64 can hold.") from None
    return None if number != number else number


def _decimal(value, name):
    number = None if value.is_nan() else _number(value, name)
    if number is not None and math.isinf(number) and value.is_finite():
        raise ValueError(f"{name} is no number that a float64 can hold.")
    return number


def _text(value, name):
    value = str.__str__(value)
    if len(value) > LONGEST_TEXT:
        raise ValueError(
            f"{name} is a text of {len(value):,} characters: {LONGEST_TEXT:,} are allowed."
        )
    if not value.isascii():
        _check_encodes(value, name)
    return value


def _check_encodes(value, name):
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} is not valid text: at character {error.start + 1} stands half of a character."
        ) from None


def _bytes(value, name):
    return _text(value.decode(errors="backslashreplace"), name)


def _moment(value, name):
    "A time in UTC where it has an offset; a day where it is midnight and has none."
    if value.utcoffset() is not None:
        try:
            value = value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{name} {value} is beyond the calendar.") from None
        return value.isoformat().replace("+00:00", "Z")
    return value.date().isoformat() if value.time() == time() else value.isoformat()


def _nested(value, name):
    try:
        text = json.dumps(value, default=lambda one: _in_list(one, name), ensure_ascii=False)
    except (TypeError, ValueError, RecursionError) as error:
        what = type(value).__name__
        raise ValueError(f"{name} is a {what} that no file can hold: {error}") from None
    return _text(text, name)


def _in_list(value, name):
    "A value of a list as JSON knows it."
    return value.tolist() if hasattr(value, "tolist") else plain(value, name)


def _of_numpy(value, name):
    "A scalar of numpy, or an array that stands for a list."
    dtype = value.dtype
    if value.ndim:
        return _nested(value.tolist(), name)
    if dtype.kind == "M":
        text = str(value.astype("datetime64[us]"))
        return None if text == "NaT" else _moment(datetime.fromisoformat(text), name)
    if dtype.kind == "m":
        span = value.astype("timedelta64[us]").item()
        return None if span is None else span.total_seconds()
    if dtype.kind == "f":
        return _number(value, name)
    if dtype.kind in "biuSUO":
        return plain(value.item(), name)
    raise ValueError(
        f"{name} is a {dtype}, which no file can hold: give a number, a boolean, a text or a time."
    )


_PLAIN = {
    bool: lambda value, name: value,
    int: _integer,
    float: lambda value, name: None if value != value else value,
    str: _text,
}
_SUBCLASSES = (
    (bool, _boolean),
    (int, _integer),
    (float, _number),
    (str, _text),
    (datetime, _moment),
    (date, lambda value, name: value.isoformat()),
    (time, lambda value, name: value.isoformat()),
    (timedelta, lambda value, name: value.total_seconds()),
    (Decimal, _decimal),
    (Fraction, _number),
    (UUID, lambda value, name: str(value)),
    ((bytes, bytearray), lambda value, name: _bytes(bytes(value), name)),
    ((list, tuple, dict), _nested),
)
