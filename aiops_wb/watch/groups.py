"""Whether prediction sets hold in each tenant and site."""

from datetime import date, timedelta
from functools import cached_property

from ..stats.conformal import SetBounds
from ..stats.counts import ScoreCounts
from ..stats.coverage import GroupReport, coverage_by_group
from .model_day import ModelDay
from .tickets import Tickets

__all__ = ["Groups"]


class Groups:
    """Coverage of the label-conditional sets in each tenant and site.

    The sets that are logged, shown with an event and used by rules are those of all groups
    together: they cover each label as stated over all groups, and perhaps not in one of them. Sets
    that a group calibrates for itself (`GroupConditional`) are shown beside them and decide
    nothing. They cover each label within the group as stated, on average over calibrations, if its
    events of that label are exchangeable from the days before to the judged ones; a day is complete
    by the labels of the whole model, not of the group.
    """

    def __init__(self, of: ModelDay, tickets: Tickets):
        self._of, self._tickets = of, tickets

    @cached_property
    def bounds(self) -> dict[date, SetBounds]:
        "Those of the judged days: complete, and with sets that left a label out of some event."
        limit, stood = self._of.grid.limit, self._tickets.set_bounds
        return {d: b for d, b in stood.items() if b.zero < limit or b.one > -limit}

    @property
    def judged(self) -> tuple[date, date] | None:
        "The first and the last of the judged days; None without any."
        return (min(self.bounds), max(self.bounds)) if self.bounds else None

    @property
    def calibrating(self) -> tuple[date, date]:
        "The days before the judged ones, as many as a calibration takes: a group's own sets."
        last = self.judged[0] - timedelta(1)
        return last - timedelta(self._of.settings.calibration_days - 1), last

    @cached_property
    def tenants(self) -> dict[str, dict[date, ScoreCounts]]:
        "Counts of each tenant on the days that had a calibration; empty where there is but one."
        days = self._decided
        if not days or len(self._of.tenants_between(*days)) < 2:
            return {}
        return self._read(self._of.reader.tenant_counts_by_day, days)

    @cached_property
    def sites(self) -> dict[str, dict[date, ScoreCounts]]:
        "Counts of each site ('site=EWR') on these days; empty where there is but one."
        if not self._decided:
            return {}
        sites = self._read(self._of.reader.segment_counts_by_day, self._decided)
        return sites if len(sites) > 1 else {}

    @property
    def _decided(self):
        days = self._tickets.set_bounds
        return (min(days), max(days)) if days else None

    def _read(self, read, days):
        of = self._of
        return read(of.model, *days, version=of.version, as_of=of.as_of)

    @cached_property
    def report(self) -> GroupReport | None:
        "Coverage by group, tenants and sites looked at together; None where `why_none` says why."
        if self.why_none:
            return None
        reader, judged, earlier = self._of.reader, {}, {}
        for name, days, read in (
            (lambda tenant: f"tenant {tenant}", self.tenants, reader.tenant_counts),
            (lambda site: site.replace("=", " ", 1), self.sites, reader.segment_counts),
        ):
            before = self._read(read, self.calibrating) if days else {}
            judged |= {name(group): counts for group, counts in days.items()}
            earlier |= {name(group): counts for group, counts in before.items()}
        return coverage_by_group(judged, earlier, self.bounds, self._of.settings.coverage)

    @property
    def why_none(self) -> str:
        "Why there is no coverage by group; empty where there is."
        if self._of.complete_days.why_none:
            return self._of.complete_days.why_none
        if not self.judged:
            return "no complete day was decided with sets that leave a label out"
        if not self.tenants and not self.sites:
            return "there is one tenant and no second site: no groups to compare"
        return ""
