"""Files of the pages that never change under their address: a hash of them all stands in it."""

import hashlib
from functools import cache
from importlib.resources import files

from fastapi import APIRouter
from starlette.responses import Response

from ...render.sliders import as_module
from ..problems import Problem

__all__ = ["address", "router"]

_FILES = {
    "htmx.min.js": ("aiops_wb.api", "static"),
    "page.js": ("aiops_wb.api", "static"),
    "page.css": ("aiops_wb.api", "static"),
    "slider.css": ("aiops_wb.render", "templates"),
    "style.css": ("aiops_wb.render", "templates"),
}
_TYPES = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
router = APIRouter()


@cache
def _read() -> dict[str, bytes]:
    "Name -> bytes of a file."
    told = {
        name: (files(package) / folder / name).read_bytes()
        for name, (package, folder) in _FILES.items()
    }
    return told | {"slider.js": as_module().encode()}


@cache
def _hash() -> str:
    return hashlib.sha256(b"".join(_read().values())).hexdigest()[:16]


def address(name: str) -> str:
    "Where a file is served."
    assert name in _read(), name
    return f"/pages/static/{_hash()}/{name}"


@router.get("/pages/static/{version}/{name}")
def static(version: str, name: str) -> Response:
    "One file, to be kept for a year."
    if version != _hash() or name not in _read():
        raise Problem(404, "there is no such file.")
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(_read()[name], headers=kept, media_type=kind)
