"""CSV as RFC 4180 has it: cells between delimiters, in double quotes where they hold one, a quote
or an end of line.

Nothing is guessed but the delimiter, and that from the header. A row that is none costs itself:
reading goes on with the next line of the file.
"""

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd

from .columns import OUTCOME, PREDICTION
from .errors import StoreError
from .reading import ReadOptions, Rejects
from .text_files import is_broken

__all__ = ["header_of", "kept_names", "read_csv"]

DELIMITERS = ",;\t|"
_KNOWN = {*PREDICTION, *OUTCOME, "features"}
_CHUNK = 4_096  # lines read at once: rows become columns before there are too many
_FAR = 20  # lines that a title may take above the header


class _Dialect:
    "Cells of lines, by one delimiter."

    def __init__(self, delimiter):
        self.delimiter = delimiter
        d = re.escape(delimiter)
        quoted, plain = '"(?:[^"]|"")*+"', f'[^"{d}\r\n]*+'
        bare = f'"[^"{d}\r\n]*+"'  # quoted without need: as good as plain
        self._bare = re.compile(f"(?:(?:{bare}|{plain})(?:{d}|\r\n?|\n|\\Z))*+")
        self._row = re.compile(f"(?:{d}(?:{quoted}|{plain}))++")
        self._open = re.compile(f'(?:{d}(?:{quoted}|{plain})(?={d}))*+{d}"(?:[^"]|"")*+')
        self._cell = re.compile(f"{d}({quoted}|{plain})")

    def cells(self, text: str) -> list[str] | None:
        "The cells of a text without the end of its line; None when its quotes are none of a row."
        if '"' not in text:
            return text.split(self.delimiter)
        text = self.delimiter + text
        if not self._row.fullmatch(text):
            return None
        found = self._cell.findall(text)
        return [c[1:-1].replace('""', '"') if c.startswith('"') else c for c in found]

    def unquoted(self, lines: str) -> str | None:
        "Lines without their quotes, where these hold nothing that would need them, else None."
        return lines.replace('"', "") if self._bare.fullmatch(lines) else None

    def is_open(self, text: str) -> bool:
        "Whether a text ends inside a quoted cell."
        return text.count('"') % 2 == 1 and self._open.fullmatch(self.delimiter + text) is not None


def read_csv(
    lines: list[str], options: ReadOptions, say
) -> tuple[pd.DataFrame, np.ndarray, Rejects]:
    """The rows of a file's physical lines, the line that each begins on, and what is no row.

    `say` takes sentences about names that cannot be columns.
    """
    first, delimiter, names = header_of(lines, options)
    options.limits.check_columns(len(names))
    reader = _Reader(lines, _Dialect(delimiter), len(names), options)
    cells, kept = reader.read(first), kept_names(names, say)
    if len(kept) < len(names):
        cells = cells[list(kept)]
    frame = pd.DataFrame(cells.T, columns=list(kept.values()), dtype=object, copy=False)
    return frame, np.array(reader.numbers, dtype=np.int64), reader.rejects


class _Reader:
    "Rows being read into columns."

    def __init__(self, lines, dialect, width, options):
        self.lines, self.dialect, self.width = lines, dialect, width
        self.limits = options.limits
        self.parts = [np.empty((0, width), dtype=object)]
        self.numbers, self.rejects = [], Rejects()

    def read(self, first):
        "Read the lines from a position on; returns the cells, a row of them for each column."
        at = first
        while at < len(self.lines):
            end = min(at + _CHUNK, len(self.lines))
            at = end if self._take_plain(at, end) else self._take_each(at, end)
            self.limits.check_rows(len(self.numbers))
        return np.concatenate([part.T for part in self.parts], axis=1)

    def _take_plain(self, at, end):
        """Take lines that are all rows, and hold nothing that needs a quote, at once: to cut the
        lines one by one takes twice the time. False when they are not."""
        lines, delimiter = self.lines[at:end], self.dialect.delimiter
        whole = "".join(lines)
        if not whole.isascii() and is_broken(whole):
            return False
        if max(map(len, lines)) > min(self.limits.line, self.limits.value) or self.width == 1:
            return False
        if {line.count(delimiter) for line in lines} != {self.width - 1}:
            return False
        if '"' in whole and (whole := self.dialect.unquoted(whole)) is None:
            return False
        whole = whole.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")
        self._add(whole.replace("\n", delimiter).split(delimiter), range(at + 1, end + 1))
        return True

    def _add(self, cells, numbers):
        table = np.fromiter(cells, object, len(cells)).reshape(-1, self.width)
        self.parts.append(table)
        self.numbers += numbers

    def _take_each(self, at, end):
        "Take lines one row after the other; returns the position after the last row."
        taken, numbers = [], []
        while at < end:
            text, after = self._row_at(at)
            cells, reason = self._judged(text)
            if cells is not None:
                taken += cells
                numbers.append(at + 1)
            elif reason and after > at + 1 and any(map(self._is_row, self.lines[at + 1 : after])):
                # a quote that never ends swallows rows: the line that it stands in is the bad one
                self.rejects.add(at + 1, reason, self._line(at))
                after = at + 1
            elif reason:
                self.rejects.add(at + 1, reason, text)
            at = after
        self._add(taken, numbers)
        return at

    def _line(self, at):
        return self.lines[at].rstrip("\r\n")

    def _row_at(self, at):
        "The text of the row that begins in a line, and the position after it."
        line, after = self.lines[at], at + 1
        if line.count('"') % 2 == 0 or not self.dialect.is_open(line):
            return line.rstrip("\r\n"), after
        parts, size, quotes = [line], len(line), 1
        while quotes % 2 and after < len(self.lines) and size <= self.limits.line:
            parts.append(self.lines[after])
            size += len(self.lines[after])
            quotes += self.lines[after].count('"')
            after += 1
        return "".join(parts).rstrip("\r\n"), after

    def _judged(self, text):
        "The cells of a row (None for an empty line), and what speaks against it."
        if not text:
            return None, None
        if len(text) > self.limits.line:
            return None, f"the row is longer than {self.limits.line:,} characters"
        if is_broken(text):
            return None, "the row is not valid UTF-8"
        cells = self.dialect.cells(text)
        if cells is None:
            return None, _quotes_wrong(text)
        if len(cells) != self.width:
            return None, f"the row has {len(cells):,} cells, the header has {self.width:,}"
        if len(text) > self.limits.value and max(map(len, cells)) > self.limits.value:
            return None, f"a value is longer than {self.limits.value:,} characters"
        return cells, None

    def _is_row(self, line):
        "Whether a line is a row by itself."
        return self._judged(line.rstrip("\r\n"))[0] is not None


