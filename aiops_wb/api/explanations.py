"""Why an event was scored as it was."""

from datetime import date
from math import isfinite
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import Field, TypeAdapter
from starlette.responses import Response

from ..config import Settings
from ..log.reading import shown
from .access import AtDesk, Reads
from .answers import answered, require_model
from .desk import Snapshot
from .extras import explained_event
from .models import Model
from .problems import Problem
from .shapes import Shape

__all__ = ["router"]

router = APIRouter(prefix="/explanations", tags=["models"])


class Pushed(Shape):
    "A feature, and by how much it moved the score."

    feature: Annotated[str, Field(examples=["dep_delay"])]
    name: Annotated[str, Field(description="as people call it", examples=["departure delay"])]
    value: Annotated[float | int | bool | str | None, Field(examples=[169.0])]
    unit: Annotated[str, Field(examples=["min"])]
    push: Annotated[float, Field(description="log-odds", examples=[8.16])]


class Alike(Shape):
    "A past alert that the same features pushed by as much, and what became of it."

    prediction_id: str
    event_date: date
    entity_id: str | None
    positive: bool
    distance: float


class Calibrated(Shape):
    "The share of positives among events with the same score, and how well it is known."

    lower: float
    upper: float
    calibrated_on: Annotated[list[date], Field(description="days whose labels it rests on")]
    like_it: Annotated[str, Field(description="how many labelled events have such a score")]
    ends: Annotated[str | None, Field(description="what sets its ends apart; null: it is narrow")]


class Explained(Shape):
    "Start and pushes add up to the log-odds of the score."

    prediction_id: str
    model: str
    version: str
    day: date
    points: int
    score: float
    label: int | None
    start: Annotated[float, Field(description="where every score of this version starts")]
    log_odds: float
    reasons: Annotated[
        str,
        Field(
            description="the strongest ones in words, as in a ticket",
            examples=["departure delay = 169 min (odds ×3,514); carrier = EV (odds ×1.3)"],
        ),
    ]
    features: Annotated[list[Pushed], Field(description="strongest first")]
    alike: Annotated[list[Alike], Field(description="the most alike first")]
    interval: Annotated[Calibrated | None, Field(description="null: no calibration was known")]


EXPLAINED = TypeAdapter(Explained)


@router.get(
    "/{model}/{prediction_id}",
    summary="The reasons of a score",
    response_model=Explained,
)
async def explanation(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    model: Model,
    prediction_id: Annotated[str, Path(max_length=1024, description="as it was logged")],
) -> Response:
    "What each feature pushed, and what became of past alerts that were scored most alike."
    make = lambda snapshot: _explained(snapshot, desk.settings, model, prediction_id)
    return await answered(request, desk, ("explained", model, prediction_id), make, EXPLAINED)


def _explained(
    snapshot: Snapshot, settings: Settings, model: str, prediction_id: str
) -> dict[str, Any]:
    require_model(snapshot, model)
    with snapshot.reading() as log:
        if log.event(prediction_id, model).empty:
            raise Problem(404, f"{model} has no prediction {shown(prediction_id)}.")
        told = explained_event()(log, prediction_id, settings, model)
    for one in told["features"]:
        one["value"] = _plain(one["value"])
    return told


def _plain(value):
    "A value of a feature as JSON has it."
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
