"""The simulated company: what may be set about it, and what is the same in every one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from numbers import Integral, Real
from zlib import crc32

import numpy as np

__all__ = ["ZONE", "FEATURES", "MATCH", "LATE_MINUTES", "SHIFTS", "PATTERNS", "World"]


ZONE = "Asia/Ho_Chi_Minh"
FEATURES = (
    "hour_of_day",
    "day_of_week",
    "is_weekend",
    "is_holiday",
    "gps_drift_meters",
    "location_consistency_score",
    "check_in_frequency_zscore",
    "late_arrival_rate",
    "weekend_work_frequency",
    "face_recognition_confidence",
    "biometric_mismatch_count_30d",
    "time_since_last_event",
)
# a face recognised with less confidence counts as a mismatch
MATCH = 0.6
# a check-in later than this after the start of the shift is late
LATE_MINUTES = 5
# hours at which shifts start
SHIFTS = (6, 14, 22)

PATTERNS = {
    "gps_spoofing": "checks in from elsewhere: far from the site, position fixes that disagree",
    "buddy_punching": "somebody else checks in: the face does not match, and did not match earlier",
    "ghost_shift": "check-ins for a shift nobody worked: days off, odd hours, too many of them",
    "lateness_cover": "a guard who is often late checks in from the road, on the minute",
    "replay": (
        "from the day of drift: recorded face and copied position, everything a little too good"
    ),
}
# places of the patterns
GPS, BUDDY, GHOST, LATENESS, REPLAY = range(5)


@dataclass(frozen=True)
class World:
    "How large the simulated company is, how it is cheated, and how its labels arrive."

    first: date = date(2025, 1, 1)
    days: int = 365
    sites: int = 200
    guards_per_site: int = 14
    shifts_per_week: int = 5
    # share of check-ins in the long run
    fraud_rate: float = 0.01
    # standard deviation over days, in log-odds
    day_effect: float = 0.8
    # correlation of one day's effect with the next; 0: independent
    day_memory: float = 0.0
    # standard deviation over sites, in log-odds
    site_effect: float = 0.4
    # the first day with new cameras and a new pattern
    drift_on: date | None = None
    # mean days from check-in to label, for honest check-ins
    label_delay_days: float = 6.0
    # mean days by which a fraud's label comes later; negative: earlier
    positives_later: float = 2.0
    # check-ins that nobody ever looks into
    unlabelled_share: float = 0.1
    # None: the public ones of Vietnam
    holidays: Mapping[date, str] | None = None
    seed: int = 0

    def __post_init__(self):
        _require("first", self.first, *_FIRST)
        for name, rule in _RULES.items():
            _require(name, getattr(self, name), *rule)
        _require("positives_later", self.positives_later, *self._later_rule())
        if self.drift_on is not None:
            _require("drift_on", self.drift_on, *self._drift_rule())

    def _later_rule(self):
        words = "days that keep the mean delay of a fraud's label between 1 and 20"
        return Real, lambda x: 1 < self.label_delay_days + x < 20, words

    def _drift_rule(self):
        words = f"a datetime.date from {self.first} to {self.last}, or None"
        return date, lambda d: type(d) is date and self.first <= d <= self.last, words

    @property
    def last(self) -> date:
        "The last day."
        return self.first + timedelta(self.days - 1)

    @property
    def guards(self) -> int:
        "How many guards there are."
        return self.sites * self.guards_per_site

    @property
    def site_of_guard(self) -> np.ndarray:
        "The place of each guard's site."
        return np.arange(self.guards) // self.guards_per_site

    def stream(self, name: str) -> np.random.Generator:
        "Random numbers for one purpose: asking for more of one leaves all others what they were."
        return np.random.default_rng([self.seed, crc32(name.encode())])


_ONE_OR_MORE = (Integral, lambda x: x >= 1, "a whole number of at least 1")
_EFFECT = (
    Real,
    lambda x: 0 <= x <= 2,
    "a number from 0 to 2, a standard deviation of log-odds",
)
# what each setting may be: kind, test, words
_RULES = {
    "days": _ONE_OR_MORE,
    "sites": _ONE_OR_MORE,
    "guards_per_site": _ONE_OR_MORE,
    "shifts_per_week": (Integral, lambda x: 1 <= x <= 6, "a whole number from 1 to 6"),
    "fraud_rate": (Real, lambda x: 0 < x <= 0.05, "a share above 0 and up to 0.05"),
    "day_effect": _EFFECT,
    "day_memory": (Real, lambda x: 0 <= x < 1, "a correlation from 0 to below 1"),
    "site_effect": _EFFECT,
    "label_delay_days": (Real, lambda x: 1 < x < 20, "a mean between 1 and 20 days"),
    "unlabelled_share": (Real, lambda x: 0 <= x < 1, "a share from 0 to below 1"),
    "seed": (Integral, lambda x: x >= 0, "a whole number of at least 0"),
}
_FIRST = (date, lambda d: type(d) is date and d.year >= 1980, "a datetime.date from 1980 on")


def _require(name, value, kind, test, words):
    if isinstance(value, bool) or not (isinstance(value, kind) and test(value)):
        raise ValueError(f"{name} {value!r} is not allowed: use {words}.")
