"""What moved the scores of the newest days, and why an interval is wide: explained once a morning,
kept beside the day, read by its pages and its alarms."""

from datetime import datetime

import pandas as pd

from ..log.calibrations import Interval
from ..log.catalog import Reader
from ..log.difference_files import read_differences, write_differences
from ..log.feature_names import FeatureName
from ..log.reason_files import OfDay
from .differences import Difference, WidthExplained
from .shift_of_log import shift_or_why, width_or_why

__all__ = ["keep_differences", "kept_shift", "kept_width", "shift_in_words", "shift_of"]


def keep_differences(
    reader: Reader, of: OfDay, as_of: datetime | None = None, wide: Interval | None = None
) -> None:
    """Explain and keep what moved the scores of the 7 days up to a day, and why an interval is
    wide; nothing is done where just that is kept already. Why something cannot be had is kept, too,
    and asked again: the version's file may be back.

    Some hundred events a side (`shift_of_log.IN_PAGE`, `NEAR_IN_PAGE`): seconds, however long the
    log is.
    """
    known = _told(reader, of, as_of)
    named, at = (reader, of.model, of.version), {"as_of": as_of}
    told = {"asked": _asked(reader, of, as_of), "wide": wide and wide.as_json(), "width": None}
    if isinstance(_shift_in(known), Difference):
        told["shift"] = known["shift"]
    else:
        told["shift"] = _plain(shift_or_why(*named, of.day, **at))
    if wide and isinstance(_width_in(known, wide), WidthExplained):
        told["width"] = known["width"]
    elif wide:
        told["width"] = _plain(width_or_why(*named, wide[:2], wide.days, **at))
    if told != known:
        write_differences(reader.root, of, told)


def kept_shift(reader: Reader, of: OfDay, as_of: datetime | None = None) -> Difference | str | None:
    "What moved the scores of the newest days, or why that is not known; None: it was not kept."
    return _shift_in(_told(reader, of, as_of))


def shift_of(reader: Reader, of: OfDay, as_of: datetime | None = None) -> Difference | str:
    "The same as it is kept, made where it is not."
    told = kept_shift(reader, of, as_of)
    return shift_or_why(reader, of.model, of.version, of.day, as_of) if told is None else told


def shift_in_words(reader: Reader, of: OfDay, as_of: datetime | None = None) -> str:
    """What moved the scores of the newest days in a sentence without a subject, or why that is not
    known: as it is kept, made where it is not. Features by their plain names."""
    told = shift_of(reader, of, as_of)
    if isinstance(told, str):
        return f"not known, {told}"
    return _in_short(told, reader.feature_names(of.model, as_of))


def _in_short(told, names, most=3):
    "A shift for a message: no more digits than somebody acts on."
    if told.first is None:
        return "not known, one side has no rows."
    clear = told.parts[(told.parts.lower > 0) | (told.parts.upper < 0)]
    shown = [
        _part(row, names) for row in (clear if len(clear) else told.parts).head(most).itertuples()
    ]
    how = "most clearly by" if len(clear) else "no part told from chance, the largest"
    return f"{told.total:+.2f} log-odds on average, {how} {', '.join(shown)}."


def _part(row, names):
    sure = "" if pd.isna(row.lower) else f" ({row.lower:+.2f} to {row.upper:+.2f})"
    return f"{names.get(row.feature, FeatureName(row.feature)).name} {row.part:+.2f}{sure}"


def kept_width(
    reader: Reader, of: OfDay, wide: Interval, as_of: datetime | None = None
) -> WidthExplained | str | None:
    "Why an interval is wide, or why that is not known; None: it was not kept."
    return _width_in(_told(reader, of, as_of), wide)


def _shift_in(told):
    return _made(told.get("shift"), _difference)


def _width_in(told, wide):
    return _made(told.get("width"), _width) if told.get("wide") == wide.as_json() else None


def _made(told, make):
    "What was kept, None where it is not as this release keeps it: it is made again."
    try:
        return told if told is None or isinstance(told, str) else make(told)
    except (KeyError, TypeError, ValueError):
        return None


def _told(reader, of, as_of):
    "What is kept of a day, as far as it was asked of the same log."
    told = read_differences(reader.root, of) or {}
    return told if told.get("asked") == _asked(reader, of, as_of) else {}


def _asked(reader, of, as_of):
    "What an answer rests on beside the day."
    chosen = reader.reference_days(of.model, of.version, as_of)
    return {"batch": reader.known_batch(as_of), "reference": chosen and list(map(str, chosen))}


def _plain(found):
    "A difference as JSON values; a reason as it is."
    if isinstance(found, str):
        return found
    if isinstance(found, WidthExplained):
        values = {name: getattr(found, name) for name in ("lower", "upper", "width", "off")}
        return values | {"between": _plain(found.between)}
    values = {name: getattr(found, name) for name in Difference.__dataclass_fields__}
    parts = found.parts.to_dict("list")
    return values | {"parts": parts, "rows": list(found.rows), "days": list(found.days)}


def _width(told):
    return WidthExplained(**told | {"between": _difference(told["between"])})


def _difference(told):
    parts = pd.DataFrame(told["parts"])
    sizes = {name: tuple(told[name]) for name in ("rows", "days")}
    return Difference(**told | sizes | {"parts": parts})
