"""When a check-in is made, and what the instruments and the past say of it.

All tables have a row a day, the warm-up included, and a column a guard.
"""

import numpy as np
from scipy.special import expit

from .truth import Conduct, draw
from .world import (
    BUDDY,
    GHOST,
    GPS,
    LATE_MINUTES,
    LATENESS,
    MATCH,
    REPLAY,
    SHIFTS,
    World,
)

__all__ = ["seconds_of_day", "minutes_into_shift", "measured", "looked_back"]


def seconds_of_day(world: World, done: Conduct) -> np.ndarray:
    "Local second of the day of each check-in; a guard has one a day at most."
    suspicious = done.intensity > 0
    covers = suspicious & (done.kind == LATENESS)
    z = draw(world, "minutes", "standard_normal")
    usual = _shift_starts(world) + np.where(covers, -np.abs(z), _minutes_after(world, done, z))
    at_night = 30 + 240 * draw(world, "odd minute")
    v = draw(world, "odd hour")
    ghost = suspicious & (done.kind == GHOST)
    odd = np.where(ghost, v < 0.4 + 0.5 * done.intensity, v < 0.004)
    return np.rint(60 * np.where(odd, at_night, usual)).astype(np.int64)


def _shift_starts(world):
    "The minute of the day at which each guard's shift starts."
    shift = world.stream("shift").choice(3, world.guards, p=[0.4, 0.3, 0.3])
    return np.array(SHIFTS)[shift] * 60.0


def _minutes_after(world, done, z):
    "Minutes after the start of the shift, mostly before it; those who are often late come later."
    tardy = world.stream("tardy").beta(1.2, 12, world.guards)
    often = done.active & (done.kind == LATENESS)
    late = draw(world, "late") < tardy + 0.35 * often
    return np.clip(np.where(late, LATE_MINUTES + 12 * np.abs(z) + 1, -9 + 5 * z), -40, 100)


def minutes_into_shift(second: np.ndarray) -> np.ndarray:
    "Minutes since a shift started, whose ever it was; they start every eight hours."
    return (second // 60 - SHIFTS[0] * 60) % 480 + second % 60 / 60


# log metres, logit of agreement, logit of face match: at any intensity, and times the intensity
_TRACES = {
    GPS: ((1.0, 4.4), (-0.4, -4.4), (0, 0)),
    BUDDY: ((0, 0), (-0.2, -1.4), (-1.2, -6.4)),
    GHOST: ((0.4, 2.4), (-0.3, -2.8), (-0.4, -2.8)),
    LATENESS: ((1.0, 3.8), (-0.4, -3.2), (0, 0)),
    REPLAY: ((-0.4, -2.4), (0.3, 2.4), (0.3, 2.8)),
}


def measured(world: World, done: Conduct, new_camera: np.ndarray) -> dict[str, np.ndarray]:
    "Drift in metres, agreement of fixes and face match of each check-in."
    far, torn, unlike = _traces(done)
    poor_day = world.stream("poor day").random(len(done.kind)) < 1 / 30
    poor = np.where(poor_day, 1.0, 0.0)[:, None]
    canyon = draw(world, "canyon") < 0.01
    drift = _log_metres(world, poor, canyon) + far
    agreement = _agreement(world, poor, canyon) + torn
    match = _face_match(world, new_camera) + unlike
    return {
        "gps_drift_meters": np.round(np.exp(drift), 1),
        "location_consistency_score": np.round(expit(agreement), 3),
        "face_recognition_confidence": np.round(expit(match), 3),
    }


def _traces(done):
    "What its pattern adds to the three measurements of each check-in."
    size = np.zeros((3, 2, len(_TRACES)))
    for pattern, traces in _TRACES.items():
        size[:, :, pattern] = traces
    suspicious = done.intensity > 0
    return [
        np.where(suspicious, at[done.kind] + times[done.kind] * done.intensity, 0.0)
        for at, times in size
    ]


def _log_metres(world, poor, canyon):
    "How far the position lies from the site: by the site, by chance, on poor days, in canyons."
    indoors = world.stream("indoors").normal(0, 0.35, world.sites)
    chance = draw(world, "drift", "standard_normal")
    usual = np.log(12) + indoors[world.site_of_guard]
    return usual + 0.55 * chance + 0.7 * poor + 1.2 * canyon


def _agreement(world, poor, canyon):
    "How well the fixes agree, as a logit."
    chance = draw(world, "agreement", "standard_normal")
    return 2.4 + 0.6 * chance - 0.7 * poor - 1.2 * canyon


def _face_match(world, new_camera):
    "How well the face matches, as a logit: by the site's light, by guard, by chance, by camera."
    light = world.stream("light").normal(0, 0.3, world.sites)
    face = world.stream("face of guard").normal(0, 0.4, world.guards)
    chance = draw(world, "match", "standard_normal")
    dark = draw(world, "dark") < 0.01
    usual = 3.4 + light[world.site_of_guard] + face
    return usual + 0.6 * chance - 1.8 * dark - 1.2 * new_camera


def looked_back(
    comes: np.ndarray, weekend: np.ndarray, second: np.ndarray, face_match: np.ndarray
) -> dict[str, np.ndarray]:
    "The four features that look back by days; `weekend` is a column."
    since = minutes_into_shift(second)
    late = (since > LATE_MINUTES) & (since <= 120)
    mismatch = face_match < MATCH
    with np.errstate(invalid="ignore"):
        late_rate = _before(late & comes, 30) / _before(comes, 30)
        weekends = _before(comes & weekend, 28) / _before(comes, 28)
    return {
        "check_in_frequency_zscore": _unusual_frequency(comes),
        "late_arrival_rate": late_rate,
        "weekend_work_frequency": weekends,
        "biometric_mismatch_count_30d": _before(mismatch & comes, 30).astype(int),
    }


def _unusual_frequency(comes):
    "Check-ins of the last week against those of the four weeks before each day."
    week = _before(comes, 7)
    mean = _before(week, 28) / 28
    spread = np.sqrt(np.maximum(_before(week**2, 28) / 28 - mean**2, 0.25))
    return (week - mean) / spread


def _before(table, days):
    "Sum over the `days` rows before each row, the row itself left out."
    zero = np.zeros((1, table.shape[1]))
    total = np.vstack([zero, np.cumsum(table, axis=0, dtype=float)])
    i = np.arange(len(table))
    return total[i] - total[np.maximum(i - days, 0)]
