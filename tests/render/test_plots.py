"""Pictures are held to what can be wrong in them: labels, and the empty case."""

import re
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from read_pages import drawings

from aiops_wb.config import Settings
from aiops_wb.render import plots
from aiops_wb.render.plots.answers import with_intervals
from aiops_wb.render.plots.in_words import says_unit
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.evidence import Block, log_evidence
from aiops_wb.stats.points import Grid
from aiops_wb.stats.thresholds import curve
from aiops_wb.watch.alarms import Observed, follow_version
from bench.years import Year


def texts(chart):
    return [t.strip() for t in re.findall(r"<text[^>]*>([^<]*)</text>", chart._repr_svg_())]


def bare(chart):
    "Panels of which an axis does not say what its numbers are."
    shown = [ax for ax in chart.axes if ax.axison]
    return [ax.get_title("left") for ax in shown for a in (ax.xaxis, ax.yaxis) if not says_unit(a)]


def titles(chart):
    return [ax.get_title("left") for ax in chart.axes if ax.axison]


def words(chart):
    "What a chart is called, and what it shows."
    (drawing,) = drawings(chart._repr_svg_())
    return drawing.title, drawing.says


def test_a_chart_says_in_words_what_its_panels_show():
    days = pd.date_range("2026-01-01", periods=3).date
    known = pd.DataFrame({"event_date": days, "value": [0.5, 0.25, 0.75], "lower": np.nan})
    metrics = [known.assign(metric=name, upper=np.nan) for name in ("recall", "latency_p95_ms")]
    chart = plots.history(pd.concat(metrics), ["recall", "latency_p95_ms", "pr_auc"])
    called, says = words(chart)
    assert called == "Day by day: Recall, Latency p95, PR-AUC" and not bare(chart)
    assert says == (
        "Recall: 1 January 2026 to 3 January 2026; 25.0% to 75.0%, at the end 75.0%. "
        "Latency p95 (ms) (ms): 1 January 2026 to 3 January 2026; 0.25 to 0.75, at the end 0.75. "
        "PR-AUC: not known yet."
    )


def test_bars_points_and_marks_are_told_with_their_units():
    reasons = pd.DataFrame({"reason_1": ["a", "a", "b"], "push_1": [1.0, 3.0, -1.0]})
    chart = plots.reason_bars(reasons)
    _, says = words(chart)
    assert "2 bars, the longest a 66.7%" in says and not bare(chart)
    assert "Mean push when a reason: log-odds -1 to 2; 2 bars, the longest a 2." in says
    counts = ScoreCounts.from_events(np.arange(-3000, 3000, 50), np.tile([0.0, 1.0], 60))
    calibrated = plots.reliability(counts)
    assert "10 points between 0.5 and 0.5" in words(calibrated)[1] and not bare(calibrated)
    chosen = plots.threshold_curve(curve(counts), Grid(), current=0, candidate=500)
    _, says = words(chosen)
    assert "score (probability, log-odds scale) 0.05 to 0.95" in says and not bare(chosen)
    assert "recall" in says and says.endswith("in force; candidate.")
    assert "largest gap" in words(plots.score_shift(counts, counts, at=0))[1]
    assert words(plots.decision_flow())[1].startswith("A score becomes points.")


def test_tick_labels_keep_their_digits():
    counts = ScoreCounts.from_events(np.arange(-9_500, 9_500, 50), np.tile([0.0, 1.0], 190))
    shown = texts(plots.threshold_curve(curve(counts), Grid(), current=0))
    assert {"0.0001", "0.001", "0.95", "0.99", "0.999"} <= set(shown)
    metrics = pd.DataFrame(
        {
            "event_date": pd.date_range("2026-01-01", periods=4).date,
            "metric": "mean_width",
            "value": [0.205, 0.215, 0.225, 0.235],
            "lower": np.nan,
            "upper": np.nan,
        }
    )
    ticks = [t for t in texts(plots.history(metrics, ["mean_width"])) if re.fullmatch(r"0\.\d+", t)]
    assert len(ticks) >= 3 and len(set(ticks)) == len(ticks)


