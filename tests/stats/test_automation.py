"""Rules for tickets, the controller and the watch."""

import json
import re
import warnings
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from conftest import few
from hypothesis import given
from hypothesis import strategies as st
from mapie.exchangeability_testing import RiskMonitoring
from scipy import stats

from aiops_wb.stats.automation import (
    BETS,
    METHODS,
    Certainty,
    Control,
    PromiseWatch,
    TicketRule,
    certainty,
    day_rule,
    label_rule,
    rate_rule,
    row_rule,
    select,
    thresholds_down,
    venn_abers_rule,
    width_rule,
)
from aiops_wb.stats.conformal import Calibration, LabelConditional, calibrate, venn_abers
from aiops_wb.stats.counts import ScoreCounts, total
from aiops_wb.stats.decisions import decide
from aiops_wb.stats.points import Grid
from bench import guarantees

FIRST = date(2026, 1, 1)


def made(days=70, per_day=60, seed=0, false=0.02):
    "Days of events whose negatives thin out towards the top."
    rng = np.random.default_rng(seed)
    for _ in range(days):
        points = rng.integers(-2000, 5000, per_day)
        share = np.clip(false + np.exp(-(points - 400) / 700), 0, 1)
        yield ScoreCounts.from_events(points, rng.random(per_day) >= share)


DAYS = {FIRST + timedelta(i): c for i, c in enumerate(made())}


@pytest.mark.parametrize(
    "name",
    few(
        [
            "coverage_rank",
            "coverage_by_label",
            "ltt_row_iid",
            "ltt_day",
            "crc",
            "selection_batch",
            "online_delay7",
            "monitor_ever_alarm",
        ],
        "coverage_by_label",
        "ltt_day",
        "crc",
        "monitor_ever_alarm",
    ),
)
def test_a_guarantee_holds_in_simulation(name):
    found = guarantees.ALL[name](300)
    assert found["holds"], found


def test_the_row_rule_fails_on_days_that_move_together_and_the_day_rule_does_not():
    rows, days = guarantees.ltt_row_days(200), guarantees.ltt_day(200)
    assert (
        not rows["holds"]
        and rows["observed"] > 2 * rows["promised"] - 3 * rows["se"]
        and days["holds"]
    )


def above(counts, at):
    kept = counts.points >= at
    return int(counts.n_labelled[kept].sum()), int(counts.n_negative[kept].sum())


def test_the_row_rule_is_the_walk_by_definition():
    counts, target, delta = total(DAYS.values()), 0.1, 0.1
    expected = None
    for t in thresholds_down(405):
        n, false = above(counts, t)
        rejected = lambda k, n=n: (
            (k == 0 or k <= target * n - 1) and stats.binom.cdf(k, n, target) <= delta
        )
        if not n or not rejected(np.ceil(target / 20 * n)):
            continue
        if not rejected(false):
            break
        expected = int(t)
    rule = row_rule(counts, target, 1 - delta, floor=405)
    assert rule.threshold == expected and (rule.tickets, rule.false) == above(counts, expected)


@pytest.mark.parametrize("bound", ["betting", "t"])
def test_the_day_rule_is_the_walk_by_definition(bound):
    days, target, delta = list(DAYS.values()), 0.1, 0.1

    def passes(t, perfect=False):
        pairs = [above(d, t) for d in days]
        if bound == "t":
            z = np.array([f - target * n for n, f in pairs])
            p = stats.ttest_1samp(z, 0, alternative="less").pvalue if z.std() else 1.0
            return sum(n > 0 for n, _ in pairs) >= 10 and (perfect or p <= delta)
        if perfect:  # a twentieth of the allowed false tickets, dealt to the smallest days first
            sizes = sorted(n for n, _ in pairs if n)
            false, wrong = [0] * len(sizes), int(np.ceil(target / 20 * sum(sizes)))
            for i in range(wrong if sizes else 0):
                false[i % len(sizes)] += 1
            pairs = [(n, min(n, f)) for n, f in zip(sizes, false)]
        shares = [f / n for n, f in pairs if n]
        capital = np.mean(
            [np.prod([1 - b / (1 - target) * (r - target) for r in shares]) for b in BETS]
        )
        return capital >= 1 / delta

    expected = None
    for t in thresholds_down(405):
        if not passes(t, perfect=True):
            continue
        if not passes(t):
            break
        expected = int(t)
    assert (
        expected is not None
        and day_rule(days, target, 1 - delta, floor=405, bound=bound).threshold == expected
    )


