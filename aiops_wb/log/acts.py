"""Acts: changes that are handed in as files of the spool, for the one writer to take in.

Whoever hands one in opens no database and waits for nobody. An act has an id, which tells its place
in the order; it is on the disk when `hand_in` returns. To hand the same file in once more changes
nothing: the catalog knows the ids of what was taken in. An act names who asks, so only files of
users that are believed are acts (`owners.believed`): others may be allowed to write events here.
"""

import fcntl
import hashlib
import json
import os
import re
import stat
import uuid
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from .act_shapes import KINDS, checked_text, checked_what
from .durable import fsync, time_ordered_id, write_durably
from .errors import InvalidAct, StoreError
from .modes import make_in_spool
from .owners import believed
from .reading import shown

__all__ = [
    "KEYS_KEPT",
    "KINDS",
    "Act",
    "Found",
    "forget_taken",
    "found",
    "hand_in",
    "handed_in_before",
    "is_here",
    "keep_until_published",
    "tidy",
    "waiting",
]

KEYS_KEPT = timedelta(30)
"How long a key of a caller is remembered."

_BYTES = 1 << 17  # of the file of an act
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Act:
    "A change that somebody asks for: its kind, what it is about, who asks and when."

    id: str
    kind: str
    what: Mapping[str, Any] = field(hash=False)
    who: str
    at: datetime


def hand_in(
    spool: str | Path,
    kind: str,
    what: Mapping[str, Any],
    who: str,
    at: datetime,
    key: str | None = None,
    data: Path | None = None,
) -> str:
    """Hand in an act; returns its id. It is on the disk then, and the next writer takes it in.

    `key`: of the caller's own, so that what is handed in again after a broken connection is not
    done twice; kept for `KEYS_KEPT`. `data`: the data folder, whose owner is believed, where the
    spool does not lie in it. InvalidAct when the act has not the shape of its kind, or the
    key was used for another one; StoreError when nothing can be written.
    """
    told = checked_what(kind, what), checked_text("who", who, 200), _checked_time(at)
    if key is not None:
        key = checked_text("the key", key, 200)
    return _hand_in(Path(spool) / "acts", kind, *told, key, _owners(spool, data))


def _owners(spool, data):
    "Whose acts are believed."
    return believed(data or Path(spool).parent)


def handed_in_before(spool: str | Path, who: str, key: str, data: Path | None = None) -> Act | None:
    "The act that somebody handed in with a key of their own; None where it is not remembered."
    folder = Path(spool) / "acts"
    kept = _key_path(folder, who, key)
    return _kept(kept, _owners(spool, data)) if kept.exists() else None


def _checked_time(at):
    if at.tzinfo is None:
        raise InvalidAct(f"{at} has no zone: a time needs one.")
    return at


def _hand_in(folder, kind, what, who, at, key, owners):
    try:
        with _alone(folder) as lock:
            kept = key and _key_path(folder, who, key)
            known = kept and _kept(kept, owners)
            if known is not None and (known.kind, dict(known.what)) != (kind, what):
                raise InvalidAct(
                    "the key was used for another act: each act needs a key of its own"
                )
            act = known or Act(_next_id(lock), kind, what, who, at)
            if kept and known is None:
                _write(kept, act)  # before the act: who is stopped in between repeats this one
            if kept:
                _write(_act_path(folder.parent, act.id), act)
        if not kept:
            _write(_act_path(folder.parent, act.id), act)
        return act.id
    except OSError as error:
        raise StoreError(f"the act cannot be written: {error.strerror or error}.") from None


def _kept(path, owners):
    "The act that a key stands for, None where it stands for none."
    try:
        return _parsed(path, owners)
    except InvalidAct:  # damaged, or of somebody else: written anew
        return None


def _key_path(folder, who, key):
    digest = hashlib.sha256(json.dumps([who, key]).encode()).hexdigest()
    return folder / ".keys" / f"{digest}.json"


