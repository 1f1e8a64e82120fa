"""When trees stop, what rows weigh, and that the same log gives the same file."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from conftest import MODEL, events

from aiops_wb.log.errors import StoreError
from aiops_wb.models.boosting import (
    CLIPPED,
    PARAMETERS,
    ROUNDS,
    logged_weights,
    weighed_words,
)
from aiops_wb.models.training import train, weighed_as

NOW = datetime(2026, 3, 30, tzinfo=UTC)


def rows(days=20, per_day=100, seed=0):
    "Days of rows whose label hangs on x, with noise beside it."
    rng = np.random.default_rng(seed)
    n = days * per_day
    x = rng.normal(size=n)
    day = np.repeat(pd.date_range("2026-02-01", periods=days), per_day)
    label = (rng.random(n) < 1 / (1 + np.exp(1 - x))).astype(float)
    columns = {"feature:x": x, "feature:noise": rng.normal(size=n)}
    return pd.DataFrame({"event_date": day, "label": label} | columns)


def file_of(trained):
    return trained[0].booster.save_raw("ubj")


def test_neither_trees_nor_their_number_see_the_held_out_days():
    made = rows()
    held = (made.event_date >= "2026-02-17").to_numpy()
    other = made.copy()
    other.loc[held, "label"] = 1 - other.loc[held, "label"]
    other.loc[held, "feature:x"] = 7.0
    as_it_is, otherwise = train(made, MODEL, "v1"), train(other, MODEL, "v1")
    card = as_it_is[0].card
    assert card["held_out_from"] == "2026-02-17" and card["stopping"]["from"] == "2026-02-13"
    assert file_of(as_it_is) == file_of(otherwise)
    assert as_it_is[0].card["metrics"] != otherwise[0].card["metrics"]


def test_as_many_trees_as_the_later_days_are_scored_best_by_grown_again_on_all():
    made = rows()
    version = train(made, MODEL, "v1")[0]
    card = version.card
    assert card["stopping"]["why"] == "stopped early" and 1 < card["rounds"] < 200

    def matrix(part):
        frame = part[["feature:x", "feature:noise"]].to_numpy(np.float32)
        return xgb.DMatrix(frame, label=part.label)

    learned = made[made.event_date < "2026-02-17"]
    earlier, later = (
        learned[m] for m in (learned.event_date < "2026-02-13", learned.event_date >= "2026-02-13")
    )
    brute = xgb.train(PARAMETERS | {"nthread": 1}, matrix(earlier), card["rounds"] + 30)
    losses = []
    for n in range(1, card["rounds"] + 31):
        p = brute.predict(matrix(later), iteration_range=(0, n)).astype(float)
        losses.append(-np.log(np.where(later.label == 1, p, 1 - p)).mean())
    assert int(np.argmin(losses)) + 1 == card["rounds"]
    again = xgb.train(PARAMETERS | {"nthread": 1}, matrix(learned), card["rounds"])
    frame = made[["feature:x", "feature:noise"]].to_numpy(np.float32)
    assert np.array_equal(
        version.score(made.filter(like="feature:").rename(columns=lambda c: c[8:])),
        again.predict(xgb.DMatrix(frame)).astype(float),
    )


def test_too_few_labels_stop_nothing_and_that_is_told():
    few = rows(days=6, per_day=30)
    card = train(few, MODEL, "v1", holdout=0.34)[0].card
    assert card["rounds"] == ROUNDS and "fewer than 30 of each label" in card["stopping"]["why"]
    assert train(few, MODEL, "v1", holdout=0.34, rounds=3)[0].card["stopping"] == {
        "why": "as was asked for"
    }


def test_the_weight_of_positives_is_taken_back_from_the_log_odds():
    made = rows()
    weighted = train(made, MODEL, "v1", rounds=20, positive_weight=10.0)[0]
    learned = made[made.event_date < "2026-02-17"]
    matrix = xgb.DMatrix(
        learned[["feature:x", "feature:noise"]].to_numpy(np.float32),
        label=learned.label,
        weight=np.where(learned.label == 1, 10, 1),
    )
    frame = made.filter(like="feature:").rename(columns=lambda c: c[8:])
    score = weighted.score(frame)
    raw = xgb.train(PARAMETERS, matrix, 20).predict(
        xgb.DMatrix(frame.to_numpy(np.float32)), output_margin=True
    )
    assert np.allclose(np.log(score / (1 - score)), raw - np.log(10), atol=1e-5)
    off = [abs(p.mean() - made.label.mean()) for p in (score, 1 / (1 + np.exp(-raw)))]
    assert off[0] < 0.05 < 0.3 < off[1] and weighted.card["positive_weight"] == 10
    pushes = weighted.contributions(frame).sum(axis=1)
    assert np.allclose(pushes, np.log(score / (1 - score)), atol=1e-5)
    with pytest.raises(StoreError, match="positive weight of 0 is not above 0"):
        train(made, MODEL, "v1", positive_weight=0)


def seen_by_chance(per_day=300):
    "Rows whose label was looked for the likelier, the riskier something unlogged made them."
    made, rng = rows(days=20, per_day=per_day), np.random.default_rng(1)
    hidden = rng.normal(size=len(made)) > 0
    risk = 1 / (1 + np.exp(1 - made["feature:x"] - 1.5 * hidden))
    made["label"] = (rng.random(len(made)) < risk).astype(float)
    made["feature:p"] = np.where(hidden, 0.9, 0.15)
    return made, rng.random(len(made)) < made["feature:p"]


def test_rows_weigh_one_over_the_propensity_with_which_their_label_was_seen():
    made, seen = seen_by_chance()
    frame = made[["feature:x", "feature:noise"]].rename(columns=lambda c: c[8:])
    plain = train(made[seen].drop(columns="feature:p"), MODEL, "v1", rounds=20)[0]
    fair = train(made[seen], MODEL, "v1", rounds=20, propensity="p")[0]
    off = [abs(v.score(frame).mean() - made.label.mean()) for v in (plain, fair)]
    assert off[1] < 0.02 < 0.05 < off[0]
    assert fair.features == ["x", "noise"]
    assert fair.card["propensity"] == {"feature": "p", "clipped_below": CLIPPED}


def reviewed_by_chance(share=0.1):
    "Rows of which only the called, and a share of the others, went to review."
    made, rng = rows(days=20, per_day=500), np.random.default_rng(2)
    risk = 1 / (1 + np.exp(2 - made["feature:x"]))
    made["label"] = (rng.random(len(made)) < risk).astype(float)
    called = (made["feature:x"] > 1).to_numpy()
    made["propensity"] = np.where(called, 1.0, share)
    drawn = called | (rng.random(len(made)) < made.propensity)
    made["route"] = np.where(drawn, "alert", "monitor")
    return made, drawn


def test_rows_that_were_reviewed_by_chance_weigh_as_it_was_logged():
    made, drawn = reviewed_by_chance()
    frame = made[["feature:x", "feature:noise"]].rename(columns=lambda c: c[8:])
    plain = train(made[drawn], MODEL, "v1", rounds=20, ignore_propensity=True)[0]
    fair = train(made[drawn], MODEL, "v1", rounds=20)[0]
    off = [abs(v.score(frame).mean() - made.label.mean()) for v in (plain, fair)]
    assert off[1] < 0.02 < 0.05 < off[0]
    told = fair.card["propensity"]
    assert told["logged"] and told["left_out"] == 0 and fair.features == ["x", "noise"]
    assert f"{told['rows']:,} rows that were reviewed by chance" in weighed_words(fair.card)
    assert weighed_as(fair.card) == {}  # it is found in the log again
    assert plain.card["propensity"] == {"ignored": True} and not weighed_words(plain.card)
    assert weighed_as(plain.card) == {"ignore_propensity": True}


def test_labels_that_came_without_a_review_are_left_out_or_show_that_all_come():
    made, drawn = reviewed_by_chance()
    all_come = logged_weights(made)
    assert all_come is None and "propensity" not in train(made, MODEL, "v1", rounds=2)[0].card
    complained = ~drawn & (made.label == 1) & (np.arange(len(made)) % 9 == 0)
    some = made[drawn | complained]
    found = logged_weights(some)
    assert found.told["left_out"] == complained.sum() > 50
    assert (found.kept == (some.route == "alert")).all()
    heavy = (some.propensity < 1)[found.kept].to_numpy()
    assert len(found.weight) == found.kept.sum() and np.isclose(found.weight.mean(), 1)
    assert np.allclose(found.weight[heavy], 10 * found.weight[~heavy][0])
    assert logged_weights(made.assign(propensity=np.nan)) is None
    assert logged_weights(made.drop(columns="propensity")) is None


@pytest.mark.parametrize("value", [0.0, -0.1, 1.1, np.nan, np.inf])
def test_a_propensity_that_is_no_chance_is_refused(value):
    made = rows(days=6)
    made["feature:p"] = 0.5
    made.loc[7, "feature:p"] = value
    with pytest.raises(StoreError, match=r"must lie in \(0, 1\] .* in 1 of 600 rows it does not"):
        train(made, MODEL, "v1", propensity="p")
    with pytest.raises(StoreError, match="has no feature 'q' on these days"):
        train(made, MODEL, "v1", propensity="q")


@pytest.mark.slow
def test_the_same_log_days_and_seed_give_the_same_file_whatever_the_threads(bench):
    frame = events(days=20, per_day=60)
    bench.log(frame)
    bench.label(frame)
    bench.ingest(NOW)
    hashes = {}
    script = (
        "import sys; from aiops_wb.models import boosting; boosting.ALONE = 0; "
        "from aiops_wb.cli import main; sys.exit(main())"
    )
    for version, threads in (("a", "1"), ("b", "2")):
        words = ["models", "train", "--model", MODEL, "--version", version]
        words += ["--from", "2026-03-01", "--to", "2026-03-20", "--data", str(bench.data)]
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            env=os.environ
            | {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads, "OMP_WAIT_POLICY": "passive"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "1,200 rows of 1 features: 0.0 MB as numbers" in done.stdout
        assert " trees; " in done.stdout and " MB of memory at most" in done.stdout
        with bench.store() as store:
            hashes[version] = store.version(MODEL, version).card["sha256"]
            days = store.labelled(MODEL, date(2026, 3, 1), date(2026, 3, 20))
    assert len(days) == 20 and hashes["a"] == hashes["b"]
    made = rows(days=6)
    seeds = [train(made, MODEL, "v1", rounds=3, parameters={"seed": s}) for s in (0, 0, 4)]
    first, again, other = map(file_of, seeds)
    assert first == again != other