@pytest.mark.parametrize("target", [0.3, 0.01, 1e-4, 1e-9])
def test_the_days_that_a_small_share_needs_are_named_at_once(target):
    """The first number of days without a false ticket after which the mean of the bets reaches 1 /
    delta.
    """
    reason = day_rule(
        [ScoreCounts.from_events(np.full(10, 3000), np.ones(10))] * 3, target, 0.9, floor=405
    ).reason
    days = int(re.search(r"at least (\d+) days with labelled tickets", reason)[1])
    capital = lambda k: np.mean(np.exp(k * np.log1p(BETS * target / (1 - target))))
    assert capital(days - 1) < 10 <= capital(days)


def test_a_fixed_start_ignores_what_lies_above_and_needs_its_own_evidence():
    counts = total(DAYS.values())
    assert row_rule(counts, floor=405, start=16000).threshold is None
    assert (
        row_rule(counts, floor=405, start=3000).threshold == row_rule(counts, floor=405).threshold
    )


@pytest.mark.parametrize(
    "rule",
    [
        lambda c, f: row_rule(c, floor=f),
        lambda c, f: day_rule([c], floor=f),
        lambda c, f: day_rule([c], floor=f, bound="t"),
        lambda c, f: rate_rule(c, floor=f),
        lambda c, f: venn_abers_rule(venn_abers(c)),
        lambda c, f: label_rule(LabelConditional(c)),
    ],
)
@pytest.mark.parametrize(
    "counts",
    [
        ScoreCounts.empty(),
        ScoreCounts.from_events([3000]),
        ScoreCounts.from_events([3000], [1]),
        ScoreCounts.from_events(np.arange(1000, 1020), np.ones(20)),
    ],
)
def test_small_samples_automate_nothing_and_say_why(rule, counts):
    refused = rule(counts, 405)
    assert refused.threshold is None and refused.reason and not refused.certain(16000)
    assert TicketRule(**json.loads(json.dumps(refused.to_json()))) == refused


def test_the_reasons_name_what_is_missing():
    assert "no event of high risk" in row_rule(ScoreCounts.from_events([0], [1]), floor=405).reason
    assert (
        "at least 22 without a false one"
        in row_rule(ScoreCounts.from_events(np.full(10, 900), np.ones(10)), floor=405).reason
    )
    assert (
        "the first with enough evidence to judge, 100 of 100"
        in row_rule(ScoreCounts.from_events(np.full(100, 900), np.zeros(100)), floor=405).reason
    )
    assert (
        "at least 49 are needed"
        in rate_rule(ScoreCounts.from_events(np.full(10, 900), np.ones(10)), 0.02).reason
    )
    for call in (
        lambda: row_rule(ScoreCounts.empty(), 0),
        lambda: day_rule([], 0.1, 1.0),
        lambda: rate_rule(ScoreCounts.empty(), 1.5),
    ):
        with pytest.raises(ValueError, match="between 0 and 1"):
            call()
    with pytest.raises(ValueError, match="betting"):
        day_rule([], bound="hoeffding")


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 1)), min_size=1, max_size=40),
    st.lists(st.integers(0, 30), max_size=15),
    st.sampled_from([0.1, 0.3, 0.6]),
    st.sampled_from([None, 12]),
)
def test_selection_is_benjamini_hochberg_on_p_values_by_counting(pairs, batch, target, floor):
    points, y = (np.array(c) for c in zip(*pairs))
    picked = select(
        ScoreCounts.from_events(points, y), np.array(batch, dtype=int), target, floor
    ).selected
    p = np.array(
        [
            (1 + ((y == 0) & (points >= s)).sum()) / (len(y) + 1) if s >= (floor or 0) else 1.0
            for s in batch
        ]
    )
    m, best = len(batch), -1.0
    for k in range(1, m + 1):
        if np.sort(p)[k - 1] <= target * k / m + 1e-12:
            best = np.sort(p)[k - 1]
    assert picked.tolist() == [bool(v <= best) for v in p]


