"""From loosely typed columns to the log's own."""

import re
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from ..stats.decisions import LEVELS
from ..stats.points import LIMIT, Grid
from .columns import COLUMNS, DEFAULTS, LONGEST_KEY, LONGEST_NAME, PREDICTION, REQUIRED, ROUTES
from .times import read_times

__all__ = ["BOOLEANS", "NAMES_NOTHING", "canonical_frame", "missing"]

_TEXTS = (
    "prediction_id",
    "tenant",
    "model",
    "version",
    "grid",
    "entity_id",
    "site_id",
    "calibration_id",
    "risk_level",
    "route",
    "ladder",
    "source",
    "event_key",
)
BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
"Spellings of yes and no, in lower case."
_LABELS = {"true": 1, "false": 0}


def canonical_frame(
    kind: str,
    frame: pd.DataFrame,
    zone: str | None = None,
    say: Callable[[str], None] = lambda _: None,
    refuse: Callable[[str], None] = lambda _: None,
) -> tuple[pd.DataFrame, pd.Series]:
    """Canonical columns of a frame of loosely typed ones, features as they stand (`feature:...`),
    and the reason against each row (None: it is good).

    Times without an offset are of the `zone`. `say` takes sentences about a column, and `refuse`
    those that speak against the whole file: its times or its scores are of another kind.
    """
    table = _Table(frame.reset_index(drop=True), zone, say, refuse)
    by_event = kind == "outcomes" and "event_key" in frame
    for name in _TEXTS:
        if name in COLUMNS[kind]:
            required = name in (*REQUIRED[kind], *DEFAULTS[kind])
            table.text(name, required and not (name == "prediction_id" and by_event))
    for name in ("predicted_at", "observed_at"):
        if name in COLUMNS[kind]:
            table.time(name, required=name in REQUIRED[kind])
    if by_event:
        named = [table.out[name] for name in ("prediction_id", "event_key") if name in table.out]
        nothing = np.logical_and.reduce([names.isna() for names in named])
        table.refuse(nothing, lambda i: NAMES_NOTHING)
    if kind == "outcomes":
        _labels(table)
    else:
        _predictions(table)
    features = {c: v for c, v in table.out.items() if c.startswith("feature:")}
    columns = {c: table.out.get(c) for c in COLUMNS[kind]} | features
    return pd.DataFrame(columns, index=table.frame.index, copy=False), table.reason()


NAMES_NOTHING = "prediction_id and event_key are both missing: a label names one of them"
"Why a label is not taken that names neither."


def missing(column: pd.Series) -> pd.Series:
    "Which cells hold nothing."
    if column.dtype.kind in "biufcmM":
        return column.isna()
    cells = column.tolist()
    if _are_texts(cells):
        empty = [not cell or cell.isspace() for cell in cells]
    else:
        empty = [_is_missing(cell) for cell in cells]
    return pd.Series(empty, index=column.index, dtype=bool)


def _is_missing(cell):
    if isinstance(cell, str):
        return not cell or cell.isspace()
    return pd.api.types.is_scalar(cell) and bool(pd.isna(cell))


def _told(column, read):
    "Which cells hold something; those that could be read do."
    told = read.notna().to_numpy(dtype=bool, copy=True)
    if not told.all():
        told[~told] = ~missing(column[~told]).to_numpy()
    return told


def _are_texts(cells):
    return set(map(type, cells)) == {str}


def _are_plain(cells):
    "Whether all cells are texts of plain characters without blanks, as ids are."
    if not _are_texts(cells) or not all(cells):
        return False
    joined = cells[0] if _are_the_same(cells) else "".join(cells)
    return joined.isascii() and joined.split(maxsplit=1) == [joined]


def _are_the_same(texts):
    return texts.count(texts[0]) == len(texts)


def _mapped(cells, function):
    "What a function makes of each cell; of texts that come again and again it is asked once."
    if cells and _are_the_same(cells) and type(cells[0]) is str:
        return [function(cells[0])] * len(cells)
    if _are_texts(cells) and len(set(cells[:_FEW])) < _FEW / 10:
        made = {cell: function(cell) for cell in set(cells)}
        return [made[cell] for cell in cells]
    return [function(cell) for cell in cells]  # of other types, equal ones differ: 1, 1.0, True


_FEW = 1_000


