"""The share of a model's events that its owner declares never to get a label."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from .audit import AuditReads, AuditWrites
from .errors import StoreError

__all__ = ["NeverLabelled", "NeverReads", "NeverWrites"]

NOTHING = "none"
"What the trail says where nothing is declared."


@dataclass(frozen=True)
class NeverLabelled:
    "A declaration in force: which share of events never gets a label, by whom, since when, why."

    share: float
    who: str
    since: datetime
    why: str

    def __str__(self) -> str:
        return f"{in_percent(self.share)} by {self.who} on {self.since:%Y-%m-%d} ({self.why})"


def in_percent(share: float) -> str:
    "A share as it was declared: 0.2 is 20%, 0.125 is 12.5%."
    return f"{100 * share:.12g}%"


class NeverReads(AuditReads):
    "What is declared about labels that never come."

    def never_labelled(self, model: str, as_of: datetime | None = None) -> NeverLabelled | None:
        """The declaration in force for a model, as it was made; None where nothing is declared.

        One that was put back is that of the person who made it.
        """
        stands = self.in_force("never", model, as_of)
        if stands in (None, NOTHING):
            return None
        return NeverLabelled(float(stands), *self.said_by("never", model, stands, as_of))

    def never_changes(self, model: str) -> pd.DataFrame:
        "All that was ever declared about labels of a model that never come, oldest first."
        changes = self.audit(model)
        return changes[changes.what == "never"].reset_index(drop=True)


class NeverWrites(NeverReads, AuditWrites):
    "Declarations, recorded."

    def declare_never(
        self, now: datetime, who: str, model: str, share: float | None, why: str
    ) -> None:
        """Declare which share of a model's events never gets a label; None: nothing is declared.

        StoreError for a share that is none. The first is recorded after a row that nothing was
        declared: there is something to roll back to.
        """
        if share is not None and not 0 <= share < 1:
            raise StoreError(
                f"a share of {share:g} of the events of {model} without a label is not allowed: "
                "from 0 to below 1 (or below 100%)."
            )
        new = NOTHING if share is None else repr(float(share))
        if self._is_latest("never", model, who, why, new=new):
            return
        with self.transaction():
            if self.in_force("never", model) is None:
                self.record(now, who, "never", model, NOTHING, "nothing was declared before")
            self.record(now, who, "never", model, new, why)
