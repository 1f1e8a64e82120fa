"""What is said of counts, exactly: at the edge of what is near, of the largest sites."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import numpy as np

from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.performance import confusion
from aiops_wb.watch.dial import calls_in_words
from aiops_wb.watch.false_positives import false_positives
from aiops_wb.watch.figures import _degraded
from aiops_wb.watch.tuned_life import Tuner
from aiops_wb.watch.words import labelled_like, number, percent

DAY = date(2026, 3, 1)


def test_events_like_one_are_those_within_reach_on_both_sides():
    counts = ScoreCounts.from_events([-501, -500, 0, 500, 501], [1.0, 0, np.nan, 1, 1])
    days = {DAY: counts, DAY + timedelta(1): counts}
    asked = labelled_like(days, [DAY, DAY + timedelta(5)], 0)
    assert asked == "2 of 4 labelled events scored within 0.5 log-odds of it"
    both = labelled_like(days, days, 1, reach=501)
    assert both == "6 of 8 labelled events scored within 0.501 log-odds of it"
    assert [number(0.12345), number(2.0, 1), number(float("nan"))] == ["0.123", "2.0", "-"]
    assert [percent(0.9951), percent(0.5, 1)] == ["99.5%", "50.0%"]


def view_of_sites(n):
    counts = ScoreCounts.from_events([-100, 0, 100], [0.0, 0, 1])
    asked = []

    def segments(*days, **which):
        asked.append((days, which))
        return {f"site=s{i:02}": counts for i in range(n)}

    settings = SimpleNamespace(recent_days=7)
    of = {"model": "m", "version": "v1", "day": DAY, "as_of": None, "threshold": 0}
    reader = SimpleNamespace(segment_counts=segments)
    return SimpleNamespace(reader=reader, settings=settings, **of), counts, asked


def test_of_sites_the_twelve_largest_are_told_apart_over_the_recent_days():
    view, counts, asked = view_of_sites(14)
    found = list(false_positives(view, "site"))
    assert [of.name for of in found] == [f"s{i:02}" for i in range(12)]
    assert {(of.threshold, of.at_threshold) for of in found} == {(0, confusion(counts, 0))}
    assert asked == [(("m", DAY - timedelta(6), DAY), {"version": "v1", "as_of": None})]
    assert len(list(false_positives(view, "site", 13))) == 13


def test_a_tenant_is_degraded_where_a_held_out_figure_is_clearly_lost():
    figure = lambda value, lower, upper, n: SimpleNamespace(
        value=value, lower=lower, upper=upper, n=n
    )
    baseline = {"pr_auc": 0.9, "roc_auc": 0.9}

    def told(baseline, upper, n):
        of = {name: figure(0.5, 0.4, upper, n) for name in ("pr_auc", "roc_auc", "accuracy")}
        view = SimpleNamespace(quality=SimpleNamespace(baseline=baseline))
        return _degraded(view, SimpleNamespace(ordinary=of))

    assert [told(baseline, 0.6, 80).value, told(baseline, 1.0, 80).value] == [1.0, 0.0]
    assert np.isnan(told({}, 0.6, 80).value) and np.isnan(told(baseline, 0.6, 0).value)
    assert told(baseline, 0.6, 80).n == 80


def test_calls_of_a_new_version_are_told_a_day_and_those_at_the_best_f1():
    known = ScoreCounts.from_events([-100, 0, 100, 200], [0.0, 0, 1, 1])  # half of its events
    card = {"held_out_events": 8, "held_out_days": 4, "threshold": 0, "best_f1": 150}
    assert calls_in_words(known, card) == (
        "at its threshold somebody is called 1.5 times a day; "
        "at the best F1 of these days it would be 0.5"
    )
    alone = "at its threshold somebody is called 0.5 times a day"
    assert calls_in_words(known, card | {"threshold": 200, "best_f1": None}) == alone


def test_a_change_rests_for_the_days_of_its_rule():
    limits = SimpleNamespace(cooldown_days=7)
    life = SimpleNamespace(rules=SimpleNamespace(limits=limits), _changed=None)
    at = datetime(2026, 3, 1)
    assert not Tuner._rests(life, at)
    life._changed = at
    rests = [Tuner._rests(life, at + timedelta(days)) for days in (-1, 0, 6.9, 7, 8)]
    assert rests == [True, True, True, False, False]
