"""Two models on the same events, held to the same sums by hand."""

from datetime import date, timedelta

import numpy as np
import pytest
from conftest import Bench, events
from sklearn.metrics import brier_score_loss, log_loss, precision_score, recall_score

from aiops_wb import Workbench
from aiops_wb.stats.points import Grid
from aiops_wb.stats.thresholds import ratio_over_days

START, DAYS = date(2026, 3, 1), 12
MADE = events(DAYS, 60, start=START)
NOISY = MADE.assign(
    id="b-" + MADE.id,
    score=1 / (1 + np.exp(-(0.3 * MADE.x + np.random.default_rng(7).normal(size=len(MADE))))),
)
KNOWN = MADE.day < START + timedelta(DAYS - 2)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    "Two models on the same events but for the first five, and a third on others."
    bench = Bench(tmp_path_factory.mktemp("compared"))
    keys = "e-" + MADE.id
    bench.log(MADE, "good", threshold=405, event_key=keys)
    bench.log(NOISY[5:], "noisy", threshold=0, event_key=keys[5:])
    bench.log(MADE.assign(id="c-" + MADE.id), "alone", threshold=0)
    bench.label(MADE[KNOWN], at="2026-03-19T00:00:00Z")
    bench.ingest()
    bench.publish()
    return Workbench(bench.data)


def sides():
    "Scores as they were quantised, labels and days of the events that both scored, labelled ones."
    known = KNOWN[5:]
    grid = Grid()
    points = [grid.quantise(of.score[5:].to_numpy()) for of in (MADE, NOISY)]
    return points, MADE.label[5:].to_numpy(), known.to_numpy(), MADE.day[5:].to_numpy()


def test_losses_and_calls_are_those_of_the_events_that_both_scored(both):
    of = both.compare("good", both["noisy"], first=START, last=START + timedelta(DAYS - 1))
    told = of.frame.set_index("figure")
    points, label, known, days = sides()
    p = [Grid().inverse(x) for x in points]
    assert told.a["events"] == len(label) and told.a["labelled"] == known.sum()
    for name, loss in (("log_loss", log_loss), ("brier", brier_score_loss)):
        for side, column in zip(p, ("a", "b")):
            assert told[column][name] == pytest.approx(loss(label[known], side[known]))
    called = points[0] >= 405, points[1] >= 0
    for name, score in (("precision", precision_score), ("recall", recall_score)):
        for side, column in zip(called, ("a", "b")):
            assert told[column][name] == pytest.approx(score(label[known], side[known]))
    assert told.a["called_alone"] == pytest.approx((called[0] & ~called[1]).mean())
    assert of.counted["noisy alone"] == (called[1] & ~called[0]).sum()
    squared = [(x - label) ** 2 * known for x in p]
    at = [[x[days == day].sum() for day in sorted(set(days))] for x in (*squared, known)]
    by_hand = ratio_over_days(at[0], at[2], minus=(at[1], at[2]))
    assert tuple(told.loc["brier", ["difference", "lower", "upper"]]) == pytest.approx(by_hand[:3])
    assert "good loses less than noisy: log loss lower by" in of.says
    assert len(of.events) == len(label) and not [c for c in of.events if "points" in c]


def test_it_shows_draws_and_writes_itself(both, tmp_path):
    of = both.compare("noisy", "good", days=12)
    assert "<th>noisy</th>" in of._repr_html_() and "good loses less than noisy" in of.says
    drawn = of.plot()._repr_svg_()
    assert "Mean loss of a day" in drawn and "noisy alone" in drawn
    assert of.to_csv(tmp_path / "both.csv").read_text().startswith("figure,title,a,b,difference")
    (swapped,) = (both.compare("good", "noisy", days=12).frame,)
    assert swapped.difference.fillna(0).sum() == pytest.approx(-of.frame.difference.fillna(0).sum())


def test_without_labels_or_events_in_common_it_says_why(both):
    unlabelled = both.compare("good", "noisy", days=2)
    assert "Which is better is unknown: none of the events has a label yet." in unlabelled.says
    assert "no loss is known" in unlabelled.plot()._repr_svg_()
    every = both.compare("good", "noisy", date.min, date.max)
    assert len(every.events) == len(both.compare("good", "noisy", days=10**12).events) > 0
    few = both.compare("good", "noisy", days=6)
    assert "fewer than 7 days with labels say nothing of it" in few.says
    none = both.compare("good", "alone", days=3)
    assert "Nothing is compared: no prediction of alone has an event_key" in none.says
    assert none.frame.empty and none.to_csv() and "<svg" in none.plot()._repr_svg_()
