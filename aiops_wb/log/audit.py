"""The audit trail: every change of a threshold, flag, model or calibration, chained by hashes."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from .base import Connected, Writing, conditions, known_by
from .errors import StoreError

__all__ = ["CHAIN", "VERIFY", "AuditReads", "AuditWrites"]

CHAIN = """sha256(before || json_array(
    seq, epoch_us(changed_at), who, what, subject, old, new, why, evidence)::VARCHAR)"""
"The hash of an audit row, over the one before it and everything it says."

VERIFY = f"""SELECT seq, changed_at, who, what, subject
FROM (SELECT *, lag(hash, 1, '') OVER (ORDER BY seq) AS before,
             row_number() OVER (ORDER BY seq) AS position
      FROM audit)
WHERE position <> seq OR hash <> {CHAIN}
ORDER BY seq"""
"Every row that does not fit its place in the chain: none where the trail is intact."


class AuditReads(Connected):
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

    def verify_audit(self) -> int:
        """The number of audit rows when the hash chain is intact; StoreError names the first row
        that does not fit."""
        broken = self._value(f"SELECT min(seq) FROM ({VERIFY})")
        if broken is not None:
            raise StoreError(
                f"the audit trail does not verify: row {broken} was changed, "
                "or a row before it is missing."
            )
        return self.audit_head()[0]

    def audit_head(self) -> tuple[int, str]:
        "How many rows the trail has, and the hash of its last one; empty without any."
        return self._rows("SELECT count(*)::BIGINT, coalesce(arg_max(hash, seq), '') FROM audit")[0]

    def audit_hashes(self, rows: Sequence[int]) -> dict[int, str]:
        "The hashes of some rows of the trail, those that it has."
        named = {"rows": sorted(set(rows))}
        return dict(
            self._rows("SELECT seq, hash FROM audit WHERE seq IN (SELECT unnest($rows))", named)
        )


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
             $why::VARCHAR AS why, $evidence::VARCHAR AS evidence, $before::VARCHAR AS before)"""


class AuditWrites(AuditReads, Writing):
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
        outside a transaction."""
        if not why.strip():
            raise StoreError(f"a change of {what} needs a reason.")
        where, values = conditions(what=what, subject=subject)
        rows = self._rows(_LAST.format(where=where), values)
        seq, before, last, old = rows[0] if rows else (0, "", None, None)
        self._write(
            _RECORD,
            {
                "seq": seq + 1,
                "before": before,
                "now": now,
                "last": last,
                "who": who,
                "what": what,
                "subject": subject,
                "old": old,
                "new": new,
                "why": why,
                "evidence": None if evidence is None else json.dumps(evidence, sort_keys=True),
            },
            (what, subject),
        )
