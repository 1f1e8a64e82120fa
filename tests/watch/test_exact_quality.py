"""What is called clearly worse, and what cannot be asked of a calibration: at each edge."""

from datetime import date
from math import nan
from types import SimpleNamespace

import pandas as pd
import pytest

from aiops_wb.log.contributions import ContributionReads
from aiops_wb.log.errors import StoreError
from aiops_wb.stats.performance import Figure
from aiops_wb.watch.calibrate import _by_day, _from_file, _newest_day, _require_sense
from aiops_wb.watch.quality import quality_losses

BASE = {"accuracy": 0.8, "roc_auc": 0.9, "brier": 0.1}
GOOD = {
    "accuracy": Figure(0.8, 0.7, 0.9, 500),
    "roc_auc": Figure(0.9, 0.85, 0.95, 500),
    "brier": Figure(0.1, 0.09, 0.11, 500),
}


@pytest.mark.parametrize(
    ("week", "lost"),
    [
        ({}, []),
        ({"accuracy": Figure(0.68, 0.6, 0.79, 500)}, ["accuracy fell by 15%"]),
        ({"accuracy": Figure(0.68, 0.6, 0.8, 500)}, []),
        ({"accuracy": Figure(0.76, 0.75, 0.77, 500)}, []),
        ({"roc_auc": Figure(0.84, 0.8, 0.89, 500)}, ["ROC-AUC fell from 0.900 to 0.840"]),
        ({"roc_auc": Figure(0.84, 0.8, 0.9, 500)}, []),
        ({"roc_auc": Figure(0.86, 0.85, 0.87, 500)}, []),
        ({"roc_auc": Figure(0.84, n=99)}, []),
        ({"roc_auc": Figure(0.84, n=100)}, ["ROC-AUC fell from 0.900 to 0.840"]),
        ({"brier": Figure(0.126, 0.11, 0.2, 9)}, ["the Brier score rose from 0.100 to 0.126"]),
        ({"brier": Figure(0.126, 0.1, 0.2, 9)}, []),
        ({"brier": Figure(0.125, 0.11, 0.2, 9)}, []),
        ({"brier": Figure(nan)}, []),
    ],
)
def test_a_figure_is_lost_beyond_its_margin_when_its_interval_does_not_reach_back(week, lost):
    assert quality_losses(GOOD | week, BASE) == lost
    assert quality_losses(GOOD | week, {}) == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("log", None, 1, 1), "source 'log' is not known: choose one of "),
        (("csv", None, 1, 1), "source csv needs --file with a path"),
        (("fraud_log", "x.csv", 1, 1), "--file goes with source csv, not with fraud_log"),
        (("fraud_log", None, 0, 5), "days 0 and min-samples 5 must be at least 1"),
        (("fraud_log", None, 5, 0), "days 5 and min-samples 0 must be at least 1"),
    ],
)
def test_what_does_not_go_together_is_refused(given, says):
    with pytest.raises(StoreError, match=says):
        _require_sense(*given)


def test_one_day_and_one_sample_are_enough_to_be_asked():
    assert _require_sense("fraud_log", None, 1, 1) is None
    assert _require_sense("csv", "x.csv", 1, 1) is None


class Days:
    "A log of one version on some days."

    def __init__(self, *days):
        self._days = [date(2026, 3, day) for day in days]

    def days(self, model, version):
        return self._days if version == "v1" else []

    def require_model(self, model):
        return model

    def versions(self, model):
        return pd.DataFrame({"version": ["v1", "v2"]})


def test_the_newest_day_is_the_last_that_is_not_ahead():
    today = date(2026, 3, 5)
    assert _newest_day(Days(1, 5, 6), "m", "v1", today) == today
    assert _newest_day(Days(1, 4, 6), "m", "v1", today) == date(2026, 3, 4)
    assert _newest_day(Days(6), "m", "v1", today) == today == _newest_day(Days(), "m", "v2", today)
    with pytest.raises(StoreError, match="m has no version 'v3', neither logged nor registered"):
        _newest_day(Days(), "m", "v3", today)


def test_pairs_of_a_file_are_of_the_last_of_their_days_where_all_have_one(tmp_path):
    today, newest = date(2026, 3, 5), date(2026, 3, 1)
    file = tmp_path / "pairs.csv"

    def told(*rows):
        head = ",".join(["prediction", "actual", "day"][: rows[0].count(",") + 1])
        file.write_text("\n".join([head, *rows, ""]))
        return _from_file(file, today, newest)

    pairs, recent, last = told("0.2,0,2026-03-04", "0.4,1,2026-03-05")
    assert last == today and recent is pairs and pairs.actual.tolist() == [0, 1]
    assert told("0.2,0", "0.4,1")[2] == newest
    with pytest.raises(StoreError, match="holds the day 2026-03-06, which lies ahead"):
        told("0.2,0,2026-03-06")
    counted = lambda pairs: {day: of.total for day, of in _by_day(pairs, today).items()}
    assert counted(pairs) == {date(2026, 3, 4): (1, 1, 0), today: (1, 1, 1)}
    assert counted(told("0.2,0", "0.4,1")[0]) == {today: (2, 2, 1)}


def test_a_day_is_explained_again_when_predictions_came_since():
    days = [date(2026, 3, day) for day in range(1, 7)]
    at = lambda *numbers: pd.to_datetime([days[n] for n in numbers])
    logged = pd.DataFrame({"event_date": at(0, 1, 1, 2, 3, 4), "batch": [3, 3, 5, 4, 6, 7]})
    # of the second day features of two batches are kept, of the fourth older ones than the log
    kept = pd.DataFrame({"event_date": at(0, 1, 1, 3), "batch_id": [3, 4, 5, 5]})
    files = [SimpleNamespace(day=day) for day in days]
    asked = []
    log = SimpleNamespace(
        newest_batches=lambda model: logged,
        contribution_days=lambda model, version: kept,
        day_files=lambda **of: asked.append(of) or files,
        gone=lambda lacking: [file for file in lacking if file.day in (days[0], days[4])],
    )
    found = ContributionReads.days_to_explain(log, "m", "v1", days)
    assert found == {days[2]: 4, days[3]: 6} and list(found) == days[2:4]
    assert asked == [{"kind": "predictions", "model": "m"}]
    assert ContributionReads.days_to_explain(log, "m", "v1", days[:2]) == {} and len(asked) == 1
