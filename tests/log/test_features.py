from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb.log.features import bin_values, binned_days, count_numbers
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_feature_counts_use_the_training_cuts(bench):
    frame = events(days=1)
    with bench.store() as store:
        store.add_version(
            NOW,
            "ana",
            MODEL,
            "v1",
            Grid(),
            "nowhere",
            {"bins": {"x": {"cuts": [-1.0, 0.0, 1.0]}, "gone": {"categories": ["a"]}}},
            0,
        )
    bench.log(frame)
    bench.ingest()
    with bench.store() as store:
        found = store.frame("SELECT feature, bin, n FROM feature_counts ORDER BY feature, bin")
    oracle = np.bincount(np.digitize(frame.x, [-1, 0, 1]), minlength=4)
    assert found[found.feature == "x"].n.tolist() == oracle[oracle > 0].tolist()
    assert found[found.feature == "gone"][["bin", "n"]].values.tolist() == [[-1, 40]]


def test_lists_and_structs_are_kept_as_text_and_stop_no_ingest(bench):
    frame = events(days=1).head(4)
    rules = {
        "x": {"cuts": [0.0]},
        "tags": {"categories": ["a"]},
        "pair": {"cuts": [0.0]},
        "place": {"categories": ["a"]},
    }
    with bench.store() as store:
        store.add_version(NOW, "ana", MODEL, "v1", Grid(), "nowhere", {"bins": rules}, 0)
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as log:
        log.log(
            frame.score,
            frame["at"],
            features=pd.DataFrame(
                {
                    "x": frame.x,
                    "tags": [["a"], ["a", "b"], [], None],
                    "pair": [(1.0, 2.0)] * 4,
                    "place": [{"row": 1, "seat": "a"}] * 4,
                }
            ),
        )
    assert bench.ingest().loaded == 4
    with bench.store() as store:
        found = store.frame("SELECT feature, bin, n FROM feature_counts ORDER BY feature, bin")
    assert found[found.feature != "x"].values.tolist() == [
        ["pair", -1, 4],
        ["place", -2, 4],
        ["tags", -2, 3],
        ["tags", -1, 1],
    ]
    assert found[found.feature == "x"].n.sum() == 4 and (found.bin[found.feature == "x"] >= 0).all()


def test_bins_of_missing_and_unseen_values():
    assert bin_values([1.0, None, 5.0], {"cuts": [2.0]}).tolist() == [0, -1, 1]
    assert bin_values(["a", None, "z"], {"categories": ["a", "b"]}).tolist() == [0, -1, -2]


@pytest.mark.parametrize("cuts", [0, 1, 19, 60])
def test_counted_numbers_equal_binned_values(cuts):
    rng = np.random.default_rng(cuts)
    rule = {"cuts": np.unique(rng.integers(-30, 30, cuts) / 4.0).tolist()}
    values = np.where(rng.random(500) < 0.1, np.nan, rng.integers(-40, 40, 500) / 4.0)
    values[:2] = np.inf, -np.inf
    expected = np.bincount(bin_values(values, rule) + 1, minlength=len(rule["cuts"]) + 2)
    assert np.array_equal(count_numbers(values, rule["cuts"]), expected)
    masked = np.ma.MaskedArray(
        np.where(np.isnan(values), -7.0, values), mask=np.isnan(values)
    )  # as the database hands them over
    assert np.array_equal(count_numbers(masked, rule["cuts"]), expected)


@pytest.mark.parametrize("in_order", [True, False])
def test_binned_days_equal_a_group_by(in_order):
    rng = np.random.default_rng(3)
    day = [
        date(2026, 3, 1) + timedelta(int(i))
        for i in (np.sort if in_order else np.asarray)(rng.integers(0, 6, 400))
    ]
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(400) < 0.1, np.nan, rng.normal(size=400)),
            "kind": rng.choice(["a", "b", "new", None], 400),
            "flag": rng.random(400) < 0.5,
        }
    )
    bins = {
        "x": {"cuts": [-1.0, 0.0, 1.0]},
        "kind": {"categories": ["a", "b", "c"]},
        "flag": {"cuts": [0.5]},
    }
    found = binned_days(frame, day, bins)
    for f, rule in bins.items():
        expected = (
            pd.DataFrame({"event_date": day, "bin": bin_values(frame[f], rule)})
            .value_counts()
            .sort_index()
        )
        counted = found[found.feature == f].set_index(["event_date", "bin"]).n.sort_index()
        assert counted.to_dict() == expected.to_dict() and (counted > 0).all()
    assert (
        binned_days(frame, [None, *day[1:]], bins).n.sum() == found.n.sum() - 3
        and binned_days(frame[:0], [], bins).empty
    )
