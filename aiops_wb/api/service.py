"""How the service does: for a person, and for Prometheus."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import Field, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..daily import due
from ..log.catalog import Reader
from ..log.waiting import waiting
from ..watch.listed import model_row
from .access import AtDesk, Reads
from .answers import as_body
from .desk import Desk, Snapshot
from .shapes import Shape

__all__ = ["router"]

router = APIRouter(tags=["service"])
FIGURES = ("predictions", "alerts", "fpr", "fdr", "precision", "recall", "labelled_share")
"Figures of the newest day that Prometheus is told."
LOOKS_BACK = timedelta(60)
"Days that the newest value of a figure is looked for: labels come late."


class OfModel(Shape):
    "How far the log of a model goes."

    model: str
    first: str | None
    last: str | None
    days: int
    active_version: str | None
    due: Annotated[int, Field(description="days whose morning has not been run")]
    not_watched: list[str]


class Health(Shape):
    "What is served, how old it is, and what waits."

    status: Annotated[str, Field(examples=["ok"])]
    snapshot: Annotated[str, Field(examples=["aiops-00000184-000001-f3c2917a.duckdb"])]
    batch: Annotated[int, Field(description="the newest that the snapshot knows")]
    batch_at: datetime | None
    age_seconds: Annotated[float | None, Field(description="since that batch")]
    timezone: str
    spool_files: Annotated[int, Field(description="delivered, and not taken into the log yet")]
    acts_waiting: int
    quarantined: int
    models: list[OfModel]


HEALTH = TypeAdapter(Health)


@router.get("/health", summary="What is served, and what waits", response_model=Health)
async def health(desk: AtDesk, caller: Reads) -> Response:
    "503 where nothing is published yet, or the snapshot is of another version."
    told = await run_in_threadpool(_health, desk)
    return Response(as_body(HEALTH, told), media_type="application/json")


def _health(desk: Desk) -> dict[str, Any]:
    now = desk.now()
    with desk.snapshots.newest() as snapshot:
        known = snapshot.answer(("health", now.date()), lambda log: _standing(log, now))
        acts = len(desk.pending(snapshot))
        at = known["batch_at"]
        return known | {
            "status": "ok",
            "snapshot": snapshot.name.rpartition("/")[2],
            "age_seconds": None if at is None else (now - at).total_seconds(),
            "spool_files": _spool_files(desk),
            "acts_waiting": acts,
        }


def _standing(log: Reader, now: datetime) -> dict[str, Any]:
    "What `aiops-wb status` tells."
    days_due = [model for _, model in due(log, now)]
    rows = [model_row(log, model, days_due.count(model)) for model in log.models()]
    return {
        "batch": log.known_batch(),
        "batch_at": log.last_committed(),
        "timezone": log.timezone,
        "quarantined": log.quarantine_size(),
        "models": [row | {n: row[n] and str(row[n]) for n in ("first", "last")} for row in rows],
    }


def _spool_files(desk):
    return sum(len(waiting(desk.spool / kind).files) for kind in ("predictions", "outcomes"))


_EXAMPLE = """# HELP aiops_wb_acts_waiting Changes not taken in yet.
# TYPE aiops_wb_acts_waiting gauge
aiops_wb_acts_waiting 0.0
"""
_TEXT = {200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}}}}


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses=_TEXT,
)
async def metrics(request: Request, desk: AtDesk, caller: Reads) -> Response:
    "Text, version 0.0.4: age and batch of the snapshot, what waits, thresholds, newest figures."
    answered = request.app.state.answered  # counts of requests
    text = await run_in_threadpool(generate_latest, _Collected(desk))
    return Response(text + generate_latest(answered), media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _Collected(CollectorRegistry):
    "What is collected when somebody asks, and nothing before."

    def __init__(self, desk: Desk):
        super().__init__()
        self.desk = desk

    def collect(self) -> Iterator[Metric]:
        "Every figure."
        told = _health(self.desk)
        yield _gauge("snapshot_batch", "Newest batch that is served", told["batch"])
        if told["age_seconds"] is not None:
            age = told["age_seconds"]
            yield _gauge("snapshot_age_seconds", "Seconds since the newest batch", age)
        yield _gauge("spool_files", "Files not taken into the log yet", told["spool_files"])
        yield _gauge("acts_waiting", "Changes not taken in yet", told["acts_waiting"])
        yield _gauge("quarantined_rows", "Rows in quarantine", told["quarantined"])
        due_days = [((row["model"],), row["due"]) for row in told["models"]]
        yield _gauge("days_due", "Days whose morning has not been run", due_days, ["model"])
        with self.desk.snapshots.newest() as snapshot:
            yield from _of_log(snapshot, self.desk)


def _of_log(snapshot: Snapshot, desk: Desk) -> Iterator[Metric]:
    now = desk.now()
    key = ("prometheus", now.date())
    told = snapshot.answer(key, lambda log: _told(log, snapshot, desk))
    scope = ["model", "version", "tenant", "site"]
    yield _gauge("threshold", "Threshold in force, as a score", told["thresholds"], scope)
    of_figure = ["model", "version", "figure"]
    yield _gauge("figure", "Figure of the newest day that has it", told["figures"], of_figure)
    yield _gauge("alarms_open", "Open alarms about drift", told["alarms"], ["model", "severity"])
    yield _gauge("cases_open", "Cases that nobody closed", told["cases"], ["model"])


def _told(log, snapshot, desk):
    models = log.models()
    stands = [snapshot.standing(one, desk.now(), desk.settings) for one in models]
    thresholds = [
        ((one.model, one.version, *(part or "" for part in one.scope or ("", ""))), one.score)
        for of_model in stands
        for one in of_model
    ]
    return {
        "thresholds": thresholds,
        "figures": [row for model in models for row in _figures(log, model)],
        "alarms": _counted(log.handled_alarms(), ["model", "severity"]),
        "cases": _counted(log.handled_cases(), ["model"]),
    }


def _figures(log, model):
    "The newest value of each figure that is known."
    days = log.days(model)
    found = log.metrics(model, days[-1] - LOOKS_BACK if days else None)
    known = found[found.metric.isin(FIGURES) & found.value.notna()]
    newest = known.sort_values("event_date", kind="stable").groupby(["version", "metric"]).tail(1)
    for row in newest.itertuples():
        yield (model, row.version, row.metric), float(row.value)


def _counted(handled, columns):
    "How many are not closed, by some columns."
    still = handled[handled.state != "closed"]
    keys = zip(*(still[column] for column in columns), strict=True)
    return list(Counter(keys).items())


def _gauge(name, text, value, labels=()):
    family = GaugeMetricFamily(f"aiops_wb_{name}", f"{text}.", labels=labels)
    for key, one in value if labels else [((), value)]:
        family.add_metric(list(key), one)
    return family
