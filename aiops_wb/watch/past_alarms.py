"""Evidence of alarms as it is kept: where a morning goes on, instead of at the first day.

What is kept is used only where it is what following anew would come to: with the same method,
settings and reference, the same muted days and holidays, and the same counts of every day before.
Where it is not, an earlier one is looked for, and without any all days are followed. So it can cost
time, but never change what is said.
"""

import inspect
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import cache
from hashlib import blake2b
from importlib import metadata
from typing import NamedTuple

import numpy as np
import scipy

from ..config import Settings
from ..log.alarm_states import AlarmState, KeptState
from ..log.catalog import Reader
from ..log.known import Known
from ..stats import (
    conformal,
    counts,
    days,
    drift,
    holidays,
    performance,
    points,
    sequential,
    streams,
)
from ..stats.sequential import Standing
from .registered import ENOUGH_DAYS, Reference

__all__ = ["EVERY", "Basis", "Past", "Said", "newest_past", "states"]

EVERY = 7
"A state is kept after every so many days."
_METHOD = (conformal, counts, days, drift, holidays, performance, points, sequential, streams)
_OF_DAY = 3  # figures of a day that belong to no stream: events, labels, latency


class Said(NamedTuple):
    """What was counted and said of days, a row each.

    `figures` (days, 3 + 2 streams): events, those with a label, mean latency, then the log evidence
    of each stream and how far the day lies from the usual; `marks` (days, 3 streams) int: whether
    an alarm was open, since when, and the group of days that it is like.
    """

    figures: np.ndarray
    marks: np.ndarray

    @classmethod
    def of(cls, counted, evidence, apart, marks) -> "Said":
        "From columns of days, and tables (days, streams)."
        figures = np.column_stack([*counted, evidence, apart])
        return cls(figures.astype("<f8"), np.concatenate(marks, axis=1).astype("<i4"))

    @property
    def streams(self) -> int:
        "How many there are."
        return self.marks.shape[1] // 3

    @property
    def counted(self) -> np.ndarray:
        "(3, days) events, labels, mean latency."
        return self.figures[:, :_OF_DAY].T

    @property
    def evidence(self) -> np.ndarray:
        "(days, streams)"
        return self.figures[:, _OF_DAY : _OF_DAY + self.streams]

    @property
    def apart(self) -> np.ndarray:
        "(days, streams)"
        return self.figures[:, _OF_DAY + self.streams :]

    @property
    def open(self) -> np.ndarray:
        "(days, streams)"
        return self.marks[:, : self.streams].astype(bool)

    @property
    def since(self) -> np.ndarray:
        "(days, streams)"
        return self.marks[:, self.streams : 2 * self.streams].astype(int)

    @property
    def groups(self) -> np.ndarray:
        "(days, streams)"
        return self.marks[:, 2 * self.streams :].astype(int)


class Past(NamedTuple):
    "Days that were followed, from the first one on, and what following goes on from."

    key: str
    first: date
    asked: str  # of which streams
    standing: Standing
    said: Said

    @property
    def days(self) -> int:
        "How many."
        return self.standing.days

    @property
    def learned(self) -> int:
        "Days up to the 28th with events."
        return int(np.flatnonzero(self.said.counted[0] > 0)[ENOUGH_DAYS - 1]) + 1


class Basis(NamedTuple):
    "What evidence of a version rests on, besides its counts: their digest, and the batches known."

    digest: str
    known: Known

    @classmethod
    def of(
        cls,
        reader: Reader,
        reference: Reference,
        settings: Settings,
        bins: Mapping,
        unreadable: Iterable[str],
        waits: float,
        as_of: datetime | None,
        festive: Collection[date] = (),
    ) -> "Basis":
        """Of a version with a reference, binning rules and features with unreadable values; of all
        days that are `festive` those of the reference count here, others as marks of their own."""
        rules = (
            settings.drift_level,
            settings.drift_tolerance,
            settings.calibration_tolerance,
            settings.recent_days,
            waits,
        )
        told = [_method(), repr(rules), json.dumps(bins), *sorted(unreadable), str(reference.span)]
        if reference.days:
            told += [str(day) for day in reference.labelled]
        before = {*reference.days, *reference.features[0]}
        told += [f"holiday {day}" for day in sorted(before.intersection(festive))]
        read = (part for text in told for part in (text.encode(), b"\0"))
        return cls(_digest([*read, *_bytes_of(reference)]), reader.known(as_of))


