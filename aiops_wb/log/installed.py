"Schedules as they stand on this machine: what is installed, installing it, taking it out."

import os
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .durable import write_durably
from .errors import StoreError
from .schedule import (
    Kind,
    Plan,
    block_of,
    crontab_with,
    crontab_without,
    next_run,
    times_told,
    units_of,
)

__all__ = ["Machine", "Standing", "install", "planned", "remove", "require_possible", "standing"]


def _of_user():
    given = os.environ.get("XDG_CONFIG_HOME")
    return (Path(given) if given else Path("~/.config").expanduser()) / "systemd" / "user"


@dataclass(frozen=True)
class Machine:
    "Where this machine keeps schedules, and what says whether it can."

    system_units: Path = Path("/etc/systemd/system")
    user_units: Path = field(default_factory=_of_user)
    booted: Path = Path("/run/systemd/system")
    lingering: Path = Path("/var/lib/systemd/linger")
    localtime: Path = Path("/etc/localtime")

    @property
    def zone(self) -> ZoneInfo:
        "The zone of the system, whatever a variable says; UTC where nothing says one."
        try:
            name = str(self.localtime.resolve()).partition("zoneinfo/")[2] or "the system"
            with open(self.localtime, "rb") as file:
                return ZoneInfo.from_file(file, key=name)
        except (OSError, ValueError):
            return ZoneInfo("UTC")

    @property
    def has_systemd(self) -> bool:
        "Whether systemd runs here, and can be asked."
        return self.booted.is_dir() and shutil.which("systemctl") is not None

    @property
    def has_cron(self) -> bool:
        "Whether a crontab can be written here."
        return shutil.which("crontab") is not None

    def units(self, kind: Kind) -> Path:
        "The folder of unit files."
        return self.system_units if kind == "system" else self.user_units


class Standing(NamedTuple):
    "A schedule that is installed: its texts by their places, whether it is on, its times of day."

    kind: Kind
    texts: Mapping[str, str]
    enabled: bool
    times: tuple[tuple[time, str], ...]

    def next_run(self, now: datetime) -> datetime | None:
        "When it runs next; None where it is off, or somebody wrote another time into it."
        return next_run(self.times, now) if self.enabled else None


def planned(plan: Plan, machine: Machine, now: datetime) -> dict[str, str]:
    "Place -> text of what a plan writes."
    if plan.kind == "cron":
        return {_crontab_of(plan.owner): block_of(plan, machine.zone, now)}
    folder = machine.units(plan.kind)
    return {str(folder / name): text for name, text in units_of(plan).items()}


def _crontab_of(owner):
    return f"the crontab of {owner}"


def standing(plan: Plan, machine: Machine) -> list[Standing]:
    "The schedules of a data folder that are installed: of every kind, whatever kind the plan is."
    found = [_units_there(plan, kind, machine) for kind in ("system", "user")]
    if machine.has_cron:
        block = crontab_without(_read_crontab(plan.owner), plan.name)[1]
        found.append(_as_standing("cron", {_crontab_of(plan.owner): block}, True, machine))
    return [one for one in found if one and any(one.texts.values())]


def _units_there(plan, kind, machine):
    folder, texts = machine.units(kind), {}
    for name in units_of(plan):
        with suppress(FileNotFoundError):
            texts[str(folder / name)] = (folder / name).read_text(encoding="utf-8")
    wanted = folder / "timers.target.wants" / f"{plan.name}.timer"
    return _as_standing(kind, texts, wanted.exists(), machine)


def _as_standing(kind, texts, enabled, machine):
    return Standing(kind, texts, enabled, tuple(times_told(texts, machine.zone)))


def require_possible(kind: Kind, machine: Machine) -> None:
    "StoreError where this machine cannot keep a schedule of a kind, with the one that it can."
    systemd, cron = machine.has_systemd, machine.has_cron
    if not systemd and not cron:
        raise StoreError(
            "neither systemd runs here nor is there a crontab: whatever else starts commands on "
            "this machine can run what 'aiops-wb schedule show' names."
        )
    if kind == "cron" and not cron:
        raise StoreError("there is no crontab here: leave --cron out, systemd runs.")
    if kind != "cron" and not systemd:
        raise StoreError("systemd does not run here: --cron writes a line for cron instead.")


def install(plan: Plan, machine: Machine, now: datetime) -> None:
    "Write what a plan says, in the place of what stands of that kind, and switch it on."
    require_possible(plan.kind, machine)
    texts = planned(plan, machine, now)
    if plan.kind == "cron":
        (block,) = texts.values()
        _write_crontab(plan.owner, crontab_with(_whole_crontab(plan.owner), plan.name, block))
        return
    try:
        for place, text in texts.items():
            write_durably(Path(place), text)
    except PermissionError as error:
        raise StoreError(
            f"{error.filename} cannot be written: as root, or with --user for this user alone."
        ) from None
    _systemctl(plan.kind, "daemon-reload")
    _systemctl(plan.kind, "enable", "--now", f"{plan.name}.timer")


def remove(plan: Plan, one: Standing, machine: Machine) -> None:
    "Take a schedule out that stands; a run that has begun goes on."
    if one.kind == "cron":
        _write_crontab(plan.owner, crontab_without(_whole_crontab(plan.owner), plan.name)[0])
        return
    if machine.has_systemd:
        _systemctl(one.kind, "disable", "--now", f"{plan.name}.timer")
    try:
        for place in one.texts:
            Path(place).unlink(missing_ok=True)
    except PermissionError as error:
        raise StoreError(f"{error.filename} cannot be removed: as root.") from None
    if machine.has_systemd:
        _systemctl(one.kind, "daemon-reload")


def _systemctl(kind, *words):
    _run(["systemctl", *(["--user"] if kind == "user" else []), *words])


def _crontab(owner):
    "The command for somebody's crontab: who is asked for another's is root."
    return ["crontab", *(["-u", owner] if os.geteuid() == 0 else [])]


def _read_crontab(owner):
    "A crontab as it is; empty where there is none."
    done = _done([*_crontab(owner), "-l"])
    return done.stdout if done.returncode == 0 else ""


def _whole_crontab(owner):
    "A crontab that is to be written anew; StoreError where its lines cannot be told."
    words = [*_crontab(owner), "-l"]
    return "" if "no crontab" in _done(words).stderr else _run(words)


def _write_crontab(owner, table):
    _run([*_crontab(owner), "-"] if table else [*_crontab(owner), "-r"], table)


def _run(words, text=None):
    "What a command says; StoreError with what it says where it fails."
    done = _done(words, text)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or f"exit code {done.returncode}"
        raise StoreError(f"'{' '.join(words)}' failed: {said}")
    return done.stdout


def _done(words, text=None):
    return subprocess.run(
        words,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )
