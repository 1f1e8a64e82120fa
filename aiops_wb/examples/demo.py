"""A log replayed as if live, day by day."""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..config import Settings
from ..daily import compute, make_reports
from ..log.errors import StoreError
from ..log.ingest import ingest
from ..log.spool import OutcomeLogger, PredictionLogger
from ..log.store import Store, open_store
from ..models.challenge import challenge, plan
from ..models.complete import label_rules, training_rows
from ..models.registry import register
from ..models.scorer import Scorer
from ..models.training import ROUNDS, train
from ..models.version import ModelVersion
from ..render.jobs import ReportResult
from ..watch.cases import open_cases
from ..watch.promises import keep_ledger
from ..watch.registered import Versions
from ..watch.takeover import each_morning
from .stories import STORIES, DemoModel, Story

__all__ = ["demo"]

logger = logging.getLogger(__name__)

_WHO = "demo"
_REPORTS_A_DAY = 6


def demo(
    data: Path,
    reports: Path,
    settings: Settings,
    *,
    story: Story = STORIES["flights"],
    until: date | None = None,
    report_days: int = 7,
    rounds: int = 200,
    say: Callable[[str], None] = logger.info,
    progress: Callable[[Iterable, str], Iterable] = lambda items, what: items,
    on_done: Callable[[ReportResult], None] = lambda _: None,
    expect: Callable[[int], None] = lambda _: None,
) -> list[ReportResult]:
    """Replay a story from its first live day to `until`, make the reports of the last `report_days`
    days; safe to interrupt and to repeat. Cases are opened, not sent.
    """
    days = _days(story, until or story.until)
    settings = _told_by(story, settings)
    where = {"spool": settings.spool, "group": settings.group}
    with open_store(data, _WHO, story.zone, **where) as store:
        left = _left_to_do(store, days)
        say(f"reading the {story.name} of {story.first.year}")
        # a replay that is taken up again needs no history
        since = [] if _untrained(store, story) else [min(left, default=days[-1])]
        streams = story.events(days[-1], *since)
        replay = _Replay(store, story, streams, settings, rounds, {}, Versions(store))
        _set_up(replay, say)
        for day in progress(left, "replaying days"):
            with store.one_thread():
                _live_day(replay, day)
            if day == days[-1] - timedelta(report_days):
                _challenge(replay, day)
            elif day > days[-1] - timedelta(report_days):
                _follow_shadows(replay, day)
        store.publish(settings.snapshots_kept)
    say("making reports")
    reported = days[len(days) - min(max(report_days, 0), len(days)) :]
    asked = [(day, one.model, story.night(day)) for day in reported for one in story.models]
    expect(len(asked) * _REPORTS_A_DAY)
    return make_reports(data, reports, asked, settings, on_done)


class _Replay(NamedTuple):
    "What the acts of a replay share."

    store: Store
    story: Story
    streams: Mapping[DemoModel, pd.DataFrame]
    settings: Settings
    rounds: int
    loaded: dict[str, ModelVersion]  # what scored the day before, by model
    versions: Versions

    @property
    def logging(self) -> dict:
        "How loggers write here: at the end, with a cursor of the open store."
        return {"flush_seconds": None, "cursor": self.store.cursor}

    @property
    def spool(self) -> Path:
        "Where predictions and labels are written down."
        return self.store.spool

    @property
    def eve(self) -> datetime:
        "The night before the first live day."
        return self.story.night(self.story.eve)


def _days(story, until):
    "The days to replay; StoreError where the last one is not among the story's."
    if not story.live <= until <= story.end:
        raise StoreError(
            f"--until {until} is not among the replayed days: choose a day from {story.live} to "
            f"{story.end}."
        )
    return [story.live + timedelta(i) for i in range((until - story.live).days + 1)]


def _told_by(story, settings):
    "Settings as the story wants them, but for those that the caller chose."
    chosen = settings.model_fields_set
    wanted = {name: value for name, value in story.settings.items() if name not in chosen}
    return settings.model_copy(update=wanted)


def _left_to_do(store, days):
    "The days without figures."
    runs = store.runs(step="figures")
    done = set(runs.event_date.dt.date) if len(runs) else set()
    return [day for day in days if day not in done]


def _set_up(replay, say):
    "History, sites and first models, as far as they are not there yet."
    store, story = replay.store, replay.story
    # what an interrupted replay left in the spool
    ingest(store, replay.eve, _WHO)
    n = len(story.models)
    say(f"logging January to March and training {n} model{'s' if n > 1 else ''}")
    _refuse_foreign_models(store, story)
    if story.sites:
        store.set_sites(replay.eve, _WHO, story.sites(), "the demo's table of sites")
    untrained = _untrained(store, story)
    if untrained:
        _log_history(replay)
    for one in untrained:
        _train(replay, one)


def _untrained(store, story):
    "The story's models without a version that scores."
    return [one for one in story.models if store.active_version(one.model) is None]


def _refuse_foreign_models(store, story):
    foreign = sorted(set(store.models()) - {one.model for one in story.models})
    if foreign:
        raise StoreError(
            f"{store.root} holds the model {foreign[0]!r}, which is not of the demo "
            f"{story.name!r}: choose another folder with --data."
        )


