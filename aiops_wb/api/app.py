"""The service as one ASGI application: routes, who may ask, what is told of errors."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import BoundedSemaphore

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry, Counter

from .. import __version__
from ..config import Settings
from . import (
    cases,
    decide,
    events,
    explanations,
    hands,
    models,
    proposals,
    rates,
    service,
    thresholds,
)
from .access import own_names
from .desk import Desk, Snapshots
from .events_in import EventsIn
from .extras import Decider
from .guard import Guard
from .pages.router import router as pages
from .pages.web import Web
from .problems import MEDIA_TYPE, answer_problems
from .shapes import ProblemShape
from .taking_in import TakingIn

__all__ = ["ROUTERS", "create_app"]

ROUTERS: tuple[APIRouter, ...] = (
    thresholds.router,
    hands.router,
    proposals.router,
    models.router,
    rates.router,
    explanations.router,
    cases.router,
    decide.router,
    events.router,
    service.router,
    pages,
)

_TAGS = {
    "thresholds": "Which thresholds are in force, what another would have done, and changing one.",
    "acts": "A change is handed to the one writer and has an id; what became of it.",
    "proposals": "A threshold that somebody proposed decides nothing until it is approved.",
    "models": "Registered versions, and the figures that each morning stored.",
    "cases": "What somebody was asked about, and what they did.",
    "drift": "Alarms about drift.",
    "decide": "What is in force for a model, asked about events.",
    "events": "Predictions and outcomes of other systems, handed in.",
    "service": "How the service itself does.",
}
_ABOUT = """Reads come from the newest published snapshot and never wait for the writer. A change is
an *act*: it is kept under an id, and taken in by the one writer, with the row in the audit trail
that a command would have written; `GET /acts/{id}` tells what became of it.

Every number is that of the commands (`aiops-wb thresholds list`, say). Thresholds are scores with
their points beside them. Errors are `application/problem+json` (RFC 9457). Answers of `GET` carry
an `ETag`: send it as `If-None-Match` to be told 304 while nothing changed."""

_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemShape"}}}}


def create_app(
    data: str | Path,
    settings: Settings | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    who: str = "api",
    host: str = "127.0.0.1",
    take_in: bool = True,
    routers: tuple[APIRouter, ...] = ROUTERS,
) -> FastAPI:
    """The service over a data folder.

    `who` is the author of acts without a token; `host` the address that is listened at: without a
    token only this machine is served. With `take_in` acts are taken in as soon as the writer is
    free, otherwise by whoever writes next.
    """
    settings = settings or Settings(data=Path(data))
    taking_in = TakingIn(Path(data), settings, clock) if take_in else None
    told = taking_in.wake if taking_in else lambda: None
    desk = Desk(Path(data), settings, clock, who, host, Snapshots(Path(data)), told)
    app = FastAPI(
        title="aiops_wb",
        version=__version__,
        description=_ABOUT,
        openapi_tags=[{"name": n, "description": text} for n, text in _TAGS.items()],
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan(desk, taking_in),
        redirect_slashes=False,
        generate_unique_id_function=lambda route: f"{route.tags[0]}_{route.name}",
        responses={"default": {"description": "An error"} | _PROBLEM},
    )
    app.state.desk, app.state.web = desk, Web()
    app.state.decider, app.state.events_in = Decider(desk), EventsIn(desk)
    app.state.room_for_events = BoundedSemaphore(events.MOST_WAITING)
    app.state.answered = CollectorRegistry()
    answer_problems(app)
    for router in routers:
        app.include_router(router)
    count = Counter(
        "aiops_wb_requests", "Requests", ["method", "route", "status"], registry=app.state.answered
    )
    told = lambda *labels: count.labels(*labels).inc()
    app.add_middleware(Guard, names=lambda: own_names(desk), told=told)
    _describe(app)
    return app


def _lifespan(desk, taking_in):
    @asynccontextmanager
    async def alive(app: FastAPI) -> AsyncIterator[None]:
        if taking_in:
            taking_in.start()
        try:
            yield
        finally:
            app.state.web.live.end()
            if taking_in:
                taking_in.stop()
            app.state.decider.close()
            app.state.events_in.close()
            desk.snapshots.close()

    return alive


def _describe(app):
    "Tell the shape of problems, in place of the framework's own."
    made = app.openapi

    def openapi():
        if app.openapi_schema is None:
            schema = made()
            known = schema.setdefault("components", {}).setdefault("schemas", {})
            known.pop("HTTPValidationError", None)
            known.pop("ValidationError", None)
            known |= _problem_schemas()
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
        return app.openapi_schema

    app.openapi = openapi


def _problem_schemas():
    "The schemas of a problem, as components."
    at = "#/components/schemas/{model}"
    whole = ProblemShape.model_json_schema(mode="serialization", ref_template=at)
    return whole.pop("$defs", {}) | {"ProblemShape": whole}
