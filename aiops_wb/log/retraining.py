"""What people say of retraining: allowed for a model, not on a tenant's rows, stopped everywhere,
approved on a bad day."""

import json
from dataclasses import dataclass
from datetime import date, datetime

from .audit import AuditReads, AuditWrites
from .base import conditions

__all__ = ["RetrainingReads", "RetrainingWrites", "Word"]

_FLAG, _TENANT, _APPROVAL = "retrain", "retrain tenant", "retrain approval"
_ALL, _EVERY_MODEL = "retrain all", "every model"


@dataclass(frozen=True)
class Word:
    "Who said something of retraining, when and why."

    who: str
    at: datetime
    why: str

    def __str__(self) -> str:
        return f"since {self.at:%-d %B %Y}, by {self.who}: {self.why}"


class RetrainingReads(AuditReads):
    "What stands at a time."

    def retraining_stopped(self, as_of: datetime | None = None) -> Word | None:
        "Who stopped the retraining of every model; None where nobody did. It wins over each flag."
        if self.in_force(_ALL, _EVERY_MODEL, as_of) != "stopped":
            return None
        return Word(*self.said_by(_ALL, _EVERY_MODEL, "stopped", as_of))

    def retraining_flag(self, model: str, as_of: datetime | None = None) -> bool | None:
        "Whether a model may be retrained; None where nobody said so of this one."
        flag = self.in_force(_FLAG, model, as_of)
        return None if flag is None else flag == "on"

    def tenants_left_out(self, model: str, as_of: datetime | None = None) -> tuple[str, ...]:
        "Tenants whose rows a retraining of a model leaves out."
        subjects = self._until_written(
            "audit",
            _TENANT,
            lambda: self._column(
                "SELECT DISTINCT subject FROM audit WHERE what = $what ORDER BY subject",
                {"what": _TENANT},
            ),
        )
        off = (json.loads(s) for s in subjects if self.in_force(_TENANT, s, as_of) == "off")
        return tuple(tenant for of, tenant in off if of == model)

    def retraining_approved(
        self, model: str, day: date, severity: str, as_of: datetime | None = None
    ) -> Word | None:
        "Who approved that a model is retrained on a day of a severity; None where nobody did."
        approved = f"{day} {severity}"
        if self.in_force(_APPROVAL, model, as_of) != approved:
            return None
        return Word(*self.said_by(_APPROVAL, model, approved, as_of))

    def activated_at(self, model: str, as_of: datetime | None = None) -> datetime | None:
        "When the version that scores became the one, or was put back; None before the first."
        where, values = conditions(what="model", subject=model, changed_at__le=as_of)
        return self._value(f"SELECT max(changed_at) FROM audit{where}", values)


class RetrainingWrites(RetrainingReads, AuditWrites):
    "What people say, recorded; what stands already for the same reason is not said again."

    def stop_retraining(self, now: datetime, who: str, why: str, stopped: bool = True) -> None:
        "Stop the retraining of every model, or let it go on as the flags say."
        self._say(now, who, _ALL, _EVERY_MODEL, "stopped" if stopped else "as flagged", why)

    def let_retrain(
        self, now: datetime, who: str, model: str, on: bool, why: str, tenant: str | None = None
    ) -> None:
        "Switch the retraining of a model on or off, or the use of a tenant's rows in it."
        what, subject = (_TENANT, json.dumps([model, tenant])) if tenant else (_FLAG, model)
        self._say(now, who, what, subject, "on" if on else "off", why)

    def approve_retraining(
        self, now: datetime, who: str, model: str, day: date, severity: str, why: str
    ) -> None:
        "Approve that a model is retrained on a day of a severity."
        self._say(now, who, _APPROVAL, model, f"{day} {severity}", why)

    def _say(self, now, who, what, subject, new, why):
        if self._is_latest(what, subject, who, why, new=new):
            return
        with self.transaction():
            self.record(now, who, what, subject, new, why)