@cache
def _method():
    "Which statistics these are: another wording of them counts as another method, too."
    wordings = (_wording(module) for module in (*_METHOD, inspect.getmodule(_method)))
    return _digest(part.encode() for part in (*wordings, np.__version__, scipy.__version__))


def _wording(module):
    "The text of a module; of one that is here without it, the version of the package."
    try:
        return inspect.getsource(module)
    except OSError:
        return f"{module.__name__} {metadata.version('aiops_wb')}"


def _digest(parts: Iterable[bytes]) -> str:
    made = blake2b(digest_size=16)
    for part in parts:
        made.update(part)
    return made.hexdigest()


def _bytes_of(reference) -> Iterator[bytes]:
    for day, counted in reference.days.items():
        yield f"{day} {counted.grid.name} {len(counted.points)}".encode()
        for column in (counted.points, *counted.columns):
            yield np.ascontiguousarray(column).tobytes()
    on, tables = reference.features
    yield " ".join(map(str, on)).encode()
    for name, table in tables.items():
        yield f"{name} {table.shape}".encode()
        yield np.ascontiguousarray(table).tobytes()


def _mutes(marks: np.ndarray) -> str:
    "Of the marks of days (days,), muted ones and holidays."
    at = np.flatnonzero(marks)
    return _digest([at.astype("<i4").tobytes(), marks[at].astype("<i4").tobytes()])


def newest_past(
    reader: Reader, model: str, version: str, day: date, basis: Basis, marks_between
) -> Past | None:
    """The newest days before `day` whose evidence was kept and still is what it would be if they
    were followed anew; None where none are. `marks_between`: the marks of days, from one to
    another."""
    known = reader.alarm_states(model, version, basis.digest, day - timedelta(1))
    changed = {}  # batches of then -> the earliest day that differs now
    for state in known.values():
        then = state.known
        if then not in changed:
            changed[then] = then != basis.known and reader.first_change(
                model, version, then, basis.known
            )
        if changed[then] and changed[then] <= state.event_date:
            continue
        if state.mutes == _mutes(marks_between(state.first_day, state.event_date)):
            return _read(reader, state, known)
    return None


def _read(reader, state, known):
    "A state with all that was said of the days before."
    keys, earlier = [state.key], state
    while earlier.previous:
        earlier = known[earlier.previous]
        keys.append(earlier.key)
    standing, figures, marks = reader.kept_bytes(keys[::-1])
    standing = _standing(standing)
    streams = len(standing.opened)
    said = Said(
        np.frombuffer(b"".join(figures), "<f8").reshape(-1, _OF_DAY + 2 * streams),
        np.frombuffer(b"".join(marks), "<i4").reshape(-1, 3 * streams),
    )
    return Past(state.key, state.first_day, state.asked, standing, said)


def states(
    past: Past | None,
    first: date,
    said: Said,
    standings: Iterable[Standing],
    asked: str,
    marks: np.ndarray,
    basis: Basis,
) -> list[KeptState]:
    "What is to be kept after each standing of days that were followed from `first` on."
    kept, begin, previous = [], past.days if past else 0, past.key if past else ""
    for standing in standings:
        end = standing.days
        parts = [_bytes(standing), *(part[begin:end].tobytes() for part in said)]
        last, mutes = first + timedelta(end - 1), _mutes(marks[:end])
        told = previous, first, last, basis.digest, mutes, basis.known, asked
        key = _digest([repr(told).encode(), *parts])
        state = AlarmState(key, *told)
        kept.append(KeptState(state, *parts))
        begin, previous = end, key
    return kept


def _bytes(standing: Standing) -> bytes:
    "Every number as it is, to the last bit."
    shape = np.array([standing.days, *standing.owned.shape], dtype="<i8")
    doubles, whole = standing[1:3], standing[3:]
    parts = [shape, *(d.astype("<f8") for d in doubles), *(w.astype("<i8") for w in whole)]
    return b"".join(part.tobytes() for part in parts)


def _standing(kept: bytes) -> Standing:
    "The other way round."
    days, streams, bets = np.frombuffer(kept, "<i8", 3).tolist()
    size, shape = streams * bets, (streams, bets)
    owned, best = np.frombuffer(kept, "<f8", 2 * size, 24).astype(float).reshape(2, *shape)
    whole = np.frombuffer(kept, "<i8", offset=24 + 16 * size).astype(int)
    began, ends = whole[:size].reshape(shape), whole[size:].reshape(2, streams)
    return Standing(days, owned, best, began, *ends)
