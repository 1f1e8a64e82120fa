"""What a backup is: a folder of files, and a manifest with the size and the SHA-256 of each."""

import fcntl
import grp
import hashlib
import json
import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from .durable import write_durably
from .errors import Busy, StoreError
from .sums import Seen, quietly, sha256_of

__all__ = [
    "DATA",
    "MANIFEST",
    "SETTINGS",
    "Kept",
    "Manifest",
    "Rights",
    "backups",
    "copied",
    "held_folder",
    "manifest_hash",
    "megabytes",
    "newest_or_itself",
    "place_of",
    "read_manifest",
    "resolved",
    "verify_backup",
    "write_manifest",
]

DATA, SETTINGS, MANIFEST = "data", "aiops.toml", "manifest.json"
_FORMAT = 1
_CHUNK = 1 << 20
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z(-\d+)?")


class Rights(NamedTuple):
    "Permissions, and the names of an owner and a group; empty where they have none."

    mode: int
    owner: str
    group: str

    @classmethod
    def of(cls, found: os.stat_result) -> "Rights":
        "Those of a file or a folder."
        owner = group = ""
        with suppress(KeyError):
            owner = pwd.getpwuid(found.st_uid).pw_name
        with suppress(KeyError):
            group = grp.getgrgid(found.st_gid).gr_name
        return cls(stat.S_IMODE(found.st_mode), owner, group)

    def give(self, path: Path) -> None:
        """Give them to a file or a folder: owner and group as far as this user may, and this
        machine knows them."""
        with suppress(KeyError, PermissionError):
            os.chown(path, -1, grp.getgrnam(self.group).gr_gid)
        with suppress(KeyError, PermissionError):
            os.chown(path, pwd.getpwnam(self.owner).pw_uid, -1)
        with suppress(PermissionError):  # it is somebody else's
            os.chmod(path, self.mode)


class Kept(NamedTuple):
    "A file of a backup: its bytes, their SHA-256, its rights."

    size: int
    sha256: str
    rights: Rights


@dataclass(frozen=True)
class Manifest:
    "What a backup holds; paths are those of the data folder."

    made_at: datetime
    batch: int | None  # that the catalog knows; None: there was no catalog yet
    trail: tuple[int, str]  # rows of the audit trail, and the hash of the last
    days: tuple[str, str] | None  # first and last day with a file
    rows: dict[str, int]  # kind -> rows of the day files that the catalog names
    snapshot: str | None
    later: list[str] = field(default_factory=list)  # day files behind that batch
    gone: dict[str, str] = field(default_factory=dict)  # day files that were not whole, and why
    settings: str | None = None  # where the file of settings stood
    beside: bool = False  # and that it stood beside the data folder
    folders: dict[str, Rights] = field(default_factory=dict)
    files: dict[str, Kept] = field(default_factory=dict)

    @property
    def size(self) -> int:
        "Bytes of all files."
        return sum(file.size for file in self.files.values())


def megabytes(size: float) -> str:
    "A number of bytes in words."
    return f"{size / 1e6:,.1f} MB"


def copied(source: Path, target: Path, seen: Seen = quietly) -> Kept:
    "Copy a file, forced to the disk under a name that is new, and hash what was copied."
    digest, size = hashlib.sha256(), 0
    with open(source, "rb") as file:
        rights = Rights.of(os.fstat(file.fileno()))
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            while chunk := file.read(_CHUNK):
                out.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                seen(len(chunk))
            out.flush()
            os.fchmod(out.fileno(), rights.mode)
            os.fsync(out.fileno())
    return Kept(size, digest.hexdigest(), rights)


@contextmanager
def held_folder(folder: Path, what: str) -> Iterator[None]:
    "Hold a folder against others who do the same; Busy where one does."
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise Busy(f"{what} is under way in {folder} already: try again when it is done.") from None
    try:
        yield
    finally:
        os.close(handle)


def backups(dest: Path) -> list[Path]:
    "The finished backups of a folder, oldest first."
    folders = dest.iterdir() if dest.is_dir() else ()
    whole = (p for p in folders if _NAME.fullmatch(p.name) and (p / MANIFEST).is_file())
    # the second of a second is a -2
    return sorted(whole, key=lambda p: (p.name[:18], int(p.name[19:] or 1)))


