"""Thresholds: which are in force, what another would have done, and acts that change one."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from pydantic import Field, TypeAdapter, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ..log.acts import Act
from ..log.catalog import Reader
from ..log.errors import StoreError
from ..stats.thresholds import Simulation
from ..watch.listed import threshold_row
from ..watch.threshold_changes import Standing, as_threshold
from .access import AtDesk, Proposes, Reads
from .answers import (
    AskedPaging,
    OneModel,
    answered,
    as_body,
    known_models,
    not_modified,
    paged,
    require_model,
)
from .desk import Desk, Kept, Snapshot
from .hands import HANDED_IN, Key, handed_in
from .ids import PATTERN, ThresholdId
from .problems import Problem
from .shapes import Given, Name, Number, Page, Points, Score, Shape, ThresholdShape, Why

__all__ = ["router"]

router = APIRouter(prefix="/thresholds", tags=["thresholds"])
ONE, PAGE = TypeAdapter(ThresholdShape), TypeAdapter(Page[ThresholdShape])
OF_THRESHOLDS = ("propose", "set", "rollback")

Id = Annotated[
    str,
    Path(
        pattern=PATTERN,
        max_length=4096,
        description="model:version, :tenant and :site where it is of one; as `GET /thresholds` "
        "tells it",
        examples=["late:v1"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        description='the ETag of the threshold as it was seen; "*" takes whatever stands',
        max_length=4096,
    ),
]


class Compared(Shape):
    "A figure of two thresholds; `lower` and `upper` are the difference's 95 % interval over days."

    candidate: Number
    in_force: Number
    difference: Number
    lower: Number
    upper: Number


class At(Shape):
    "A threshold."

    threshold: Annotated[float, Field(examples=[0.599888])]
    points: Annotated[int, Field(examples=[405])]


class Simulated(Shape):
    "What two thresholds would have done with the same events."

    id: Annotated[str, Field(examples=["late:v1"])]
    candidate: At
    in_force: At
    first: date
    last: date
    days: int
    labels_in: Annotated[bool, Field(description="whether the labels of these days are in")]
    figures: dict[str, Compared]
    recommendation: Annotated[
        str, Field(examples=["A trade: 101 more positives caught for 91 more false alerts ..."])
    ]
    unseen: Annotated[str, Field(description="what labels of the called alone leave unknown")]


SIMULATED = TypeAdapter(Simulated)


class _OneThreshold(Given):
    "A threshold, as a score or in points."

    threshold: Score | None = None
    points: Points | None = None

    @model_validator(mode="after")
    def _one(self):
        if (self.threshold is None) == (self.points is None):
            raise ValueError("give a threshold or points, one of the two")
        return self


class ToSimulate(_OneThreshold):
    "Another threshold of a model's version that decides."

    model: Name

    model_config = {"json_schema_extra": {"examples": [{"model": "late", "threshold": 0.5}]}}


class ToChange(_OneThreshold):
    "Another threshold, proposed; or set at once by who may."

    why: Why
    set: Annotated[bool, Field(description="put it into force: needs the role approve")] = False
    promise: Annotated[
        str | None, Field(max_length=100, description="such as fpr=0.1, fdr=0.2 or alerts=100")
    ] = None
    confidence: Annotated[float | None, Field(gt=0, lt=1)] = None

    model_config = {
        "json_schema_extra": {
            "examples": [{"threshold": 0.5, "why": "too many late flights missed"}]
        }
    }


class ToReset(Given):
    "One step back."

    id: Annotated[str, Field(pattern=PATTERN, max_length=4096)]
    why: Why

    model_config = {
        "json_schema_extra": {"examples": [{"id": "late:v1", "why": "it called too often"}]}
    }


def _listed(snapshot: Snapshot, desk: Desk, model: str | None) -> list[dict[str, Any]]:
    "Thresholds in force, as rows."
    models = [require_model(snapshot, model)] if model else known_models(snapshot)
    stands = (snapshot.standing(one, desk.now(), desk.settings) for one in models)
    return [_row(one) for of_model in stands for one in of_model]


def _row(one: Standing) -> dict[str, Any]:
    row = threshold_row(one)
    named = ThresholdId(one.model, one.version, *(one.scope or ()))
    keys = [proposal.key for proposal, _ in one.proposals]
    return row | {"id": str(named), "grid": one.grid.name, "proposals": keys, "waiting": []}


def _about(row: Mapping[str, Any], acts: list[Act]) -> list[str]:
    "The ids of acts that wait and speak of a threshold or of its proposals."
    scope = row["tenant"], row["site"]
    return [
        act.id
        for act in acts
        if (act.what.get("proposal") in row["proposals"] and "proposal" in act.what)
        or (act.kind in OF_THRESHOLDS and act.what.get("model") == row["model"])
        and _scope(act) == scope
    ]


def _scope(act):
    tenant, site = act.what.get("tenant"), act.what.get("site")
    return ("default" if site is not None and tenant is None else tenant), site


@router.get("", summary="Every threshold in force", response_model=Page[ThresholdShape])
async def every(
    request: Request,
    desk: AtDesk,
    caller: Reads,
    paging: AskedPaging,
    model: OneModel = None,
) -> Response:
    "Of each model's version that decides, and of tenants and sites that have one of their own."

    def rows(log: Reader, snapshot: Snapshot, acts: list[Act]):
        listed = _listed(snapshot, desk, model)
        return [row | {"waiting": _about(row, acts)} for row in listed]

    key = ("thresholds", model, desk.now().date())
    return await paged(request, desk, key, rows, PAGE, paging, pending=True)


def _now(desk: Desk, text: str) -> tuple[dict, Kept]:
    "A threshold as a row and as an answer; Problem 404 where it is not in force."
    with desk.snapshots.newest() as snapshot:
        return _one(snapshot, desk, _named(text), desk.pending(snapshot))


def _one(snapshot: Snapshot, desk: Desk, named: ThresholdId, acts: list[Act]) -> tuple[dict, Kept]:

    def make(log):
        for row in _listed(snapshot, desk, named.model):
            if row["id"] == str(named):
                row["waiting"] = _about(row, acts)
                return row, Kept.of(as_body(ONE, row))
        raise Problem(404, f"{named} is no threshold in force: GET /thresholds lists them.")

    key = ("threshold", str(named), desk.now().date(), tuple(act.id for act in acts))
    return snapshot.answer(key, make)


def _named(text: str) -> ThresholdId:
    try:
        return ThresholdId.parse(text)
    except ValueError as error:
        raise Problem(422, f"{error}.") from None


@router.get(
    "/{id}",
    summary="One threshold, with the ETag that a change needs",
    response_model=ThresholdShape,
)
async def one(request: Request, desk: AtDesk, caller: Reads, id: Id) -> Response:
    "Since when it stands, by whom and why; what is proposed instead, and what waits."
    return not_modified(request, (await run_in_threadpool(_now, desk, id))[1])


@router.patch("/{id}", summary="Propose another threshold, or set it", **HANDED_IN)
async def change(
    desk: AtDesk,
    caller: Proposes,
    id: Id,
    given: ToChange,
    key: Key = None,
    if_match: IfMatch = None,
) -> Response:
    """Nothing is changed yet when this returns: the act is kept, and its address tells when it is
    taken in. A proposal has to be approved; with `set` there is none, which needs the role
    approve. Whoever saw another state of the threshold than the one that stands is refused (412).
    """
    kind = "set" if given.set else "propose"

    asked = _whose(id) | _given_threshold(given) | {"why": given.why}
    asked |= {n: v for n in ("promise", "confidence") if (v := getattr(given, n)) is not None}

    def look():
        row = _unchanged(desk, id, if_match, required=True)
        return {} if if_match == "*" else {"if_in_force": row["points"]}

    return await handed_in(desk, caller, kind, asked, key, look)


@router.post("/reset", summary="Put back the threshold before", **HANDED_IN)
async def reset(
    desk: AtDesk,
    caller: Proposes,
    given: ToReset,
    key: Key = None,
    if_match: IfMatch = None,
) -> Response:
    "One step back; needs the role approve. `If-Match` is optional here."

    def look():
        row = _unchanged(desk, given.id, if_match, required=False)
        return {} if if_match in (None, "*") else {"if_in_force": row["points"]}

    asked = _whose(given.id) | {"why": given.why}
    return await handed_in(desk, caller, "rollback", asked, key, look)


def _unchanged(desk: Desk, text: str, if_match: str | None, required: bool) -> dict[str, Any]:
    "A threshold as it stands; Problem 428 or 412 for who has not seen it so."
    row, kept = _now(desk, text)
    if if_match is None and required:
        raise Problem(428, "say which state is changed: send its ETag as If-Match.")
    if if_match not in (None, "*") and kept.etag not in {e.strip() for e in if_match.split(",")}:
        raise Problem(412, "it was changed since, or a change of it waits: look at it again.")
    return row


def _whose(text):
    return {name: part for name, part in _named(text)._asdict().items() if part is not None}


def _given_threshold(given):
    return {"score": given.threshold} if given.points is None else {"points": given.points}


@router.post(
    "/simulate", summary="What another threshold would have done", response_model=Simulated
)
async def simulate(request: Request, desk: AtDesk, caller: Reads, given: ToSimulate) -> Response:
    "The last 30 days whose labels are in, decided again; nothing is changed."
    key = ("simulate", given.model, given.threshold, given.points, desk.now().date())
    make = lambda snapshot: _simulated(snapshot, desk, given)
    return await answered(request, desk, key, make, SIMULATED)


def _simulated(snapshot: Snapshot, desk: Desk, given: ToSimulate) -> dict[str, Any]:
    require_model(snapshot, given.model)
    with snapshot.view(given.model, desk.now(), desk.settings) as view:
        candidate = _points(view, given)
        others = view.other_thresholds
        result, unseen = others.simulate(candidate), view.selective
        at = lambda points: {"threshold": round(view.probability(points), 6), "points": int(points)}
        return {
            "id": str(ThresholdId(view.model, view.version)),
            "candidate": at(candidate),
            "in_force": at(view.threshold),
            "first": others.first,
            "last": others.through,
            "days": others.days_replayed,
            "labels_in": others.complete,
            "figures": _figures(result),
            "recommendation": result.recommendation,
            "unseen": " ".join(filter(None, (unseen.of_candidate(candidate), unseen.says))),
        }


def _points(view, given):
    if given.points is not None:
        if abs(given.points) > view.grid.limit:
            raise Problem(422, f"points lie between -{view.grid.limit:,} and {view.grid.limit:,}.")
        return given.points
    try:
        return as_threshold(view, given.threshold)
    except StoreError as error:
        raise Problem(422, str(error)) from None


def _figures(result: Simulation) -> dict[str, dict[str, float]]:
    return {
        name: {
            "candidate": of.candidate.value,
            "in_force": of.current.value,
            "difference": of.difference.value,
            "lower": of.difference.lower,
            "upper": of.difference.upper,
        }
        for name, of in result.record.items()
    }
