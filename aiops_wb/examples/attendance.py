"""A simulated log of guards checking in, with the truth attached."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from numbers import Integral, Real
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import brentq
from scipy.special import expit

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
MATCH = 0.6  # a face recognised with less confidence counts as a mismatch
LATE_MINUTES = 5  # a check-in later than this after the start of the shift is late
SHIFTS = (6, 14, 22)  # hours at which shifts start


PATTERNS = {
    "gps_spoofing": "checks in from elsewhere: far from the site, position fixes that disagree",
    "buddy_punching": "somebody else checks in: the face does not match, and did not match earlier",
    "ghost_shift": "check-ins for a shift nobody worked: days off, odd hours, too many of them",
    "lateness_cover": "a guard who is often late checks in from the road, on the minute",
    "replay": "from the day of drift: recorded face and copied position, everything a little too good",
}


_SHARES = (0.30, 0.30, 0.20, 0.20)  # of the first four among guards who are up to something
GPS, BUDDY, GHOST, LATENESS, REPLAY = range(5)


def _library():
    try:
        return importlib.import_module("holidays")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "the holiday calendars are not installed: pip install 'aiops_wb[demo]'."
        ) from None


def holiday_calendar(
    first: date, last: date, *, country: str = "VN", own: Mapping[date, str] | None = None
) -> dict[date, str]:
    """Holidays of the days first..last, both included: the country's, with a tenant's own table
    over them (an empty name removes a day).
    """
    wrong = [d for d in own or {} if type(d) is not date]
    if wrong:
        raise ValueError(
            f"own holiday {wrong[0]!r} is not allowed: use a datetime.date for each day."
        )
    library = _library()
    try:
        public = library.country_holidays(
            country, years=range(first.year, last.year + 1), language="en_US"
        )
    except NotImplementedError:
        raise ValueError(
            f"country {country!r} has no holiday calendar: use a two-letter ISO code such as 'VN' "
            "or 'DE'."
        ) from None
    return {
        d: name
        for d, name in sorted({**public, **(own or {})}.items())
        if name and first <= d <= last
    }


_WHOLE = Integral
_ONE_OR_MORE = "a whole number of at least 1"
_EFFECT = "a number from 0 to 2, a standard deviation of log-odds"
_RULES = {  # what each knob may be: kind, test, words
    "days": (_WHOLE, lambda x: x >= 1, _ONE_OR_MORE),
    "sites": (_WHOLE, lambda x: x >= 1, _ONE_OR_MORE),
    "guards_per_site": (_WHOLE, lambda x: x >= 1, _ONE_OR_MORE),
    "shifts_per_week": (_WHOLE, lambda x: 1 <= x <= 6, "a whole number from 1 to 6"),
    "fraud_rate": (Real, lambda x: 0 < x <= 0.05, "a share above 0 and up to 0.05"),
    "day_effect": (Real, lambda x: 0 <= x <= 2, _EFFECT),
    "day_memory": (Real, lambda x: 0 <= x < 1, "a correlation from 0 to below 1"),
    "site_effect": (Real, lambda x: 0 <= x <= 2, _EFFECT),
    "label_delay_days": (Real, lambda x: 1 < x < 20, "a mean between 1 and 20 days"),
    "unlabelled_share": (Real, lambda x: 0 <= x < 1, "a share from 0 to below 1"),
    "seed": (_WHOLE, lambda x: x >= 0, "a whole number of at least 0"),
}


def _require(name, value, kind, test, words):
    if not (isinstance(value, kind) and not isinstance(value, bool) and test(value)):
        raise ValueError(f"{name} {value!r} is not allowed: use {words}.")


@dataclass(frozen=True)
class World:
    "How large the simulated company is, how it is cheated, and how its labels arrive."

    first: date = date(2025, 1, 1)
    days: int = 365
    sites: int = 200
    guards_per_site: int = 14
    shifts_per_week: int = 5
    fraud_rate: float = 0.01  # share of check-ins in the long run
    day_effect: float = 0.8  # standard deviation over days, in log-odds
    day_memory: float = 0.0  # correlation of one day's effect with the next; 0: independent
    site_effect: float = 0.4  # standard deviation over sites, in log-odds
    drift_on: date | None = None  # the first day with new cameras and a new pattern
    label_delay_days: float = 6.0  # mean days from check-in to label, for honest check-ins
    positives_later: float = (
        2.0  # mean days by which a fraud's label comes later; negative: earlier
    )
    unlabelled_share: float = 0.1  # check-ins that nobody ever looks into
    holidays: Mapping[date, str] | None = None  # None: the public ones of Vietnam
    seed: int = 0

    def __post_init__(self):
        _require(
            "first",
            self.first,
            date,
            lambda d: type(d) is date and d.year >= 1980,
            "a datetime.date from 1980 on",
        )
        for name, rule in _RULES.items():
            _require(name, getattr(self, name), *rule)
        _require(
            "positives_later",
            self.positives_later,
            Real,
            lambda x: 1 < self.label_delay_days + x < 20,
            "days that keep the mean delay of a fraud's label between 1 and 20",
        )
        if self.drift_on is not None:
            _require(
                "drift_on",
                self.drift_on,
                date,
                lambda d: type(d) is date and self.first <= d <= self.last,
                f"a datetime.date from {self.first} to {self.last}, or None",
            )

    @property
    def last(self) -> date:
        "The last day."
        return self.first + timedelta(self.days - 1)

    @property
    def guards(self) -> int:
        "How many guards there are."
        return self.sites * self.guards_per_site


_WARMUP = 60


def _stream(world, name):
    return np.random.default_rng([world.seed, crc32(name.encode())])


def _table(world, name, kind="random"):
    "One draw for each day (warm-up included) and guard."
    return getattr(_stream(world, name), kind)((_WARMUP + world.days, world.guards))


def _site(world):
    "The site of each guard."
    return np.arange(world.guards) // world.guards_per_site


def _days(world):
    "All dates, warm-up included, and which of them are holidays."
    start = world.first - timedelta(_WARMUP)
    dates = np.array([start + timedelta(i) for i in range(_WARMUP + world.days)], dtype=object)
    calendar = holiday_calendar(start, world.last) if world.holidays is None else world.holidays
    return dates, np.array([bool(calendar.get(d)) for d in dates])


def _roster(world, holiday):
    "Whether each guard works on each day."
    s = world.shifts_per_week
    day = np.arange(len(holiday))[:, None]
    start = _stream(world, "roster").integers(0, 7, world.guards)
    u = _table(world, "absence")
    on_roster = (day + start + day // 28) % 7 < s
    return np.where(on_roster, u >= 0.04 + 0.3 * holiday[:, None], u < 0.04 * s / (7 - s))


_IN_SPELL, _SUSPICIOUS, _TRACELESS, _SLOPE = (
    0.35,
    1.45,
    0.05,
    12.0,
)  # share of a spell; suspicious per fraud; share of frauds; log-odds over the intensity


def _suspicion(world, works):
    """Who checks in, the pattern of each guard's spell, and the intensity (0: nothing unusual),
    each a row a day and a column a guard.
    """
    n, guards = works.shape
    on = world.shifts_per_week / 7
    share = _SUSPICIOUS * world.fraud_rate
    cell = (
        share * on / (on + _SHARES[GHOST] * (1 - on) * (1 - share))
    )  # ghosts also come on days off
    offset = _stream(world, "spells").integers(0, 14, guards)
    spell = (np.arange(n)[:, None] + offset) // 14
    shape = (spell.max() + 1, guards)
    habit = 3 * _stream(world, "habit").random(guards) ** 2  # mean 1: few guards, many spells
    active = _stream(world, "active").random(shape) < cell / _IN_SPELL * habit
    kind = np.searchsorted(
        np.cumsum(_SHARES)[:-1], _stream(world, "kind").random(shape), side="right"
    )
    column = np.arange(guards)
    active, kind = active[spell, column], kind[spell, column]
    suspicious = active & (_table(world, "suspicious") < _IN_SPELL)
    comes = works | (suspicious & (kind == GHOST))
    return comes, kind, np.where(suspicious, _table(world, "intensity"), 0.0), active


def _level(mean, spread, slope):
    """The intercept at which the average probability over intensity (uniform) and effects (normal)
    is `mean`.
    """
    z, weight = hermegauss(40)
    x = (slope * ((np.arange(200) + 0.5) / 200 - 0.5))[:, None] + spread * z
    return brentq(lambda a: (expit(a + x) @ weight).mean() / weight.sum() - mean, -40, 40)


def _effects(world, n):
    "The effect of each day (mean 0, autocorrelated by `day_memory`) and of each site."
    day = _stream(world, "day").standard_normal(n)
    for i in range(1, n):
        day[i] = world.day_memory * day[i - 1] + np.sqrt(1 - world.day_memory**2) * day[i]
    return world.day_effect * day, world.site_effect * _stream(world, "site").standard_normal(
        world.sites
    )


def _probability(world, intensity, effect):
    "P(fraud) given intensity and effects."
    spread = float(np.hypot(world.day_effect, world.site_effect))
    suspicious = _level((1 - _TRACELESS) / _SUSPICIOUS, spread, _SLOPE)
    plain = _level(
        _TRACELESS * world.fraud_rate / (1 - _SUSPICIOUS * world.fraud_rate), spread, 0.0
    )
    return np.where(
        intensity > 0,
        expit(suspicious + _SLOPE * (intensity - 0.5) + effect),
        expit(plain + effect),
    )


def _drift(world, dates, kind, intensity):
    "The patterns after the drift, and where the cameras are new (a row a day, a column a guard)."
    after = np.zeros(len(dates), bool) if world.drift_on is None else dates >= world.drift_on
    replay = after[:, None] & (intensity > 0) & (_table(world, "replay") < 0.5)
    rank = _stream(world, "firmware").permutation(world.sites)
    return np.where(replay, REPLAY, kind), after[:, None] & (rank < np.ceil(world.sites / 3))[
        _site(world)
    ]


def _seconds(world, kind, intensity, active):
    "Local second of the day of each check-in; a guard has one a day at most."
    start = (
        np.array(SHIFTS)[_stream(world, "shift").choice(3, kind.shape[1], p=[0.4, 0.3, 0.3])] * 60.0
    )
    tardy = _stream(world, "tardy").beta(1.2, 12, kind.shape[1])
    u, z = _table(world, "late"), _table(world, "minutes", "standard_normal")
    late = u < tardy + 0.35 * (active & (kind == LATENESS))
    wait = np.clip(np.where(late, LATE_MINUTES + 12 * np.abs(z) + 1, -9 + 5 * z), -40, 100)
    covers = (intensity > 0) & (kind == LATENESS)
    minute = start + np.where(covers, -np.abs(z), wait)
    v = _table(world, "odd hour")
    odd = np.where((intensity > 0) & (kind == GHOST), v < 0.4 + 0.5 * intensity, v < 0.004)
    return np.rint(60 * np.where(odd, 30 + 240 * _table(world, "odd minute"), minute)).astype(
        np.int64
    )


_SHIFTS = {  # log metres, logit of agreement, logit of face match: at any intensity, and times the intensity
    GPS: ((1.0, 4.4), (-0.4, -4.4), (0, 0)),
    BUDDY: ((0, 0), (-0.2, -1.4), (-1.2, -6.4)),
    GHOST: ((0.4, 2.4), (-0.3, -2.8), (-0.4, -2.8)),
    LATENESS: ((1.0, 3.8), (-0.4, -3.2), (0, 0)),
    REPLAY: ((-0.4, -2.4), (0.3, 2.4), (0.3, 2.8)),
}


def _measured(world, kind, intensity, new_camera):
    "Drift in metres, agreement of fixes and face match of each check-in."
    n, guards = kind.shape
    trace = np.zeros((3, 2, 5))
    for pattern, shifts in _SHIFTS.items():
        trace[:, :, pattern] = shifts
    shift = [
        np.where(intensity > 0, at[kind] + times[kind] * intensity, 0.0) for at, times in trace
    ]
    indoors = _stream(world, "indoors").normal(0, 0.35, world.sites)
    light = _stream(world, "light").normal(0, 0.3, world.sites)
    face = _stream(world, "face of guard").normal(0, 0.4, guards)
    poor = np.where(_stream(world, "poor day").random(n) < 1 / 30, 1.0, 0.0)[:, None]
    canyon, dark = _table(world, "canyon") < 0.01, _table(world, "dark") < 0.01
    drift = (
        np.log(12)
        + indoors[_site(world)]
        + 0.55 * _table(world, "drift", "standard_normal")
        + 0.7 * poor
        + 1.2 * canyon
        + shift[0]
    )
    agreement = (
        2.4
        + 0.6 * _table(world, "agreement", "standard_normal")
        - 0.7 * poor
        - 1.2 * canyon
        + shift[1]
    )
    match = (
        3.4
        + light[_site(world)]
        + face
        + 0.6 * _table(world, "match", "standard_normal")
        - 1.8 * dark
        - 1.2 * new_camera
        + shift[2]
    )
    return np.round(np.exp(drift), 1), np.round(expit(agreement), 3), np.round(expit(match), 3)


def _before(table, days):
    "Sum over the `days` rows before each row, the row itself left out."
    total = np.vstack([np.zeros((1, table.shape[1])), np.cumsum(table, axis=0, dtype=float)])
    i = np.arange(len(table))
    return total[i] - total[np.maximum(i - days, 0)]


def _history(comes, weekend, late, mismatch):
    "The four features that look back by days."
    with np.errstate(invalid="ignore"):
        rate = _before(late & comes, 30) / _before(comes, 30)
        weekends = _before(comes & weekend[:, None], 28) / _before(comes, 28)
    week = _before(comes, 7)
    mean = _before(week, 28) / 28
    spread = np.sqrt(np.maximum(_before(week**2, 28) / 28 - mean**2, 0.25))
    return {
        "check_in_frequency_zscore": (week - mean) / spread,
        "late_arrival_rate": rate,
        "weekend_work_frequency": weekends,
        "biometric_mismatch_count_30d": _before(mismatch & comes, 30).astype(int),
    }


def _delay_hours(world, fraud, u):
    "Hours until the label: 24 to 480, with the given mean; u is uniform."
    mean = world.label_delay_days + world.positives_later * fraud
    return 24 + 19 * 24 * u ** (19 / (mean - 1) - 1)


def _truth(world, dates, holiday):
    "All tables that a log is made of, each a row a day and a column a guard."
    comes, kind, intensity, active = _suspicion(world, _roster(world, holiday))
    day_effect, site_effect = _effects(world, len(dates))
    probability = _probability(world, intensity, day_effect[:, None] + site_effect[_site(world)])
    kind, new_camera = _drift(world, dates, kind, intensity)
    second = _seconds(world, kind, intensity, active)
    drift, agreement, match = _measured(world, kind, intensity, new_camera)
    since = (
        second // 60 - SHIFTS[0] * 60
    ) % 480 + second % 60 / 60  # shifts start every eight hours
    fraud = _table(world, "fraud") < probability
    weekend = np.array([d.weekday() >= 5 for d in dates])
    measured = {
        "gps_drift_meters": drift,
        "location_consistency_score": agreement,
        "face_recognition_confidence": match,
    }
    looked_back = _history(comes, weekend, (since > LATE_MINUTES) & (since <= 120), match < MATCH)
    delay = np.where(
        _table(world, "labelled") < world.unlabelled_share,
        np.nan,
        _delay_hours(world, fraud, _table(world, "delay")),
    )
    return (
        comes,
        second,
        measured
        | looked_back
        | {"probability": probability, "fraud": fraud, "kind": kind, "delay": delay},
    )


def _hours_since(guard, seconds):
    """Hours since the same guard's check-in before, missing for the first; rows are in the order of
    time.
    """
    order = np.argsort(guard, kind="stable")
    gap = np.diff(seconds[order], prepend=0) / 3600
    gap[np.flatnonzero(np.diff(guard[order], prepend=-1))] = np.nan
    hours = np.empty(len(guard))
    hours[order] = gap
    return hours


def check_ins(world: World) -> pd.DataFrame:
    """One row per check-in in the order of time: event_id, entity_id (the guard), site_id, day,
    checked_in_at, `FEATURES`, probability, fraud, pattern, label, known_at.

    `day` and the hour are those of `ZONE`, the times are UTC. `label` and `known_at` are missing
    where the truth never becomes known.
    """
    dates, holiday = _days(world)
    comes, second, tables = _truth(world, dates, holiday)
    d, g = np.nonzero(comes)
    order = np.lexsort((g, d * 86_400 + second[d, g]))
    d, g = d[order], g[order]
    second = second[d, g]
    since = _hours_since(g, d * 86_400 + second)
    shown = d >= _WARMUP
    d, g, second, since = d[shown], g[shown], second[shown], since[shown]
    f = {name: table[d, g] for name, table in tables.items()}
    local = pd.DatetimeIndex(
        dates.astype("datetime64[s]")[d] + second.astype("timedelta64[s]")
    ).tz_localize(ZONE)
    at = local.tz_convert("UTC")
    weekday = local.day_of_week.to_numpy()
    f |= {
        "hour_of_day": second // 3600,
        "day_of_week": weekday,
        "is_weekend": (weekday >= 5).astype(int),
        "is_holiday": holiday[d].astype(int),
        "time_since_last_event": since,
    }
    number = np.arange(len(d)) - np.searchsorted(
        d, d
    )  # of the day, so that a longer world keeps the ids
    names = lambda letter, digits, n: np.array(
        [f"{letter}{i:0{digits}}" for i in range(n)], dtype=object
    )
    ids = (
        np.array([f"{x:%Y%m%d}-" for x in dates], dtype=object)[d]
        + names("", 6, number.max(initial=-1) + 1)[number]
    )
    fraud = f["fraud"].astype(int)
    return pd.DataFrame(
        {
            "event_id": ids,
            "entity_id": names("G", 5, comes.shape[1])[g],
            "site_id": names("S", 4, world.sites)[_site(world)[g]],
            "day": dates[d],
            "checked_in_at": at,
            **{name: f[name] for name in FEATURES},
            "probability": f["probability"],
            "fraud": fraud,
            "pattern": np.where(fraud == 1, np.array(list(PATTERNS), dtype=object)[f["kind"]], ""),
            "label": np.where(np.isnan(f["delay"]), np.nan, fraud),
            "known_at": at + pd.to_timedelta(f["delay"], unit="h").round("s").as_unit("s"),
        }
    )


_PLACES = (
    "Tan Binh",
    "Thu Duc",
    "Binh Thanh",
    "Go Vap",
    "Phu Nhuan",
    "Cu Chi",
    "Nha Be",
    "Bien Hoa",
    "Di An",
    "Vung Tau",
)
_KINDS = (
    "warehouse",
    "office tower",
    "factory",
    "mall",
    "hospital",
    "school",
    "container yard",
    "data centre",
)
_FAMILY = ("Nguyen", "Tran", "Le", "Pham", "Hoang", "Phan", "Vu", "Dang", "Bui", "Do")
_GIVEN = (
    "An",
    "Binh",
    "Chi",
    "Dung",
    "Giang",
    "Ha",
    "Khanh",
    "Lan",
    "Minh",
    "Quan",
    "Thao",
    "Tuan",
)


def _people(rng, n):
    return np.array(
        [
            f"{family} {given}"
            for family, given in zip(rng.choice(_FAMILY, n), rng.choice(_GIVEN, n))
        ],
        dtype=object,
    )


def sites(world: World) -> pd.DataFrame:
    """One row per site: site_id, name, security_manager (missing for 18 % of the sites), manager
    (of about ten sites; missing for 3 %, which have nobody).
    """
    rng, n = _stream(world, "sites"), world.sites
    rank = rng.permutation(n)
    security, managers = _people(rng, n), _people(rng, n // 10 + 1)
    return pd.DataFrame(
        {
            "site_id": [f"S{i:04d}" for i in range(n)],
            "name": [f"{_PLACES[i % 10]} {_KINDS[i // 10 % 8]} {i // 80 + 1}" for i in range(n)],
            "security_manager": np.where(rank < round(0.18 * n), None, security),
            "manager": np.where(rank < round(0.03 * n), None, managers[np.arange(n) // 10]),
        }
    )
