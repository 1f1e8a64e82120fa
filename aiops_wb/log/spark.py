"""Spark on the files of the log, through Spark Connect (extra `[spark]`).

The client is light: plans go to a server by gRPC, and counts come back as Arrow. The server may be
Spark's own or another one that speaks its protocol; it has to see the folder of the log.
"""

import re
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
from pyspark.errors import PySparkException
from pyspark.sql.types import StructType


@contextmanager
def _as_a_program() -> Iterator[None]:
    """Where Python runs what it was given by -c, or by a program around it, the client takes it for
    a run of its own doctests and ends the process."""
    main = sys.modules["__main__"]
    if hasattr(main, "__file__"):
        yield
        return
    main.__file__ = "<a program>"
    try:
        yield
    finally:
        del main.__file__


with _as_a_program(), warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)  # of an older pandas: nothing of it is used here
    from pyspark.sql.connect import functions as sql_functions
    from pyspark.sql.connect.session import SparkSession

from .columns import COLUMNS
from .engine import Query, Rows
from .errors import StoreError

__all__ = ["SparkEngine"]

PORT = 15002
"Where a Spark Connect server listens unless its address says otherwise."
SECONDS = 10.0
"In which a server has to take a connection."
_ELSEWHERE = re.compile(r"(?!file:)[a-z][a-z0-9+.-]*://")
_WRITTEN = ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
"How instants are written into files, as the log has them; Spark's own way of before tells no zone."
_OURS = re.compile(r"aiops_wb\.log\.errors\.StoreError: (.+)")
_PATTERN = re.compile(r"[*?{}\[\]\\]")
_TYPES = {
    "VARCHAR": "string",
    "DOUBLE": "double",
    "SMALLINT": "smallint",
    "TINYINT": "tinyint",
    "BOOLEAN": "boolean",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}
_BY_LOG = {"event_date": "date", "batch_id": "bigint"}
_COLUMNS = {
    kind: {name: _TYPES[made] for name, made in columns.items()} | _BY_LOG
    for kind, columns in COLUMNS.items()
}
"What is read of the log's files, as Spark calls the types."


_CALLED = {"string": "varchar", "int": "integer"}
"Types that DuckDB calls otherwise."


