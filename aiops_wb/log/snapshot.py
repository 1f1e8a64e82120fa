"""Snapshots: what is published after each commit, and what everybody but the writer reads."""

import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import duckdb

from .acts import forget_taken
from .alike import AlikeFiles
from .beside import no_other_copy
from .duck import statements, target
from .durable import fsync
from .features import stored_types
from .schema import EMPTY, LOGGED
from .shown import ShownReads

__all__ = ["Publishing", "Snapshot", "snapshots"]

logger = logging.getLogger(__name__)


class Snapshot(NamedTuple):
    "A snapshot by its name: the batch that it knows, and its number among all that were made."

    batch: int
    number: int  # 0: of a release that did not count them
    path: Path


_NAME = re.compile(r"aiops-(\d+)-(?:(\d{6})-)?[0-9a-f]{8}\.duckdb")


def snapshots(root: Path) -> list[Snapshot]:
    "The published snapshots of a folder, oldest first; no clock has a say."
    names = ((path, _NAME.fullmatch(path.name)) for path in (root / "snapshots").glob("aiops-*"))
    return sorted(Snapshot(int(m[1]), int(m[2] or 0), path) for path, m in names if m)


class Publishing(ShownReads, AlikeFiles):
    "Writes snapshots."

    def publish(self, keep: int = 3) -> Path:
        """Write a snapshot with the views over the log, make `aiops.duckdb` lead to it, drop all
        but the newest `keep`, by batch and in the order in which they were made."""
        folder = self.root / "snapshots"
        folder.mkdir(exist_ok=True)
        before = snapshots(self.root)
        number = 1 + max((made.number for made in before), default=0)
        name = f"aiops-{self.known_batch():08d}-{number:06d}-{uuid.uuid4().hex[:8]}.duckdb"
        target = folder / name
        temporary = target.with_suffix(".tmp")
        self._note_shapes()
        self._copy(temporary)
        fsync(temporary)
        temporary.rename(target)
        pointer = self.root / f".aiops-{uuid.uuid4().hex[:8]}"
        pointer.symlink_to(target.relative_to(self.root))
        pointer.replace(self.root / "aiops.duckdb")
        fsync(self.root)
        if before:  # who reads the one before still finds what this one shows
            forget_taken(self.spool, before[-1].path.stat().st_mtime_ns)
        for old in before[: len(before) - (keep - 1)]:
            old.path.unlink()
        self.publish_features()
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

    def _note_shapes(self):
        "What is read of files that are new; one that is damaged is out of the way from now on."
        try:
            self.note_shapes()
        except duckdb.Error:
            if not self.note_damaged():
                raise
            self.note_shapes()

    def _copy(self, path):
        "Copy the catalog into a new file, with the log's files and the views over them."
        self.con.execute(f"ATTACH {target(path)} AS snapshot")
        try:
            self.con.execute("COPY FROM DATABASE catalog TO snapshot")
            self.con.execute("USE snapshot")
            try:
                self._create_views(path.stem)
            except duckdb.Error:  # a file that is damaged inside
                if not self.note_damaged():
                    raise
                self._create_views(path.stem)
        finally:
            self.con.execute("USE catalog")
            self.con.execute("DETACH snapshot")

    def _create_views(self, snapshot):
        "The views over the files of the log that are there, wherever the folder will stand."
        gone = {file.path for file in self.gone(closely=False)}
        for kind, empty in EMPTY.items():
            paths = [f.path for f in self.day_files(kind=kind) if f.path not in gone]
            rows, read = self.rows_of_files(kind, paths, snapshot), ""
            if paths:
                empty = f"{no_other_copy(snapshot, LOGGED[kind])} UNION ALL BY NAME {empty}"
                read = f"SELECT * FROM {rows} UNION ALL BY NAME "
            self.con.execute(f"CREATE OR REPLACE VIEW {kind} AS {read}{empty}")
            if kind == "predictions" and paths and (shown := self._shown(rows)):
                view = f"CREATE OR REPLACE VIEW {kind} AS {shown} UNION ALL BY NAME {empty}"
                self.con.execute(view)
        for sql in statements("views.sql").values():
            self.con.execute(sql.replace("CREATE VIEW", "CREATE OR REPLACE VIEW", 1))

    def _shown(self, rows):
        "Predictions as SQL, with features as what they are; None where they are stored so."
        return self.predictions_shown(rows, self._stored_in_view())

    def _stored_in_view(self):
        "Feature -> DuckDB's name of its type in the view of predictions; no file is opened."
        # duckdb_columns() looks at everything in all databases: seven times as long
        about = "pragma_table_info('snapshot.main.predictions')"
        kinds = self._column(f"SELECT type FROM {about} WHERE name = 'features'")
        if not kinds[0].startswith("STRUCT"):  # no row has a feature
            return {}
        return stored_types(self.con, f"(SELECT NULL::{kinds[0]} AS features)")
