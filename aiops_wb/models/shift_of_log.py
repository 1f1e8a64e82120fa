"""Which features moved the scores of a model's newest days, where two versions part on them, and
why an interval is wide: by the rows of its log."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from ..log.catalog import Reader
from ..log.errors import StoreError
from ..stats.counts import ScoreCounts, total
from .differences import (
    Difference,
    ModelsExplained,
    WidthExplained,
    explain_models,
    explain_shift,
    explain_width,
)
from .registry import load
from .version import feature_columns, logged_features

__all__ = ["logged_models", "logged_shift", "logged_width", "shift_or_why", "width_or_why"]

RECENT_DAYS = 7
MOST, IN_PAGE = 2_000, 200
"Rows of a side; a page is made every morning, and what it does not know stands in its intervals."
NEAR, NEAR_IN_PAGE = 200, 60
"Events at each end of an interval."


def logged_shift(
    reader: Reader,
    model: str,
    version: str,
    day: date,
    as_of: datetime | None = None,
    most: int = MOST,
) -> Difference:
    """`explain_shift` of a version from its reference to the 7 days up to a day: the days that were
    chosen for it, else those of its training or adoption, as far as the log has them.

    At most so many rows of a side, drawn by their ids: the same whenever it is asked. StoreError
    where a side has no rows, or the version's file is not here.
    """
    loaded = load(reader, model, version)
    chosen = reader.reference_days(model, version, as_of)
    span = chosen or tuple(map(date.fromisoformat, loaded.card["window"]))
    recent = day - timedelta(RECENT_DAYS - 1), day
    before, now = (
        _drawn(reader, model, *days, of, as_of, most)
        for days, of in ((span, None), (recent, version))
    )
    features = (logged_features(reader, model, loaded.features, rows) for rows in (before, now))
    return explain_shift(loaded, *features, before.event_date, now.event_date)


def shift_or_why(
    reader: Reader,
    model: str,
    version: str,
    day: date,
    as_of: datetime | None = None,
    most: int = IN_PAGE,
) -> Difference | str:
    """`logged_shift` by as many rows as a page takes time for, or why it cannot be had: a page that
    shows it goes on without."""
    try:
        return logged_shift(reader, model, version, day, as_of, most)
    except StoreError as problem:
        return str(problem)


def logged_width(
    reader: Reader,
    model: str,
    version: str,
    interval: tuple[float, float],
    days: Sequence[date],
    as_of: datetime | None = None,
    near: int = NEAR,
) -> WidthExplained:
    """`explain_width` of a probability interval by the events of some days that a version scored,
    of which so many nearest to each end are read. StoreError where there are none, or the
    version's file is not here."""
    loaded = load(reader, model, version)
    asked = {"version": version, "as_of": as_of}
    by_day = reader.score_counts(model, min(days), max(days), **asked)
    by_day = {day: counts for day, counts in by_day.items() if day in set(days)}
    if not by_day:
        raise StoreError(
            f"the log has no rows of {model} {version} of the days that the interval was "
            f"calibrated on, {min(days)} to {max(days)}."
        )
    ends = loaded.grid.quantise(np.array(interval, dtype=np.float64))
    where, n = zip(*(_near(total(by_day.values()), int(end), near) for end in ends))
    every = max(1, sum(n) // (8 * near))  # of very many equal scores some
    one_of = ", ".join(f"DATE '{day}'" for day in by_day)
    where = f"({' OR '.join(where)}) AND hash(prediction_id) % {every:d} = 0"
    where += f" AND event_date IN ({one_of})"
    rows = reader.rows(model, min(by_day), max(by_day), where=where, labels=False, **asked)
    features = logged_features(reader, model, loaded.features, rows)
    return explain_width(loaded, interval, features, rows.event_date, near)


def _near(counts: ScoreCounts, end, near):
    "Which rows hold those whose points are nearest to an end, as SQL, and how many they are."
    end = min(max(end, int(counts.points.min())), int(counts.points.max()))
    far = np.abs(counts.points.astype(np.int64) - end)
    order = np.argsort(far, kind="stable")
    so_far = np.cumsum(counts.n[order])
    at = min(int(np.searchsorted(so_far, near)), len(order) - 1)
    return f"abs(points - {end:d}) <= {int(far[order[at]]):d}", int(so_far[at])


def width_or_why(
    reader: Reader,
    model: str,
    version: str,
    interval: tuple[float, float],
    days: Sequence[date],
    as_of: datetime | None = None,
    near: int = NEAR_IN_PAGE,
) -> WidthExplained | str:
    "`logged_width` by as many events as a page takes time for, or why it cannot be had."
    try:
        return logged_width(reader, model, version, interval, days, as_of, near)
    except StoreError as problem:
        return str(problem)


def logged_models(
    reader: Reader,
    model: str,
    versions: tuple[str, str],
    day: date,
    as_of: datetime | None = None,
    most: int = MOST,
) -> ModelsExplained:
    """`explain_models` of two versions on events of the 7 days up to a day, whatever version scored
    them, each with its threshold in force. StoreError as for `logged_shift`."""
    first, second = (load(reader, model, version) for version in versions)
    rows = _drawn(reader, model, day - timedelta(RECENT_DAYS - 1), day, None, as_of, most)
    unknown = reader.outcomes_among(model, [*first.features, *second.features])
    stand = (reader.threshold(model, v.version, as_of) for v in (first, second))
    thresholds = tuple(
        v.threshold if t is None else t for t, v in zip(stand, (first, second), strict=True)
    )
    return explain_models(
        first, second, feature_columns(rows, unknown), rows.event_date, thresholds
    )


def _drawn(reader, model, first, last, version, as_of, most) -> pd.DataFrame:
    "Rows of some days, about so many, drawn by their ids; StoreError where there are none."
    counts = reader.score_counts(model, first, last, version=version, as_of=as_of)
    every = max(1, -(-sum(c.total[0] for c in counts.values()) // most))
    rows = reader.rows(
        model,
        first,
        last,
        version=version,
        as_of=as_of,
        where=f"hash(prediction_id) % {every:d} = 0",
        labels=False,
    )
    if rows.empty:
        raise StoreError(f"the log has no rows of {model} from {first} to {last}.")
    return rows
