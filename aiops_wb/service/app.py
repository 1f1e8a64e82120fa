"""The service as an ASGI application: `POST /score`, `GET /health` and `GET /alive`.

A decision is taken by the thread that answers: it takes less than to hand it to another. Whoever
comes while too many wait is told so at once, so that the others are answered in time.
"""

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from pydantic import AwareDatetime, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ..api.access import caller_of, own_names
from ..api.decide import Event
from ..api.desk import Desk, Snapshots
from ..api.guard import Guard
from ..api.problems import Problem, fields_response, problem_response
from ..api.shapes import Name
from ..config import Settings, load_settings
from ..log.durable import time_ordered_id
from ..log.errors import StoreError
from .in_force import InForce, Standing
from .journal import Journal
from .tally import COUNTS, GAUGES, Tally

__all__ = ["ScoringApp", "scoring_app"]

LOOKS = 0.2
"Seconds between two looks at what is published, and at the log."
MOST_WAITING = 128
"Events of one process that may wait at a time; each takes less than a millisecond."


class ToScore(Event):
    "One event to be decided and logged."

    tenant: Name = "default"
    at: AwareDatetime | None = None  # when it happened; now unless given


_GIVEN = TypeAdapter(ToScore)


class ScoringApp:
    "Decides events of one model, and logs them; any number of processes may serve one."

    def __init__(
        self, desk: Desk, in_force: InForce, journal: Journal, most_waiting: int = MOST_WAITING
    ):
        self.desk, self.in_force, self.journal = desk, in_force, journal
        self.tally, self.most_waiting, self._waiting = journal.tally, most_waiting, 0
        self._ended, self._looking = threading.Event(), None
        self._guarded = Guard(self._routed, names=lambda: own_names(desk))
        self._routes = {
            "/score": ("POST", self._score),
            "/health": ("GET", self._health),
            "/alive": ("GET", self._alive),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        "Answer a request, or begin and end with the server."
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._guarded(scope, receive, send)

    async def _live(self, receive, send):
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.begin()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self.end)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def begin(self) -> None:
        "Look at what is published from now on."
        if self._looking is None:
            self._looking = threading.Thread(target=self._look, daemon=True, name="aiops-wb-looks")
            self._looking.start()

    def _look(self):
        while not self._ended.wait(LOOKS):
            self.in_force.look()
            self.journal.tend()

    def end(self) -> None:
        "Everything that was decided is in finished segments when this returns."
        self._ended.set()
        if self._looking is not None:
            self._looking.join()
        self.journal.close()

    async def _routed(self, scope, receive, send):
        answer = await self._answered(scope, receive)
        await answer(scope, receive, send)

    async def _answered(self, scope, receive) -> Response:
        method, route = self._routes.get(scope["path"], (None, None))
        if route is None:
            told = f"nothing has this address: there are {', '.join(self._routes)}."
            return problem_response(404, told)
        if scope["method"] != method:
            told = f"{scope['path']} is asked by {method}."
            return problem_response(405, told, {"Allow": method})
        try:
            return await route(scope, receive)
        except Problem as problem:
            return problem_response(problem.status, problem.detail, problem.headers)

    async def _alive(self, scope: Scope, receive: Receive) -> Response:
        return Response(status_code=204)

    async def _score(self, scope: Scope, receive: Receive) -> Response:
        self._waiting += 1
        try:
            if self._waiting > self.most_waiting:
                self.tally.add("refused")
                told = f"{self.most_waiting} events wait already: send this one again later."
                return problem_response(429, told, {"Retry-After": "1"})
            await asyncio.sleep(0)  # who came at the same time is counted before one is decided
            caller_of(Request(scope), self.desk).require("decide")
            message: Message = await receive()  # the guard has read it as a whole
            try:
                event = _GIVEN.validate_json(message.get("body", b""))
            except ValidationError as error:
                return fields_response(_wrong(error))
            try:
                told = self._decided(event)
            except (StoreError, ValueError) as error:
                return problem_response(422, str(error))
            return _as_json(told)
        finally:
            self._waiting -= 1

    def _decided(self, event: ToScore) -> dict[str, Any]:
        "What is done about an event, and whether it is logged."
        (scorer, told), named = self.in_force.standing, event.prediction_id or time_ordered_id()
        at = event.at or self.desk.now()
        where = {"tenant": event.tenant, "site_id": event.site_id}
        started = perf_counter()
        armed = scorer.armed(event.entity_id)
        decided = armed.scorer.decide_one(event.features, at, prediction_id=named, **where)
        latency = (perf_counter() - started) * 1000
        if armed.arm is not None:
            told = {**Standing.of(armed.scorer).told, "arm": armed.arm}
        logged = self.journal.log(
            scorer,
            decided,
            event.features,
            at,
            prediction_id=named,
            entity_id=event.entity_id,
            event_key=event.event_key,
            latency_ms=latency,
            **where,
        )
        self.tally.add("decided")
        return {"prediction_id": named, **_known(decided), **told, "logged": logged}

    async def _health(self, scope: Scope, receive: Receive) -> Response:
        caller = caller_of(Request(scope), self.desk)
        if not caller.may("decide"):
            caller.require("read")
        told = self.tally.total()
        failing = told["failing"] > 0
        return _as_json(
            {
                "status": "ok" if not failing and self.in_force.problem is None else "degraded",
                "model": self.in_force.model,
                **self.in_force.standing.told,
                "snapshot": self.in_force.snapshot.rpartition("/")[2],
                "workers": self.tally.workers,
                **{name: told[name] for name in (*COUNTS, *GAUGES)},
                "problems": self._problems(failing),
            }
        )

    def _problems(self, failing):
        "What is wrong, a sentence each; of another process only that something is."
        elsewhere = "another process cannot log: its own log says why." if failing else None
        found = self.in_force.problem, self.journal.problem or elsewhere
        return [problem for problem in found if problem is not None]


