"""JSON lines: one object a line. What cannot be kept as it is costs its line."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from .reading import Limits, ReadOptions, Rejects
from .text_files import is_broken

__all__ = ["object_of_line", "read_json_lines"]

_DEEPEST = 50
_DIGITS = 308  # a longer whole number is no number that a file could hold


def read_json_lines(
    lines: list[str], options: ReadOptions, say
) -> tuple[pd.DataFrame, np.ndarray, Rejects]:
    """The rows of a file's lines, the line of each, and what is no row.

    `say` takes sentences; names that differ in case only are one name, spelt as it came first.
    """
    rows, numbers, rejects, names = [], [], Rejects(), _Names(options.limits)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(names.settled(object_of_line(line, options.limits)))
        except ValueError as error:
            rejects.add(number, str(error), line.rstrip("\r\n"))
        else:
            numbers.append(number)
            options.limits.check_rows(len(numbers))
    frame = pd.DataFrame(rows, dtype=object)
    return frame, np.array(numbers, dtype=np.int64), rejects


def object_of_line(line: str, limits: Limits) -> dict[str, Any]:
    "The object of a line; ValueError says what is wrong with it."
    if len(line) > limits.line:
        raise ValueError(f"the line is longer than {limits.line:,} characters")
    if is_broken(line):
        raise ValueError("the line is not valid UTF-8")
    try:
        row = json.loads(line, object_pairs_hook=_once, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise ValueError(f"not a line of JSON: {error}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(row, dict):
        raise ValueError("not a line of JSON: not an object")
    if "\\u" in line and is_broken(json.dumps(row, ensure_ascii=False)):
        raise ValueError("it holds half a character (a lone surrogate), which is no text")
    if line.count("[") + line.count("{") > _DEEPEST and _depth(row) > _DEEPEST:
        raise ValueError(f"it is nested more than {_DEEPEST} deep")
    if len(line) > limits.value:
        _refuse_long(row, limits.value)
    return row


def _once(pairs):
    "An object whose names are each given once."
    row = dict(pairs)
    if len(row) < len(pairs):
        twice = next(n for n, times in Counter(n for n, _ in pairs).items() if times > 1)
        raise ValueError(f"the name {twice!r} is given twice")
    return row


def _whole(digits):
    "A whole number that a file can hold."
    if len(digits) > _DIGITS:
        raise ValueError(f"it holds a whole number of {len(digits.lstrip('-')):,} digits")
    return int(digits)


def _depth(value):
    "How deep lists and objects lie in each other."
    depth, level = 0, [value]
    while level:
        inner = []
        for v in level:
            if isinstance(v, dict):
                inner += v.values()
            elif isinstance(v, list):
                inner += v
        depth, level = depth + 1, [v for v in inner if isinstance(v, (dict, list))]
    return depth


def _refuse_long(row, longest):
    nested = row.get("features")
    for name, value in [*row.items(), *(nested.items() if isinstance(nested, dict) else ())]:
        if value is not nested and len(str(value)) > longest:
            raise ValueError(f"{name} is longer than {longest:,} characters")


class _Names:
    "The names of a file's columns and features, as they were spelt first."

    def __init__(self, limits):
        self.limits, self.first = limits, {}
        self.known = set()  # sets of names that were looked at before

    def settled(self, row):
        "A row under the first spelling of each name; ValueError when two of them are one name."
        nested = row.get("features")
        inner = tuple(nested) if isinstance(nested, dict) else ()
        shape = (*row, None, *inner)
        if shape in self.known:
            return row
        spelt = self._spelt(row, inner)
        if spelt == list(shape):
            self.known.add(shape)
            return row
        outer = dict(zip(spelt, row.values()))
        if inner:
            outer["features"] = dict(zip(spelt[len(row) + 1 :], nested.values()))
        return outer

    def _spelt(self, row, inner):
        "The names of a row and of its features, as they were spelt first."
        given = [*(n for n in row if n != "features"), *inner]
        if "" in given:
            raise ValueError("a name is empty")
        twice = [n for n, times in Counter(n.lower() for n in given).items() if times > 1]
        if twice:
            alike = ", ".join(repr(n) for n in given if n.lower() == twice[0])
            raise ValueError(f"the names {alike} are one name: names differ in more than case")
        names = [n if n is None else self.first.get(n.lower(), n) for n in (*row, None, *inner)]
        self.first.update((n.lower(), n) for n in names if n is not None)
        self.limits.check_columns(len(self.first))
        return names
