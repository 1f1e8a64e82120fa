"""From decisions to cases: assigned, in words, one for each entity and window."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from ..config import Settings
from ..log.columns import LADDER
from ..log.errors import StoreError
from ..log.store import Store
from ..stats.automation import NOTHING_STANDS
from ..stats.decisions import CALLING, Event, Ladder, assign, deduplicate, ticket_text
from ..stats.points import Grid
from ..stats.selective import explored_words

if TYPE_CHECKING:  # it needs an extra
    from ..models.version import ModelVersion

__all__ = ["case_id", "Opened", "open_cases"]


def case_id(kind: str, prediction_id: str) -> str:
    "The id of the case that a prediction opens."
    named = f"{kind} {prediction_id}"
    letter = "T" if kind == "ticket" else "A"
    return f"{letter}-{hashlib.sha256(named.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Opened:
    "How many decisions of high risk were found, and what became of them."

    opened: int = 0
    joined: int = 0
    late: int = 0

    def __str__(self) -> str:
        late = f", {self.late:,} too old to be sent" if self.late else ""
        return f"{self.opened:,} cases opened, {self.joined:,} further events joined them{late}"


def open_cases(
    store: Store,
    now: datetime,
    settings: Settings,
    loaded: Iterable["ModelVersion"] = (),
) -> Opened:
    """Turn new decisions of high risk into cases, assigned and in words; idempotent.

    Versions that are `loaded` give their reasons without being read again.
    """
    longest = timedelta(hours=settings.case_max_age_hours)
    parts, through = [], store.known_batch()
    known = {(version.model, version.version): version for version in loaded}
    since = store.known_since()
    for model, rows in _new_rows(store, store.cases_from()):
        # of a history, each night found what it would have found
        nights = [since.get(batch, now) for batch in rows.batch_id]
        found = pd.Series(pd.to_datetime(nights, utc=True), index=rows.index)
        for (_, late), group in rows.groupby(["tenant", rows.predicted_at < found - longest]):
            # what is too old to be sent must not swallow what is not
            state = "late" if late else "opened"
            parts.append(_cases_of(store, model, group, state, found[group.index], settings, known))
    columns = store.case_columns()
    cases = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    if store.cases_from() <= through:
        store.add_cases(now, cases, through)
    n = cases.state.value_counts()
    return Opened(*(int(n.get(state, 0)) for state in ("opened", "joined", "late")))


_TOGETHER = 200_000
"Predictions of days that are looked through in one query: planning one costs more than few rows."


def _new_rows(store, since) -> Iterator[tuple[str, pd.DataFrame]]:
    "Decisions of high risk in batches from `since` on, by model."
    touched = {}
    for file in store.usable(store.day_files(kind="predictions", batch_id__ge=since), False):
        days = touched.setdefault(file.model, {})
        days[file.day] = days.get(file.day, 0) + file.rows
    where = f"route IN ('ticket', 'alert') AND batch_id >= {int(since)}"
    for model, days in sorted(touched.items()):
        asked = {"where": where, "labels": False, "since": int(since)}
        together = [store.rows(model, *span, **asked) for span in _spans(days)]
        with_rows = [rows for rows in together if len(rows)]
        if with_rows:
            yield model, pd.concat(with_rows, ignore_index=True)


def _spans(days: Mapping[date, int]) -> Iterator[tuple[date, date]]:
    "First and last of days (with their predictions) that follow each other and are few together."
    first, last, rows = None, None, 0
    for day, n in sorted(days.items()):
        if first is not None and rows + n > _TOGETHER:
            yield first, last
            first, rows = None, 0
        first, last, rows = first or day, day, rows + n
    if first is not None:
        yield first, last


def _cases_of(store, model, rows, state, found, settings, loaded):
    "Rows of one tenant with the case that each opens (in `state`) or joins, when it was found."
    opener = rows.prediction_id.map(_openers(store, model, rows, state, settings))
    opens = opener == rows.prediction_id
    return _described(store, model, rows, settings, loaded).assign(
        case_id=[case_id(kind, prediction) for kind, prediction in zip(rows.route, opener)],
        state=pd.Series(state, index=rows.index).where(opens, "joined"),
        kind=rows.route,
        opened_at=found,
    )


def _openers(store, model, rows, state, settings):
    "prediction_id -> the prediction that opened its case."
    tenant, window = rows.tenant.iloc[0], timedelta(hours=settings.case_hours)
    known = store.open_since(rows.predicted_at.min() - window, state)
    own = {
        (kind, entity): cases
        for (of_tenant, of_model, kind, entity), cases in known.items()
        if (of_tenant, of_model) == (tenant, model)
    }
    events = [
        # what is looked at by chance has a review of its own, or its label would not be by chance
        Event(prediction, route, None if by_chance else _text(entity), at)
        for prediction, route, entity, at, by_chance in zip(
            rows.prediction_id, rows.route, rows.entity_id, rows.predicted_at, _by_chance(rows)
        )
    ]
    return deduplicate(events, own, window)


def _by_chance(rows):
    "Which of some rows somebody looks at by chance."
    propensity = rows.propensity if "propensity" in rows else pd.Series(nan, index=rows.index)
    return (propensity < 1).to_numpy() & ~rows.risk_level.isin(CALLING).to_numpy()


_TOLD_FROM = [
    "propensity",
    "ladder",
    "decided_by",
    "tenant",
    "site_id",
    "entity_id",
    "predicted_at",
    "points",
    "grid",
    "route",
    "risk_level",
    "calibration_id",
]


def _described(store, model, rows, settings, loaded):
    "Rows of the log with interval, words and assignee."
    stood = store.calibrations(rows.calibration_id.dropna().unique())
    sites, zone = store.sites(), ZoneInfo(store.timezone)
    by_version = [
        pd.Series(_words(store, model, version, part, loaded), index=part.index, dtype=object)
        for version, part in rows.groupby("version")
    ]
    said = pd.concat(by_version)
    told = []
    for row, words in zip(rows.reindex(columns=_TOLD_FROM).itertuples(), said[rows.index]):
        decided = _decided(row, stood.get(row.calibration_id), settings)
        site = sites.get((row.tenant, row.site_id))
        told.append(_told(row, model, decided, site, words, zone, settings))
    return rows.drop(columns=["risk_level", "automated"]).join(pd.DataFrame(told, index=rows.index))


class _Said(NamedTuple):
    "What is known of why a row was scored so."

    reasons: Sequence[str] = ()
    alike: str = ""  # what became of past alerts like it
    first_reason: str | None = None  # the feature of the first reason


def _words(store, model, version, rows, loaded):
    "What is said of each row; nothing for a version that cannot be loaded here."
    nothing, known = [_Said()] * len(rows), loaded.get((model, version))
    if known is None and version not in set(store.versions(model).version):
        return nothing
    try:
        from ..models.explained_cases import explained_cases

        return [_Said(*one) for one in explained_cases(store, model, version, rows, known)]
    except (ModuleNotFoundError, StoreError):
        return nothing


@dataclass(frozen=True)
class _Decided:
    "What was decided about a row, and why."

    level: str
    probability: float
    lower: float  # NaN where it was decided without a calibration
    upper: float
    why: str


def _decided(row, stands, settings):
    named = _ladder_of(_text(row.ladder))
    ladder = named or Ladder.of(settings.risk_cuts)
    usual = ladder.level(row.points) if named or row.grid == "logit" else "HIGH"
    level, why = _text(row.risk_level) or usual, "as the scoring service decided"
    why = f"risk {level}, {NOTHING_STANDS if row.decided_by == 'workbench' else why}"
    if row.propensity < 1 and level not in CALLING:
        why = explored_words(row.propensity)
    elif stands:
        again = stands.at(row.predicted_at).decide(row.points, ladder)
        why = again.reason if again.route == row.route else why
    lower, upper = stands.interval(row.points) if stands else (nan, nan)
    return _Decided(level, float(Grid.parse(row.grid).inverse(row.points)), lower, upper, why)


def _ladder_of(name):
    "The ladder that a row names; None where a scoring service names it otherwise."
    return Ladder.parse(name) if name and LADDER.fullmatch(name) else None


def _told(row, model, decided, site, words, zone, settings):
    "The columns of a case that tell a person what it is and whose."
    who = assign(site)
    title, text = ticket_text(
        kind=row.route,
        model=model,
        entity_id=_text(row.entity_id),
        site_id=_text(row.site_id),
        at=f"{row.predicted_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})",
        probability=decided.probability,
        interval=(decided.lower, decided.upper),
        decision_reason=decided.why,
        reasons=words.reasons,
        alike=words.alike,
        share=row.grid == "logit",
    )
    ticket = row.route == "ticket"
    return {
        "risk_level": decided.level,
        "automated": ticket,
        "probability": decided.probability,
        "lower": None if isnan(decided.lower) else decided.lower,
        "upper": None if isnan(decided.upper) else decided.upper,
        "assignee": who.name,
        "role": who.role,
        "workflow": settings.ticket_workflow if ticket else settings.alert_workflow,
        "title": title,
        "text": text,
        "reason": decided.why,
        "reasons": "; ".join(words.reasons) or None,
        "first_reason": words.first_reason,
    }


def _text(value):
    return None if pd.isna(value) or not str(value).strip() else str(value)
