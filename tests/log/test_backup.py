"""Backups: one state whoever writes meanwhile, whole or not there, and back again."""

import errno
import json
import os
import shutil
import stat
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import MODEL, Bench, events
from nursery import forked

from aiops_wb.cli import main
from aiops_wb.log import backup as module
from aiops_wb.log import backup_files
from aiops_wb.log.backup import drop_older, make_backup
from aiops_wb.log.backup_files import (
    backups,
    newest_or_itself,
    read_manifest,
    verify_backup,
    write_manifest,
)
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import Busy, StoreError
from aiops_wb.log.folder_rows import take_rows_of
from aiops_wb.log.forgetting import find, forget
from aiops_wb.log.forgotten import Forgotten
from aiops_wb.log.locks import lock_catalog
from aiops_wb.log.named_files import Places
from aiops_wb.log.restore import require_whole_backup, restore_backup
from aiops_wb.log.spool import PredictionLogger

NOW = datetime(2026, 3, 20, tzinfo=UTC)
FIRST = date(2026, 3, 1)


def deliver(bench, number, taken_in=True):
    "A day, predictions and labels."
    frame = events(days=1, per_day=20, seed=number, start=FIRST + timedelta(number))
    bench.log(frame)
    bench.label(frame)
    if taken_in:
        bench.ingest(NOW)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A published day, a threshold, a model's file, a setting, and a backup of it all."
    bench = Bench(tmp_path_factory.mktemp("made"))
    deliver(bench, 0)
    with bench.store() as store:
        store.set_own_threshold(NOW, "test", MODEL, "v1", ("default", None), 300, "a trial")
        store.publish()
    (bench.data / "models" / MODEL).mkdir(parents=True)
    (bench.data / "models" / MODEL / "v1.ubj").write_bytes(b"trees")
    (bench.data / "models" / MODEL / "v1.ubj").chmod(0o640)
    (bench.data / "models").chmod(0o750)
    (bench.root / "aiops.toml").write_text("jobs = 1\n")
    back_up(bench)
    return bench


@pytest.fixture
def log(made, tmp_path):
    return made.copy_to(tmp_path)


def back_up(bench, now=NOW, dest="kept", **options):
    return make_backup(bench.data, bench.root / dest, now, bench.root / "aiops.toml", **options)


def put_back(bench, into="back", **options):
    "The newest backup, restored; the bench of it."
    source = newest_or_itself(bench.root / "kept")
    place = bench.root / into
    done = restore_backup(source, place / "data", NOW, "test", "a trial", **options)
    return Bench(place), done


def state(bench):
    "Rows with their labels, counts, the trail but for the restore, models; rows equal counts."
    with bench.store() as store:
        named = sorted(str(bench.data / f.path) for f in store.day_files())
        assert named == sorted(map(str, (bench.data / "log").rglob("*.parquet")))
        store.verify_audit()
        counts = {day: c.total for day, c in store.score_counts(MODEL).items()}
        trail = store.audit()
        bench_trail = trail[trail.what != "restore"][["what", "new", "why"]].values.tolist()
        store.publish()
    with open_snapshot(bench.data) as reader:
        rows = reader.frame(
            "SELECT prediction_id, points, actual_fraud_detected AS label "
            "FROM noc_fraud_prediction_log ORDER BY ALL"
        )
    assert len(rows) == sum(total[0] for total in counts.values()) and rows.prediction_id.is_unique
    models = {p.name: p.read_bytes() for p in (bench.data / "models").rglob("*.ubj")}
    return rows.values.tolist(), counts, bench_trail, models


