"""The page of a model: its thresholds, what others would have done, proposing one, and history."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from ...log.catalog import Reader
from ...log.dial import Scope
from ...log.errors import StoreError
from ...log.proposals import ThresholdChange
from ...render.sliders import as_text, threshold_slider
from ...watch.listed import grid_of
from ...watch.slider import of_segments, parts_of
from .. import thresholds
from ..access import AtDesk
from ..answers import LONGEST, require_model
from ..desk import Desk
from ..hands import handed_in
from ..problems import Problem
from .answers import about, answer, rows
from .comparing import Compared, compared, figures
from .frame import PageRoute, fragment, shown
from .links import model_page
from .visitors import Form, Visits

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
Text = Annotated[str, Query(max_length=1024)]


def score_of(text: str) -> float:
    "A threshold that somebody typed; Problem 422 where it is no number."
    try:
        found = float(text.strip().replace(",", "."))
    except ValueError:
        found = float("nan")
    if not -32 <= found <= 32:
        raise Problem(422, "a threshold is a number, such as 0.6.")
    return found


def scope_of(tenant: str, site: str) -> Scope | None:
    "The tenant or site that is spoken of; None for all events."
    if not tenant.strip() and not site.strip():
        return None
    return tenant.strip() or "default", site.strip() or None


@router.get("/pages/models/{model:path}")
async def model(
    request: Request,
    desk: AtDesk,
    visits: Visits,
    model: str,
    tenant: Text = "",
    site: Text = "",
    threshold: Text = "",
    back: Text = "",
    act: Text = "",
) -> Response:
    "Thresholds in force and their history; one that is tried, where one is named."
    standing = await rows(thresholds.every(request, desk, visits.caller, LONGEST, model))
    panel = None
    if threshold or back:
        score = None if back else score_of(threshold)
        panel = await run_in_threadpool(_panel, desk, model, scope_of(tenant, site), score)
    history = await run_in_threadpool(_history, desk, model)
    return shown(
        request,
        "model.html",
        model,
        visits,
        model=model,
        rows=standing["items"],
        panel=panel,
        history=history,
        back=_with_one_before(history),
        four_eyes=desk.settings.threshold_four_eyes,
        answer=await about(desk, visits, act),
    )


def _panel(desk: Desk, model: str, scope: Scope | None, score: float | None) -> Compared:
    with desk.snapshots.newest() as snapshot:
        key = ("panel", model, scope, score, desk.now().date())
        return snapshot.answer(key, lambda _: compared(snapshot, desk, model, scope, score))


def _history(desk: Desk, model: str) -> list[dict[str, Any]]:
    "Every change of a model's thresholds, newest first."
    with desk.snapshots.newest() as snapshot:
        require_model(snapshot, model)
        return snapshot.answer(("page of history", model), lambda log: _changes(log, model))


def _with_one_before(history):
    "Version, tenant and site of each threshold that has one before it to be put back."
    latest = {}
    for one in history:
        latest.setdefault((one["version"], one["tenant"], one["site"]), one["old"])
    own = lambda of: of[1:] != (None, None)  # before its first stood that of the version
    return {of for of, old in latest.items() if old is not None or own(of)}


def _changes(log: Reader, model: str):
    changes = log.threshold_changes(model)
    grids = {version: grid_of(log, model, version) for version in {c.version for c in changes}}
    return [_change(one, grids[one.version]) for one in reversed(changes)]


def _change(of: ThresholdChange, grid) -> dict[str, Any]:
    score = lambda points: None if points is None else float(grid.inverse(points))
    tenant, site = of.scope or (None, None)
    evidence = of.evidence
    return {
        "seq": of.seq,
        "at": of.at,
        "who": of.who,
        "version": of.version,
        "tenant": tenant,
        "site": site,
        "old": score(of.old),
        "new": score(of.new),
        "why": of.why,
        "proposed_by": evidence.get("proposed_by"),
        "proposal": evidence.get("proposal"),
        "figures": figures(evidence),
        "rolled_back": of.rolled_back,
    }


@router.post("/pages/thresholds")
async def change(request: Request, desk: AtDesk, visits: Visits, form: Form) -> Response:
    "Propose a threshold, set it, or put back the one before."
    kind, name = form.get("do", ""), form.get("model", "")
    if kind not in ("propose", "set", "rollback"):
        raise Problem(422, "a threshold can be proposed, set or put back.")
    asked = handed_in(desk, visits.caller, kind, _what(kind, form), None)
    return await answer(request, desk, visits, asked, model_page(name))


def _what(kind, form):
    scope = scope_of(form.get("tenant", ""), form.get("site", ""))
    tenant, site = scope or (None, None)
    told = {"model": form.get("model", ""), "tenant": tenant, "site": site}
    told["version"] = form.get("version") or None
    told |= {"why": form.get("why", ""), "if_in_force": _points(form, "seen")}
    return told if kind == "rollback" else told | {"points": _points(form, "points")}


def _points(form, name):
    try:
        return int(form.get(name, ""))
    except ValueError:
        raise Problem(422, f"{name} has to be a whole number of points.") from None


@router.get("/pages/explorer")
def explorer(request: Request, desk: AtDesk, visits: Visits, model: Text) -> Response:
    "The sliders of a report: every threshold at once, of all events and of each tenant and site."
    with desk.snapshots.newest() as snapshot:
        require_model(snapshot, model)
        key = ("explorer", model, desk.now().date())
        data = snapshot.answer(key, lambda _: _sliders(snapshot, desk, model))
    return fragment("explorer.html", sliders=data)


def _sliders(snapshot, desk, model):
    try:
        with snapshot.view(model, desk.now(), desk.settings) as view:
            parts = parts_of(view)
            of_parts = [as_text(of_segments(view, parts))] if parts else []
            return [as_text(threshold_slider(view).data), *of_parts]
    except StoreError as error:
        raise Problem(409, str(error)) from None
