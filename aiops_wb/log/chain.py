"""The chain of the audit trail: the hash of a row is over the one before it and all that it says.

An owner who has looked into a trail that does not hold goes on with a row that says so. What stands
before it is kept as it is, under one digest, and the chain is asked from that row on.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from .base import Connected
from .errors import StoreError

__all__ = ["ACCEPTED", "CHAIN", "VERIFY", "Accepted", "ChainReads"]

_SAYS = "seq, epoch_us(changed_at), who, what, subject, old, new, why, evidence"

CHAIN = f"""sha256(before || json_array(
    {_SAYS})::VARCHAR)"""
"The hash of an audit row, over the one before it and everything it says."

ACCEPTED = "trail accepted"
"What is changed by the row with which an owner goes on; its number may leave some out."

VERIFY = f"""SELECT seq, changed_at, who, what, subject
FROM (SELECT *, lag(hash, 1, '') OVER (ORDER BY seq) AS before,
             lag(seq, 1, 0) OVER (ORDER BY seq) AS preceding
      FROM audit)
WHERE hash <> {CHAIN} OR (seq <> preceding + 1 AND what <> '{ACCEPTED}')
ORDER BY seq"""
"Every row that does not fit its place in the chain: none where the trail is intact."

_DIGEST = f"""
SELECT sha256(coalesce(string_agg(sha256(json_array({_SAYS}, hash)::VARCHAR), ''
                                  ORDER BY seq, hash), ''))
FROM audit WHERE seq <= $rows"""


class Accepted(NamedTuple):
    "That an owner goes on from a trail as it stood, and what spoke against it then."

    seq: int
    at: datetime
    who: str
    why: str
    rows: int  # the number of the last row before; 0: there was none
    digest: str  # of these rows
    findings: tuple[str, ...]
    anchors: frozenset[tuple[int, str]]  # rows and head of those that did not agree

    def __str__(self) -> str:
        return (
            f"row {self.seq:,}: {self.who} went on from what stood on {self.at:%Y-%m-%d %H:%M}Z "
            f"({self.why}): {'; '.join(self.findings)}"
        )


class ChainReads(Connected):
    "Whether the trail is what was written."

    def audit_head(self) -> tuple[int, str]:
        "The number of the trail's last row, and its hash; 0 and empty without any."
        return self._rows(
            "SELECT coalesce(max(seq), 0)::BIGINT, coalesce(arg_max(hash, seq), '') FROM audit"
        )[0]

    def audit_hashes(self, rows: Sequence[int]) -> dict[int, str]:
        "The hashes of some rows of the trail, those that it has."
        named = {"rows": sorted(set(rows))}
        return dict(
            self._rows("SELECT seq, hash FROM audit WHERE seq IN (SELECT unnest($rows))", named)
        )

    def accepted(self) -> list[Accepted]:
        "With which rows an owner went on, oldest first; one that says nothing readable is none."
        rows = self._rows(
            "SELECT seq, changed_at, who, why, evidence FROM audit WHERE what = $what ORDER BY seq",
            {"what": ACCEPTED},
        )
        return [one for row in rows if (one := _read(*row))]

    def verify_audit(self) -> int:
        """The number of audit rows when the hash chain is intact; StoreError names the first row
        that does not fit."""
        findings = self.chain_findings()
        if findings:
            raise StoreError(f"the audit trail does not verify: {'; '.join(findings)}.")
        return self.audit_head()[0]

    def chain_findings(self) -> list[str]:
        "What the chain itself says against the trail, in words; nothing where it holds."
        section = next(reversed(self.accepted()), None)
        broken = self._value(
            f"SELECT min(seq) FROM ({VERIFY}) WHERE seq > $rows",
            {"rows": section.rows if section else 0},
        )
        findings = [] if broken is None else [misfit(broken)]
        if section and self.digest_of(section.rows) != section.digest:
            findings.append(
                f"a row up to {section.rows:,} is not what it was when row {section.seq:,} "
                "went on from it"
            )
        return findings

    def digest_of(self, rows: int) -> str:
        "A SHA-256 over the rows up to a number, whether they fit the chain or not."
        return self._value(_DIGEST, {"rows": rows})

    def length_findings(self) -> list[str]:
        """What the catalog itself remembers of the trail and the trail does not show; who removes
        that, too, is seen by an anchor alone."""
        last, _ = self.audit_head()
        rows, head = self._appended_last()
        if rows > last:
            return [
                f"the trail ends with row {last:,} and had {rows:,} when it was last appended to: "
                "its end was cut off"
            ]
        if rows and self.audit_hashes([rows]).get(rows) != head:
            return [f"row {rows:,} is not the one that was appended: hashes were made anew"]
        return []

    def appended_rows(self) -> int:
        "The number of the last row that was ever appended, as the catalog remembers it."
        return self._appended_last()[0]

    def _appended_last(self):
        remembered = "SELECT rows, head FROM audit_checked ORDER BY rows DESC LIMIT 1"
        return next(iter(self._rows(remembered)), (0, ""))


def misfit(row: int) -> str:
    "That a row does not fit the chain, in words."
    return (
        f"row {row:,} does not fit the chain: it was changed, or a row before it is missing or "
        "stands elsewhere"
    )


def _read(seq, at, who, why, evidence):
    "What a row says that goes on from a trail; None where that cannot be read."
    try:
        told = json.loads(evidence)
        anchors = frozenset((int(rows), str(head)) for rows, head in told["anchors"])
        findings = tuple(map(str, told["findings"]))
        return Accepted(seq, at, who, why, int(told["rows"]), told["digest"], findings, anchors)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
