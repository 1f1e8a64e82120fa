"""A simulated log of guards checking in, with the truth attached.

`world` says what may be set, `calendar` which days are holidays, `truth` who comes, who cheats and
what the instruments measure, `log` makes the table of check-ins of it, `people` that of the sites.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .calendar import holiday_calendar
from .people import sites
from .world import FEATURES, LATE_MINUTES, MATCH, PATTERNS, SHIFTS, ZONE, World

if TYPE_CHECKING:
    from .log import check_ins

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


def __getattr__(name):
    "`check_ins` when it is first asked for: other stories need not load what it is made with."
    if name != "check_ins":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(".log", __name__).check_ins
