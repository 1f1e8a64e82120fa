"""What is in production: the version that decides, with its threshold and calibration, what led to
it, and the versions in its shadow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd

from .base import known_by, moment
from .dial import USUAL, DialReads, DialWrites, Scope, subject_of
from .duck import statements
from .errors import StoreError
from .versions import no_file

__all__ = ["ENDED", "SHADOW", "Production", "ProductionReads", "ProductionWrites"]

SHADOW, ENDED = "shadow", "ended"
"What the trail says of a challenger."
_PUT_BACK = {"rolled_back": True}


@dataclass(frozen=True)
class Production:
    "What decides for a model: a version, and what stands with it."

    version: str
    threshold: int | None  # points
    calibration_id: str | None
    own: Mapping[Scope, int] = field(default_factory=dict)  # thresholds of tenants and sites

    def as_evidence(self) -> dict[str, Any]:
        "As the trail keeps it."
        return {
            "version": self.version,
            "threshold": self.threshold,
            "calibration_id": self.calibration_id,
            "own_thresholds": [[*scope, points] for scope, points in self.own.items()],
        }


class _Champion(NamedTuple):
    "A row of the trail that made a version the champion."

    seq: int
    since: datetime
    version: str
    put_back: bool


class ProductionReads(DialReads):
    "Champion, previous and challengers of a model, now and at any time before."

    def in_production(self, model: str, as_of: datetime | None = None) -> Production | None:
        "The champion (`active_version`) and what stands with it; None before the first promotion."
        version = self.active_version(model, as_of)
        return None if version is None else self.standing(model, version, as_of)

    def promoted(
        self, model: str, as_of: datetime | None = None
    ) -> tuple[str, datetime, str] | None:
        "Who made the champion what it is, when and why; None before the first promotion."
        known = self._champions(model, as_of)
        if not known:
            return None
        return self._rows(
            "SELECT who, changed_at, why FROM audit WHERE seq = $seq", {"seq": known[-1].seq}
        )[0]

    def promoted_at(self, model: str, as_of: datetime | None = None) -> datetime | None:
        "When the champion was promoted; to be put back is no promotion. None before the first."
        known = self._champions(model, as_of)
        made = [row.since for row in known if row.version == known[-1].version and not row.put_back]
        return made[-1] if made else None

    def standing(self, model: str, version: str, as_of: datetime | None = None) -> Production:
        "What stands with a version, whether it decides or not."
        return Production(
            version,
            self.threshold(model, version, as_of),
            self.in_force("calibration", subject_of(model, version, None), as_of),
            self.own_thresholds(model, version, as_of),
        )

    def previous(self, model: str, as_of: datetime | None = None) -> str | None:
        """The version that was champion before, None without one; what was rolled back is no
        version to go back to."""
        line = []
        for row in self._champions(model, as_of):
            while row.put_back and row.version in line and line[-1] != row.version:
                line.pop()
            if line[-1:] != [row.version]:
                line.append(row.version)
        return line[-2] if len(line) > 1 else None

    def challengers(self, model: str, as_of: datetime | None = None) -> list[str]:
        "Versions in the champion's shadow, the one that began last first."
        return [version for version, _ in self._shadows(model, as_of)]

    def challenger(self, model: str, as_of: datetime | None = None) -> str | None:
        "The version that began last to be in the champion's shadow, None without one."
        return next(iter(self.challengers(model, as_of)), None)

    def shadow_since(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> datetime | None:
        "Since when a version is in the champion's shadow, None where it is not."
        return dict(self._shadows(model, as_of)).get(version)

    def shadows_begun(self, model: str, after: datetime, until: datetime) -> int:
        "How many versions of a model went into the champion's shadow after a time, until another."
        return self._value(
            """
            SELECT count(*)
            FROM audit JOIN models ON models.model = $model AND subject = $model || '/' || version
            WHERE what = 'challenger' AND new = $shadow
              AND changed_at > $after AND changed_at <= $until""",
            {"model": model, "shadow": SHADOW, "after": after, "until": until},
        )

    def production(self, model: str, as_of: datetime | None = None) -> pd.DataFrame:
        """Every span in which a version, a threshold and a calibration were in production, oldest
        first: the view `production` of a snapshot, of one model."""
        view = statements("views.sql")["production"].partition("CREATE VIEW production AS")[2]
        return self.frame(
            f"""
            SELECT * EXCLUDE (known) REPLACE (CASE WHEN until <= known THEN until END AS until)
            FROM (SELECT *, coalesce($as_of::TIMESTAMPTZ, 'infinity') AS known FROM ({view}))
            WHERE model = $model AND since <= known
            ORDER BY since""",
            {"model": model, "as_of": as_of},
        )

    def _champions(self, model, as_of=None) -> list[_Champion]:
        "What made versions the champion, oldest first."
        sql = """
            SELECT seq, changed_at, new,
                   coalesce(json_extract_string(evidence, '$.rolled_back') = 'true', false)
            FROM audit
            WHERE what = 'model' AND subject = $model
            ORDER BY seq"""
        look = lambda: [_Champion(*row) for row in self._rows(sql, {"model": model})]
        known = self._until_written("audit", "champions", look, ("model", model))
        return [row for row in known if known_by(row.since, as_of)]

    def _shadows(self, model, as_of):
        "Versions in the champion's shadow and since when, the latest first."
        sql = """
            SELECT version, changed_at
            FROM (SELECT * FROM audit
                  WHERE what = 'challenger'
                    AND ($as_of::TIMESTAMPTZ IS NULL OR changed_at <= $as_of::TIMESTAMPTZ)
                  QUALIFY row_number() OVER (PARTITION BY subject ORDER BY seq DESC) = 1) latest
            JOIN models ON models.model = $model AND subject = models.model || '/' || version
            WHERE new = $shadow
            ORDER BY seq DESC"""
        asked = {"model": model, "as_of": as_of, "shadow": SHADOW}
        return self._until_written(
            "audit", ("shadows", model, *moment(as_of)), lambda: self._rows(sql, asked)
        )


class ProductionWrites(ProductionReads, DialWrites):
    "Promote, go back, put into the shadow: each in one transaction."

    def promote(
        self,
        now: datetime,
        who: str,
        model: str,
        version: str,
        why: str,
        evidence: Mapping[str, Any] | None = None,
        own: Mapping[Scope, int] = MappingProxyType({}),
    ) -> None:
        """Make a registered version the champion, with its threshold and calibration, and give
        tenants and sites the thresholds (points) of `own`; its shadow ends.

        The trail keeps what stands and what stood before beside the `evidence`. StoreError when the
        version is not whole or has no file to score with; of the champion nothing is changed.
        """
        if self.active_version(model) == version:
            return
        self._require_file(model, version)
        with self.transaction():
            stood = self.in_production(model)
            for scope, points in own.items():
                told = f"promoted: {why}"
                self.set_own_threshold(now, who, model, version, scope, points, told)
            if version in self.challengers(model):
                self._end_shadow(now, who, model, version, f"promoted: {why}")
            stands = self.standing(model, version)
            told = dict(evidence or {}) | _told(stands, stood)
            self.record(now, who, "model", model, version, why, told)

    def activate(self, now: datetime, who: str, model: str, version: str, why: str) -> None:
        "`promote`, as it was called before."
        self.promote(now, who, model, version, why)

    def roll_back(
        self,
        now: datetime,
        who: str,
        what: str,
        subject: str,
        why: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> str:
        "As `VersionWrites.roll_back`; a model goes back as in `roll_back_version`."
        if what != "model":
            return super().roll_back(now, who, what, subject, why, evidence)
        return self.roll_back_version(now, who, subject, why, evidence)

    def roll_back_version(
        self,
        now: datetime,
        who: str,
        model: str,
        why: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> str:
        """Make the previous version the champion again, with the thresholds and the calibration
        that it had when it was last; returns it.

        StoreError when there is none, or it is not whole. The same person's, for the same reason,
        is not a further one.
        """
        if self._is_put_back(model, who, why):
            return self.active_version(model)
        back = self.previous(model)
        if back is None:
            raise StoreError(
                f"there is nothing to roll back: model of {model} has no earlier value."
            )
        self._require_file(model, back)
        with self.transaction():
            stood = self.in_production(model)
            self._put_back_thresholds(now, who, model, back, why)
            if back in self.challengers(model):
                self._end_shadow(now, who, model, back, f"it decides again: {why}")
            told = dict(evidence or {}) | _PUT_BACK | _told(self.standing(model, back), stood)
            self.record(now, who, "model", model, back, why, told)
        return back

    def shadow(self, now: datetime, who: str, model: str, version: str, why: str) -> None:
        """Put a registered version into the champion's shadow, where it decides nothing. StoreError
        when it is not whole, has no file, is the champion, or there is none; one that is in it
        stays."""
        champion = self.active_version(model)
        if champion is None:
            raise StoreError(f"{model} has no champion yet: promote a version first.")
        if champion == version:
            raise StoreError(f"{model} {version} is the champion: it is in nobody's shadow.")
        self._require_file(model, version)
        subject = subject_of(model, version, None)
        if version in self.challengers(model):
            return
        with self.transaction():
            self.record(now, who, "challenger", subject, SHADOW, why)

    def end_shadow(self, now: datetime, who: str, model: str, version: str, why: str) -> None:
        "Take a version out of the champion's shadow; StoreError when it never was in it."
        if self.in_force("challenger", subject_of(model, version, None)) == ENDED:
            return
        if version not in (known := self.challengers(model)):
            raise StoreError(
                f"{model} {version} is in no shadow: "
                + (f"choose one of {', '.join(known)}." if known else "no version is.")
            )
        with self.transaction():
            self._end_shadow(now, who, model, version, why)

    def _end_shadow(self, now, who, model, version, why):
        self.record(now, who, "challenger", subject_of(model, version, None), ENDED, why)

    def _require_file(self, model, version):
        "StoreError where a version is not whole, or has nothing to score with."
        if not self.require_whole(model, version).path:
            raise StoreError(no_file(model, version))

    def _is_put_back(self, model, who, why):
        "Whether the latest change of the champion is this person's going back, for this reason."
        latest = self._champions(model)[-1:]
        return bool(latest) and latest[0].put_back and self._is_latest("model", model, who, why)

    def _put_back_thresholds(self, now, who, model, version, why):
        "Thresholds and calibration of a version, as they were when it was replaced."
        rows = self._champions(model)
        last = max(i for i, row in enumerate(rows) if row.version == version)
        replaced, own = rows[last + 1].seq, self.threshold_scopes(model, version)
        subjects = [("threshold", subject_of(model, version, scope)) for scope in (None, *own)]
        for what, subject in [*subjects, ("calibration", subjects[0][1])]:
            then = self._before(replaced, what, subject)
            if then is None and (what, subject) not in subjects[1:]:
                continue  # it had none yet: what it got since stays
            then = USUAL if then is None else then
            if then != self.in_force(what, subject):
                self.record(now, who, what, subject, then, f"as it was: {why}", _PUT_BACK)

    def _before(self, seq, what, subject):
        "What stood before a row of the trail."
        return self._value(
            """
            SELECT new FROM audit
            WHERE what = $what AND subject = $subject AND seq < $seq
            ORDER BY seq DESC
            LIMIT 1""",
            {"what": what, "subject": subject, "seq": seq},
        )


def _told(stands, stood):
    "What stands with a new champion and what stood before, as the trail keeps it."
    return {"stands": stands.as_evidence(), "stood": stood and stood.as_evidence()}
