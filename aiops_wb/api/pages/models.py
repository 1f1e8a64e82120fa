"""The first page: every model in one row."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ...log.catalog import Reader
from ...watch.dial import Calls
from ...watch.listed import model_row
from .. import thresholds
from ..access import AtDesk
from ..answers import LONGEST
from ..desk import Desk, Snapshot
from ..problems import Problem
from .answers import rows
from .frame import PageRoute, shown
from .visitors import Visits

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)


@router.get("/")
async def models(request: Request, desk: AtDesk, visits: Visits) -> Response:
    "What scores, how far its log goes, and whether somebody has to look."
    found = await run_in_threadpool(_models, desk)
    if found is None:
        return shown(request, "models.html", "Models", visits, rows=[], none_yet=True)
    standing = await rows(thresholds.every(request, desk, visits.caller, LONGEST))
    whole = {row["model"]: row for row in standing["items"] if row["tenant"] is None}
    proposed = {row["model"] for row in standing["items"] if row["proposals"]}
    told = [
        row | {"threshold": whole.get(row["model"]), "proposed": row["model"] in proposed}
        for row in found
    ]
    return shown(request, "models.html", "Models", visits, rows=told, none_yet=False)


def _models(desk: Desk) -> list[dict[str, Any]] | None:
    "A row of each model; None where nothing was published yet."
    try:
        with desk.snapshots.newest() as snapshot:
            key = ("page of models", desk.now().date())
            found = snapshot.answer(key, lambda log: _rows(snapshot, log, desk))
    except Problem:
        if (desk.data / "aiops.duckdb").exists():
            raise
        return None
    return [row | {"report": _report(desk.settings.reports, row)} for row in found]


def _rows(snapshot: Snapshot, log: Reader, desk: Desk):
    alarms, cases = log.handled_alarms(), log.handled_cases()
    opened = lambda frame, model: int(((frame.model == model) & (frame.state == "open")).sum())
    return [
        model_row(log, model, 0)
        | {"alarms": opened(alarms, model), "cases": opened(cases, model)}
        | _of_newest(snapshot, desk, model)
        for model in log.models()
    ]


def _of_newest(snapshot, desk, model):
    "What the view of the newest day tells."
    if model not in snapshot.models_with_days:
        return {"calls": None, "labels": None, "why_no_labels": "nothing is logged"}
    with snapshot.view(model, desk.now(), desk.settings) as view:
        complete = view.complete_days
        labels, why = complete.newest, "" if complete.newest else complete.why_none
        return {"calls": Calls(view).recorded, "labels": labels, "why_no_labels": why}


def _report(folder: Path, row) -> str:
    "Where the page of a model's newest day is; empty where there is none."
    if row["last"] is None:
        return ""
    day = str(row["last"])
    return f"/reports/{day}/index.html" if (folder / day / "index.html").is_file() else ""
