"""From a proposal to an approved, audited threshold, and back, on a terminal."""

import hashlib
import json
from datetime import UTC, date, datetime

import numpy as np
import pytest
from conftest import MODEL, Bench, events
from scipy import stats

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)
WHY = ["--why", "too many"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("proposals"))
    frame = events(days=40, per_day=40, start=date(2026, 2, 8))
    bench.log(frame)
    bench.label(frame)
    bench.ingest(NOW)
    bench.publish()
    return bench, frame


@pytest.fixture
def give(made, tmp_path, capsys, monkeypatch):
    "Give a command as somebody: exit code, what was said, what was wrong."
    bench = made[0].copy_to(tmp_path / "house")
    monkeypatch.chdir(bench.root)
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)

    def given(*words, who="ana"):
        monkeypatch.setenv("LOGNAME", who)
        code = main(list(words))
        told = capsys.readouterr()
        assert told.err.count("\n") <= 1 and "should not happen" not in told.err, told.err
        return code, told.out, told.err

    given.bench, given.frame = bench, made[1]
    return given


def listed(give):
    return json.loads(give("thresholds", "list", "--json")[1])


def changes(give):
    return json.loads(give("thresholds", "history", "--model", MODEL, "--json")[1])["changes"]


def test_a_proposal_decides_nothing_until_somebody_approves_it(give):
    code, told, _ = give("thresholds", "propose", "0.7", "--model", MODEL, *WHY)
    assert code == 0 and told.startswith(f"P-1: {MODEL} v1, threshold 0.700 instead of 0.500")
    (row,) = listed(give)
    assert (row["threshold"], row["proposals"], row["by"]) == (0.5, "P-1", None)
    code, again, _ = give("thresholds", "propose", "0.7", "--model", MODEL, *WHY)
    assert code == 0 and again.startswith("P-1 (proposed already): ")
    wrong = give("thresholds", "propose", "0.7", "--model", MODEL, "--why", "me too", who="ben")[2]
    assert "P-1 by ana proposes the same, and is open" in wrong
    assert (
        "in force is this one already"
        in give("thresholds", "propose", "0.5", "--model", MODEL, *WHY)[2]
    )
    in_force, total, proposed = give("thresholds", "list")[1].splitlines()
    assert in_force.endswith("; proposed: P-1") and total == "1 threshold"
    assert proposed.startswith("  P-1 late: 0.700 (847 points), proposed 2026-03-20 by ana: ")
    code, told, _ = give("thresholds", "approve", "P-1", "--why", "agreed", who="ben")
    assert code == 0 and "threshold is now 0.700 (847 points)" in told
    code, told, _ = give("thresholds", "approve", "P-1", "--why", "agreed", who="ben")
    assert code == 0 and "was changed so already: 0.700" in told
    wrong = give("thresholds", "approve", "P-1", "--why", "me too")[2]
    assert "P-1 is not open: it was approved 2026-03-20 by ben: agreed" in wrong
    (row,) = listed(give)
    assert (row["by"], row["why"], row["proposals"]) == ("ben", "agreed", None)
    assert give("thresholds", "list")[1].splitlines()[0].endswith("by ben: agreed")
    assert "no proposal 'P-9': none is open" in give("thresholds", "approve", "P-9", *WHY)[2]


def test_what_a_change_did_is_kept_with_intervals_over_days(give):
    give("thresholds", "propose", "0.7", "--model", MODEL, *WHY)
    give("thresholds", "approve", "P-1", "--why", "agreed", who="ben")
    change = changes(give)[-1]
    told, frame = change["evidence"], give.frame
    days = frame[frame.day.astype(str).between(told["first"], told["last"])]
    assert told["days"] == days.day.nunique() == 30 and told["labels_in"]
    for name, score in (("before", 0.5), ("after", 0.7)):
        calls_a_day = (days.score >= score).groupby(days.day).sum()
        t = stats.t.interval(0.95, 29, calls_a_day.mean(), stats.sem(calls_a_day))
        found = [calls_a_day.mean(), *t]
        assert np.allclose(told[name]["alerts_per_day"], found, atol=1e-5)
        called = days[days.score >= score]
        value, lower, upper = told[name]["fdr"]
        assert value == pytest.approx(1 - called.label.mean(), abs=1e-5) and lower < value < upper
    assert (change["old"], change["new"]) == (0, int(Grid().quantise(0.7)))
    assert told["proposal"] == "P-1" and told["proposed_by"] == "ana" and change["who"] == "ben"
    with open_snapshot("data") as log:
        (kept,) = log._column(f"SELECT evidence FROM audit WHERE seq = {change['seq']}")
    assert change["evidence_sha256"] == hashlib.sha256(kept.encode()).hexdigest()
    give("thresholds", "rollback", "--model", MODEL, "--why", "no", who="jo")
    undone, back = changes(give)[-2:]
    assert undone["rolled_back_by"] == "jo" and undone["rolled_back_at"].startswith("2026-03-20")
    assert back["new"] == 0 and back["rolled_back_by"] is None
    assert back["evidence"]["after"]["points"] == 0 and back["evidence"]["rolled_back"]
    text = give("thresholds", "history", "--model", MODEL)[1]
    assert "0.500 -> 0.700 (agreed), proposed by ana (P-1), evidence" in text
    assert "rolled back 2026-03-20 02:00Z by jo" in text and "fdr " in text
    assert "approved 2026-03-20 by ben: agreed" in text