def test_what_was_restored_elsewhere_is_what_was_backed_up(log):
    before = state(log)
    back, done = put_back(log)
    assert done.told == [
        f"settings: {back.root / 'aiops.toml'}",
        "whoever was forgotten after 2026-03-20 00:00Z is in what was restored: 'aiops-wb forget' "
        "and 'aiops-wb retention' have to be given again",
    ]
    shutil.rmtree(log.data)  # the views lead to rows of its own
    assert state(back) == before and len(before[0]) == 20
    mode = lambda path: stat.S_IMODE((back.data / path).stat().st_mode)
    assert mode("models") == 0o750 and mode(f"models/{MODEL}/v1.ubj") == 0o640
    with back.store() as store:
        row = store.audit("log").iloc[-1]
    told = json.loads(row.evidence)
    assert (row.what, row.why, told["batch"]) == ("restore", "a trial", 2)
    again, done = put_back(log)
    assert "restored already" in done.told[0] and again.data == back.data


def test_owner_and_group_come_back_as_far_as_that_may_be(log, monkeypatch):
    given = []
    monkeypatch.setattr(backup_files.os, "chown", lambda *to: given.append(to[1:]))
    back, _ = put_back(log)
    found = back.data.stat()
    assert {(found.st_uid, -1), (-1, found.st_gid)} == set(given)
    rights = backup_files.Rights(0o640, "nobody of that name", "")
    given.clear()
    rights.give(path := next(back.data.rglob("*.ubj")))
    assert given == [] and stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_next_backup_links_what_did_not_change(log):
    deliver(log, 1)
    log.publish()
    made = back_up(log, NOW + timedelta(days=1))
    first, second = backups(log.root / "kept")
    files = [sorted((p / "data/log").rglob("*.parquet")) for p in (first, second)]
    assert [len(f) for f in files] == [2, 4]
    for path in files[0]:
        assert path.samefile(second / path.relative_to(first))
    assert 0 < made.linked < made.manifest.size
    assert not require_whole_backup(second).gone
    assert drop_older(log.root / "kept", 1) == [first.name]
    assert backups(log.root / "kept") == [second] and not verify_backup(second, made.manifest)
    # two in one second
    assert back_up(log, NOW + timedelta(days=1)).folder.name == f"{second.name}-2"


def damage(path, how):
    if how == "a bit":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    elif how == "cut":
        os.truncate(path, path.stat().st_size - 1)
    elif how == "gone":
        path.unlink()
    else:
        path.with_name("more.parquet").write_bytes(b"rows")


def stands(folder):
    "What a folder holds, and since when."
    return {p: p.lstat().st_mtime_ns for p in folder.rglob("*") if p.name != "catalog.lock"}


OTHERS = ("aiops.toml", "data/snapshots/*", "data/models/*/*")


@pytest.mark.parametrize(
    "what",
    [
        "manifest.json",
        "data/log/*/*/*",
        *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS),
    ],
)
def test_damage_is_found_and_nothing_is_restored(made, tmp_path, what):
    for how in ("a bit", "cut", "gone", *(["more"] if "data" in what else [])):
        bench = made.copy_to(tmp_path / how)
        damage(next(newest_or_itself(bench.root / "kept").glob(what)), how)
        before = stands(bench.root)
        with pytest.raises(StoreError, match="damaged|cannot be read|is no backup"):
            put_back(bench, into=".", replace=True)
        assert {p: t for p, t in stands(bench.root).items() if p in before} == before
        assert set(stands(bench.root)) == set(before)


def test_a_manifest_leads_nowhere_else(log):
    folder = newest_or_itself(log.root / "kept")
    manifest = read_manifest(folder)
    for path in ("../stolen", "/etc/passwd", "log/../../x"):
        write_manifest(folder, manifest)
        kept = next(iter(manifest.files.values()))
        manifest.files[path] = kept
        write_manifest(folder, manifest)
        with pytest.raises(StoreError, match="leads out of the backup"):
            put_back(log)
        del manifest.files[path]
    rights = backup_files.Rights(0o600, "", None)
    for wrong in (
        {path: kept for path, kept in manifest.files.items() if path != "aiops.toml"},
        manifest.files | {"aiops.toml": manifest.files["aiops.toml"]._replace(rights=rights)},
    ):
        write_manifest(folder, replace(manifest, files=wrong))
        with pytest.raises(StoreError, match="is no manifest of a backup"):
            put_back(log)
    assert not (log.root / "back" / "data").exists()


