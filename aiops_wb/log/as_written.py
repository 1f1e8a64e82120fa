"""The catalog itself, for whoever verifies: an edit that is not published yet is seen as well."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from .anchor import Anchor
from .catalog import Reader, open_reader, open_snapshot
from .errors import Busy, StoreError
from .locks import lock_catalog
from .sealed import deciding_findings

__all__ = ["open_as_written", "published_anchor", "published_findings"]


@contextmanager
def open_as_written(
    root: str | Path, owner: str, spool: Path | None = None
) -> Iterator[tuple[Reader, str]]:
    """The catalog, read-only, and an empty text; where another process writes, or this one may not,
    the newest snapshot and why. Writers wait for whoever reads so. StoreError where neither can be
    read. `spool`: where it does not lie in the folder."""
    root = Path(root)
    if not (root / "catalog.duckdb").exists():
        with open_snapshot(root, spool) as reader:
            yield reader, f"there is no catalog in {root}"
        return
    try:
        lock = lock_catalog(root, owner, briefly=True)
    except (Busy, OSError) as error:
        why = _instead(root, error)
        with open_snapshot(root, spool) as reader:
            yield reader, why
        return
    try:
        with _catalog(root, spool) as reader:
            yield reader, ""
    finally:
        lock.truncate(0)
        lock.close()


def published_anchor(root: str | Path) -> Anchor | None:
    """What the newest snapshot says of the trail: the catalog is never behind it, unless its end
    was cut off or an older one was put back. None without one that can be read."""
    try:
        with open_snapshot(root) as reader:
            made = (Path(root) / "aiops.duckdb").stat().st_mtime
            at = datetime.fromtimestamp(made, UTC)
            return Anchor(at, *reader.audit_head(), "the published snapshot")
    except (StoreError, OSError, duckdb.Error):
        return None


def published_findings(
    root: str | Path, known: Iterable[str], spool: Path | None = None
) -> list[str]:
    """What speaks against the newest snapshot, which pages and analysts read, beside what is known
    of the catalog; nothing without one that can be read. `spool`: as above."""
    try:
        with open_snapshot(root, spool) as reader:
            found = [*reader.chain_findings(), *deciding_findings(reader)]
    except (StoreError, OSError, duckdb.Error):
        return []
    return [f"in the published snapshot {one}" for one in found if one not in set(known)]


def _instead(root, error):
    "Why the catalog is not read."
    if isinstance(error, OSError):
        return f"the catalog in {root} cannot be held: {error.strerror or error}"
    return str(error).partition(": try again")[0]


def _catalog(root, spool):
    try:
        return open_reader(root / "catalog.duckdb", root, "catalog", spool)
    except duckdb.Error as error:
        raise StoreError(
            f"the catalog in {root} cannot be read ({str(error).splitlines()[0]}): "
            "'aiops-wb repair' makes it anew from the newest snapshot."
        ) from None
