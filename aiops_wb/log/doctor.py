"""What is wrong around a workbench, and what to do about it: a line for each thing looked at.

Nothing is changed, nothing is opened for writing, and whatever cannot be looked at is said. A
check is a function that is asked about a place and tells what it found; `CHECKS` names them.
"""

import fcntl
import os
import shutil
import stat
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ..config import Settings
from .asked import Asked, Check, State, Told, ago
from .base import unpublished
from .catalog import open_snapshot
from .errors import StoreError
from .lease import DAILY, holder, running_training
from .modes import SPOOLED, gid_of, writable_by_all
from .of_nights import OF_NIGHTS
from .snapshot import snapshots
from .spool_place import require_ours

__all__ = ["CHECKS", "Asked", "Check", "Finding", "examine"]

SNAPSHOT_AGE = timedelta(days=2)
"A published state that is older than this is worth a look: somebody reads yesterday's figures."
SPARE_BYTES, SPARE_SHARE = 256 << 20, 0.1
"What stays free beside two copies of the catalog; below this share of a disk a look is worth it."
SPARE_FILES = 1_000


class Finding(NamedTuple):
    "What a check found: fine, worth a look, or wrong; in words, and what to do about it."

    check: str
    state: State
    says: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.state:5}  {self.check}: {self.says}{f': {self.do}' if self.do else ''}"


def examine(settings: Settings, now: datetime) -> list[Finding]:
    "What every check found, in their order; a check that cannot be made is wrong, with the reason."
    asked, found = Asked(settings, now), []
    for name, check in CHECKS.items():
        try:
            found += [Finding(name, *told) for told in check(asked)]
        except OSError as error:
            place = f"{error.filename} " if error.filename else ""
            found.append(Finding(name, "wrong", f"{place}cannot be looked at ({error.strerror})"))
    return found


def _folder(asked: Asked) -> Told:
    "Whether the data folder is as open as it should be."
    yield _as_open(asked, asked.data, "aiops-wb ingest")


def _reports(asked: Asked) -> Told:
    "The same of the reports, which name persons as the log does."
    yield _as_open(asked, Path(asked.settings.reports), "aiops-wb daily")


def _as_open(asked, folder, makes):
    "What there is to say of how open a folder is, with what stands in it."
    if not folder.exists():
        return "look", f"{folder} is not there yet", f"'{makes}' makes it"
    mode, group = stat.S_IMODE(folder.stat().st_mode), asked.settings.group
    shown, gives = f"{folder} ({mode:o})", f"chmod -R o-rwx {folder}"
    if asked.gid is not None:
        below = f"find {folder} -type d -exec chmod g+s {{}} +"
        gives = f"chgrp -R {group} {folder} && chmod -R g+rX,o-rwx {folder} && {below}"
    if mode & 0o007:
        return "look", f"{shown} is open to everybody on this machine", gives
    if asked.gid is None:
        says = "its owner and its group" if mode & 0o050 else "its owner alone"
        return "ok", f"{shown} is open to {says}", ""
    closed, example = _closed_to(asked.gid, folder)
    if not closed:
        return "ok", f"{shown} is open to its owner and to {group}", ""
    return "wrong", f"{group} cannot read {closed:,} of {folder}, such as {example}", gives


_OF_ONE = ("tokens.json", "tokens.lock", ".lock", ".keys", "spool")
"What is its owner's alone, whoever may read the rest; services have rules of their own."


def _closed_to(gid, folder):
    "How many files and folders a group cannot read, and the first of them."
    n, first = 0, None
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in _OF_ONE]
        here = [Path(place), *(Path(place, name) for name in names if name not in _OF_ONE)]
        for path in here:
            found = path.lstat()
            needed = 0o050 if stat.S_ISDIR(found.st_mode) else 0o040
            readable = found.st_gid == gid and found.st_mode & needed == needed
            if not (readable or stat.S_ISLNK(found.st_mode)):
                n, first = n + 1, first or path
    return n, first


