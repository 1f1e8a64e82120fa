"""One form for each value of a feature, however it was spelt: what is logged, counted, trained on
and scored is read by these functions."""

import json
import math
import re
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd

from .. import config

__all__ = [
    "EXACT",
    "NULL_WORDS",
    "NULL_TEXTS",
    "as_boolean",
    "as_number",
    "as_seconds",
    "canonical_text",
    "category_codes",
    "category_place",
    "content_sql",
    "infer",
    "kind_sql",
    "number_sql",
    "text_sql",
    "typed",
    "wider",
]

NULL_TEXTS = frozenset(
    ["", "n/a", "#n/a", "nan", "-nan", "nat", "<na>", "null", "\\n", "#value!", "#ref!", "#div/0!"]
)
"""Words, in any case, for a missing value of any kind: how programs spell one."""

NULL_WORDS = frozenset({"", *config.NULL_WORDS})
"""Words for a missing number, boolean or time, unless others are set. Some of them can be values of
a text (`NA` is Namibia, `None` a category), so that in a text only `NULL_TEXTS` are missing."""

_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WHOLE = re.compile(r"([-+]?[0-9]+)\.0+")
_DIGITS = re.compile(r"[-+]?[0-9]{16,}")
_INFINITE = re.compile(r"[-+]?inf(?:inity)?", re.IGNORECASE)
_BOOLEANS = {"true": True, "false": False}
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?"
    r" ?(?:Z|z|UTC|[-+][0-9]{2}(?::?[0-9]{2})?)?)?"
)
# what Python's float takes and the pattern above does not, beside underscores and digits of other
# scripts; it begins with a plain character because those are looked for ten times faster
_NOT_PLAIN = re.compile(r"\n\s*[-+]?(?:0[0-9]|[0-9]{16})")
EXACT = 2**53
"Whole numbers up to here are exact as float64."


def _is_nothing(value):
    if value is None or value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    return isinstance(value, (np.datetime64, np.timedelta64)) and bool(np.isnat(value))


def _is_missing(value, null_words):
    "Whether a value is missing where it should be a number, a boolean or a time."
    if isinstance(value, str):
        return value.strip().lower() in null_words
    return _is_nothing(value)


def as_number(value) -> float:
    """A number as it is meant: NaN where it is missing or none.

    Booleans are 0 and 1, spelt out or not, spans of time are seconds. A text such as `007` is a
    code, and so are hexadecimal digits and groups of thousands; a time is no number.
    """
    if isinstance(value, str):
        return _number_in(value.strip())
    if _is_nothing(value) or isinstance(value, (date, np.datetime64)):
        return math.nan
    if isinstance(value, (pd.Timedelta, np.timedelta64)):
        return pd.Timedelta(value).total_seconds()
    if hasattr(value, "total_seconds"):
        return value.total_seconds()
    try:
        return float(value)
    except OverflowError:  # a whole number beyond every float
        return math.nan
    except (TypeError, ValueError):  # a list, bytes
        return math.nan


def _number_in(text):
    if _NUMBER.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else math.nan
    if _INFINITE.fullmatch(text):
        return float(text)
    return float(_BOOLEANS.get(text.lower(), math.nan))


def as_boolean(value) -> bool | None:
    "A boolean as it is meant, None where it is missing or none: true and false in any case, 1, 0."
    number = as_number(value)
    return bool(number) if number in (0.0, 1.0) else None


def as_seconds(value) -> float:
    """A time as seconds since 1970 in UTC, NaN where it is missing or none.

    A time without an offset is taken as UTC, a number as seconds already.
    """
    if isinstance(value, (date, np.datetime64)) and not _is_nothing(value):
        return _moment(value).timestamp()
    if isinstance(value, str) and _TIME.fullmatch(text := value.strip()):
        moment = _moment(text)
        return math.nan if moment is None else moment.timestamp()
    return as_number(value)


def _moment(value):
    "A time with an offset; None for a text that is no time."
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.replace(" UTC", "Z").replace("z", "Z"))
        elif isinstance(value, (datetime, np.datetime64)):
            moment = pd.Timestamp(value).to_pydatetime(warn=False)
        else:
            moment = datetime(value.year, value.month, value.day)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def canonical_text(value) -> str | None:
    """The one spelling of a value as text, None where it is missing.

    Whole numbers have no decimals (`12`, `12.0` and `"12.0"` are `12`; `"007"` stays), booleans are
    `true` and `false`, days `2026-11-02`, times `2026-11-02T06:00:00Z` in UTC (without the `Z`
    where there was no offset), lists and structs JSON.
    """
    if isinstance(value, str):
        return _canonical_in(value.strip())
    if _is_nothing(value):
        return None
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (int, np.integer)) and not isinstance(value, np.timedelta64):
        return _digits(int(value))  # a span of time is an integer for numpy alone
    if isinstance(value, (date, np.datetime64)):
        return _time_text(value)
    if isinstance(value, (bytes, bytearray)):
        return _canonical_in(bytes(value).decode(errors="backslashreplace").strip())
    if isinstance(value, (list, tuple, set, dict, np.ndarray)):
        return json.dumps(value, default=_plain, ensure_ascii=False)
    number = as_number(value)
    return str(value) if math.isnan(number) else _canonical_in(repr(number))


