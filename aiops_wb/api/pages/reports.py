"""The daily reports, as they lie in their folder: pages and pictures to be read, nothing else."""

from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from ...render.frame import CASES_SCRIPT, FRONT_SCRIPT, SLIDER_SCRIPT, policy_of
from ..access import AtDesk
from ..problems import Problem
from .frame import PageRoute
from .visitors import Visits, remember

__all__ = ["router"]

router = APIRouter(route_class=PageRoute)
_TYPES = {".html": "text/html", ".svg": "image/svg+xml", ".png": "image/png", ".csv": "text/csv"}


def _found(folder: Path, name: str) -> Path:
    "A file of the reports; Problem 404 for whatever lies elsewhere."
    try:
        root = folder.resolve()
        path = (root / name).resolve()
        inside = path.is_relative_to(root) and path.is_file()
    except (OSError, ValueError):
        inside = False
    hidden = any(part.startswith(".") for part in name.split("/"))
    if not inside or hidden or path.suffix not in _TYPES:
        raise Problem(404, "there is no such report.")
    return path


@router.get("/reports/{name:path}")
def report(request: Request, desk: AtDesk, visits: Visits, name: str) -> Response:
    "One page, under the policy that reports have: what it shows stands in it."
    path = _found(desk.settings.reports, name or "index.html")
    policy = f"{policy_of(SLIDER_SCRIPT, FRONT_SCRIPT, CASES_SCRIPT)}; frame-ancestors 'none'"
    headers = {"Content-Security-Policy": policy, "Cache-Control": "private, no-cache"}
    return remember(request, FileResponse(path, headers=headers, media_type=_TYPES[path.suffix]))
