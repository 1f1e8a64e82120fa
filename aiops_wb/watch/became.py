"""What became of the days that were lived again, by the labels that are known in the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..stats.automation import WATCHED, PromiseWatch
from ..stats.performance import Figure
from .policy import Costs
from .relive import Life
from .tuned_life import LivedChange

__all__ = [
    "COLUMNS",
    "Became",
    "Promise",
    "Tuned",
    "became",
    "difference",
    "promised",
    "recorded",
    "together",
]

COLUMNS = (
    "day",
    "version",
    "events",
    "tickets",
    "false",
    "tickets_labelled",
    "reviews",
    "positives",
    "missed",
    "labels_in",
)
ENOUGH_DAYS = 10
"Days with labelled tickets below which nothing is said of a promise."
ENOUGH_WEEKS = 4
"Weeks below which a difference has no interval."


@dataclass(frozen=True)
class Promise:
    "Whether a promise about tickets was kept, as far as labels tell."

    state: str  # kept, broken, unknown, or none: nothing was promised
    says: str


class Tuned(NamedTuple):
    "How a threshold would have been changed over a period, and what stood in the way."

    changes: tuple[LivedChange, ...]
    looks: int
    stopped: Mapping[str, int]  # check -> mornings
    last_word: str


@dataclass(frozen=True, eq=False)
class Became:
    """Days under a policy, with what became of them.

    `days`: a row for each day and version with the `COLUMNS`; false and missed are counted among
    labelled events. `target`: the share of false tickets that was promised; None where nothing was.
    """

    name: str
    days: pd.DataFrame
    costs: Costs | None = None
    target: float | None = None
    broke_on: str = ""
    why_not: str = ""  # why nothing was automated at the end
    tuned: "Tuned | None" = None  # where the threshold followed the labels

    @property
    def cost(self) -> np.ndarray | None:
        "Of each row; None where no costs are named."
        if self.costs is None:
            return None
        of, days = self.costs, self.days
        return (
            of.missed * days.missed + of.review * days.reviews + of.false_ticket * days["false"]
        ).to_numpy(dtype=float)

    @property
    def totals(self) -> dict:
        "Sums over the period."
        names = [c for c in COLUMNS if c not in ("day", "version", "labels_in")]
        sums = {name: int(self.days[name].sum()) for name in names}
        cost = self.cost
        return sums | {"cost": None if cost is None else float(cost.sum())}

    @property
    def false_share(self) -> float:
        "Of labelled tickets of days whose labels are in; NaN without any."
        known = self.days[self.days.labels_in]
        labelled = known.tickets_labelled.sum()
        return float(known["false"].sum() / labelled) if labelled else float("nan")

    @property
    def promise(self) -> Promise:
        "Whether the promise was kept on days whose labels are in."
        return _promise(self)


def _promise(of: Became) -> Promise:
    if of.target is None:
        return Promise("none", "nothing was promised about tickets")
    known = of.days[of.days.labels_in & (of.days.tickets_labelled > 0)]
    share = (known["false"] / known.tickets_labelled).to_numpy()
    asked, days = f"{of.target:.0%}", len(share)
    if days < ENOUGH_DAYS:
        why = of.why_not or "no ticket opened"
        few = f"{days} days with labelled tickets are too few" if days else why
        return Promise(
            "unknown", f"whether at most {asked} of tickets were false is unknown: {few}"
        )
    mean, watch = float(share.mean()), PromiseWatch(of.target)
    for day, tickets, false in zip(known.day, known.tickets_labelled, known["false"]):
        watch = watch.after(day, int(tickets), int(false))
    said = f"a mean daily share of {mean:.1%} over {days} days, at most {asked} was promised"
    if mean <= of.target:
        return Promise("kept", said)
    if watch.broken_on:
        return Promise("broken", f"{said}; it was certain from {watch.broken_on} on")
    return Promise("unknown", f"{said}; more, but within chance")


def became(
    life: Life, version: str, first: date, last: date, labels_in: date | None
) -> pd.DataFrame:
    "The days of a life from first to last, by the labels that the counts hold in the end."
    growing = life.growing
    rows = np.array([r for r in growing.rows(first, last) if growing.logged[r]], dtype=int)
    days = [growing.date_of(row) for row in rows]
    starts, above = growing.tails(rows)
    at = np.arange(len(rows))
    decided = [life.decided[day] for day in days]
    nowhere = len(starts)
    ticket = [nowhere if d.ticket is None else np.searchsorted(starts, d.ticket) for d in decided]
    called = np.searchsorted(starts, [d.threshold for d in decided])
    n, labelled, positive = above[:, at, 0]
    n_called, _, positive_called = above[:, at, called]
    tickets, known, right = above[:, at, np.array(ticket, dtype=int)]
    return _frame(
        days,
        version,
        labels_in,
        events=n,
        tickets=tickets,
        false=known - right,
        tickets_labelled=known,
        reviews=n_called - tickets,
        positives=positive,
        missed=positive - positive_called,
    )


def recorded(
    rows: pd.DataFrame, first: date, last: date, labels_in: date | None, version: str | None = None
) -> pd.DataFrame:
    """The days as they were really decided: `rows` of `decided_counts`; what somebody looked at by
    chance is not called."""
    if "explored" in rows:
        rows = rows.assign(route=rows.route.mask(rows.explored, "monitor"))
    if version is not None and len(rows):
        rows = rows[rows.version == version]
    parts = []
    for (day, of), group in rows.groupby(["event_date", "version"]) if len(rows) else ():
        ticket, alert = (group[group.route == route] for route in ("ticket", "alert"))
        monitor = group[~group.route.isin(["ticket", "alert"])]
        counted = {
            "events": group.n.sum(),
            "tickets": ticket.n.sum(),
            "false": (ticket.n_labelled - ticket.n_positive).sum(),
            "tickets_labelled": ticket.n_labelled.sum(),
            "reviews": alert.n.sum(),
            "positives": group.n_positive.sum(),
            "missed": monitor.n_positive.sum(),
        }
        parts.append(_frame([day.date()], of, labels_in, **{k: [v] for k, v in counted.items()}))
    return pd.concat(parts, ignore_index=True) if parts else _frame([], "", None)


def _frame(days, version, labels_in, **columns):
    known = [labels_in is not None and day <= labels_in for day in days]
    told = {"day": days, "version": version, "labels_in": np.array(known, dtype=bool)}
    counts = {c: columns.get(c, []) for c in COLUMNS if c not in told}
    frame = pd.DataFrame(told | counts)[list(COLUMNS)]
    return frame.astype({c: "int64" for c in counts})


def promised(life: Life) -> tuple[float | None, str, str]:
    "The false share that a policy promised, when that broke, and why nothing is automated."
    stands = life.stands
    share = life.asked.target if life.asked.method in WATCHED else None
    if stands is None:
        return share, "", "nothing is known that a rule could rest on"
    broke = stands.watch.broken_on
    return share, broke, stands.rule.reason if stands.rule.threshold is None else ""


def difference(one: Became, other: Became, name: str) -> Figure:
    """How much more of a column (or of cost) one policy has a week than another.

    Whole weeks are the unit: days of a week move together. No interval below 4 weeks; where there
    are not so many, parts of a week count as one.
    """
    series = []
    for of in (one, other):
        values = of.cost if name == "cost" else of.days[name].to_numpy(dtype=float)
        series.append(pd.Series(values).groupby([_monday(day) for day in of.days.day]).sum())
    by_week = series[0].sub(series[1], fill_value=0.0)
    if not len(by_week):
        return Figure(float("nan"))
    days = {*one.days.day, *other.days.day}
    inside = [min(days) <= w and w + timedelta(6) <= max(days) for w in by_week.index]
    weeks = (by_week[inside] if sum(inside) >= ENOUGH_WEEKS else by_week).to_numpy()
    mean = float(weeks.mean())
    if len(weeks) < ENOUGH_WEEKS:
        return Figure(mean, n=len(weeks))
    half = float(stdtrit(len(weeks) - 1, 0.975) * weeks.std(ddof=1) / np.sqrt(len(weeks)))
    return Figure(mean, mean - half, mean + half, len(weeks))


def _monday(day):
    return day - timedelta(day.weekday())


def together(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    "Days of several versions together, in order."
    some = [part for part in parts if len(part)]
    if not some:
        return _frame([], "", None)
    return pd.concat(some, ignore_index=True).sort_values(["day", "version"], ignore_index=True)