@pytest.mark.parametrize(
    ("chart", "says"),
    [
        (lambda: plots.threshold_curve(curve(ScoreCounts.empty()), Grid(), 0), "no events"),
        (
            lambda: plots.score_shift(ScoreCounts.empty(), ScoreCounts.from_events([1])),
            "one of the windows is empty",
        ),
        (lambda: plots.reliability(ScoreCounts.from_events([1, 2])), "no labels are known yet"),
        (
            lambda: plots.reliability(ScoreCounts.from_events([1, 2], [0.0, 1.0], Grid("linear"))),
            "the scores are no probabilities",
        ),
        (lambda: plots.intervals(pd.DataFrame()), "no alerts on this day"),
        (lambda: plots.reason_bars(pd.DataFrame()), "no alert has a reason to show"),
        (lambda: plots.evidence_path([], 240), "no whole week of shadow has its labels yet"),
    ],
)
def test_a_picture_of_nothing_says_so(chart, says):
    assert says in texts(chart())


def test_the_evidence_of_weeks_is_drawn_to_what_is_needed():
    monday = date(2026, 1, 5)
    blocks = [
        Block(monday + timedelta(7 * k), monday + timedelta(7 * k + 6), 50, gain)
        for k, gain in enumerate((0.2, -0.1, 0.3))
    ]
    counts = ScoreCounts.from_events([0, 1000, 2000, 3000], [0, 1, 0, 1])
    chart = plots.evidence_path(blocks, 240, "false calls", {"v1": counts, "v2": counts})
    weeks, path, precision = chart.axes
    assert max(precision.lines[0].get_xdata()) == 1.0 and len(precision.lines) == 2
    assert [bar.get_height() for bar in weeks.patches] == [0.2, -0.1, 0.3]
    assert np.allclose(path.lines[0].get_ydata(), np.exp(log_evidence([0.2, -0.1, 0.3])))
    assert {"false calls less per event", "needed: 240", "v1", "v2"} <= set(texts(chart))
    assert len(plots.evidence_path(blocks, 240).axes) == 3


def test_rates_of_one_event_without_a_label_are_no_line():
    counts = ScoreCounts.from_events(np.array([300]), np.array([np.nan]))
    chart = plots.threshold_curve(curve(counts), Grid(), current=0)
    assert "precision" in texts(chart) and "Alerts a day" in texts(chart)


@pytest.fixture(scope="module")
def drifting():
    "Three weeks of a version, of whose four features one has moved since the tenth day."
    year = Year(5, days=21, change=9, shift=2.0, features=4)
    m = len(year.reference)
    seen = Observed(
        dict(zip(year.days, year.scores[m:])),
        dict(zip(year.reference, year.scores[:m])),
        year.days,
        {f: table[m:] for f, table in year.features.items()},
        year.reference,
        {f: table[:m] for f, table in year.features.items()},
        {f: {"cuts": year.cuts.tolist()} for f in year.features},
    )
    return follow_version(seen, year.days[-1], Settings(label_delay_days=1))


def test_evidence_is_of_nine_streams_three_in_a_row_the_ones_that_matter_first(drifting):
    chart = plots.evidence(drifting)
    shown = titles(chart)
    names = [q.stream.name for q in drifting.questions]
    assert len(names) == 10 and len(shown) == 9 and {*shown} < {*names}
    assert {*shown[:3]} == {*plots.FIRST_STREAMS} and shown[3] == "x00"
    assert [ax.get_subplotspec().colspan.start for ax in chart.axes] == [0, 1, 2] * 3
    assert [bool(ax.get_ylabel()) for ax in chart.axes] == [True, False, False] * 3
    for ax in chart.axes:
        i = names.index(ax.get_title("left"))
        expected = (drifting.followed.evidence[:, i] - drifting.followed.bar[i]) / np.log(10)
        path, _, beyond = ax.lines
        assert np.allclose(path.get_ydata(), np.clip(expected, -6, 8))
        assert len(beyond.get_xdata()) == (expected > 8).sum()
        in_alarm = drifting.followed.open[:, i].sum()
        assert sum(round(p.get_width()) for p in ax.patches) == in_alarm
    assert chart.axes[3].patches and chart.finding.endswith("In alarm: x00.")


