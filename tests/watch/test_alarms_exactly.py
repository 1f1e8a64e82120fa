"""Which days a version is followed over, what it is held against and what is asked, to the day."""

from dataclasses import replace
from datetime import date, timedelta
from math import inf, isnan
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pytest import approx

from aiops_wb.config import Settings
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.drift import feature_shift
from aiops_wb.stats.points import Grid
from aiops_wb.stats.sequential import Followed
from aiops_wb.watch.alarms import (
    Observed,
    count_rows,
    follow_version,
    lots,
    muted_days,
)
from aiops_wb.watch.past_alarms import Basis, _read

SETTINGS = Settings(label_delay_days=3)
FIRST = date(2026, 3, 2)
RULE = {"cuts": [-1.0, 0.0, 1.0]}


def on(*days):
    return [FIRST + timedelta(i) for i in days]


def of_day(day, n=40, labelled=True, grid=Grid()):
    rng = np.random.default_rng(day.toordinal())
    points = np.rint(rng.normal(-500, 900, n)).astype(int)
    label = rng.random(n) < 1 / (1 + np.exp(-points / 1000)) if labelled else np.full(n, np.nan)
    return ScoreCounts.from_events(points, label, grid)


def followed(days, day=None, **seen):
    "A version with events on some days, followed to one of them."
    counts = {d: of_day(d) for d in days}
    return follow_version(Observed(counts, **({"reference": {}} | seen)), day or days[-1], SETTINGS)


@pytest.mark.parametrize(("gap", "first"), [(60, 0), (61, 5 + 60)])
def test_a_few_days_before_a_silence_of_more_than_60_days_are_no_beginning(gap, first):
    last = 4 + gap
    seen = followed(on(*range(5), *range(last, last + 30)))
    assert seen.days[0] == FIRST + timedelta(first)
    assert seen.days[-1] == FIRST + timedelta(last + 29) and len(seen.days) == last + 30 - first


@pytest.mark.parametrize(("before", "first"), [(27, 27 + 70), (28, 0)])
def test_28_days_before_a_silence_are_one(before, first):
    start = before + 70
    assert followed(on(*range(before), *range(start, start + 5))).days[0] == on(first)[0]


@pytest.mark.parametrize("days", [1, 27, 28, 29])
def test_a_version_learns_from_its_first_28_days_with_events_and_bets_on_later_ones(days):
    "The second day has none: it is a day, and none that is learned from."
    seen = followed(on(0, *range(2, days + 1)))
    assert len(seen.days) == days + (days > 1) and seen.days[0] == FIRST
    assert seen.situation.reference_days == min(days, 28)
    assert seen.situation.learning == (days <= 28) and not seen.situation.own_day
    for question in seen.questions:
        if question.about == "score":
            assert not question.stream.bets[:29].any()
            assert question.stream.bets[29:].any() == (days > 28)
            assert np.isnan(question.apart.since[:29]).all()


def test_labels_are_of_days_as_old_as_is_set_and_asked_so_much_later():
    seen = followed(on(*range(40)))
    assert seen.situation.labelled_days == 28 and seen.situation.waits == 3
    lags = {q.stream.name: q.lag for q in seen.questions}
    names = ("score", "calibration", "positive rate", "loss", "volume", "latency")
    assert lags == dict(zip(names, (0, 3, 3, 3, 0, 0))) | {"share labelled": 9}
    weights = {q.stream.name: q.stream.weight for q in seen.questions}
    shares = {"calibration": 0.2, "positive rate": 0.1, "loss": 0.05, "share labelled": 0.05}
    assert weights == shares | {"score": 0.5, "volume": 0.05, "latency": 0.05}
    tolerances = {q.stream.name: q.stream.tolerance for q in seen.questions}
    assert tolerances["score"] == tolerances["loss"] == SETTINGS.drift_tolerance
    assert tolerances["calibration"] > SETTINGS.calibration_tolerance
    assert not isnan(seen.mix_offset.value)
    early = followed(on(*range(30)))  # of the reference two days are not old enough
    assert early.situation.labelled_days == 27 and early.level == SETTINGS.drift_level


def test_labels_that_are_never_known_to_be_in_are_asked_nothing_about():
    counts = {d: of_day(d) for d in on(*range(40))}
    seen = follow_version(Observed(counts, {}), on(39)[0], SETTINGS, waits=inf)
    assert {q.stream.name for q in seen.questions} == {"score", "volume", "latency"}
    assert isnan(seen.mix_offset.value) and isnan(seen.offset.value)
    assert seen.unwatched["calibration"] == "labels are not known to be in"
    assert seen.situation.labelled_days == 0


