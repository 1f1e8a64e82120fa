"""How a request is answered: from what was kept where it was, by a thread where it was not."""

from collections.abc import Callable, Hashable, Sequence
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlencode

import pandas as pd
from fastapi import Depends, Query, Request
from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..log.base import as_rows
from ..log.catalog import Reader
from .desk import Desk, Kept, Snapshot
from .problems import Problem
from .shapes import Name

__all__ = [
    "LONGEST",
    "AskedPaging",
    "OneModel",
    "Paging",
    "Rows",
    "answered",
    "as_body",
    "known_model",
    "known_models",
    "not_modified",
    "paged",
    "require_model",
]

MOST = 1000
"Rows of a page, at most."

_CACHED = {"Cache-Control": "private, no-cache"}  # kept, and asked about each time


class Paging(NamedTuple):
    "Which rows of a list are told."

    limit: int
    offset: int

    @classmethod
    def asked(
        cls,
        limit: Annotated[int, Query(ge=1, le=MOST, description="so many at most")] = 100,
        offset: Annotated[int, Query(ge=0, le=10**9, description="behind so many")] = 0,
    ) -> "Paging":
        "As a request asks for it."
        return cls(limit, offset)


LONGEST = Paging(MOST, 0)
"The longest page there is."

AskedPaging = Annotated[Paging, Depends(Paging.asked)]
OneModel = Annotated[Name | None, Query(description="only of this model")]


class Rows:
    "The rows of a frame, of which those that are asked for become rows; what is missing is None."

    def __init__(self, frame: pd.DataFrame):
        self._frame = frame

    def __len__(self):
        return len(self._frame)

    def __getitem__(self, some: slice) -> list[dict[str, Any]]:
        return as_rows(self._frame.iloc[some], self._frame.columns)


def as_body(shape: TypeAdapter, value: Any) -> bytes:
    "A value as JSON of a shape: what does not fit it raises, and is a fault of ours."
    return shape.dump_json(shape.validate_python(value, from_attributes=True), by_alias=True)


async def answered(
    request: Request,
    desk: Desk,
    key: Hashable,
    make: Callable[[Snapshot], Any],
    shape: TypeAdapter,
) -> Response:
    "What a function of a snapshot gives, kept under a key until the next snapshot."
    made = lambda snapshot: Kept.of(as_body(shape, make(snapshot)))
    return not_modified(request, await _kept(desk, lambda _: ("body", key), made))


async def paged(
    request: Request,
    desk: Desk,
    key: Hashable,
    make: Callable[..., "Sequence | Rows"],
    shape: TypeAdapter,
    paging: Paging,
    pending: bool = False,
) -> Response:
    """Some rows of a list that a function of a reader gives, with links to those before and after.
    `pending`: the function is given the snapshot and the acts that it does not know yet, too."""

    def whole(snapshot: Snapshot) -> tuple[Hashable, tuple]:
        acts = desk.pending(snapshot) if pending else ()
        return (key, *(act.id for act in acts)), (snapshot, acts) if pending else ()

    def page(snapshot: Snapshot) -> tuple[Kept, int]:
        named, more = whole(snapshot)
        rows = snapshot.rows(named, lambda log: make(log, *more))
        some = rows[paging.offset : paging.offset + paging.limit]
        told = {"items": some, "total": len(rows), **paging._asdict()}
        return Kept.of(as_body(shape, told)), len(rows)

    kept, total = await _kept(desk, lambda of: ("page", whole(of)[0], paging), page)
    return not_modified(request, kept, _links(request, paging, total))


async def _kept(desk, key, make):
    "What is kept under the key of a snapshot, made by a thread where it is not."
    if desk.snapshots.opened:
        with desk.snapshots.newest() as snapshot:
            found = snapshot.known(key(snapshot))
        if found is not None:
            return found

    def ask():
        with desk.snapshots.newest() as snapshot:
            return snapshot.answer(key(snapshot), lambda _: make(snapshot))

    return await run_in_threadpool(ask)


def not_modified(request: Request, kept: Kept, headers: dict | None = None) -> Response:
    "What is kept, or 304 where whoever asks has it already."
    told = _CACHED | {"ETag": kept.etag} | (headers or {})
    known = request.headers.get("if-none-match", "")
    if known and (known.strip() == "*" or kept.etag in _etags(known)):
        return Response(status_code=304, headers=told)
    return Response(kept.body, headers=told, media_type="application/json")


def _etags(text):
    "ETags of a header, compared as weak ones."
    return {one.strip().removeprefix("W/") for one in text.split(",")}


def _links(request, paging, total):
    "Where the pages before and after are (RFC 8288)."
    found = []
    if paging.offset + paging.limit < total:
        found.append(("next", paging.offset + paging.limit))
    if paging.offset:
        found.append(("prev", max(0, paging.offset - paging.limit)))
    if not found:
        return {}
    path, asked = quote(request.url.path), request.query_params.multi_items()
    rest = [(k, v) for k, v in asked if k not in Paging._fields]
    to = lambda at: urlencode([*rest, ("limit", paging.limit), ("offset", at)], errors="replace")
    return {"Link": ", ".join(f'<{path}?{to(at)}>; rel="{name}"' for name, at in found)}


def known_model(log: Reader, model: str) -> str:
    "The model of a name; Problem 404 names those that there are."
    return _known(log.models(), model)


def known_models(snapshot: Snapshot) -> list[str]:
    "The models that a snapshot knows."
    return snapshot.answer("models", lambda log: log.models())


def require_model(snapshot: Snapshot, model: str) -> str:
    "The model of a name in a snapshot; Problem 404 names those that there are."
    return _known(known_models(snapshot), model)


def _known(models, model):
    if model not in models:
        known = ", ".join(models) or "none yet"
        raise Problem(404, f"there is no such model: known are {known}.")
    return model
