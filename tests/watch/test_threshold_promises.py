"""What is promised of a threshold when it is changed, and what is refused."""

import shutil
from datetime import UTC, date, datetime, timedelta

import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.watch import threshold_changes
from aiops_wb.watch.promises import keep_ledger
from aiops_wb.watch.threshold_promises import Bound, promised
from aiops_wb.watch.view import open_view

FIRST = date(2025, 9, 1)
DAYS = 7 * 18


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Eighteen weeks of few events, published, their labels in."
    bench = Bench(tmp_path_factory.mktemp("promised"))
    frame = events(days=DAYS, per_day=12, start=FIRST)
    bench.log(frame)
    bench.label(frame, at="2026-01-10T00:00:00Z")
    bench.ingest(datetime(2026, 1, 10, tzinfo=UTC))
    bench.publish()
    return bench


def test_the_newest_day_is_one_of_the_zone_of_the_log(tmp_path):
    "Where it is tomorrow already the events of this morning are looked at."
    bench, frame = Bench(tmp_path), events(days=2, per_day=4, start=date(2026, 3, 1))
    frame["at"] = frame["at"].dt.normalize() + timedelta(hours=18)  # 1 o'clock of the next day
    with bench.store("Asia/Ho_Chi_Minh"):
        bench.log(frame)
    bench.ingest(datetime(2026, 3, 2, 20, tzinfo=UTC))
    with bench.store() as store:
        view = threshold_changes.newest_view(
            store, MODEL, datetime(2026, 3, 2, 20, tzinfo=UTC), Settings(data=bench.data)
        )
    assert view.day == date(2026, 3, 3)


@pytest.fixture
def bench(made, tmp_path):
    return made.copy_to(tmp_path / "copy")


@pytest.fixture
def give(bench, capsys):
    "Give a command about thresholds: exit code, what was printed, what was wrong."

    def given(*words):
        code = main(["thresholds", *words, "--data", str(bench.data)])
        told = capsys.readouterr()
        assert "Traceback" not in told.err and told.err.count("\n") <= 1
        return code, told.out, told.err

    return given


def ledger_of(bench):
    return open_snapshot(bench.data).promises(MODEL)


def carried(bench, bound):
    return open_view(bench.data, MODEL).other_thresholds.control(*bound, bound.unit)


def test_a_promise_is_recorded_with_the_change_and_once(bench, give):
    bound = Bound("fpr", 0.25, 0.5)
    found = carried(bench, bound)
    score = str(round(open_view(bench.data, MODEL).probability(found.threshold) + 0.005, 4))
    told = [MODEL, score, "--promise", "fpr=0.25", "--confidence", "0.5", "--why", "fewer"]
    for _ in range(2):
        code, out, _ = give("set", "--model", *told)
        assert code == 0 and "promised: from" in out and "at most 0.25 of the negatives" in out
    (row,) = ledger_of(bench).itertuples()
    assert (row.kind, row.unit, row.target, row.confidence) == ("fpr", "week", 0.25, 0.5)
    assert row.threshold >= found.threshold and found.promise in row.says
    assert row.starts.date() > datetime.now(UTC).date()  # the command line reads the clock


def test_what_the_past_does_not_carry_is_refused_and_nothing_is_written(bench, give):
    before = open_snapshot(bench.data).audit()
    asked = ["--why", "w", "--confidence", "0.5", "--promise"]
    for words, says in (
        (["set", "0.2", "--model", MODEL, *asked, "fpr=0.25"], "could be promised from 0."),
        (["propose", "0.2", "--model", MODEL, *asked, "fpr=0.25"], "could be promised from 0."),
        (["set", "0.9", "--model", MODEL, *asked, "fpr=2"], "'fpr=2' with confidence 0.5"),
        (["set", "0.9", "--model", MODEL, *asked, "recall=.5"], "'recall=.5' is no bound"),
        (["set", "0.9", "--model", MODEL, *asked, "fpr"], "write fpr, fdr, alerts with a number"),
        (["set", "0.9", "--model", MODEL, "--site", "north", *asked, "fpr=0.25"], "site north of"),
    ):
        code, _, wrong = give(*words)
        assert code != 0 and says in wrong
    assert open_snapshot(bench.data).audit().equals(before) and ledger_of(bench).empty


def test_nothing_is_promised_where_too_few_weeks_can_judge(tmp_path):
    bench, frame = Bench(tmp_path), events(days=30, start=FIRST)
    bench.log(frame)
    bench.label(frame, at="2025-10-10T00:00:00Z")
    bench.ingest(datetime(2025, 10, 10, tzinfo=UTC))
    bench.publish()
    with pytest.raises(StoreError, match="cannot be promised yet: .*12 are needed"):
        promised(open_view(bench.data, MODEL), Bound("fpr", 0.25, 0.5), 900)


def test_a_proposal_keeps_its_bound_until_it_is_approved(bench, give):
    code, out, _ = give(
        *("propose", "0.9", "--model", MODEL, "--promise", "alerts=12", "--why", "fewer calls")
    )
    assert code == 0 and ledger_of(bench).empty
    key = out.split(":")[0].split()[0]
    for _ in range(2):
        code, out, _ = give("approve", key, "--why", "agreed")
        assert code == 0 and "promised: from 0.9 on there are at most 12 alerts" in out
    (row,) = ledger_of(bench).itertuples()
    assert (row.kind, row.unit, row.confidence) == ("alerts", "day", 0.9)


