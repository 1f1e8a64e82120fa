"""What alarms said on the mornings of a past: as the log recorded it, or followed again."""

from datetime import date
from functools import cached_property

from ..config import Settings
from ..log.catalog import Reader
from .mornings import Morning
from .policy import Policy
from .registered import Versions
from .view import View

__all__ = ["Heard"]


class Heard:
    """Since when scores mean something else, as an open alarm said on a morning.

    A policy that names a level of alarms has them followed from counts at that level, which costs
    far more than all the rest; else what the log recorded is heard: nothing on mornings that no run
    looked at.
    """

    def __init__(self, reader: Reader, model: str, settings: Settings):
        self._reader, self._model, self._settings = reader, model, settings
        self._versions, self._alarms = Versions(reader), {}

    def __call__(self, policy: Policy, morning: Morning) -> date | None:
        "The newest such day; None where nothing is heard."
        if policy.drift_level is None:
            return self._recorded(morning)
        return self._follow(policy, morning)

    def open_alarms(self, policy: Policy, morning: Morning) -> tuple[str, ...]:
        "Every open alarm that is not muted, of whatever kind; empty where nothing is heard."
        if policy.drift_level is not None:
            return tuple(
                f"{a.stream} ({a.kind})" for a in self._found(policy, morning) if not a.muted
            )
        asked = self._model, morning.day, morning.day
        events = self._reader.drift_events(*asked, version=morning.version, as_of=morning.at)
        told = events[(events.state != "closed") & ~events.muted.astype(bool)]
        return tuple(f"{stream} ({kind})" for stream, kind in zip(told.stream, told.kind))

    @cached_property
    def _days(self):
        "(version, day) of alarms of this kind."
        events = self._reader.drift_events(self._model)
        if events.empty:
            return set()
        heard = events[events.kind == "concept"]
        return set(zip(heard.version, heard.event_date.dt.date))

    def _recorded(self, morning):
        "What was recorded by then: a day whose figures were made up for later heard nothing."
        if (morning.version, morning.day) not in self._days:
            return None
        asked = self._model, morning.day, morning.day
        events = self._reader.drift_events(*asked, version=morning.version, as_of=morning.at)
        heard = (events.kind == "concept") & (events.state != "closed") & ~events.muted.astype(bool)
        return max(events.since[heard].dt.date, default=None)

    def _follow(self, policy, morning):
        found = self._found(policy, morning)
        return max((a.since for a in found if a.kind == "concept" and not a.muted), default=None)

    def _found(self, policy, morning):
        "Alarms followed from counts at the level of a policy, each morning once."
        asked = policy.drift_level, morning
        if asked not in self._alarms:
            settings = policy.settings(self._settings)
            at = morning.day, morning.at, settings, self._versions
            self._alarms[asked] = View(self._reader, self._model, *at).drift.found
        return self._alarms[asked]
