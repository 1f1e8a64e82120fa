"""What a version is held against: its own days, or days of the log that a person chose."""

from datetime import UTC, date, datetime, timedelta
from math import inf

import numpy as np
import pytest
from conftest import MODEL, events, few

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.render import tables
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.watch.alarms import Observed, follow_version
from aiops_wb.watch.choose import choose_reference
from aiops_wb.watch.headlines import drift_headline, performance_headline, watch_note
from aiops_wb.watch.view import View
from bench.years import Year

SETTINGS = Settings(label_delay_days=1)
START = date(2026, 1, 1)


def after_a_silence(year, before, silent):
    "Counts of a year by day, of which all from a day on come later by a silence."
    counts = year.scores[len(year.reference) :]
    later = lambda i: year.days[i] + timedelta(silent if i >= before else 0)
    return {later(i): c for i, c in enumerate(counts)}


@pytest.mark.parametrize("silent", [61, 200])
def test_after_a_silence_a_version_is_held_against_what_it_was_held_against(silent):
    "It was its own reference, is silent for months, and comes back with twice the positives."
    year = Year(14, days=80, features=0, change=60, prevalence=2.0)
    counts = after_a_silence(year, 60, silent)
    seen = follow_version(Observed(counts, {}), max(counts), SETTINGS)
    assert seen.days[0] == year.days[0]
    found = {a.stream: a for a in seen.alarms}
    assert {"score", "positive rate"} <= set(found) and seen.severity in ("high", "critical")
    assert found["score"].since >= year.days[60]


def test_the_same_model_after_a_silence_raises_no_alarm():
    counts = after_a_silence(Year(15, days=80, features=0), 60, 90)
    seen = follow_version(Observed(counts, {}), max(counts), SETTINGS)
    assert not [a for a in seen.alarms if a.stream != "volume"] and seen.severity == "none"


def test_a_few_days_before_a_silence_are_no_reference():
    year = Year(16, days=60, features=0)
    counts = after_a_silence(year, 27, 61)
    seen = follow_version(Observed(counts, {}), max(counts), SETTINGS)
    assert seen.days[0] == year.days[27] + timedelta(61)


def of_volume(per_day, days=60):
    "Days of one model with so many labelled events each."
    rng, found = np.random.default_rng(per_day), {}
    for i in range(days):
        points = np.sort(rng.integers(-3000, 3000, per_day))
        label = (rng.random(per_day) < 1 / (1 + np.exp(-points / 1000))).astype(float)
        found[START + timedelta(i)] = ScoreCounts.from_events(points, label)
    return found


def test_what_cannot_be_watched_is_listed_with_the_reason_and_counts_nowhere():
    few, many = (
        follow_version(Observed(of_volume(n), {}), START + timedelta(59), SETTINGS)
        for n in (1, 200)
    )
    assert {"score", "features", "calibration", "positive rate", "latency"} <= set(few.unwatched)
    assert "with 1 events a day a critical change would" in few.unwatched["score"]
    assert few.severity == "unknown" and many.severity == "none"
    assert set(many.unwatched) == {"features", "latency"}
    assert many.unwatched["latency"] == "none is logged"
    assert "latency" not in {q.stream.name for q in many.watched}


def test_a_change_that_is_said_to_be_found_in_four_weeks_is():
    "The first volume at which the score counts as watched, and a critical change at it."
    days = next(
        n
        for n in range(9, 30)
        if "score"
        not in follow_version(Observed(of_volume(n), {}), START + timedelta(59), SETTINGS).unwatched
    )
    assert days < 29
    calm, found = of_volume(days, 40), []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        moved = {}
        for i in range(40, 68):  # a quarter more events are above the middle
            points = rng.integers(-3000, 3000, days)
            up = rng.random(days) < 0.5
            points = np.sort(np.where(up & (points < 0), -points, points))
            moved[START + timedelta(i)] = ScoreCounts.from_events(points, np.zeros(days))
        seen = follow_version(Observed(calm | moved, {}), START + timedelta(67), SETTINGS)
        at = [q.stream.name for q in seen.questions].index("score")
        found.append(seen.followed.open[40:, at].any())
    assert sum(found) >= 4  # the mean evidence reaches the bar: about half of the runs do earlier


def test_labels_that_are_not_in_are_not_watched():
    seen = follow_version(Observed(of_volume(200), {}), START + timedelta(59), SETTINGS, waits=inf)
    assert seen.unwatched["calibration"] == "labels are not known to be in"
    assert seen.severity == "none"


@pytest.fixture
def changed(bench):
    "Forty usual days, and forty of another world that the log's owner knows."
    usual = events(days=40, per_day=80, start=START)
    other = events(days=40, per_day=80, seed=5, start=START + timedelta(40), version="v1")
    other = other.assign(score=1 / (1 + np.exp(-(other.x + 1.5))))
    for frame in (usual, other):
        bench.log(frame)
        bench.label(frame, at="2026-03-22T00:00:00Z")
    bench.ingest(datetime(2026, 3, 22, 1, tzinfo=UTC))
    return bench


def call(bench, *words):
    return main(["reference", *words, "--data", str(bench.data), "--model", MODEL])


SPAN = ("--from", "2026-02-10", "--to", "2026-03-15")


