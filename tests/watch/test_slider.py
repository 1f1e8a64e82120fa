"""Counts over which a page moves: exact at every stop, small, and of the days they name."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from conftest import MODEL, Bench, events
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_wb import Settings, open_snapshot
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.render.sliders import as_text, segment_sliders
from aiops_wb.render.vocabulary import metric
from aiops_wb.stats.choosing import MinCost, optimise
from aiops_wb.stats.control import control
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.watch.slider import (
    POSITIONS,
    costs_of,
    cut_at,
    flat_of,
    of_all,
    of_segments,
    packed,
    parts_of,
    promise_of,
)
from aiops_wb.watch.view import View

ROWS = st.lists(
    st.tuples(st.integers(-16_000, 16_000), st.sampled_from([0.0, 1.0, float("nan")])), max_size=60
)


def stops(part):
    "Every threshold at which a slider stops."
    return sorted({*range(part["low"], part["high"] + 1, part["step"]), *part["marks"]})


def above(part, at):
    "Events, labelled, positives at or above a stop, by the packed counts alone."
    edges = np.cumsum(part["edges"])
    n, unlabelled, positive = (
        int(np.asarray(part[name])[edges >= at].sum()) for name in ("n", "unlabelled", "positive")
    )
    return n, n - unlabelled, positive


@given(ROWS, st.lists(st.integers(-16_000, 16_000), max_size=4), st.sampled_from([1, 20]))
@settings(max_examples=50)
def test_counts_above_every_stop_are_those_of_the_whole_table(rows, marks, step):
    points, labels = zip(*rows) if rows else ((), ())
    counts = ScoreCounts.from_events(points, labels, Grid("logit", step))
    part = packed(counts, marks, most=50)
    for at in stops(part):
        assert above(part, at) == counts.at_or_above(at)
    assert {int(counts.grid.cells(mark)) for mark in marks} <= set(stops(part))
    assert above(part, part["low"]) == counts.total
    assert len(range(part["low"], part["high"], part["step"])) <= 50 + 1


def test_the_step_is_the_finest_that_is_allowed():
    counts = ScoreCounts.from_events([-4_000, 4_000], [0, 1])
    assert [packed(counts, most=most)["step"] for most in (8_000, 7_999, 1_600, 1_000, 1)] == [
        1,
        2,
        5,
        10,
        10_000,
    ]
    whole = ScoreCounts.from_events([-32_000, 31_999], grid=Grid("linear"))
    assert packed(whole)["step"] == 50 and len(stops(packed(whole))) <= POSITIONS + 2


def test_cells_that_begin_at_a_mark_leave_the_others_as_they_are():
    counts = ScoreCounts.from_events([-3, 0, 4, 5, 9, 12], [1, 0, 1, 0, 1, 0])
    cut = cut_at(counts, 10, [5])
    assert cut.points.tolist() == [-10, 0, 5, 10] and cut.n.tolist() == [1, 2, 2, 1]
    assert cut.total == counts.total


def test_a_log_without_events_or_marks_has_a_slider_all_the_same():
    part = packed(ScoreCounts.empty())
    assert part["edges"] == part["n"] == [] and stops(part) == [0, 1]


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    "Five days of one model, four of them with labels."
    bench = Bench(tmp_path_factory.mktemp("logged"))
    bench.log(events(days=5))
    bench.label(events(days=4))
    bench.ingest()
    bench.publish()
    return bench


@pytest.fixture
def log(logged):
    "A view of the last day."
    with open_snapshot(logged.data) as reader:
        yield View(reader, MODEL, date(2026, 3, 5))


def test_a_view_gives_what_it_replays(log):
    log.__dict__["threshold"] = 405
    data = of_all(log)
    (part,), others = data["parts"], log.other_thresholds
    choice = others.choose(MinCost(0.667, 1))
    assert data["model"] == MODEL and data["kind"] == "logit"
    assert data["days"] == others.days_replayed and part["inForce"] == 405
    assert {405, others.candidate, choice.threshold} <= set(part["marks"])
    assert data["costs"] == {"missed": 0.667, "false": 1.0, "review": 0.0}
    assert choice.says in data["flat"]["says"]
    assert "too few" not in data["promise"]["says"] and data["promise"]["low"] is None
    for at in stops(part)[::40]:
        assert above(part, at) == others.counts.at_or_above(at)


def test_costs_are_those_of_the_settings_else_what_the_threshold_in_force_implies(log):
    told = View(log.reader, MODEL, log.day, settings=Settings(retrain_miss_cost=8))
    assert costs_of(told)[0] == MinCost(8, 1)
    log.__dict__["threshold"] = int(log.grid.quantise(0.8))
    goal, whence = costs_of(log)
    assert goal == MinCost(0.25, 1) and "calibrated" in whence
    log.__dict__["grid"] = Grid("linear")
    assert costs_of(log) == (None, "")


def days_of(n, seed=0):
    "Days of made events with labels, a week begins with the first of them."
    rng = np.random.default_rng(seed)
    first = date(2026, 3, 2)
    for day in (first + timedelta(i) for i in range(n)):
        points = rng.normal(0, 1_500, 300).astype(int)
        labels = rng.random(300) < 1 / (1 + np.exp(-points / 1_000))
        yield day, ScoreCounts.from_events(points, labels)


def test_a_band_is_of_the_thresholds_that_its_sentence_names():
    days = dict(days_of(30))
    choice = optimise(days, MinCost(1, 1), np.random.default_rng(0))
    band = flat_of(choice, "as told")
    assert (band.low, band.high) == choice.flat and choice.says in band.says
    assert band.says.startswith("A missed positive is taken to cost 1 false alert, as told")
    none = flat_of(optimise({}, MinCost(2, 1), np.random.default_rng(0)), "as told")
    assert (none.low, none.high) == (None, None) and "cost 2 false alerts" in none.says


@pytest.mark.parametrize(("weeks", "known"), [(12, False), (30, True)])
def test_a_promise_has_a_band_where_its_back_test_can_judge_it(weeks, known):
    kept = control(dict(days_of(7 * weeks)), "fdr", 0.2, 0.8, owed=0.0)
    assert kept.threshold is not None and (kept.confidence is not None) == known
    band = promise_of(kept)
    assert band.low == (kept.threshold if known else None) and band.high is None
    assert kept.says in band.says


def test_it_says_of_which_days_and_that_no_label_is_no_negative(log):
    says = of_all(log)["says"]
    n, labelled, _ = log.other_thresholds.counts.total
    assert f"{n:,} events of the {log.other_thresholds.days_replayed} days to" in says
    assert ("whose labels are in" in says) == log.other_thresholds.complete
    assert (f"{n - labelled:,} of them have no label and are no negatives" in says) == (
        labelled < n
    )


@pytest.mark.evidence
def test_days_whose_labels_are_not_known_to_be_in_are_said(log):
    says = of_all(log)["says"]
    assert "labels are not known to be in" in says and "no fair sample" in says
    assert "40 of them have no label and are no negatives" in says


def test_sites_stand_apart_the_largest_first(log):
    parts = parts_of(log)
    data = of_segments(log, parts)
    assert {part["name"] for part in data["parts"]} == {"site north", "site south"}
    sizes = [sum(part["n"]) for part in data["parts"]]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == log.other_thresholds.counts.total[0]
    assert all(part["tenant"] is None for part in data["parts"])


def test_the_largest_parts_stand_in_a_table_and_all_are_to_be_moved_over(log):
    parts, shown = parts_of(log), segment_sliders(log, 1)
    (row,) = shown.table.frame.to_dict("records")
    alerts, _, positive = parts[0].counts.at_or_above(log.threshold)
    assert row["tenant or site"] == parts[0].name and row[metric("tp").column] == f"{positive:,}"
    assert row["alerts a day"] == f"{alerts / log.other_thresholds.days_replayed:,.1f}"
    assert shown.data == of_segments(log, parts) and shown.unshown == 1
    assert "1 smaller ones are not in" in shown._repr_mimebundle_()["text/html"]
    assert segment_sliders(log).unshown == 0


def test_a_part_is_shown_at_the_threshold_that_is_in_force_there(logged, tmp_path):
    with logged.copy_to(tmp_path).store() as store:
        now = datetime(2026, 3, 20, tzinfo=UTC)
        store.set_own_threshold(now, "a", MODEL, "v1", ("default", "north"), 847, "why")
        view = View(store, MODEL, date(2026, 3, 5))
        by_name = {part.name: part for part in parts_of(view)}
        data = {part["name"]: part for part in of_segments(view, parts_of(view))["parts"]}
    north, south = by_name["site north"], by_name["site south"]
    assert (north.threshold, north.its_own) == (847, True)
    assert (south.threshold, south.its_own) == (view.threshold, False)
    assert data["site north"]["inForce"] == 840
    assert "a threshold of its own, 0.700" in data["site north"]["says"]
    assert "at 0.698, where the cell" in data["site north"]["says"]


def test_sites_of_several_tenants_keep_apart(logged, tmp_path):
    bench = logged.copy_to(tmp_path)
    more = events(days=5, seed=1)
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0, tenant="b") as logger:
        logger.log(more.score, more["at"], prediction_id="b" + more.id, site_id=more.site)
    bench.ingest()
    with bench.store() as store:
        view = View(store, MODEL, date(2026, 3, 5))
        parts = {part.name: part for part in parts_of(view)}
        own, others = view.other_thresholds.first, view.other_thresholds.through
        alone = store.segment_counts(MODEL, own, others, version="v1", tenant="b")
    sites = {f"site {site} of tenant {t}" for site in ("north", "south") for t in ("default", "b")}
    assert set(parts) == {"tenant default", "tenant b"} | sites
    assert parts["site north of tenant b"].counts == alone["site=north"]
    assert parts["site north of tenant b"].counts.total[1] == 0
    assert parts["tenant b"].counts.total[0] == sum(c.total[0] for c in alone.values())
    assert (parts["tenant b"].tenant, parts["site north of tenant b"].site) == ("b", "north")


def test_many_parts_are_cut_coarser_so_that_their_page_stays_small(log):
    one = parts_of(log)[0]
    rng = np.random.default_rng(0)
    counts = ScoreCounts.from_events(rng.normal(0, 3_000, 400).astype(int), grid=Grid("logit", 20))
    few = of_segments(log, [one._replace(counts=counts)] * 2)
    many = of_segments(log, [one._replace(counts=counts)] * 700)
    assert few["parts"][0]["step"] == 20 and many["parts"][0]["step"] == 200
    assert len(many["parts"]) == 500 and len(as_text(many)) < 600_000


def test_a_month_of_a_large_log_fits_into_a_page():
    rng = np.random.default_rng(0)
    n = 2_000_000
    points = np.clip(rng.normal(-3_000, 2_500, n), -16_000, 16_000).astype(int)
    labels = (rng.random(n) < 0.1).astype(float)
    text = as_text(packed(ScoreCounts.from_events(points, labels), [405, 17, -268]))
    assert len(text) < 40_000


def test_days_before_any_of_these_are_left_out(log):
    others = log.other_thresholds
    assert others.first == others.through - timedelta(29)
