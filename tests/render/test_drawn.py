"""Every picture as numbers, in its usual case and at its edges, held to what was recorded."""

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from in_numbers import in_numbers
from recorded import hold

from aiops_wb.render import plots
from aiops_wb.render.plots.answers import (
    both_losses,
    curves_of,
    pushes,
    scores_by_label,
    with_intervals,
)
from aiops_wb.render.plots.chart import in_a_cell, nothing
from aiops_wb.render.plots.in_words import panels_in_words
from aiops_wb.render.plots.replayed import lived_again, trained_again
from aiops_wb.stats.automation import Certainty, TicketRule, venn_abers
from aiops_wb.stats.bridge import Bridge, Part
from aiops_wb.stats.conformal import calibrate
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.coverage import CoverageReport, GroupCoverage, GroupReport
from aiops_wb.stats.drift import FeatureShift
from aiops_wb.stats.evidence import Block
from aiops_wb.stats.pace import Pace
from aiops_wb.stats.performance import Figure
from aiops_wb.stats.points import Grid
from aiops_wb.stats.recipes import NEVER, Gain, Lost
from aiops_wb.stats.selective import WeightedCurve
from aiops_wb.stats.thresholds import curve
from aiops_wb.watch.became import Became

MONDAY = date(2026, 1, 5)
nan = float("nan")
SCORES = np.arange(-3000, 3001, 200)
COUNTS = ScoreCounts.from_events(SCORES, (SCORES * 7 % 900 > 450 - SCORES / 8).astype(float))
LATER = ScoreCounts.from_events(SCORES[5:] + 90, np.full(len(SCORES) - 5, nan))
RULE = TicketRule("rows", 1000, 0.1, 0.95, "rows", "", "", 31)


def days(n):
    return [day.date() for day in pd.date_range(MONDAY, periods=n)]


def stands(threshold=1000):
    bounds = venn_abers(COUNTS)
    return Certainty(
        calibrate(COUNTS), {}, bounds, RULE.__class__(**vars(RULE) | {"threshold": threshold})
    )


def alerts(n):
    high = np.linspace(0.95, 0.6, n)
    routes = np.resize(["ticket", "alert", "odd"], n)
    return pd.DataFrame(
        {"probability": high, "lower": high - 0.1, "upper": high + 0.04, "route": routes}
    )


def coverage():
    report = {
        day: {"0": Figure(0.9 + i / 50), "1": Figure(0.8 - i / 50)} for i, day in enumerate(days(3))
    }
    by_label = {0: Figure(0.91, 0.88, 0.93, 80), 1: Figure(0.75)}
    return CoverageReport(Figure(0.9), by_label, report, {})


def groups():
    pooled, own = Figure(0.8, 0.7, 0.9, 500), Figure(0.92, 0.85, 0.99, 400)
    rows = [
        GroupCoverage(
            f"site number {i} of a very long name", i % 2, 28, pooled, own, (1.1, 1.2), i < 2
        )
        for i in range(3)
    ]
    return GroupReport(tuple(rows), (), 0.95, 0.9)


def part(factor, value, lower=nan, upper=nan):
    return Part(factor, Figure(value, lower, upper), "", {})


def why(figure, *parts, before=0.5, after=0.58):
    return Bridge(figure, before, after, Figure(after - before, 0.01, 0.2), parts, 1.0)


PARTS = part("mix", 0.1, 0.04, 0.16), part("scores", -0.02, -0.05, 0.01), part("version", 0.0009)


def feature(name, effect, lower, upper):
    return FeatureShift(
        name, "numeric", effect, lower, upper, 0.5, 3, *[0.1] * 3, (0, 0), (0, 0), 9, 9
    )


SHIFTS = [
    feature("a", 0.4, 0.35, 0.45),
    feature("b", 0.12, 0.1, 0.2),
    feature("none", nan, nan, nan),
]
CUTS = {"cuts": np.arange(11.0).tolist()}
NAMES = {"categories": [f"cat{i}" for i in range(14)]}


def seen():
    "A numeric feature, one of many categories, one of few with short names."
    up = np.arange(1.0, 17)
    vectors = {
        "a": (up[:14], up[:14][::-1], CUTS),
        "b": (up, up[::-1] * (up != 4), NAMES),
        "c": (up[:5], 0 * up[:5], {"categories": [1, 22, "ccc"]}),
    }
    shifts = [SHIFTS[0], SHIFTS[1], feature("c", 0.1, 0.0, 0.2), SHIFTS[2]]
    return SimpleNamespace(shifts=shifts, vectors=vectors)


