"""Calibrating by hand, from the log or from a file."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.catalog import StoreError
from ..log.store import Store
from ..stats.automation import RiskMonitor, certainty
from ..stats.conformal import CalibrationSet
from ..stats.counts import ScoreCounts
from ..stats.points import Grid

__all__ = ["SOURCES", "read_table", "read_pairs", "Calibrated", "calibrate_now"]


SOURCES = ("prediction_log", "fraud_log", "csv")


def read_table(path: str | Path, needed: str) -> pd.DataFrame:
    "A CSV file as text with lower-case column names; StoreError for what is missing, is no CSV, has a column twice or rows longer than its header."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                path,
                dtype=str,
                skipinitialspace=True,
                index_col=False,
                compression=None,
                keep_default_na=False,
                na_values=[""],
                encoding="utf-8-sig",
            )
    except FileNotFoundError:
        raise StoreError(
            f"{path} does not exist: give the path of a CSV file with the columns {needed}."
        ) from None
    except pd.errors.ParserWarning:
        raise StoreError(
            f"{path} has rows with more fields than its header: give one field for each column."
        ) from None
    except (ValueError, OSError) as error:  # no CSV, no text, no file
        raise StoreError(
            f"{path} cannot be read as CSV: {str(error).strip().splitlines()[0]}."
        ) from None
    frame.columns = [str(c).strip().lower() for c in frame.columns]
    if frame.columns.duplicated().any() or any(c.endswith(".1") for c in frame.columns):
        raise StoreError(f"{path} has a column twice: {', '.join(frame.columns)}.")
    return frame


def read_pairs(path: str | Path) -> pd.DataFrame:
    "Columns prediction, actual and day of a CSV file; StoreError names a missing file, column or value that is no number."
    frame = read_table(path, "prediction and actual")
    lacking = [c for c in ("prediction", "actual") if c not in frame]
    if lacking:
        raise StoreError(
            f"{path} has no column {lacking[0]}: it has {', '.join(frame.columns)}; prediction and actual are needed."
        )
    numbers = {c: pd.to_numeric(frame[c], errors="coerce") for c in ("prediction", "actual")}
    for name, column in numbers.items():
        missing = np.flatnonzero(column.isna())
        if len(missing):
            raise StoreError(
                f"{path}, line {missing[0] + 2}: {name} holds {frame[name].iloc[missing[0]]!r}, which is no number ({len(missing)} such lines)."
            )
    days = (
        pd.to_datetime(frame["day"], format="%Y-%m-%d", errors="coerce")
        if "day" in frame
        else pd.Series(pd.NaT, index=frame.index)
    )
    if "day" in frame and days.isna().any():
        first = int(np.flatnonzero(days.isna())[0])
        raise StoreError(
            f"{path}, line {first + 2}: day holds {frame['day'].iloc[first]!r}, which is no day such as 2026-03-01."
        )
    days = days.dt.date
    if "day" in frame and len(days) and min(days).year < 1970:
        raise StoreError(f"{path} holds the day {min(days)}: days before 1970 are not allowed.")
    return pd.DataFrame(numbers).assign(day=days)


def _logged(store, source, model, version, days, last):
    "Labelled predictions of the log's last days, on their points."
    where = "label IS NOT NULL" + (
        " AND route IN ('ticket', 'alert')" if source == "fraud_log" else ""
    )
    rows = store.rows(
        model,
        last - timedelta(days - 1),
        last,
        version=version,
        where=where,
        columns="points, grid, label, event_date, predicted_at, prediction_id",
    )
    if rows.empty:
        return pd.DataFrame({"prediction": [], "actual": [], "day": []})
    grid = Grid.parse(rows.grid.iloc[0])
    if grid.kind != "logit":
        raise StoreError(
            f"{model} {version} logs scores on a linear grid: a calibration needs probabilities."
        )
    return pd.DataFrame(
        {
            "prediction": grid.inverse(rows.points),
            "actual": rows.label,
            "day": rows.event_date.dt.date,
        }
    )


@dataclass(frozen=True)
class Calibrated:
    "What a calibration by hand rests on and under which id it stands."

    calibration_id: str
    summary: Mapping[str, float]
    rule: str
    note: str = ""


def calibrate_now(
    store: Store,
    now: datetime,
    who: str,
    model: str,
    version: str,
    source: str,
    settings: Settings,
    *,
    file: str | Path | None = None,
    days: int = 30,
    min_samples: int = 30,
) -> Calibrated:
    "Calibrate a version from a source, put it in force with an audit row, and start its watch anew; StoreError when it cannot be done, and then nothing changes."
    if source not in SOURCES:
        raise StoreError(f"source {source!r} is not known: choose one of {', '.join(SOURCES)}.")
    if (source == "csv") != (file is not None):
        raise StoreError(
            "source csv needs --file with a path."
            if source == "csv"
            else f"--file goes with source csv, not with {source}."
        )
    if days < 1 or min_samples < 1:
        raise StoreError(f"days {days} and min-samples {min_samples} must be at least 1.")
    logged = store.days(store.require_model(model), version=version)
    if not logged and version not in set(store.versions(model).version):
        raise StoreError(f"{model} has no version {version!r}, neither logged nor registered.")
    today = now.astimezone(ZoneInfo(store.timezone)).date()
    last = max(
        (d for d in logged if d <= today), default=today
    )  # a day ahead is a clock gone wrong
    pairs = (
        read_pairs(file)
        if source == "csv"
        else _logged(
            store,
            source,
            model,
            version,
            max(days, settings.ticket_days + settings.label_delay_days),
            last,
        )
    )
    if source == "csv" and pairs.day.notna().any() and max(pairs.day.dropna()) > today:
        raise StoreError(
            f"{file} holds the day {max(pairs.day.dropna())}, which lies ahead: a calibration rests on days that are over."
        )
    ripe = last - timedelta(settings.label_delay_days)
    dated = pairs.day.notna().all() and len(pairs) > 0
    last = max(pairs.day) if dated else last
    recent = (
        pairs[pairs.day.map(lambda d: d > last - timedelta(days))]
        if dated and source != "csv"
        else pairs
    )
    try:
        checked = CalibrationSet(
            recent.prediction,
            recent.actual,
            model,
            version,
            now,
            settings.certainty["time_to_live"],
            min_samples,
        )
        made = certainty(
            _by_day(pairs, last),
            last,
            **settings.certainty | {"calibration_days": days if source != "csv" else 100_000},
            watch=RiskMonitor(settings.false_ticket_share),
            counted=ripe,
            min_samples=min_samples,
            model=model,
            version=version,
            created_at=now,
        )
    except ValueError as error:
        raise StoreError(f"{model} {version} from {file or source}: {error}") from None
    key = store.add_calibration(
        now,
        who,
        model,
        version,
        made,
        f"by hand, from {file or source}",
        last if source != "csv" else None,
    )
    note = (
        "these are cases only: intervals and sets describe events that became a ticket or an alert"
        if source == "fraud_log"
        else ""
    )
    at = made.rule.threshold
    return Calibrated(
        key,
        checked.summary,
        f"tickets from a score of {float(Grid().inverse(at)):.3f} on: {made.rule.guarantee}"
        if at is not None
        else f"nothing is automated: {made.rule.reason}",
        note,
    )


def _by_day(pairs, last):
    "Counts by day; pairs without a day count as the last."
    frame = pairs.assign(day=pairs.day.where(pairs.day.notna(), last))
    return {
        d: ScoreCounts.from_events(Grid().quantise(r.prediction.to_numpy()), r.actual.to_numpy())
        for d, r in frame.groupby("day")
    }
