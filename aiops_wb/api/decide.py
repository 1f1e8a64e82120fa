"""Events, decided by what is in force; logged only where that is asked for."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, Field, StrictBool, StrictInt, StrictStr, TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..log.durable import time_ordered_id
from ..log.errors import BufferFull, StoreError
from .access import AtDesk, Decides
from .answers import as_body, require_model
from .desk import Desk
from .extras import Decider
from .problems import Problem
from .shapes import Finite, Given, Name, Number, Shape

__all__ = ["router"]

router = APIRouter(tags=["decide"])
MOST_EVENTS, MOST_FEATURES = 1000, 5000

Feature = (
    StrictBool
    | Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
    | Finite
    | Annotated[StrictStr, Field(max_length=10_000)]
    | None
)


class Event(Given):
    "One event: every feature that the model needs, null where it is missing."

    features: Annotated[dict[Name, Feature], Field(max_length=MOST_FEATURES)]
    prediction_id: Annotated[Name | None, Field(description="made here unless given")] = None
    entity_id: Name | None = None
    site_id: Name | None = None
    event_key: Annotated[
        Name | None,
        Field(
            description="what the event is called by all models that score it; at most 256 bytes"
        ),
    ] = None


class ToDecide(Given):
    "Events of one model and tenant."

    model: Name
    events: Annotated[list[Event], Field(min_length=1, max_length=MOST_EVENTS)]
    tenant: Name = "default"
    at: Annotated[
        AwareDatetime | None,
        Field(description="when they are decided, with an offset; now unless given"),
    ] = None
    log: Annotated[bool, Field(description="write them down, as a scoring service does")] = False

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "model": "late",
                    "events": [{"features": {"carrier": "UA", "hour": 17.5}, "site_id": "EWR"}],
                }
            ]
        }
    }


class Decided(Shape):
    "What happens with one event, and why."

    prediction_id: str
    score: Annotated[float, Field(examples=[0.912])]
    points: Annotated[int, Field(examples=[2338])]
    lower: Annotated[Number, Field(description="of the probability interval; null: none stands")]
    upper: Number
    risk_level: Annotated[str, Field(examples=["HIGH"])]
    route: Annotated[Literal["ticket", "alert", "monitor"], Field(examples=["alert"])]
    automated: Annotated[bool, Field(description="decided without a person")]
    reason: str
    ladder: str | None
    propensity: Annotated[
        Number, Field(description="the chance of a review, where that is drawn below the threshold")
    ]
    arm: Annotated[
        str | None,
        Field(description="the A/B test and the arm that decided, as TEST/B; null: none did"),
    ] = None
    arm_propensity: Annotated[
        Number, Field(description="the chance that its entity had of this arm")
    ] = None


class AllDecided(Shape):
    "Decisions, in the order of the events, and what they rest on."

    model: str
    version: str
    threshold: float
    points: int
    calibration_id: str | None
    logged: bool
    decisions: list[Decided]


ALL = TypeAdapter(AllDecided)


@router.post("/decide", summary="Decide events by what is in force", response_model=AllDecided)
async def decide(request: Request, desk: AtDesk, caller: Decides, given: ToDecide) -> Response:
    """The champion scores them, its threshold, calibration and exploration decide. Nothing is
    written down unless `log` is set: then the events are on the disk when this returns, and the
    next ingest takes them in.
    """
    told = await run_in_threadpool(_decided, request.app.state.decider, desk, given)
    return Response(as_body(ALL, told), media_type="application/json")


def _decided(decider: Decider, desk: Desk, given: ToDecide) -> dict[str, Any]:
    events = [event.model_dump() for event in given.events]
    for event in events:
        event["prediction_id"] = event["prediction_id"] or time_ordered_id()
    how = {"at": _time(given.at, desk), "tenant": given.tenant, "logged": given.log}
    with desk.snapshots.newest() as snapshot:
        require_model(snapshot, given.model)
        try:
            return decider(snapshot, given.model, events, **how)
        except (BufferFull, OSError):
            raise Problem(
                503, "the disk takes nothing just now: nothing is decided.", {"Retry-After": "5"}
            ) from None
        except (StoreError, ValueError) as error:
            raise Problem(422, str(error)) from None


def _time(at: datetime | None, desk: Desk) -> datetime:
    now = desk.now()
    if at is None:
        return now
    if not 1900 <= at.year <= 2200:
        raise Problem(422, "at lies between the years 1900 and 2200.")
    return at