def _canonical_in(text):
    lower = text.lower()
    if lower in NULL_TEXTS:
        return None
    if lower in _BOOLEANS:
        return lower
    if whole := _WHOLE.fullmatch(text):
        return "0" if whole[1] == "-0" else whole[1]
    if len(text) > 10 and _TIME.fullmatch(text):
        return _time_text(text)
    return text


def _digits(number):
    "A whole number of any length."
    try:
        return str(number)
    except ValueError:  # Python refuses to spell thousands of digits
        return hex(number)


def _time_text(value):
    "A time as ISO 8601 has it; what is none as it stands."
    moment = _moment(value)
    if moment is None:
        return value
    if isinstance(value, str):
        has_offset = datetime.fromisoformat(value.replace(" UTC", "Z").replace("z", "Z")).tzinfo
    else:
        has_offset = getattr(value, "tzinfo", None)
    if has_offset:
        return moment.isoformat().replace("+00:00", "Z")
    midnight = not (moment.hour or moment.minute or moment.second or moment.microsecond)
    return f"{moment:%Y-%m-%d}" if midnight else moment.replace(tzinfo=None).isoformat()


def _plain(value):
    "A value of a list as JSON knows it."
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else str(value)


def infer(column: pd.Series, null_words: Collection[str] = NULL_WORDS) -> str | None:
    """The kind of a column: boolean, number or text; None where nothing says one.

    One word that is no number makes a text of it, unless it is a word for a missing value; whole
    numbers that a float64 cannot hold are codes. A time is a text: as numbers, that is as seconds,
    times are only read where somebody says so.
    """
    if column.dtype != object and not isinstance(
        column.dtype, pd.StringDtype | pd.CategoricalDtype
    ):
        return _kind_of_dtype(column)
    values = column.to_numpy(dtype=object)[column.notna().to_numpy()]
    if len(values) and _plain_numbers(values) is not None:
        return "number"
    kind = None
    for value in _distinct(values):
        if _is_missing(value, null_words):
            continue
        kind = wider(kind, _kind_of(value))
        if kind == "text":
            break
    return kind


def _kind_of_dtype(column):
    present = column.dropna()
    if not len(present):
        return None
    if pd.api.types.is_bool_dtype(present.dtype):
        return "boolean"
    if pd.api.types.is_integer_dtype(present.dtype):
        return "number" if present.min() >= -EXACT and present.max() <= EXACT else "text"
    numeric = pd.api.types.is_numeric_dtype(present.dtype) or present.dtype.kind == "m"
    return "number" if numeric else "text"


def _distinct(values):
    "Each text once, and everything else as it is."
    try:
        return dict.fromkeys(values) if all(type(v) is str for v in values) else values
    except TypeError:
        return values


def _kind_of(value):
    if isinstance(value, (bool, np.bool_)):
        return "boolean"
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in _BOOLEANS:
            return "boolean"
        if _DIGITS.fullmatch(text) and abs(int(text)) > EXACT:
            return "text"
    elif isinstance(value, (int, np.integer)):
        return "number" if -EXACT <= value <= EXACT else "text"
    return "text" if math.isnan(as_number(value)) else "number"


def wider(one: str | None, other: str | None) -> str | None:
    """The kind that holds the values of both, as long as neither is fixed: a boolean is a number
    where there are other numbers, and everything is a text."""
    if one is None or other is None or one == other:
        return one or other
    return "number" if {one, other} == {"number", "boolean"} else "text"


def typed(
    column: pd.Series, kind: str | None, null_words: Collection[str] = NULL_WORDS
) -> tuple[pd.Series, np.ndarray]:
    """A column's values as a kind, and which of them could not be read: those are missing, as
    `null_words` (in lower case) are where no text is due.

    Numbers and times (as seconds) are float64, booleans nullable, texts strings; no kind: texts, as
    far as there are any.
    """
    if kind in ("number", "time"):
        return _as_floats(column, kind, null_words)
    if kind == "boolean":
        return _as_booleans(column, null_words)
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf" and column.notna().any():
        column = _narrowed(column)
    texts = _mapped(column.to_numpy(dtype=object), canonical_text)
    return pd.Series(texts, index=column.index, dtype="str"), np.zeros(len(column), dtype=bool)


def _narrowed(column):
    "Numbers of a column as objects of Python."
    return pd.Series(column.tolist(), index=column.index, dtype=object)


def _as_floats(column, kind, null_words):
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return column.astype(np.float64), np.zeros(len(column), dtype=bool)
    values = column.to_numpy(dtype=object)
    absent = pd.isna(column).to_numpy()
    numbers = np.full(len(values), np.nan)
    plain = _plain_numbers(values[~absent])
    if plain is not None:
        numbers[~absent] = plain
        return pd.Series(numbers, index=column.index), np.zeros(len(values), dtype=bool)
    read = as_number if kind == "number" else as_seconds
    numbers[~absent] = _mapped(values[~absent], read)
    lost = np.isnan(numbers) & ~absent
    lost[lost] = [not _is_missing(v, null_words) for v in values[lost]]
    return pd.Series(numbers, index=column.index), lost