def _quotes_wrong(text):
    if text.count('"') % 2:
        return "a quoted cell does not end"
    return 'a quote stands inside a cell: such a cell is quoted, and the quote doubled ("")'


def header_of(lines: list[str], options: ReadOptions) -> tuple[int, str, list[str]]:
    """The position after the header, the delimiter and the names; StoreError when there is no
    header to be sure of. `lines` may be the first of a file."""
    at = options.skip_lines
    while at < len(lines) and not lines[at].strip("\r\n"):
        at += 1
    if at >= len(lines):
        raise StoreError("it has no header: the first line must name the columns.")
    text, start = lines[at].rstrip("\r\n"), at
    if re.match(r'"?sep=', text, re.IGNORECASE):
        raise _no_header(start, text, start + 1)
    text, after = _whole_header(lines, at, options.limits.line)
    if is_broken(text) or "\0" in text:
        raise StoreError(
            f"line {start + 1}, the header, is not UTF-8 text: name the encoding with --encoding."
        )
    dialect = _detected(start, text)
    names = dialect.cells(text)
    if names is None:
        raise StoreError(f"line {start + 1}, the header, cannot be read: {_quotes_wrong(text)}.")
    _refuse_titles(lines, start, after, names, dialect)
    return after, dialect.delimiter, [name.strip() for name in names]


def _whole_header(lines, at, longest):
    "The header's text, and the position after it: a name may hold an end of line."
    text, after = lines[at], at + 1
    while text.count('"') % 2 and after < len(lines) and len(text) <= longest:
        text, after = text + lines[after], after + 1
    if text.count('"') % 2 or len(text) > longest:
        raise StoreError(f"line {at + 1}, the header, has a quote that does not end.")
    return text.rstrip("\r\n"), after


def _detected(at, header):
    "The dialect that splits a header: into most known names, then into most cells."
    found = []
    for delimiter in DELIMITERS:
        cells = _Dialect(delimiter).cells(header) or []
        if len(cells) > 1:
            found.append((_known(cells), len(cells), delimiter))
    found.sort(key=lambda f: f[:2], reverse=True)
    if not found:
        return _Dialect(",")
    if len(found) > 1 and found[0][:2] == found[1][:2]:
        one, other = found[0][2], found[1][2]
        raise StoreError(
            f"line {at + 1}, the header, could be split at {one!r} or at {other!r}: quote the "
            "names that hold one of them."
        )
    return _Dialect(found[0][2])


def _known(cells):
    return sum(cell.strip() in _KNOWN for cell in cells)


def _refuse_titles(lines, start, after, names, dialect):
    "StoreError when the header seems to stand further down."
    if _known(names):
        return
    below = [(at, lines[at].rstrip("\r\n")) for at in range(after, min(after + _FAR, len(lines)))]
    below = [(at, text) for at, text in below if text]
    title = lines[start].rstrip("\r\n")
    for at, text in below:
        if any(_known(_Dialect(d).cells(text) or []) > 1 for d in DELIMITERS):
            raise _no_header(start, title, at)
    if len(names) > 1 and any(len(dialect.cells(t) or []) == len(names) for _, t in below):
        return
    for delimiter in DELIMITERS:
        widths = [len(_Dialect(delimiter).cells(text) or []) for _, text in below]
        if len(widths) > 1 and widths[-1] == widths[-2] > max(len(names), 2):
            raise _no_header(start, title, below[widths.index(widths[-1])][0])


def _no_header(at, text, skip):
    short = text if len(text) <= 60 else text[:57] + "..."
    return StoreError(
        f"line {at + 1} ({short!r}) seems to be no header: when the columns are named below it, "
        f"say --skip-lines {skip}."
    )


def kept_names(names: list[str], say: Callable[[str], None]) -> dict[int, str]:
    """Position -> name of the columns that can be told apart; the others are said, or refused where
    the log's own columns are among them."""
    kept, exact = {}, Counter(names)
    folded = Counter(name.lower() for name in names if name not in _KNOWN)
    for at, name in enumerate(names):
        if exact[name] > 1 and name in _KNOWN:
            raise StoreError(f"it has {exact[name]} columns called {name!r}: rename all but one.")
        if not name:
            say(f"column {at + 1} has no name and is left out")
        elif name in _KNOWN or folded[name.lower()] == 1:
            kept[at] = name
        else:
            say(
                f"column {at + 1}, {name!r}, is left out: another one has the same name, and names "
                "must differ in more than case"
            )
    return kept
