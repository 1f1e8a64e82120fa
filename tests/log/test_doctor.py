"""What is wrong around a workbench is told, each thing with what to do about it."""

import grp
import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from conftest import Bench, events

from aiops_wb.cli.app import main
from aiops_wb.config import Settings
from aiops_wb.log import doctor
from aiops_wb.log.doctor import CHECKS, examine
from aiops_wb.log.ingest import ingest
from aiops_wb.log.locks import lock_catalog
from aiops_wb.log.spool_place import hold_spool
from aiops_wb.log.store import open_store

OURS = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A published log of its owner alone."
    made = Bench(tmp_path_factory.mktemp("made"))
    made.log(events(days=1, per_day=5))
    with made.store() as store:
        ingest(store, datetime.now(UTC), "test")
        store.publish()
    return made


@pytest.fixture
def house(made, tmp_path, monkeypatch):
    "It, on a disk of which half is free, whatever this one is."
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: (10**12, 5 * 10**11, 5 * 10**11))
    return made.copy_to(tmp_path)


def looked(bench, after=timedelta(0), **settings):
    "Check -> its state and what is told, of those that found something."
    settings = Settings(data=bench.data, reports=bench.root / "reports", **settings)
    found = examine(settings, datetime.now(UTC) + after)
    assert {one.check for one in found} == set(CHECKS)
    return {one.check: (one.state, f"{one.says} {one.do}") for one in found if one.state != "ok"}


def test_a_folder_as_it_is_made_has_nothing_wrong(house):
    (house.root / "reports").mkdir(mode=0o700)
    assert looked(house) == {}


def test_a_folder_that_is_open_is_said_with_what_to_do(house):
    os.chmod(house.data, 0o755)
    state, told = looked(house)["folder"]
    assert state == "look" and "(755) is open to everybody on this machine chmod -R o-rwx" in told
    assert "chgrp -R" in looked(house, group=OURS)["folder"][1]


def test_files_that_the_group_cannot_read_are_found_and_the_advice_opens_them(house):
    os.chmod(house.data, 0o2750)
    state, told = looked(house, group=OURS)["folder"]
    assert state == "wrong" and re.search(f"{OURS} cannot read [0-9]+ of ", told)
    assert os.system(told[told.index("chgrp") :]) == 0
    assert "folder" not in looked(house, group=OURS)
    assert looked(house, group="no such")["group"][0] == "wrong"


def test_what_everybody_may_write_to_is_found_anywhere(house):
    file = next((house.data / "log").rglob("*.parquet"))
    os.chmod(file, 0o666)
    cases = house.root / "cases.jsonl"
    cases.touch()
    os.chmod(cases, 0o622)
    state, told = looked(house, case_file=cases)["everybody"]
    assert state == "wrong" and f"everybody may write to {file} and 1 more chmod" in told
    os.chmod(file, 0o600)
    assert str(cases) in looked(house, case_file=cases)["everybody"][1]
    assert "everybody" not in looked(house)
    os.chmod(house.data / "spool", 0o777)
    assert "spool" in looked(house)["everybody"][1]
    os.chmod(house.data / "spool", 0o1777)
    assert "everybody" not in looked(house)


def test_a_spool_that_services_cannot_reach_or_that_is_of_another_folder_is_wrong(house, tmp_path):
    os.chmod(house.data / "spool", 0o770)
    state, told = looked(house)["spool"]
    assert state == "wrong" and f"its group, which cannot pass through {house.data} " in told
    os.chmod(house.data, 0o710)
    assert "spool" not in looked(house)
    other, far = tmp_path / "other", tmp_path / "far"
    other.mkdir()
    hold_spool(other, far)
    assert looked(house, spool=far)["spool"][0] == "wrong"


