"""What a doctor says of nights: clock, zone, rows and mornings that are late, trail, schedule,
backups. The clock is an argument."""

import os
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfoNotFoundError

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.config import NO_FILE, Settings
from aiops_wb.log import of_nights
from aiops_wb.log.backup import make_backup
from aiops_wb.log.doctor import examine
from aiops_wb.log.ingest import ingest
from aiops_wb.log.installed import Machine
from aiops_wb.log.schedule import block_of, plan_of, units_of

START, DAYS = date(2026, 3, 3), 6
NOW = datetime(2026, 3, 9, 6, tzinfo=UTC)
"An hour behind the last night."


def run_of(day, at):
    row = {"run_id": "r", "event_date": day, "model": MODEL, "step": "figures", "state": "ok"}
    return row | {"detail": None, "as_of": at, "seconds": 1.0, "started_at": at}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Six days, each taken in and figured in the night after it."
    bench = Bench(tmp_path_factory.mktemp("nights"))
    runs = []
    for i in range(DAYS):
        day = START + timedelta(i)
        at = datetime.combine(day + timedelta(1), time(5), UTC)
        bench.log(events(days=1, per_day=2, start=day))
        with bench.store() as store:
            ingest(store, at, "test")
            runs.append(run_of(day, at) | {"batch_id": store.known_batch()})
    with bench.store() as store:
        store.add_runs(pd.DataFrame(runs))
        store.publish()
    return bench


@pytest.fixture
def house(made, tmp_path):
    return made.copy_to(tmp_path)


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    "A machine of the zone UTC with a systemd that nobody asks, and no cron."
    (tmp_path / "booted").mkdir()
    places = {name: tmp_path / name for name in ("system_units", "user_units", "booted")}
    made = Machine(**places, lingering=tmp_path / "linger", localtime=tmp_path / "none")
    monkeypatch.setattr(Machine, "has_systemd", property(lambda self: self.booted.is_dir()))
    monkeypatch.setattr(Machine, "has_cron", False)
    monkeypatch.setattr(of_nights, "Machine", lambda: made)
    return made


def found(bench, now=NOW, **settings):
    "Check -> states and words, of the checks of nights; `with` what is to be done."
    told = Settings(config=NO_FILE, data=bench.data, reports=bench.root / "reports", **settings)
    checks = {}
    for one in examine(told, now):
        checks.setdefault(one.check, []).append(one)
    return {name: checks[name] for name in of_nights.OF_NIGHTS}


def one_of(bench, check, *told, **settings):
    (only,) = found(bench, *told, **settings)[check]
    return only


def test_after_a_good_night_everything_is_well(house):
    said = found(house)
    assert {one.state for told in said.values() for one in told} == {"ok"}, said
    assert said["morning"][0].says == "the last good one was 1 hour ago"


@pytest.mark.parametrize(
    ("minutes", "state"), [(5, "ok"), (5.02, "look"), (59.98, "look"), (60, "wrong")]
)
def test_a_clock_that_is_behind_what_was_recorded_is_said(house, minutes, state):
    one = one_of(house, "clock", NOW - timedelta(hours=1, minutes=minutes))
    assert one.state == state and (state == "ok" or "the clock is behind, or was ahead" in one.says)


def test_a_clock_that_went_a_day_ahead_shows_in_how_old_rows_are_when_they_come(house):
    house.log(events(days=1, per_day=2, start=START + timedelta(DAYS)))
    at = NOW + timedelta(2)
    with house.store() as store:
        ingest(store, at, "test")
        store.publish()
    one = one_of(house, "clock", at)
    assert one.state == "look" and "came 2 days after their day, usually 1:" in one.says


def no_rules(name):
    raise ZoneInfoNotFoundError(name)


def test_another_zone_of_settings_or_of_a_schedule_is_said(house, machine, monkeypatch):
    one = one_of(house, "zone", timezone="Europe/Berlin")
    assert one.state == "look" and one.do == "set timezone = 'UTC'"
    _install(house, machine, zone="Asia/Kolkata")
    one = one_of(house, "zone")
    assert one.state == "look" and "runs by Asia/Kolkata, days are those of UTC" in one.says
    monkeypatch.setattr(of_nights, "ZoneInfo", no_rules)
    assert one_of(house, "zone").do == "install tzdata"


def test_a_crontab_of_another_zone_of_the_system_is_said(house, machine, tmp_path, monkeypatch):
    plan = plan_of(Settings(config=NO_FILE, data=house.data), "cron", time(5, 30), "UTC")
    table = block_of(plan, machine.zone, NOW)
    monkeypatch.setattr(Machine, "has_cron", True)
    monkeypatch.setattr("aiops_wb.log.installed._read_crontab", lambda _: table)
    assert one_of(house, "zone").state == "ok"
    assert "runs next on 2026-03-10 05:30" in one_of(house, "schedule").says
    kolkata = Machine(localtime=tmp_path / "localtime", system_units=tmp_path / "no")
    (tmp_path / "localtime").symlink_to("/usr/share/zoneinfo/Asia/Kolkata")
    if kolkata.zone.key == "UTC":
        pytest.skip("the system has no rules of zones")
    monkeypatch.setattr(of_nights, "Machine", lambda: kolkata)
    assert "means 05:30 of UTC, and the zone of the system is another" in one_of(house, "zone").says


