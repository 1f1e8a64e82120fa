"""May a version in shadow take over? What its days beside the champion say, check by check."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.catalog import Reader
from ..log.shadow import Pair
from ..stats.counts import ScoreCounts
from ..stats.evidence import LEAST_BLOCKS, Comparison, Paired, compare
from ..stats.performance import average_precision
from ..stats.retrain import Check
from ..stats.thresholds import curve
from .shadow import shadow_from

__all__ = ["Rules", "Validation", "as_paired", "precision_at_recall", "validation"]

RECALL = 0.8
"Recall at which precision is asked for."
LARGE = 0.1
"A segment with at least this share of the events has to be shown to be no worse."
NO_POSITIVE = "no event of these days has a positive label"
LEAST_REASONS = 50
"First reasons of fewer events say nothing of how many changed."


@dataclass(frozen=True)
class Rules:
    "What a version has to show before it takes over."

    alpha: float = 0.05  # chance in a year of promoting a version that is no better
    a_year: int = 12  # challengers that share it
    # of a missed positive, in false calls; None: log loss is compared
    miss_cost: float | None = None
    margin: float = 0.02  # loss an event that a segment may be worse
    pr_auc: float = 0.0
    precision: float = 0.0  # at 80 % recall
    flips: float = 0.2  # share of events whose decision changes
    reasons: float = 0.5  # share of common calls whose first reason changes

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        "As the settings say."
        return cls(
            settings.retrain_false_promotions,
            settings.retrain_challengers,
            settings.retrain_miss_cost,
            settings.retrain_segment_margin,
            settings.retrain_min_pr_auc,
            settings.retrain_min_precision,
            settings.retrain_max_flips,
            settings.retrain_max_reasons,
        )


def as_paired(days: pd.DataFrame, miss_cost: float | None = None) -> Paired:
    """What both lost on each day, of `Reader.shadow_days`: log loss, or costs in false calls.

    Days without a label stay: labels that come late must not move where a week begins.
    """
    lost = [_lost(days, side, miss_cost) for side in ("champion", "challenger")]
    when = days.event_date.to_numpy().astype("datetime64[D]").tolist()
    return Paired(when, days.n_labelled.to_numpy(), *lost)


def _lost(days, side, miss_cost):
    if miss_cost is None:
        return days[f"{side}_loss"].to_numpy()
    return (days[f"{side}_false"] + miss_cost * days[f"{side}_missed"]).to_numpy(dtype=np.float64)


def precision_at_recall(counts: ScoreCounts, recall: float = RECALL) -> float:
    "The precision at the highest threshold that finds so many of the positives; NaN without any."
    if not counts.total[2]:
        return float("nan")
    found = curve(counts)
    at = np.flatnonzero(found.tp >= recall * counts.total[2])[-1]
    return float(found.tp[at] / (found.tp[at] + found.fp[at]))


class _Span(NamedTuple):
    first: date
    last: date


@dataclass(frozen=True, eq=False)
class Validation:
    "What the days of a pair say, on complete days from the first that neither learned from."

    pair: Pair
    span: _Span
    days: pd.DataFrame  # sums of each day and segment
    counts: dict[str, ScoreCounts]  # version -> what it scored on these days
    rules: Rules

    @cached_property
    def paired(self) -> Paired:
        "What both lost, of everyone."
        return as_paired(self.days[self.days.segment == ""], self.rules.miss_cost)

    @cached_property
    def comparison(self) -> Comparison:
        "Whether the challenger is better; of all checks the one that carries the promise."
        return compare(self.paired.blocks(), self.rules.alpha, self.rules.a_year, unit=self.unit)

    @property
    def unit(self) -> str:
        "What losses are measured in."
        return "nats" if self.rules.miss_cost is None else "false calls"

    @cached_property
    def checks(self) -> list[Check]:
        "Each condition, whether it holds and what it rests on."
        return [
            self._better(),
            self._ranking(),
            self._precision(),
            self._segments(),
            self._flips(),
            self._reasons(),
        ]

    @property
    def passes(self) -> bool:
        "Whether every check does."
        return all(check.passed for check in self.checks)

    def as_evidence(self) -> dict[str, Any]:
        "As the audit trail keeps it."
        told = {c.name: {"passed": c.passed, "reason": c.reason, **c.evidence} for c in self.checks}
        days = [str(day) for day in self.span]
        return {"champion": self.pair.champion, "days": days, "checks": told}

    @property
    def _of_challenger(self):
        return self.counts[self.pair.challenger]

    def _better(self):
        told = self.comparison
        return Check("better", told.better, told.reason, asdict(told))

    def _ranking(self):
        "The area under precision and recall, above a floor and above chance."
        counts = self._of_challenger
        if not counts.total[2]:
            return Check("ranking", False, f"PR-AUC is not known: {NO_POSITIVE}")
        area, (_, labelled, positive) = average_precision(counts), counts.total
        chance = positive / labelled
        floor = max(self.rules.pr_auc, chance)
        return Check(
            "ranking",
            bool(area.value > floor),
            f"PR-AUC {area.value:.3f}; more than {floor:.3f} is needed"
            + (", the share of positives" if floor == chance else ""),
            {"pr_auc": area.value, "floor": floor},
        )

    def _precision(self):
        if not self._of_challenger.total[2]:
            return Check("precision", False, f"the precision is not known: {NO_POSITIVE}")
        found, floor = precision_at_recall(self._of_challenger), self.rules.precision
        asked = f"at least {floor:.3f} is needed" if floor else "no floor is set"
        return Check(
            "precision",
            bool(found >= floor),
            f"precision {found:.3f} where {RECALL:.0%} of the positives are found; {asked}",
            {"precision": found, "floor": floor},
        )

    def _segments(self):
        "Tenants and sites: large ones are shown to be no worse, small ones not shown to be worse."
        found = list(self._of_segments())
        if not found:
            few = f"no tenant or site has {LEAST_BLOCKS} weeks with labels to look at"
            return Check("segments", True, few, {"segments": 0, "worse": []})
        worse = [name for name, fails in found if fails]
        named = f"worse, or not shown to be no worse: {', '.join(worse)}; " if worse else ""
        return Check(
            "segments",
            not worse,
            f"{named}{len(found)} tenants and sites were looked at, margin {self.rules.margin:g} "
            f"{self.unit} per event",
            {"segments": len(found), "worse": worse},
        )

    def _of_segments(self) -> Iterator[tuple[str, bool]]:
        "Tenants and sites with at least four weeks, and whether each of them fails."
        everyone = self.paired.n.sum()
        for name, (events, told) in self.segments.items():
            if told.blocks >= LEAST_BLOCKS:
                large = events >= LARGE * everyone
                yield name, (told.lower if large else told.upper) < -self.rules.margin

    @cached_property
    def segments(self) -> dict[str, tuple[int, Comparison]]:
        "Labelled events of each tenant and site, and what they say of the challenger."
        parts = self.days[self.days.segment != ""]
        everyone = self.days.n[self.days.segment == ""].sum()
        lost = {
            name.replace("=", " ", 1): as_paired(days, self.rules.miss_cost)
            for name, days in parts.groupby("segment")
            if days.n.sum() < everyone  # the only tenant is everyone
        }
        return {name: (int(p.n.sum()), compare(p.blocks())) for name, p in lost.items()}

    def _flips(self):
        everyone = self.days[self.days.segment == ""]
        n = int(everyone.n.sum())
        if not n:
            return Check("flips", False, "neither has seen an event yet", {"events": 0})
        changed = everyone.champion_calls + everyone.challenger_calls - 2 * everyone.both_call
        share = float(changed.sum() / n)
        return Check(
            "flips",
            bool(share <= self.rules.flips),
            f"{share:.1%} of {n:,} events would be decided otherwise; at most "
            f"{self.rules.flips:.0%} may be",
            {"share": share, "events": n},
        )

    def _reasons(self):
        everyone = self.days[self.days.segment == ""]
        n, changed = int(everyone.reasons.sum()), int(everyone.reasons_changed.sum())
        if n < LEAST_REASONS:
            few = f"{n} events that both call have reasons; fewer than {LEAST_REASONS} say nothing"
            return Check("reasons", True, few, {"events": n})
        share = changed / n
        return Check(
            "reasons",
            share <= self.rules.reasons,
            f"the first reason differs for {share:.0%} of {n:,} events that both call; at most "
            f"{self.rules.reasons:.0%} may",
            {"share": share, "events": n},
        )


def validation(
    reader: Reader, pair: Pair, last: date, rules: Rules, as_of: datetime | None = None
) -> Validation:
    "What is known of a pair up to a day, the last whose labels are in."
    first = shadow_from(reader, pair)
    span = _Span(first, max(first, last))
    known = reader.shadow_days(pair, first, last, segment=None, as_of=as_of)
    counts = reader.shadow_counts(pair, first, last, as_of)
    return Validation(pair, span, known, counts, rules)
