"""The morning by itself: what is shown, what is written, and that systemd and cron take it."""

import getpass
import json
import os
import shutil
import subprocess
import sys
import time as clock
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from conftest import Bench, events

from aiops_wb.cli import daily, main, schedule
from aiops_wb.config import NO_FILE, Settings
from aiops_wb.daily import Ran, due
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import Busy, StoreError
from aiops_wb.log.installed import Machine, install, remove, standing
from aiops_wb.log.schedule import block_of, next_run, plan_of, times_in, units_of

NOW = datetime(2026, 3, 9, 12, tzinfo=UTC)
UTC_ZONE, BERLIN = ZoneInfo("Etc/UTC"), ZoneInfo("Europe/Berlin")
ROOT = Path(__file__).parents[2]
FAKES = {
    "systemctl": """#!/bin/sh
echo "systemctl $*" >> "$CALLED"
name=$(echo "$*" | grep -o 'aiops-wb-[^ ]*timer')
case "$*" in
  *enable*) mkdir -p "$UNITS/timers.target.wants"; : > "$UNITS/timers.target.wants/$name" ;;
  *disable*) rm -f "$UNITS/timers.target.wants/$name" ;;
esac
""",
    "crontab": """#!/bin/sh
for last in "$@"; do :; done
case "$last" in
  -l) test -e "$TABLE" && cat "$TABLE" || { echo "no crontab for you" >&2; exit 1; } ;;
  -r) rm "$TABLE" ;;
  -) cat > "$TABLE" ;;
esac
""",
}


def settings(data, **told):
    return Settings(config=NO_FILE, data=data, reports=data.parent / "reports", **told)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    "A machine with a systemd and a cron that keep what they are told in files."
    for name, text in FAKES.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    places = {"UNITS": "units", "TABLE": "table", "CALLED": "called"}
    for variable, name in places.items():
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    (tmp_path / "booted").mkdir()
    here = {"booted": tmp_path / "booted", "localtime": tmp_path / "no zone"}
    folders = {"system_units": tmp_path / "units", "user_units": tmp_path / "of user"}
    made = Machine(**here, **folders, lingering=tmp_path)
    monkeypatch.setattr(schedule, "Machine", lambda: made)
    return made


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "the data"
    folder.mkdir()
    return folder


def called(data, *words):
    return main(["schedule", *words, "--data", str(data), "--reports-dir", str(data.parent / "r")])


def test_units_name_everything_in_full_and_close_what_is_not_needed(data):
    told = settings(data, group=None, memory_limit=500, retrain_memory=700, jobs=1)
    plan = plan_of(told, "system", time(5, 30), "Europe/Berlin", data / "aiops.toml")
    service, timer = units_of(plan).values()
    rows = dict(line.split("=", 1) for line in service.splitlines() if "=" in line)
    assert rows["ExecStart"].startswith(f'"{sys.executable}" "-P" "-m" "aiops_wb" "daily"')
    assert f'"--data" "{data}"' in rows["ExecStart"] and f'"{data}/aiops.toml"' in rows["ExecStart"]
    assert rows["MemoryMax"] == f"{500 + 2 * 1024}M" and rows["UMask"] == "0077"
    assert rows["ProtectSystem"] == "strict" and rows["TimeoutStartSec"] == "20h"
    assert rows["ReadWritePaths"] == f'"{data}" "{data.parent}"' and "PrivateTmp" not in rows
    assert "OnCalendar=*-*-* 05:30:00 Europe/Berlin\nPersistent=true\nRandomizedDelaySec=0" in timer
    command = settings(data, audit_anchor_command=["logger"])
    open_one = units_of(plan_of(command, "system", time(5), "UTC"))[f"{plan.name}.service"]
    assert "ProtectSystem=full" in open_one and "MemoryMax" not in open_one
    of_user = units_of(plan_of(told, "user", time(5), "UTC"))[f"{plan.name}.service"]
    assert "User=" not in of_user and "ProtectSystem" not in of_user and "Nice=10" in of_user


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")
@pytest.mark.parametrize("kind", ["system", "user"])
def test_systemd_takes_the_units(tmp_path, kind):
    data = tmp_path / "100% of $HOME \"and' more"
    data.mkdir()
    for name, text in units_of(plan_of(settings(data), kind, time(5), "Europe/Berlin")).items():
        (tmp_path / name).write_text(text)
    scope = ["--user"] if kind == "user" else []
    words = ["systemd-analyze", *scope, "verify", "--man=no", *map(str, tmp_path.glob("aiops-*"))]
    told = {"capture_output": True, "text": True}
    told["env"] = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(words, **told)
    said = [line for line in done.stderr.splitlines() if "aiops-wb" in line]
    assert (done.returncode, said) == (0, []), done.stderr
    broken = tmp_path / next(tmp_path.glob("*.timer")).name
    broken.write_text(broken.read_text().replace("Europe/Berlin", "Europe/Nowhere"))
    assert "Nowhere" in subprocess.run(words, **told).stderr


