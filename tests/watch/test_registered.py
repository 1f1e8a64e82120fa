"""What is kept of a registered version while a run lasts says the same as the log itself."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb.config import Settings
from aiops_wb.log.catalog import Reader
from aiops_wb.models.registry import register
from aiops_wb.models.training import train
from aiops_wb.watch.figures import day_figures, drift_figures
from aiops_wb.watch.registered import Registered, Versions
from aiops_wb.watch.view import View

TRAINED = datetime(2026, 2, 20, tzinfo=UTC)
FIRST = date(2026, 2, 23)


def trained(version, seed=0):
    frame = events(days=40, per_day=100, start=date(2026, 1, 5), seed=seed)
    columns = {"feature:x": frame.x, "label": frame.label, "event_date": pd.to_datetime(frame.day)}
    return train(pd.DataFrame(columns), MODEL, version, rounds=5, holdout=0.5)


@pytest.fixture
def log(bench):
    "A store with a version that was trained here and scored six days, labelled three nights later."
    with bench.store() as store:
        register(store, *trained("v1"), TRAINED, "test")
        store.activate(TRAINED, "test", MODEL, "v1", "first")
    frame = events(days=6, per_day=100, start=FIRST, seed=3)
    bench.log(frame)
    bench.label(frame, at="2026-03-02T00:00:00Z")
    bench.ingest(datetime(2026, 3, 2, tzinfo=UTC))
    with bench.store() as store:
        yield store


def figures(store, day, versions=None):
    settings = Settings(label_delay_days=1, recent_days=3)
    view = View(store, MODEL, day, settings=settings, versions=versions)
    return pd.concat([day_figures(view), drift_figures(view)], ignore_index=True)


def test_held_out_figures_are_those_of_the_card_and_no_number_where_it_has_none():
    known = Registered(None, MODEL, "v1")
    known.__dict__["_row"] = SimpleNamespace(card={"metrics": {"roc_auc": 0.7, "pr_auc": None}})
    figures = known.figures(0)
    assert figures["roc_auc"] == 0.7 and np.isnan(figures["pr_auc"])


def test_views_of_many_days_say_what_each_would_alone(log, monkeypatch):
    alone = [figures(log, FIRST + timedelta(i)) for i in (3, 4, 5)]
    assert (alone[-1].metric == "label_offset").any() and alone[-1].segment.str.len().any()
    read = []
    for name in ("held_out_counts", "reference_counts", "versions"):
        whole = getattr(Reader, name)
        monkeypatch.setattr(
            Reader, name, lambda *a, _w=whole, _n=name, **k: (read.append(_n), _w(*a, **k))[1]
        )
    versions = Versions(log)
    together = [figures(log, FIRST + timedelta(i), versions) for i in (3, 4, 5)]
    for one, other in zip(alone, together):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    assert sorted(read) == ["held_out_counts", "reference_counts", "versions"]


def test_a_version_that_is_registered_later_is_found_and_another_is_not_taken_for_it(log):
    versions = Versions(log)
    assert versions.of(MODEL, "v2").card == {} and versions.of(MODEL, "v2").held_out == {}
    assert versions.of(MODEL, "v2").probability is None and versions.of(MODEL, "v2").fit is None
    first = versions.of(MODEL, "v1")
    new, held_out = trained("v2", seed=8)
    register(log, new, held_out, TRAINED + timedelta(days=10), "test")
    second = versions.of(MODEL, "v2")
    assert second.held_out == held_out != first.held_out == log.held_out_counts(MODEL, "v1")
    assert not np.array_equal(first.probability.upper, second.probability.upper)
    assert versions.of(MODEL, "v1") is first and versions.of(MODEL, "v2") is second