def test_days_of_the_log_that_were_chosen_are_learned_from_and_no_day_before_their_end_is_watched():
    days = on(*range(60))
    counts = {d: of_day(d) for d in days}
    chosen = days[10], days[39]
    reference = {d: counts[d] for d in days[10:40]}

    def seen_on(i):
        return follow_version(Observed(counts, reference, chosen=chosen), days[i], SETTINGS)

    for i, own in ((39, True), (40, False)):
        assert seen_on(i).situation.own_day is own and seen_on(i).days[0] == days[10]
        assert not seen_on(i).situation.learning
    assert seen_on(5).days == [days[5]] and seen_on(5).situation.own_day
    score = next(q for q in seen_on(59).questions if q.about == "score")
    assert not score.stream.bets[:30].any() and score.stream.bets[30].any()
    assert np.isnan(score.apart.since[:30]).all() and not np.isnan(score.apart.since[30])


def test_events_a_day_lately_are_the_mean_of_seven_days():
    days = on(*range(40))
    counts = {d: of_day(d, 10 + i) for i, d in enumerate(days) if i != 37}  # a day without any
    seen = follow_version(Observed(counts, {}), days[-1], SETTINGS)
    assert seen.situation.latest == (43 + 44 + 45 + 46 + 0 + 48 + 49) / 7
    assert seen.situation.probabilities
    linear = {d: of_day(d, grid=Grid("linear")) for d in days}
    assert not follow_version(Observed(linear, {}), days[-1], SETTINGS).situation.probabilities


def test_days_that_were_followed_are_gone_on_from_with_all_that_they_earned():
    days, before = on(*range(40)), [FIRST - timedelta(40 - i) for i in range(40)]
    seen = Observed({d: of_day(d) for d in days}, {d: of_day(d) for d in before}, since=days[0])
    whole = follow_version(seen, days[-1], SETTINGS, basis=Basis("method", "batches"))
    (kept,) = whole.to_keep()
    reader = SimpleNamespace(kept_bytes=lambda _: (kept.standing, [kept.figures], [kept.marks]))
    past = _read(reader, kept.state, {})
    assert past.days == 28
    again = follow_version(seen, days[-1], SETTINGS, past=past)
    for name in ("evidence", "open", "since"):
        assert np.array_equal(getattr(again.followed, name), getattr(whole.followed, name)), name


def calendar(*entries):
    "(first, last, mutes) of entries."
    first, last, mutes = zip(*entries)
    at = lambda column: pd.to_datetime(pd.Series(column))
    return pd.DataFrame({"first": at(first), "last": at(last), "mutes": mutes, "name": "x"})


def test_an_entry_mutes_its_first_its_last_and_the_days_between():
    days = on(*range(10))
    entries = (days[2], days[4], True), (days[4], days[8], False), (days[9], days[9], True)
    assert np.flatnonzero(muted_days(days, calendar(*entries))).tolist() == [2, 3, 4, 9]
    assert not muted_days(days, calendar((days[0], days[9], False))).any()


def test_muted_days_earn_nothing_when_they_are_asked_about():
    days = on(*range(60))
    seen = followed(days, calendar=calendar((days[40], days[42], True)))
    assert np.flatnonzero(seen.muted).tolist() == [40, 41, 42]
    by_name = {q.stream.name: q for q in seen.questions}
    for name, lag in (("score", 0), ("positive rate", 3)):
        bets = by_name[name].stream.bets
        assert not bets[40 + lag : 43 + lag].any()
        assert bets[39 + lag].any() and bets[43 + lag].any()
        since = by_name[name].apart.since
        assert np.isnan(since[40:43]).all() and not np.isnan(since[[39, 43]]).any()
    assert by_name["volume"].stream.bets[43:].any()  # its bets are its own past's, of any version


def tables(n, shift=0):
    rng = np.random.default_rng(7)
    rows = [
        np.histogram(rng.normal(shift, 1, 80), [-np.inf, -1, 0, 1, np.inf])[0] for _ in range(n)
    ]
    return np.hstack([np.zeros((n, 2), dtype=np.int64), rows])


def with_features(day=39):
    days, before = on(*range(40)), [FIRST - timedelta(40 - i) for i in range(40)]
    now = {"a": tables(40), "b": tables(40, 0.5), "c": tables(40), "gone": tables(40)}
    now["c"][:, 1] = 40  # missing, a third of the days' values
    reference = {f: tables(40) for f in ("a", "b", "c", "other")}
    return Observed(
        {d: of_day(d) for d in days},
        {d: of_day(d) for d in before},
        days,
        now,
        before,
        reference,
        {f: RULE for f in (*now, "other")},
        unreadable={"a": {days[-1]: 5}},
    )


