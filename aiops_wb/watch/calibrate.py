"""Calibrating by hand, from the log or from a file."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.calibrations import BY_HAND
from ..log.errors import StoreError
from ..log.store import Store
from ..models.complete import CompleteDays, label_rules
from ..stats.automation import PromiseWatch, certainty
from ..stats.conformal import CalibrationSet
from ..stats.counts import ScoreCounts
from ..stats.points import Grid
from .dial import called_from

__all__ = ["SOURCES", "read_table", "read_pairs", "Calibrated", "calibrate_now"]


SOURCES = ("prediction_log", "fraud_log", "csv")


def read_table(path: str | Path, needed: str) -> pd.DataFrame:
    """A CSV file as text with lower-case column names.

    StoreError for what is missing, is no CSV, has a column twice or rows longer than its header.
    """
    try:
        frame = _as_text(path)
    except FileNotFoundError:
        raise StoreError(
            f"{path} does not exist: give the path of a CSV file with the columns {needed}."
        ) from None
    except pd.errors.ParserWarning:
        raise StoreError(
            f"{path} has rows with more fields than its header: give one field for each column."
        ) from None
    except (ValueError, OSError) as error:  # no CSV, no text, no file
        reason = str(error).strip().splitlines()[0]
        raise StoreError(f"{path} cannot be read as CSV: {reason}.") from None
    frame.columns = [str(c).strip().lower() for c in frame.columns]
    if frame.columns.duplicated().any() or any(c.endswith(".1") for c in frame.columns):
        raise StoreError(f"{path} has a column twice: {', '.join(frame.columns)}.")
    return frame


def _as_text(path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(
            path,
            dtype=str,
            skipinitialspace=True,
            index_col=False,
            compression=None,
            keep_default_na=False,
            na_values=[""],
            encoding="utf-8-sig",
        )


def read_pairs(path: str | Path) -> pd.DataFrame:
    """Columns prediction, actual and day of a CSV file.

    StoreError names a missing file, column or value that is no number.
    """
    frame = read_table(path, "prediction and actual")
    lacking = [c for c in ("prediction", "actual") if c not in frame]
    if lacking:
        raise StoreError(
            f"{path} has no column {lacking[0]}: it has {', '.join(frame.columns)}; "
            "prediction and actual are needed."
        )
    numbers = {name: _numbers(path, name, frame[name]) for name in ("prediction", "actual")}
    return pd.DataFrame(numbers).assign(day=_days(path, frame))


def _numbers(path, name, texts):
    numbers = pd.to_numeric(texts, errors="coerce")
    bad = np.flatnonzero(numbers.isna())
    if len(bad):
        raise StoreError(
            f"{path}, line {bad[0] + 2}: {name} holds {texts.iloc[bad[0]]!r}, "
            f"which is no number ({len(bad)} such lines)."
        )
    return numbers


def _days(path, frame):
    "The column day as dates; NaT in every row where there is none."
    if "day" not in frame:
        return pd.Series(pd.NaT, index=frame.index).dt.date
    days = pd.to_datetime(frame["day"], format="%Y-%m-%d", errors="coerce")
    bad = np.flatnonzero(days.isna())
    if len(bad):
        raise StoreError(
            f"{path}, line {bad[0] + 2}: day holds {frame['day'].iloc[bad[0]]!r}, "
            "which is no day such as 2026-03-01."
        )
    if len(days) and days.min().year < 1970:
        first = days.min().date()
        raise StoreError(f"{path} holds the day {first}: days before 1970 are not allowed.")
    return days.dt.date


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
    """Calibrate a version from a source, put it in force with an audit row, start its watch anew.

    StoreError when it cannot be done, and then nothing changes.
    """
    _require_sense(source, file, days, min_samples)
    today = now.astimezone(ZoneInfo(store.timezone)).date()
    newest = _newest_day(store, model, version, today)
    complete = CompleteDays(store, model, newest, **label_rules(settings))
    if source == "csv":
        known, recent, last = _from_file(file, today, newest)
    else:
        if complete.newest is None:
            raise StoreError(
                f"{model} {version} from {source}: {complete.why_none}; wait for the log to show "
                "it, or calibrate from labelled rows with --source csv --file PATH."
            )
        needed, last = max(days, settings.ticket_days), complete.newest
        known = _logged(store, source, model, version, last - timedelta(needed - 1), last)
        within = [day > last - timedelta(days) for day in known.day]
        recent = known[np.array(within, dtype=bool)]
    at = {"model": model, "version": version, "created_at": now, "min_samples": min_samples}
    highs = called_from(store, model, version, Grid(), settings.risk_cuts)
    window = {"calibration_days": days if source != "csv" else 100_000}  # a file is used whole
    try:
        summary, counted = _summary(recent, settings, **at), _by_day(known, last)
        if source == "prediction_log":  # with the events that have no label
            counted = store.score_counts(model, min(counted), last, version=version)
        made = certainty(
            counted,
            last,
            owed={day: complete.owed(day) for day in counted} if source != "csv" else {},
            **settings.certainty | window | at | {"high": highs[-1][1]},
            watch=PromiseWatch(settings.false_ticket_share),
            counted=complete.newest or newest,
        )
    except ValueError as error:
        raise StoreError(f"{model} {version} from {file or source}: {error}") from None
    why, through = f"{BY_HAND}{file or source}", last if source != "csv" else None
    stands = store.calibration(model, version)
    if stands and stands[1].to_json() == made.to_json():  # asked for again, and nothing is new
        return Calibrated(stands[0], summary, _rule_in_words(made.rule), NOTES.get(source, ""))
    key = store.add_calibration(now, who, model, version, made, why, through)
    return Calibrated(key, summary, _rule_in_words(made.rule), NOTES.get(source, ""))


NOTES = {
    "fraud_log": "these are cases only: intervals and sets describe events that became a ticket "
    "or an alert"
}
"What is to be kept in mind about a source."


def _require_sense(source, file, days, min_samples):
    "StoreError for arguments that do not go together."
    if source not in SOURCES:
        raise StoreError(f"source {source!r} is not known: choose one of {', '.join(SOURCES)}.")
    if source == "csv" and file is None:
        raise StoreError("source csv needs --file with a path.")
    if source != "csv" and file is not None:
        raise StoreError(f"--file goes with source csv, not with {source}.")
    if days < 1 or min_samples < 1:
        raise StoreError(f"days {days} and min-samples {min_samples} must be at least 1.")


def _newest_day(store, model, version, today) -> date:
    "The newest day with predictions of a version, else today; a day ahead is a wrong clock."
    logged = store.days(store.require_model(model), version=version)
    if not logged and version not in set(store.versions(model).version):
        raise StoreError(f"{model} has no version {version!r}, neither logged nor registered.")
    return max((d for d in logged if d <= today), default=today)


def _from_file(file, today, newest):
    "Pairs of a file, the same again as recent ones, and the last of their days."
    pairs = read_pairs(file)
    days = pairs.day.dropna()
    if len(days) and max(days) > today:
        raise StoreError(
            f"{file} holds the day {max(days)}, which lies ahead: a calibration rests on days that "
            "are over."
        )
    dated = len(pairs) > 0 and len(days) == len(pairs)
    return pairs, pairs, max(days) if dated else newest


def _logged(store, source, model, version, first, last):
    "Labelled predictions of the log's days, on their points."
    where = "label IS NOT NULL"
    if source == "fraud_log":
        where += " AND route IN ('ticket', 'alert') AND coalesce(propensity, 1) = 1"
    rows = store.rows(
        model,
        first,
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


def _summary(pairs, settings, *, model, version, created_at, min_samples):
    "What the reference method says of the pairs; ValueError where they are too few or no pairs."
    lives = settings.certainty["time_to_live"]
    columns = (pairs.prediction, pairs.actual)
    return CalibrationSet(*columns, model, version, created_at, lives, min_samples).summary


def _by_day(pairs, last):
    "Counts by day; pairs without a day count as the last."
    frame = pairs.assign(day=pairs.day.where(pairs.day.notna(), last))
    return {
        day: ScoreCounts.from_events(Grid().quantise(r.prediction.to_numpy()), r.actual.to_numpy())
        for day, r in frame.groupby("day")
    }


def _rule_in_words(rule):
    if rule.threshold is None:
        return f"nothing is automated: {rule.reason}"
    score = float(Grid().inverse(rule.threshold))
    return f"tickets from a score of {score:.3f} on: {rule.guarantee}"
