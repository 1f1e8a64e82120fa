"""False positives of the recent days, by day, version, site or width of the interval."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field, TypeAdapter
from starlette.responses import Response

from ..watch.false_positives import false_positives
from .access import AtDesk, Reads
from .answers import OneModel, answered, require_model
from .desk import Desk, Snapshot
from .shapes import Number, Shape

__all__ = ["router"]

router = APIRouter(prefix="/metrics", tags=["models"])


class Rate(Shape):
    "What was called at the threshold in force, and how much of it for nothing."

    model: str
    name: Annotated[str, Field(description="the day, version, site or width", examples=["EWR"])]
    threshold: float
    points: int
    labelled: Annotated[int, Field(description="events with a label")]
    negatives: int
    fp: Annotated[int, Field(description="negatives at or above the threshold")]
    fpr: Annotated[Number, Field(description="fp / negatives; null where there is none")]
    lower: Annotated[Number, Field(description="of the 95 % interval, for independent events")]
    upper: Number
    fdr: Annotated[Number, Field(description="fp / labelled alerts")]


RATES = TypeAdapter(list[Rate])


@router.get(
    "/false-positive-rate",
    summary="How often somebody is called for nothing",
    response_model=list[Rate],
)
async def false_positive_rate(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    by: Annotated[
        Literal["day", "version", "site", "width"], Query(description="told apart by")
    ] = "day",
    model: OneModel = None,
    sites: Annotated[int, Query(ge=1, le=1000, description="so many sites, the largest")] = 12,
) -> Response:
    """FP / negatives over the recent days (setting `recent_days`), as the daily report shows it. A
    label that is not in counts on neither side: a day is not complete before its labels are."""
    make = lambda snapshot: _rates(snapshot, desk, by, model, sites)
    key = ("rates", by, model, sites, desk.now().date())
    return await answered(request, desk, key, make, RATES)


def _rates(snapshot: Snapshot, desk: Desk, by: str, model: str | None, sites: int):
    "Rows of one model or all that have predictions."
    models = [require_model(snapshot, model)] if model else snapshot.models_with_days
    return [row for one in models for row in _of_model(snapshot, desk, by, one, sites)]


def _of_model(snapshot, desk, by, model, sites) -> list[dict[str, Any]]:
    with snapshot.view(model, desk.now(), desk.settings) as view:
        return [_row(view, of) for of in false_positives(view, by, sites)]


def _row(view, of):
    known = of.at_threshold
    return {
        "model": view.model,
        "name": of.name,
        "threshold": round(view.probability(of.threshold), 6),
        "points": of.threshold,
        "labelled": known.n,
        "negatives": known.tn + known.fp,
        "fp": known.fp,
        "fpr": known.fpr.value,
        "lower": known.fpr.lower,
        "upper": known.fpr.upper,
        "fdr": known.fdr.value,
    }
