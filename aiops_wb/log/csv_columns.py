"""CSV files that are plain throughout, read a column at a time: what `csv_rows` makes of them, in a
fraction of its time.

Plain is what can be told from the bytes: UTF-8 with one kind of line end, no quote, no empty line,
no line that is long. DuckDB splits such a file, with nothing left for it to guess, and refuses it
when a row is not of the header's width.
"""

import io
from collections.abc import Callable, Collection
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from .csv_rows import header_of, kept_names
from .duck import connect, literal, source
from .errors import StoreError
from .reading import ReadOptions
from .values import EXACT

__all__ = ["read_columns"]

_LONGEST = 1_000_000  # bytes of a line: DuckDB takes twice as many
_LOOKED_AT = 64  # lines below those left out in which the header is looked for


def read_columns(
    path: Path,
    options: ReadOptions,
    say: Callable[[str], None],
    texts: Collection[str] | None = None,
) -> tuple[pd.DataFrame, np.ndarray] | None:
    """The rows of a plain file and the line that each stands in; None when the file is not plain.

    Columns that are not among `texts` (None: none) are float64 where all that they hold is plainly
    a number, with NaN where a cell is empty; every other cell is a text.
    """
    lines = _Lines.of(path, options)
    if lines is None:
        return None
    first, delimiter, names = header_of(lines.top, options)
    rows, delimiters = lines.n - first, lines.count(delimiter, first)
    options.limits.check_columns(len(names))
    if len(names) == 1 or not 0 < rows <= options.limits.rows:
        return None
    told = []
    kept = kept_names(names, told.append)
    wanted = set() if texts is None else set(kept.values()) - set(texts)
    try:
        cells = _Cells(path, first, delimiter, len(names), lines.end)
        numbers = _seem_numbers(lines.top[first:], delimiter) & {
            at for at, name in kept.items() if name in wanted
        }
        with connect(":memory:", threads=1) as con:
            n, columns = _columns(con, cells, kept, numbers)
    except (duckdb.Error, StoreError):  # a ragged row, a path that DuckDB cannot be told
        return None
    # DuckDB refuses a row that is too short, and takes one that ends in an empty cell too many
    if n != rows or delimiters != rows * (len(names) - 1):
        return None
    for sentence in told:
        say(sentence)
    return pd.DataFrame(columns, copy=False), np.arange(first + 1, lines.n + 1)


class _Lines:
    "The lines of a plain file: how many, how they end, and the first of them."

    def __init__(self, raw, end, ends, options):
        self.end, self.n = end, len(ends) + (not raw.endswith(b"\n"))
        self._raw, self._ends = raw, ends
        top = options.skip_lines + _LOOKED_AT
        head = raw[: ends[top] + 1] if top < len(ends) else raw
        self.top = list(io.StringIO(head.decode().removeprefix("\ufeff"), newline=""))

    def count(self, delimiter, first):
        "How often a delimiter stands in the lines from `first` on; the bytes are let go of."
        raw, self._raw = self._raw, None
        rows = np.frombuffer(raw, np.uint8)[int(self._ends[first - 1]) + 1 if first else 0 :]
        return np.count_nonzero(rows == ord(delimiter))  # there are many: bytes count slowly

    @classmethod
    def of(cls, path, options):
        "The lines of a file, None when it is not plain."
        most = options.limits.memory * 2**20
        if path.suffix.lower() == ".gz" or options.encoding or 10 * path.stat().st_size > most:
            return None
        raw = path.read_bytes()
        end = b"\r\n" if b"\r" in raw else b"\n"
        if b'"' in raw or b"\0" in raw or not raw.endswith(b"\n") or not _is_utf8(raw):
            return None
        ends = np.flatnonzero(np.frombuffer(raw, np.uint8) == ord("\n"))
        lengths = np.diff(ends, prepend=-1)
        shortest, longest = lengths.min(), lengths.max()
        if end == b"\r\n" and not raw.count(b"\r") == raw.count(end) == len(ends):
            return None
        if shortest <= len(end) or longest > min(
            _LONGEST, options.limits.line, options.limits.value
        ):
            return None
        return cls(raw, end.decode(), ends, options)


def _is_utf8(raw):
    try:
        return raw.isascii() or bool(raw.decode())
    except UnicodeDecodeError:
        return False


class _Cells:
    "The cells of a plain file as a table of DuckDB's, in SQL: columns c0, c1 ... (NULL: empty)."

    def __init__(self, path, first, delimiter, width, end):
        self.path, self.width = path, width
        end = literal(end.encode("unicode_escape").decode())
        self.fixed = (
            f"skip = {first}, delim = {literal(delimiter)}, new_line = {end}, quote = '', "
            "escape = '', comment = '', nullstr = '', auto_detect = false, header = false, "
            "strict_mode = true, null_padding = false, ignore_errors = false, "
            "compression = 'none', hive_partitioning = false"
        )

    def read(self):
        "All rows; duckdb.Error where a row is not of the header's width."
        columns = ", ".join(f"c{at}: 'VARCHAR'" for at in range(self.width))
        return f"read_csv({source(self.path)}, columns = {{{columns}}}, {self.fixed})"


_NUMBER = """CASE WHEN {0} < '-' OR {0} BETWEEN '00' AND '0:' OR {0} BETWEEN '-00' AND '-0:'
        OR contains({0}, '_') THEN 'NaN'::DOUBLE
    WHEN {0} IS NOT NULL THEN coalesce(TRY_CAST({0} AS DOUBLE), 'NaN') END AS {0}"""
# of what the cast takes, no reader of cells takes leading zeros or underscores for a plain number;
# what begins below a minus, a blank or a plus say, may hide such zeros, and is left to them


def _seem_numbers(lines, delimiter):
    "Places of columns in which the first lines hold nothing else: what is worth to be tried."
    columns = zip(*(line.rstrip("\r\n").split(delimiter) for line in lines))
    return {at for at, cells in enumerate(columns) if all(map(_seems_number, cells))}


def _seems_number(cell):
    try:
        return not cell or bool(float(cell)) or True
    except ValueError:
        return False


def _are_plain(numbers):
    "Whether every reader reads all of them alike, and a float64 holds them."
    told = numbers.compressed() if np.ma.isMaskedArray(numbers) else numbers
    return len(told) > 0 and bool(np.abs(told).max() < EXACT)  # NaN is not


def _columns(con, cells, kept, tried):
    "How many rows there are, and name -> column."
    fields = ", ".join(_NUMBER.format(f"c{at}") if at in tried else f"c{at}" for at in kept)
    arrays = con.execute(f"SELECT {fields} FROM {cells.read()}").fetchnumpy()
    texts = [at for at in tried if not _are_plain(arrays[f"c{at}"])]
    if texts:  # a cell further below was no plain number
        again = ", ".join(f"c{at}" for at in texts)
        arrays |= con.execute(f"SELECT {again} FROM {cells.read()}").fetchnumpy()
    columns = {}
    for at, name in kept.items():
        number = at in tried and at not in texts
        empty, kind = (np.nan, np.float64) if number else ("", object)
        columns[name] = pd.Series(np.ma.filled(arrays[f"c{at}"], empty), dtype=kind, copy=False)
    return len(next(iter(columns.values()), ())), columns