class SparkEngine:
    """A Spark Connect server that sees the folder of the log, or a copy of it on a store that the
    server reaches (`s3://bucket/log`), as `base`; a day is one of `zone`."""

    name = "spark"
    together = 20_000_000

    def __init__(self, url: str, base: str | Path, zone: str) -> None:
        self.base = str(base).rstrip("/")
        if found := _PATTERN.search(self.base):
            raise StoreError(
                f"{self.base} cannot be read by Spark: {found[0]!r} in a path stands for other "
                "characters there; rename the folder."
            )
        self.elsewhere = bool(_ELSEWHERE.match(self.base))
        self.where = _require_answer(url)
        self._session = self._asked(lambda: SparkSession.builder.remote(url).create())
        self._asked(lambda: self._session.conf.set("spark.sql.session.timeZone", zone))
        self._asked(lambda: self._session.conf.set(*_WRITTEN))

    def count(self, con: duckdb.DuckDBPyConnection, into: str, query: Query) -> None:
        "Ask, and keep the answer as a temporary table of the catalog's connection."
        self._tell(con, query)
        counted = self._asked(lambda: self._session.sql(query.sql()).toArrow())
        con.register("counted_elsewhere", counted)
        con.execute(f"CREATE OR REPLACE TEMP TABLE {into} AS FROM counted_elsewhere")
        con.unregister("counted_elsewhere")

    def write(self, con: duckdb.DuckDBPyConnection, folder: str, query: Query, by: str) -> None:
        "Ask, and let the server write the answer: no row comes here."
        self._tell(con, query)
        asked = self._asked(lambda: self._session.sql(query.sql()))
        place = f"{self.base}/{folder}"
        self._asked(lambda: asked.write.partitionBy(by).parquet(place))

    def features(self, path: str) -> dict[str, str]:
        "The features that a file stores and their types, as the server reads its end."
        place = self._place(path)
        schema = self._asked(lambda: self._session.read.parquet(place).schema)
        if "features" not in schema.fieldNames():
            return {}
        told = {f.name: f.dataType.simpleString() for f in schema["features"].dataType.fields}
        names = {name: kind.partition("(")[0] for name, kind in told.items()}
        return {name: _CALLED.get(kind, kind) for name, kind in names.items()}

    def seen(self, path: str) -> str:
        "A file of the log, as the server sees it."
        return self._place(path)

    def files(self, paths: Sequence[str]) -> Any:
        "Files as the server sees them, as one frame with all of their columns."
        return self._session.read.option("mergeSchema", "true").parquet(*paths)

    @property
    def session(self) -> SparkSession:
        "Its session."
        return self._session

    def close(self) -> None:
        "End the session."
        self._session.stop()

    def _tell(self, con, query):
        "Name the relations of a query."
        for name, rows in query.rows.items():
            self._asked(lambda rows=rows: self._read(rows)).createOrReplaceTempView(name)
        for name, sql in query.told.items():
            told = self._session.createDataFrame(con.sql(sql).to_arrow_table())
            self._asked(lambda name=name, told=told: told.createOrReplaceTempView(name))

    def _read(self, rows: Rows) -> Any:
        columns = _COLUMNS[rows.kind].items()
        schema = StructType.fromDDL(", ".join(f"{name} {kind}" for name, kind in columns))
        read = self._of_group if rows.features else self._plain
        if not rows.files:
            return self._session.createDataFrame([], schema)
        parts = [read(rows, list(map(self._place, group)), schema) for group in rows.files]
        return reduce(lambda one, other: one.unionByName(other), parts)

    def _place(self, path):
        if found := _PATTERN.search(path):
            raise StoreError(
                f"{path} cannot be read by Spark: {found[0]!r} in a path stands for other "
                "characters there; rename it, or count by duckdb."
            )
        return f"{self.base}/{path}"

    def _plain(self, rows, paths, schema):
        "Columns of files by name, whatever else they hold: a file without one has none."
        wanted = StructType([schema[name] for name in rows.columns])
        if rows.whole:
            wanted.add(self._session.read.parquet(*paths).schema["features"])
        return self._session.read.schema(wanted).parquet(*paths)

    def _of_group(self, rows, paths, schema):
        "The same, and features as they are stored."
        frame = self.files(paths)
        column = sql_functions.col("features")
        features = [column.getField(feature).alias(name) for name, feature in rows.features.items()]
        return frame.select(*rows.columns, *features)

    def _asked(self, work: Callable[[], Any], what: str = "count") -> Any:
        "What comes of asking; StoreError with what the server says where it cannot do `what`."
        try:
            return work()
        except PySparkException as error:
            said = _said(str(error))
            raise StoreError(f"Spark at {self.where} could not {what}: {said}") from error


def _said(text):
    "The sentence of an error: that of the package, where one was raised on the other side."
    ours = _OURS.findall(text)
    said = ours[-1] if ours else text.strip().splitlines()[0]
    return f"{said.strip().rstrip('.')}."


def _require_answer(url) -> str:
    """The host and port of an address, which may hold a token besides; StoreError where it is no
    address, or nobody takes a connection there."""
    try:
        found = urlsplit(url)
        host, port = found.hostname, found.port or PORT
    except ValueError:
        host = None
    if not host or found.scheme != "sc":
        raise StoreError(
            "spark_url is no address of a Spark Connect server, such as sc://host:15002."
        )
    try:
        socket.create_connection((host, port), SECONDS).close()
    except OSError as error:
        raise StoreError(
            f"nobody answers at {host}:{port} ({error.strerror or error}): start a Spark Connect "
            "server there, or count by duckdb."
        ) from None
    return f"{host}:{port}"
