"""Snapshots: what is published after each commit, and what everybody but the writer reads."""

import logging
import uuid
from pathlib import Path

from .duck import identifier, literal, parquet, statements
from .durable import fsync
from .feature_schema import LATEST, FeatureSchemaReads
from .features import stored_types
from .schema import EMPTY
from .values import kind_sql

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
                rows = f"{self._shown(kind, parquet(paths))} UNION ALL BY NAME " if paths else ""
                self.con.execute(f"CREATE VIEW {kind} AS {rows}{empty}")
            for sql in statements("views.sql").values():
                self.con.execute(sql)
        finally:
            self.con.execute("USE catalog")
            self.con.execute("DETACH snapshot")

    def _shown(self, kind, rows):
        """Rows of the log as SQL, with features that are stored in more than one way as what they
        are, and what was read again in its place."""
        mixed = {
            feature: kinds[0] if len(kinds) == 1 else "text"
            for feature, kinds in self._rows(
                f"""
                SELECT feature, list(DISTINCT kind) FROM ({LATEST.format(where="")})
                WHERE feature IN (FROM (SELECT feature FROM features GROUP BY feature
                                        HAVING count(DISTINCT kind) > 1)
                                  UNION SELECT feature FROM read_again)
                GROUP BY feature"""
            )
        }
        stored = stored_types(self.con, rows) if kind == "predictions" and mixed else {}
        if not mixed.keys() & stored.keys():
            return f"SELECT * FROM {rows}"
        again = [f for f in self._column("SELECT DISTINCT feature FROM read_again ORDER BY 1")]
        fields = []
        for feature, physical in stored.items():
            value = f"p.features.{identifier(feature)}"
            if feature in mixed and (physical == "varchar" or mixed[feature] == "text"):
                value = kind_sql(value, mixed[feature])
            elif feature in mixed:
                value = f"{value}::{'BOOLEAN' if mixed[feature] == 'boolean' else 'DOUBLE'}"
            if feature in again:
                value = (
                    f"coalesce({value}, {kind_sql(f'a.r{again.index(feature)}', mixed[feature])})"
                )
            fields.append(f"{identifier(feature)} := {value}")
        shown = f"SELECT p.* REPLACE (struct_pack({', '.join(fields)}) AS features) FROM {rows} p"
        if not again:
            return shown
        raw = (f"max(raw) FILTER (feature = {literal(f)}) AS r{i}" for i, f in enumerate(again))
        return f"""{shown} LEFT JOIN (
            SELECT model, prediction_id, {", ".join(raw)} FROM read_again GROUP BY ALL) a
            ON a.model = p.model AND a.prediction_id = p.prediction_id"""