def test_days_are_chosen_with_a_reason_and_put_back(changed, capsys):
    settings = Settings(data=changed.data, label_delay_days=1)
    day, before_it = START + timedelta(79), datetime(2026, 3, 22, 2, tzinfo=UTC)
    with changed.store() as store:
        view = View(store, MODEL, day, settings=settings)
        assert "score" in {a.stream for a in view.drift.alarms}
        assert performance_headline(view).state == "unknown"
        assert "its own first 28 days" in watch_note(view).says
    assert call(changed, "set", *SPAN, "--why", "new cameras") == 0
    assert "10 February 2026 to 15 March 2026" in capsys.readouterr().out
    with open_snapshot(changed.data) as log:
        view = View(log, MODEL, day, settings=settings)
        assert not view.drift.alarms and view.severity == "none"
        assert "new cameras" in watch_note(view).says
        assert drift_headline(view).state == "ok"
        said = performance_headline(view)
        assert said.state == "ok" and "(reference days: " in said.says
        assert view.labels.expected and "reference days" in tables.performance_table(view).frame
        inside = View(log, MODEL, date(2026, 3, 1), settings=settings)
        assert not inside.drift.alarms  # nothing is bet on days that are the reference
        then = View(log, MODEL, day, before_it, settings)
        assert "score" in {a.stream for a in then.drift.alarms}
        trail = log.audit()
        assert list(trail[trail.what == "reference"].new) == [
            "its own",
            "2026-02-10 to 2026-03-15",
        ]
    assert call(changed, "set", *SPAN, "--why", "new cameras") == 0  # again: nothing is new
    assert call(changed, "rollback", "--why", "too early") == 0
    assert "its own first 28 days" in capsys.readouterr().out
    with open_snapshot(changed.data) as log:
        assert "score" in {a.stream for a in View(log, MODEL, day, settings=settings).drift.alarms}
        assert (log.audit().what == "reference").sum() == 3


REFUSED = (
    (SPAN, "needs a reason"),
    (("--from", "2026-03-15", "--to", "2026-02-10", "--why", "x"), "ends before it begins"),
    (("--from", "2026-03-01", "--to", "2026-03-15", "--why", "x"), "scored on 15 days"),
    (("--from", "2026-02-01", "--to", "2226-03-15", "--why", "x"), "is not over"),
)


def test_days_that_are_no_reference_are_refused(changed, capsys):
    for words, says in REFUSED:
        assert call(changed, "set", *words) != 0
        assert says in capsys.readouterr().err
    with open_snapshot(changed.data) as log:
        assert "reference" not in set(log.audit().what)


def test_without_a_choice_there_is_nothing_to_put_back(changed, capsys):
    assert call(changed, "rollback", "--why", "x") != 0
    assert "nothing to roll back" in capsys.readouterr().err
    assert call(changed, "show") == 0
    out = capsys.readouterr().out
    assert "its own first 28 days" in out and "not watched: features" in out


@pytest.mark.parametrize(
    "day", few([date(2026, 2, 5), date(2026, 3, 1), date(2026, 3, 15)], date(2026, 3, 1))
)
def test_nothing_is_said_to_hold_on_days_that_are_the_reference_or_lie_before_it(changed, day):
    call(changed, "set", *SPAN, "--why", "new cameras")
    settings = Settings(data=changed.data, label_delay_days=1)
    with open_snapshot(changed.data) as log:
        view, later = (View(log, MODEL, d, settings=settings) for d in (day, date(2026, 3, 17)))
        assert view.severity == "unknown" and later.severity == "none"
        assert {"score", "features", "calibration", "loss"} <= set(view.drift.unwatched)
        said = drift_headline(view)
        assert said.state == "unknown" and "look at a later day" in said.advice
        said = performance_headline(view)
        assert said.state == "unknown" and "look at later ones" in said.advice


def test_a_reference_begins_and_ends_with_days_that_the_version_scored(changed):
    "Nobody follows a version through a century without it."
    now = datetime(2026, 11, 2, tzinfo=UTC)
    with changed.store() as store:
        asked = now, "ana", MODEL, "v1", date(1900, 1, 1), date(2026, 11, 1), "all of it"
        choose_reference(store, *asked)
        choose_reference(store, *asked)  # given again
        assert store.reference_days(MODEL, "v1") == (START, START + timedelta(79))
        assert (store.audit().what == "reference").sum() == 2


def said_of_quality(bench, labelled, **logger):
    "What is said of the last of 45 days, of which the first 30 were chosen to compare with."
    frame = events(days=45, per_day=60, start=START)
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None, **logger
    ) as log:
        log.log(frame.x if logger else frame.score, frame["at"], prediction_id=frame.id)
    bench.label(frame[frame.day >= labelled], at="2026-02-15T00:00:00Z")
    bench.ingest(datetime(2026, 2, 15, 1, tzinfo=UTC))
    with bench.store() as store:
        now, last = datetime(2026, 2, 15, 2, tzinfo=UTC), START + timedelta(44)
        choose_reference(store, now, "ana", MODEL, "v1", START, START + timedelta(29), "usual")
        settings = Settings(data=bench.data, label_delay_days=1)
        return performance_headline(View(store, MODEL, last, settings=settings))


def test_chosen_days_without_labels_are_said_to_have_none(bench):
    said = said_of_quality(bench, labelled=START + timedelta(31))
    assert said.state == "unknown" and "no day of those that were chosen has" in said.advice


def test_scores_that_are_no_probabilities_are_not_said_to_be_calibrated(bench):
    said = said_of_quality(bench, labelled=START, grid=Grid("linear"))
    assert (said.state, said.advice) == ("ok", "Accuracy and ranking hold.")


def test_days_that_were_put_back_are_those_of_whoever_chose_them(changed, capsys):
    assert call(changed, "set", *SPAN, "--why", "new cameras") == 0
    other = ("--from", "2026-01-01", "--to", "2026-02-05")
    assert call(changed, "set", *other, "--why", "last season") == 0
    assert call(changed, "rollback", "--why", "the season is over") == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert "10 February 2026 to 15 March 2026" in said and said.endswith(": new cameras")
