"""Acts as they were taken in: what came of each, once."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .acts import Act, is_here
from .base import Connected, Writing, conditions
from .errors import InvalidAct

__all__ = ["ActReads", "ActWrites", "TakenAct"]

DONE, REFUSED, FAILED = "done", "refused", "failed"


@dataclass(frozen=True)
class TakenAct:
    "An act and what came of it: done, refused, or failed, which leaves it waiting."

    act: Act
    state: str
    says: str
    model: str | None
    taken_in_at: datetime
    proposal: str | None = None  # the one that it made or decided
    audit_seq: int | None = None  # the last row of the trail that it wrote

    @property
    def id(self) -> str:
        "The id of the act."
        return self.act.id


_COLUMNS = "id, kind, what, who, handed_in_at, state, says, model, taken_in_at, proposal, audit_seq"


class ActReads(Connected):
    "What was taken in."

    def act(self, key: str) -> TakenAct | None:
        "What came of the act of an id; None while it was not taken in."
        rows = self._rows(f"SELECT {_COLUMNS} FROM acts WHERE id = $id", {"id": key})
        return _taken(rows[0]) if rows else None

    def acts(self, model: str | None = None, as_of: datetime | None = None) -> list[TakenAct]:
        "Every act that was taken in, about one model or all, oldest first."
        where, values = conditions(model=model, taken_in_at__le=as_of)
        rows = self._rows(f"SELECT {_COLUMNS} FROM acts{where} ORDER BY id", values)
        return [_taken(row) for row in rows]

    def act_state(self, spool: str | Path, key: str) -> str | None:
        """Whether the act of an id was taken in, done or refused, or waits in the spool (waiting),
        as far as was published; None where nobody knows it."""
        try:
            waits = is_here(spool, key)
        except InvalidAct:
            return None
        known = self.act(key)
        return known.state if known else "waiting" if waits else None


def _taken(row):
    key, kind, what, who, at, *told = row
    state, says, model, taken_in_at, proposal, audit_seq = told
    act = Act(key, kind, json.loads(what), who, at.astimezone(UTC))
    return TakenAct(act, state, says, model, taken_in_at.astimezone(UTC), proposal, audit_seq)


class ActWrites(ActReads, Writing):
    "Acts are recorded with what they change."

    def add_act(self, taken: TakenAct, batch: int) -> None:
        "Record what came of an act; `batch`: the last that was known."
        act = taken.act
        row: dict[str, Any] = {
            "id": act.id,
            "kind": act.kind,
            "model": taken.model,
            "what": json.dumps(dict(act.what), sort_keys=True, ensure_ascii=False),
            "who": act.who,
            "handed_in_at": act.at,
            "taken_in_at": taken.taken_in_at,
            "batch_id": batch,
            "state": taken.state,
            "says": taken.says,
            "proposal": taken.proposal,
            "audit_seq": taken.audit_seq,
        }
        names = ", ".join(row)
        self._write(
            f"INSERT INTO acts ({names}) VALUES ({', '.join(f'${name}' for name in row)})", row
        )