def question(name, unit="of events", where="whole", at=None, n=4):
    stream = SimpleNamespace(name=name, unit=unit)
    series, normal = np.linspace(0.1, 0.4, n), np.linspace(0.2, 0.3, n)
    return SimpleNamespace(stream=stream, where=where, at=at, series=series, normal=normal)


def followed():
    names = ("score", "label", "volume", "x", "yy", "zzz")
    evidence = np.array(
        [[-20, 0, 1, 2, 3, 4], [2, 1, 30, -1, 3, 5], [25, 2, 8, 0, 9, 6], [1, 3, 8, 9, 2, 7.0]]
    )
    told = SimpleNamespace(
        evidence=evidence, bar=np.array([1.0, 2, 3, 4, 5, 6]), open=evidence > [9, 9, 7, 8, 5, 9]
    )
    units = ("of events", "logits", "log ratio", "of events", "of events", "of events")
    questions = [question(name, unit) for name, unit in zip(names, units)]
    chosen = days(4)
    return SimpleNamespace(
        questions=questions,
        followed=told,
        days=chosen,
        muted=np.array([False, True, True, False]),
        alarms=[SimpleNamespace(stream="x"), SimpleNamespace(stream="gone")],
        last=lambda n: (chosen[-n:], questions),
    )


def metrics(name, n=4, **told):
    whole = {"event_date": days(n)[::-1], "metric": name, "value": np.linspace(0.2, 0.8, n)}
    return pd.DataFrame(whole | {"lower": 0.1, "upper": np.linspace(0.5, 0.9, n)} | told)


def policies(n=9, names=("as it was", "other")):
    told = pd.DataFrame({"day": np.repeat(days(n), 2), "version": ["v1", "v2"] * n})
    told = told.assign(tickets=np.arange(2 * n), reviews=3, missed=0, false=np.arange(2 * n) % 3)
    return [Became(name, told.assign(tickets=told.tickets + i)) for i, name in enumerate(names)]


def lost():
    weeks = np.arange(21)
    of = {NEVER: 5.0 + weeks % 2, "monthly": 4.0 + weeks % 3, "on alarm": 6.0 - weeks / 21}
    return Lost(days(21), np.full(21, 10), of)


GAINS = [
    Gain("monthly", NEVER, 3, 7, 0.05, 0.01, 0.09),
    Gain("on alarm", NEVER, 3, 7, -0.02, -0.06, 0.02),
]
WEEKS = [
    Block(days(7 * k + 1)[-1], days(7 * k + 7)[-1], 50, g) for k, g in enumerate((0.2, 0.0, 0.3))
]
THREE = np.arange(3)[:, None] / 10 + [0.4, 0.3, 0.5]
WEIGHTED = WeightedCurve(np.array([-1000, 0, 1000]), THREE, THREE, THREE, THREE, 30)
PACE = Pace(
    np.array([0, 900]),
    np.array([[0, 0.5, 1], [0.2, 0.7, 1], [0.4, 0.9, 1]]),
    np.array([[0.1, 0.2, 1], [0.3, 0.4, 1], [0.5, 0.6, 1]]),
    np.ones(3),
)
LABELS = pd.Series([1, 0, 1, None], dtype="Int8")
SOME = pd.Series([0.9, 0.2, 0.55, 0.4])
RATES = pd.DataFrame(
    {"recall": [1, 0.8, 0.3], "precision": [0.2, 0.5, 0.9], "fpr": [0.9, 0.4, 0.1]}
)
PUSHED = [(f"feature {k}", (-1) ** k * (14.0 - k)) for k in range(14)]
TOLD = pd.DataFrame({"day": days(3), "a": [0.5, 0.4, 0.3], "b": [0.45, 0.5, 0.35]})
REASONS = pd.DataFrame(
    {"reason_1": ["a", "a", "b", None], "push_1": [1.0, 3, -1, nan]}
    | {"reason_2": ["c", None, "a", "c"], "push_2": [0.5, nan, 0.25, 0.75]}
    | {"reason_4": ["d"] * 4, "push_4": [9.0] * 4}
)

