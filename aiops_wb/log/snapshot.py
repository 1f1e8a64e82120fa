"""Snapshots: what is published after each commit, and what everybody but the writer reads."""

import logging
import uuid
from pathlib import Path

from .duck import literal, parquet, statements
from .durable import fsync
from .feature_schema import FeatureSchemaReads
from .schema import EMPTY

__all__ = ["Publishing"]

logger = logging.getLogger(__name__)


class Publishing(FeatureSchemaReads):
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
        self.publish_features()
        logger.info("published %s", target)
        return target

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
