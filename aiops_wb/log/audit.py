"""The audit trail: every change of a threshold, flag, model or calibration, chained by hashes."""

import json
from datetime import datetime
from typing import Any

import pandas as pd

from .base import conditions, known_by
from .chain import ACCEPTED, CHAIN, VERIFY, ChainReads
from .checked import CheckedChain
from .errors import StoreError

__all__ = ["ALREADY", "CHAIN", "VERIFY", "AuditReads", "AuditWrites"]

ALREADY = " (it was so already: nothing was written)"
"What is added to the words about an act that changed nothing: it is given again, say."


class AuditReads(ChainReads):
    "What was changed, and what is in force."

    def in_force(self, what: str, subject: str, as_of: datetime | None = None) -> str | None:
        """What the latest audit row says of a subject: the active version of a model, a threshold,
        a flag."""
        where, values = conditions(what=what, subject=subject)
        changes = f"SELECT changed_at, new FROM audit{where} ORDER BY seq DESC"
        part = what, subject
        known = self._until_written("audit", "changes", lambda: self._rows(changes, values), part)
        return next((new for at, new in known if known_by(at, as_of)), None)

    def said_by(
        self, what: str, subject: str, new: str, as_of: datetime | None = None
    ) -> tuple[str, datetime, str]:
        """Who made a subject what it is, when and why: of what was put back the person who made
        it, not the one who put it back."""
        where, values = conditions(what=what, subject=subject, new=new, changed_at__le=as_of)
        (told,) = self._rows(
            f"""
            SELECT who, changed_at, why
            FROM audit{where} AND evidence IS NULL
            ORDER BY seq DESC
            LIMIT 1""",
            values,
        )
        return told

    def audit(self, subject: str | None = None) -> pd.DataFrame:
        "The audit trail, oldest first."
        where, values = conditions(subject=subject)
        return self.frame(f"SELECT * FROM audit{where} ORDER BY seq", values)

    def last_change(self) -> datetime | None:
        "When something was changed last; None before the first change."
        return self._value("SELECT max(changed_at) FROM audit")

    def audit_between(self, after: datetime, until: datetime) -> pd.DataFrame:
        "What was changed after a time and until another, oldest first."
        where, values = conditions(changed_at__le=until)
        rows = f"SELECT * FROM audit{where} AND changed_at > $after ORDER BY seq"
        return self.frame(rows, values | {"after": after})

    def _is_latest(self, what, subject, who, why, **told):
        """Whether the latest change of a subject is this very one: the same person, for the same
        reason. A command that was stopped after it had done its work is given again."""
        where, values = conditions(what=what, subject=subject)
        rows = self._rows(
            f"SELECT who, why, new, evidence FROM audit{where} ORDER BY seq DESC LIMIT 1", values
        )
        latest = dict(zip(("who", "why", "new", "evidence"), rows[0])) if rows else {}
        return bool(latest) and latest | {"who": who, "why": why} | told == latest


_LAST = """
SELECT seq, hash, changed_at, (SELECT new FROM audit{where} ORDER BY seq DESC LIMIT 1)
FROM audit ORDER BY seq DESC LIMIT 1"""

_RECORD = f"""
INSERT INTO audit
SELECT seq, changed_at, who, what, subject, old, new, why, evidence, {CHAIN}
FROM (SELECT $seq::BIGINT AS seq,
             greatest($now::TIMESTAMPTZ, $last::TIMESTAMPTZ) AS changed_at,
             $who::VARCHAR AS who, $what::VARCHAR AS what, $subject::VARCHAR AS subject,
             $old::VARCHAR AS old, $new::VARCHAR AS new,
             $why::VARCHAR AS why, $evidence::VARCHAR AS evidence, $before::VARCHAR AS before)
RETURNING hash"""


class AuditWrites(AuditReads, CheckedChain):
    "Changes, recorded as they are made."

    def record(
        self,
        now: datetime,
        who: str,
        what: str,
        subject: str,
        new: str | None,
        why: str,
        evidence: Any = None,
    ) -> None:
        """Append one change to the audit trail; the old value is read from it. Use inside or
        outside a transaction. BrokenTrail, and nothing is written, where the trail does not
        hold."""
        if not why.strip():
            raise StoreError(f"a change of {what} needs a reason.")
        where, values = conditions(what=what, subject=subject)
        rows = self._rows(_LAST.format(where=where), values)
        seq, before, last, old = rows[0] if rows else (0, "", None, None)
        self.require_whole_trail((seq, before))
        told = {"now": now, "last": last, "who": who, "what": what, "subject": subject}
        told |= {"old": old, "new": new, "why": why, "evidence": evidence}
        self._append(seq + 1, before, told)

    def go_on_from(
        self, now: datetime, who: str, why: str, seq: int, head: str, evidence: dict[str, Any]
    ) -> None:
        """Append the row of an owner who goes on from a trail that does not hold, with a number
        and behind the head that stands."""
        last = self._value("SELECT max(changed_at) FROM audit")
        told = {"now": now, "last": last, "who": who, "what": ACCEPTED, "subject": "audit"}
        told |= {"old": None, "new": f"row {seq}", "why": why, "evidence": evidence}
        self.doubt("")
        self._append(seq, head, told, summed=True)

    def _append(self, seq, before, told, summed=False):
        "Write a row after the one whose hash is given."
        evidence = told["evidence"]
        written = None if evidence is None else json.dumps(evidence, sort_keys=True)
        row = told | {"seq": seq, "before": before, "evidence": written}
        with self.transaction():
            self._write(_RECORD, row, (told["what"], told["subject"]))
            self._appended(seq, self.con.fetchall()[0][0], summed)