def _group(asked: Asked) -> Told:
    "Whether the group of the settings is one, and whoever runs this in it."
    name = asked.settings.group
    if name is None:
        yield "ok", "no group is named: what is made new is its owner's alone", ""
        return
    try:
        gid = gid_of(name)
    except StoreError as error:
        says, _, do = str(error).rstrip(".").partition(": ")
        yield "wrong", says, do
        return
    if os.geteuid() and gid not in (os.getegid(), *os.getgroups()):
        says = f"who runs this is not in {name}, and cannot give anything to it"
        yield "wrong", says, f"sudo usermod -a -G {name} $USER"
        return
    yield "ok", f"{name} may read what is made new", ""


def _everybody(asked: Asked) -> Told:
    "What everybody may write to."
    settings, data = asked.settings, asked.data
    below = [p for p in data.rglob("*") if not p.is_symlink() and asked.spool not in p.parents]
    places = [data, *below, Path(settings.reports), settings.case_file, settings.audit_anchor]
    found = [p for p in places if p is not None and p != asked.spool and writable_by_all(Path(p))]
    for path in (
        asked.spool,
        *(asked.spool / name for name in SPOOLED),
    ):
        if writable_by_all(path, sticky=True):
            found.append(path)
    if not found:
        yield "ok", "nothing may be written to by everybody", ""
        return
    more = f" and {len(found) - 1:,} more" if found[1:] else ""
    yield "wrong", f"everybody may write to {found[0]}{more}", f"chmod -R o-w {found[0]}"


def _spool(asked: Asked) -> Told:
    "Whether services reach the spool, and this user takes in what they put there."
    spool, data = asked.spool, asked.data
    try:
        require_ours(data, spool)
    except StoreError as error:
        says, _, do = str(error).rstrip(".").partition(": ")
        yield "wrong", says, do
        return
    if not spool.exists():
        yield "look", f"{spool} is not there yet", "the first service that logs makes it"
        return
    if not os.access(spool, os.R_OK | os.W_OK | os.X_OK):
        yield (
            "wrong",
            f"{spool} cannot be taken in by this user",
            "run as the owner of the data folder",
        )
        return
    shared, above = spool.stat().st_mode & 0o020, spool.resolve().parent
    if shared and not _passable(above, spool.stat().st_gid):
        says = f"{spool} may be written by its group, which cannot pass through {above}"
        do = f"chgrp {spool.stat().st_gid} {above} && chmod g+x {above}"
        yield "wrong", says, f"{do}, or name a place elsewhere in spool"
        return
    yield "ok", f"{spool} is there" + (", and services of its group reach it" if shared else ""), ""


def _passable(folder, gid):
    "Whether members of a group pass through a folder."
    found = folder.stat()
    return bool(found.st_mode & (0o010 if found.st_gid == gid else 0o001))


def _disk(asked: Asked) -> Told:
    "Whether there is room: a snapshot is a copy of the catalog, and the next one is made before."
    catalog = asked.data / "catalog.duckdb"
    needed = 2 * (catalog.stat().st_size if catalog.exists() else 0) + SPARE_BYTES
    devices = {}
    for folder in (asked.data, asked.spool, Path(asked.settings.reports)):
        place = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        devices.setdefault(place.stat().st_dev, place)
    for place in devices.values():
        total, _, free = shutil.disk_usage(place)
        files = os.statvfs(place)
        says = f"{_size(free)} of {_size(total)} are free at {place}"
        if free < needed:
            yield "wrong", f"{says}, {_size(needed)} are needed", "free some space"
        elif files.f_files and files.f_favail < SPARE_FILES:
            yield "wrong", f"{files.f_favail:,} more files fit at {place}", "remove some (inodes)"
        elif free < SPARE_SHARE * total:
            yield "look", says, "free some space before it is full"
        else:
            yield "ok", says, ""


