"Where only what was called gets a label: what is unknown is said, what was explored is weighed."

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import compute
from aiops_wb.render import plots, tables
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.performance import confusion
from aiops_wb.stats.points import Grid
from aiops_wb.watch.explore import explored_words, renew_exploration
from aiops_wb.watch.headlines import performance_headline, thresholds_headline
from aiops_wb.watch.view import View

START, DAYS, PER_DAY = date(2026, 3, 1), 29, 400
LAST = START + timedelta(DAYS - 1)
NOW = datetime.combine(LAST + timedelta(1), datetime.min.time(), UTC)
HIGH = 405


def world(bench, explore, days=DAYS):
    "A log in which a label comes to those alone that somebody looked at."
    frame = events(days=days, per_day=PER_DAY, seed=4, start=LAST - timedelta(days - 1))
    settings = Settings(explore=explore)
    start = frame.day.min()
    bench.log(frame[frame.day == start], threshold=HIGH)
    morning = datetime.combine(start + timedelta(1), datetime.min.time(), UTC)
    bench.ingest(morning)
    with bench.store() as store:
        assert compute(store, start, MODEL, morning, settings).state == "ok"
    bench.log(frame[frame.day > start], threshold=HIGH)
    bench.ingest(NOW)
    with bench.store() as store:
        rows = store.rows(MODEL, START, LAST, labels=False)
    looked_at = frame[frame.id.isin(rows.prediction_id[rows.route != "monitor"])]
    bench.label(looked_at)
    bench.ingest(NOW)
    return frame, rows


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("explored"))
    return bench, *world(bench, 0.1)


@pytest.fixture(scope="module")
def unexplored(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("unexplored"))
    return bench, *world(bench, 0.0, days=5)


def truth(frame):
    "The figures of the last 28 days, had every label come."
    recent = frame[frame.day > LAST - timedelta(28)]
    counts = ScoreCounts.from_events(Grid().quantise(recent.score), recent.label)
    return confusion(counts, HIGH)


def test_weighted_figures_hold_the_truth_where_labels_alone_do_not(explored):
    bench, frame, rows = explored
    true = truth(frame)
    with bench.store() as store:
        view = View(store, MODEL, LAST, None, Settings(explore=0.1))
        figures = view.selective.figures
        assert compute(store, LAST, MODEL, NOW, view.settings).state == "ok"
        metrics = store.metrics(MODEL, LAST, LAST).set_index("metric")
        assert view.selective.window == (LAST - timedelta(27), LAST)
        n, labelled = view.selective.explored
        blind = view.selective.blind
    assert n == labelled > 500 and blind.below == HIGH and blind.share < 0.2 < 0.9 < blind.called
    for name, value in (
        ("recall", true.recall.value),
        ("fpr", true.fpr.value),
        ("precision", true.precision.value),
        ("missed_per_day", true.fn / 28),
    ):
        figure, stored = figures[name], metrics.loc[f"weighted_{name}"]
        assert figure.lower < value < figure.upper, name
        assert (stored.value, stored.lower, stored.upper, stored.n) == tuple(figure)
        assert stored.window_first.date() == LAST - timedelta(27)
    recall = metrics.loc["recall_week"]
    assert recall.value > true.recall.value + 0.2  # of labels as they came


def test_the_share_and_the_chances_are_as_they_were_asked_for(explored):
    bench, frame, rows = explored
    with bench.store() as store:
        plan = store.exploration(MODEL)
        told = store.audit(MODEL).query("what == 'exploration'")
    assert len(told) == 1 and "reviews a day" in told.why.iloc[0]
    below = rows[(rows.points < HIGH) & rows.propensity.notna()]
    sent = (below.route == "alert").mean()
    # five standard errors of independent lots, and what the first day's scores are off by
    assert abs(sent - below.propensity.mean()) < 5 * np.sqrt(0.1 / len(below))
    assert abs(below.propensity.mean() - 0.1) < 0.01
    assert np.array_equal(below.propensity, plan.chance(below.points.to_numpy()))


def test_pages_say_weighted_and_what_it_rests_on(explored):
    bench, frame, rows = explored
    with bench.store() as store:
        view = View(store, MODEL, LAST, None, Settings(explore=0.1))
        says = performance_headline(view).says
        assert "reviewed by chance" in says and "of all positives and misses" in says
        today = rows[(rows.event_date.dt.date == LAST) & (rows.route == "alert")]
        by_chance = int((today.propensity < 1).sum())
        assert view.selective.reviewed_today == by_chance > 5
        assert len(view.tickets.high_risk()) == len(today) - by_chance
        assert "weighted" in repr(tables.performance_table(view))
        assert "recall, weighted" in repr(tables.threshold_table(view))
        assert "Weighted by what was reviewed by chance" in repr(tables.simulation_table(view))
        assert "10% of the events" in explored_words(view)
        curve = view.other_thresholds.curve
        chart = plots.threshold_curve(
            curve, Grid(), HIGH, blind=HIGH, weighted=view.selective.curve
        )
    legend = [text.get_text() for text in chart.legends[0].texts]
    assert {"recall, weighted", "hardly a label"} <= set(legend)


