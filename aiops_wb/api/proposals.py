"""Proposals: thresholds that somebody proposed, and acts that decide one."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..log.catalog import Reader
from ..log.proposals import OPEN, Proposal, is_same_person
from ..watch.listed import grid_of
from .access import AtDesk, Proposes, Reads
from .answers import (
    AskedPaging,
    OneModel,
    as_body,
    known_models,
    not_modified,
    paged,
    require_model,
)
from .desk import Desk, Kept, Snapshot
from .hands import HANDED_IN, Key, handed_in
from .ids import ThresholdId
from .problems import Problem
from .shapes import Given, Page, ProposalShape, Why

__all__ = ["Decision", "router"]

router = APIRouter(prefix="/proposals", tags=["proposals"])
ONE, PAGE = TypeAdapter(ProposalShape), TypeAdapter(Page[ProposalShape])

ProposalKey = Annotated[
    str, Path(pattern=r"^P-[0-9]{1,9}$", description="the id of a proposal", examples=["P-1"])
]


class Decision(Given):
    "Why it is decided so."

    why: Why

    model_config = {"json_schema_extra": {"examples": [{"why": "agreed in the shift meeting"}]}}


def _rows(log: Reader, snapshot: Snapshot, desk: Desk, model: str | None) -> list[dict[str, Any]]:
    "Proposals, newest first."
    models = [require_model(snapshot, model)] if model else known_models(snapshot)
    stands = (snapshot.standing(one, desk.now(), desk.settings) for one in models)
    gone = {of.key: why for one in stands for at in one for of, why in at.proposals}
    return [_row(log, of, gone.get(of.key, "")) for of in reversed(log.proposals(model))]


def _row(log: Reader, of: Proposal, overtaken: str) -> dict[str, Any]:
    grid, scope = grid_of(log, of.model, of.version), of.scope or (None, None)
    score = lambda points: round(float(grid.inverse(points)), 6)
    told = ("key", "model", "version", "points", "who", "at", "why", "state")
    decided = ("decided_by", "decided_at", "decided_why")
    return {name: getattr(of, name) for name in (*told, *decided)} | {
        "threshold_id": str(ThresholdId(of.model, of.version, *(of.scope or ()))),
        "tenant": scope[0],
        "site": scope[1],
        "threshold": score(of.points),
        "instead_of": score(of.instead_of),
        "instead_of_points": of.instead_of,
        "overtaken": overtaken,
    }


@router.get("", summary="Every proposal, newest first", response_model=Page[ProposalShape])
async def every(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    paging: AskedPaging,
    model: OneModel = None,
    state: Annotated[
        Literal["open", "approved", "rejected", "withdrawn"] | None,
        Query(description="only in this state"),
    ] = None,
) -> Response:
    "Who proposed what, and what became of it; an open one that no longer fits says why."

    def rows(log: Reader, snapshot: Snapshot, _):
        return [r for r in _rows(log, snapshot, desk, model) if state in (None, r["state"])]

    key = ("proposals", model, state, desk.now().date())
    return await paged(request, desk, key, rows, PAGE, paging, pending=True)


def _one(snapshot: Snapshot, desk: Desk, key: str) -> dict[str, Any]:
    every = ("proposals by key", desk.now().date())
    rows = lambda log: {row["key"]: row for row in _rows(log, snapshot, desk, None)}
    known = snapshot.answer(every, rows)
    if key not in known:
        raise Problem(404, f"there is no proposal {key}: GET /proposals lists them.")
    return known[key]


def _now(desk: Desk, key: str) -> dict[str, Any]:
    with desk.snapshots.newest() as snapshot:
        return _one(snapshot, desk, key)


@router.get("/{key}", summary="One proposal", response_model=ProposalShape)
async def one(request: Request, desk: AtDesk, caller: Reads, key: ProposalKey) -> Response:
    "What was proposed, and what became of it."
    row = await run_in_threadpool(_now, desk, key)
    return not_modified(request, Kept.of(as_body(ONE, row)))


@router.post("/{key}/approve", summary="Put a proposal into force", **HANDED_IN)
async def approve(
    desk: AtDesk, caller: Proposes, key: ProposalKey, given: Decision, idempotency: Key = None
) -> Response:
    "Needs the role approve; with `threshold_four_eyes` that of somebody else than who proposed it."

    def look():
        row = _open(desk, key)
        if row["overtaken"]:
            raise Problem(409, f"{key} was overtaken: {row['overtaken']}.")
        if desk.settings.threshold_four_eyes and is_same_person(row["who"], caller.name):
            told = f"{key} was proposed by {row['who']}: threshold_four_eyes asks for another"
            raise Problem(409, f"{told} to approve it.")
        return {}

    asked = {"proposal": key, "why": given.why}
    return await handed_in(desk, caller, "approve", asked, idempotency, look)


@router.post("/{key}/reject", summary="Close a proposal without a change", **HANDED_IN)
async def reject(
    desk: AtDesk, caller: Proposes, key: ProposalKey, given: Decision, idempotency: Key = None
) -> Response:
    "One's own is withdrawn."

    def look():
        _open(desk, key)
        return {}

    asked = {"proposal": key, "why": given.why}
    return await handed_in(desk, caller, "reject", asked, idempotency, look)


def _open(desk, key):
    row = _now(desk, key)
    if row["state"] != OPEN:
        raise Problem(409, f"{key} is not open: it was {row['state']}.")
    return row