def test_the_rate_rule_counts_one_more_false_ticket_than_it_saw():
    points = np.arange(1000, 2000)
    counts = ScoreCounts.from_events(points, points % 10 != 0)  # one in ten is negative
    rule = rate_rule(counts, 0.02, floor=405)
    assert rule.false + 1 <= 0.02 * 1001 and above(counts, rule.threshold - 50)[1] + 1 > 0.02 * 1001


def test_methods_as_thresholds_agree_with_their_definitions():
    counts, grid = total(DAYS.values()), Grid()
    ladder = np.arange(405, 9000, 7)
    narrow = Calibration({0.9: 0.08}, 500)
    rule = width_rule(narrow, 0.9, 0.2)
    assert all(
        rule.certain(t)
        == (
            decide(float(grid.inverse(t)), narrow.interval(float(grid.inverse(t)))).route
            == "ticket"
        )
        for t in ladder
    )
    assert (
        width_rule(Calibration({0.9: 0.25}, 500)).threshold is None
        and width_rule(Calibration({0.9: np.inf}, 5)).threshold is None
    )
    table = LabelConditional(counts)
    inside = table.sets(ladder)
    assert [label_rule(table).certain(t) for t in ladder] == (inside.one & ~inside.zero).tolist()
    bounds = venn_abers(counts.coarsen(20))
    assert [venn_abers_rule(bounds, 0.1).certain(t) for t in ladder] == (
        bounds.intervals(ladder)[0] >= 0.9
    ).tolist()


@pytest.mark.parametrize("method", METHODS)
def test_certainty_of_every_policy_survives_json_and_replays(method):
    now = datetime(2026, 3, 15, tzinfo=UTC)
    stands = certainty(
        DAYS,
        max(DAYS),
        method=method,
        model="m",
        version="v",
        created_at=now,
        time_to_live=timedelta(days=30),
        counted=date(2026, 3, 1),
    )
    again = Certainty.from_json(json.loads(json.dumps(stands.to_json())))
    assert (
        again.to_json() == stands.to_json()
        and again.rule.method == method
        and again.counted == date(2026, 3, 1)
    )
    for points in (-16000, 0, 404, 405, 2000, 16000):
        decision = again.decide(points)
        assert decision == stands.decide(points) and decision.reason
        assert (decision.route == "monitor") == (points < 405)
        assert again.at(now + timedelta(days=31)).decide(points).route != "ticket"
    assert (stands.decide(16000).route == "ticket") == (
        method not in ("off",) and stands.rule.threshold is not None
    )
    assert (
        stands.set_of(16000) in ("{1}", "{0, 1}")
        and 0 <= stands.interval(0)[0] <= stands.interval(0)[1] <= 1
    )


def test_an_older_calibration_automates_nothing():
    old = Certainty.from_json(calibrate(total(DAYS.values())).to_json())
    assert (
        old.decide(16000).route == "alert"
        and "older kind" in old.decide(16000).reason
        and old.interval(3000) == (0.0, 1.0)
    )


def test_the_rule_waits_for_complete_labels():
    young = {d: c for d, c in DAYS.items()}
    last = max(young)
    spoiled = young | {
        last - timedelta(i): ScoreCounts.from_events(np.full(40, 3000), np.zeros(40))
        for i in range(7)
    }
    in_ = last - timedelta(7)
    waits = lambda days: certainty(days, last, complete=in_, method="days").rule
    assert waits(spoiled) == waits(young) != certainty(spoiled, last, method="days").rule


