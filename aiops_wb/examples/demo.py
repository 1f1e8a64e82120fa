"""A log replayed as if live, day by day."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..config import Settings
from ..daily import compute, make_reports
from ..log.catalog import StoreError
from ..log.ingest import ingest
from ..log.spool import OutcomeLogger, PredictionLogger
from ..log.store import open_store
from ..models.challenge import challenge, plan
from ..models.registry import register
from ..models.scorer import Scorer
from ..models.training import train
from ..render.jobs import ReportResult
from ..watch.cases import open_cases
from . import attendance
from .flights import SCHEDULE, WEATHER, ZONE, events

__all__ = [
    "FLIGHT_MODELS",
    "ATTENDANCE_MODELS",
    "WORLD",
    "STORIES",
    "DemoModel",
    "Story",
    "stream",
    "flight_streams",
    "attendance_streams",
    "demo",
]


@dataclass(frozen=True)
class DemoModel:
    "One model: its name, when it scores, and what it knows then."

    model: str
    scored_at: str  # column of the events
    features: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Story:
    "A log to replay: its models, its days, and where its events come from."

    name: str
    zone: str
    models: tuple[DemoModel, ...]
    first: date  # of the history that the first models learn from
    live: date  # the first replayed day
    until: date  # the last one, unless the caller says otherwise
    end: date  # the last day there is
    source: str  # of the labels
    events: Callable[[date], dict[DemoModel, pd.DataFrame]]  # streams up to a day
    settings: Mapping = field(default_factory=dict)  # what differs from the defaults in this story
    sites: Callable[[], pd.DataFrame] | None = None

    def night(self, day: date) -> datetime:
        "When the daily run looks at a day: two in the morning after it."
        return datetime.combine(day + timedelta(1), time(2), ZoneInfo(self.zone))


FLIGHT_MODELS = (
    DemoModel("late-at-schedule", "scheduled_at", (*SCHEDULE, *WEATHER)),
    DemoModel("late-at-departure", "departed_at", (*SCHEDULE, *WEATHER, "dep_delay")),
)
ATTENDANCE_MODELS = (DemoModel("attendance-fraud", "checked_in_at", attendance.FEATURES),)
WORLD = attendance.World(first=date(2025, 1, 1), days=240, drift_on=date(2025, 7, 1))


def stream(one: DemoModel, rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    "A model's events in the order of scoring."
    rows = rows.assign(prediction_id=one.model + ":" + rows.event_id, scored_at=rows[one.scored_at])
    return rows.assign(scored_on=rows.scored_at.dt.tz_convert(ZoneInfo(zone)).dt.date).sort_values(
        ["scored_at", "prediction_id"], kind="stable"
    )


def flight_streams(until: date, seed: int = 0) -> dict[DemoModel, pd.DataFrame]:
    "Both flight models' events from January to a day."
    flights, streams = events("2013-01-01", str(until)), {}
    for one in FLIGHT_MODELS:
        rows = flights.dropna(subset=[one.scored_at]).rename(columns={"late": "label"})
        delay = pd.to_timedelta(
            np.random.default_rng(seed).uniform(24, 7 * 24, len(rows)), unit="h"
        ).round("s")
        streams[one] = stream(one, rows.assign(known_at=rows[one.scored_at] + delay), ZONE)
    return streams


def attendance_streams(until: date) -> dict[DemoModel, pd.DataFrame]:
    "The guards' check-ins from January to a day."
    rows = attendance.check_ins(WORLD)
    return {one: stream(one, rows[rows.day <= until], attendance.ZONE) for one in ATTENDANCE_MODELS}


STORIES = {
    "flights": Story(
        "flights",
        ZONE,
        FLIGHT_MODELS,
        date(2013, 1, 1),
        date(2013, 4, 1),
        date(2013, 6, 30),
        date(2013, 12, 31),
        "arrivals",
        flight_streams,
    ),
    "attendance": Story(
        "attendance",
        attendance.ZONE,
        ATTENDANCE_MODELS,
        date(2025, 1, 1),
        date(2025, 4, 1),
        date(2025, 7, 31),
        WORLD.last,
        "investigations",
        attendance_streams,
        {"label_delay_days": 14, "false_ticket_share": 0.2},
        sites=lambda: attendance.sites(WORLD),
    ),
}


def _log_history(store, story, streams, now):
    "Events before the first model, under the version `history`."
    for one, rows in streams.items():
        past = rows[rows.scored_on < story.live]
        with PredictionLogger(store.root / "spool", one.model, "history", threshold=0) as log:
            logged = store.rows(
                one.model,
                story.first,
                story.live,
                columns="prediction_id, predicted_at",
                version="history",
            )
            past = past[~past.prediction_id.isin(logged.prediction_id if len(logged) else [])]
            for _, part in past.groupby(np.arange(len(past)) // 20_000):
                log.log(
                    np.full(len(part), 0.5),
                    part.scored_at,
                    prediction_id=part.prediction_id.to_numpy(),
                    features=part[list(one.features)],
                    entity_id=part.entity_id.to_numpy(),
                    site_id=part.site_id.to_numpy(),
                )
        _log_outcomes(store, story, rows, story.first, story.live - timedelta(1))
    ingest(store, now, "demo")


def _log_outcomes(store, story, rows, first, last):
    "Labels that arrive from the night before `first` to that of `last`."
    arriving = rows[
        rows.label.notna()
        & (rows.known_at > pd.Timestamp(story.night(first - timedelta(1))))
        & (rows.known_at <= pd.Timestamp(story.night(last)))
    ]
    if len(arriving):
        with OutcomeLogger(store.root / "spool", story.source) as log:
            log.log(
                arriving.prediction_id.to_numpy(),
                arriving.label.to_numpy(),
                arriving.known_at,
                predicted_at=arriving.scored_at,
            )


def _train(store, story, one, now, rounds, settings):
    rows = store.rows(
        one.model, story.first, story.live - timedelta(1), as_of=now, where="label IS NOT NULL"
    )
    if "v1" not in set(store.versions(one.model).version):
        trained, held_out = train(rows, one.model, "v1", rounds=rounds)
        register(store, trained, held_out, now, "demo", **settings.certainty)
    with store.transaction():
        store.record(
            now, "demo", "watch", f"{one.model}/history", "off", "made before the first model"
        )
    store.activate(now, "demo", one.model, "v1", "first model, trained on January to March")


def _prepare(store, story, streams, now, rounds, settings):
    "History, sites and first models, as far as they are not there yet."
    foreign = sorted(set(store.models()) - {c.model for c in story.models})
    if foreign:
        raise StoreError(
            f"{store.root} holds the model {foreign[0]!r}, which is not of the demo "
            f"{story.name!r}: choose another folder with --data."
        )
    if story.sites:
        store.set_sites(now, "demo", story.sites(), "the demo's table of sites")
    if not all(store.active_version(c.model) for c in story.models):
        _log_history(store, story, streams, now)
    for one in story.models:
        if store.active_version(one.model) is None:
            _train(store, story, one, now, rounds, settings)


def _live_day(store, story, streams, day, settings):
    for one, rows in streams.items():
        logged = store.rows(one.model, day, day, columns="prediction_id, predicted_at")
        today = rows[
            (rows.scored_on == day)
            & ~rows.prediction_id.isin(logged.prediction_id if len(logged) else [])
        ]
        scorer = Scorer.in_force(store, one.model, cuts=settings.risk_cuts)
        with scorer.logger(store.root / "spool", flush_seconds=None) as log:
            for _, hour in today.groupby(today.scored_at.dt.floor("h")):
                scorer.score_and_log(
                    hour,
                    log,
                    hour.scored_at,
                    prediction_id=hour.prediction_id.to_numpy(),
                    entity_id=hour.entity_id.to_numpy(),
                    site_id=hour.site_id.to_numpy(),
                )
        _log_outcomes(store, story, rows, day, day)
    ingest(store, story.night(day), "demo")
    open_cases(store, story.night(day), settings)
    for one in streams:
        done = compute(store, day, one.model, story.night(day), settings)
        if done.state == "failed":
            raise StoreError(f"{day} {one.model}: {done.error}")


def _challenge(store, story, day, settings):
    "What a person would try now and then: is a newer model better?"
    for one in story.models:
        if store.in_force("challenge", one.model) is None:
            challenge(
                store,
                one.model,
                day,
                story.night(day),
                "demo",
                why="a season is over",
                options=settings.certainty,
            )


def demo(
    data: Path,
    reports: Path,
    settings: Settings,
    *,
    story: Story = STORIES["flights"],
    until: date | None = None,
    report_days: int = 7,
    rounds: int = 200,
    say: Callable[[str], None] = print,
    progress: Callable[[Iterable, str], Iterable] = lambda items, what: items,
    on_done: Callable[[ReportResult], None] = lambda _: None,
    expect: Callable[[int], None] = lambda _: None,
) -> list[ReportResult]:
    """Replay a story from its first live day to `until`, make the reports of the last `report_days`
    days; safe to interrupt and to repeat. Cases are opened, not sent.
    """
    until = until or story.until
    if not story.live <= until <= story.end:
        raise StoreError(
            f"--until {until} is not among the replayed days: choose a day from {story.live} to "
            f"{story.end}."
        )
    settings = settings.model_copy(
        update={k: v for k, v in story.settings.items() if k not in settings.model_fields_set}
    )
    say(f"reading the {story.name} of {story.first.year}")
    streams = story.events(until)
    days = [story.live + timedelta(i) for i in range((until - story.live).days + 1)]
    eve = story.night(story.live - timedelta(1))
    with open_store(data, "demo", story.zone) as store:
        ingest(store, eve, "demo")
        say(
            f"logging January to March and training {len(story.models)} "
            f"model{'s' if len(story.models) > 1 else ''}"
        )
        _prepare(store, story, streams, eve, rounds, settings)
        runs = store.runs(step="figures")
        done = set(runs.event_date.dt.date) if len(runs) else set()
        challenged = until - timedelta(report_days)
        for day in progress([d for d in days if d not in done], "replaying days"):
            _live_day(store, story, streams, day, settings)
            if day == challenged and plan(day).comparison[0] >= story.live:
                _challenge(store, story, day, settings)
        store.publish(settings.snapshots_kept)
    say("making reports")
    pairs = [
        (day, one.model, story.night(day))
        for day in days[len(days) - min(max(report_days, 0), len(days)) :]
        for one in story.models
    ]
    expect(len(pairs) * 6)
    return make_reports(data, reports, pairs, settings, on_done)
