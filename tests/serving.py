"""A workbench to be served: a champion, its figures of a day, a case and tokens for every role."""

import shutil
import tempfile
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import pandas as pd
from conftest import MODEL, Bench, events
from starlette.testclient import TestClient

from aiops_wb.api.app import create_app
from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.log.tokens import ROLES, make_token
from aiops_wb.models.registry import register
from aiops_wb.models.training import train

START = date(2026, 2, 19)
NOW = datetime(2026, 3, 3, 8, tzinfo=UTC)
LAST = START + timedelta(11)
ID = f"{MODEL}:v1"


@cache
def made() -> Bench:
    "Twelve days of a trained champion, labelled, the figures and cases of the last one."
    bench = Bench(Path(tempfile.mkdtemp()))
    rows = events(days=30, per_day=40, start=START - timedelta(40))
    rows = {"feature:x": rows.x, "label": rows.label, "event_date": pd.to_datetime(rows.day)}
    with bench.store() as store:
        trained = train(pd.DataFrame(rows), MODEL, "v1", rounds=5, holdout=0.5)
        register(store, *trained, datetime(2026, 2, 18, tzinfo=UTC), "test")
        store.promote(datetime(2026, 2, 18, tzinfo=UTC), "test", MODEL, "v1", "first")
    logged = events(days=12, per_day=40, seed=1, start=START)
    called = logged.score.ge(0.6)
    bench.log(
        logged,
        risk_level=called.map({True: "HIGH", False: "LOW"}),
        route=called.map({True: "alert", False: "monitor"}),
    )
    bench.label(logged, f"{NOW - timedelta(hours=6)}")
    run(bench.data, bench.root / "reports", NOW, settings(bench), days=[LAST], show="none")
    return bench


def settings(bench: Bench, **chosen) -> Settings:
    "Settings of a bench."
    return Settings(data=bench.data, config="no file", complete_share=1, **chosen)


def copy(root: Path) -> Bench:
    "A bench of one's own."
    return Bench(Path(shutil.copytree(made().root, root, symlinks=True)))


_APPS = {}


def app_of(bench: Bench, **how):
    "The service over a bench, made once; acts wait unless it is told to take them in."
    key = bench.data, str(sorted(how.items()))
    if key not in _APPS or how.get("take_in"):
        chosen = how.pop("chosen", {})
        how = {"clock": lambda: NOW, "who": "ana", "take_in": False} | how
        _APPS[key] = create_app(bench.data, settings(bench, **chosen), **how)
    return _APPS[key]


def client_of(app, secret: str | None = None, at: str = "127.0.0.1") -> TestClient:
    "Somebody who asks, from this machine unless told otherwise."
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    base = "http://127.0.0.1:8765"
    return TestClient(
        app, base, headers=headers, client=(at, 50_000), raise_server_exceptions=False
    )


def secrets(bench: Bench) -> dict[str, str]:
    "Role -> the secret of a token that has it alone."
    return {role: make_token(bench.data, f"{role}er", [role], "ana", NOW) for role in ROLES}
