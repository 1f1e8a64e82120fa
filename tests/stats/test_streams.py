"""What is asked every morning: watched sets, what is known late, what an alarm says."""

from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats

from aiops_wb.stats.performance import Figure
from aiops_wb.stats.sequential import Followed, Stream
from aiops_wb.stats.streams import (
    ADVICE,
    Alarm,
    Findings,
    Question,
    feature_questions,
    later,
    moved_with,
    open_alarms,
    padded,
    places,
    ranked_question,
    watched_sets,
)

DAYS = [date(2026, 3, 1) + timedelta(i) for i in range(60)]


def alarm(stream="x", unit="of events", effect=0.0123, kind="covariate"):
    opened = {"since": DAYS[0], "opened_on": DAYS[1]}
    return Alarm(stream, kind, "low", 0.5, effect, 0.001, unit, "below 3", **opened)


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (alarm(), "x: the share below 3 rose by 1.2 percentage points"),
        (alarm(effect=-0.2), "x: the share below 3 fell by 20.0 percentage points"),
        (alarm("positive rate"), "the share of positives rose by 1.2 percentage points"),
        (
            alarm("share labelled", effect=-0.5),
            "the share of events with a label fell by 50.0 percentage points",
        ),
        (
            alarm("loss", "of squared error"),
            "the mean squared error of the scores rose by 0.012",
        ),
        (
            alarm("loss", "of squared error", 0.0),
            "the mean squared error of the scores is no longer higher",
        ),
        (alarm("volume", "log ratio", np.log(2)), "volume is 2.00 times what it was"),
        (
            alarm("calibration", "logits", -0.5),
            "at the same score the log-odds of the label are 0.50 lower than on the reference days",
        ),
    ],
)
def test_an_alarm_says_what_moved_in_its_unit(one, says):
    assert one.says() == says and one.advice() == ADVICE["covariate"]


def test_few_sets_of_a_feature_are_watched():
    numeric = {"cuts": list(range(1, 10))}
    even = watched_sets(numeric, np.array([0, 1, *[10] * 10]))
    assert even.names == ("missing", "below 2", "below 5", "below 7")
    assert even.quality == (True, False, False, False)
    below = even.members.T @ np.array([0, 1, *[10] * 10])
    assert below.tolist() == [1, 20, 50, 70]
    constant = watched_sets(numeric, np.array([0, 0, *[0] * 4, 50, *[0] * 5]))
    assert constant.names == ("missing", "below 1", "below 9")
    assert watched_sets({"cuts": []}, np.array([0, 0, 5])).names == ("missing",)


def test_of_many_categories_parts_of_the_alphabet_are_watched_too():
    rule = {"categories": [*"abcdefgh"]}
    watched = watched_sets(rule, np.array([0, 0, 1, 1, 9, 1, 1, 8, 1, 0]))
    assert watched.names[:5] == ("missing", "never seen in training", "= c", "= f", "= a")
    assert watched.names[5:] == ("up to c in the alphabet", "up to f in the alphabet")
    assert watched.quality == (True, True, *[False] * 5)
    few = watched_sets({"categories": ["a", "b"]}, np.array([0, 0, 7, 0]))
    assert few.names == ("missing", "never seen in training", "= a")


def test_of_a_few_categories_each_is_watched():
    "The rarest of four vanishes, its events spread over the others: one set says so outright."
    usual = np.array([0, 0, 40, 30, 20, 10])
    now = np.array([0, 0, 43, 33, 23, 1])
    watched = watched_sets({"categories": [*"abcd"]}, usual)
    assert set(watched.names[2:]) == {"= a", "= b", "= c", "= d"}
    moved = (now - usual) @ watched.members / 100
    assert watched.names[int(np.argmax(np.abs(moved)))] == "= d" and moved.min() == -0.09


def test_vectors_are_cut_or_padded_to_their_rule():
    assert places({"cuts": [1, 2]}) == 5 and places({"categories": ["a"]}) == 3
    assert padded(np.ones((2, 4)), 5).tolist() == [[1, 1, 1, 1, 0]] * 2
    assert padded(np.ones((2, 4)), 3).shape == (2, 3)


def question(about="feature", name="x", quality=(False,), effect=0.1, lag=0):
    n = len(DAYS)
    stream = Stream(name, np.ones((n, 2)), np.full(n, effect), np.full(n, 0.05), 0.02)
    return Question(stream, about, np.ones(n), np.ones(n), ("a",), quality=quality, lag=lag)


@pytest.mark.parametrize("lag", [0, 1, 7, 59, 60, 90])
def test_what_is_known_late_is_asked_late(lag):
    known = max(0, len(DAYS) - lag)
    s = Stream("x", np.ones((known, 2)), np.arange(float(known)), np.ones(known), 0.1)
    early = Question(s, "labels", np.ones(known), np.ones(known), at=np.ones(known, dtype=int))
    late = later(early, lag, len(DAYS))
    assert late.lag == lag and len(late.stream.bets) == len(late.at) == len(DAYS)
    assert not late.stream.bets[:lag].any() and late.stream.bets[lag:].all()
    assert np.array_equal(late.stream.effect[lag:], s.effect)
    assert np.isnan(late.stream.effect[:lag]).all()
    assert later(None, lag, 5) is None