@contextmanager
def _alone(folder: Path) -> Iterator:
    "Nobody else hands in for the moment; the file holds the last id that was given."
    if not folder.is_dir():
        make_in_spool(folder, writable=False)
        fsync(folder.parent)
    # a link that somebody else put there would have another file emptied
    opened = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with open(opened, "r+", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def _next_id(lock):
    "An id behind the last one, whatever the clock says."
    lock.seek(0)
    new, last = time_ordered_id(), lock.read()
    if _ID.fullmatch(last) and new <= last:
        new = str(uuid.UUID(int=uuid.UUID(last).int + 1))
    lock.seek(0)
    lock.truncate()
    lock.write(new)
    lock.flush()
    return new


def _act_path(spool: str | Path, key: str) -> Path:
    "Where the file of an act stands; InvalidAct where the id is none."
    if not _ID.fullmatch(key):
        raise InvalidAct(f"{key[:50]!r} is no id of an act.")
    return Path(spool) / "acts" / f"{key}.json"


def keep_until_published(spool: str | Path, key: str) -> None:
    """Put the file of an act that the catalog has out of those that wait. Until a snapshot shows
    what came of it, whoever asks for its state finds it still."""
    path = _act_path(spool, key)
    if path.exists():
        path.rename(_taken_path(path))


def is_here(spool: str | Path, key: str) -> bool:
    "Whether an act waits, or was taken in and is not published yet."
    path = _act_path(spool, key)
    return path.exists() or _taken_path(path).exists()


def forget_taken(spool: str | Path, before: int) -> None:
    "Remove the files of acts that were taken in before a time (ns): snapshots show them."
    for path in Path(spool, "acts").glob(".*.taken"):
        if path.stat().st_ctime_ns < before:
            path.unlink(missing_ok=True)


def _taken_path(path):
    return path.with_name(f".{path.stem}.taken")


def _write(path, act):
    "A whole file, on the disk when this returns."
    told = {"id": act.id, "kind": act.kind, "what": dict(act.what), "who": act.who}
    text = json.dumps(told | {"at": act.at.isoformat()}, ensure_ascii=False)
    write_durably(path, text)  # nobody else may write to it, whatever the mask of this process is


class Found(NamedTuple):
    "The acts that wait, in order; files that are none, and what is passed over, with the reason."

    acts: list[Act]
    unreadable: dict[Path, str]
    passed_over: list[str]


def found(spool: str | Path, data: Path | None = None) -> Found:
    "What stands in the folder of acts that wait; names that begin with a dot are still written."
    folder, told = Path(spool) / "acts", Found([], {}, [])
    if not folder.is_dir():
        return told
    owners = _owners(spool, data)
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_symlink() or (path.exists() and not path.is_file()):
            told.passed_over.append(f"{shown(path.name)} among the acts is no file of its own")
            continue
        try:
            act = _parsed(path, owners)
        except InvalidAct as error:
            told.unreadable[path] = f"{shown(path.name)} is no act: {error}"
            continue
        if act is not None:  # else somebody took it
            told.acts.append(act)
    return told


def waiting(spool: str | Path, data: Path | None = None) -> list[Act]:
    "The acts that wait to be taken in, in order."
    return found(spool, data).acts


def _parsed(path: Path, owners: Set[int]) -> Act | None:
    "The act in a file of some owners, None where there is none; InvalidAct where it is damaged."
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidAct(f"it cannot be read: {error.strerror}.") from None
    with open(opened, "rb") as handle:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidAct("it is no file.")
        if found.st_uid not in owners:
            whose = f"it belongs to user {found.st_uid}"
            raise InvalidAct(f"{whose}, and acts are those of who owns the data folder.")
        raw = handle.read(_BYTES + 1)
    if len(raw) > _BYTES:
        raise InvalidAct(f"it has more than {_BYTES:,} bytes.")
    try:
        told = json.loads(raw)
        act = Act(**told | {"at": datetime.fromisoformat(told["at"])})
        named = path.parent.name == ".keys" or path.name == f"{act.id}.json"
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InvalidAct("it is damaged, or was written by another program.") from None
    if not (named and _ID.fullmatch(act.id)):
        raise InvalidAct("it has the name of another one.")
    return _checked(act)


def _checked(act):
    what = checked_what(act.kind, act.what)
    return Act(act.id, act.kind, what, checked_text("who", act.who, 200), _checked_time(act.at))


def tidy(spool: str | Path, now: datetime) -> None:
    "Forget keys of callers that are older than `KEYS_KEPT`, and what stopped processes left."
    folder = Path(spool) / "acts"
    if not folder.is_dir():
        return
    oldest = (now - KEYS_KEPT).timestamp()
    with _alone(folder):
        for path in [
            *folder.glob(".keys/*.json"),
            *folder.glob(".keys/.*"),
            *folder.glob(".*.tmp"),
        ]:
            if path.stat().st_mtime < oldest:
                path.unlink()