class _Table:
    """Canonical columns being made from a frame of text; remembers the first reason against each
    row."""

    def __init__(self, frame, zone, say, refuse):
        self.frame, self.zone, self.out = frame, zone, {}
        self.say, self.refuse_all = say, refuse
        self.good = np.ones(len(frame), dtype=bool)
        self.reasons = {}

    def reason(self):
        "The first reason against each row, None where there is none."
        reason = pd.Series(None, index=self.frame.index, dtype=object)
        reason[list(self.reasons)] = list(self.reasons.values())
        return reason

    def refuse(self, bad, say):
        "Give a reason, said by row, against the bad ones that have none yet."
        rows = np.flatnonzero(np.asarray(bad) & self.good)
        self.reasons |= {int(row): say(row) for row in rows}
        self.good[rows] = False

    def text(self, name, required):
        "A column of text."
        column = self.frame.get(name)
        if column is None:
            return
        cells = texts = column.tolist()
        if not _are_plain(cells):
            texts = _mapped(cells, _plain_text)
            nested = _mapped(cells, lambda cell: isinstance(cell, (list, dict, set, np.ndarray)))
            self.refuse(nested, lambda i: f"{name} {_short(column[i])} is not a text")
            if required:
                self._refuse_texts(texts, lambda text: text is None, f"{name} is missing")
            self._refuse_texts(texts, _is_broken, f"{name} is not valid text")
        if most := _LONGEST.get(name):
            too_long = f"{name} is longer than {most} bytes"
            self._refuse_texts(texts, partial(_is_too_long, most=most), too_long)
        made = column
        if texts is not cells or column.dtype != object:
            made = pd.Series(texts, index=column.index, dtype=object)
        self.out[name] = made if self.good.all() else made.where(self.good, None)

    def _refuse_texts(self, texts, question, reason):
        "Refuse the texts that answer a question with yes."
        bad = _mapped(texts, question)
        if True in bad:
            self.refuse(bad, lambda i: reason)

    def time(self, name, required):
        "A column of instants."
        column = self.frame.get(name)
        if column is None:
            return
        times = read_times(column, self.zone)
        told, instants = _told(column, times.instants), times.instants
        if (of_another_kind := _other_kind(name, column, times, told)) is not None:
            self.refuse_all(of_another_kind)
        for bad, say in (
            (times.naive, f"is of no zone: {_OFFSET}"),
            (times.skipped, f"does not exist in {self.zone}: the clocks went forward"),
            (told & instants.isna(), f"is not a valid time with an offset: {_OFFSET}"),
            (told & ~instants.between(_EARLIEST, _LATEST), "is not between 1900 and 2200"),
        ):
            self.refuse(bad, lambda i, say=say: f"{name} {_short(column[i])} {say}")
        if required:
            self.refuse(~told, lambda i: f"{name} is missing")
        if times.twice.any():
            example = _short(column[int(np.flatnonzero(times.twice)[0])])
            self.say(
                f"{name}: {int(times.twice.sum()):,} times such as {example} are of an hour that "
                f"{self.zone} has twice; the earlier is taken"
            )
        self.out[name] = instants

    def one_of(self, name, allowed, spelt=str):
        "Refuse what is none of some words; what is not told is none."
        column = self.frame.get(name)
        if column is None:
            return
        bad = ~missing(column) & ~column.map(lambda v: spelt(v).strip()).isin(allowed)
        self.refuse(bad, lambda i: f"{name} {column[i]!r} is not one of {', '.join(allowed)}")

    def number(self, name, required, low, high):
        "A column of finite numbers from low to high."
        column = self.frame.get(name)
        if column is None:
            return
        numbers = _numbers(column)
        told = _told(column, numbers)
        bad = told & ~((numbers >= low) & (numbers <= high) & np.isfinite(numbers))
        allowed = "" if low == -np.inf else f" of at least {low:g}"
        if high < np.inf:
            allowed = f" in [{low:g}, {high:g}]"
        self.refuse(bad, lambda i: f"{name} {_short(column[i])} is not a number{allowed}")
        if required:
            self.refuse(~told, lambda i: f"{name} is missing")
        self.out[name] = numbers


_LONGEST = dict.fromkeys(("tenant", "model", "version"), LONGEST_NAME) | {"event_key": LONGEST_KEY}
_EARLIEST, _LATEST = pd.Timestamp("1900-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC")
_OFFSET = (
    "write times as 2013-04-01T12:00:00+02:00, or name the zone of times without an offset with "
    "--naive-timezone"
)


def _other_kind(name, column, times, told):
    "What to say of a column of times none of which is an instant; None when all is well."
    unread = told & times.instants.isna()
    if not unread.any() or times.instants.notna().any() or times.skipped.any():
        return None
    example = _short(column[int(np.flatnonzero(unread)[0])])
    if times.naive.any():
        return f"{name} holds times without an offset (such as {example}): {_OFFSET}."
    if all(_NO_TIME.fullmatch(str(cell).strip()) for cell in column[unread]):
        return f"{name} holds numbers or days (such as {example}), which are no times: {_OFFSET}."
    return None


_NO_TIME = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?|\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{4}", re.I)


def _numbers(column):
    "Cells as numbers, NaN where they are none."
    try:
        return pd.to_numeric(column, errors="coerce").astype(float)
    except (OverflowError, ValueError, TypeError):  # whole numbers beyond those of a machine
        return pd.Series(_mapped(column.tolist(), _number), index=column.index, dtype=float)


