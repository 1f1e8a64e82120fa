"""What alarms stood on after a day, kept so that a morning goes on from there."""

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import pandas as pd

from .base import Writing, conditions
from .batches import BatchReads
from .known import Known

__all__ = ["AlarmState", "AlarmStateReads", "AlarmStateWrites", "KeptState"]

_NARROW = "key, previous, first_day, event_date, basis, mutes, known, asked"
_CHANGED = """
SELECT event_date FROM {table}
WHERE model = $model AND version = $version AND batch_id > $both AND ({then}) <> ({now})"""
_COUNTED = ("score_counts", "feature_counts", "latency_counts")


class AlarmState(NamedTuple):
    "What is kept after a day, but for its bytes."

    key: str
    previous: str  # key of the state that it goes on from; empty for the first
    first_day: date
    event_date: date
    basis: str
    mutes: str
    known: Known
    asked: str


class KeptState(NamedTuple):
    "A state with its bytes: the standing of its last day, what was said of days since `previous`."

    state: AlarmState
    standing: bytes
    figures: bytes
    marks: bytes


class AlarmStateReads(BatchReads):
    "States of a version, and what has changed since."

    def alarm_states(
        self, model: str, version: str, basis: str, until: date
    ) -> dict[str, AlarmState]:
        """Key -> state, of a version on a basis, of days up to `until`: the newest day first, of a
        day the one that was kept last."""
        where, values = conditions(model=model, version=version, basis=basis, event_date__le=until)
        rows = self._rows(
            f"SELECT {_NARROW} FROM alarm_states{where} ORDER BY event_date DESC, rowid DESC",
            values,
        )
        states = (AlarmState(*row)._replace(known=_known(row[6])) for row in rows)
        return {state.key: state for state in states}

    def first_change(self, model: str, version: str, then: Known, now: Known) -> date | None:
        """The earliest day of a version whose counts are others with the batches of `now` than with
        those of `then`; None where none is."""
        told = {"then": then.sql("batch_id"), "now": now.sql("batch_id")}
        rows = " UNION ALL ".join(_CHANGED.format(table=table, **told) for table in _COUNTED)
        both = min(then.up_to, now.up_to)
        asked = {"model": model, "version": version, "both": both}
        return self._value(f"SELECT min(event_date) FROM ({rows})", asked)

    def kept_bytes(self, keys: Sequence[str]) -> tuple[bytes, list[bytes], list[bytes]]:
        "The standing of the last of some states, and figures and marks of all, in their order."
        rows = self._rows(
            """
            SELECT key, figures, marks, CASE WHEN key = $last THEN standing END
            FROM alarm_states WHERE list_contains($keys, key)""",
            {"keys": list(keys), "last": keys[-1]},
        )
        found = {key: parts for key, *parts in rows}
        figures, marks = ([found[key][i] for key in keys] for i in (0, 1))
        return found[keys[-1]][2], figures, marks


class AlarmStateWrites(AlarmStateReads, Writing):
    "What is kept."

    def keep_alarm_states(self, model: str, version: str, kept: Iterable[KeptState]) -> None:
        "Append states of a version."
        rows = [
            one.state._asdict()
            | {"known": json.dumps(one.state.known.runs)}
            | {"standing": one.standing, "figures": one.figures, "marks": one.marks}
            for one in kept
        ]
        if rows:
            frame = pd.DataFrame(rows).assign(model=model, version=version)
            self._insert("alarm_states", frame)


def _known(runs):
    return Known(tuple((first, last) for first, last in json.loads(runs)))
