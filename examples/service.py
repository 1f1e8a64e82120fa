"""A scoring service: it decides each event by what is in force, and logs what it decided.

    AIOPS_DATA=data MODEL=late uvicorn --app-dir examples service:app

Rows go to the spool, which needs no database and waits for nobody; `aiops-wb ingest` takes them
in. A version, a threshold or a calibration that is put in force is used a minute later, without a
restart. Several workers may run side by side: each has a logger of its own.
"""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic

import pandas as pd
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from aiops_wb import (
    BufferFull,
    NotWritten,
    OutcomeLogger,
    PredictionLogger,
    Scorer,
    load_settings,
    open_snapshot,
)

logger = logging.getLogger(__name__)
SECONDS = 60.0
"How old what is in force may be here."


class Event(BaseModel):
    "Something that happened, to be scored."

    prediction_id: str = Field(min_length=1)
    features: dict[str, float | str | bool | None]
    entity_id: str | None = None
    site_id: str | None = None


class Decided(BaseModel):
    "What is to be done about it."

    prediction_id: str
    score: float
    risk_level: str
    route: str
    reason: str
    version: str


class Label(BaseModel):
    "What became of an event."

    prediction_id: str = Field(min_length=1)
    label: int = Field(ge=0, le=1)


class Desk:
    "What is in force for a model, and the logger that goes with it; one for each process."

    def __init__(self, data: Path, spool: Path, model: str) -> None:
        self.data, self.spool, self.model = data, spool, model
        self._lock, self._looked = Lock(), -SECONDS
        self._scorer: Scorer | None = None
        self._log: PredictionLogger | None = None

    def in_force(self) -> tuple[Scorer, PredictionLogger]:
        "The scorer and its logger; a newer snapshot is looked for once a minute."
        with self._lock:
            if self._scorer is None or monotonic() - self._looked > SECONDS:
                self._look()
            assert self._scorer is not None and self._log is not None
            return self._scorer, self._log

    def _look(self) -> None:
        before, self._looked = self._scorer, monotonic()
        try:
            with open_snapshot(self.data) as reader:
                loaded = None if before is None else before.version
                now = Scorer.in_force(reader, self.model, loaded=loaded)
        except Exception:
            if before is None:
                raise
            logger.exception("what is in force cannot be looked up: what was in force still is")
            return
        if before is None or _logged_as(before) != _logged_as(now):
            old, self._log = self._log, now.logger(self.spool)
            if old is not None:
                with suppress(NotWritten):  # its rows are kept, and tried again
                    old.close()
        self._scorer = now

    def close(self) -> None:
        "Rows that are still in memory are on the disk when this returns."
        if self._log is not None:
            self._log.close()


def _logged_as(scorer: Scorer) -> tuple[str, int]:
    "What a logger says about all of its rows."
    return scorer.version.version, scorer.threshold


@contextmanager
def _refused() -> Iterator[None]:
    "422 names a value that cannot be, 503 says that it could not be logged."
    try:
        yield
    except ValueError as error:
        said = str(error).encode(errors="replace").decode()  # it may quote half an emoji
        raise HTTPException(422, said) from None
    except NotWritten:  # the disk takes nothing just now; the row is kept and tried again
        raise HTTPException(503, "logged later: do not send it again") from None
    except BufferFull as error:
        raise HTTPException(503, str(error)) from None


def create_app(data: Path, spool: Path, model: str) -> FastAPI:
    "The service for one model of a data folder."
    desk, labels = Desk(data, spool, model), OutcomeLogger(spool, "service")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        desk.in_force()  # what is missing is said before the first request
        yield
        desk.close()
        labels.close()

    app = FastAPI(title=f"Scores of {model}", lifespan=lifespan)

    @app.post("/score")
    def score(event: Event) -> Decided:
        "Decide an event, and log what was decided."
        scorer, log = desk.in_force()
        known = {name: event.features.get(name) for name in scorer.version.features}
        with _refused():
            rows = scorer.score_and_log(
                pd.DataFrame([known]),
                log,
                [datetime.now(UTC)],
                prediction_id=[event.prediction_id],
                entity_id=[event.entity_id],
                site_id=[event.site_id],
            )
        told = rows.iloc[0]
        names = ("score", "risk_level", "route", "reason")
        decided = {name: told[name] for name in names}
        return Decided(prediction_id=event.prediction_id, version=scorer.version.version, **decided)

    @app.post("/labels", status_code=204)
    def label(known: Label) -> None:
        "What became of an event, as soon as somebody knows it; a later one corrects."
        with _refused():
            labels.log(known.prediction_id, known.label, datetime.now(UTC))

    return app


def _served() -> FastAPI:
    "The app of the settings that commands find, and of the model that a variable names."
    settings = load_settings()
    return create_app(settings.data, settings.spool_of(settings.data), os.environ["MODEL"])


def __getattr__(name: str) -> FastAPI:
    "`app` is made when a server asks for it, so that importing this file needs no log."
    if name == "app":
        return _served()
    raise AttributeError(name)
