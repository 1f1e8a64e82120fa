"""What is evidence of harm, and what only looks like it."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.models.challenge import check
from aiops_wb.models.registry import register
from aiops_wb.models.training import train
from aiops_wb.watch.harm import label_alarms
from aiops_wb.watch.view import View

LONG_AGO, START = datetime(2026, 2, 20, tzinfo=UTC), date(2026, 2, 23)
DAYS = 10
NOW = datetime(2026, 3, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(("world", "harm"), [("inputs moved", False), ("labels turned", True)])
def test_inputs_that_moved_are_no_harm_and_labels_that_turned_are(bench, world, harm):
    old = events(days=40, per_day=100, start=date(2026, 1, 5))
    rows = pd.DataFrame(
        {"feature:x": old.x, "label": old.label, "event_date": pd.to_datetime(old.day)}
    )
    with bench.store() as store:
        register(store, *train(rows, MODEL, "v1", rounds=5, holdout=0.5), LONG_AGO, "test")
        store.activate(LONG_AGO, "test", MODEL, "v1", "first")
        store.let_retrain(LONG_AGO, "ana", MODEL, True, "spring")
    live = events(days=DAYS, per_day=100, seed=3, start=START)
    if world == "inputs moved":
        live["x"] += 3.0
    bench.log(live)
    bench.label(live, f"{NOW}", label=1 - live.label if world == "labels turned" else None)
    settings = Settings(data=bench.data, reports=bench.root / "reports", label_delay_days=1)
    day = START + timedelta(DAYS - 1)
    bench.ingest(NOW)
    with bench.store() as store:
        followed = label_alarms(View(store, MODEL, day, None, settings))
    run(bench.data, bench.root / "reports", NOW, settings, show="none")
    with open_snapshot(bench.data) as log:
        view = View(log, MODEL, day, None, settings)
        assert label_alarms(view) == followed, "what was recorded is what is followed"
        assert view.severity in ("high", "critical") and bool(followed) == harm
        told = check(log, MODEL, day, NOW, view.severity, label_alarms(view))
        severity = next(c for c in told if c.name == "severity")
        assert severity.passed == harm and severity.evidence["harm"] == list(followed)
        assert ("by labels: " in severity.reason) == harm


def test_where_nothing_is_watched_no_harm_is_seen(bench):
    bench.log(events(days=1, per_day=10, start=START))
    bench.ingest(NOW)
    with bench.store() as store:
        store.watch(NOW, "ana", MODEL, "v1", False, "retired")
        view = View(store, MODEL, START, None, Settings(data=bench.data))
        assert view.not_watched and label_alarms(view) == ()