def test_links_in_a_circle_are_no_place(log):
    circle = log.root / "circle"
    circle.symlink_to(circle)
    with pytest.raises(StoreError, match="leads back to itself"):
        back_up(log, dest="circle")
    with pytest.raises(StoreError, match="leads back to itself"):
        put_back(log, into="circle")


@pytest.mark.slow
def test_rows_that_are_safe_are_in_it_whatever_the_writer_is_at(log):
    """In the spool, in an open file, in a day file that no snapshot knows, and in the middle: a
    segment that the writer takes in while the spool is copied."""
    deliver(log, 1)  # committed, and not published
    open_file = PredictionLogger(log.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None)
    open_file.log(0.5, "2026-03-09T00:00:00Z", prediction_id="open", features={"x": 1.0})
    open_file.secure()
    deliver(log, 2, taken_in=False)
    left = [3]

    def seen(_):
        if left and left.pop():  # the first file of the spool is being copied
            log.ingest(NOW)

    back_up(log, NOW + timedelta(1), seen=seen)
    open_file.flush()
    assert read_manifest(backups(log.root / "kept")[-1]).later
    back, _ = put_back(log)
    for bench in (log, back):
        bench.ingest(NOW)
    assert state(back)[:2] == state(log)[:2] and len(state(back)[0]) == 61


@pytest.mark.slow
def test_a_snapshot_that_is_dropped_meanwhile_is_chosen_anew(log):
    done = []

    def seen(_):
        if not done:
            done.append(1)
            deliver(log, 1)
            with log.store() as store:
                store.publish(keep=1)

    back_up(log, NOW + timedelta(1), seen=seen)
    # the copied snapshot, whichever it was, and the rows behind it
    back, _ = put_back(log)
    back.ingest(NOW)
    assert state(back)[:2] == state(log)[:2] and len(state(back)[0]) == 40


def test_a_day_file_that_is_gone_is_said_and_the_rest_is_kept(log, capsys):
    path = next((log.data / "log" / "outcomes").rglob("*.parquet"))
    path.unlink()
    arguments = ["--data", str(log.data), "--config", str(log.root / "aiops.toml")]
    assert main(["backup", str(log.root / "kept"), "--keep", "1", *arguments]) == 1
    assert f"{path.relative_to(log.data)} is missing" in capsys.readouterr().out
    assert len(backups(log.root / "kept")) == 2  # the older one has the file
    back, _ = put_back(log)
    with open_snapshot(back.data) as reader:
        assert len(reader.damage()) == 1 and reader.days(MODEL)
    assert main(["repair", "--from", str(log.root / "kept"), *arguments]) == 0
    assert "is there again" in capsys.readouterr().out