def _log_history(replay):
    "Events before the first models, under the version `history`."
    story = replay.story
    for one, rows in replay.streams.items():
        past = rows[rows.scored_on < story.live]
        past = _unlogged(replay.store, one, past, story.first, story.live, version="history")
        with PredictionLogger(replay.spool, one.model, "history", threshold=0) as log:
            for _, part in past.groupby(np.arange(len(past)) // 20_000):
                nothing_known = np.full(len(part), 0.5)
                features = part[list(one.features)]
                told = {"features": features, "route": "monitor"}  # nobody was called then
                log.log(nothing_known, part.scored_at, **told, **_identity(part))
    _log_outcomes(replay, story.first, story.eve)
    ingest(replay.store, replay.eve, _WHO)


def _unlogged(store, one, rows, first, last, version=None):
    "The events that an interrupted replay has not logged already."
    columns = "prediction_id, predicted_at"
    logged = store.rows(one.model, first, last, columns=columns, version=version, labels=False)
    return rows[~rows.prediction_id.isin(logged.prediction_id)] if len(logged) else rows


def _identity(rows):
    named = {name: rows[name].to_numpy() for name in ("prediction_id", "entity_id", "site_id")}
    return named | {"event_key": rows.event_id.to_numpy()}


def _log_outcomes(replay, first, last):
    "Labels of all models that arrive from the night before `first` to that of `last`."
    after = pd.Timestamp(replay.story.night(first - timedelta(1)))
    until = pd.Timestamp(replay.story.night(last))
    with OutcomeLogger(replay.spool, replay.story.source, **replay.logging) as log:
        for rows in replay.streams.values():
            came = rows[rows.label.notna() & (rows.known_at > after) & (rows.known_at <= until)]
            if len(came):
                log.log(
                    came.prediction_id.to_numpy(),
                    came.label.to_numpy(),
                    came.known_at,
                    predicted_at=came.scored_at,
                )


def _train(replay, one):
    "The first version of a model, trained on the history and activated."
    store, story, now = replay.store, replay.story, replay.eve
    if "v1" not in set(store.versions(one.model).version):
        span = story.first, story.eve
        rules = label_rules(replay.settings)
        known = training_rows(store, one.model, *span, now, as_of=now, **rules)
        kinds, rounds = store.feature_kinds(one.model, now), replay.rounds
        options = {"kinds": kinds, "events": known.events, "rounds": rounds, "unsure": known.unsure}
        trained, held_out = train(known.rows, one.model, "v1", **options)
        register(store, trained, held_out, now, _WHO, **replay.settings.certainty)
    with store.transaction():
        history = f"{one.model}/history"
        store.record(now, _WHO, "watch", history, "off", "made before the first model")
        store.activate(now, _WHO, one.model, "v1", "first model, trained on January to March")


def _live_day(replay, day):
    "A day's events are scored, its labels arrive, and the night's figures are made."
    night = replay.story.night(day)
    for one, rows in replay.streams.items():
        _score(replay, one, rows, day)
    _log_outcomes(replay, day, day)
    ingest(replay.store, night, _WHO)
    open_cases(replay.store, night, replay.settings, replay.loaded.values())
    for one in replay.streams:
        # before the figures, by which a replay that is taken up again knows a day as done
        keep_ledger(replay.store, one.model, night, replay.settings)
        figures = compute(
            replay.store, day, one.model, night, replay.settings, versions=replay.versions
        )
        if figures.state == "failed":
            raise StoreError(f"{day} {one.model}: {figures.error}")


def _score(replay, one, rows, day):
    "Score and log a day's events by what is in force, in one call: it costs more than its rows."
    today = _unlogged(replay.store, one, _scored_on(rows, day), day, day)
    cuts = replay.settings.risk_cuts
    loaded = replay.loaded.get(one.model)
    scorer = Scorer.in_force(replay.store, one.model, cuts=cuts, loaded=loaded)
    replay.loaded[one.model] = scorer.version
    with scorer.logger(replay.spool, **replay.logging) as log:
        if len(today):
            scorer.score_and_log(today, log, today.scored_at, **_identity(today))


def _scored_on(rows, day):
    "Rows of a day; rows are in the order of scoring."
    first, end = rows.scored_on.searchsorted([day, day + timedelta(1)])
    return rows.iloc[first:end]


def _challenge(replay, day):
    "What a person would try now and then: is a newer model better?"
    if plan(day).comparison[0] < replay.story.live:
        return
    for one in replay.story.models:
        if not replay.store.challengers(one.model):
            challenge(
                replay.store,
                one.model,
                day,
                replay.story.night(day),
                _WHO,
                why="a season is over",
                rounds=ROUNDS,
                options=replay.settings.certainty,
                **label_rules(replay.settings),
            )


def _follow_shadows(replay, day):
    "What the versions in shadow would have said of a day."
    for one in replay.story.models:
        each_morning(replay.store, one.model, day, replay.story.night(day), replay.settings, _WHO)
