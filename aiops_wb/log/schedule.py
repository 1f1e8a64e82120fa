"""The morning by a schedule: a timer of systemd, or a line for cron, as text; nothing is written.

Either starts `daily` with everything named in full: the interpreter, the data folder, the reports,
the file of settings. A night on which the machine was off is caught up: a timer by
`Persistent=true` as soon as the machine is on, a line of cron by its next run, because `daily` does
every day that is due.
"""

import hashlib
import os
import pwd
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from ..config import Settings
from .errors import StoreError
from .reading import half_of_the_machine

__all__ = [
    "HOURS",
    "Kind",
    "Plan",
    "block_of",
    "crontab_with",
    "crontab_without",
    "next_run",
    "named",
    "plan_of",
    "seasons_told",
    "times_in",
    "times_told",
    "units_of",
]

Kind = Literal["system", "user", "cron"]
HOURS = 20
"A run that takes longer is ended, so that one that hangs costs no second night."
WAIT = 60
"Minutes that a run waits for another writer before it gives up."
_PROCESS = 1024  # MB of a process beside what its queries take: Python and its libraries


@dataclass(frozen=True)
class Plan:
    "When the morning of a workbench begins, and how; `memory` in MB, 0: no limit."

    kind: Kind
    data: Path
    at: time
    zone: str
    owner: str
    words: tuple[str, ...]  # the command
    python_path: str = ""  # where the package lies, where it is not installed
    writes: tuple[Path, ...] = ()  # folders that it writes to
    mask: int = 0o077
    memory: int = 0
    closed: bool = True  # whether it may write nowhere else

    @property
    def name(self) -> str:
        "What it is called: no other data folder of this machine has it."
        slug = re.sub(r"[^A-Za-z0-9]+", "-", self.data.name).strip("-")[:30] or "data"
        return f"aiops-wb-{slug}-{hashlib.sha256(os.fsencode(self.data)).hexdigest()[:8]}"


def plan_of(
    settings: Settings,
    kind: Kind,
    at: time,
    zone: str,
    file: Path | None = None,
    reports: str = "all",
) -> Plan:
    """The plan of a workbench: days of its `zone`, `file` of settings, `reports` as `daily` takes
    them. StoreError where the data folder is not there, or is somebody else's."""
    data = settings.data.absolute()
    places = [data, settings.reports.absolute(), *([] if file is None else [file.absolute()])]
    for place in places:
        if not str(place).isprintable():
            raise StoreError(f"{str(place)!r} cannot stand in a schedule: name it without such.")
    if not data.is_dir():
        raise StoreError(f"there is no data folder at {data}: 'aiops-wb ingest' makes it.")
    words = [sys.executable, "-P", "-m", "aiops_wb", "daily", "--reports", reports]
    words += ["--wait", str(WAIT), "--data", str(data), "--reports-dir", str(places[1])]
    words += [] if file is None else ["--config", str(file.absolute())]
    others = settings.spool, *_folders_of(settings.case_file, settings.audit_anchor)
    writes = dict.fromkeys(_there(p) for p in (*places[:2], *others) if p is not None)
    return Plan(
        kind,
        data,
        at,
        zone,
        _owner(data, kind),
        tuple(words),
        _python_path(),
        tuple(writes),
        0o077 if settings.group is None else 0o027,
        _memory(settings),
        not settings.audit_anchor_command,  # nobody knows where that one writes
    )


def named(data: Path) -> Plan:
    "As much of a plan as its name needs: to look what stands, whoever looks."
    return Plan("system", data.absolute(), time(), "UTC", _name_of(data.stat().st_uid), ())


def _name_of(uid):
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _folders_of(*files):
    return (None if file is None else file.absolute().parent for file in files)


def _there(path):
    "A folder, or the first one above it that is there: the command makes what is missing."
    path = path.absolute()
    return next(p for p in (path, *path.parents) if p.is_dir())


