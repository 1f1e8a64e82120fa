"""Coverage by tenant and site in a log: what is judged, by what, and why not."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench

from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.render import plots, tables
from aiops_wb.stats.automation import certainty, without_labels
from aiops_wb.stats.conformal import LabelConditional
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.watch.figures import day_figures
from aiops_wb.watch.view import View

FIRST, DAYS, WINDOW, PER_DAY = date(2026, 1, 1), 32, 14, 60
LAST = FIRST + timedelta(DAYS - 1)
JUDGED = (LAST - timedelta(WINDOW), LAST - timedelta(1))  # complete after a day
EARLIER = (JUDGED[0] - timedelta(WINDOW), JUDGED[0] - timedelta(1))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def made(seed=0):
    "Events of two tenants and three sites; the scores of tenant b are too high."
    rng, n = np.random.default_rng(seed), DAYS * PER_DAY
    tenant, label = rng.choice(["a", "b"], n), rng.integers(0, 2, n)
    points = np.rint(rng.normal(2000 * label - 1000 + 1500 * (tenant == "b"), 1000)).astype(int)
    day = np.repeat([FIRST + timedelta(i) for i in range(DAYS)], PER_DAY)
    return pd.DataFrame(
        {
            "id": [f"e{i}" for i in range(n)],
            "day": day,
            "at": pd.to_datetime(day).tz_localize("UTC") + pd.Timedelta("9h"),
            "tenant": tenant,
            "site": np.where(rng.random(n) < 0.01, "few", rng.choice(["east", "west"], n)),
            "points": points,
            "label": label,
        }
    )


def logged(root, frame, calibrated=True):
    "A folder with the events, all labelled, and a calibration from the first ten days."
    bench = Bench(root)
    for tenant, part in frame.groupby("tenant"):
        with PredictionLogger(
            bench.data / "spool", MODEL, "v1", threshold=0, tenant=tenant, flush_seconds=None
        ) as log:
            score = Grid().inverse(part.points.to_numpy())
            log.log(score, part["at"], prediction_id=part.id, site_id=part.site)
    with OutcomeLogger(bench.data / "spool", "t", flush_seconds=None) as log:
        log.log(frame.id, frame.label, "2026-02-20T00:00:00Z", predicted_at=frame["at"])
    bench.ingest(NOW)
    through = FIRST + timedelta(9)
    with bench.store() as store:
        if calibrated:
            stood = certainty(store.score_counts(MODEL), through, calibration_days=10)
            at = datetime(2026, 1, 11, tzinfo=UTC)
            store.add_calibration(at, "test", MODEL, "v1", stood, "test", through)
        store.publish()
    return bench


@pytest.fixture(scope="module")
def frame():
    return made()


@pytest.fixture(scope="module")
def told(tmp_path_factory, frame):
    "A log of groups; to be read only."
    return logged(tmp_path_factory.mktemp("groups"), frame)


def view_of(bench, **settings):
    chosen = Settings(data=bench.data, calibration_days=WINDOW, label_delay_days=1, **settings)
    return View(open_snapshot(bench.data), MODEL, LAST, None, chosen)


def rows_of(frame, days):
    return frame[(frame.day >= days[0]) & (frame.day <= days[1])]


def test_each_group_is_judged_on_later_days_than_its_own_sets_rest_on(told, frame):
    view = view_of(told)
    assert (view.groups.judged, view.groups.calibrating) == (JUDGED, EARLIER)
    report, stood = view.groups.report, view.tickets.set_bounds[JUDGED[1]]
    seen = {(row.group, row.label): row for row in report.rows}
    assert {g for g, _ in seen} == {"tenant a", "tenant b", "site east", "site west"}
    assert report.too_few == ("site few",)
    for tenant in "ab":
        judged, earlier = (rows_of(frame[frame.tenant == tenant], d) for d in (JUDGED, EARLIER))
        own = LabelConditional(ScoreCounts.from_events(earlier.points, earlier.label)).set_bounds()
        for label in (0, 1):
            row, points = seen[f"tenant {tenant}", label], judged.points[judged.label == label]
            inside, alone = (
                (points >= b.one if label else points <= b.zero).mean() for b in (stood, own)
            )
            assert row.pooled.n == len(points) and row.days == WINDOW
            assert row.pooled.value == pytest.approx(inside)
            assert row.own.value == pytest.approx(alone)
    assert seen["tenant b", 0].short and seen["tenant a", 1].short
    assert not seen["site east", 0].short
    assert report.rows[0].group.startswith("tenant")


def test_tenants_have_rows_of_their_own_among_the_figures(told, frame):
    figures = day_figures(view_of(told)).set_index(["tenant", "segment", "metric"])
    whole = figures.loc["", "", "coverage_negative"]
    parts = [figures.loc[tenant, "", "coverage_negative"] for tenant in "ab"]
    assert whole.n == sum(part.n for part in parts)
    assert whole.value * whole.n == pytest.approx(sum(p.value * p.n for p in parts))
    assert parts[1].value < 0.85 < parts[0].value and parts[1].upper < 0.9
    for tenant in "ab":
        assert not np.isnan(figures.loc[tenant, "", "coverage"].value)
        assert not np.isnan(figures.loc[tenant, "", "coverage_positive"].value)


def test_the_page_says_what_was_found_and_what_not(told):
    view = view_of(told)
    words, table = tables.group_coverage_tables(view)
    says = dict(words.frame.itertuples(index=False, name=None))
    assert says["Found"].startswith("covered less than the 90% stated: ")
    assert "negatives of tenant b" in says["Found"]
    assert says["Can be judged"] == (
        "negatives of 4 and positives of 4 of 5 groups; 1 has too few labels of both"
    )
    assert says["It takes"].startswith("50 labels of a kind on 7 days")
    assert "9 earlier ones" in says["It takes"] and "Bonferroni over 8" in says["Intervals"]
    assert "18 Jan to 31 Jan 2026" in says["Days"] and "4 Jan to 17 Jan 2026" in says["Days"]
    assert len(table.frame) == 8 and table.frame["less than stated"].iloc[0] == "shown"
    _, short = tables.group_coverage_tables(view, limit=3)
    assert len(short.frame) == 3
    assert "the worst 3 of 8;" in tables.group_coverage_tables(view, limit=3)[0].frame.to_string()
    drawn = plots.coverage_groups(view.groups.report, limit=3)._repr_svg_()
    assert "tenant b, negatives" in drawn and "stated 90%" in drawn


def test_one_tenant_and_one_site_are_no_groups(tmp_path, frame):
    one = frame.assign(tenant="a", site="east")
    view = view_of(logged(tmp_path, one))
    assert view.groups.report is None and view.groups.tenants == {}
    (words,) = tables.group_coverage_tables(view)
    assert "one tenant and no second site: no groups to compare" in str(words)
    figures = day_figures(view)
    assert set(figures.tenant) == {""} and "coverage" in set(figures.metric)
    assert "no group has labels enough" in plots.coverage_groups(None)._repr_svg_()


def test_a_day_whose_sets_hold_both_labels_is_not_judged(tmp_path, frame):
    bench, pause = logged(tmp_path, frame), JUDGED[1] - timedelta(3)
    with bench.store() as store:
        stands = store.calibration(MODEL, "v1")[1]
        at = datetime.combine(pause, datetime.min.time(), UTC)
        off = without_labels(stands, "labels are late")
        store.add_calibration(at, "test", MODEL, "v1", off, "test", pause - timedelta(1))
        store.publish()
    view = view_of(bench)
    assert max(view.tickets.set_bounds) == JUDGED[1] and len(view.tickets.set_bounds) == WINDOW
    assert view.groups.judged == (JUDGED[0], pause - timedelta(1))
    assert {row.days for row in view.groups.report.rows} == {WINDOW - 4}
    says = tables.group_coverage_tables(view)[0].frame.to_string()
    assert "10 complete days that had sets" in says
    figures = day_figures(view).set_index(["tenant", "segment", "metric"])
    whole, *parts = (figures.loc[t, "", "coverage"].n for t in ("", "a", "b"))
    assert whole == sum(parts) == len(rows_of(frame, JUDGED))


def test_without_a_calibration_nothing_is_judged(tmp_path, frame):
    view = view_of(logged(tmp_path, frame, calibrated=False))
    assert view.groups.report is None and view.groups.tenants == view.groups.sites == {}
    assert "no complete day was decided with sets that leave a label out" in view.groups.why_none
    assert "coverage" not in set(day_figures(view).metric)


@pytest.mark.evidence
def test_labels_that_are_not_known_to_be_in_judge_nothing(told):
    view = view_of(told)
    assert view.groups.report is None
    (words,) = tables.group_coverage_tables(view)
    assert "labels are not known to be complete" in str(words)
