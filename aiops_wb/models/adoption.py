"""A version that was trained elsewhere gets all that one trained here has: from days of the log,
or from a file of scored and labelled rows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd

from ..config import packages
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..log.features import binned_days
from ..log.reading import ReadOptions, shown
from ..log.reference_file import reference_rows
from ..log.roles import Choice
from ..log.versions import LEAST_LABELLED
from ..stats.counts import ScoreCounts, total
from ..stats.decisions import Ladder
from ..stats.points import Grid
from ..stats.thresholds import best_f1
from .booster_file import AGREES, agreement, read_booster
from .complete import COMPLETE_SHARE, LabelledDays, labelled_days, still_arriving
from .training import feature_rules, held_out_metrics, labelled_share, start_at
from .version import ModelVersion, feature_columns

__all__ = ["Adoption", "Start", "from_file", "from_log"]


@dataclass(frozen=True, eq=False)
class Adoption:
    "A version to be registered, and what is to be said of it."

    version: ModelVersion
    held_out: dict[date, ScoreCounts]  # its reference days whose labels may be used
    span: tuple[date, date] | None  # of days of the log
    told: str  # what is known of late labels, in words
    notes: tuple[str, ...] = ()  # what is to be said of how a file was read


@dataclass(frozen=True)
class Start:
    "Where the threshold of a version that has none begins: at some points, or by alerts a day."

    high: int = Ladder.of().high
    alerts_per_day: float | None = None


@dataclass(frozen=True, eq=False)
class _Reference:
    "Rows that a version scored, and counts of their days."

    rows: pd.DataFrame  # event_date, points and features as `feature:...`
    kinds: Mapping[str, str]
    counts: Mapping[date, ScoreCounts]
    days: LabelledDays
    name: str
    span: tuple[date, date] | None


def from_log(
    reader: Reader,
    model: str,
    version: str,
    first: date,
    last: date,
    now: datetime,
    model_file: Path | None = None,
    *,
    begins: Start | None = None,
    **rules,
) -> Adoption:
    """A version as days of the log show it; `rules` as in `labelled_days`, by which labels count.

    StoreError where the version scored nothing then, labels are not in or too few, or a model file
    does not score the rows as they were logged.
    """
    _refuse_registered(reader, model, version)
    counts = reader.score_counts(model, first, last, version=version)
    if not counts:
        scored = reader.versions_scored(model, first, last)
        others = f"the log has {', '.join(scored)} then" if scored else "nothing was logged then"
        raise StoreError(
            f"{model} {version} scored nothing from {first} to {last}: {others}. Rows that are not "
            "in the log are adopted with --reference-file."
        )
    days = labelled_days(reader, model, first, last, now, **rules)
    rows = reader.rows(model, first, last, version=version, labels=False)
    span, kinds = (first, last), reader.feature_kinds(model)
    seen = _Reference(rows, kinds, counts, days, f"{first} to {last} of the log", span)
    return _adopted(reader, model, version, seen, model_file, begins or Start())


def from_file(
    reader: Reader,
    model: str,
    version: str,
    path: str | Path,
    now: datetime,
    choice: Choice = Choice(),
    options: ReadOptions | None = None,
    model_file: Path | None = None,
    *,
    begins: Start | None = None,
    share: float = COMPLETE_SHARE,
    allow_incomplete: bool = False,
) -> Adoption:
    """A version as a file of scored and labelled rows shows it, which are not in the log.

    Of its labels only their share is known, by day: StoreError where that falls with age, unless
    `allow_incomplete`; and as in `from_log`.
    """
    _refuse_registered(reader, model, version)
    rows, kinds, notes = reference_rows(reader, path, model, version, now, choice, options)
    name = shown(Path(path).name)
    _refuse_unended(name, max(rows.event_date), now.astimezone(ZoneInfo(reader.timezone)).date())
    _refuse_logged(reader, model, version, name, set(rows.event_date))
    grid = _one_grid(name, rows)
    counts = {
        day: ScoreCounts.from_events(part.points.astype(int), part.label, grid)
        for day, part in rows.groupby("event_date")
    }
    falls = still_arriving({day: c.total[:2] for day, c in counts.items()}, share)
    if falls and not allow_incomplete:
        raise StoreError(
            f"{name}: labels still arrive; {falls}. Figures would rest on those that are known "
            "early: leave the newest days out, or go on with --allow-incomplete."
        )
    told = f"all labelled rows are used though labels are not complete ({falls})" if falls else ""
    events = {day: c.total[0] for day, c in counts.items()}
    days = LabelledDays(events, told, bool(falls), "")
    seen = _Reference(rows, kinds, counts, days, name, None)
    return replace(
        _adopted(reader, model, version, seen, model_file, begins or Start()), notes=notes
    )


def _refuse_registered(reader, model, version):
    "StoreError where the name is one of a version that was not adopted."
    known = version in set(reader.versions(model).version)
    if known and not reader.version(model, version).card.get("adopted"):
        raise StoreError(
            f"{model} already has a version {version!r}: versions are never replaced, choose a new "
            "name."
        )


def _refuse_unended(name, last, today):
    "StoreError where a day of a file is still running, or to come."
    if last >= today:
        raise StoreError(
            f"{name} holds {last}, which is not over: a reference ends yesterday at the latest."
        )


def _refuse_logged(reader, model, version, name, days):
    "StoreError where the log has days of a file: they would be reference and watched at once."
    both = sorted(days & set(reader.days(model, version=version)))
    if both:
        raise StoreError(
            f"{name} holds {both[0]}, on which the log has predictions of {model} {version}: leave "
            "such days out, or adopt it on days of the log with --from and --to."
        )


def _one_grid(name, rows):
    grids = rows.grid.unique()
    if len(grids) > 1:
        raise StoreError(f"{name} has scores on {' and '.join(sorted(grids))}: choose one grid.")
    return Grid.parse(grids[0])


def _adopted(reader, model, version, seen, model_file, begins) -> Adoption:
    "The version with its card, its reference and, where there is a file, what it scores with."
    held_out = {day: c for day, c in seen.counts.items() if day in seen.days.events}
    known = total(held_out.values())
    _refuse_few(model, version, seen.name, known)
    frame = feature_columns(seen.rows)
    card = feature_rules(frame, seen.kinds)
    events = {day: c.total[0] for day, c in held_out.items()}
    threshold, why = _threshold(reader, model, version, known, events, begins)
    adopted = {"reference": seen.name, "threshold": why, "model_file": "", "agrees": None}
    if seen.span:
        adopted["days"] = [str(day) for day in seen.span]
    one = ModelVersion(model, version, None, card, known.grid)
    if model_file:
        one = _with_file(one, frame, seen.rows.points, model_file)
        adopted |= {"model_file": shown(model_file.name), "agrees": one.card.pop("agrees")}
    card = one.card | _described(seen, held_out, threshold) | {"adopted": adopted}
    reference = None
    if card["bins"]:
        days = pd.to_datetime(seen.rows.event_date).dt.date
        reference = binned_days(frame, days, card["bins"])
    one = replace(one, card=card, reference=reference)
    return Adoption(one, held_out, seen.span, seen.days.told)


def _refuse_few(model, version, name, known):
    "StoreError where labels are too few to say anything, or all alike."
    _, labelled, positive = known.total
    if labelled < LEAST_LABELLED or positive in (0, labelled):
        raise StoreError(
            f"{model} {version}: {name} holds {labelled:,} labelled events, {positive:,} of them "
            f"positive: at least {LEAST_LABELLED} and both labels are needed."
        )


def _threshold(reader, model, version, known, events, begins) -> tuple[int, str]:
    "The threshold (points) that an adopted version goes on with, and where it comes from."
    if begins.alerts_per_day is not None:
        chosen = start_at(known, events, begins.alerts_per_day)
        return (
            chosen,
            f"for {begins.alerts_per_day:g} alerts a day on the days that it was adopted on",
        )
    recorded = reader.threshold(model, version)
    if recorded is not None:
        return recorded, "as it was in force"
    days = reader.days(model, version=version)
    if days:
        columns, told = "threshold, predicted_at, prediction_id", "threshold IS NOT NULL"
        newest = {"version": version, "columns": columns, "where": told, "labels": False}
        logged = reader.rows(model, days[-1], days[-1], **newest)
        if len(logged):
            return int(logged.threshold.iloc[-1]), "as logged with its predictions"
    if known.grid.kind != "logit":  # of figures only: nobody is called by it
        return best_f1(known), "the best F1 on the days that it was adopted on"
    return begins.high, "where a version begins"


def _described(seen, held_out, threshold):
    "What the card keeps of the days, and the figures at the threshold."
    known = total(held_out.values())
    card = {
        "window": [str(min(seen.counts)), str(max(seen.counts))],
        "held_out_from": str(min(held_out)),
        "rows": 0,  # that it learned from, here
        "held_out_rows": known.total[1],
        "threshold": threshold,
        "best_f1": best_f1(known),
        "metrics": held_out_metrics(known, threshold),
        "packages": packages(),
    }
    card |= labelled_share(card, {day: c.total[0] for day, c in held_out.items()})
    if seen.days.incomplete:
        card["incomplete_labels"] = seen.days.told
    if seen.days.unsure:
        card["labels_unsure"] = seen.days.unsure
    return card


def _with_file(one, frame, points, model_file) -> ModelVersion:
    """With the booster of a file, and a card of the features that it takes; StoreError where it
    does not score the rows as they were logged."""
    foreign = read_booster(model_file, list(frame), one.card["categories"])
    card = {
        "features": foreign.features,
        "categories": foreign.categories,
        "bins": {f: one.card["bins"][f] for f in foreign.features},
        "kinds": {f: k for f, k in one.card["kinds"].items() if f in foreign.features},
    }
    with_file = replace(one, booster=foreign.booster, card=card)
    agrees = agreement(with_file, frame, points)
    if agrees < AGREES:
        raise StoreError(
            f"{shown(model_file.name)} scores {agrees:.1%} of the logged rows as they were logged, "
            f"to a point; {AGREES:.0%} are needed. Check that it is the file of {one.version}, "
            "that the log has the features as the model takes them (order, units, categories, "
            "missing values), that logged scores are not rounded, and that nothing changes a score "
            "after the model (a calibrator, early stopping that leaves trees out)."
        )
    card["agrees"] = agrees
    return with_file