def test_a_full_disk_leaves_the_backups_that_there_are(log, monkeypatch):
    before = backups(log.root / "kept")
    deliver(log, 1)
    log.publish()
    usage = SimpleNamespace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "disk_usage", lambda _: usage)
        with pytest.raises(StoreError, match=r"has 0.0 MB free, and this backup needs [1-9]"):
            back_up(log, NOW + timedelta(1))
        with pytest.raises(StoreError, match="free some space, or name another disk"):
            put_back(log)
    assert not (log.root / "back" / "data").exists() and not list((log.root / "back").iterdir())
    real, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(backup_files.os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            back_up(log, NOW + timedelta(1))
        calls.clear()
        with pytest.raises(OSError, match="No space left"):
            put_back(log)
    assert backups(log.root / "kept") == before
    assert [p for p in (log.root / "kept").iterdir() if p not in before] == []
    assert [p for p in (log.root / "back").iterdir()] == []


def test_a_disk_without_hard_links_gets_copies(log, monkeypatch):
    def no_link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(module.os, "link", no_link)
    made = back_up(log, NOW + timedelta(1))
    assert made.linked == 0 and not verify_backup(made.folder, made.manifest)


def test_what_rotted_in_the_backup_before_is_copied_anew(log):
    folder = newest_or_itself(log.root / "kept")
    path = next(folder.glob("data/log/*/*/*"))
    damage(path, "a bit")
    made = back_up(log, NOW + timedelta(1))
    assert not verify_backup(made.folder, made.manifest)
    assert not path.samefile(made.folder / path.relative_to(folder))


@pytest.mark.slow
def test_a_log_of_which_nothing_was_taken_in_yet(tmp_path):
    bench = Bench(tmp_path)
    (bench.root / "aiops.toml").write_text("")
    deliver(bench, 0, taken_in=False)
    assert back_up(bench).manifest.batch is None
    back, _ = put_back(bench)
    for one in (bench, back):
        one.ingest(NOW)
    assert state(back) == state(bench) and len(state(back)[0]) == 20


def test_where_a_backup_may_not_be(log, tmp_path):
    with pytest.raises(StoreError, match="lies in the data folder"):
        back_up(log, dest="data/kept")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        back_up(log, dest="file")
    with pytest.raises(StoreError, match="nothing to back up"):
        make_backup(tmp_path / "kept", tmp_path / "other", NOW)
    with pytest.raises(StoreError, match="is no backup and holds none"):
        newest_or_itself(log.data)
    source = newest_or_itself(log.root / "kept")
    with pytest.raises(StoreError, match="holds, or lies in, the backup"):
        restore_backup(source, source / "data" / "x", NOW, "test", "a trial")
    with pytest.raises(StoreError, match="needs a reason"):
        restore_backup(source, log.root / "back", NOW, "test", " ")
    with backup_files.held_folder(log.root / "kept", "a backup"), pytest.raises(Busy):
        back_up(log)


@pytest.mark.slow
def test_a_folder_that_stands_is_put_aside_and_its_rows_can_be_taken_in(log):
    deliver(log, 1)
    log.publish()
    deliver(log, 2, taken_in=False)
    whole = log.copy_to(log.root / "never lost")
    whole.ingest(NOW)
    with pytest.raises(StoreError, match="--replace puts it aside as data.before-restore"):
        put_back(log, into=".")
    with lock_catalog(log.data, "the night"), pytest.raises(Busy, match="the night"):
        put_back(log, into=".", replace=True)
    _, done = put_back(log, into=".", replace=True)
    aside = log.root / "data.before-restore"
    said = " ".join(done.told)
    assert "it knew 4 batches, the backup 2" in said
    assert "40 rows of 2026-03-02 in 2 day files and 2 files of its spool" in said
    with log.store() as store:
        take_rows_of(store, NOW, "test", aside)
        assert (
            take_rows_of(store, NOW, "test", aside)
            .told[0]
            .endswith("has no rows that this log has not")
        )
    assert state(log) == state(whole) and len(state(log)[0]) == 60


def test_a_file_of_another_folder_that_cannot_be_read_is_said_and_the_rest_is_taken(log, capsys):
    deliver(log, 1)
    aside = log.copy_to(log.root / "aside").data
    put_back(log, into=".", replace=True)
    here = {path.name for path in (log.data / "log").rglob("*.parquet")}
    [torn] = [p for p in (aside / "log" / "outcomes").rglob("*.parquet") if p.name not in here]
    torn.write_bytes(b"no rows")
    arguments = ["--data", str(log.data), "--config", str(log.root / "aiops.toml")]
    assert main(["repair", "--rows-from", str(aside), *arguments]) == 1
    said = capsys.readouterr().out
    assert said.count("cannot be read") == 1 and torn.name in said
    rows = state(log)[0]
    assert said.startswith("1 file of") and len(rows) == 40
    assert pd.Series([label for *_, label in rows]).count() == 20


def test_who_was_forgotten_since_a_backup_is_said_to_be_there_again(log):
    one = Forgotten("entity", "somebody", until=NOW)
    with log.store() as store:
        store.add_forgotten(NOW, [one])
        forget(store, NOW, "test", find(store, one, Places(log.data / "spool")), "asked to")
    _, elsewhere = put_back(log)
    assert any("forgotten after 2026-03-20 00:00Z" in said for said in elsewhere.told)
    _, done = put_back(log, into=".", replace=True)
    [said] = [said for said in done.told if "have to be given again" in said]
    assert said.startswith("1 removal (entity ")
    back_up(log, NOW + timedelta(1))
    _, done = put_back(log, into=".", replace=True)
    assert not any("given again" in said for said in done.told)


@pytest.mark.slow
def test_a_restored_log_goes_on_as_if_it_had_never_been_lost(log):
    "All is delivered again, and then the next day comes."
    back, _ = put_back(log)
    for bench in (log, back):
        deliver(bench, 0)
        deliver(bench, 1)
    assert state(back) == state(log) and len(state(log)[0]) == 40


def test_the_commands_tell_what_they_did(log, capsys):
    common = ["--data", str(log.data), "--config", str(log.root / "aiops.toml")]
    kept = str(log.root / "kept")
    assert main(["backup", kept, "--keep", "1", *common]) == 0
    assert ", verified" not in (said := capsys.readouterr().out) and "; verified (" in said
    assert main(["backup", kept, "--list", "--json", *common]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["batch"] == 2 and row["first"] == "2026-03-01" and row["problem"] is None
    assert main(["restore", kept, "--check", "--json", *common]) == 0
    assert json.loads(capsys.readouterr().out)["verified"]
    into = str(log.root / "there")
    assert main(["restore", kept, "--into", into, "--why", "a move", "--json", *common]) == 0
    assert json.loads(capsys.readouterr().out)["batch"] == 2
    assert main(["restore", kept, *common]) == 1
    assert "needs a reason: add --why" in capsys.readouterr().err


@pytest.mark.slow
def test_an_anchor_of_a_longer_trail_speaks_and_stays_as_it_is(log, capsys):
    anchor = log.root / "outside" / "anchor.jsonl"
    (log.root / "aiops.toml").write_text('audit_anchor = "outside/anchor.jsonl"\n')
    common = ["--data", str(log.data), "--config", str(log.root / "aiops.toml")]
    for name in ("Easter", "Whitsun"):
        words = ["calendar", "add", name, "--from", "2026-03-18", "--why", "a holiday"]
        assert main([*words, *common]) == 0
    said = anchor.read_text()
    capsys.readouterr()
    restoring = ["restore", str(log.root / "kept"), "--replace", "--why", "a trial", *common]
    assert main(restoring) == 0
    told = capsys.readouterr().out
    assert "2 changes of its audit trail" in told and "an older catalog was put back" in told
    assert anchor.read_text() == said
    assert main(["audit", "verify", *common]) == 1


def writing(data, number):
    "A service and a night: rows are made safe, told, taken in, published, again and again."
    bench = Bench(Path(data).parent)
    for day in range(1, number):
        frame = events(days=1, per_day=20, seed=day, start=FIRST + timedelta(day))
        bench.log(frame)
        bench.label(frame)
        with open(bench.root / "safe", "a") as told:
            told.write("".join(f"{one}\n" for one in frame.id))
        bench.ingest(NOW)
        if day % 3 == 0:
            with bench.store() as store:
                store.publish(keep=1)


@pytest.mark.slow
def test_backups_while_another_process_writes_are_each_one_state(log):
    (log.root / "safe").touch()
    child = forked(writing, str(log.data), 12)
    kept = []
    while len(kept) < 8:  # of which the last see a log at rest
        safe = set((log.root / "safe").read_text().split())
        kept.append((safe, back_up(log, NOW + timedelta(seconds=1 + len(kept)))))
    child.join()
    assert child.exitcode == 0
    sizes = set()
    for number, (safe, made) in enumerate(kept):
        assert not made.problems and not verify_backup(made.folder, made.manifest)
        place = log.root / str(number) / "data"
        restore_backup(made.folder, place, NOW, "test", "a trial")
        back = Bench(place.parent)
        back.ingest(NOW)
        rows = state(back)[0]
        assert safe <= {row[0] for row in rows}
        sizes.add(len(rows))
    assert len(sizes) > 1  # they were made while it wrote