@pytest.mark.parametrize(
    ("asked", "labels", "kind"),
    [
        (question("volume", "volume", quality=(True,)), 0.0, "operation"),
        (question(quality=(True,)), 0.0, "data quality"),
        (question("labels", "share labelled"), 0.0, "data quality"),
        (question(), 0.0, "covariate"),
        (question("labels", "calibration"), -0.8, "concept"),
    ],
)
def test_of_what_kind_an_alarm_is(asked, labels, kind):
    n = len(DAYS)
    is_open = np.zeros((n, 1), dtype=bool)
    is_open[50:] = True
    since = np.where(is_open, 45, -1)
    followed = Followed(np.arange(float(n))[:, None], np.array([20.0]), is_open, since)
    offset = Figure(labels, labels - 0.1, labels + 0.1)
    mix = Figure(0.0, -0.1, 0.1)
    morning = Findings(DAYS, [asked], followed, np.zeros(n, dtype=bool), offset, mix)
    (one,) = open_alarms(morning)
    assert one.kind == kind and (one.since, one.opened_on) == (DAYS[45], DAYS[50])
    assert one.log10_evidence == pytest.approx((59 - 20) / np.log(10))


def test_days_without_events_say_nothing_of_volume():
    usual = 100 * np.exp(np.random.default_rng(1).normal(0, 0.02, 60))
    usual[[50, 51]] = 0
    asked = ranked_question("volume", DAYS, usual, np.full(60, 0.5), 0.05)
    assert np.isnan(asked.series[50]) and not asked.stream.bets[[50, 51]].any()
    assert np.isfinite(asked.stream.effect[52]) and abs(asked.stream.effect[52]) < 0.1


RULE = {"cuts": [-1.0, 0.0, 1.0]}


def counted(rng, shifts, days, a_day=150):
    "Counts (days, places) of normal features in the bins of RULE, each moved by its shift."
    edges = [-np.inf, *RULE["cuts"], np.inf]
    tables = {}
    for k, shift in enumerate(shifts):
        values = rng.normal(shift, 1, (days, a_day))
        bins = np.stack([np.histogram(row, edges)[0] for row in values])
        tables[f"f{k}"] = np.hstack([np.zeros((days, 2), dtype=int), bins])
    return tables


def found_on_a_day(rng, shifts, days=1):
    "Findings of days on which features have moved, the first of them alarmed since the first day."
    reference = [date(2026, 1, 1) + timedelta(k) for k in range(40)]
    now = [reference[-1] + timedelta(1 + k) for k in range(days)]
    before, after = counted(rng, np.zeros(len(shifts)), 40), counted(rng, shifts, days)
    questions = feature_questions(
        now, after, reference, before, {name: RULE for name in after}, 0.005, 7, 1.0
    )
    is_open = np.zeros((days, len(questions)), dtype=bool)
    is_open[-1, 0] = True
    since = np.where(is_open, 0, -1)
    flat = np.zeros((days, len(questions)))
    followed = Followed(flat, flat[-1], is_open, since)
    return Findings(now, questions, followed, np.zeros(days, dtype=bool), Figure(0.0), Figure(0.0))


def test_what_moved_with_an_alarm_is_named_on_its_first_day():
    found = found_on_a_day(np.random.default_rng(0), [1.0, 0.8, 0.0, -0.8, 0.0])
    assert moved_with(found) == ["f1", "f3"]
    found.muted[-1] = True
    assert moved_with(found) == []
    found.muted[-1], found.followed.open[-1, 0] = False, False
    assert moved_with(found) == []  # nothing is looked into, so nothing is asked


def test_the_chance_of_a_day_is_no_smaller_than_that_of_rows():
    "Of one set alone: the binomial tail, doubled for its sides; days that differ make it larger."
    found = found_on_a_day(np.random.default_rng(3), [1.0, 0.3])
    question = found.questions[1]
    now, normal, tolerance = question.since.args
    usual, n = normal.at(now.kind)[0][0], now.n[0]
    rows = []
    for k in range(now.hits.shape[1]):
        margin = tolerance + 2 * normal.error[k]
        hits = now.hits[0, k]
        rows += [
            stats.binom.sf(hits - 1, n, min(usual[k] + margin, 1 - 1e-9)) if hits else 1.0,
            stats.binom.cdf(hits, n, max(usual[k] - margin, 1e-9)),
        ]
    assert question.since(0) >= min(1.0, min(rows) * len(rows)) - 1e-12
    assert question.since(1) == 1.0  # no day is asked about


def test_what_has_not_moved_is_seldom_named():
    rng, runs = np.random.default_rng(8), 120
    named = sum(bool(moved_with(found_on_a_day(rng, [1.0, 0, 0, 0, 0, 0]))) for _ in range(runs))
    assert named / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