def test_what_is_owed_counts_as_false():
    "Tickets without a label that may still come are false until it does."
    half = {
        d: ScoreCounts.of(c.points, 2 * c.n, c.n_labelled, c.n_positive) for d, c in DAYS.items()
    }
    last = max(DAYS)
    rule = lambda chance: certainty(half, last, owed=dict.fromkeys(half, chance)).rule
    sure = rule(0.0)
    assert sure == certainty(half, last).rule and sure.threshold is not None
    careful, worst = rule(0.02), rule(1.0)
    assert careful.threshold is None or careful.threshold >= sure.threshold
    assert worst.threshold is None  # half of all tickets may be false


@pytest.mark.parametrize("method, every", [("days", 4), ("days-t", 10)])
def test_the_walk_begins_where_whole_tickets_do_whatever_is_owed(method, every):
    """Three false tickets among few of the highest score end a walk that begins there; that a
    hundredth of a ticket is owed on every day is no reason to begin there."""
    sparse = lambda i: int(i % every == 0)
    days = {
        FIRST + timedelta(i): ScoreCounts.of(
            np.array([1500, 4000]),
            np.array([20, 2]),
            np.array([20, sparse(i)]),
            np.array([20, sparse(i) * (i not in (0, every, 2 * every))]),
        )
        for i in range(60)
    }
    last = max(days)
    rule = lambda chance: (
        certainty(days, last, method=method, owed=dict.fromkeys(days, chance), target=0.2).rule
    )
    known, charged = rule(0.0), rule(0.01)
    assert known.threshold is not None and known.threshold < 4000
    assert (charged.threshold, charged.days) == (known.threshold, known.days)


def test_while_an_alarm_is_open_only_later_days_count():
    last = max(DAYS)
    whole = certainty(DAYS, last).rule
    few = certainty(DAYS, last, changed=last - timedelta(5)).rule
    assert whole.threshold is not None and few.threshold is None
    assert f"since {last - timedelta(5):%-d %B %Y} a score means something else" in few.reason
    many = certainty(DAYS, last, changed=min(DAYS) - timedelta(1)).rule
    assert many.threshold == whole.threshold and "only the days after it count" in many.reason
    for method in ("venn-abers", "labels"):
        assert certainty(DAYS, last, method=method).rule.threshold is not None
        stopped = certainty(DAYS, last, method=method, changed=last - timedelta(5)).rule
        assert stopped.threshold is None and "rests on earlier days" in stopped.reason


def test_certainty_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="choose one of"):
        certainty(DAYS, max(DAYS), method="magic")
    with pytest.raises(ValueError, match="too few"):
        certainty({}, FIRST)
    with pytest.raises(ValueError, match="linear"):
        certainty(
            {FIRST: ScoreCounts.from_events(np.arange(50), np.ones(50), Grid("linear"))}, FIRST
        )


def run_control(streams, delay, **knobs):
    control, used, states = Control(delay_days=delay, **knobs), [], []
    for day in range(len(streams)):
        used.append(control.threshold())
        if day >= delay:
            control = control.after(streams[day - delay], used[day - delay])
        states.append(control)
    return states


def test_the_controller_follows_the_target_recovers_by_probing_and_survives_json():
    rng = np.random.default_rng(8)
    streams = []
    for day in range(300):
        bad = 100 <= day < 140
        points = rng.integers(405, 5000, 80)
        streams.append(
            ScoreCounts.from_events(
                points, rng.random(80) >= (0.8 if bad else np.exp(-(points - 405) / 1200))
            )
        )
    states = run_control(streams, 7)
    assert any(s.threshold() is None for s in states[100:160])
    assert states[-1].threshold() is not None and all(s.excess <= s.bound for s in states)
    assert Control(**json.loads(json.dumps(states[50].__dict__))) == states[50]
    assert states[99].days == 93