def test_what_was_promised_of_a_threshold_ends_with_it(bench, give):
    words = ("--model", MODEL, "--why", "w")
    assert give("set", "0.9", *words, "--promise", "alerts=12")[0] == 0
    assert "no longer" not in give("set", "0.9", *words, "--promise", "alerts=12")[1]
    assert "no longer promised: from 0.9 on" in give("set", "0.95", *words)[1]
    assert "no longer" not in give("rollback", *words)[1]  # nothing was promised of 0.95
    assert ledger_of(bench).target.isna().tolist() == [False, True]
    assert give("set", "0.97", *words, "--promise", "alerts=12")[0] == 0
    assert "no longer promised: from 0.97 on" in give("rollback", *words)[1]
    assert ledger_of(bench).target.isna().tolist() == [False, True, False, True]


def test_the_ledger_scores_it_when_its_days_are_over(bench, give):
    assert give("set", "0.9", "--model", MODEL, "--promise", "alerts=12", "--why", "w")[0] == 0
    first = datetime.now(UTC).date() + timedelta(1)
    frame = events(days=3, per_day=12, start=first, seed=4)
    bench.log(frame)
    later = datetime(first.year, first.month, first.day, 2, tzinfo=UTC) + timedelta(3)
    bench.ingest(later)
    with bench.store() as store:
        keep_ledger(store, MODEL, later, Settings(data=bench.data))
        units = store.promise_units(MODEL, "alerts")
    assert [d.date() for d in units["first"]] == [first + timedelta(k) for k in range(3)]
    assert set(units.state) == {"kept"}
    shutil.rmtree(bench.root)


@pytest.mark.parametrize("stopped_at", ("issue_bound", "_changed"))
def test_a_change_and_its_promise_are_one_act(bench, give, monkeypatch, stopped_at):
    "What stops between the two leaves neither."
    found = carried(bench, Bound("alerts", 8))
    score = f"{open_view(bench.data, MODEL).probability(found.threshold) + 0.01:.3f}"
    act = ("--promise", "alerts=8", "--why", "x")

    def stop(*_):
        raise StoreError("stopped")

    assert give("propose", score, "--model", MODEL, *act)[0] == 0
    with monkeypatch.context() as patched:
        patched.setattr(threshold_changes, stopped_at, stop)
        for words in (("set", score, "--model", MODEL, *act), ("approve", "P-1", "--why", "x")):
            code, _, wrong = give(*words)
            assert code == 1 and "stopped" in wrong
    log = open_snapshot(bench.data)
    assert not len(log.promises(MODEL)) and not log.threshold_changes(MODEL)
    assert log.proposal("P-1").state == "open"
    assert give("approve", "P-1", "--why", "x")[0] == 0
    assert len(ledger_of(bench)) == 1


def test_a_proposal_with_another_promise_is_another(bench, give):
    act = ("propose", "0.95", "--model", MODEL, "--why", "x")
    assert give(*act, "--promise", "alerts=8")[0] == 0
    code, told, _ = give(*act, "--promise", "alerts=8")
    assert code == 0 and "proposed already" in told
    for other in (("--promise", "alerts=9"), ()):
        code, _, wrong = give(*act, *other)
        assert code == 1 and "P-1 by" in wrong and "with another promise" in wrong


def test_no_number_of_alerts_is_endless(give):
    for most in ("inf", "1e999"):
        code, _, wrong = give(
            "set", "0.9", "--model", MODEL, "--why", "x", "--promise", f"alerts={most}"
        )
        assert code == 1 and "is no bound" in wrong


def test_what_was_not_promised_is_said_of_that_kind_alone(bench, give, capsys):
    "Of what is counted without labels no label is waited for."
    assert give("set", "0.95", "--model", MODEL, "--why", "x", "--promise", "alerts=8")[0] == 0
    assert main(["promises", "--kind", "fdr", "--data", str(bench.data)]) == 0
    assert "nothing was promised of fdr yet" in capsys.readouterr().out
    assert main(["promises", MODEL, "--data", str(bench.data)]) == 0
    told = capsys.readouterr().out
    assert "no promise has come due yet" in told and "labels" not in told


def test_no_promise_of_all_events_where_some_have_a_threshold_of_their_own(bench, give):
    "Neither made nor proposed; one that was made is not judged on such days."
    act = ("--promise", "alerts=8", "--why", "x")
    assert give("set", "0.2", "--model", MODEL, "--site", "S1", "--why", "x")[0] == 0
    for words in (
        ("set", "0.95", "--model", MODEL, *act),
        ("propose", "0.95", "--model", MODEL, *act),
    ):
        code, _, wrong = give(*words)
        assert code == 1 and "site S1 of tenant default has one of its own" in wrong
    assert not len(ledger_of(bench))
    assert give("rollback", "--model", MODEL, "--site", "S1", "--why", "x")[0] == 0
    assert give("set", "0.95", "--model", MODEL, *act)[0] == 0 and len(ledger_of(bench)) == 1
