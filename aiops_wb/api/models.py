"""Models: their registered versions, and the figures that each morning stored."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from ..log.catalog import Reader
from ..stats.points import Grid
from ..watch.listed import version_rows
from .access import AtDesk, Reads
from .answers import AskedPaging, OneModel, Rows, known_model, paged
from .shapes import Daily, Name, Page, VersionShape

__all__ = ["router"]

router = APIRouter(prefix="/models", tags=["models"])
VERSIONS, DAILY = TypeAdapter(Page[VersionShape]), TypeAdapter(Page[Daily])

Model = Annotated[Name, Path(description="the model", examples=["late"])]
_OF_METRICS = (
    "version",
    "tenant",
    "segment",
    "metric",
    "value",
    "lower",
    "upper",
    "n",
    "as_of",
    "window_first",
    "window_last",
)


@router.get("", summary="Registered versions of every model", response_model=Page[VersionShape])
async def every(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    paging: AskedPaging,
    model: OneModel = None,
) -> Response:
    "The champion, its challengers, and which are not watched; newest first within a model."
    rows = lambda log: list(_versions(log, model))
    return await paged(request, desk, ("models", model), rows, VERSIONS, paging)


def _versions(log: Reader, model: str | None):
    models = log.models() if model is None else [known_model(log, model)]
    for row in (row for one in models for row in version_rows(log, one)):
        points = row["threshold"]
        score = None if points is None else float(Grid.parse(row["grid"]).inverse(points))
        yield row | {"points": points, "threshold": score, "active": bool(row["active"])}


@router.get("/{model}/daily", summary="The figures of each day", response_model=Page[Daily])
async def daily(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    paging: AskedPaging,
    model: Model,
    first: Annotated[date | None, Query(alias="from", description="first day")] = None,
    last: Annotated[date | None, Query(alias="to", description="last day")] = None,
    metric: Annotated[Name | None, Query(description="only this figure, such as fpr")] = None,
    tenant: Annotated[
        str, Query(max_length=1024, description="of this tenant; empty: all together")
    ] = "",
    segment: Annotated[
        str, Query(max_length=1024, description="of this segment, such as site=EWR; empty: all")
    ] = "",
) -> Response:
    "As the morning stored them last, newest day first."

    def rows(log: Reader):
        known_model(log, model)
        found = log.metrics(model, first, last, segment=segment, tenant=tenant)
        if metric is not None:
            found = found[found.metric == metric]
        found = found.sort_values(["event_date", "metric"], ascending=[False, True])
        return Rows(found.rename(columns={"event_date": "day"})[["day", *_OF_METRICS]])

    key = ("daily", model, first, last, metric, tenant, segment)
    return await paged(request, desk, key, rows, DAILY, paging)
