"How labels arrive, on a terminal; what is declared about those that never come."

import json
from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.cli.labels import as_share
from aiops_wb.log.catalog import open_snapshot

START, DAYS = date(2026, 2, 23), 80
WHY = ["--why", "cancelled flights"]
pytestmark = pytest.mark.evidence


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    "Eight of ten events have a label, after twelve days."
    bench = Bench(tmp_path_factory.mktemp("house"))
    frame = events(days=DAYS, per_day=10, seed=3, start=START)
    bench.log(frame)
    last = START + timedelta(DAYS - 1)
    came = frame[frame.day + timedelta(12) <= last].groupby("day").head(8)
    bench.label(came, at=pd.to_datetime(came.day + timedelta(12)).dt.tz_localize("UTC"))
    bench.ingest(datetime.combine(last, datetime.max.time(), UTC))
    bench.publish()
    return bench


@pytest.fixture
def called(house, tmp_path, capsys):
    "Give a command on a copy of the log: exit code, lines, what was wrong."
    data = str(house.copy_to(tmp_path / "house").data)

    def give(*words):
        code = main(["labels", *words, "--data", data])
        told = capsys.readouterr()
        assert told.err.count("\n") <= 1 and "Traceback" not in told.err
        return code, told.out.splitlines(), told.err

    give.data = data
    return give


def test_what_is_known_of_labels(called):
    code, lines, _ = called("show")
    assert code == 0 and lines[0].startswith(f"{MODEL}: too early to tell: about")
    assert "0.0% after 7 days, 80.0% after 14 days" in lines[1]
    assert lines[2:] == [
        "  complete: 0 of 80 days",
        "  waiting: sets, tickets, reference figures and alarms about labels wait until labels are "
        "shown to be in",
        "  never labelled: not known",
        "  declared: nothing",
    ]


def test_a_share_is_declared_shown_and_put_back(called):
    code, lines, _ = called("never", "20%", *WHY)
    assert code == 0 and "declared is now 20% of events never get a label" in lines[0]
    assert lines[1].startswith("labels are complete after 12 days if, as declared, 20% of events")
    _, lines, _ = called("show", MODEL)
    assert "  complete: 68 of 80 days, the newest 2026-05-01" in lines
    assert "  waiting: 12 younger days" in lines
    assert any("(cancelled flights); days are complete by it" in line for line in lines)
    assert lines[-1].endswith("none -> 20% (cancelled flights)")
    code, lines, _ = called("never", "0.5", "--model", MODEL, "--why", "a guess")
    assert code == 0 and "does not count until it is a smaller share" in lines[1]
    code, lines, _ = called("rollback", "--why", "too many")
    assert code == 0 and "now 20%" in lines[0]
    code, lines, _ = called("never", "none", "--why", "not sure")
    assert code == 0 and "declared is now nothing" in lines[0]
    with open_snapshot(called.data) as log:
        assert log.never_changes(MODEL).new.tolist() == ["none", "0.2", "0.5", "0.2", "none"]
        assert log.verify_audit()


def test_the_same_as_json(called):
    called("never", "0.2", *WHY)
    (told,) = json.loads("\n".join(called("show", "--json")[1]))
    assert told["model"] == MODEL and told["age"] == 12 and told["complete_days"] == 68
    assert told["known_by_age"]["14"] == pytest.approx(0.8) and told["never"] is None
    assert told["declared"].startswith("20% by ") and told["changes"][1]["new"] == "0.2"
    assert told["newest_complete"] == "2026-05-01"


@pytest.mark.parametrize(
    "words, code, says",
    [
        (["never", "20%"], 1, "needs a reason: add --why"),
        (["never", "1.5", *WHY], 2, "'1.5' is not a share of events such as 0.2 or 20%"),
        (["never", "100%", *WHY], 2, "from 0 to below 1"),
        (["never", "some", *WHY], 2, "nor 'none'"),
        (["never", "nan", *WHY], 2, "'nan' is not a share"),
        (["never", *WHY], 2, "Missing argument 'SHARE'"),
        (["never", "0.1", "--model", "nope", *WHY], 1, f"choose one of {MODEL}"),
        (["rollback", *WHY], 1, "nothing to roll back: never of late has no earlier value"),
        (["rollback"], 1, "needs a reason"),
        (["show", "nope"], 1, f"choose one of {MODEL}"),
    ],
)
def test_what_cannot_be_said_is_refused_in_a_sentence(called, words, code, says):
    found = called(*words)
    assert found[0] == code and says in found[2]


def test_without_a_log_or_with_several_models(tmp_path, capsys):
    data = ["--data", str(tmp_path / "data")]
    assert main(["labels", "show", *data]) == 1
    assert "no published snapshot" in capsys.readouterr().err
    bench = Bench(tmp_path)
    bench.publish()
    assert main(["labels", "show", *data]) == 0
    assert capsys.readouterr().out == "the log is empty: no label is known yet\n"
    assert main(["labels", "never", "0.1", *WHY, *data]) == 1
    assert "the log is empty" in capsys.readouterr().err
    for model in "ab":
        bench.log(events(days=1, per_day=3, version=model), model=model)
        bench.ingest()
    bench.publish()
    assert main(["labels", "never", "0.1", *WHY, *data]) == 1
    assert "name one of a, b with --model" in capsys.readouterr().err
    assert main(["labels", "show", *data]) == 0
    told = capsys.readouterr().out
    assert "a: no label is known yet" in told and "b: no label is known yet" in told


@pytest.mark.parametrize(
    "text, share", [("0.2", 0.2), ("20%", 0.2), ("0", 0.0), ("12.5%", 0.125), ("none", "none")]
)
def test_shares_are_read_in_either_form(text, share):
    assert as_share(text) == share
