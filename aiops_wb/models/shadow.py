"""A version in the champion's shadow: it scores the same events and decides nothing.

What both would have said of a day is kept as sums and counts, so that a year of days is compared
without reading a row again.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..log.catalog import Reader
from ..log.dial import Scope, threshold_of
from ..log.errors import StoreError
from ..log.shadow import Pair
from ..log.store import Store
from ..stats.counts import ScoreCounts
from ..stats.decisions import RISK_CUTS
from ..stats.evidence import log_loss
from ..stats.points import Grid
from .explain import reasons
from .passed_on import passed_on
from .registry import load
from .version import ModelVersion, feature_columns

__all__ = ["Side", "follow", "left_behind", "pairs", "shadow_from", "unkept", "unseen_from"]

REASONS = 200
"So many events of a day that both call are asked for their first reason."


class Side(NamedTuple):
    "One version of a pair, and from how many points on it calls somebody; `own`: of some tenants."

    version: ModelVersion
    high: int
    own: Mapping[Scope, int] = MappingProxyType({})

    def points(self, rows: pd.DataFrame, features: pd.DataFrame) -> np.ndarray:
        "What it says of rows: as it was logged where it decided, else as it scores them now."
        decided = (rows.version == self.version.version).to_numpy()
        points = np.asarray(rows.points, dtype=np.int16).copy()
        if not decided.all():
            scored = self.version.score(features[~decided])
            points[~decided] = self.version.grid.quantise(scored)
        return points

    def calls(self, rows: pd.DataFrame, points: np.ndarray) -> np.ndarray:
        "Which of some rows it would call somebody for."
        if not self.own:
            return points >= self.high
        scopes = zip(rows.tenant, rows.site_id)
        own = pd.Series([threshold_of(self.own, *scope) for scope in scopes], dtype="Int32")
        return points >= own.fillna(self.high).to_numpy(dtype=int)


def pairs(reader: Reader, model: str, as_of: datetime | None = None) -> list[Pair]:
    "The champion beside each version in its shadow."
    champion = reader.active_version(model, as_of)
    if champion is None:
        return []
    shadows = reader.challengers(model, as_of)
    return [Pair(model, champion, other) for other in shadows if other != champion]


def shadow_from(reader: Reader, pair: Pair) -> date:
    "The first day from which neither of a pair had learned anything but a threshold."
    cards = [reader.version(pair.model, v).card for v in (pair.champion, pair.challenger)]
    return max(unseen_from(card) for card in cards)


def left_behind(
    reader: Reader, model: str, challenger: str, last: date, as_of: datetime
) -> Pair | None:
    "The champion and a challenger where a day up to the last is to be followed yet."
    pair = Pair(model, reader.active_version(model), challenger)
    return pair if reader.days_to_shadow(pair, shadow_from(reader, pair), last, as_of) else None


def unseen_from(card):
    "The first held-out day of a version; of one that was adopted, the day after its reference."
    if "adopted" not in card and card.get("held_out_from"):
        return date.fromisoformat(card["held_out_from"])
    return date.fromisoformat(card["window"][1]) + timedelta(1)


def follow(
    store: Store,
    pair: Pair,
    last: date,
    as_of: datetime,
    cuts: tuple[float, ...] = RISK_CUTS,
    first: date | None = None,
) -> int:
    """Score the days up to `last` of which something is new as of a time, and keep what both say;
    how many these were. `cuts`: who is called where the dial is off; `first`: the first day (None:
    the first that neither learned from).

    StoreError where one of them cannot score: its file is not here, or scores are no probabilities;
    and where it cannot score some days, for a feature that was not logged: the others are kept.
    """
    days = store.days_to_shadow(pair, first or shadow_from(store, pair), last, as_of)
    if not days:
        return 0
    sides = _sides(store, pair, as_of, cuts)
    lacking = {}
    for day in days:
        try:
            _follow_day(store, pair, sides, day, as_of)
        except StoreError as problem:
            lacking[day] = problem
    if lacking:
        earliest, why = next(iter(lacking.items()))
        raise StoreError(f"{len(lacking)} of {len(days)} days, the first {earliest}: {why}")
    return len(days)


def unkept(
    reader: Reader,
    pair: Pair,
    last: date,
    as_of: datetime,
    cuts: tuple[float, ...] = RISK_CUTS,
    first: date | None = None,
) -> pd.DataFrame:
    """What `follow` would keep of days up to `last`, of everyone and without reasons: as in
    `Reader.shadow_days`. Nothing is kept: the last day may not be over. StoreError as there."""
    days = reader.days_to_shadow(pair, first or shadow_from(reader, pair), last, as_of)
    sides = _sides(reader, pair, as_of, cuts) if days else ()
    sums = [
        _everyone(_seen(reader, pair, sides, day, as_of)).assign(event_date=day) for day in days
    ]
    kept = reader.shadow_days(pair, first, last, as_of=as_of).iloc[:0]
    found = pd.concat([kept, *sums], ignore_index=True)
    return found.assign(event_date=pd.to_datetime(found.event_date))


def _everyone(seen):
    "Sums over all events of a day."
    return pd.DataFrame(list(_sums(seen.rows, seen.told))[:1])


def _sides(store, pair, as_of, cuts):
    "Both versions with what calls somebody: of a challenger, what would if it took over."
    own = [store.own_thresholds(pair.model, version, as_of) for version in pair[1:]]
    if own[0] and pair.challenger in store.challengers(pair.model, as_of):
        stands = store.standing(pair.model, pair.champion, as_of)
        own[1] = own[1] | passed_on(store, pair.model, stands, pair.challenger)
    return [_side(store, pair.model, *one, as_of, cuts) for one in zip(pair[1:], own)]


def _side(store, model, version, own, as_of, cuts):
    "A version with what calls somebody."
    loaded = load(store, model, version)
    if loaded.grid.kind != "logit":
        raise StoreError(
            f"{model} {version}: its scores are no probabilities, so they have no log loss to "
            "compare."
        )
    threshold = store.threshold(model, version, as_of)
    dial = store.dial(model, as_of)
    ladder = dial.ladder(loaded.threshold if threshold is None else threshold, loaded.grid, cuts)
    return Side(loaded, ladder.high, own if dial.on else {})


class _Seen(NamedTuple):
    "The rows of a day, and what both say of them."

    rows: pd.DataFrame
    features: pd.DataFrame
    points: list[np.ndarray]
    told: dict[str, np.ndarray]


def _seen(reader, pair, sides, day, as_of) -> _Seen:
    "Read the rows of a day once, and ask both."
    rows = reader.rows(pair.model, day, day, as_of=as_of)
    known = (reader.outcomes_among(pair.model, side.version.features) for side in sides)
    features = feature_columns(rows, {f for of_side in known for f in of_side})
    points = [side.points(rows, features) for side in sides]
    return _Seen(rows, features, points, _told(rows, sides, points))


def _follow_day(store, pair, sides, day, as_of):
    "Keep what both say of a day."
    rows, features, points, told = _seen(store, pair, sides, day, as_of)
    told["reasons"], told["reasons_changed"] = _first_reasons(sides, features, told)
    counts = {
        side.version.version: ScoreCounts.from_events(of_side, rows.label, Grid())
        for side, of_side in zip(sides, points)
    }
    sums = pd.DataFrame(list(_sums(rows, told)))
    store.add_shadow(pair, day, as_of, sums, counts)


def _told(rows, sides, points) -> dict[str, np.ndarray]:
    "What is summed, an array each: one entry an event."
    label = rows.label.to_numpy(dtype=np.float64)
    known, positive = ~np.isnan(label), label == 1
    told = {"n": np.ones(len(rows)), "n_labelled": known, "n_positive": known & positive}
    calls = {}
    for name, side, of_side in zip(("champion", "challenger"), sides, points):
        called = calls[name] = side.calls(rows, of_side)
        told[f"{name}_calls"] = called
        told[f"{name}_false"] = called & known & ~positive
        told[f"{name}_missed"] = ~called & positive
        told[f"{name}_loss"] = np.where(known, log_loss(Grid().inverse(of_side), positive), 0.0)
    return told | {"both_call": calls["champion"] & calls["challenger"]}


def _first_reasons(sides, features, told):
    "Which events were asked for their first reason, and where the two give another one."
    asked = np.zeros(len(features), dtype=bool)
    asked[np.flatnonzero(told["both_call"])[:REASONS]] = True
    changed = np.zeros(len(features), dtype=bool)
    if asked.any():
        first = [reasons(s.version, features[asked], 1).reason_1.to_numpy() for s in sides]
        changed[asked] = first[0] != first[1]
    return asked, changed


def _sums(rows, told) -> Iterator[dict]:
    "Sums over all events, and over those of each tenant and each site."
    everyone = np.ones(len(rows), dtype=bool)
    of_tenant = {f"tenant={t}": (rows.tenant == t).to_numpy() for t in rows.tenant.unique()}
    of_site = {f"site={s}": (rows.site_id == s).to_numpy() for s in rows.site_id.dropna().unique()}
    for segment, among in ({"": everyone} | of_tenant | of_site).items():
        sums = {name: values[among].sum() for name, values in told.items()}
        whole = {k: float(v) if k.endswith("_loss") else int(v) for k, v in sums.items()}
        yield {"segment": segment} | whole
