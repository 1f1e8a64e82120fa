"""Every answer and page of the service over one log, whole, as it was recorded."""

import json
import re
from pathlib import Path

import pytest
from conftest import MODEL
from fastapi import APIRouter, FastAPI
from recorded import hold, loaded_anew
from serving import ID, app_of, client_of, made, settings

from aiops_wb import api
from aiops_wb.render.cases import write_cases

API = Path(api.__file__).parent
CASE, ALARM = "A-d9f0b8345628", "D-ca50d86e130a"
EVENT = "v1-2026-03-02-00440"


@pytest.fixture(scope="module")
def client():
    with client_of(app_of(made())) as client:
        yield client


def shown(value):
    "Floats to six digits."
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: shown(of) for name, of in value.items()}
    return [shown(of) for of in value] if isinstance(value, list) else value


def whole(answer):
    "Its code, what a client has to know, and what it holds."
    heads = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("content-length", "date", "etag", "x-request-id", "set-cookie")
    }
    kind = answer.headers.get("content-type", "")
    text = json.dumps(shown(answer.json()), indent=1) if "json" in kind else answer.text
    text = re.sub(r'(name="csrf" value=|nonce[-=])"?\w+"?', r"\1MASKED", text)
    text = re.sub(r"[0-9a-f]{16,64}", "HASH", text)
    text = re.sub(r"aiops-[\w-]+\.duckdb", "SNAPSHOT", text)
    # how often and how fast this very process was asked
    text = re.sub(r"^.*aiops_wb_(requests|seconds|request|acts|snapshot).*\n", "", text, flags=re.M)
    return f"{answer.status_code} {heads}\n{text}"


@pytest.mark.parametrize("file", sorted(API.glob("*.py")), ids=lambda file: file.stem)
def test_what_can_be_asked_is_what_it_was(file):
    module = loaded_anew(file)
    if isinstance(getattr(module, "router", None), APIRouter):
        app = FastAPI()
        app.include_router(module.router)
        hold(__file__, f"openapi {file.stem}", json.dumps(app.openapi(), indent=1, sort_keys=True))


READS = [
    "/health",
    "/models",
    f"/models/{MODEL}/daily?limit=30",
    f"/models/{MODEL}/daily?metric=alerts&segment=site%3Dnorth",
    "/thresholds",
    f"/thresholds/{ID}",
    "/thresholds/none:v1",
    "/acts",
    "/acts/0?wait=0",
    "/cases?limit=3",
    "/cases?limit=2&offset=1",
    "/cases?days=2&site=north",
    "/cases?state=closed",
    f"/cases/{CASE}",
    "/cases/A-0000",
    "/alarms",
    "/alarms?state=open",
    "/alarms?state=closed",
    "/alarms?model=none",
    "/drift",
    f"/drift?model={MODEL}&days=1",
    f"/explanations/{MODEL}/{EVENT}",
    f"/explanations/{MODEL}/none",
    *[f"/metrics/false-positive-rate?by={by}" for by in ("day", "version", "site", "width")],
    "/metrics/false-positive-rate?by=site&sites=1",
    "/metrics",
    "/proposals",
    "/proposals?state=open",
    "/proposals/P-9",
    "/no/such",
    "/",
    f"/pages/models/{MODEL}",
    "/pages/proposals",
    "/pages/cases",
    f"/pages/cases/{CASE}",
    "/pages/alarms",
    f"/pages/alarms/{ALARM}",
    "/pages/sign-in",
]


@pytest.mark.parametrize("path", READS)
def test_an_answer_is_what_it_was(client, path):
    hold(__file__, path, whole(client.get(path)))


POSTS = {
    "reckoned by score": ("/thresholds/simulate", {"model": MODEL, "threshold": 0.5}),
    "reckoned by points": ("/thresholds/simulate", {"model": MODEL, "points": 0, "days": 5}),
    "reckoned of none": ("/thresholds/simulate", {"model": "none", "points": 0}),
    "reckoned of nothing": ("/thresholds/simulate", {"model": MODEL}),
    "decided": ("/decide", {"model": MODEL, "features": {"x": 1.5}}),
    "closed, no such": ("/cases/A-0000/close", {"why": "seen"}),
    "closed, without why": (f"/cases/{CASE}/close", {}),
}


@pytest.mark.parametrize("name", POSTS)
def test_what_was_asked_is_answered_as_it_was(client, name):
    path, given = POSTS[name]
    hold(__file__, name, whole(client.post(path, json=given)))


def test_the_pages_of_a_morning_are_what_they_were(tmp_path):
    "The front page, a day's and the one of its model, the cases and their file."
    with made().store() as store:
        write_cases(tmp_path, store, settings(made()))
    pages = made().root / "reports"
    for folder in (pages, tmp_path):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".html", ".csv", ".json", ".xml") and path.name != "glossary.html":
                text = path.read_text(encoding="utf-8")
                text = re.sub(r"<(style|script)[^>]*>.*?</\1>", r"<\1/>", text, flags=re.S)
                text = re.sub(r"\b\d+\.\d+\b(?= s\b)|(?<=: )\d+\.\d{2,}", "SECONDS", text)
                hold(__file__, f"page {path.relative_to(folder)}", masked(text))


def masked(text):
    return re.sub(r"[0-9a-f]{32,64}", "HASH", text.replace(str(made().root), "HOUSE"))