def _size(number):
    return f"{number / 2**30:,.1f} GB"


def _snapshot(asked: Asked) -> Told:
    "Whether there is a published state, that it can be read, and how old it is."
    made = snapshots(asked.data)
    if not made:
        yield "wrong", f"nothing is published in {asked.data}", "'aiops-wb ingest' publishes"
        return
    try:
        with open_snapshot(asked.data) as log:
            batch = log.known_batch()
    except StoreError as error:
        yield "wrong", str(error).rstrip("."), ""
        return
    except Exception as error:  # whatever a damaged file makes of it
        says = f"{made[-1].path.name} cannot be read: {str(error).splitlines()[0]}"
        yield "wrong", says, "'aiops-wb ingest' publishes another"
        return
    at = datetime.fromtimestamp(made[-1].path.stat().st_mtime, UTC)
    says = f"batch {batch} was published {ago(asked.now - at)} ago"
    if unpublished(asked.data):
        yield "look", f"{says}, and something was written since", "the next command publishes it"
    elif asked.now - at > SNAPSHOT_AGE:
        yield "look", says, "does 'aiops-wb daily' run every day?"
    else:
        yield "ok", says, ""


def _lock(asked: Asked) -> Told:
    "Who writes, who trains, and who runs a morning."
    writes = _holder(asked.data / "catalog.lock")
    yield "ok", f"the catalog is being written by {writes}" if writes else "nobody writes", ""
    trains = running_training(asked.data) if asked.data.is_dir() else ""
    if trains:
        yield "ok", f"a training is running, by {trains}", ""
    if asked.data.is_dir() and (runs := holder(asked.data, DAILY)):
        yield "ok", f"a daily run is at work, by {runs}", ""


def _holder(path):
    "Who holds the lock of a catalog, in words; empty where nobody does."
    try:
        with open(path, encoding="utf-8") as handle:
            named = handle.read().strip()
            if not named:  # it is not even tried: a writer that begins finds the lock free
                return ""
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return ""  # of a process that was killed
    except FileNotFoundError:
        return ""
    except BlockingIOError:
        return named


def _messages(asked: Asked) -> Told:
    "Whether people can be told of a morning, where the settings name some."
    settings, extras = asked.settings, []
    if settings.messages and find_spec("apprise") is None:
        extras.append(("apprise", "messages"))
    if settings.heartbeat_url and find_spec("urllib3") is None:
        extras.append(("urllib3", "webhook"))
    for package, extra in extras:
        yield "wrong", f"{package} is not installed", f"pip install 'aiops_wb[{extra}]'"
    n, beats = len(settings.messages), settings.heartbeat_url is not None
    said = [f"{n:,} {'address is' if n == 1 else 'addresses are'} told of a morning"] if n else []
    said += ["a good one has a heartbeat"] if beats else []
    if not extras:
        yield "ok", ", ".join(said) or "nobody is told of a morning", ""


def _engine(asked: Asked) -> Told:
    "Whether what counts rows is there, where it is another than DuckDB; nobody is called."
    settings = asked.settings
    if settings.count_engine == "duckdb":
        yield "ok", "rows are counted by duckdb", ""
    elif find_spec("pyspark") is None:
        yield "wrong", "pyspark is not installed", "pip install 'aiops_wb[spark]'"
    elif settings.spark_url is None:
        yield "wrong", "spark_url is not set", "name a server of Spark Connect"
    else:
        yield "ok", f"rows are counted by spark at {settings.spark_url}", ""


CHECKS: dict[str, Check] = {
    "folder": _folder,
    "reports": _reports,
    "group": _group,
    "everybody": _everybody,
    "spool": _spool,
    "disk": _disk,
    "snapshot": _snapshot,
    "lock": _lock,
    **OF_NIGHTS,
    "messages": _messages,
    "engine": _engine,
}
"Name of a check -> what it does, in the order in which they are told."
