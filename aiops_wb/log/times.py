"""Instants as others write them down: with an offset, or in a zone that a person names."""

import re
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

__all__ = ["Times", "read_times"]

_TIME = re.compile(
    r"(\d{4}-?\d\d-?\d\d)[Tt ]\s?(\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?)\s?"
    r"(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)
_UTC = "datetime64[us, UTC]"


class Times(NamedTuple):
    "Instants (NaT where there is none), what each cell was written as, and what to say."

    instants: pd.Series
    naive: np.ndarray  # times of no zone: where no zone was named, no instants either
    twice: np.ndarray  # of an hour that the zone has twice: the earlier instant is taken
    skipped: np.ndarray  # of an hour that the zone does not have


def read_times(column: pd.Series, zone: str | None = None) -> Times:
    "The instants of a column: text, times of Python, or a column of instants."
    nothing = np.zeros(len(column), dtype=bool)
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return Times(column.astype(_UTC), nothing, nothing, nothing)
    if column.dtype.kind == "M":
        return _placed(column, column.notna().to_numpy(), None, zone)
    cells = column.tolist()
    if _are_alike(cells):
        instants = pd.to_datetime(column, format="ISO8601", utc=True, errors="coerce")
        return Times(instants.astype(_UTC), nothing, nothing, nothing)
    written = [_written(cell) for cell in cells]
    naive = np.fromiter((naive for _, naive in written), bool, len(written))
    texts = pd.Series([text for text, _ in written], index=column.index, dtype=object)
    told = texts.where(~naive, None)
    instants = pd.to_datetime(told, format="ISO8601", utc=True, errors="coerce").astype(_UTC)
    if not naive.any():
        return Times(instants, naive, nothing, nothing)
    local = pd.to_datetime(texts.where(naive, None), format="ISO8601", errors="coerce")
    return _placed(local, naive, instants, zone)


def _are_alike(cells):
    """Whether all cells are texts of one form with an offset, such as 2026-11-02T06:00:00+00:00: to
    look at each would take as long as to read it."""
    if set(map(type, cells)) != {str} or len(wide := set(map(len, cells))) > 1:
        return False
    (width,), joined = wide, "".join(cells)
    if width not in (20, 25) or not joined.isascii():
        return False
    letters = np.frombuffer(joined.encode(), "S1").reshape(-1, width)
    offset = letters[:, -1] == b"Z" if width == 20 else np.isin(letters[:, -6], (b"+", b"-"))
    return bool((letters[:, 10] == b"T").all() and (letters[:, 16] == b":").all() and offset.all())


def _written(cell):
    "A cell as a time that pandas reads (None: it is none), and whether it is of no zone."
    if type(cell) is str:
        # as most are: to match each would take longer than to read it
        if len(cell) >= 17 and cell[10] == "T" and (cell[-1] == "Z" or cell[-6] in "+-"):
            return cell.replace(",", "."), False
    elif hasattr(cell, "isoformat") and not pd.isna(cell):
        cell = cell.isoformat()
    else:
        return None, False
    found = _TIME.fullmatch(cell.strip())
    if found is None:
        return None, False
    day, time, offset = found.groups()
    time = time.replace(",", ".")
    if offset is None:
        return f"{day}T{time}", True
    offset = "Z" if offset.upper() in ("Z", "UTC", "GMT") else offset
    return f"{day}T{time}{offset}", False


def _placed(local, naive, instants, zone):
    "Times of no zone, placed in the one that was named."
    nothing = np.zeros(len(local), dtype=bool)
    if instants is None:
        instants = pd.Series(pd.NaT, index=local.index, dtype=_UTC)
    if zone is None:
        return Times(instants, naive, nothing, nothing)
    local, place = local.astype("datetime64[us]").dt, ZoneInfo(zone)
    once = local.tz_localize(place, ambiguous="NaT", nonexistent="NaT")
    summer = np.ones(len(once), dtype=bool)  # of an hour that is there twice, the earlier
    earlier = local.tz_localize(place, ambiguous=summer, nonexistent="NaT")
    real = local.tz_localize(place, ambiguous=summer, nonexistent="shift_forward").notna()
    placed = earlier.dt.tz_convert("UTC").astype(_UTC)
    return Times(
        instants.where(~naive, placed),
        naive & False,
        (naive & (earlier.notna() & once.isna())).to_numpy(dtype=bool),
        (naive & (real & earlier.isna())).to_numpy(dtype=bool),
    )
