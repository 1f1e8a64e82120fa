"""Nothing of the log changes unnoticed: bytes, rows and counts are held against each other."""

import hashlib
import json
import random
import shutil
import tempfile
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from conftest import MODEL, Bench, events
from older import go_back

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.log import sums
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.repair import from_copies
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.sums import SHARES, holds, in_share, sha256_of, what_changed
from aiops_wb.log.taken_sums import adopt_sums, check_share
from aiops_wb.log.verify import (
    CHECKS,
    Asked,
    Finding,
    compare_bytes,
    look_further,
    rows_differ,
    trail_differs,
)
from aiops_wb.log.verify_counts import (
    arrivals_differ,
    counts_differ,
    features_differ,
    once_differ,
)
from aiops_wb.stats.points import Grid

NOW = datetime(2026, 3, 20, tzinfo=UTC)
FIRST, SECOND = date(2026, 3, 1), date(2026, 3, 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Two days of two sites with all labels, taken in and published."
    bench = Bench(tmp_path_factory.mktemp("made"))
    frame = events(days=2, per_day=40, start=FIRST)
    bench.log(frame, route="ticket", automated=True)
    bench.label(frame)
    bench.ingest(NOW)
    bench.publish()
    return bench


@pytest.fixture
def log(made, tmp_path):
    return made.copy_to(tmp_path)


def day_file(bench, kind="predictions", day=FIRST):
    return next((bench.data / "log" / kind / f"event_date={day}").glob("*.parquet"))


def flip(path, bit):
    "Turn one bit of a file over, where it lies."
    with open(path, "r+b") as file:
        file.seek(bit // 8)
        byte = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


@contextmanager
def flipped(bench, file, rng):
    "A day file with one bit turned over, anywhere."
    path = bench.data / file.path
    bit = rng.randrange(8 * path.stat().st_size)
    flip(path, bit)
    yield
    flip(path, bit)


def silently(path):
    "Turn over a bit after which a file still reads to its end, its ids and number of rows alike."
    flip(path, silent_bit(path.read_bytes()))


@cache
def silent_bit(content):
    "The first bit of that kind, at random, in the content of a file."
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as con:
        path = Path(folder, "day.parquet")
        path.write_bytes(content)
        read = "SELECT count(*), min(prediction_id), max(prediction_id), bit_xor(hash(t)) FROM "
        rows = lambda: con.execute(f"{read} read_parquet('{path}') AS t").fetchone()
        *same, whole = rows()
        for bit in iter(lambda: rng.randrange(8 * len(content)), None):
            flip(path, bit)
            with suppress(duckdb.Error, UnicodeDecodeError):
                *held, other = rows()
                if held == same and other != whole:
                    return bit
            flip(path, bit)


def inverted(path):
    "The labels of a day, each the other one."
    told = duckdb.sql(
        f"SELECT * REPLACE ((1 - label)::TINYINT AS label) FROM read_parquet('{path}')"
    )
    aside = path.with_suffix(".other")
    told.write_parquet(str(aside))
    aside.replace(path)


def verified(bench, **asked):
    with open_snapshot(bench.data) as reader:
        compared = compare_bytes(reader, Asked(**asked))
        broken = frozenset(file.path for file in compared.broken)
        return compared, look_further(reader, Asked(**asked, broken=broken))


def test_a_log_that_is_as_it_was_committed_is_verified(made):
    compared, further = verified(made)
    assert (compared.files, compared.verified, compared.without_sum) == (4, 4, 0)
    assert compared.findings == further == []
    assert compared.bytes == sum(p.stat().st_size for p in (made.data / "log").rglob("*.parquet"))


def test_a_flipped_bit_is_found_wherever_it_is(log):
    rng = random.Random(18)
    with open_snapshot(log.data) as reader:
        files = reader.day_files()
        for trial in range(50):
            file = rng.choice(files)
            with flipped(log, file, rng):
                assert reader.changed(file), file
                if trial % 10 == 0:  # the whole log
                    found = compare_bytes(reader, Asked()).findings
                    assert [one.subject for one in found] == [file.path], file
        assert compare_bytes(reader, Asked()).findings == []


@pytest.mark.slow
def test_ten_thousand_flipped_bits_over_a_log_of_a_year_are_all_found(bench):
    frame = events(days=365, per_day=60, start=date(2025, 1, 1))
    bench.log(frame)
    bench.label(frame, at="2026-02-01T00:00:00Z")
    bench.ingest(NOW)
    bench.publish()
    rng, missed = random.Random(18), []
    with open_snapshot(bench.data) as reader:
        files = reader.day_files()
        assert len(files) == 2 * 365 and compare_bytes(reader, Asked()).verified == len(files)
        for trial in range(10_000):
            file = rng.choice(files)
            with flipped(bench, file, rng):
                found = {file.path} if reader.changed(file) else set()
                if trial % 100 == 0:  # the whole log
                    found &= {one.subject for one in compare_bytes(reader, Asked()).findings}
            if found != {file.path}:
                missed.append((trial, file.path))
        assert missed == []
        assert compare_bytes(reader, Asked()).verified == len(files)


HARMS = {
    "is missing": lambda path: path.unlink(),
    "instead of": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "has 0 bytes": lambda path: path.write_bytes(b""),
    "its SHA-256 is another": silently,
    "bytes instead of": lambda path: (path.unlink(), path.mkdir()),  # that no one can open
}


def test_what_is_wrong_with_a_file_is_said_with_what_to_do(log):
    path = day_file(log)
    whole = path.read_bytes()
    for said, harm in HARMS.items():
        harm(path)
        with open_snapshot(log.data) as reader:
            (found,) = compare_bytes(reader, Asked()).findings
        assert said in found.says and "'aiops-wb repair --from FOLDER'" in found.says
        with log.store() as store:
            assert [file.path for file in store.gone()] == [found.subject], "noted for all"
            assert found.says in store.damage()
        if path.is_dir():
            path.rmdir()
        path.write_bytes(whole)


def test_labels_of_a_day_that_were_turned_round_are_found(log):
    "By their file; and by the counts, where whoever did it changed the catalog as well."
    path = day_file(log, "outcomes")
    inverted(path)
    compared, further = verified(log)
    (found,) = compared.findings
    assert found.subject == str(path.relative_to(log.data))
    assert further == [], "counts are not held against a file that is not whole"
    with log.store() as store:
        size, sha256 = path.stat().st_size, sha256_of(path)
        store.con.execute(
            "UPDATE data_files SET bytes = ?, sha256 = ? WHERE path = ?",
            [size, sha256, found.subject],
        )
        store.publish()
    compared, further = verified(log)
    assert compared.findings == [] and further
    assert {one.check for one in further} == {"counts"}
    assert all(f"{FIRST} of {MODEL} v1" in one.says for one in further)
    assert "positives in the catalog" in further[0].says


CELL = "event_date = DATE '2026-03-01' AND segment = ''"
EDITED = {
    f"UPDATE score_counts SET n = n + 1 WHERE {CELL}": (counts_differ, "events in the catalog"),
    f"UPDATE score_counts SET n_positive = n_labelled WHERE {CELL}": (counts_differ, "positives"),
    "UPDATE score_counts SET n = n + 1 WHERE segment = 'site=north'": (counts_differ, "cells"),
    f"DELETE FROM score_counts WHERE {CELL} AND rowid = (SELECT min(rowid) FROM score_counts "
    f"WHERE {CELL})": (counts_differ, "1 cell differs"),
    "DELETE FROM data_files WHERE kind = 'predictions' AND event_date = DATE '2026-03-01'": (
        counts_differ,
        "the catalog names no file",
    ),
    "UPDATE data_files SET rows = rows + 1": (rows_differ, "the catalog says 41"),
    "UPDATE data_files SET max_id = min_id": (rows_differ, "holds 40"),
    "UPDATE decision_counts SET automated = NOT automated": (once_differ, "decision counts"),
    "UPDATE latency_counts SET n = n - 1": (once_differ, "latency counts"),
    "UPDATE hour_counts SET hour = (hour + 1) % 24": (once_differ, "hour counts"),
    "UPDATE arrival_counts SET n_negative = n_negative + 1": (arrivals_differ, "arrival counts"),
    "UPDATE arrival_counts SET n = n + 1": (arrivals_differ, "arrival counts"),
    "UPDATE arrival_counts SET n_negative = n_positive, n_positive = n_negative": (
        arrivals_differ,
        "arrival counts",
    ),
    "UPDATE audit SET why = 'another'": (trail_differs, "row 1"),
    "INSERT INTO feature_counts SELECT DISTINCT event_date, tenant, model, version, 'x', 3, 39, "
    "batch_id FROM score_counts WHERE n > 0": (features_differ, "feature counts"),
}


def test_what_was_edited_in_the_catalog_is_found(log):
    assert {check for check, _ in EDITED.values()} == set(CHECKS)
    with log.store() as store:
        store.record(NOW, "ana", "watch", "m/v", "off", "a change")
        for edit, (check, said) in EDITED.items():
            store.con.execute("BEGIN")
            store.con.execute(edit)
            found = [Finding(*one).says for one in check(store, Asked())]
            store.con.execute("ROLLBACK")
            assert found and all(said in says for says in found), edit
            assert all("back from a backup" in says for says in found)
        assert look_further(store, Asked()) == []


def test_a_version_is_counted_by_its_own_grid_tenant_and_files(log):
    more, linear = events(days=1, per_day=9, seed=7, start=FIRST), Grid("linear")
    more["id"] += "-1"
    with PredictionLogger(
        log.data / "spool", "aside", "v1", threshold=0, grid=linear, tenant="two"
    ) as other:
        other.log(9 * more.score, more["at"], prediction_id="z" + more.id, site_id=more.site)
    log.log(more)
    log.label(more)
    log.label(more.assign(id="no-" + more.id), hint=False)  # nobody knows which day these are of
    log.ingest(NOW)
    with log.store() as store:
        assert look_further(store, Asked()) == []
        store.con.execute("BEGIN")
        store.con.execute(f"UPDATE score_counts SET n = n + 1 WHERE {CELL}")
        store.con.execute(f"UPDATE data_files SET sha256 = NULL WHERE min_id = '{min(more.id)}'")
        in_part, whole = sorted(says for *_, says in counts_differ(store, Asked()))[::-1]
        assert f"{FIRST} of aside v1 (two): " in whole and "rows are those that were" in whole
        assert f"{FIRST} of {MODEL} v1: " in in_part and "not all of its files" in in_part
        store.con.execute("ROLLBACK")
        (of_any,) = [file for file in store.day_files(kind="outcomes") if file.day is None]
        store.con.execute(f"UPDATE score_counts SET n = n + 1 WHERE {CELL}")
        assert [*counts_differ(store, Asked(broken=frozenset([of_any.path])))] == []


def test_only_what_is_asked_is_looked_at(log):
    inverted(day_file(log, "outcomes"))
    with log.store() as store:
        store.con.execute(f"UPDATE score_counts SET n = n + 1 WHERE {CELL}")
        store.publish()
    compared, further = verified(log, since=SECOND)
    assert (compared.files, compared.findings, further) == (2, [], [])
    compared, further = verified(log, model="another")
    assert compared.files == 2 and len(compared.findings) == 1 and further == []
    with log.store() as store:
        store.con.execute("DELETE FROM data_files WHERE kind = 'predictions'")
        for asked, found in ({}, 2), ({"since": SECOND}, 1), ({"model": "another"}, 0):
            assert len([*counts_differ(store, Asked(**asked))]) == found


def test_files_that_nobody_committed_are_found(log):
    predictions = log.data / "log" / "predictions"
    path = day_file(log)
    shutil.copy(path, path.with_name("b00000001-0099.parquet"))
    (predictions / "notes.txt").write_text("x")
    (path.parent / f".{path.name}.tmp").write_text("a repair is at work")
    shutil.copy(path, path.with_name("b00000099-0000.parquet"))  # a night that goes on
    compared, further = verified(log)
    assert compared.newer == 1 and further == []
    says = sorted(one.says for one in compared.findings)
    assert len(says) == 2 and "b00000001-0099.parquet" in says[0] and "notes.txt" in says[1]


def test_a_version_whose_file_is_another_is_found(log):
    path = log.data / "models" / "m.ubj"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"a model")
    with log.store() as store:
        card = {"sha256": sha256_of(path)}
        store.add_version(NOW, "ana", MODEL, "v9", Grid(), "models/m.ubj", card, 0)
        assert look_further(store, Asked()) == []
        path.write_bytes(b"b model")
        (found,) = trail_differs(store, Asked())
        assert f"is not the file that was registered as {MODEL} v9" in found.says
        path.unlink()
        (found,) = look_further(store, Asked(model=MODEL))
        assert f"the file of {MODEL} v9 cannot be read" in found.says


def made_before(bench):
    "The log as a version without checksums left it."
    with bench.store() as store:
        go_back(store.con, 15)
    bench.publish()


def test_files_of_a_log_made_before_are_never_called_verified(log):
    "A month of mornings takes their checksums, of those that hold what was committed."
    made_before(log)
    silently(day_file(log))
    whole = day_file(log, day=SECOND)
    short = duckdb.sql(f"FROM read_parquet('{day_file(log, 'outcomes')}') LIMIT 39")
    short.write_parquet(str(log.root / "short"))
    (log.root / "short").replace(day_file(log, "outcomes"))
    compared, _ = verified(log)
    assert (compared.files, compared.verified, compared.without_sum) == (4, 0, 3)
    with log.store() as store:
        for morning in range(SHARES):
            check_share(store, [NOW.date() + timedelta(morning)])
        sums = {file.path: file.sha256 for file in store.day_files()}
        assert sums[str(whole.relative_to(log.data))] == sha256_of(whole)
        assert sums[str(day_file(log, "outcomes").relative_to(log.data))] is None
        assert adopt_sums(store, store.day_files()) == 0
        store.publish()
    assert verified(log)[0].verified == 3, "what was changed before is taken as it is"


def test_without_a_checksum_a_file_is_known_by_its_bytes_rows_and_ids(tmp_path):
    path = tmp_path / "day.parquet"
    duckdb.sql("SELECT unnest(['a', 'b', 'c']) AS prediction_id").write_parquet(str(path))
    said = {"sha256": None, "rows": 3, "min_id": "a", "max_id": "c", "bytes": path.stat().st_size}
    with duckdb.connect() as con:
        assert holds(con, path, SimpleNamespace(**said))
        for name, other in ("rows", 4), ("min_id", "b"), ("max_id", "d"), ("bytes", 9):
            assert not holds(con, path, SimpleNamespace(**said | {name: other})), name
        path.write_bytes(path.read_bytes()[:-1])
        assert not holds(con, path, SimpleNamespace(**said))


def test_a_checksum_is_the_same_for_files_of_any_size(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    made = hashlib.sha256(b"0123456789").hexdigest()
    for at_once in (10, 9):  # read in one piece, or in several
        monkeypatch.setattr(sums, "_AT_ONCE", at_once)
        assert sha256_of(path) == made and what_changed(path, made) is None
    assert what_changed(tmp_path, made) == "cannot be read (Is a directory)"
    assert what_changed(tmp_path / "none", made) == "is missing"
    assert "another" in what_changed(path, made[::-1]) and what_changed(path, None) is None


def test_each_file_has_its_turn_in_a_month():
    days = [date(2026, 1, 15) + timedelta(n) for n in range(SHARES)]
    for name in map(str, range(200)):
        assert sum(in_share(name, [day]) for day in days) == 1
        assert in_share(name, days)
    assert 0 < sum(in_share(str(n), days[:1]) for n in range(2_000)) < 2_000 / SHARES * 2


def test_a_copy_is_taken_only_when_its_bytes_are_those_that_were_committed(log):
    path, copies = day_file(log, "outcomes"), log.root / "copies"
    copies.mkdir()
    copy = copies / path.name
    shutil.copy(path, copy)
    silently(copy)  # as many bytes and rows, the same ids
    shutil.copy(copy, path)
    with log.store() as store:
        (said,) = from_copies(store, NOW, "ana", copies)
        assert "has no whole copy" in said


def test_what_was_changed_is_counted_no_more_and_comes_back_from_a_copy(log):
    "Labels that come for a day whose labels were turned round do not bring these into its counts."
    kept = shutil.copytree(log.data / "log", log.root / "copies")
    frame = events(days=2, per_day=40, start=FIRST)
    inverted(day_file(log, "outcomes"))
    size = day_file(log, "outcomes").stat().st_size
    sized = "UPDATE data_files SET bytes = ? WHERE kind = 'outcomes' AND event_date = ?"
    with log.store() as store:  # as long as it was: nothing but its bytes tells
        (bytes_before,) = {f.bytes for f in store.day_files(kind="outcomes", event_date=FIRST)}
        store.con.execute(sized, [size, FIRST])
        before = store.score_counts(MODEL)[FIRST].total
    log.label(frame[:1], label=1 - frame.label[:1], at="2026-03-21T00:00:00Z")
    log.ingest(NOW)
    with log.store() as store:
        assert store.score_counts(MODEL)[FIRST].total == before
        assert "SHA-256" in store.damage()[0]
        store.con.execute(sized + " AND bytes = ?", [bytes_before, FIRST, size])
        said = from_copies(store, NOW, "ana", kept)
        assert "is there again" in said[0]
        n, labelled, positive = store.score_counts(MODEL)[FIRST].total
        turned = 1 - 2 * frame.label[0]
        assert (n, labelled, positive) == (40, 40, frame.label[:40].sum() + turned)


def morning(bench, now=NOW, **asked):
    settings = Settings(complete_share=1)
    return run(bench.data, bench.root / "r", now, settings, show="none", **asked)


def test_a_morning_verifies_what_it_reads_of_yesterday(log):
    silently(day_file(log))
    ran = morning(log)
    assert {one.day: one.state for one in ran.figures} == {FIRST: "failed", SECOND: "ok"}
    assert "its SHA-256 is another" in ran.figures[0].error and ran.exit_code == 3
    with open_snapshot(log.data) as reader:
        assert "its SHA-256 is another" in reader.damage()[0]
        assert reader._value("SELECT count(*) FROM predictions") == 40


def test_a_morning_verifies_its_share_of_the_past(log):
    path = day_file(log)
    name = str(path.relative_to(log.data))
    silently(path)
    days = [NOW + timedelta(n) for n in range(SHARES)]
    other, its = (
        next(day for day in days if in_share(name, [day.date()]) is wanted)
        for wanted in (False, True)
    )
    with log.store() as store:
        check_share(store, [other.date()])
        assert store.damage() == []
    ran = morning(log, its, days=[SECOND])
    assert [one.state for one in ran.figures] == ["ok"] and ran.exit_code != 0
    assert [one.name for one in ran.reports] == ["day file"] and name in ran.reports[0].error


def test_a_rewriting_that_was_stopped_before_a_new_file_stood_there_leaves_the_old_one(log):
    with log.store() as store:
        files = store.day_files(kind="predictions")
        store.begin_rewriting(files[:1])
        store.finish_rewriting()
        assert all((store.root / file.path).exists() for file in files)
        assert store.day_files(kind="predictions") == files
        store.finish_rewriting()  # there is none


def test_a_file_without_some_of_its_rows_has_a_checksum_of_its_own_and_its_counts_stay(log, capsys):
    "What is forgotten leaves the rows; a day of which some are no more is held to what stayed."
    some = "prediction_id LIKE '%1'"
    with log.store() as store:
        (file,) = store.day_files(kind="predictions", event_date=FIRST)
        store.begin_rewriting([file])
        made = store.write_without(file, some)
        with store.transaction():
            store.keep_counts([file], some)
            store.record_rewritten(made)
        store.finish_rewriting()
        (now,) = store.day_files(path=made.path)
        assert 0 < now.rows < file.rows and now.sha256 == sha256_of(store.root / now.path)
        assert store.note_changed([now]) == {} and not (store.root / file.path).exists()
        store.publish()
    words = ["verify", "--data", str(log.data)]
    assert main(words) == 0, capsys.readouterr()
    with log.store() as store:
        store._write("UPDATE forgotten_counts SET n = n + 1")
        store.publish()
    assert main(words) == 1 and "score counts of 2026-03-01" in "".join(capsys.readouterr())


def test_the_command_says_what_it_found_and_how_sure_it_is(log, capsys):
    def given(*words):
        code = main(["verify", *words, "--data", str(log.data)])
        return code, "".join(capsys.readouterr())

    code, said = given()
    assert code == 0 and "4 files (" in said and "MB/s): 4 verified" in said
    assert "nothing differs: bytes, rows, counts, trail and files of versions" in said
    assert "came after" not in said
    shutil.copy(day_file(log), newer := day_file(log).with_name("b00000099-0000.parquet"))
    said = given("--files-only")[1]
    assert "nothing differs: bytes are" in said
    assert "1 file came after the snapshot that was read: not asked\n" in said
    newer.unlink()
    silently(path := day_file(log))
    code, said = given()
    assert code == 1 and path.name in said and "3 verified" in said and "nothing" not in said
    code, said = given("--json", "--files-only", "--since", "2026-03-01", "--model", MODEL)
    told = json.loads(said)
    assert code == 1 and told["verified"] == 3 and len(told["findings"]) == 1
    assert given("--files-only", "--since", "2026-03-02")[0] == 0
    assert given("--model", "nobody")[0] == 1 and given("--since", "soon")[0] == 2
    made_before(log)
    code, said = given("--files-only")
    assert code == 0 and "4 files have no checksum yet" in said and ": 0 verified" in said


def test_a_log_without_a_file_is_not_called_whole(bench, capsys):
    words = ["verify", "--data", str(bench.data)]
    assert main(words) == 1 and "no published snapshot" in capsys.readouterr().err
    bench.publish()
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "0 files" in said and "nothing is known" in said and "nothing differs" not in said


@pytest.mark.parametrize("at_once", [sums._AT_ONCE, 5])
def test_a_hash_is_taken_in_one_piece_or_in_several_and_tells_how_far_it_is(
    tmp_path, monkeypatch, at_once
):
    monkeypatch.setattr(sums, "_AT_ONCE", at_once)
    monkeypatch.setattr(sums, "_CHUNK", 4)
    for content, pieces in ((b"", []), (b"four", [4]), (b"ten bytes.", [4, 4, 2])):
        (tmp_path / "file").write_bytes(content)
        told = []
        assert sha256_of(tmp_path / "file", told.append) == sha256(content).hexdigest()
        assert told == (pieces if at_once == 5 else pieces and [len(content)])