def newest_or_itself(source: Path) -> Path:
    "A backup, or the newest one of a folder of backups. StoreError where there is none."
    if (source / MANIFEST).is_file():
        return source
    if found := backups(source):
        return found[-1]
    raise StoreError(
        f"{source} is no backup and holds none: name a folder that 'aiops-wb backup' wrote, such "
        "as backups/2026-11-28T010203Z."
    )


def write_manifest(folder: Path, manifest: Manifest) -> None:
    "Write a manifest, and beside it its own hash, as 'sha256sum -c' reads it."
    told = asdict(manifest) | {"format": _FORMAT, "made_at": manifest.made_at.isoformat()}
    told["files"] = {path: list(kept) for path, kept in sorted(manifest.files.items())}
    text = json.dumps(told, indent=1, sort_keys=True) + "\n"
    hashed = hashlib.sha256(text.encode()).hexdigest()
    write_durably(folder / MANIFEST, text, 0o600)
    write_durably(folder / f"{MANIFEST}.sha256", f"{hashed}  {MANIFEST}\n", 0o600)


def manifest_hash(folder: Path) -> str:
    "The hash of a backup's manifest, which stands for all of the backup."
    return sha256_of(folder / MANIFEST)


def read_manifest(folder: Path) -> Manifest:
    "The manifest of a backup. StoreError where it is missing, damaged or of a later release."
    try:
        said = (folder / f"{MANIFEST}.sha256").read_text(encoding="utf-8").split()
        if said[:1] != [manifest_hash(folder)]:
            raise StoreError(f"{folder / MANIFEST} is damaged: it is not what its hash says.")
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if told.pop("format") != _FORMAT:
            raise StoreError(f"{folder} was written by a later release: upgrade aiops_wb.")
        told["made_at"] = datetime.fromisoformat(told["made_at"])
        files, folders = told["files"].items(), told["folders"].items()
        told["files"] = {_inside(p): Kept(*kept[:2], _rights(kept[2])) for p, kept in files}
        told["folders"] = {_inside(path): _rights(rights) for path, rights in folders}
        if told["settings"] is not None and SETTINGS not in told["files"]:
            raise ValueError(f"it names settings and has no {SETTINGS}")
        told["trail"], told["days"] = tuple(told["trail"]), told["days"] and tuple(told["days"])
        return Manifest(**told)
    except OSError as error:
        raise StoreError(
            f"{error.filename} cannot be read ({error.strerror}): {folder} is no whole backup."
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreError(f"{folder / MANIFEST} is no manifest of a backup: {error}.") from None


def _rights(told):
    "Permissions as they are given to files; nothing else is."
    if list(map(type, told)) != [int, str, str]:
        raise ValueError(f"{told!r} are no permissions")
    return Rights(*told)


def resolved(path: Path) -> Path:
    "Where a folder stands that may not be there yet. StoreError where links lead in a circle."
    try:
        return path.resolve()
    except (RuntimeError, OSError):
        raise StoreError(f"{path} leads back to itself: name another folder.") from None


def _inside(path):
    "A path that stays below the folder that it belongs to."
    parts = PurePosixPath(path).parts
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise ValueError(f"{path!r} leads out of the backup")
    return path


def place_of(folder: Path, path: str) -> Path:
    "Where a file of a backup stands."
    return folder / path if path == SETTINGS else folder / DATA / path


def verify_backup(folder: Path, manifest: Manifest, seen: Seen = quietly) -> dict[str, str]:
    "Read every file of a backup; path -> what is wrong with it, for those where something is."
    wrong = {}
    for path, kept in manifest.files.items():
        if problem := _problem(place_of(folder, path), kept, seen):
            wrong[path] = problem
    for place, _, names in os.walk(folder / DATA):
        for name in names:
            path = os.path.relpath(os.path.join(place, name), folder / DATA)
            if path not in manifest.files:
                wrong[path] = "is not in the manifest"
    return wrong


def _problem(path, kept, seen):
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode):
            return "is no regular file"
        if found.st_size != kept.size:
            return f"has {found.st_size:,} bytes instead of {kept.size:,}"
        return None if sha256_of(path, seen) == kept.sha256 else "has other bytes"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
