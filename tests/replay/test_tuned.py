"""A past lived again whose threshold follows its labels: as mornings did, with no look ahead."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import compute
from aiops_wb.log.history import choices, import_history
from aiops_wb.log.ingest import ingest
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.replay.period import replay, sentences
from aiops_wb.stats.choosing import MinCost
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid
from aiops_wb.stats.tuning import Daily, look_of, steps, tune
from aiops_wb.watch.heard import Heard
from aiops_wb.watch.policy import Choose, Policy
from aiops_wb.watch.tuning import tune_each_morning

FIRST, PAST, DAYS = date(2026, 1, 1), 36, 47
LAST = FIRST + timedelta(DAYS - 1)
RULES = {"min_days": 35, "min_labelled": 1000, "cooldown_days": 7}
SETTINGS = Settings(
    complete_share=1.0,
    label_delay_days=3,
    automation="off",
    tune="apply",
    tune_cost_missed=9,
    **{f"tune_{name}": value for name, value in RULES.items()},
)
CHOOSE = Policy(name="tuned", choose=Choose(cost_missed=9, **RULES))


def night(day):
    return datetime.combine(day + timedelta(1), datetime.min.time(), UTC)


def made():
    "Calibrated scores under a threshold of .6, whose labels come within three days."
    rng = np.random.default_rng(5)
    day = np.repeat([FIRST + timedelta(i) for i in range(DAYS)], 50)
    n = len(day)
    score = 1 / (1 + np.exp(-rng.normal(0, 1.5, n)))
    at = pd.to_datetime(day).tz_localize("UTC") + pd.to_timedelta(rng.integers(0, 86_000, n), "s")
    late = pd.to_timedelta(rng.integers(3600, 3 * 86_000, n), "s")
    columns = {"id": [f"e{i:05d}" for i in range(n)], "day": day, "at": at, "score": score}
    columns |= {"label": (rng.random(n) < score).astype(int), "known": at + late}
    return pd.DataFrame(columns)


def bring_in(store, bench, rows, now):
    files, chosen = {}, choices(MODEL, {}, {"version": "v1", "threshold": "0.6"})
    names = {"id": "prediction_id", "at": "predicted_at", "known": "observed_at"}
    told = {"predictions": rows[["id", "at", "score"]]}
    told["outcomes"] = rows.loc[rows.known < now, ["id", "label", "known"]]
    for kind, frame in told.items():
        files[kind] = bench.root / f"{kind}.csv"
        frame.rename(columns=names).to_csv(files[kind], index=False)
    import_history(store, now, "t", MODEL, files, chosen)


def spend(store, bench, rows, day):
    "A day and its night, with a threshold that may be changed in it; what was said."
    today, came = rows[rows.day == day], rows[rows.known < night(day)]
    came = came[came.known >= night(day - timedelta(1))]
    spool = bench.data / "spool"
    with PredictionLogger(
        spool, MODEL, "v1", threshold=405, flush_seconds=None, cursor=store.cursor
    ) as log:
        log.log(today.score, today["at"], prediction_id=today.id)
    with OutcomeLogger(spool, "t", flush_seconds=None, cursor=store.cursor) as log:
        log.log(came.id, came.label, came.known, predicted_at=came["at"])
    ingest(store, night(day), "t")
    assert compute(store, day, MODEL, night(day), SETTINGS).state == "ok"
    return list(tune_each_morning(store, MODEL, day, night(day), SETTINGS))


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    "A past that was brought in as it was known."
    bench, rows = Bench(tmp_path_factory.mktemp("past")), made()
    with bench.store() as store:
        bring_in(store, bench, rows, night(LAST))
        store.publish()
    return bench, rows


@pytest.fixture
def store(past):
    with past[0].store() as opened:
        yield opened


def changes(store, policy=CHOOSE, last=LAST):
    (one,) = replay(store, MODEL, FIRST, last, [policy], SETTINGS).policies
    return one.tuned.changes


@pytest.mark.slow
def test_it_changes_what_mornings_changed(tmp_path):
    "Nights on which the threshold was tuned, after a past that was too short for it."
    bench, rows = Bench(tmp_path), made()
    with bench.store() as store, store.one_thread():
        live_from = FIRST + timedelta(PAST)
        bring_in(store, bench, rows[rows.day < live_from], night(live_from - timedelta(1)))
        for i in range(PAST, DAYS):
            spend(store, bench, rows, FIRST + timedelta(i))
        really = [c for c in store.threshold_changes(MODEL) if "tuning" in c.evidence]
        lived = changes(store)
    assert len(lived) == 2 and lived[0].old == 405
    assert [(c.old, c.new) for c in lived] == [(c.old, c.new) for c in really]
    assert [night(c.day) for c in lived] == [c.at for c in really]


def test_a_look_knows_the_labels_of_its_morning_and_no_others(past, store):
    rows, stands = past[1], 405
    for change in changes(store):
        known = rows[rows.known < night(change.day)]
        look, last = look_of(FIRST, change.day - timedelta(3))
        days = {}
        for day, of in rows[rows.day <= last].groupby("day"):
            label = known.label.reindex(of.index)
            days[day] = ScoreCounts.from_events(Grid().quantise(of.score.to_numpy()), label)
        found = tune(Daily.of(days, steps(stands, 500)), stands, MinCost(9, false=1.0), look)
        assert found.candidate == change.new and change.why == found.reason
        stands = change.new


def test_a_claim_with_the_labels_of_the_end_is_another(store):
    of = replay(store, MODEL, FIRST, LAST, [CHOOSE], SETTINGS)
    assert of.claimed[0].tuned.changes[0].day < of.policies[0].tuned.changes[0].day
    told = sentences(of)[-1]
    assert told.startswith("Its threshold would have been changed 2 times (")
    assert "weekly looks" in told and "0.600 to 0.476 (cost that -95 points saves" in told
    assert (
        of.policies[0].totals["missed"]
        < replay(store, MODEL, FIRST, LAST, [Policy(name="as it was", threshold=0.6)], SETTINGS)
        .policies[0]
        .totals["missed"]
    )


def test_alarms_stop_a_look_and_put_a_change_back(store, monkeypatch):
    first, second = changes(store)
    heard = {"from": second.day + timedelta(1), "to": second.day + timedelta(1)}
    monkeypatch.setattr(
        Heard,
        "open_alarms",
        lambda self, policy, morning: (
            ("x (covariate)",) if heard["from"] <= morning.day <= heard["to"] else ()
        ),
    )
    back = changes(store)[2]
    assert back.put_back and (back.new, back.day) == (second.old, heard["from"])
    assert "x (covariate) opened behind it" in back.why
    heard |= {"from": FIRST, "to": LAST}
    of = replay(store, MODEL, FIRST, LAST, [CHOOSE], SETTINGS)
    assert not of.policies[0].tuned.changes
    assert "never have been changed (0 weekly looks; in the way were" in sentences(of)[-1]


def test_a_file_says_it_and_the_command_tells_it(past, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = "\n".join(f"{name} = {value}" for name, value in RULES.items())
    (tmp_path / "tuned.toml").write_text(f"[choose]\nmax_fdr = 0.5\n{lines}\n")
    (tmp_path / "aiops.toml").write_text(
        'complete_share = 1.0\nlabel_delay_days = 3\nautomation = "off"\n'
    )
    span = ["--model", MODEL, "--from", f"{FIRST}", "--to", f"{LAST}", "--policy", "tuned.toml"]
    assert main(["replay", *span, "--data", str(past[0].data), "-q"]) == 0
    assert "Its threshold would have been changed" in capsys.readouterr().out