def _owner(data, kind):
    "Who runs it: the owner of the data folder, which only root may do for another."
    uid = data.stat().st_uid
    if not (owner := _name_of(uid)):
        raise StoreError(f"{data} belongs to user {uid}, which has no name here.")
    if uid != os.geteuid() and (os.geteuid() or kind == "user"):
        raise StoreError(
            f"{data} belongs to {owner}, who alone writes to it: install the schedule as {owner}, "
            "or as root with --system."
        )
    return owner


def _python_path():
    "The folder of this package where only PYTHONPATH says it: a schedule has no such variable."
    root = str(Path(__file__).parents[2])
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return root if root in map(os.path.abspath, filter(None, named)) else ""


def _memory(settings):
    """MB that a morning may take where `memory_limit` says what its queries may: its processes
    beside them, or a training afterwards. 0 where that is all that the machine has."""
    if not settings.memory_limit:
        return 0
    half = half_of_the_machine()
    morning = settings.memory_limit + _PROCESS
    morning += settings.jobs * (settings.report_memory or _PROCESS)
    needed = max(morning, (settings.retrain_memory or half) + _PROCESS)
    return needed if needed < 2 * half else 0


def units_of(plan: Plan) -> dict[str, str]:
    "File name -> text of the service and of the timer that starts it."
    about = f"Description=the morning of the workbench in {_percent(str(plan.data))}\n"
    return {
        f"{plan.name}.service": f"[Unit]\n{about}{_unit(plan)}\n[Service]\n{_service(plan)}",
        f"{plan.name}.timer": (
            f"[Unit]\n{about}\n[Timer]\n"
            f"OnCalendar=*-*-* {plan.at:%H:%M}:00 {plan.zone}\n"
            "Persistent=true\nRandomizedDelaySec=0\nAccuracySec=1min\n"
            "\n[Install]\nWantedBy=timers.target\n"
        ),
    }


def _unit(plan):
    "What has to be there first."
    mounts = f"RequiresMountsFor={' '.join(map(_quoted, _texts(plan.writes)))}\n"
    network = "Wants=network-online.target\nAfter=network-online.target\n"
    return mounts + (network if plan.kind == "system" else "")


def _texts(paths):
    return (str(path) for path in paths)


def _percent(text):
    return text.replace("%", "%%")


