"""Changes: handed to the one writer, and what became of them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..log.act_shapes import checked_what
from ..log.acts import Act, hand_in, handed_in_before
from ..log.catalog import Reader
from ..log.errors import InvalidAct, StoreError
from ..log.taken_acts import TakenAct
from ..log.tokens import NEEDS
from .access import AtDesk, Caller, Reads
from .answers import AskedPaging, as_body, paged
from .desk import Desk, Snapshot
from .problems import Problem
from .shapes import ActShape, Page

__all__ = ["HANDED_IN", "Key", "handed_in", "router"]

router = APIRouter(tags=["acts"])
ONE, PAGE = TypeAdapter(ActShape), TypeAdapter(Page[ActShape])

HANDED_IN: dict[str, Any] = {"status_code": 202, "response_model": ActShape}
"What a route that hands in an act answers."

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="of your own: what is sent again with it is not done twice (30 days)",
        min_length=1,
        max_length=200,
    ),
]


async def handed_in(
    desk: Desk,
    caller: Caller,
    kind: str,
    asked: Mapping[str, Any],
    key: str | None,
    look: Callable[[], Mapping[str, Any]] = dict,
) -> Response:
    """Hand in an act of a caller: 202 with its id and its address. `look` is asked while nobody
    else hands in here, so that what it looked at stands when the act is written; it adds to what
    was asked what it saw. Whoever sends the same again with its key is told of the same act,
    whatever stands by now."""
    caller.require(NEEDS[kind])
    if kind == "set" and desk.settings.threshold_four_eyes:
        raise Problem(
            409, "threshold_four_eyes is set: propose it, and let somebody else approve it."
        )
    act = await run_in_threadpool(_hand_in, desk, caller, kind, asked, key, look)
    desk.handed_in()
    return Response(as_body(ONE, act), 202, {"Location": f"/acts/{act['id']}"}, "application/json")


def _hand_in(desk, caller, kind, asked, key, look):
    with desk.handing_in:
        try:
            known = _before(desk, caller, kind, asked, key)
            act = known or _written(desk, caller, kind, asked | look(), key)
        except InvalidAct as error:
            raise Problem(422, str(error)) from None
        desk.remember(act)
    return _found(desk, act.id) if known else _waits(act)


def _before(desk, caller, kind, asked, key) -> Act | None:
    "The act that was handed in with the same key; InvalidAct where it asks for something else."
    known = key and handed_in_before(desk.spool, caller.name, key, desk.data)
    if not known:
        return None
    said = {name: value for name, value in known.what.items() if name != "if_in_force"}
    if (known.kind, said) != (kind, checked_what(kind, asked)):
        raise InvalidAct("the key was used for another act: each act needs a key of its own.")
    return known


def _written(desk, caller, kind, what, key) -> Act:
    at = desk.now()
    try:
        return Act(
            hand_in(desk.spool, kind, what, caller.name, at, key, desk.data),
            kind,
            what,
            caller.name,
            at,
        )
    except InvalidAct:
        raise
    except StoreError as error:
        raise Problem(503, str(error), {"Retry-After": "30"}) from None


def _told(of: Act, state, says, taken_in_at=None, proposal=None) -> dict[str, Any]:
    return {
        "id": of.id,
        "kind": of.kind,
        "state": state,
        "says": says,
        "who": of.who,
        "at": of.at,
        "what": dict(of.what),
        "taken_in_at": taken_in_at,
        "proposal": proposal,
    }


def _waits(of: Act):
    return _told(of, "waiting", "it is kept, and waits to be taken in")


def _taken(of: TakenAct):
    return _told(of.act, of.state, of.says, of.taken_in_at, of.proposal)


@router.get("/acts/{id}", summary="What became of a change", response_model=ActShape)
async def act(
    desk: AtDesk,
    caller: Reads,
    id: Annotated[str, Path(max_length=64, pattern=r"^[0-9a-f\-]+$")],
    wait: Annotated[
        float, Query(ge=0, le=30, description="seconds to wait while it is not taken in")
    ] = 0,
) -> Response:
    "Waiting, done or refused, with a sentence."
    for _ in range(1 + round(wait / _LOOK)):
        found = await run_in_threadpool(_found, desk, id)
        if found["state"] != "waiting":
            break
        await asyncio.sleep(_LOOK if wait else 0)
    return Response(as_body(ONE, found), media_type="application/json")


_LOOK = 0.1  # seconds between two looks


def _found(desk: Desk, act_id: str) -> dict[str, Any]:
    with desk.snapshots.newest() as snapshot:
        for one in desk.pending(snapshot):
            if one.id == act_id:
                return _waits(one)
        taken = snapshot.answer(("act", act_id), lambda log: log.act(act_id))
    if taken is None:
        raise Problem(404, "no act has this id.")
    return _taken(taken)


@router.get("/acts", summary="Changes that wait, and those taken in", response_model=Page[ActShape])
async def every(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    paging: AskedPaging,
) -> Response:
    "Newest first."

    def rows(log: Reader, snapshot: Snapshot, acts: Sequence[Act]):
        told = [*map(_taken, log.acts()), *map(_waits, acts)]
        return sorted(told, key=lambda act: act["id"], reverse=True)

    return await paged(request, desk, ("acts",), rows, PAGE, paging, pending=True)
