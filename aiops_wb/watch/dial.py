"""From where on and how often somebody is called, or would be by another threshold."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from ..log.base import known_by
from ..log.catalog import Reader
from ..log.dial import BEGIN, own_since, subject_of
from ..stats.counts import ScoreCounts, total
from ..stats.points import Grid, as_points
from .model_day import ModelDay

__all__ = ["Calls", "Highs", "called_from", "called_otherwise", "calls_in_words"]

DAYS = 30


Highs = tuple[tuple[datetime, int], ...]
"Since when, in order, and from which points on somebody is called."


def called_from(
    reader: Reader,
    model: str,
    version: str,
    grid: Grid,
    usual: tuple[float, ...],
    last: date | None = None,
    as_of: datetime | None = None,
) -> Highs:
    """From which points on somebody was called, up to a day; since `BEGIN` at first.

    As long as the audit trail has no threshold, that of a day's predictions counts. `usual`: the
    fixed cuts. Empty where scores have no cuts.
    """
    zone = ZoneInfo(reader.timezone)
    by_day = reader.logged_thresholds(model, version, as_of)
    logged = {datetime.combine(d, time(), zone): at for d, at in by_day if not last or d <= last}
    subjects = [("dial", model), ("threshold", subject_of(model, version, None))]
    changes = [at for at in reader.changed_at(subjects) if known_by(at, as_of)]
    found, carried = [], next(iter(logged.values()), None)
    for at in [BEGIN, *sorted({*changes, *logged})]:
        carried = logged.get(at, carried)
        recorded = reader.threshold(model, version, at)
        threshold = carried if recorded is None else recorded
        ladder = reader.dial(model, at).ladder(threshold, grid, usual)
        if ladder and (not found or found[-1][1] != ladder.high):
            found.append((at if found else BEGIN, ladder.high))
    return tuple(found)


class Calls:
    "The calls of the last 30 days of a model: as recorded, and as thresholds would have made them."

    def __init__(self, of: ModelDay):
        self._of, self.first = of, of.day - timedelta(DAYS - 1)
        self._counts = {d: c for d, c in of.counts_by_day.items() if d >= self.first}

    @property
    def days(self) -> int:
        "How many of these days have predictions."
        return len(self._counts)

    @property
    def recorded(self) -> float:
        "Tickets and alerts a day, as they were decided."
        of = self._of
        decisions = of.reader.decisions(of.model, self.first, of.day, version=of.version)
        return float(decisions.n[decisions.route != "monitor"].sum()) / self.days

    def at(self, threshold: int) -> float:
        "Events a day at or above a threshold (points)."
        return total(self._counts.values(), self._of.grid).at_or_above(threshold)[0] / self.days

    def within(self, reader: Reader, threshold: int, tenant: str, site: str | None) -> float:
        "The same of one tenant, or of one of its sites."
        of, threshold = self._of, as_points(threshold)
        span = {"version": of.version, "tenant": tenant}
        if site is not None:
            span["segment"] = f"site={site}"
        days = reader.score_counts(of.model, self.first, of.day, **span)
        counts = total(days.values(), next(iter(days.values())).grid if days else of.grid)
        return counts.at_or_above(int(counts.grid.cells(threshold)))[0] / self.days


def calls_in_words(known: ScoreCounts, card: Mapping) -> str:
    """How often the threshold of a new version calls somebody, and that with the best F1, by its
    labelled events of the days that its card speaks of."""
    share = known.total[0] / card["held_out_events"]  # of a training only labelled ones are counted
    a_day = {
        name: known.at_or_above(card[name])[0] / share / card["held_out_days"]
        for name in ("threshold", "best_f1")
        if card.get(name) is not None
    }
    told = f"at its threshold somebody is called {a_day['threshold']:.1f} times a day"
    if "best_f1" in a_day:
        told += f"; at the best F1 of these days it would be {a_day['best_f1']:.1f}"
    return told


def called_otherwise(of: ModelDay, high_risk: int) -> str:
    """Why tickets and alerts of a day are not its events at or above the threshold in force, as a
    sentence after others; nothing where they are, or where no change of a threshold tells why."""
    above = int(of.counts_by_day[of.day].at_or_above(of.threshold)[0])
    if above == high_risk or not of.dial.on:
        return ""
    zone, reader, named = ZoneInfo(of.reader.timezone), of.reader, (of.model, of.version)
    subjects = [("dial", of.model), ("threshold", subject_of(*named, None))]
    turned = [at for at in reader.changed_at(subjects) if at.astimezone(zone).date() == of.day]
    own = [
        scopes for at, scopes in own_since(reader, *named) if at.astimezone(zone).date() <= of.day
    ]
    if not turned and not any(own[-1:]):
        return ""
    why = "it was changed on this day" if turned else "tenants or sites have their own"
    return (
        f" At or above the threshold of {of.probability(of.threshold):.3f} there were {above:,}, "
        f"but {high_risk:,} were called: {why}."
    )
