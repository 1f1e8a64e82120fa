"""What would become of a file: its columns, their types and first rows; nothing is written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .delivered import NONE, Outcomes, read_rows
from .errors import StoreError
from .reading import ReadOptions
from .roles import FEATURE, Choice
from .values import NULL_WORDS, infer

__all__ = ["Preview", "preview"]


@dataclass(frozen=True, eq=False)
class Preview:
    "What would become of a file."

    ours: Mapping[str, str]  # our name -> the file's column, or the value that is set
    features: Mapping[str, str]  # feature -> its type in this file: number or text
    left_out: Mapping[str, str]  # column -> why it is not taken
    good: int
    waiting: int  # rows of outcomes whose label is not known yet
    reasons: Mapping[str, int]  # why rows would be in quarantine -> how many
    first: pd.DataFrame  # rows as they would be logged
    notes: tuple[str, ...]  # what is to be known of how it was read


def preview(
    path: str | Path,
    kind: str,
    choice: Choice = Choice(),
    outcomes: Outcomes = NONE,
    options: ReadOptions | None = None,
    rows: int = 5,
) -> Preview:
    "What would become of a file, and its first rows; StoreError when it cannot be used at all."
    path = Path(path)
    if not path.is_file():
        raise StoreError(f"{path} is not a file.")
    read = read_rows(path, kind, choice, outcomes, options)
    given = {name: f"= {value}" for name, value in choice.constants.items()}
    features = {
        column.removeprefix(FEATURE): _type(read.canonical[column], options)
        + _own(column, read.roles)
        for column in read.canonical
        if column.startswith(FEATURE)
    }
    told = [c for c in read.canonical if read.canonical[c].notna().any()]
    return Preview(
        {**read.roles.ours, **given},
        features,
        read.roles.left_out | dict.fromkeys(read.roles.unasked, "nobody asked for it"),
        len(read.canonical),
        read.waiting,
        dict(Counter(read.rejects.reason).most_common()),
        read.canonical[told].head(rows),
        read.notes,
    )


def _own(column, roles):
    "Said of a feature that is called like a column of the log."
    own = column.removeprefix(FEATURE) in roles.own
    return ", not what the log's column of that name holds" if own else ""


def _type(column, options):
    "What a feature's values are in this file."
    told = options.null_words if options else None
    return infer(column, NULL_WORDS if told is None else {"", *told}) or "nothing but gaps"
