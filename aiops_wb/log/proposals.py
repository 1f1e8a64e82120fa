"""Changes of thresholds: what each was, and proposals of more, which decide nothing until somebody
approves them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from ..stats.points import as_points
from .base import conditions, moment
from .dial import USUAL, DialReads, DialWrites, Scope, subject_of
from .errors import StoreError

__all__ = [
    "Proposal",
    "ProposalReads",
    "ProposalWrites",
    "ThresholdChange",
    "is_same_person",
    "on_behalf_of",
]

_WHAT = "threshold proposal"
OPEN, APPROVED, REJECTED, WITHDRAWN = "open", "approved", "rejected", "withdrawn"
_CLOSED = (APPROVED, REJECTED, WITHDRAWN)


_FOR = " for "


def on_behalf_of(client: str, person: str) -> str:
    "How somebody is called whose program asks."
    return f"{client}{_FOR}{person}"


def is_same_person(one: str, other: str) -> bool:
    "Whether one person is behind two names, of a person or of a program that asks for one."
    return one.rpartition(_FOR)[2] == other.rpartition(_FOR)[2]


@dataclass(frozen=True)
class ThresholdChange:
    "A row of the trail that changed a threshold (points; None: that of the version counts)."

    seq: int
    model: str
    version: str
    scope: Scope | None
    old: int | None
    new: int | None
    who: str
    at: datetime
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    evidence_sha256: str | None = None
    rolled_back: tuple[str, datetime] | None = None  # by whom and when


@dataclass(frozen=True)
class Proposal:
    "A threshold (points) that somebody proposed, and what became of it."

    key: str
    model: str
    version: str
    scope: Scope | None
    points: int
    instead_of: int
    who: str
    at: datetime
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict, repr=False)
    state: str = OPEN
    decided_by: str = ""
    decided_at: datetime | None = None
    decided_why: str = ""

    @property
    def decided(self) -> str:
        "What became of it, by whom, when and why; empty while it is open."
        if self.state == OPEN:
            return ""
        return f"{self.state} {self.decided_at:%Y-%m-%d} by {self.decided_by}: {self.decided_why}"


class ProposalReads(DialReads):
    "What was changed and what was proposed."

    def threshold_changes(self, model: str, as_of: datetime | None = None) -> list[ThresholdChange]:
        "Every change of a threshold of a model, its versions, tenants and sites, oldest first."
        named = {
            subject_of(model, version, scope): (version, scope)
            for version in self.known_versions(model)
            for scope in (None, *self.threshold_scopes(model, version))
        }
        where, values = conditions(what="threshold", changed_at__le=as_of)
        rows = self._rows(
            f"""
            SELECT seq, subject, old, new, who, changed_at, why, evidence
            FROM audit{where} AND subject IN (SELECT unnest($named))
            ORDER BY seq""",
            values | {"named": list(named)},
        )
        return _with_undone([_change(model, *named[row[1]], row) for row in rows])

    def latest_change(
        self, model: str, version: str, scope: Scope | None, as_of: datetime | None = None
    ) -> ThresholdChange | None:
        "The change that made a threshold what it is; None before the first."
        of = (c for c in self.threshold_changes(model, as_of) if c.version == version)
        return next((c for c in reversed(list(of)) if c.scope == scope), None)

    def proposals(self, model: str | None = None, as_of: datetime | None = None) -> list[Proposal]:
        "Every proposal, of one model or all, oldest first."
        where, values = conditions(what=_WHAT, changed_at__le=as_of)
        rows = self._until_written(
            "audit",
            (_WHAT, *moment(as_of)),
            lambda: self._rows(
                f"""
                SELECT subject, new, who, changed_at, why, evidence
                FROM audit{where} ORDER BY seq""",
                values,
            ),
        )
        found = {}
        for key, new, who, at, why, evidence in rows:
            if key not in found:
                found[key] = _proposed(key, who, at, why, evidence)
            elif new in _CLOSED:
                closed = {"decided_by": who, "decided_at": at, "decided_why": why}
                found[key] = Proposal(**vars(found[key]) | closed | {"state": new})
        return [p for p in found.values() if model in (None, p.model)]

    def open_proposals(
        self, model: str, version: str, scope: Scope | None, as_of: datetime | None = None
    ) -> list[Proposal]:
        "Those of a version, or of a tenant or site of it, that nobody has decided yet."
        asked = model, version, scope, OPEN
        every = self.proposals(model, as_of)
        return [p for p in every if (p.model, p.version, p.scope, p.state) == asked]

    def proposal(self, key: str) -> Proposal:
        "The proposal of an id; StoreError names those that are open."
        every = {p.key: p for p in self.proposals()}
        if key not in every:
            known = ", ".join(p.key for p in every.values() if p.state == OPEN)
            raise StoreError(
                f"there is no proposal {key!r}: "
                + (f"open are {known}." if known else "none is open.")
            )
        return every[key]


def _change(model, version, scope, row):
    seq, _, old, new, who, at, why, evidence = row
    told = json.loads(evidence) if evidence else {}
    digest = hashlib.sha256(evidence.encode()).hexdigest() if evidence else None
    points = [None if value in (None, USUAL) else int(value) for value in (old, new)]
    return ThresholdChange(seq, model, version, scope, *points, who, at, why, told, digest)


def _with_undone(changes):
    "The same changes, each with who put back what stood before it."
    undone = {}
    for i, last in enumerate(changes):
        if not last.evidence.get("rolled_back"):
            continue
        before = [c for c in changes[:i] if (c.version, c.scope) == (last.version, last.scope)]
        # the latest change is undone in any case, and those behind the one that stands again
        stands = max((c.seq for c in before[:-1] if c.new == last.new), default=0)
        for change in before:
            if change.seq > stands:
                undone.setdefault(change.seq, (last.who, last.at))
    return [ThresholdChange(**vars(c) | {"rolled_back": undone.get(c.seq)}) for c in changes]


@lru_cache(maxsize=4096)
def _proposed(key, who, at, why, evidence):
    "A proposal as the trail has it: many are asked for again and again."
    told = json.loads(evidence)
    scope = tuple(told["scope"]) if told["scope"] else None
    named = told["model"], told["version"], scope, told["points"], told["instead_of"]
    return Proposal(key, *named, who, at, why, told.get("evidence", {}))


class ProposalWrites(ProposalReads, DialWrites):
    "Proposals are made and decided."

    def propose_threshold(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        scope: Scope | None,
        points: int,
        instead_of: int,
        why: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> str:
        """Propose a threshold (points) instead of the one in force; returns the proposal's id. The
        same person's for the same reason is not a further one; StoreError for another of the same.
        """
        points, instead_of = int(as_points(points)), int(as_points(instead_of))
        for one in self.open_proposals(model, version, scope):
            if one.points == points:
                bound = (evidence or {}).get("promise")
                if one.evidence.get("promise") != bound:
                    raise StoreError(
                        f"{one.key} by {one.who} proposes the same with another promise, or "
                        "without one, and is open: reject it, and propose this one."
                    )
                if (one.who, one.why) == (who, why):
                    return one.key
                raise StoreError(f"{one.key} by {one.who} proposes the same, and is open.")
        if points == instead_of:
            raise StoreError("the threshold in force is this one already: propose another.")
        told = {
            "model": model,
            "version": version,
            "scope": list(scope) if scope else None,
            "points": points,
            "instead_of": instead_of,
            "evidence": dict(evidence or {}),
        }
        key = f"P-{len(self.proposals()) + 1}"
        new = f"{subject_of(model, version, scope)}: {instead_of} to {points} points"
        with self.transaction():
            self.record(now, who, _WHAT, key, new, why, told)
        return key

    def approve_threshold(
        self,
        now: datetime,
        who: str,
        key: str,
        why: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        "Put an open proposal into force; StoreError where it is not open."
        of = self._require_open(key)
        told = dict(evidence or {}) | {"proposal": key, "proposed_by": of.who}
        with self.transaction():
            self.record(now, who, _WHAT, key, APPROVED, why)
            if of.scope is None:
                change = now, who, of.model, of.version, of.points
                self.set_threshold(*change, why, told, logged=of.instead_of)
            else:
                change = now, who, of.model, of.version, of.scope, of.points
                self.set_own_threshold(*change, why, told)

    def reject_threshold(self, now: datetime, who: str, key: str, why: str) -> str:
        """Close an open proposal without a change: its author withdraws it, anybody else rejects
        it. Returns which; StoreError where it is not open."""
        of = self.proposal(key)
        state = WITHDRAWN if of.who == who else REJECTED
        if (of.state, of.decided_by, of.decided_why) != (state, who, why):
            self._require_open(key)
            with self.transaction():
                self.record(now, who, _WHAT, key, state, why)
        return state

    def _require_open(self, key):
        of = self.proposal(key)
        if of.state != OPEN:
            raise StoreError(f"{key} is not open: it was {of.decided}.")
        return of