def _number(cell):
    try:
        return float(cell)
    except (OverflowError, ValueError, TypeError):
        return np.nan


def _plain_text(cell):
    "A cell as text without blanks around it, None when it holds nothing."
    if type(cell) is str:
        return cell.strip() or None
    if isinstance(cell, (bytes, bytearray)):
        return bytes(cell).decode(errors="backslashreplace").strip() or None
    return None if _is_missing(cell) else str(cell).strip() or None


def _short(cell):
    "A cell as a message shows it."
    plain = cell.item() if isinstance(cell, np.generic) else cell
    text = repr(plain.isoformat() if hasattr(plain, "isoformat") else plain)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text):,} characters)"


def _labels(table):
    "The label of outcomes."
    if "label" in table.frame:
        spelt = _mapped(table.frame.label.tolist(), lambda v: _LABELS.get(_word(v), v))
        table.frame["label"] = pd.Series(spelt, index=table.frame.index, dtype=object)
    table.number("label", True, 0, 1)
    fraction = table.out["label"].notna() & ~table.out["label"].isin([0, 1])
    table.refuse(fraction, lambda i: f"label {table.frame.label[i]!r} is not 0 or 1")


def _chance(table, name):
    "A column of chances: above 0, at most 1."
    table.number(name, False, 0, 1)
    if name in table.out:
        table.refuse(table.out[name] == 0, lambda i: f"{name} 0 is not above 0")


def _predictions(table):
    "What only predictions have: scores on their grid, numbers, features."
    grids = table.out["grid"]
    table.refuse(
        ~grids.isin(LIMIT),
        lambda i: f"grid {_short(table.frame.grid[i])} is not one of {', '.join(LIMIT)}",
    )
    logit = grids != "linear"
    for name in ("score", "threshold"):
        _score(table, name, logit)
    table.number("latency_ms", False, 0, np.inf)
    for name in ("propensity", "arm_propensity"):
        _chance(table, name)
    table.one_of("route", ROUTES)
    table.one_of("risk_level", LEVELS)
    table.one_of("automated", BOOLEANS, lambda v: str(v).lower())
    for name, source in (("points", "score"), ("threshold", "threshold")):
        if source in table.out:
            table.out[name] = _points(table, source, logit)
    if "automated" in table.frame:
        table.out["automated"] = pd.Series(
            _mapped(table.frame.automated.tolist(), lambda v: BOOLEANS.get(_word(v))),
            index=table.frame.index,
            dtype=object,
        )
    features = _features(table.frame)
    table.out |= {f"feature:{c}": features[c] for c in features.columns}


def _score(table, name, logit):
    if name not in table.frame:
        return
    table.number(name, name == "score", -np.inf, np.inf)
    value = table.out[name]
    if name == "score" and (percent := _percent(value[logit & value.notna()])) is not None:
        table.refuse_all(percent)
    table.refuse(
        logit & value.notna() & ~value.between(0, 1),
        lambda i: f"{name} {_short(table.frame[name][i])} is not a probability in [0, 1]",
    )


def _percent(scores):
    "What to say of scores that look like percent: some are then below 1, and would go in as such."
    n = int((scores > 1).sum())
    many = n >= 10 and n > 0.01 * len(scores)
    half = n >= 2 and 2 * n >= len(scores) and scores.max() > 10  # in a file of a few rows
    if not (many or half) or scores.max() > 100:
        return None
    return (
        f"{n:,} of {len(scores):,} scores are above 1, and none above 100: if they are percent, "
        "say --score-scale percent; a score is a probability in [0, 1]."
    )


def _word(cell):
    return str(cell).strip().lower()


def _points(table, source, logit):
    "The scores of good rows as points of their grid."
    scores = table.out[source]
    good = table.good & scores.notna()
    points = pd.Series(np.nan, index=table.frame.index)
    for grid, rows in (("logit", good & logit), ("linear", good & ~logit)):
        points[rows] = Grid(grid).quantise(scores[rows].to_numpy())
    return points.astype("Int16")


def _features(frame):
    """Columns that are no column of a prediction (`feature:x` is the feature x, whatever x is), and
    those nested in `features`."""
    loose = frame[[c for c in frame.columns if c not in PREDICTION and c != "features"]]
    loose = loose.rename(columns=lambda name: str(name).removeprefix("feature:"))
    if "features" not in frame:
        return loose
    nested = frame["features"].map(lambda f: f if isinstance(f, dict) else {})
    return pd.concat([loose, pd.DataFrame(nested.tolist(), index=loose.index)], axis=1)


def _is_too_long(name, most):
    return name is not None and len(name) * 4 > most and len(name.encode(errors="replace")) > most


def _is_broken(text):
    if text is None or text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
