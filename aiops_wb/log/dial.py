"""Who is called: whether the threshold of a model decides it, and where else than usual it lies."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ..stats.decisions import RISK_CUTS, Ladder
from ..stats.points import Grid, as_points
from .audit import AuditReads, AuditWrites
from .base import known_by
from .versions import VersionReads, VersionWrites

__all__ = [
    "BEGIN",
    "Dial",
    "DialReads",
    "DialWrites",
    "Scope",
    "own_since",
    "subject_of",
    "threshold_of",
]

BEGIN = datetime(1800, 1, 1, tzinfo=UTC)
"Before any prediction."
USUAL = "the version's"
"What the trail says of a tenant or site that has no threshold of its own."

_OF = " of "
Scope = tuple[str, str | None]
"A tenant, and one of its sites or None for all of them."


@dataclass(frozen=True)
class Dial:
    """Whether HIGH begins at the threshold in force (on), or at a fixed cut.

    `cuts` are those that the owner of a model named, as scores: one whose scores are no
    probabilities has no others.
    """

    on: bool
    cuts: tuple[float, ...] | None = None

    def ladder(
        self, threshold: int | None, grid: Grid, usual: tuple[float, ...] = RISK_CUTS
    ) -> Ladder | None:
        """The ladder of a threshold (points; None: that of the cuts). None where a score has no
        cuts: nobody is called by the workbench then."""
        if self.cuts is None and grid.kind != "logit":
            return None
        fixed = Ladder.of(self.cuts or usual, grid)
        return fixed.at(threshold) if self.on and threshold is not None else fixed

    @classmethod
    def parse(cls, value: str) -> "Dial":
        "What the trail says of it."
        state, *cuts = value.split(" at ")
        return cls(state == "on", tuple(map(float, cuts[0].split(", "))) if cuts else None)

    def __str__(self) -> str:
        cuts = " at " + ", ".join(f"{cut:.12g}" for cut in self.cuts) if self.cuts else ""
        return f"{'on' if self.on else 'off'}{cuts}"


class DialReads(VersionReads, AuditReads):
    "Dials, and thresholds of tenants and sites."

    def dial(self, model: str, as_of: datetime | None = None) -> Dial:
        "The dial of a model: on, unless its log was made before there was one."
        told = self.in_force("dial", model, as_of)
        if told is not None:
            return Dial.parse(told)
        fixed = self._until_written(
            "fixed_cuts", "models", lambda: set(self._column("SELECT model FROM fixed_cuts"))
        )
        return Dial(model not in fixed)

    def own_thresholds(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> dict[Scope, int]:
        "Thresholds (points) of tenants and of sites that have one of their own."
        stand = {
            scope: self.in_force("threshold", subject_of(model, version, scope), as_of)
            for scope in self.threshold_scopes(model, version)
        }
        return {s: int(value) for s, value in stand.items() if value not in (None, USUAL)}

    def threshold_scopes(self, model: str, version: str) -> list[Scope]:
        "Tenants and sites that ever had a threshold of their own."
        prefix = subject_of(model, version, None) + _OF
        subjects = self._until_written(
            "audit",
            ("thresholds", prefix),
            lambda: self._column(
                """
                SELECT DISTINCT subject FROM audit
                WHERE what = 'threshold' AND starts_with(subject, $prefix) ORDER BY subject""",
                {"prefix": prefix},
            ),
        )
        return [tuple(json.loads(subject.removeprefix(prefix))) for subject in subjects]

    def changed_at(self, subjects: Iterable[tuple[str, str]]) -> list[datetime]:
        "When one of some subjects (what, subject) was changed, in order."
        what, of = zip(*subjects)
        return self._column(
            """
            SELECT DISTINCT changed_at
            FROM audit JOIN (SELECT unnest($what) AS what, unnest($of) AS subject)
                USING (what, subject)
            ORDER BY changed_at""",
            {"what": list(what), "of": list(of)},
        )


def threshold_of(own: Mapping[Scope, int], tenant: str, site: str | None) -> int | None:
    "The threshold of an event's site, else of its tenant; None where neither has one."
    return own.get((tenant, site), own.get((tenant, None)))


def own_since(
    reader: DialReads, model: str, version: str, as_of: datetime | None = None
) -> list[tuple[datetime, dict[Scope, int]]]:
    "Since when, in order, which tenants and sites have which thresholds that decide."
    scopes = reader.threshold_scopes(model, version)
    if not scopes:
        return []
    subjects = [("threshold", subject_of(model, version, scope)) for scope in scopes]
    changes = reader.changed_at([("dial", model), *subjects])
    return [
        (at, reader.own_thresholds(model, version, at) if reader.dial(model, at).on else {})
        for at in changes
        if known_by(at, as_of)
    ]


class DialWrites(DialReads, VersionWrites, AuditWrites):
    "Dials are turned, and tenants and sites get thresholds of their own."

    def turn_dial(
        self,
        now: datetime,
        who: str,
        model: str,
        on: bool,
        why: str,
        cuts: tuple[float, ...] | None = None,
        evidence: dict | None = None,
    ) -> None:
        """Let the threshold in force decide who is called, or fixed cuts again. `cuts`: of scores
        that are no probabilities. Where it stands so already nothing is written."""
        before = self.dial(model)
        dial = Dial(on, cuts or before.cuts)
        if dial == before:
            return
        with self.transaction():
            if self.in_force("dial", model) is None:
                self.record(now, who, "dial", model, str(before), "as the log was made")
            self.record(now, who, "dial", model, str(dial), why, evidence)

    def set_own_threshold(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        scope: Scope,
        points: int | None,
        why: str,
        evidence: dict | None = None,
    ) -> None:
        "Give a tenant or a site a threshold (points) of its own, or None: that of the version."
        subject = subject_of(model, version, scope)
        new = USUAL if points is None else str(int(as_points(points)))
        if self._is_latest("threshold", subject, who, why, new=new):
            return
        with self.transaction():
            if self.in_force("threshold", subject) is None:
                self.record(now, who, "threshold", subject, USUAL, "as the version began")
            self.record(now, who, "threshold", subject, new, why, evidence)


def subject_of(model: str, version: str, scope: Scope | None) -> str:
    "What the trail calls the threshold of a version, or of a tenant or site of it."
    named = f"{model}/{version}"
    return named if scope is None else named + _OF + json.dumps(list(scope), ensure_ascii=False)