def _wrong(error):
    "What is wrong with an event, each field once: the value of a feature may be one of several."
    told = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        where, what = one["loc"], one["msg"]
        if where[:1] == ("features",) and len(where) > 2 and where[2] != "[key]":
            where, what = where[:2], "give a number, a boolean, a text, or null where it is missing"
        told.setdefault(where, {"loc": ("body", *where), "msg": what})
    return list(told.values())


def _known(decided):
    "A decision as JSON can hold it: null where nothing is known."
    return {
        name: None if type(value) is float and not isfinite(value) else value
        for name, value in decided._asdict().items()
    }


def _as_json(told):
    return Response(json.dumps(told).encode(), media_type="application/json")


def scoring_app(
    data: str | Path,
    model: str,
    settings: Settings | None = None,
    *,
    scores: Callable[[pd.DataFrame], np.ndarray] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    who: str = "service",
    host: str = "127.0.0.1",
    most_waiting: int = MOST_WAITING,
    flush_seconds: float = 1.0,
    segment_seconds: float = 60.0,
    tally: Tally | None = None,
) -> ScoringApp:
    """A scoring service for one model of a data folder, to be run by any ASGI server.

    `host`: the address that is listened at: without a token only this machine is served.
    `most_waiting`: events that wait at a time; more are told to come again (429). `flush_seconds`:
    how long an event may be in memory alone, which a power failure or a kill -9 loses;
    `segment_seconds`: after how long the next ingest may take it. `scores`: the owner's function,
    of a version that was adopted without a file. StoreError where nothing is in force.
    """
    data, settings = Path(data), settings or load_settings(data=Path(data))
    desk = Desk(data, settings, clock, who, host, Snapshots(data))
    journal = Journal(settings.spool_of(data), tally or Tally(), flush_seconds, segment_seconds)
    in_force = InForce(data, model, settings.risk_cuts, scores)
    return ScoringApp(desk, in_force, journal, most_waiting)