def test_a_time_of_day_is_told_in_the_zone_of_the_system_in_each_season():
    assert times_in(time(5, 30), "Europe/Berlin", UTC_ZONE, NOW) == [time(3, 30), time(4, 30)]
    assert times_in(time(5, 30), "Europe/Berlin", BERLIN, NOW) == [time(5, 30)]
    assert times_in(time(0, 10), "UTC", ZoneInfo("Asia/Kolkata"), NOW) == [time(5, 40)]
    before = datetime(2026, 3, 28, 5, tzinfo=UTC)  # the clocks of Berlin go on in the night
    told = [(time(5, 30), "Europe/Berlin")]
    assert [next_run(told, before + timedelta(n)).astimezone(UTC).hour for n in (-1, 0)] == [4, 3]
    assert next_run([], before) is None


def test_a_block_of_cron_is_replaced_and_other_lines_stay(data, machine, tmp_path):
    others = "# mine\n0 1 * * * tidy 50\\% of it"  # without an end of its last line
    (tmp_path / "table").write_text(others)
    for at, zone in ((time(5, 30), "UTC"), (time(6, 15), "UTC"), (time(6, 15), "Europe/Berlin")):
        plan = plan_of(settings(data), "cron", at, zone)
        install(plan, machine, NOW)
        table = (tmp_path / "table").read_text()
        assert table == f"{others}\n{block_of(plan, machine.zone, NOW)}"
        lines = [line for line in table.splitlines() if "aiops_wb" in line]
        assert len(lines) == (2 if zone == "Europe/Berlin" else 1)
    (tmp_path / "table").write_text(table + "# behind\n")
    (one,) = standing(plan, machine)
    assert one.kind == "cron" and one.next_run(NOW) == datetime(2026, 3, 10, 4, 15, tzinfo=UTC)
    remove(plan, one, machine)
    assert (tmp_path / "table").read_text() == f"{others}\n# behind\n"
    (tmp_path / "table").write_text(f"# aiops-wb begin {plan.name}: cut off\n")
    with pytest.raises(StoreError, match="has no single block"):
        install(plan, machine, NOW)


def test_what_is_written_is_shown_before_and_once(data, machine, tmp_path, capsys):
    assert called(data, "show", "--system") == 0
    shown = capsys.readouterr().out
    assert "Persistent=true" in shown and shown.endswith("is installed for this data folder\n")
    assert called(data, "install", "--system") == 1
    said = capsys.readouterr()
    assert "Persistent=true" in said.out and "--yes agrees to what is shown" in said.err
    assert not (tmp_path / "units").exists()
    assert called(data, "install", "--system", "--yes") == 0
    assert "it runs next on" in capsys.readouterr().out
    asked = (tmp_path / "called").read_text()
    assert asked.startswith("systemctl daemon-reload\nsystemctl enable --now aiops-wb-the-data-")
    assert called(data, "install", "--system", "--yes") == 0
    assert capsys.readouterr().out.endswith("it is so already: nothing was written\n")
    assert (tmp_path / "called").read_text() == asked
    assert called(data, "install", "--system", "--time", "06:15", "-y") == 0
    capsys.readouterr()
    assert called(data, "show", "--json", "--system") == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["enabled"] for one in told["installed"]] == [True]
    assert called(data, "install", "--remove") == 1 and len(standing(_plan(data), machine)) == 1
    assert called(data, "install", "--remove", "--yes") == 0
    assert standing(_plan(data), machine) == [] and not list((tmp_path / "units").glob("aiops*"))


def _plan(data):
    return plan_of(settings(data), "system", time(5, 30), "UTC")


def test_what_a_person_may_not_expect_is_said(data, machine, monkeypatch, capsys):
    monkeypatch.setenv("AIOPS_RECENT_DAYS", "9")
    assert called(data, "install", "--cron", "--yes") == 0
    assert called(data, "install", "--user", "--yes") == 0
    said = capsys.readouterr().out
    assert "AIOPS_RECENT_DAYS of this shell is not set when it runs" in said
    assert f"it runs while {getpass.getuser()} is logged in" in said
    assert "note: the crontab of" in said and "--remove takes out all" in said


