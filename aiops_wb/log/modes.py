"""Who may read what this package writes: its owner, and a group where one is named.

A new folder is 0700, or 2750 with a group, and whatever is made in it is as open as it is. The
folder itself says so to the system (a default access control list, where the file system has
them), so that no mask of a process counts, also for what DuckDB makes, and a program that imports
this package keeps the mask that it has. Commands set a mask besides (`mask_of`), for file systems
without such lists. A folder that is there already is left as it is; who opens it by `chmod -R` is
followed. In a spool, which services of other users may share, each file is given the mode itself.
"""

import grp
import os
import stat
import struct
from contextlib import suppress
from pathlib import Path

from .errors import StoreError

__all__ = [
    "SPOOLED",
    "as_its_folder",
    "follow_mode",
    "gid_of",
    "make_below",
    "make_file",
    "make_folder",
    "make_in_spool",
    "mask_of",
    "require_closed",
    "writable_by_all",
]

SPOOLED = ("predictions", "outcomes", "events", "acts")
"The folders of a spool."
_ACL = "system.posix_acl_default"
_NONE_HERE = (OSError, AttributeError)
"A file system without such lists, or a system without the call."


def gid_of(group: str) -> int:
    "The number of a group; StoreError where this machine has none of that name."
    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        raise StoreError(
            f"group = {group!r} names no group of this machine: make it, or name one that "
            "'getent group' lists."
        ) from None


def make_folder(folder: str | Path, group: str | None = None) -> None:
    """Make a folder, and those above it that are missing: 0700, or 2750 of a group. Nothing is
    changed where it is there. StoreError where it cannot be given to the group."""
    folder = Path(folder)
    if folder.is_dir():
        return
    gid = None if group is None else gid_of(group)
    made = [folder, *(p for p in folder.parents if not p.exists())]
    for path in reversed(made):
        path.mkdir(mode=0o700, exist_ok=True)
        _give(path, gid, group)


def _give(path, gid, group):
    "Open a folder that was just made to its owner alone, or to a group as well."
    if gid is not None:
        _chown(path, gid, group, path)
    os.chmod(path, 0o700 if gid is None else 0o2750)
    _inherit(path)


def _inherit(path):
    "What is made in a folder from now on is as open as the folder, whatever masks say."
    with suppress(*_NONE_HERE):
        os.setxattr(path, _ACL, _list_of(path.stat().st_mode))


def _list_of(mode):
    "The default list of a folder, as the system keeps it: version, and three rows."
    rows = ((0x01, 7), (0x04, mode >> 3 & 7), (0x20, mode & 5))  # owner, its group, others
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", kind, may, 0xFFFFFFFF) for kind, may in rows
    )


def _listed(path):
    "The default list of a folder; None where it has none, or one that somebody made richer."
    try:
        found = os.getxattr(path, _ACL)
    except _NONE_HERE:
        return None
    return found if len(found) == len(_list_of(0)) else None


def follow_mode(root: Path, group: str | None = None) -> None:
    """Where somebody changed the mode of a data folder that this package made, what is made in it
    from now on is as open as its folders are now. A folder that a service made before the workbench
    knew of a group, and that holds no catalog yet, is given to the group."""
    listed = _listed(root)
    if listed is None:
        return
    found = root.stat()
    private = stat.S_IMODE(found.st_mode) == 0o700 and found.st_uid == os.geteuid()
    if group is not None and private and not (root / "catalog.duckdb").exists():
        _give(root, gid_of(group), group)
    elif listed != _list_of(found.st_mode):
        for place, _, _ in os.walk(root):
            if _listed(place) is not None:
                _inherit(Path(place))


def make_in_spool(folder: Path, writable: bool = True) -> None:
    """Make a folder of a spool, as open as the spool: services of several users may share one (not
    `writable`: only its owner writes there). A spool that is not there is made as open as the data
    folder that it is to stand in, and private elsewhere."""
    if folder.is_dir():
        return
    spool = folder.parent
    if not spool.is_dir():
        make_folder(spool.parent)
        of_a_log = _listed(spool.parent) or (spool.parent / "catalog.lock").exists()
        _make_like(spool, 0o3777 if of_a_log else 0)
    _make_like(folder, 0o3777 if writable else 0o2755)


def _make_like(folder, most):
    "Make a folder in one that is there, as open as that one, and at most so."
    with suppress(FileExistsError):
        folder.mkdir()
        os.chmod(folder, 0o700 | folder.parent.stat().st_mode & most)
        with suppress(*_NONE_HERE):  # its owner opens it by chmod alone
            os.removexattr(folder, _ACL)


def make_below(folder: Path) -> None:
    "Make a folder and those above it that are missing, each as open to readers as the one above."
    for path in reversed([folder, *folder.parents]):
        with suppress(FileExistsError):
            path.mkdir()
            os.chmod(path, 0o700 | path.parent.stat().st_mode & 0o2055)


def as_its_folder(path: Path, most: int = 0o644) -> None:
    """Whoever may look into the folder of a file that was just written may read the file, as far as
    `most` allows, and nobody else may."""
    wanted = (0o600 | path.parent.stat().st_mode & 0o044) & most
    if stat.S_IMODE(path.stat().st_mode) != wanted:
        os.chmod(path, wanted)


def make_file(path: Path, group: str | None = None) -> bool:
    """Make an empty file of its owner alone (0600), or of a group as well (0640). False, and
    nothing is done, where it is there. StoreError where it cannot be given to the group."""
    gid = None if group is None else gid_of(group)
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    try:
        if gid is not None:
            _chown(opened, gid, group, path)
        os.fchmod(opened, 0o600 if gid is None else 0o640)
    finally:
        os.close(opened)
    return True


def _chown(opened, gid, group, path):
    try:
        os.chown(opened, -1, gid)
    except PermissionError:
        raise StoreError(
            f"{path} cannot be given to the group {group}: who runs this is not in it."
        ) from None


def mask_of(folder: str | Path, group: str | None = None) -> int:
    "The mask under which what a process makes is as open as a folder is, or will be."
    try:
        return ~os.stat(folder).st_mode & 0o077
    except OSError:
        return 0o077 if group is None else 0o027


def writable_by_all(path: Path, sticky: bool = False) -> bool:
    """Whether everybody may write to a file or a folder; `sticky`: and remove what others put into
    it. False where there is none."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IWOTH) and not (sticky and mode & stat.S_ISVTX)


def require_closed(root: Path, spool: Path) -> None:
    """StoreError where everybody may write to a data folder, or to its spool; in a spool they may
    where the sticky bit keeps them from what others put there."""
    for path in (root, *(root / name for name in ("log", "snapshots", "models"))):
        if writable_by_all(path):
            raise StoreError(
                f"everybody on this machine may write to {path}, so that nothing in it can be "
                f"believed: chmod o-w {path}"
            )
    for path in (spool, *(spool / name for name in SPOOLED)):
        if writable_by_all(path, sticky=True):
            raise StoreError(
                f"everybody on this machine may write to {path}, and remove what others put "
                f"there: chmod o-w {path}, or chmod +t {path} where all of them are to hand in."
            )