def test_features_are_compared_by_their_last_seven_days_and_all_of_the_reference():
    seen = with_features()
    drift = follow_version(seen, seen.feature_days[-1], SETTINGS)
    assert seen.compared == ["a", "b", "c"] and [s.name for s in drift.shifts] == ["c", "b", "a"]
    for shift in drift.shifts:
        recent = seen.features[shift.name][-7:].sum(axis=0)
        before = seen.reference_features[shift.name].sum(axis=0)
        assert shift == feature_shift(shift.name, "numeric", recent, before)
    weights = {q.stream.name: q.stream.weight for q in drift.questions if q.about == "feature"}
    assert weights == dict.fromkeys("abc", 0.5 / 4)
    a = next(q for q in drift.questions if q.stream.name == "a")
    assert a.where[:2] == ("unreadable", "missing") and a.rests_on == 40
    assert drift.unwatched["gone"] == drift.unwatched["other"]
    earlier = follow_version(seen, seen.feature_days[-2], SETTINGS)
    assert earlier.shifts[0].n == drift.shifts[0].n == 7 * 120
    assert "unreadable" not in next(q for q in earlier.questions if q.stream.name == "a").where


def test_the_level_rests_on_28_days_of_a_reference_at_least():
    def caveats(n):
        before = {FIRST - timedelta(i): of_day(FIRST - timedelta(i)) for i in range(1, n + 1)}
        return followed(on(*range(3)), reference=before).caveats

    assert caveats(28) == []
    assert caveats(27) == [
        "score, calibration, positive rate, loss rest on 27 reference days, too few to know how "
        "much days differ (28 are enough)"
    ]


def test_the_lot_of_a_day_is_its_own():
    days = on(*range(300))
    drawn = lots("volume", days)
    assert (lots("volume", days[9:12]) == drawn[9:12]).all() and len({*drawn}) == 300
    assert drawn.min() >= 0 and drawn.max() < 1 and drawn.mean() == approx(0.5, abs=3 * 0.0167)
    assert not (lots("latency", days) == drawn).any()


def test_rows_in_memory_are_counted_as_days_would_have_been():
    rows = pd.DataFrame({"day": on(1, 0, 1, 1), "label": [1, 0, np.nan, 0], "x": [-2, 0.5, 3, 3]})
    counted = {"event_date": on(0, 0), "feature": "x", "bin": [-1, 1], "n": [2, 9]}
    seen = count_rows(rows, [5, 7, 5, 9], {"x": RULE}, pd.DataFrame(counted), {})
    assert [*seen.counts] == seen.feature_days == on(0, 1) and seen.reference == {}
    assert seen.counts[on(1)[0]].points.tolist() == [5, 9]
    assert seen.counts[on(1)[0]].total == (3, 2, 1)
    assert seen.features["x"].tolist() == [[0, 0, 0, 0, 1, 0], [0, 0, 1, 0, 0, 2]]
    assert seen.reference_features["x"].tolist() == [[0, 2, 0, 9, 0, 0]]


def test_a_stream_that_could_find_nothing_in_four_weeks_says_so():
    few = {d: of_day(d, 2) for d in on(*range(40))}
    seen = follow_version(Observed(few, {}), on(39)[0], SETTINGS)
    assert seen.unwatched["score"].startswith("with 2 events a day a critical change would take ")
    assert "score" not in {q.stream.name for q in seen.watched} and seen.severity == "unknown"
    many = follow_version(Observed({d: of_day(d, 400) for d in few}, {}), on(39)[0], SETTINGS)
    assert "score" not in many.unwatched and many._too_little(0) == "", "and nothing where it could"


def test_the_days_of_an_alarm_begin_when_the_change_did_and_are_days_not_mornings():
    seen = followed(on(*range(40)))
    names = [q.stream.name for q in seen.questions]
    is_open, since = np.zeros((40, len(names)), dtype=bool), np.full((40, len(names)), -1)
    for name, opened, closed, began in (
        ("score", 5, 9, 0),
        ("score", 20, 23, 18),
        ("loss", 30, 40, 27),
    ):
        at = names.index(name)
        is_open[opened:closed, at], since[opened:closed, at] = True, began
    flat = np.zeros(is_open.shape)
    made = replace(seen, followed=Followed(flat, flat[0], is_open, since))._disturbed()
    assert set(made) == set(names) and {len(made[n]) for n in ("score", "volume")} == {40}
    assert np.flatnonzero(made["score"]).tolist() == [*range(9), *range(18, 23)]
    assert np.flatnonzero(made["loss"]).tolist() == [*range(24, 37)], "three days before"
    assert len(made["loss"]) == 37 and not made["volume"].any()
