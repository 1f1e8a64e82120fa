"""Who comes, who is up to something, and how likely that is fraud.

All tables have a row a day, the warm-up included, and a column a guard.
"""

from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import brentq
from scipy.special import expit

from .calendar import holiday_calendar
from .world import GHOST, REPLAY, World

__all__ = [
    "WARMUP",
    "Conduct",
    "calendar_days",
    "draw",
    "roster",
    "conduct",
    "fraud_probability",
    "drifted_kind",
    "new_cameras",
]

# days before the first, so that features that look back have something to look at
WARMUP = 60
# days that a guard keeps to one pattern
_SPELL = 14
# of the first four patterns among guards who are up to something
_SHARES = (0.30, 0.30, 0.20, 0.20)
# share of the days of a spell on which something is done
_IN_SPELL = 0.35
# suspicious check-ins per fraud
_SUSPICIOUS = 1.45
# share of frauds that leave no trace
_TRACELESS = 0.05
# log-odds of fraud from the lowest intensity to the highest
_SLOPE = 12.0


def draw(world: World, name: str, kind: str = "random") -> np.ndarray:
    "One draw for each day and guard."
    return getattr(world.stream(name), kind)((WARMUP + world.days, world.guards))


def calendar_days(world: World) -> tuple[np.ndarray, np.ndarray]:
    "All dates, and which of them are holidays."
    start = world.first - timedelta(WARMUP)
    dates = [start + timedelta(i) for i in range(WARMUP + world.days)]
    holidays = world.holidays
    if holidays is None:
        holidays = holiday_calendar(start, world.last)
    return np.array(dates, dtype=object), np.array([bool(holidays.get(day)) for day in dates])


def roster(world: World, holiday: np.ndarray) -> np.ndarray:
    "Whether each guard works on each day."
    shifts = world.shifts_per_week
    day = np.arange(len(holiday))[:, None]
    start = world.stream("roster").integers(0, 7, world.guards)
    on_roster = (day + start + day // 28) % 7 < shifts
    u = draw(world, "absence")
    comes = u >= 0.04 + 0.3 * holiday[:, None]
    stands_in = u < 0.04 * shifts / (7 - shifts)
    return np.where(on_roster, comes, stands_in)


class Conduct(NamedTuple):
    "Who checks in and how: the pattern of each guard's spell, and its intensity."

    comes: np.ndarray
    kind: np.ndarray
    # 0: nothing unusual
    intensity: np.ndarray
    # whether the guard's spell is one of those in which something is done
    active: np.ndarray


def conduct(world: World, works: np.ndarray) -> Conduct:
    "Spells of two weeks in which a guard keeps to one pattern, on some of the days."
    n_days, guards = works.shape
    offset = world.stream("spells").integers(0, _SPELL, guards)
    spell = (np.arange(n_days)[:, None] + offset) // _SPELL
    column = np.arange(guards)
    active, kind = (of_spell[spell, column] for of_spell in _spells(world, spell.max() + 1))
    suspicious = active & (draw(world, "suspicious") < _IN_SPELL)
    comes = works | (suspicious & (kind == GHOST))
    intensity = np.where(suspicious, draw(world, "intensity"), 0.0)
    return Conduct(comes, kind, intensity, active)


def _spells(world, n_spells):
    "Whether something is done in each spell of each guard, and by which pattern."
    shape = (n_spells, world.guards)
    # mean 1: few guards, many spells
    habit = 3 * world.stream("habit").random(world.guards) ** 2
    active = world.stream("active").random(shape) < _suspicious_days(world) / _IN_SPELL * habit
    bounds = np.cumsum(_SHARES)[:-1]
    return active, np.searchsorted(bounds, world.stream("kind").random(shape), side="right")


def _suspicious_days(world):
    "The share of a guard's days to be suspicious, so that of the check-ins the right share is."
    on = world.shifts_per_week / 7
    share = _SUSPICIOUS * world.fraud_rate
    # ghosts also come on days off
    return share * on / (on + _SHARES[GHOST] * (1 - on) * (1 - share))


def fraud_probability(world: World, intensity: np.ndarray) -> np.ndarray:
    "P(fraud) given the intensity, the day and the site."
    day, site = _effects(world, len(intensity))
    effect = day[:, None] + site[world.site_of_guard]
    spread = float(np.hypot(world.day_effect, world.site_effect))
    suspicious = _level((1 - _TRACELESS) / _SUSPICIOUS, spread, _SLOPE)
    rare = _TRACELESS * world.fraud_rate / (1 - _SUSPICIOUS * world.fraud_rate)
    plain = _level(rare, spread, 0.0)
    return np.where(
        intensity > 0,
        expit(suspicious + _SLOPE * (intensity - 0.5) + effect),
        expit(plain + effect),
    )


def _effects(world, n_days):
    "The effect of each day (mean 0, autocorrelated by `day_memory`) and of each site."
    memory = world.day_memory
    day = world.stream("day").standard_normal(n_days)
    for i in range(1, n_days):
        day[i] = memory * day[i - 1] + np.sqrt(1 - memory**2) * day[i]
    site = world.stream("site").standard_normal(world.sites)
    return world.day_effect * day, world.site_effect * site


def _level(mean, spread, slope):
    """The intercept at which the average probability over intensity (uniform) and effects (normal)
    is `mean`.
    """
    z, weight = hermegauss(40)
    intensity = (np.arange(200) + 0.5) / 200
    x = (slope * (intensity - 0.5))[:, None] + spread * z
    average = lambda level: (expit(level + x) @ weight).mean() / weight.sum()
    return brentq(lambda level: average(level) - mean, -40, 40)


def drifted_kind(world: World, dates: np.ndarray, done: Conduct) -> np.ndarray:
    "The patterns, after the drift half of them replays."
    replay = _after(world, dates) & (done.intensity > 0) & (draw(world, "replay") < 0.5)
    return np.where(replay, REPLAY, done.kind)


def new_cameras(world: World, dates: np.ndarray) -> np.ndarray:
    "Where the cameras are new: at a third of the sites after the drift."
    rank = world.stream("firmware").permutation(world.sites)
    renewed = rank < np.ceil(world.sites / 3)
    return _after(world, dates) & renewed[world.site_of_guard]


def _after(world, dates):
    "Whether each day lies after the drift, as a column."
    if world.drift_on is None:
        return np.zeros((len(dates), 1), bool)
    return (dates >= world.drift_on)[:, None]
