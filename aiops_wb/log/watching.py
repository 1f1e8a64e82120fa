"""Whether a version is watched: switched off and on by a person, with a reason."""

from dataclasses import dataclass
from datetime import datetime

from .audit import AuditWrites
from .errors import StoreError
from .versions import VersionReads

__all__ = ["NotWatched", "WatchReads", "WatchWrites"]


@dataclass(frozen=True)
class NotWatched:
    "Who switched the watch over a version off, when and why."

    who: str
    since: datetime
    why: str

    def __str__(self) -> str:
        return f"since {self.since:%-d %B %Y}, by {self.who}: {self.why}"


class WatchReads(VersionReads):
    "Which versions are watched."

    def not_watched(
        self, model: str, version: str, as_of: datetime | None = None
    ) -> NotWatched | None:
        "Who switched the watch over a version off, and why; None where it is watched."
        subject = f"{model}/{version}"
        # version 0.1 wrote the flag as monitor
        what = "watch" if self.in_force("watch", subject, as_of) else "monitor"
        if self.in_force(what, subject, as_of) != "off":
            return None
        return NotWatched(*self.said_by(what, subject, "off", as_of))


class WatchWrites(WatchReads, AuditWrites):
    "The switch, recorded."

    def watch(self, now: datetime, who: str, model: str, version: str, on: bool, why: str) -> None:
        """Switch the watch over a version on or off; StoreError for a version that is not known.
        Where it stands so already nothing is written."""
        if version not in self.known_versions(model):
            raise StoreError(
                f"{model} has no version {version!r}: choose one of "
                f"{', '.join(self.known_versions(model)) or 'none'}."
            )
        subject, new = f"{model}/{version}", "on" if on else "off"
        if on == (self.not_watched(model, version) is None):
            return
        self.record(now, who, "watch", subject, new, why)