def _as_booleans(column, null_words):
    values = column.to_numpy(dtype=object)
    absent = pd.isna(column).to_numpy()
    told = np.full(len(values), None, dtype=object)
    told[~absent] = _mapped(values[~absent], as_boolean)
    lost = np.array([v is None for v in told], dtype=bool) & ~absent
    lost[lost] = [not _is_missing(v, null_words) for v in values[lost]]
    return pd.Series(told, index=column.index).astype("boolean"), lost


def category_codes(values, categories: Sequence[str]) -> np.ndarray:
    """The place of each value among categories, -1 where it is missing, -2 where it is not among
    them. As it stands first, else however it is spelt; booleans may be 1 and 0."""
    place = category_place(categories)
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biuf":
        distinct, where = np.unique(series.to_numpy(), return_inverse=True)
        return np.array([place(v) for v in distinct.tolist()], dtype=np.int32)[where]
    return np.array(_mapped(series.to_numpy(dtype=object), place), dtype=np.int32)


def category_place(categories: Sequence[str]) -> Callable[[object], int]:
    "The same for one value after the other."
    spelt = {category: place for place, category in enumerate(categories)}
    meant: dict = {}
    for place, category in enumerate(categories):
        meant.setdefault(canonical_text(category), place)
    for truths in (("true", "false"), ("1", "0")):
        if meant.keys() <= set(truths):
            for one, other in zip(("true", "false"), ("1", "0")):
                meant.setdefault(one, meant.get(other, -2))
                meant.setdefault(other, meant.get(one, -2))

    def place_of(value):
        if isinstance(value, str) and value in spelt:
            return spelt[value]
        text = canonical_text(value)
        return -1 if text is None else meant.get(text, -2)

    return place_of


def _plain_numbers(values):
    "All values at once as float64, None where one of them is not simply a number."
    kinds = set(map(type, values))
    try:
        if kinds == {str}:
            joined = "\n" + "\n".join(values)
            if not joined.isascii() or "_" in joined or joined.count("\n") != len(values):
                return None
            if _NOT_PLAIN.search(joined):
                return None
            numbers = np.fromiter(map(float, values), dtype=np.float64, count=len(values))
            return numbers if np.isfinite(numbers).all() else None
        if kinds <= {int, float}:
            numbers = np.fromiter(map(float, values), dtype=np.float64, count=len(values))
            exact = int not in kinds or np.abs(numbers[np.isfinite(numbers)]).max(initial=0) < EXACT
            return numbers if exact else None
    except (ValueError, OverflowError):
        pass
    return None


def _mapped(values, function):
    "A function of each value, as a list; asked once for each text."
    known: dict = {}
    result = []
    for value in values:
        if type(value) is str:
            if value not in known:
                known[value] = function(value)
            result.append(known[value])
        else:
            result.append(function(value))
    return result


def text_sql(value: str) -> str:
    "`canonical_text` in SQL, of an expression that is a number, a boolean or a text."
    text = f"trim(({value})::VARCHAR)"
    nulls = ", ".join("'" + word.replace("'", "''") + "'" for word in sorted(NULL_TEXTS))
    whole = rf"regexp_replace({text}, '^([-+]?[0-9]+)\.0+$', '\1')"
    return (
        f"CASE WHEN lower({text}) IN ({nulls}) THEN NULL "
        f"WHEN lower({text}) IN ('true', 'false') THEN lower({text}) "
        f"WHEN regexp_full_match({text}, '-0\\.0+') THEN '0' ELSE {whole} END"
    )


def number_sql(value: str) -> str:
    "`as_number` in SQL, of an expression that is a text; NULL where it is missing or no number."
    text = f"trim(({value})::VARCHAR)"
    patterns = "|".join((_NUMBER.pattern, "[-+]?(?i:inf(?:inity)?)"))
    return (
        f"CASE WHEN regexp_full_match({text}, '{patterns}') THEN TRY_CAST({text} AS DOUBLE) "
        f"WHEN lower({text}) = 'true' THEN 1 WHEN lower({text}) = 'false' THEN 0 END"
    )


def kind_sql(value: str, kind: str) -> str:
    "A text as a kind, in SQL."
    if kind == "text":
        return text_sql(value)
    if kind == "boolean":
        return f"CASE {number_sql(value)} WHEN 1 THEN true WHEN 0 THEN false END"
    if kind == "number":
        return number_sql(value)
    return f"coalesce({number_sql(value)}, epoch(TRY_CAST({value} AS TIMESTAMPTZ)))"


def content_sql(value: str) -> str:
    "A text by which the same value is the same, whether it is a number or its spelling."
    return f"coalesce({text_sql(f'({number_sql(value)})::VARCHAR')}, {text_sql(value)})"