def test_without_exploration_it_is_said_what_nobody_can_know(unexplored):
    bench, frame, rows = unexplored
    assert rows.propensity.isna().all()
    with bench.store() as store:
        assert not store.explores(MODEL)
        view = View(store, MODEL, LAST, None, Settings())
        unseen = view.selective
        assert unseen.unknown and not unseen.figures and unseen.curve is None
        assert (unseen.blind.below, unseen.blind.share) == (HIGH, 0)
        for headline in (performance_headline(view), thresholds_headline(view)):
            assert "hardly ever come below" in headline.says and "explore = 0.02" in headline.advice
            assert headline.state != "ok"
        table = tables.threshold_table(view).frame.set_index("threshold")
        assert list(table.index) == [f"0.{tenths}" for tenths in range(1, 10)]
        assert set(table.recall) == {"unknown"}
        assert table.precision["0.3"] == "unknown" and float(table.precision["0.7"]) > 0.5
        assert "is unknown" in unseen.of_candidate(-500) and not unseen.of_candidate(900)
        all_ = View(store, MODEL, LAST, None, Settings(labels_of="all")).selective
        assert all_.blind is None and not all_.says
        told = View(store, MODEL, LAST, None, Settings(labels_of="called", label_delay_days=9))
        assert "as labels_of says" in told.selective.says


def test_all_labels_leave_nothing_unknown(bench):
    frame = events(days=2, per_day=400)
    bench.log(frame, threshold=HIGH)
    bench.label(frame)
    bench.ingest()
    with bench.store() as store:
        view = View(store, MODEL, frame.day.max(), None, Settings())
        assert view.selective.blind is None and view.selective.says == ""
        assert not view.selective.of_candidate(-900)


@pytest.mark.evidence
def test_labels_that_are_late_are_not_taken_for_labels_that_never_come(bench):
    "Those of high scores come first; no day is known to be complete."
    frame = events(days=4, per_day=300)
    bench.log(frame, threshold=HIGH)
    bench.label(frame[frame.score > 0.6], at="2026-03-05T12:00:00Z")
    bench.ingest(datetime(2026, 3, 6, tzinfo=UTC))
    with bench.store() as store:
        view = View(store, MODEL, frame.day.max(), None, Settings())
        assert view.selective.window is None and view.selective.blind is None


def test_chances_are_made_anew_when_they_are_off_and_only_then(bench):
    frame = events(days=3, per_day=400)
    bench.log(frame, threshold=HIGH)
    bench.ingest()
    at = datetime(2026, 3, 10, tzinfo=UTC)

    def morning(store, hour, **settings):
        view = View(store, MODEL, frame.day.max(), None, Settings(**settings))
        renew_exploration(store, view, at + timedelta(hours=hour), "daily")
        return store.exploration(MODEL)

    with bench.store() as store:
        assert morning(store, 1) is None and not store.explores(MODEL)
        first = morning(store, 2, explore=0.05)
        assert first.share == 0.05 and morning(store, 3, explore=0.05) == first
        assert morning(store, 4, explore=0.2).share == 0.2
        store.record(at + timedelta(hours=5), "ana", "threshold", f"{MODEL}/v1", "-600", "lower")
        lower = morning(store, 6, explore=0.2)  # fewer lie below, of lower scores
        view = View(store, MODEL, frame.day.max(), None, Settings())
        counts = view.window(28)
        below = counts.total[0] - counts.at_or_above(-600)[0]
        assert abs(lower.expected(counts, -600) / below - 0.2) < 0.001
        assert morning(store, 7) is None and store.explores(MODEL)
        assert len(store.audit(MODEL).query("what == 'exploration'")) == 4
        assert store.verify_audit() > 4


def test_the_command_line_tells_what_it_costs(explored, unexplored, capsys, monkeypatch):
    for (bench, *_), shown in ((explored, True), (unexplored, False)):
        with bench.store() as store:
            store.publish(1)
        monkeypatch.setenv("AIOPS_DATA", str(bench.data))
        for command in (["thresholds", "show", "--model", MODEL], ["models", "show", MODEL]):
            assert main(command) == 0
            told = capsys.readouterr().out
            assert ("reviews a day" in told) == shown, told
        assert main(["thresholds", "simulate", "0.3", "--model", MODEL]) == 0
        told = capsys.readouterr().out
        assert ("Weighted by what was" in told) == shown and ("is unknown" in told) != shown