def test_a_count_that_stays_at_nought_has_an_axis_and_others_some_room_above():
    days = pd.date_range("2026-01-01", periods=4).date
    nothing = {"metric": "alerts", "value": 0.0, "lower": np.nan, "upper": np.nan}
    metrics = pd.DataFrame({"event_date": days} | nothing)
    (none,) = plots.history(metrics, ["alerts"], columns=1).axes
    (some,) = plots.history(metrics.assign(value=[5.0, 10, 0, 1]), ["alerts"], columns=1).axes
    assert none.get_ylim() == (0, 1) and some.get_ylim() == (0, pytest.approx(10.8))


def test_features_are_ranked_by_how_far_they_moved_and_shown_in_their_bins(drifting):
    effects = [shift.effect for shift in drifting.shifts]
    ranked = plots.feature_ranking(drifting.shifts, 0.1)
    assert [bar.get_width() for bar in ranked.axes[0].patches] == effects[::-1]
    assert ranked.finding == "1 of 4 features moved by more than the tolerated 10.0%."
    assert max(effects) == effects[0] > 0.1 > effects[1] and drifting.shifts[0].name == "x00"
    binned = plots.feature_bins(drifting, limit=2)
    assert titles(binned) == [f.name for f in drifting.shifts[:2]]
    recent, reference, _ = drifting.vectors["x00"]
    bars, line = binned.axes[0].patches, binned.axes[0].lines[0]
    assert np.allclose([bar.get_height() for bar in bars], recent / recent.sum())
    assert np.allclose(line.get_ydata(), reference / reference.sum())


def test_streams_in_alarm_are_drawn_first_beside_what_is_expected(drifting):
    chart = plots.stream_values(drifting, last=14)
    assert [title.split()[0] for title in titles(chart)] == ["x00", "score", "label,", "positive"]
    score = next(q for q in drifting.questions if q.stream.name == "score")
    seen, expected = chart.axes[1].lines
    assert np.array_equal(seen.get_ydata(), score.series[-14:], equal_nan=True)
    assert np.array_equal(expected.get_ydata(), score.normal[-14:], equal_nan=True)
    assert seen.get_xdata()[-1] == np.datetime64(drifting.days[-1])


def test_bars_of_reasons_are_of_the_ten_features_that_are_named_most():
    named = [f"f{often:02}" for often in range(1, 12) for _ in range(often)]
    reasons = pd.DataFrame({"reason_1": named, "push_1": 0.5})
    shares, pushes = plots.reason_bars(reasons).axes
    assert [bar.get_width() for bar in shares.patches] == [often / 66 for often in range(2, 12)]
    assert [bar.get_width() for bar in pushes.patches] == [0.5] * 10


def test_figures_with_their_intervals_have_the_same_room_above_and_below():
    figures = [(0.5, 0.4, 0.6), (0.9, np.nan, np.nan), (np.nan, 0.1, 0.2)]
    (ax,) = with_intervals(["recall", "precision", "unknown"], figures).axes
    assert ax.get_ylim() == (1.5, -0.5)  # the first on top, those that are not known left out
    assert [label.get_text() for label in ax.get_yticklabels()] == ["recall", "precision"]
    drawn = [line.get_xydata().tolist() for line in ax.lines]
    assert drawn == [[[0.4, 0], [0.6, 0]], [[0.5, 0]], [[0.9, 1]]]


def test_where_labels_hardly_come_is_shaded_from_the_first_threshold_on():
    counts = ScoreCounts.from_events(np.array([-2000, 0, 1500]), np.array([0, 1, 1]))
    found, grid = curve(counts), Grid()
    lowest = int(found.thresholds[0])

    def shaded(blind):
        rates = plots.threshold_curve(found, grid, 0, blind=blind).axes[0]
        return [patch.get_extents().width > 0 for patch in rates.patches]

    assert shaded(lowest + 1) == [True] and shaded(lowest) == shaded(None) == []