def test_a_crontab_that_cannot_be_told_is_not_written_anew(data, machine, tmp_path, capsys):
    "What others have in it would be gone."
    table = tmp_path / "table"
    table.write_text("0 1 * * * backup\n")
    listing = tmp_path / "bin" / "crontab"
    listing.write_text(listing.read_text().replace('cat "$TABLE" ||', "false ||"))
    listing.write_text(listing.read_text().replace("no crontab for you", "you are not allowed"))
    assert called(data, "install", "--cron", "--yes") == 1
    assert "-l' failed: you are not allowed" in capsys.readouterr().err
    assert table.read_text() == "0 1 * * * backup\n"


def test_a_machine_that_cannot_says_so_in_a_sentence(data, machine, tmp_path, monkeypatch, capsys):
    def refused(*words):
        assert called(data, "install", "--yes", *(words or ["--system"])) == 1
        return capsys.readouterr().err

    machine.booted.rmdir()
    assert "systemd does not run here: --cron writes a line for cron instead." in refused()
    monkeypatch.setattr(Machine, "has_cron", False)
    assert "neither systemd runs here nor is there a crontab" in refused()
    machine.booted.mkdir()
    assert "there is no crontab here: leave --cron out" in refused("--cron")
    shutil.rmtree(data)
    assert "there is no data folder at" in refused()
    assert main(["schedule", "show", "--time", "25:00"]) == 2
    assert "is not a time of day such as 05:30" in capsys.readouterr().err


IN_A_MACHINE_OF_ITS_OWN = """
set -e
mount -t tmpfs tmpfs /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
mount -t tmpfs tmpfs /run
"$@"
cron -f & cron=$!
trap 'kill $cron; wait $cron || :' EXIT
for _ in $(seq 900); do test -e "$DONE" && exit 0; sleep .1; done
exit 1
"""


def _alone():
    "Whether a cron can run here without the crontab of this machine."
    return os.geteuid() == 0 and not subprocess.run(["unshare", "-m", "true"]).returncode


@pytest.mark.slow
@pytest.mark.schedule
@pytest.mark.skipif(not shutil.which("cron"), reason="there is no cron")
def test_a_real_cron_catches_up_what_was_missed(tmp_path):
    "Its crontab is a file system of this test's own."
    if not _alone():
        pytest.skip("only root can give a cron a crontab of its own")
    bench = Bench(tmp_path / "100% of it")
    today = datetime.now(UTC).date()
    bench.log(events(days=3, per_day=20, start=today - timedelta(3)))
    bench.ingest(datetime.now(UTC))
    bench.publish()
    with open_snapshot(bench.data) as log:
        assert len(due(log, datetime.now(UTC))) == 3
    at = datetime.now(Machine().zone) + timedelta(seconds=65 if clock.time() % 60 > 50 else 60)
    words = ["schedule", "install", "--cron", "--yes", "--reports", "none"]
    words += ["--time", f"{at:%H:%M}", "--data", str(bench.data)]
    words += ["--reports-dir", str(bench.root / "reports")]
    done = bench.root / "reports" / "index.html"
    command = [sys.executable, "-m", "aiops_wb", *words]
    ran = subprocess.run(
        ["unshare", "-m", "sh", "-c", IN_A_MACHINE_OF_ITS_OWN, "sh", *command],
        env=os.environ | {"PYTHONPATH": str(ROOT), "DONE": str(done)},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    with open_snapshot(bench.data) as log:
        assert due(log, datetime.now(UTC)) == [] and set(log.runs().state) == {"ok"}


def test_a_run_waits_for_another_one_as_long_as_it_was_told(monkeypatch, tmp_path, capsys):
    tries, slept = [], []

    def run(*_, **__):
        tries.append(1)
        if len(tries) < 4:
            raise Busy("the catalog in d is being written by ana (process 5): try again later.")
        return Ran()

    monkeypatch.setattr(daily, "run", run)
    monkeypatch.setattr(daily, "sleep", slept.append)
    words = ["daily", "--data", str(tmp_path), "--reports-dir", str(tmp_path)]
    assert main([*words, "--wait", "1"]) == 0 and slept == [1, 2, 4]
    assert "written by ana (process 5): waiting, for 1 minutes at most" in capsys.readouterr().out
    tries.clear()
    assert main(words) == 1 and len(tries) == 1
