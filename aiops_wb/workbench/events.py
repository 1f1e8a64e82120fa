"""Single events: the riskiest of some days, or those that meet conditions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype

from ..log.duck import literal
from ..log.errors import StoreError
from ..log.names import nearest
from ..stats.counts import ScoreCounts, total
from ..stats.points import Grid
from .answers import Answer, chosen, in_cell
from .published import Asked, number_of, text_of

if TYPE_CHECKING:  # matplotlib, which no table needs
    from ..render.plots import Chart

__all__ = ["Events", "called", "rows", "top"]

_NAMED = ("prediction_id", "event_key", "predicted_at", "tenant", "site_id", "entity_id", "version")
_DECIDED = ("threshold", "risk_level", "route", "label")
_FEATURE = "feature:"
_SHARED = ("tenant", "version", "threshold")
"What is worth a column where it differs."
_CALLED = ("event_key", "prediction_id")


@dataclass(frozen=True, eq=False, repr=False)
class Events(Answer):
    """Events, one a row: when and of whom, their score as a probability (`score` where it is none),
    how they were decided, the label as known (missing where none is), their features."""

    model: str = ""
    score: str = "probability"  # the column that has it
    shown: tuple[str, ...] | None = None  # columns of the table, in order; None: all as they stand

    def table(self) -> pd.DataFrame:
        "What the whole of them share is said and not shown; what they are called comes last."
        told = super().table()
        return told if self.shown is None else told[list(self.shown)]

    def _told(self):
        says, *rest = super()._told()
        left = [n for n in _SHARED if n in self.frame and n not in (self.shown or self.frame)]
        if not left or self.frame.empty:
            return [says, *rest]
        of = ", ".join(f"{n} {in_cell(self.frame[n].iloc[0], n)}" for n in left)
        return [says, f"The same of each: {of}.", *rest]

    def plot(self) -> "Chart":
        "Where the scores lie, by label."
        from ..render.plots.answers import scores_by_label

        told = self.frame.get(self.score, pd.Series(dtype=float))
        return scores_by_label(told, self.frame.get("label"), self.score)


class _Of(NamedTuple):
    "Whose events are asked for."

    first: date
    last: date
    site: str | None
    tenant: str | None
    version: str | None

    @property
    def where(self) -> str:
        "The same as a condition, without the days and the version."
        told = {"site_id": self.site, "tenant": self.tenant}
        terms = [f"{name} = {literal(value)}" for name, value in told.items() if value is not None]
        return " AND ".join(terms) or "true"


def top(
    asked: Asked,
    n: int = 20,
    first: date | str | None = None,
    last: date | str | None = None,
    *,
    site: str | None = None,
    tenant: str | None = None,
    version: str | None = None,
) -> Events:
    "The events with the highest scores of the day, or of days from first to last, riskiest first."
    n = number_of(n, "n")
    of = _of(asked, first, last, site, tenant, version)
    cut = _cut(asked, of, n)
    found = _read(asked, of, "true" if cut is None else f"points >= {cut}")
    if cut is not None and len(found) < n:  # events that were forgotten are counted still
        found = _read(asked, of, "true")
    return _told(asked, of, _riskiest(found).head(n), f"The {n:,} highest scores")


def _riskiest(found):
    if found.empty:
        return found
    return found.sort_values(["points", "prediction_id"], ascending=[False, True])


def called(
    asked: Asked,
    first: date | str | None = None,
    last: date | str | None = None,
    *,
    site: str | None = None,
    tenant: str | None = None,
    version: str | None = None,
) -> Events:
    "The tickets and alerts of the day, or of days from first to last, riskiest first."
    of = _of(asked, first, last, site, tenant, version)
    found = _read(asked, of, "route IN ('ticket', 'alert')")
    return _told(asked, of, _riskiest(found), "Tickets and alerts", "ticket or alert")


def rows(
    asked: Asked,
    first: date | str | None = None,
    last: date | str | None = None,
    *,
    site: str | None = None,
    tenant: str | None = None,
    version: str | None = None,
    where: str | None = None,
    columns: Sequence[str] | str | None = None,
) -> Events:
    """The events of the day, or of days from first to last, in the order in which they came.

    `where` is a condition over the columns that an answer has, as pandas reads it, such as
    `"temp > 80 and label == 1"`. `columns` names those that are wanted.
    """
    of = _of(asked, first, last, site, tenant, version)
    told = _told(asked, of, _read(asked, of, "true"), "Events")
    if where is not None:
        told = _where(told, where)
    if columns is not None and len(told.frame.columns):
        kept = chosen(columns, list(told.frame), f"column of {asked.model}")
        return Events(told.says, told.frame[kept], told.notes, told.model, told.score)
    return told


def _of(asked, first, last, site, tenant, version):
    of = _Of(*asked.span(first, last), site, tenant, version)
    days = {"event_date__ge": of.first, "event_date__le": of.last}
    files = asked.reader.day_files(kind="predictions", model=asked.model, **days)
    for name, kind in ((version, "version"), (tenant, "tenant")):
        known = {getattr(file, kind) for file in files}
        if name is not None and text_of(name, kind) not in known:
            raise StoreError(
                f"{asked.model} has no event of {kind} {name!r} on these days{nearest(name, known)}"
            )
    if site is not None:
        _require_site(asked, site)
    return of


def _require_site(asked, site):
    sites = {s.removeprefix("site=") for s in asked.reader.segments(asked.model, asked.as_of)}
    if text_of(site, "site") not in sites:
        raise StoreError(f"{asked.model} has no site {site!r}{nearest(site, sites)}")


def _cut(asked, of: _Of, n: int) -> int | None:
    """The score (points) from which on at least n events lie, by their counts: no others are read.
    None where no count tells."""
    segment = "" if of.site is None else f"site={of.site}"
    try:
        days = asked.reader.score_counts(
            asked.model,
            of.first,
            of.last,
            version=of.version,
            tenant=of.tenant,
            segment=segment,
            as_of=asked.as_of,
        )
    except StoreError:  # on two grids, of which the rows tell
        return None
    return _lowest(total(days.values()), n) if days else None


def _lowest(counts: ScoreCounts, n: int) -> int | None:
    enough = (counts.tail(counts.n) >= n).nonzero()[0]
    return int(counts.points[enough[-1]]) if len(enough) else None


def _read(asked, of: _Of, where: str) -> pd.DataFrame:
    terms = f"{where} AND {of.where}"
    asked_of = {"version": of.version, "as_of": asked.as_of, "where": terms}
    return asked.reader.rows(asked.model, of.first, of.last, **asked_of)


def _told(asked, of, found, what, kind="event") -> Events:
    days = str(of.first) if of.first == of.last else f"{of.first} to {of.last}"
    whose = "".join(
        f" of {part} {name}"
        for part, name in (("site", of.site), ("tenant", of.tenant), ("version", of.version))
        if name is not None
    )
    gone = asked.left_out(of.first, of.last)
    if found.empty:
        says = f"{asked.model} has no {kind}{whose} on {days}{' that can be read' if gone else ''}."
        return Events(says, pd.DataFrame(), (*asked.notes(), *gone), asked.model)
    grid = _grid(asked.model, found)
    frame = _frame(found, grid, asked.zone)
    unknown = int(frame.label.isna().sum())
    labelled = f"{unknown:,} of them without a label" if unknown else "each with its label"
    says = f"{what} of {asked.model}{whose} on {days}: {len(frame):,} events, {labelled}."
    notes, score = (*asked.notes(), *gone), _score_name(grid)
    return Events(says, frame, notes, asked.model, score, tuple(_shown(frame)))


def _shown(frame):
    "Columns of a table of events: first what an event was, at the end what it is called."
    one = {n for n in _SHARED if n in frame and len(frame) > 1 and frame[n].nunique(False) == 1}
    yield from (name for name in frame if name not in one and name not in _CALLED)
    yield from (name for name in _CALLED if name in frame)


def _grid(model, found) -> Grid:
    grids = sorted(set(found["grid"]))
    if len(grids) > 1:
        versions = ", ".join(sorted(set(found.version)))
        raise StoreError(
            f"{model} was logged on the grids {' and '.join(grids)}: name a version, one of "
            f"{versions}."
        )
    return Grid.parse(grids[0])


def _score_name(grid: Grid) -> str:
    return "probability" if grid.kind == "logit" else "score"


def _frame(found, grid, zone) -> pd.DataFrame:
    "Events as people look at them: no points, times of the log's zone, features by their names."
    score = grid.inverse(found.points.to_numpy())
    label = found.label.astype("Int8")
    threshold = found.threshold.astype("float64")
    at = pd.Series(grid.inverse(threshold.fillna(0).to_numpy(dtype=int)), index=found.index)
    told = {name: found[name] for name in _NAMED if found[name].notna().any()}
    told["predicted_at"] = found.predicted_at.dt.tz_convert(zone)
    told[_score_name(grid)] = score
    told |= {name: found[name] for name in _DECIDED if found[name].notna().any()}
    told |= {"threshold": at.where(threshold.notna())} if "threshold" in told else {}
    told["label"] = label
    for column in found:
        if column.startswith(_FEATURE):
            name = column.removeprefix(_FEATURE)
            told[column if name in told else name] = found[column]
    return pd.DataFrame(told).reset_index(drop=True)


def _where(told: Events, condition: str) -> Events:
    "The events that meet a condition; StoreError where it cannot be read."
    frame = told.frame
    try:
        kept = frame[_meets(frame, condition)] if len(frame) else frame
    except pd.errors.UndefinedVariableError as error:
        of, name = str(error).split("'")[:2]
        if of.startswith("local"):
            raise StoreError(f"where: @{name} is not known: write the value itself.") from None
        raise StoreError(f"where: {name!r} is no column{nearest(name, list(frame))}") from None
    except Exception as error:  # whatever Python and pandas make of a text
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StoreError(
            f"where: {condition!r} is not a condition such as 'probability > 0.8 and label == 0' "
            f"({problem.rstrip('.')})."
        ) from None
    says = f"{told.says.rstrip('.')}; {len(kept):,} of them meet {condition!r}."
    return replace(told, says=says, frame=kept.reset_index(drop=True))


def _meets(frame, condition) -> pd.Series:
    "Which events meet a condition, none where it is unknown; TypeError for what is no condition."
    found = frame.eval(condition, engine="python", local_dict={}, global_dict={})
    if not (np.shape(found) == (len(frame),) and is_bool_dtype(found)):
        raise TypeError("it is not true or false of each event")
    return pd.Series(found, index=frame.index).astype("boolean").fillna(False)