def test_the_world_may_overtake_a_proposal(give):
    give("thresholds", "propose", "0.7", "--model", MODEL, *WHY)
    give("thresholds", "set", "0.6", "--model", MODEL, *WHY)
    assert "overtaken: the threshold was 0.500 when it was made" in give("thresholds", "list")[1]
    code, _, wrong = give("thresholds", "approve", "P-1", *WHY)
    assert code == 1 and "P-1 was overtaken: the threshold was 0.500" in wrong
    assert "0.600 now. Reject it, and propose another." in wrong
    give("thresholds", "rollback", "--model", MODEL, *WHY)
    give("thresholds", "propose", "0.8", "--model", MODEL, "--site", "north", *WHY)
    with give.bench.store() as store:
        newer = events(days=1, per_day=40, start=date(2026, 3, 20), version="v2", seed=7)
    give.bench.log(newer, version="v2")
    give.bench.ingest(NOW)
    with give.bench.store() as store:
        store.publish()
    assert "it is of v1, and v2 decides now" in give("thresholds", "approve", "P-1", *WHY)[2]


def test_who_does_not_want_it_closes_it(give):
    for score in ("0.7", "0.8"):
        give("thresholds", "propose", score, "--model", MODEL, *WHY)
    assert "P-1 is withdrawn" in give("thresholds", "reject", "P-1", *WHY)[1]
    assert "P-2 is rejected" in give("thresholds", "reject", "P-2", *WHY, who="ben")[1]
    assert give("thresholds", "reject", "P-2", *WHY, who="ben")[0] == 0, "given again"
    wrong = give("thresholds", "reject", "P-2", "--why", "other", who="ben")[2]
    assert "P-2 is not open: it was rejected" in wrong
    assert "not open" in give("thresholds", "approve", "P-1", *WHY)[2]
    (row,) = listed(give)
    assert row["threshold"] == 0.5 and row["proposals"] is None


def test_where_two_people_are_needed_nobody_is_both(give):
    (give.bench.root / "aiops.toml").write_text("threshold_four_eyes = true\n")
    code, _, wrong = give("thresholds", "set", "0.7", "--model", MODEL, *WHY)
    assert code == 1 and "nobody changes a threshold alone" in wrong
    give("thresholds", "propose", "0.7", "--model", MODEL, *WHY)
    code, _, wrong = give("thresholds", "approve", "P-1", *WHY)
    assert code == 1 and "P-1 was proposed by ana: threshold_four_eyes asks for another" in wrong
    assert give("thresholds", "approve", "P-1", *WHY, who="ben")[0] == 0
    code, told, _ = give("thresholds", "rollback", "--model", MODEL, *WHY)
    assert code == 0 and "is now 0.500" in told, "what stood before was approved"


def test_a_site_has_its_own_proposal_and_history(give):
    give("thresholds", "propose", "0.8", "--model", MODEL, "--site", "north", *WHY)
    assert "P-1" in give("thresholds", "list")[1]
    give("thresholds", "approve", "P-1", "--why", "agreed", who="ben")
    chosen = give("thresholds", "choose", "--model", MODEL, "--max-fpr", "0.1")[1]
    assert "note: 1 tenant or site with a threshold of its own is counted" in chosen
    wrong = give("thresholds", "rollback", "--model", MODEL, "--site", "south", *WHY)[2]
    assert "site south of tenant default never had a threshold" in wrong
    rows = {(row["tenant"], row["site"]): row["threshold"] for row in listed(give)}
    assert rows == pytest.approx({(None, None): 0.5, ("default", "north"): 0.8}, abs=1e-4)
    give("thresholds", "rollback", "--model", MODEL, "--site", "north", "--why", "no")
    began, own, back = changes(give)
    assert (began["new"], own["old"], back["new"]) == (None, None, None)
    assert own["scope"] == ["default", "north"] and own["rolled_back_by"] == "ana"
    north = give.frame[(give.frame.site == "north") & (give.frame.day >= date(2026, 2, 18))]
    per_day = own["evidence"]["before"]["alerts_per_day"][0]
    assert abs(per_day - (north.score >= 0.5).sum() / 30) < 0.3, "in cells of a fiftieth of a logit"
    assert "that of the version -> 0.800" in give("thresholds", "history", "--model", MODEL)[1]


def test_a_model_without_predictions_and_an_empty_log_are_listed_all_the_same(tmp_path, capsys):
    bench = Bench(tmp_path)
    with bench.store() as store:
        store.add_version(NOW, "ana", "new", "v1", Grid(), "p", {}, 100)
        store.publish()
    assert main(["thresholds", "list", "--data", str(bench.data)]) == 0
    assert "new v1: 0.525 (100 points), since 2026-03-20" in capsys.readouterr().out
    assert main(["thresholds", "history", "--model", "new", "--data", str(bench.data)]) == 0
    assert "- -> 0.525" in capsys.readouterr().out


def test_a_site_that_only_a_proposal_names_has_the_threshold_of_the_version(give):
    "It is not said to stand as it was logged, where somebody changed it."
    assert give("thresholds", "set", "0.7", "--model", MODEL, *WHY)[0] == 0
    assert give("thresholds", "propose", "0.8", "--model", MODEL, "--site", "S1", *WHY)[0] == 0
    whole, site = listed(give)
    assert site["site"] == "S1" and site["threshold"] == whole["threshold"]
    assert (site["by"], site["why"]) == (None, "that of the version")
