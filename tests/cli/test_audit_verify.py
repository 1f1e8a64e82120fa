"""The trail is verified from a terminal, against a file outside and the manifests of reports."""

import json
import re
import shutil

import duckdb
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import audit, main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.sealed import Deciding

WHY = ["--why", "a trial"]


@pytest.fixture
def give(tmp_path, capsys, monkeypatch):
    "Give a command on a small log that has an anchor outside: exit code, output, what was wrong."
    bench = Bench(tmp_path)
    bench.log(events(days=3))
    monkeypatch.chdir(tmp_path)
    assert main(["ingest", "-q"]) == 0
    (tmp_path / "aiops.toml").write_text('audit_anchor = "outside/anchor.jsonl"\n')

    def given(*words):
        code = main(list(words))
        told = capsys.readouterr()
        assert told.err.count("\n") <= 1 and "Traceback" not in told.err
        return code, told.out, told.err

    given.bench, given.anchor = bench, tmp_path / "outside" / "anchor.jsonl"
    return given


def test_changes_and_mornings_are_anchored_and_the_trail_is_held_against_it(give):
    code, _, wrong = give("audit", "verify")
    assert code == 1 and "anchor.jsonl cannot be read" in wrong and "begins a new file" in wrong
    for score in ("0.6", "0.7"):
        assert give("thresholds", "set", score, "--model", MODEL, *WHY)[0] == 0
    assert give("daily", "--reports", "none")[0] == 0
    lines = give.anchor.read_text().splitlines()
    with open_snapshot("data") as log:
        rows, head = log.audit_head()
        assert json.loads(lines[-1]) | {"at": 0} == {"at": 0, "rows": rows, "head": head}
        (broken,) = log._rows(f"SELECT count(*) FROM ({give('audit', 'verify', '--query')[1]})")
        assert broken == (0,)
    code, told, _ = give("audit", "verify")
    assert code == 0 and f"{rows} rows, chain intact\n" in told
    assert re.search(rf"anchor.jsonl: \d anchors, the last says {rows} rows", told), told
    code, told, _ = give("audit", "verify", "--json")
    assert json.loads(told)["anchored"] == rows and not json.loads(told)["findings"]


def test_a_shortened_trail_and_a_lost_anchor_are_said(give):
    give("thresholds", "set", "0.6", "--model", MODEL, *WHY)
    with give.bench.store() as store:
        store.con.execute("DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)")
        store.publish()
    code, told, wrong = give("audit", "verify")
    assert code == 1 and "chain intact" not in told and "its end was cut off since" in wrong
    assert give("audit", "list")[0] == 0, "the chain alone does not see it"
    for score in ("0.8", "0.9"):
        code, _, wrong = give("thresholds", "set", score, "--model", MODEL, *WHY)
        assert code == 1 and "speaks of 2 rows of the audit trail, which has 1" in wrong
        assert "'aiops-wb audit accept --why ...' goes on from what stands" in wrong
    with open_snapshot("data") as log:
        assert log.audit_head()[0] == 1, "nothing is appended"
    code, told, _ = give("daily", "--reports", "none")
    assert code == 3 and "anchor of the audit trail: " in told
    assert "the audit trail is broken: " in told and "name another file in audit_anchor" in told


def test_five_names_of_what_was_never_recorded_are_said_and_how_many_more(give, monkeypatch):
    (give.bench.root / "aiops.toml").unlink()
    names = [f"calibration m/v1/{n}" for n in range(1, 7)]
    for n, says in ((5, f"{', '.join(names[:5])}: made"), (6, "m/v1/5 and 1 more: made")):
        found = Deciding(9, (), tuple(names[:n]))
        monkeypatch.setattr(audit, "what_decides", lambda _, found=found: found)
        code, told, _ = give("audit", "verify")
        assert code == 0 and f"note: not recorded: {names[0]}, " in told and says in told
        assert "compared\n" in told, "all as recorded is not known of them"


def test_without_an_anchor_it_is_said_what_would_not_be_seen(give):
    (give.bench.root / "aiops.toml").unlink()
    code, told, _ = give("audit", "verify")
    assert code == 0 and "nothing outside the catalog says how long it was" in told
    give("thresholds", "set", "0.6", "--model", MODEL, *WHY)
    (give.bench.root / "a.jsonl").write_text("\n{\n")
    told = give("audit", "verify", "--anchor", "a.jsonl")[1]
    assert "2 rows at the end are in no anchor yet" in told, told
    assert "1 line of the file cannot be read (first: 2)" in told


def test_an_older_catalog_is_found_by_what_was_published_and_an_owner_goes_on(give):
    "Put back together with nothing else: all that it says of itself fits."
    (give.bench.root / "aiops.toml").unlink()
    catalog = give.bench.data / "catalog.duckdb"
    assert give("thresholds", "set", "0.6", "--model", MODEL, *WHY)[0] == 0
    older = catalog.read_bytes()
    assert give("thresholds", "set", "0.7", "--model", MODEL, *WHY)[0] == 0
    catalog.write_bytes(older)
    code, _, wrong = give("audit", "verify")
    assert code == 1, wrong
    assert "the trail has 2 rows and had more in the published snapshot" in wrong
    code, _, wrong = give("audit", "accept")
    assert code == 1 and "needs a reason: add --why" in wrong
    code, told, _ = give("audit", "accept", "--why", "the disk was restored")
    assert code == 0 and "accepted: the trail has 2 rows and had more in" in told
    assert "row 4 of the audit trail says so" in told
    kept = [p.name for p in (give.bench.data / "incidents" / "trail-4").iterdir()]
    assert len(kept) == 2 and "catalog.jsonl" in kept
    code, told, _ = give("audit", "verify")
    assert code == 0 and "went on from what stood on" in told and "(the disk was restored)" in told
    assert give("audit", "accept", "--why", "another")[0] == 1, "there is nothing more to accept"
    assert give("thresholds", "set", "0.7", "--model", MODEL, *WHY)[0] == 0
    assert give("audit", "verify")[0] == 0
    with duckdb.connect((give.bench.data / "aiops.duckdb").resolve()) as published:
        published.execute("UPDATE audit SET new = '9' WHERE seq = 5")
    code, _, wrong = give("audit", "verify")
    assert code == 1 and "verify: in the published snapshot row 5 does not fit the chain" in wrong


def test_a_morning_says_what_differs_and_does_its_work(give):
    (give.bench.root / "aiops.toml").write_text('audit_anchor_command = ["false"]\n')
    give("thresholds", "set", "0.6", "--model", MODEL, *WHY)
    with give.bench.store() as store:
        store.con.execute("UPDATE audit SET why = 'never' WHERE seq = 1")
        store.con.execute("INSERT INTO fixed_cuts VALUES ('another')")
    code, told, _ = give("status")
    assert code == 0 and "trail is broken: row 1 does not fit the chain" not in told  # not yet
    with give.bench.store() as store:
        store.publish()
    code, told, _ = give("status")
    assert told.endswith("'aiops-wb audit verify' tells more\n") and "row 1 does not fit" in told
    code, told, _ = give("daily", "--reports", "none")
    assert code == 3 and "the audit trail is broken: row 1 does not fit the chain" in told
    assert "fixed cuts another stands in no row of the trail; 'aiops-wb audit verify'" in told
    assert "anchor of the audit trail was not taken by false (exit code 1)" in told
    with open_snapshot("data") as log:
        assert log.audit_head()[0] == 2 and len(log.runs(MODEL)) == 3, "all days have figures"


def test_what_is_published_beside_a_spool_that_lies_elsewhere_is_as_it_was_published(give):
    (give.bench.data / "spool").rename(give.bench.root / "far")
    (give.bench.root / "aiops.toml").write_text('spool = "far"\n')
    assert give("features", "set", MODEL, "x", "number", *WHY)[0] == 0
    for command in (("audit", "verify"), ("verify",)):
        code, _, wrong = give(*command)
        assert (code, wrong) == (0, ""), command
    assert give("backup", "kept")[0] == 0
    shutil.rmtree(give.bench.data), shutil.rmtree(give.bench.root / "far")
    assert give("restore", "kept", *WHY)[0] == 0
    assert give("audit", "verify")[0] == 0, "services find what was restored"
    (published,) = (give.bench.root / "far" / "schemas").iterdir()
    published.write_text("{}")
    code, _, wrong = give("audit", "verify")
    assert code == 1 and "far/schemas/late.json is not what was published of" in wrong
    assert wrong.count("is not what was published") == 1, "the snapshot says the same"
