"""Snapshots: what is published after each commit, and what everybody but the writer reads."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .base import Writing
from .batches import BatchReads
from .duck import literal, parquet, statements
from .durable import fsync
from .schema import EMPTY

__all__ = ["Publishing"]

logger = logging.getLogger(__name__)


class Publishing(BatchReads, Writing):
    "Writes snapshots."

    def publish(self, keep: int = 3) -> Path:
        """Write a snapshot with the views over the log, make `aiops.duckdb` lead to it, drop all
        but the newest `keep`."""
        folder = self.root / "snapshots"
        folder.mkdir(exist_ok=True)
        target = folder / f"aiops-{self.known_batch():08d}-{uuid.uuid4().hex[:8]}.duckdb"
        temporary = target.with_suffix(".tmp")
        self._copy(temporary)
        fsync(temporary)
        temporary.rename(target)
        pointer = self.root / f".aiops-{uuid.uuid4().hex[:8]}"
        pointer.symlink_to(target.relative_to(self.root))
        pointer.replace(self.root / "aiops.duckdb")
        fsync(self.root)
        published = sorted(folder.glob("aiops-*.duckdb"), key=lambda p: p.stat().st_mtime_ns)
        for old in published[:-keep]:
            old.unlink()
        logger.info("published %s", target)
        self._is_published()
        return target

    @contextmanager
    def published(self, keep: int = 3) -> Iterator[None]:
        """What the work inside commits, or a stopped process before, is published however the work
        ends: by an error, by a message that nobody could be told, or by a signal."""
        try:
            yield
        except BaseException:
            if self.unpublished:
                self._publish_after_all(keep)
            raise

    def _publish_after_all(self, keep):
        "Publish while something else went wrong, which is what is told."
        try:
            self.publish(keep)
        except Exception as error:
            logger.warning("what was committed is not published before the next run: %s", error)

    def _copy(self, path):
        "Copy the catalog into a new file, with the log's files and the views over them."
        self.con.execute(f"ATTACH {literal(path)} AS snapshot")
        try:
            self.con.execute("COPY FROM DATABASE catalog TO snapshot")
            self.con.execute("USE snapshot")
            for kind, empty in EMPTY.items():
                paths = [(self.root / file[0]).resolve() for file in self.files(kind)]
                rows = f"SELECT * FROM {parquet(paths)} UNION ALL BY NAME " if paths else ""
                self.con.execute(f"CREATE VIEW {kind} AS {rows}{empty}")
            for sql in statements("views.sql").values():
                self.con.execute(sql)
        finally:
            self.con.execute("USE catalog")
            self.con.execute("DETACH snapshot")
