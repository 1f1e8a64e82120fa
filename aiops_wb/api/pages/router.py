"Every page of the service."

from fastapi import APIRouter

from ..problems import Problem
from . import (
    answers,
    events,
    handled,
    models,
    proposals,
    reports,
    signing_in,
    static,
    thresholds,
)
from .frame import PageRoute

__all__ = ["router"]

router = APIRouter(tags=["pages"], include_in_schema=False)
_else = APIRouter(route_class=PageRoute)


@_else.get("/pages/{rest:path}")
def nowhere(rest: str):
    "No page has this address."
    raise Problem(404, "no page has this address.")


for part in (
    signing_in,
    static,
    events,
    models,
    thresholds,
    proposals,
    handled,
    answers,
    reports,
):
    router.include_router(part.router)
router.include_router(_else)
