"""A scoring service of one's own: events are decided and logged, and labels are taken.

    AIOPS_DATA=data MODEL=late uvicorn --app-dir examples service:app

`scoring_app` decides each event by what is in force, logs what it decided, and takes up a version,
a threshold or a calibration within a second of its publication; it is all of a service that needs
nothing else (`aiops-wb score-service MODEL` runs it without a line). Here a route for labels stands
beside it. Rows go to the spool, which needs no database and waits for nobody; `aiops-wb ingest`
takes them in. Several workers may run side by side: each has loggers of its own.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from aiops_wb import NotWritten, OutcomeLogger, load_settings, scoring_app


class Label(BaseModel):
    "What became of an event."

    prediction_id: str = Field(min_length=1)
    label: int = Field(ge=0, le=1)


def create_app(data: Path, spool: Path, model: str) -> FastAPI:
    "The service for one model of a data folder."
    scores, labels = scoring_app(data, model), OutcomeLogger(spool, "service")

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        scores.begin()
        yield
        scores.end()
        labels.close()

    app = FastAPI(title=f"Scores of {model}", lifespan=lifespan)

    @app.post("/labels", status_code=204)
    def label(known: Label) -> None:
        "What became of an event, as soon as somebody knows it; a later one corrects."
        try:
            labels.log(known.prediction_id, known.label, datetime.now(UTC))
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        except NotWritten:  # the disk takes nothing just now; the row is kept and tried again
            raise HTTPException(503, "logged later: do not send it again") from None

    app.mount("/", scores)
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