def test_the_controller_does_not_fall_asleep_just_below_one():
    bad = ScoreCounts.from_events(np.full(40, 4100), np.zeros(40))
    good = ScoreCounts.from_events(np.full(40, 4100), np.ones(40))
    control = Control(rate=0.1)
    for counts in [bad] * 10 + [good] * 200:
        control = control.after(counts, control.threshold())
    assert control.threshold() < 4100 and control.excess <= control.bound


def test_without_candidates_or_labels_the_controller_stays():
    control = Control()
    for counts in (
        ScoreCounts.empty(),
        ScoreCounts.from_events([3000]),
        ScoreCounts.from_events([-500], [0]),
    ):
        after = control.after(counts, 405)
        assert (after.level, after.excess, after.days) == (control.level, 0.0, 1)
    with pytest.raises(ValueError, match="not allowed"):
        Control(rate=0)


def test_the_watch_names_the_day_and_stops_automation():
    watch = PromiseWatch()
    for i in range(40):
        watch = watch.after(FIRST + timedelta(i), 20, 10 if i >= 10 else 1)
    assert str(FIRST + timedelta(10)) < watch.broken_on <= str(FIRST + timedelta(20))
    stopped = certainty(DAYS, max(DAYS), watch=watch)
    assert stopped.rule.threshold is None and watch.broken_on in stopped.rule.reason
    assert watch.after("later", 0, 0) == watch
    with pytest.raises(ValueError, match="0 <= false <= tickets"):
        watch.after("later", 3, 4)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=30))
def test_the_watch_is_the_mean_of_its_bets(days):
    watch, factors = PromiseWatch(0.2), []
    for i, (tickets, false) in enumerate(days):
        false = min(false, tickets)
        watch = watch.after(str(i), tickets, false)
        factors.append(1 + BETS / 0.2 * (false / tickets - 0.2))
    parts = [np.prod(factors[j:], axis=0).mean() / ((j + 1) * (j + 2)) for j in range(len(days))]
    assert watch.evidence == pytest.approx(
        sum(parts) + 1 / (len(days) + 1), rel=1e-9
    ) and watch.days == len(days)


def test_the_watch_is_not_lulled_by_a_long_good_spell():
    watch = PromiseWatch(0.2)
    for i in range(200):
        watch = watch.after(str(i), 12, 0)
    for i in range(200, 260):
        watch = watch.after(str(i), 12, 5)
    assert watch.broken_on and int(watch.broken_on) < 240


@pytest.mark.parametrize(("rate", "alarm"), [(0.35, True), (0.05, False)])
def test_the_watch_agrees_with_mapie_on_the_same_stream(rate, alarm):
    false = (np.random.default_rng(9).random(400) < rate).astype(int)
    watch = PromiseWatch(0.1)
    for i, f in enumerate(false):
        watch = watch.after(str(i), 1, int(f))
    peer = RiskMonitoring(
        risk="accuracy", threshold=0.1, warn=False
    )  # loss: an error, here a false ticket
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.update(np.zeros(400, dtype=int), false)
    assert bool(watch.broken_on) == alarm == peer.harmful_shift_detected


def test_a_controller_starts_where_high_risk_begins():
    "At the threshold in force, where that is told in points, else at the floor."
    rng, days = np.random.default_rng(8), {}
    for i in range(30):
        points = rng.integers(-3000, 3000, 60)
        days[date(2026, 3, 1) + timedelta(i)] = ScoreCounts.from_events(points, points > 0)
    for asked, high in (({}, 405), ({"floor": 0.7}, 847), ({"high": -405}, -405)):
        stands = certainty(days, max(days), method="control", **asked)
        assert stands.rule.threshold == high
        begins = [stands.control.floor, stands.control.first]
        assert Grid().quantise(begins).tolist() == [high, high]