def test_mornings_and_rows_that_are_late_are_said(house):
    kinds = ("morning", "predictions", "labels")
    late = found(house, NOW + timedelta(3))
    (morning,), (predictions,), (labels,) = (late[kind] for kind in kinds)
    assert morning.state == predictions.state == "look" and labels.state == "ok"
    assert morning.says == "the last good one was 3 days ago" and "daily" in morning.do
    assert predictions.says == "the last came 3 days ago, and never were they 3 days apart before"
    assert labels.says == "none ever came"
    assert one_of(house, "predictions", NOW + timedelta(2)).state == "ok"


def _install(house, machine, kind="system", zone="UTC", old=timedelta(30)):
    plan = plan_of(Settings(config=NO_FILE, data=house.data), kind, time(5, 30), zone)
    folder = machine.units(kind)
    for name, text in units_of(plan).items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)
        os.utime(folder / name, ((NOW - old).timestamp(),) * 2)
    wanted = folder / "timers.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / f"{plan.name}.timer").touch()
    return plan, folder


def test_a_schedule_that_is_off_half_there_or_did_not_run_is_said(house, machine):
    assert "something else starts 'aiops-wb daily'" in one_of(house, "schedule").says
    late = one_of(house, "schedule", NOW + timedelta(3))
    assert late.state == "look" and "aiops-wb schedule install" in late.do
    plan, folder = _install(house, machine)
    lock = house.data / "daily.lock"
    one = one_of(house, "schedule", NOW - timedelta(hours=0.6))
    assert (one.state, one.says) == ("ok", f"{plan.name}.timer runs next on 2026-03-09 05:30 (UTC)")
    assert one_of(house, "schedule", NOW + timedelta(hours=5)).state == "ok"  # it may be at work
    missed = one_of(house, "schedule", NOW + timedelta(1, hours=6))
    assert missed.state == "wrong" and "should have run on 2026-03-10 05:30 (UTC)" in missed.says
    assert missed.do.startswith(f"journalctl -u {plan.name}.service")
    late = (NOW + timedelta(1, minutes=30)).timestamp()
    for left, state in (("killed", "wrong"), ("", "ok")):  # nothing was due, and it ran
        lock.write_text(left)
        os.utime(lock, (late, late))
        assert one_of(house, "schedule", NOW + timedelta(1, hours=6)).state == state
    (folder / "timers.target.wants" / f"{plan.name}.timer").unlink()
    assert one_of(house, "schedule").do == f"systemctl enable --now {plan.name}.timer"
    (folder / f"{plan.name}.service").unlink()
    assert "without its timer or its service" in one_of(house, "schedule").says
    _install(house, machine)
    machine.booted.rmdir()
    assert "systemd does not run here" in one_of(house, "schedule").says


def test_a_timer_of_a_user_who_is_not_logged_in_at_night_is_said(house, machine):
    plan, _ = _install(house, machine, "user", old=timedelta(0))
    one = one_of(house, "schedule")
    assert one.state == "look" and one.do == f"loginctl enable-linger {plan.owner}"
    machine.lingering.mkdir()
    (machine.lingering / plan.owner).touch()
    assert one_of(house, "schedule").state == "ok"


def test_a_trail_that_does_not_hold_is_wrong(house):
    with house.store() as store:
        store.record(NOW, "ana", "watch", f"{MODEL}/v1", "off", "a trial")
        store.con.execute("UPDATE audit SET why = 'never said'")
        store.publish()
    one = one_of(house, "chain")
    assert one.state == "wrong" and "row 1 does not fit" in one.says and "audit verify" in one.do
    told = found(house, audit_anchor=house.root / "none.jsonl")["chain"]
    assert [one.state for one in told] == ["look", "wrong"]


def test_how_old_the_newest_backup_is(house, tmp_path):
    kept = tmp_path / "kept"
    assert "backup_folder of the settings" in one_of(house, "backup").says
    none = one_of(house, "backup", backup_folder=kept)
    assert none.state == "look" and none.do == f"aiops-wb backup {kept}"
    make_backup(house.data, kept, NOW)
    ages = {NOW + timedelta(7): "ok", NOW + timedelta(7, 1): "look"}
    for now, state in ages.items():
        assert one_of(house, "backup", now, backup_folder=kept).state == state


def test_without_a_log_nothing_of_it_is_said_to_be_well(tmp_path):
    said = found(Bench(tmp_path / "none"))
    assert {told[0].state for name, told in said.items() if name != "backup"} == {"look"}


def test_variables_that_win_over_the_file_are_named(house, monkeypatch, capsys):
    (house.root / "aiops.toml").write_text("recent_days = 5\ndata = 'data'\n")
    monkeypatch.setenv("AIOPS_RECENT_DAYS", "6")
    main(["doctor", "--config", str(house.root / "aiops.toml")])
    said = "settings: AIOPS_RECENT_DAYS of the environment wins over"
    assert said in capsys.readouterr().out