def _quoted(text):
    "A word of a unit file: in quotes, with what systemd would take for something else escaped."
    return '"' + _percent(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _service(plan):
    words = " ".join(_quoted(word).replace("$", "$$") for word in plan.words)
    told = {
        "Type": "oneshot",
        "User": plan.owner if plan.kind == "system" and plan.owner != "root" else "",
        "WorkingDirectory": _percent(str(plan.data)),
        "Environment": _quoted(f"PYTHONPATH={plan.python_path}") if plan.python_path else "",
        "ExecStart": words,
        "TimeoutStartSec": f"{HOURS}h",
        "UMask": f"{plan.mask:04o}",
        "Nice": "10",
        "MemoryMax": f"{plan.memory}M" if plan.memory else "",
        # a report that takes too much costs itself, and no other
        "OOMPolicy": "continue",
        "NoNewPrivileges": "yes",
    }
    if plan.kind == "system":
        told |= _closed(plan)
    return "".join(f"{name}={value}\n" for name, value in told.items() if value)


def _closed(plan):
    """What the service is kept from. Not from more: a mask of system calls, or of memory that is
    written and run, ends libraries that a model may use, and folders of a group have a bit that
    `RestrictSUIDSGID` forbids."""
    in_tmp = any(p.parts[1:2] == ("tmp",) or p.parts[1:3] == ("var", "tmp") for p in plan.writes)
    told = {
        "ProtectSystem": "strict" if plan.closed else "full",
        "ReadWritePaths": " ".join(map(_quoted, _texts(plan.writes))),
        "PrivateTmp": "" if in_tmp else "yes",
        "PrivateDevices": "yes",
        "RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    }
    others = "ProtectKernelTunables ProtectKernelModules ProtectControlGroups ProtectClock"
    others += " ProtectHostname RestrictRealtime RestrictNamespaces LockPersonality"
    return told | dict.fromkeys(others.split(), "yes")


def block_of(plan: Plan, system: ZoneInfo, now: datetime) -> str:
    """The lines for a crontab, between two that mark them. Cron knows the zone of the system alone:
    where that one keeps another summer, a day has two runs, the second of which finds nothing to
    do."""
    words = " ".join(map(shlex.quote, _wrapped(plan)))
    # what it says is a mail of cron's only where something failed
    run = f'umask {plan.mask:04o}; out=$({words} 2>&1) || printf "%s\\n" "$out"'
    times = times_in(plan.at, plan.zone, system, now)
    lines = [f"{at.minute} {at.hour} * * * {run.replace('%', chr(92) + '%')}" for at in times]
    at = f"# at {plan.at:%H:%M} of {plan.zone}, in the zone of this system ({system.key})"
    return "\n".join([_begin(plan.name, plan.data), at, *lines, f"# aiops-wb end {plan.name}", ""])


def _wrapped(plan):
    "The command with what systemd does by itself."
    path = [f"PYTHONPATH={plan.python_path}"] if plan.python_path else []
    return ["nice", "-n", "10", "timeout", f"{HOURS}h", "env", *path, *plan.words]


def times_in(at: time, zone: str, system: ZoneInfo, now: datetime) -> list[time]:
    "The times of day in the zone of the system that a time of day of a zone is within a year."
    days = (now.date() + timedelta(n) for n in range(366))
    here = (datetime.combine(day, at, ZoneInfo(zone)).astimezone(system) for day in days)
    return sorted({one.time().replace(second=0, microsecond=0) for one in here})


def _begin(name, data):
    return f"# aiops-wb begin {name}: {data}; 'aiops-wb schedule' replaces this block"


def crontab_with(table: str, name: str, block: str) -> str:
    "A crontab with a block, in the place of the one of that name; other lines stay as they are."
    before, found, after = _apart(table, name)
    if not found and before and not before.endswith("\n"):
        before += "\n"
    return before + block + after


def crontab_without(table: str, name: str) -> tuple[str, str]:
    "A crontab without the block of a name, and that block; empty where there is none."
    before, found, after = _apart(table, name)
    return before + after, found


def _apart(table, name):
    "What stands before, in and behind the block of a name."
    begin, end = f"# aiops-wb begin {name}:", f"# aiops-wb end {name}"
    lines = table.splitlines(keepends=True)
    first = [i for i, line in enumerate(lines) if line.startswith(begin)]
    last = [i for i, line in enumerate(lines) if line.rstrip("\n") == end]
    if not first and not last:
        return table, "", ""
    if len(first) != 1 or len(last) != 1 or last[0] < first[0]:
        raise StoreError(
            f"the crontab has no single block from {begin!r} to {end!r}: mend it by 'crontab -e'."
        )
    cut = slice(first[0], last[0] + 1)
    return tuple("".join(part) for part in (lines[: cut.start], lines[cut], lines[cut.stop :]))


def next_run(times: Iterable[tuple[time, str]], now: datetime) -> datetime | None:
    "The next of some times of day, each of a zone, after a time; None without any."
    coming = []
    for at, zone in times:
        today = now.astimezone(ZoneInfo(zone)).date()
        days = (today + timedelta(n) for n in range(3))
        coming += [datetime.combine(day, at, ZoneInfo(zone)) for day in days]
    return min((at for at in coming if at > now), default=None)


def seasons_told(block: str) -> tuple[time, str] | None:
    "The time of day and the zone that a block of cron is meant for; None where it does not say."
    told = re.search(r"^# at (\d\d):(\d\d) of (\S+), in the zone", block, re.M)
    return told and (time(int(told[1]), int(told[2])), told[3])


def times_told(texts: Mapping[str, str], system: ZoneInfo) -> list[tuple[time, str]]:
    "The times of day that units or a block name, each with its zone."
    told = "\n".join(texts.values())
    timers = re.findall(r"^OnCalendar=\*-\*-\* (\d\d):(\d\d):00 (\S+)$", told, re.M)
    lines = re.findall(r"^(\d+) (\d+) \* \* \* umask", told, re.M)
    return [(time(int(h), int(m)), zone) for h, m, zone in timers] + [
        (time(int(h), int(m)), system.key) for m, h in lines
    ]
