"""What is changed past all commands is found, and nothing is appended to a trail that is broken."""

import hashlib
import json
import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.log import checked
from aiops_wb.log.accepting import accept_trail, trail_findings
from aiops_wb.log.anchor import Anchor, verify_trail
from aiops_wb.log.as_written import open_as_written
from aiops_wb.log.chain import CHAIN
from aiops_wb.log.errors import BrokenTrail, StoreError
from aiops_wb.log.locks import lock_catalog
from aiops_wb.log.published import schema_path
from aiops_wb.log.sealed import record_what_stands, what_decides
from aiops_wb.log.seals import calibration_seals
from aiops_wb.stats.conformal import Calibration
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)
FILE = "models/m/v1/model.ubj"
DAY = date(2026, 3, 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "A log with all that decides: a version and its file, calibrations, features, the calendar."
    bench = Bench(tmp_path_factory.mktemp("whole"))
    bench.log(events(days=1, per_day=5))
    bench.ingest()
    with bench.store() as store:
        file = store.root / FILE
        file.parent.mkdir(parents=True)
        file.write_bytes(b"trees")
        held = ScoreCounts.from_events(np.r_[100, -100], np.r_[1, 0])
        store.add_held_out("m", "v1", {DAY: held})
        counted = {"event_date": [DAY] * 2, "feature": ["x", "x"], "bin": [0, 1], "n": [3, 4]}
        store.add_reference("m", "v1", pd.DataFrame(counted))
        card = {"sha256": hashlib.sha256(b"trees").hexdigest(), "kinds": {"x": "number"}}
        store.add_version(NOW, "ana", "m", "v1", Grid(), FILE, card, 100)
        for q in (0.1, 0.2):
            made = Calibration({0.9: q, 0.95: 0.3, 0.99: float("inf")}, 50)
            store.add_calibration(NOW, "daily", "m", "v1", made, "daily", DAY)
        store.annotate(NOW, "ana", DAY, DAY, "a holiday", "known", None, True)
        store.annotate(NOW, "ana", DAY, DAY, "a strike", "known", "m")
        store.strike(NOW, "ana", "C-2", "it was called off")
        store.publish()
    return bench


@pytest.fixture(scope="module")
def opened(whole):
    with whole.store() as store:
        assert trail_findings(store) == [] and what_decides(store).compared == 6
        yield store


@pytest.fixture
def attacked(opened):
    "The store in a transaction of somebody else's, which is undone at the end."
    opened.con.execute("BEGIN")
    opened._kept.clear()
    opened._within = True
    yield opened
    opened._within, opened._good, opened._summed = False, None, 0
    opened.con.execute("ROLLBACK")
    opened._kept.clear()
    opened._is_published()


def test_what_differs_from_the_trail_is_named(attacked):
    "Every kind of row that decides, one act each: changed, taken away, or put in."
    for act, says in (
        (
            "UPDATE calibrations SET q90 = .4 WHERE calibration_id = 'm/v1/2'",
            "calibration m/v1/2 is",
        ),
        (
            "UPDATE calibrations SET state = replace(state, '0.3', '0.31')",
            "calibration m/v1/1 is not what the trail recorded (its hash differs)",
        ),
        ("UPDATE calibrations SET through = through + 1", "calibration m/v1/1 is not what"),
        ("UPDATE calibrations SET created_at = created_at - to_microseconds(1)", "m/v1/2 is not"),
        ("DELETE FROM calibrations WHERE q90 = .1", "m/v1/1 is in the trail and gone"),
        (
            "INSERT INTO calibrations SELECT * REPLACE ('m/v1/3' AS calibration_id) "
            "FROM calibrations LIMIT 1",
            "calibration m/v1/3 stands in no row of the trail",
        ),
        ("INSERT INTO calibrations FROM calibrations LIMIT 1", "m/v1/1 stands 2 times in the"),
        (
            "UPDATE models SET state = replace(state, 'number', 'text')",
            "version m/v1 is not what the trail recorded (its card)",
        ),
        ("UPDATE held_out_counts SET n_positive = 1 - n_positive", "recorded (held-out days)"),
        ("UPDATE reference_counts SET n = n + 1 WHERE bin = 1", "recorded (reference)"),
        ("DELETE FROM models", "version m/v1 is in the trail and gone from the catalog"),
        (
            "UPDATE features SET kind = 'text' WHERE model = 'm'",
            "feature m/x is not what the trail recorded: text in the catalog, number in the trail",
        ),
        (
            "INSERT INTO features SELECT * REPLACE ('y' AS feature) FROM features "
            "WHERE model = 'm'",
            "feature m/y stands in no row of the trail",
        ),
        ("INSERT INTO fixed_cuts VALUES ('m')", "fixed cuts m stands in no row of the trail"),
        (
            "UPDATE calendar SET mutes = false",
            "calendar entry C-1 is not what the trail recorded: 2026-03-01 to 2026-03-01: a "
            "holiday in the catalog, 2026-03-01 to 2026-03-01: a holiday (muted) in the trail",
        ),
        ("UPDATE calendar SET model = 'm'", "calendar entry C-1 is not what the trail recorded"),
        (
            "UPDATE calendar SET removed = false",
            "a strike of m in the catalog, struck out in the trail",
        ),
        ("DELETE FROM calendar WHERE entry_id = 'C-1'", "C-1 is in the trail and gone"),
    ):
        attacked.con.execute(act)
        found = what_decides(attacked)
        assert any(says in finding for finding in found.findings), (act, found)
        assert not found.unrecorded and not found.intact
        attacked.con.execute("ROLLBACK; BEGIN")
        attacked._kept.clear()
    assert what_decides(attacked).intact


def test_a_replaced_file_and_an_edited_schema_are_named(opened):
    "Files, which no row of the catalog sees."
    schema = schema_path(opened.root / "spool", "m")
    for path, content, says in (
        (opened.root / FILE, b"stumps", f"{FILE} is not the file that was registered as m v1"),
        (opened.root / FILE, None, "the file of m v1 cannot be read"),
        (schema, b'{"model": "m", "features": {"x": "text"}}', "schemas/m.json is not what was"),
        (schema, None, "is not what was published of the features of m"),
        (schema, b"\xff", "is not what was published of the features of m"),
    ):
        before = path.read_bytes()
        path.unlink() if content is None else path.write_bytes(content)
        (found,) = what_decides(opened).findings
        path.write_bytes(before)
        assert says in found
    assert what_decides(opened).intact


def made_anew(con):
    "All hashes anew, as somebody would who knows how."
    told = CHAIN.partition("|| ")[2].removesuffix(")")
    before = ""
    for seq, text in con.execute(f"SELECT seq, {told} FROM audit ORDER BY seq").fetchall():
        before = hashlib.sha256((before + text).encode()).hexdigest()
        con.execute("UPDATE audit SET hash = ? WHERE seq = ?", [before, seq])


HARMS = (
    ("UPDATE audit SET new = '900' WHERE what = 'threshold'", False, "does not fit the chain"),
    ("DELETE FROM audit WHERE seq = 3", False, "row 4 does not fit the chain"),
    ("INSERT INTO audit FROM audit WHERE seq = 2", False, "row 2 does not fit the chain"),
    ("DELETE FROM audit WHERE seq > 5", False, "its end was cut off"),
    ("DELETE FROM audit", False, "the trail ends with row 0 and had 8 when it was last"),
    ("UPDATE audit SET why = 'never' WHERE seq = 2", True, "hashes were made anew"),
)


@pytest.mark.parametrize(("harm", "forged", "says"), HARMS)
def test_nothing_is_appended_to_a_trail_that_does_not_hold(attacked, harm, forged, says):
    assert attacked.trail_problem() == ""
    attacked.con.execute(harm)
    if forged:
        made_anew(attacked.con)
    before = attacked.audit_head()
    with pytest.raises(BrokenTrail, match="the audit trail is broken: .*audit accept") as told:
        attacked.record(NOW, "ana", "watch", "m/v1", "off", "because")
    assert says in str(told.value) and attacked.audit_head() == before
    assert "Nothing was changed" in str(told.value)


@pytest.mark.parametrize(("harm", "forged", "says"), HARMS)
def test_who_forgets_what_the_catalog_remembers_is_seen_by_an_anchor(attacked, harm, forged, says):
    "Emptied, cut, or hashed anew with all that speaks of it: a line outside is what is left."
    rows, head = attacked.audit_head()
    anchor = Anchor(NOW, rows, head, "the manifest of 2026-03-20")
    assert verify_trail(attacked, [anchor]).intact
    attacked.con.execute(harm)
    made_anew(attacked.con)
    attacked.con.execute("DELETE FROM audit_checked")
    attacked._good = None
    if "seq > 5" in harm or forged:  # its numbers are whole, and nothing here knows better
        assert attacked.trail_problem() == ""
    elif "DELETE FROM audit WHERE seq = 3" in harm:  # all hashes fit, and a number is left out
        assert "row 4 does not fit the chain" in attacked.trail_problem()
    assert not verify_trail(attacked, [anchor]).intact


def test_what_was_hashed_before_is_not_hashed_again_and_is_found_all_the_same(
    attacked, monkeypatch
):
    "Past the first rows a sum stands for their hashes: an edit below it is found, whoever opens."
    monkeypatch.setattr(checked, "_EVERY", 10)
    monkeypatch.setattr(checked, "_SHORT", 0)
    attacked.con.execute("UPDATE audit_checked SET content = NULL")
    for i in range(20):
        attacked.record(NOW, "ana", "watch", "m/v1", f"{i}", "because")
    summed = "SELECT rows FROM audit_checked WHERE content IS NOT NULL ORDER BY rows"
    assert attacked._column(summed) == [10, 20]
    last = attacked.audit_head()
    attacked._good = None
    assert attacked.trail_problem() == "" and attacked._good == last
    for edit, says in (
        ("UPDATE audit SET why = 'never' WHERE seq = 7", "row 7 does not fit"),
        ("UPDATE audit SET why = 'never' WHERE seq = 21", "row 21 does not fit"),
        ("UPDATE audit SET why = 'never' WHERE seq = 25", "row 25 does not fit"),
        ("UPDATE audit SET hash = 'x' WHERE seq = 20", "row 20 does not fit"),
    ):
        before = attacked._rows("SELECT seq, why, hash FROM audit")
        attacked.con.execute(edit)
        attacked._good = None
        assert says in attacked.trail_problem()
        for seq, why, made in before:
            if edit.endswith(f"seq = {seq}"):
                attacked.con.execute("UPDATE audit SET why=?, hash=? WHERE seq=?", [why, made, seq])
    attacked._good = None
    assert attacked.trail_problem() == ""


@pytest.fixture
def copied(whole, opened, tmp_path):
    "A folder of its own, to be harmed and opened again."
    bench = Bench(tmp_path)
    opened.con.execute("CHECKPOINT")
    for name in ("models", "log", "spool"):
        shutil.copytree(whole.data / name, bench.data / name)
    opened.con.execute(f"ATTACH '{bench.data / 'catalog.duckdb'}' AS copied")
    opened.con.execute("COPY FROM DATABASE catalog TO copied; DETACH copied")
    with bench.store() as store:
        store.publish()
    return bench


def test_rows_come_in_while_the_trail_is_broken_and_an_owner_goes_on(copied):
    bench = copied
    with bench.store() as store:
        anchors = [Anchor(NOW, *store.audit_head(), "the manifest of 2026-03-20")]
        store.con.execute("DELETE FROM audit WHERE seq > 6")
        store.con.execute("UPDATE audit SET why = 'never' WHERE seq = 2")
        store.con.execute("UPDATE calibrations SET q90 = 0.4")
    bench.log(events(days=7, per_day=200, start=date(2026, 3, 2)), propensity=0.5)
    taken = bench.ingest()
    assert taken.loaded == 1400 and not taken.quarantined and not taken.refused
    with bench.store() as store:
        assert not store.fixed_kinds(MODEL), "its 1,400 values would have fixed it"
        with pytest.raises(BrokenTrail, match="its end was cut off"):
            store.add_calibration(NOW, "ana", "m", "v1", Calibration({0.9: 1.0}, 50), "by hand")
        assert len(store.calibration_list("m")) == 2, "all or nothing"
        with pytest.raises(StoreError, match="needs a reason"):
            accept_trail(store, NOW, "ana", " ", anchors)
        stands = store.audit()
        told = accept_trail(store, NOW, "ana", "the disk was full", anchors)
        assert len(told) == 6, told
        assert store.audit()[:-1].equals(stands), "what stood is kept as it was"
        assert store.audit().seq.tolist() == [*range(1, 7), anchors[0].rows + 1]
        found = verify_trail(store, anchors)
        assert found.intact and trail_findings(store, anchors) == []
        assert "ana went on from what stood on 2026-03-20 00:00Z (the disk" in str(
            found.accepted[0]
        )
        assert accept_trail(store, NOW, "ana", "the disk was full", anchors) == told, "once"
        assert verify_trail(store).rows == found.rows
        with pytest.raises(StoreError, match="there is nothing to accept"):
            accept_trail(store, NOW, "ana", "again", anchors)
        store.record(NOW, "ana", "watch", "m/v1", "off", "as before")
        kept = store.root / "incidents" / f"trail-{anchors[0].rows + 1}"
        lines = {p.name: len(p.read_text().splitlines()) for p in kept.iterdir()}
        assert sorted(lines.values()) == [6, anchors[0].rows], "a snapshot had more"
        store.publish()
    bench.log(events(days=1, per_day=1, start=date(2026, 3, 10)))
    bench.ingest()
    with bench.store() as store:
        assert store.fixed_kinds(MODEL) == {"x": "number"}
        later = [Anchor(NOW, *store.audit_head(), "later")]
        assert verify_trail(store, anchors + later).intact and not trail_findings(store, anchors)
        for edit in ("hash = reverse(hash)", "why = 'yet another'"):
            store.con.execute("BEGIN")
            store.con.execute(f"UPDATE audit SET {edit} WHERE seq = 3")
            found = verify_trail(store, anchors)
            assert "a row up to 6 is not what it was when row" in found.findings[0], edit
            store.con.execute("ROLLBACK" if "hash" in edit else "COMMIT")
        assert not verify_trail(store, later).findings[1:], "the rows behind it hold"


def test_an_older_log_says_what_was_never_recorded_until_it_is(copied):
    "As a release before hashes made it: the same rows, without them."
    with copied.store() as store:
        assert not record_what_stands(store, NOW, "daily"), "it was made with them"
        store.con.execute("UPDATE workbench SET value = 'later' WHERE key = 'trail'")
        bare = "json_merge_patch(evidence, '{\"sealed\": null}')"
        store.con.execute(f"UPDATE audit SET evidence = {bare} WHERE evidence LIKE '%sealed%'")
        store.con.execute("INSERT INTO fixed_cuts VALUES ('m')")
        store.con.execute("INSERT INTO features SELECT * REPLACE ('y' AS feature) FROM features")
        made_anew(store.con)
        store.con.execute("DELETE FROM audit_checked")
        store.publish()
        before = what_decides(store)
        assert set(before.unrecorded) == {
            "calibration m/v1/1",
            "calibration m/v1/2",
            "version m/v1",
            "feature m/y",
            "fixed cuts m",
        }
        assert not before.findings and not before.intact, "nobody can tell"
        assert record_what_stands(store, NOW, "daily")
        assert not record_what_stands(store, NOW, "daily"), "once"
        assert store.audit().what.tolist()[-1] == "what stands"
        assert what_decides(store).intact
        for act, says in (
            ("UPDATE calibrations SET q90 = .4 WHERE q90 = .2", "calibration m/v1/2 is not what"),
            ("DELETE FROM fixed_cuts", "fixed cuts m is in the trail and gone"),
        ):
            store.con.execute(act)
            assert says in " ".join(what_decides(store).findings)


def test_an_edit_that_is_not_published_is_seen_unless_another_process_writes(copied):
    with copied.store() as store:
        store.con.execute("UPDATE calibrations SET q90 = 0.4")
    with open_as_written(copied.data, "ana") as (log, instead):
        assert not instead and len(what_decides(log).findings) == 2
        with pytest.raises(StoreError, match="written by ana"):
            lock_catalog(copied.data, "ben", briefly=True)
    lock = lock_catalog(copied.data, "the night")
    with open_as_written(copied.data, "ana") as (log, instead):
        assert "is being written by the night" in instead and what_decides(log).intact
    lock.close()
    with open_as_written(copied.data, "ana") as (log, instead):
        assert not instead, "nobody holds it any more"
    (copied.data / "catalog.duckdb").unlink()
    with open_as_written(copied.data, "ana") as (log, instead):
        assert "there is no catalog" in instead and what_decides(log).intact


def test_a_put_back_calibration_is_still_the_one_that_was_made(attacked):
    opened = attacked
    assert set(calibration_seals(opened)) == {"m/v1/1", "m/v1/2"}
    evidence = opened.audit("m/v1").evidence.dropna()
    sealed = [json.loads(told)["sealed"]["row"] for told in evidence[1:]]
    assert [calibration_seals(opened, f"m/v1/{i}")[f"m/v1/{i}"] for i in (1, 2)] == [
        [one] for one in sealed
    ]
    again = NOW + timedelta(1)
    opened.record(again, "ana", "calibration", "m/v1", "m/v1/1", "back", {"rolled_back": True})
    assert what_decides(opened).intact