def test_room_on_the_disk(house, monkeypatch):
    def usage(free):
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: (10**12, 10**12 - free, free))
        return looked(house).get("disk", ("ok",))[0]

    assert [usage(n) for n in (10**8, 9 * 10**10, 11 * 10**10)] == ["wrong", "look", "ok"]


def test_how_old_what_is_published_is_and_whether_it_can_be_read(house):
    assert "snapshot" not in looked(house, after=timedelta(hours=47))
    state, told = looked(house, after=timedelta(days=5, hours=1))["snapshot"]
    assert state == "look" and "was published 5 days ago" in told
    house.log(events(days=1, per_day=2, seed=1, version="v2"))
    house.ingest()
    assert "something was written since" in looked(house)["snapshot"][1]
    (house.data / "aiops.duckdb").resolve().write_bytes(b"no database")
    assert looked(house)["snapshot"][0] == "wrong"


def test_who_writes_is_named_and_nobody_is_disturbed(house):
    asked = doctor.Asked(Settings(data=house.data), datetime.now(UTC))
    (_, says, _) = next(doctor._lock(asked))
    assert says == "nobody writes"
    with lock_catalog(house.data, "the night"):
        (_, says, _) = next(doctor._lock(asked))
        assert says == f"the catalog is being written by the night (process {os.getpid()})"
    (_, says, _) = next(doctor._lock(asked))
    assert says == "nobody writes"  # its name is still there
    with open_store(house.data, "test"):
        pass


def test_what_people_are_told_by_has_to_be_installed(house, monkeypatch):
    told = {"messages": ("slack://canary/b/c",), "heartbeat_url": "https://example.org/canary"}
    assert "messages" not in looked(house) | looked(house, **told)
    found = []
    monkeypatch.setattr("aiops_wb.log.doctor.find_spec", lambda name: found.append(name))
    state, says = looked(house, **told)["messages"]
    assert state == "wrong" and "canary" not in says and found == ["apprise", "urllib3"]
    assert says == "urllib3 is not installed pip install 'aiops_wb[webhook]'"


def test_the_command_tells_lines_or_json_and_ends_accordingly(house, capsys, monkeypatch):
    words = ["doctor", "--data", str(house.data), "--reports-dir", str(house.root / "reports")]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("nothing is wrong, ")
    beside = ["settings", "own reports", "events"]  # what is looked at beside the folder
    checks = [line[7:].split(":")[0] for line in said[:-1]]
    assert sorted(checks) == sorted([*CHECKS, *beside])
    os.chmod(house.data / "log", 0o777)
    assert main([*words, "--json"]) == 1
    found = {one["check"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["everybody"]["state"] == "wrong" and "chmod" in found["everybody"]["do"]
    monkeypatch.setenv("AIOPS_RECENT_DAYS", "none")
    assert main(words) == 1
    said = capsys.readouterr().out
    assert said.startswith("wrong  settings: recent_days") and said.endswith("1 thing wrong\n")


def test_settings_that_others_may_write_or_that_hold_a_secret(house, capsys):
    file = house.root / "aiops.toml"
    for one in ("messages = ['slack://secret@x']", "heartbeat_url = 'https://user:secret@x'"):
        file.write_text(f"{one}\ndata = 'data'\n")
        os.chmod(file, 0o644)
        assert main(["doctor", "--config", str(file)]) == 0
        assert f"may hold the secret of {one.partition(' ')[0]}" in (
            said := capsys.readouterr().out
        )
        assert "secret@" not in said
    file.write_text("webhook_url = 'https://user:secret@example.org'\ndata = 'data'\n")
    os.chmod(file, 0o644)
    assert main(["doctor", "--config", str(file)]) == 0
    assert f"look   settings: everybody may read {file}" in (said := capsys.readouterr().out)
    os.chmod(file, 0o666)
    assert main(["doctor", "--config", str(file)]) == 1
    said += capsys.readouterr().out
    assert f"wrong  settings: everybody may write to {file}: chmod o-w" in said
    assert "secret@" not in said