CHARTS = {
    "intervals of few": lambda: plots.intervals(alerts(5)),
    "intervals of many": lambda: plots.intervals(alerts(41)),
    "intervals of many, fewer asked": lambda: plots.intervals(alerts(9), limit=4),
    "intervals of as many": lambda: plots.intervals(alerts(40)),
    "intervals that are not known": lambda: plots.intervals(alerts(2).assign(lower=nan, upper=nan)),
    "intervals of none": lambda: plots.intervals(alerts(2).head(0)),
    "certainty": lambda: plots.certainty_curve(stands(), COUNTS, 200, 0.1),
    "certainty, a threshold below high": lambda: plots.certainty_curve(stands(0), COUNTS, 400, 0.3),
    "certainty without tickets": lambda: plots.certainty_curve(stands(None), COUNTS, 2000, 0.1),
    "certainty above all scores": lambda: plots.certainty_curve(stands(), COUNTS, 9000, 0.1),
    "certainty of no events": lambda: plots.certainty_curve(stands(), ScoreCounts.empty(), 0, 0.1),
    "coverage": lambda: plots.coverage_days(coverage()),
    "coverage as promised": lambda: plots.coverage_days(coverage(), 0.8),
    "coverage unknown": lambda: plots.coverage_days(None),
    "groups": lambda: plots.coverage_groups(groups()),
    "groups, the worst": lambda: plots.coverage_groups(groups(), limit=2),
    "no groups": lambda: plots.coverage_groups(None),
    "widths": lambda: plots.interval_widths(COUNTS, stands()),
    "widths unknown": lambda: plots.interval_widths(COUNTS, None),
    "widths of none": lambda: plots.interval_widths(ScoreCounts.empty(), stands()),
    "decisions": lambda: plots.decision_flow(),
    "bridge": lambda: plots.waterfall(why("precision", *PARTS)),
    "bridge a day": lambda: plots.waterfall(why("alerts", *PARTS, before=9.0, after=9.08)),
    "bridge of a loss": lambda: plots.waterfall(
        why("brier", part("mix", 0.08), part("scores", -0.08))
    ),
    "bridge of nothing": lambda: plots.waterfall(why("recall", part("mix", 0.0), after=0.5)),
    "bridge unknown": lambda: plots.waterfall(
        Bridge("recall", nan, nan, Figure(nan), unknown="why")
    ),
    "scores": lambda: plots.score_shift(LATER, COUNTS, at=400),
    "scores, no gap": lambda: plots.score_shift(COUNTS, LATER, names=("now", "then")),
    "scores of a linear grid": lambda: plots.score_shift(*[linear()] * 2),
    "no scores": lambda: plots.score_shift(COUNTS, ScoreCounts.empty()),
    "evidence": lambda: plots.evidence(followed()),
    "evidence of two streams": lambda: plots.evidence(followed(), most=2, last=3, columns=2),
    "no evidence": lambda: plots.evidence(SimpleNamespace(questions=[])),
    "streams": lambda: plots.stream_values(followed()),
    "named streams": lambda: plots.stream_values(
        followed(), ["volume", "label"], last=3, columns=1
    ),
    "no streams": lambda: plots.stream_values(followed(), ["other"]),
    "features": lambda: plots.feature_ranking(SHIFTS, 0.1),
    "the first feature": lambda: plots.feature_ranking(SHIFTS, 0.01, limit=1),
    "small moves": lambda: plots.feature_ranking([feature("a", 0.01, 0.0, 0.02)], 0.1),
    "no features": lambda: plots.feature_ranking(SHIFTS[2:], 0.1),
    "bins": lambda: plots.feature_bins(seen()),
    "bins of two": lambda: plots.feature_bins(seen(), limit=2, columns=2),
    "no bins": lambda: plots.feature_bins(SimpleNamespace(shifts=SHIFTS[2:])),
    "history": lambda: plots.history(
        pd.concat([metrics("recall"), metrics("alerts", value=[3.0, 9, 0, 4])]),
        ["recall", "alerts", "pr_auc"],
        {"recall": 0.6, "alerts": 5.0},
    ),
    "history of two days": lambda: plots.history(metrics("latency_p95_ms", 2), ["latency_p95_ms"]),
    "history in columns": lambda: plots.history(
        metrics("recall"), ["recall", "fpr", "f1"], columns=2
    ),
    "calibration": lambda: plots.reliability(COUNTS, bins=4),
    "pace": lambda: plots.label_pace(PACE),
    "pace unknown": lambda: plots.label_pace(None),
    "reasons": lambda: plots.reason_bars(REASONS),
    "reasons, the first of each": lambda: plots.reason_bars(REASONS, top=1, limit=1),
    "reasons, four of each": lambda: plots.reason_bars(REASONS, top=4),
    "weeks": lambda: plots.evidence_path(WEEKS, 240, "nats", {"v1": COUNTS, "v2": LATER}),
    "weeks as by default": lambda: plots.evidence_path(WEEKS[:2]),
    "no weeks": lambda: plots.evidence_path([]),
    "thresholds": lambda: plots.threshold_curve(
        curve(COUNTS), Grid(), 400, 900, 7, blind=-1000, weighted=WEIGHTED
    ),
    "thresholds, one": lambda: plots.threshold_curve(curve(COUNTS), Grid(), 400, 400, blind=-9000),
    "no thresholds": lambda: plots.threshold_curve(curve(ScoreCounts.empty()), Grid(), 0),
    "lived": lambda: lived_again(policies()),
    "lived, compared": lambda: lived_again(policies(), policies(names=["never"])[0]),
    "lived for long": lambda: lived_again(policies(61, "abcdef")),
    "lived for sixty days": lambda: lived_again(policies(60)),
    "lived without events": lambda: lived_again(policies(0)),
    "trained": lambda: trained_again(lost(), GAINS),
    "trained in other units": lambda: trained_again(lost(), GAINS[:1], "euro"),
    "trained without labels": lambda: trained_again(
        Lost([], np.array([]), {NEVER: np.array([])}), []
    ),
    "scores by label": lambda: scores_by_label(SOME, LABELS, "probability"),
    "scores without labels": lambda: scores_by_label(10 * SOME, None, "score"),
    "scores that are one": lambda: scores_by_label(SOME.head(1), LABELS, "score"),
    "no scores by label": lambda: scores_by_label(SOME.head(0), None, "score"),
    "figures": lambda: with_intervals(
        ["recall", "precision", "fpr"], [(0.5, 0.4, 0.6), (0.9, nan, nan), (nan, 0.1, 0.2)], "Said."
    ),
    "four figures": lambda: with_intervals("abcd", [(0.5, 0.4, 0.6)] * 4),
    "no figures": lambda: with_intervals("a", [(nan, nan, nan)]),
    "curves": lambda: curves_of({f"group {k}": RATES for k in range(14)}, "Said."),
    "a curve": lambda: curves_of({"one": RATES, "none": RATES.assign(recall=nan)}),
    "no curves": lambda: curves_of({"none": RATES.assign(recall=nan)}),
    "pushes": lambda: pushes(PUSHED, "Why", "Said."),
    "two pushes": lambda: pushes([("a" * 40, 1.0), ("b", 0.0)], "Why"),
    "pushes, the first": lambda: pushes(PUSHED, "Why", most=2),
    "no pushes": lambda: pushes([], "Why"),
    "losses": lambda: both_losses(
        TOLD, ("v1", "v2"), {"both": 9, "v1 alone": 4, "v2 alone": 1}, "Said."
    ),
    "losses unknown": lambda: both_losses(TOLD.head(0), ("v1", "v2"), {"both": 9, "x" * 30: 2}),
    "no losses": lambda: both_losses(TOLD, ("v1", "v2"), {}),
    "a cell": lambda: in_a_cell(plots.coverage_days(None), height=2.0),
    "a narrow one in a cell": lambda: in_a_cell(nothing("Called", "why")),
}


def linear():
    return ScoreCounts.from_events(SCORES, None, Grid("linear"))


@pytest.mark.parametrize("name", CHARTS)
def test_a_picture_is_what_it_was(name):
    chart = CHARTS[name]()
    hold(__file__, name, f"{in_numbers(chart)}\nin words {panels_in_words(chart)}")


@pytest.mark.parametrize(
    "name", ["certainty", "evidence", "bins", "groups", "bridge", "widths unknown"]
)
def test_a_drawing_is_what_it_was(name):
    svg = CHARTS[name]()._repr_svg_()
    hold(__file__, f"SVG: {name}", svg.replace("><", ">\n<").replace("}", "}\n"))
