"""Names that steer a terminal, planted wherever a user can plant one: no command prints them."""

import getpass
import json
import logging
from datetime import UTC, datetime

import pytest
from conftest import Bench
from test_terminals import CALLS, MODEL, SPAN

from aiops_wb.cli import main
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger

EVIL = "x\x1b[31m\x9b2J\x07\u202egnp\u2028\x85\rq\nFORGED: all is well"
NAMED = ["--model", EVIL]
WHY = ["--why", EVIL]
MORE = [
    ["status", "--json"],
    ["models", "list", "--json"],
    ["cases", "list"],
    ["cases", "list", "--json"],
    ["cases", "list", "--csv"],
    ["audit", "list", "--json"],
    ["features", "list", "--json"],
    ["labels", "show", "--json"],
    ["models", "show", "--at", EVIL, EVIL],
    ["daily", "-vv", "--reports", "none"],
    ["models", "promote", *NAMED, "--version", f"{EVIL}2", *WHY],
    ["models", "watch", f"{EVIL}/no", "off", *WHY],
    ["thresholds", "set", EVIL, *NAMED, *WHY],
    ["calibrations", "make", *NAMED, "--source", "csv", "--file", EVIL],
    [EVIL],
    ["status", f"--{EVIL}"],
    ["status", "--data", EVIL],
]
FEW = [["daily", "--reports"], ["ingest"], ["status"], ["models", "list"], ["drift", "explain"]]
FEW += [["models", "watch"], ["cases", "list"], ["features", "list"], ["audit", "list"]]
FEW += [["sites", "load"], ["sites", "list"], ["labels", "show"], ["labels", "never"]]
FEW += [["status", "--json"], [EVIL], ["models", "promote"], ["calendar", "add"]]


@pytest.fixture
def house(tmp_path, monkeypatch):
    "A log of a few events, each name of which steers terminals; nothing is taken in yet."
    monkeypatch.setattr(getpass, "getuser", lambda: EVIL)
    spool, at = tmp_path / "data" / "spool", datetime(2026, 11, 2, 6, tzinfo=UTC)
    with PredictionLogger(spool, EVIL, EVIL, tenant=EVIL, threshold=0, flush_seconds=None) as log:
        for i in range(4):
            log.log(
                0.9,
                at,
                prediction_id=f"{i}{EVIL}",
                site_id=EVIL,
                entity_id=EVIL,
                features={EVIL: EVIL, "y": 1.0},
            )
    with OutcomeLogger(spool, EVIL, flush_seconds=None) as log:
        log.log([f"0{EVIL}", f"9{EVIL}"], [1, 0], at)
    heads = "prediction_id,predicted_at,score,model,version\n"
    quoted = '"' + EVIL + '"'
    bad = f"{quoted},{quoted},{quoted},{quoted},{quoted}\n"
    for name in ("bad\x1b[31m\nFORGED.csv", "no ending\x1b[31m\nFORGED"):
        (spool / "predictions" / name).write_text(heads + bad, encoding="utf-8")
    (spool / "predictions" / "b\nFORGED\x9b.parquet").write_bytes(b"PAR1 nothing")
    labels = f"prediction_id,label,observed_at\na,{quoted},2026-11-02T08:00:00Z\n"
    (spool / "outcomes" / "labels\x9b\nFORGED.csv").write_text(labels, encoding="utf-8")
    table = f"site_id,name,security_manager,manager,{quoted}\n{quoted},{quoted},{quoted},Jo,x\n"
    (tmp_path / "sites.csv").write_text(table, encoding="utf-8")
    for name in ("more.csv", EVIL.replace("/", "") + ".csv"):
        (tmp_path / name).write_text(heads + bad, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return Bench(tmp_path)


def calls():
    "Every call of the table of terminals, with names that steer, and what else is printed."
    named = [[word.replace(MODEL, EVIL) for word in words] for words in CALLS]
    own = ["ingest", "--file", EVIL + ".csv", "--set", "model=m,version=1,threshold=0.5"]
    dry = ["ingest", "--file", EVIL + ".csv", "--dry-run"]
    return [["ingest"], own, dry, *named, *MORE, ["backfill", *SPAN, "--reports", "none"]]


def steering(text):
    "What steers a terminal, or forges a line."
    odd = {c for c in text if not (c.isprintable() or c == "\n")}
    return odd | {one for one in text.split("\n") if one.lstrip().startswith("FORGED")}


def printed(words, capfd):
    house = ["--data", "data", "--reports-dir", "pages"]
    main([*words, *([] if "--data" in words else house)])
    return "".join(capfd.readouterr())


def plant(capfd, few):
    wrong, said = [], ""
    for words in calls():
        if not few or any(words[: len(start)] == start for start in FEW):
            text = printed(words, capfd)
            said += text
            if found := steering(text):
                wrong.append((words[:2], found, text[-400:]))
            if "--json" in words and text[:1] in "[{":
                json.loads(text)
    assert not wrong, wrong
    return said


def test_names_that_steer_a_terminal_are_printed_without_what_steers(house, capfd):
    said = plant(capfd, few=True)
    assert said.count("FORGED") > 20 and "should not happen" not in said


@pytest.mark.slow
def test_no_command_prints_what_steers_a_terminal(house, capfd):
    said = plant(capfd, few=False)
    assert said.count("FORGED") > 60 and "should not happen" not in said


def test_what_is_logged_is_one_line_too(capfd):
    from aiops_wb.cli.ended import ended

    def work():
        try:
            raise ValueError(EVIL)
        except ValueError:
            logging.getLogger("aiops_wb.log").warning("odd: %s", EVIL, exc_info=True)

    assert ended(work) == 0
    assert "FORGED" in (said := capfd.readouterr().err)
    assert not {c for c in said if not (c.isprintable() or c == "\n")}
    assert not said.splitlines()[0].startswith("FORGED")
