"""A simulated log of guards checking in, with the truth attached.

`world` says what may be set, `calendar` which days are holidays, `truth` who comes, who cheats and
what the instruments measure, `log` makes the table of check-ins of it, `people` that of the sites.
"""

from .calendar import holiday_calendar
from .log import check_ins
from .people import sites
from .world import FEATURES, LATE_MINUTES, MATCH, PATTERNS, SHIFTS, ZONE, World

__all__ = [
    "ZONE",
    "FEATURES",
    "MATCH",
    "LATE_MINUTES",
    "SHIFTS",
    "PATTERNS",
    "holiday_calendar",
    "World",
    "check_ins",
    "sites",
]
