"""One model, one day, every question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from html import escape
from math import isnan, nan
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from ..config import Settings
from ..log.catalog import Reader, StoreError, open_snapshot
from ..log.store import Store
from ..stats.automation import WATCHED, Certainty, Control, RiskMonitor, certainty
from ..stats.conformal import Sets, VennAbers, venn_abers
from ..stats.counts import Histogram, ScoreCounts, total
from ..stats.coverage import CoverageReport, coverage_report
from ..stats.drift import GRAVITY, KINDS, KS, SEVERITIES, AccuracyDrop, ks, windows, worst
from ..stats.estimates import Adjusted, Maturation, delay_adjusted, expected_performance, maturation
from ..stats.performance import Figure, over_days, over_days_bootstrap, summary
from ..stats.points import Grid
from ..stats.retrain import Challenge, Check
from ..stats.thresholds import Curve, Simulation, best_f1, curve, simulate
from .alarms import Drift, drift_of

__all__ = [
    "Headline",
    "percent",
    "number",
    "View",
    "performance_headline",
    "quality_losses",
    "drift_headline",
    "watch_note",
    "conformal_headline",
    "backtest",
    "thresholds_headline",
    "explain_headline",
    "retrain_headline",
    "open_view",
    "recalibrate",
    "learnt",
]


@dataclass(frozen=True)
class Headline:
    "What is, what to do, and how urgent: ok, look or unknown."

    state: str
    says: str
    advice: str

    def __post_init__(self):
        if self.state not in ("ok", "look", "unknown"):
            raise ValueError(f"state {self.state!r} is not one of ok, look, unknown.")

    def _repr_mimebundle_(self, include=None, exclude=None):
        html = f'<p class="headline {self.state}"><strong>{escape(self.says)}</strong> {escape(self.advice)}</p>'
        return {
            "text/plain": f"{self.says} {self.advice}",
            "text/html": html,
            "application/vnd.aiops-wb.headline+json": {
                "state": self.state,
                "says": self.says,
                "advice": self.advice,
            },
        }


def percent(x: float, digits: int = 0) -> str:
    "A share as a percentage, '-' when unknown."
    return "-" if isnan(x) else f"{x:.{digits}%}"


def number(x: float, digits: int = 3) -> str:
    "A figure with fixed digits, '-' when unknown."
    return "-" if isnan(x) else f"{x:.{digits}f}"


class View:
    "One model on one day, as known at a time, all tenants together; where two versions scored that day, the active one. StoreError when there is no such model or day."

    def __init__(
        self,
        reader: Reader,
        model: str,
        day: date,
        as_of: datetime | None = None,
        settings: Settings | None = None,
    ):
        self.reader, self.model, self.day, self.as_of = (
            reader,
            reader.require_model(model),
            day,
            as_of,
        )
        self.settings = settings or Settings()
        tables = reader.frame(
            """SELECT version, sum(n)::BIGINT AS n FROM score_counts WHERE model = $m AND event_date = $d AND segment = ''
            AND batch_id <= $b GROUP BY version ORDER BY n DESC""",
            {"m": model, "d": day, "b": reader.known_batch(as_of)},
        )
        if tables.empty:
            days = reader.days(model, as_of)
            raise StoreError(
                f"{model} has no predictions on {day}"
                + (f": its log covers {days[0]} to {days[-1]}." if days else ".")
            )
        active = reader.active_version(model, as_of)
        self.version = active if active in set(tables.version) else tables.version[0]

    def _counts(self, start, end, tenant=None):
        return self.reader.score_counts(
            self.model, start, end, version=self.version, tenant=tenant, as_of=self.as_of
        )

    def _windows(self, tenant=None):
        "Scores of the recent days and of the reference days."
        span = windows(self.day, self.settings.recent_days, self.settings.reference_days)
        return [
            total(self._counts(*w, tenant).values(), self.grid)
            for w in (span.recent, span.reference)
        ]

    @cached_property
    def counts_by_day(self) -> dict[date, ScoreCounts]:
        "Counts of the days back to the farthest that any window asks for, at least 61, this version."
        return self._counts(
            self.day
            - timedelta(
                max(
                    60,
                    self.settings.reference_days[1],
                    self.settings.ticket_days + self.settings.label_delay_days,
                )
            ),
            self.day,
        )

    def versions_between(self, first: date) -> list[str]:
        "Versions that scored from a day to this one."
        return [
            v
            for (v,) in self.reader.con.execute(
                """SELECT DISTINCT version FROM score_counts WHERE model = $m AND event_date BETWEEN $a AND $b AND segment = '' AND batch_id <= $k ORDER BY 1""",
                {
                    "m": self.model,
                    "a": first,
                    "b": self.day,
                    "k": self.reader.known_batch(self.as_of),
                },
            ).fetchall()
        ]

    def window(self, days: int) -> ScoreCounts:
        "Counts of the last `days` days, this version."
        return total(
            (c for d, c in self.counts_by_day.items() if d > self.day - timedelta(days)), self.grid
        )

    @cached_property
    def grid(self) -> Grid:
        "The grid of this version's points."
        return self.counts_by_day[self.day].grid

    @cached_property
    def threshold(self) -> int:
        "The threshold in force (points): from the audit trail, else as logged with the predictions, else even odds."
        recorded = self.reader.threshold(self.model, self.version, self.as_of)
        if recorded is not None:
            return recorded
        logged = self.reader.rows(
            self.model,
            self.day,
            self.day,
            version=self.version,
            as_of=self.as_of,
            columns="threshold, predicted_at, prediction_id",
            where="threshold IS NOT NULL",
        )
        return int(logged.threshold.iloc[-1]) if len(logged) else 0

    @cached_property
    def state(self) -> Mapping:
        "What was stored when the version was registered; empty for a version trained elsewhere."
        versions = self.reader.versions(self.model)
        found = versions[versions.version == self.version]
        return found.state.iloc[0] if len(found) else {}

    @cached_property
    def today(self) -> dict[str, Figure]:
        "Figures of the day."
        return summary(self.window(1), self.threshold)

    @cached_property
    def week(self) -> dict[str, Figure]:
        "Figures of the recent days (7 unless set otherwise)."
        return summary(self.window(self.settings.recent_days), self.threshold)

    @cached_property
    def month(self) -> dict[str, Figure]:
        "Figures of the last 30 days, with intervals from drawing days."
        first = self.day - timedelta(29)
        return over_days_bootstrap(
            [c for d, c in self.counts_by_day.items() if d >= first],
            lambda c: summary(c, self.threshold),
            np.random.default_rng(self.day.toordinal()),
        )

    @cached_property
    def baseline(self) -> dict[str, float]:
        "Figures on the held-out days of training; empty for a version trained elsewhere."
        return {k: nan if v is None else v for k, v in self.state.get("metrics", {}).items()}

    @cached_property
    def ks(self) -> KS:
        "The score of the recent days against that of the reference days, both of this version: two versions differ without any drift."
        return ks(*self._windows())

    @property
    def window_names(self) -> tuple[str, str]:
        "The two windows of the drift test in words."
        near, far = self.settings.reference_days
        return f"last {self.settings.recent_days} days", f"{near}-{far} days ago"

    @cached_property
    def accuracy_drop(self) -> AccuracyDrop:
        "Accuracy of the recent days against the held-out days of training."
        return AccuracyDrop(self.baseline.get("accuracy", nan), self.week["accuracy"].value)

    @cached_property
    def drift(self) -> Drift:
        "All streams of this version, followed from its first day to this one."
        return drift_of(
            self.reader, self.model, self.version, self.day, self.settings, self.as_of, self.state
        )

    @cached_property
    def reference_probability(self) -> VennAbers | None:
        "The calibrated probability by the held-out days of training; None for a version trained elsewhere, or without probabilities."
        held = total(self.reader.held_out_counts(self.model, self.version).values(), self.grid)
        return (
            venn_abers(held)
            if self.grid.kind == "logit" and 0 < held.total[2] < held.total[1]
            else None
        )

    @cached_property
    def maturation(self) -> Maturation | None:
        "How fast labels of each kind arrive, by days that are complete; None when they hold not both kinds."
        last = self.mature_day
        first = last - timedelta(60)
        events = sum(c.total[0] for d, c in self.counts_by_day.items() if first <= d <= last)
        try:
            return (
                maturation(
                    self.reader.label_arrivals(self.model, self.version, first, last, self.as_of),
                    events,
                )
                if events
                else None
            )
        except ValueError:
            return None

    @cached_property
    def expected(self) -> dict[str, Figure]:
        "Figures of the recent days expected from the calibrated scores, without any label; empty without a calibrated probability."
        recent = self.window(self.settings.recent_days)
        return (
            expected_performance(
                recent, self.reference_probability.probability(recent.points), self.threshold
            )
            if self.reference_probability
            else {}
        )

    @cached_property
    def adjusted(self) -> Adjusted | None:
        "Figures of the recent days with what late labels will add; None without a calibrated probability or a pace of labels."
        if self.reference_probability is None or self.maturation is None:
            return None
        came = self.reader.last_outcomes(self.as_of)
        if came is None:
            return None
        newest = came.astimezone(
            ZoneInfo(self.reader.timezone)
        ).date()  # labels are as old as their last delivery, not as the morning
        days = [
            (c, (newest - d).days)
            for d, c in self.counts_by_day.items()
            if d > self.day - timedelta(self.settings.recent_days)
        ]
        return delay_adjusted(
            days, self.reference_probability.probability, self.maturation, self.threshold
        )

    @cached_property
    def mature(self) -> dict[str, Figure]:
        "Figures of the newest recent days whose labels count as complete."
        days = [
            c
            for d, c in self.counts_by_day.items()
            if self.mature_day - timedelta(self.settings.recent_days) < d <= self.mature_day
        ]
        return summary(total(days, self.grid), self.threshold)

    @property
    def degraded(self) -> bool | None:
        "Whether the model should not be relied on as it is: a grave alarm, or figures clearly worse than on the held-out days; None when nothing can be said."
        if self.drift.severity == "unknown" and isnan(self.week["accuracy"].value):
            return None
        return self.drift.severity in ("high", "critical") or bool(
            quality_losses(self.week, self.baseline)
        )

    @property
    def severity(self) -> str:
        "The graver of score drift and accuracy drop, by the reference rule."
        return worst(self.ks.severity, self.accuracy_drop.severity)

    @cached_property
    def calibration(self) -> tuple[str, Certainty] | None:
        "What the day was decided with and its id: as its predictions say, else the newest that rests on earlier days only."
        key = self.reader.decided_with(self.model, self.version, [self.day], self.as_of).get(
            self.day
        )
        stood = self.reader.calibrations([key]) if key else {}
        return (
            (key, stood[key])
            if stood
            else self.reader.calibration(
                self.model, self.version, self.as_of, self.day - timedelta(1)
            )
        )

    @cached_property
    def mature_day(self) -> date:
        "The newest day whose labels count as complete."
        return self.day - timedelta(self.settings.label_delay_days)

    def kept(self, days: int = 60) -> pd.DataFrame:
        "Back-test: what became of the tickets of the last mature days (day, tickets, labelled, false), as stored each morning."
        frame = self.history(days)
        wide = frame[frame.metric.isin(["mature_tickets", "mature_false_tickets"])].pivot_table(
            index="event_date", columns="metric", values="value"
        )
        named = (
            wide.reindex(columns=["mature_tickets", "mature_false_tickets"])
            .rename(columns={"mature_tickets": "tickets", "mature_false_tickets": "false"})
            .dropna()
            .reset_index()
        )
        return named.assign(
            day=named.event_date.dt.date.map(
                lambda d: d - timedelta(self.settings.label_delay_days)
            )
        )[["day", "tickets", "false"]]

    @cached_property
    def coverage(self) -> CoverageReport | None:
        "Were outcomes in the label-conditional sets? Mature days of the calibration window, each by the cuts that it was decided with; None without any."
        first = self.mature_day - timedelta(self.settings.calibration_days - 1)
        days = {
            d: c
            for d, c in self.counts_by_day.items()
            if first <= d <= self.mature_day and c.total[1]
        }
        stood = self.reader.cuts_by_day(
            self.model, self.version, list(days), self.settings.coverage, self.as_of
        )
        days = {d: c for d, c in days.items() if d in stood}
        return (
            coverage_report(
                days, lambda d, points: Sets(points <= stood[d].zero, points >= stood[d].one)
            )
            if days
            else None
        )

    @cached_property
    def latency(self) -> Histogram:
        "Latency of the day's predictions, milliseconds."
        return self.reader.latency(
            self.model, self.day, self.day, version=self.version, as_of=self.as_of
        ).get(self.day, Histogram.of([], [], 0))

    @cached_property
    def decisions(self) -> dict[str, int]:
        "Decisions of the day by route, and how many were automated."
        frame = self.reader.decisions(
            self.model, self.day, self.day, version=self.version, as_of=self.as_of
        )
        by_route = frame.groupby("route").n.sum()
        return {r: int(by_route.get(r, 0)) for r in ("ticket", "alert", "monitor")} | {
            "automated": int(frame.n[frame.automated].sum())
        }

    @cached_property
    def curve(self) -> Curve:
        "The threshold curve of the last 30 days."
        return curve(self.window(30))

    @cached_property
    def days_replayed(self) -> int:
        "How many of the last 30 days have predictions."
        return sum(d > self.day - timedelta(30) for d in self.counts_by_day)

    def simulate(self, candidate: int) -> Simulation:
        "Replay the last 30 days with another threshold (points)."
        return simulate(self.window(30), candidate, self.threshold, self.days_replayed)

    @cached_property
    def candidate(self) -> int | None:
        "The threshold with the best F1 over the last 30 days; None without positives."
        try:
            return best_f1(self.window(30))
        except ValueError:
            return None

    def probability(self, points: int) -> float:
        "A threshold as a score."
        return float(self.grid.inverse(points))

    def alerts(self, limit: int | None = None) -> pd.DataFrame:
        "The day's predictions at or above the threshold, riskiest first, with label as known, features, and the interval they were decided with."
        return self._decided(f"points >= {self.threshold}", limit)

    def high_risk(self) -> pd.DataFrame:
        "The day's tickets and alerts, like `alerts`, whatever the threshold is."
        return self._decided("route IN ('ticket', 'alert')")

    def _decided(self, where, limit=None):
        rows = self.reader.rows(
            self.model, self.day, self.day, version=self.version, as_of=self.as_of, where=where
        )
        if rows.empty:
            return rows
        rows = (
            rows.sort_values(["points", "prediction_id"], ascending=[False, True])
            .head(limit)
            .reset_index(drop=True)
        )
        p, decided_by = (
            self.grid.inverse(rows.points),
            self.reader.calibrations(rows.calibration_id.dropna().unique()),
        )
        current = self.calibration[1] if self.calibration else None
        used = [decided_by.get(key, current) for key in rows.calibration_id]
        bounds = np.array([c.interval(x) if c else (nan, nan) for c, x in zip(used, rows.points)])
        return rows.assign(
            probability=p, lower=bounds[:, 0], upper=bounds[:, 1], width=bounds[:, 1] - bounds[:, 0]
        )

    @property
    def known_at(self) -> datetime:
        "The time this view speaks of: as_of, else that of the latest batch."
        return (
            self.as_of
            or self.reader.con.execute("SELECT max(committed_at) FROM batches").fetchall()[0][0]
        )

    def history(self, days: int) -> pd.DataFrame:
        "Stored figures of the last `days` days, this version."
        frame = self.reader.metrics(
            self.model, self.day - timedelta(days - 1), self.day, as_of=self.as_of
        )
        return frame[frame.version == self.version]

    def figures(self) -> pd.DataFrame:
        "The tidy table of the day: segment, metric, value, lower, upper, n, and the first and last day of its window. What the alarms say is in `drift_figures`."
        found = {("", k): f for k, f in self.today.items()} | {
            ("", f"{k}_week"): f for k, f in self.week.items()
        }
        found |= {
            ("", k): f
            for k, f in _shift_figures(self.ks, self.accuracy_drop, self.week["accuracy"].n).items()
        } | {("", k): f for k, f in _conformal_figures(self).items()}
        counted = self.decisions["ticket"] + self.decisions["alert"] + self.decisions["monitor"]
        found |= {("", f"decisions_{k}"): Figure(v, n=counted) for k, v in self.decisions.items()}
        found["", "automated_share"] = Figure(
            self.decisions["automated"] / counted if counted else nan, n=counted
        )
        found["", "decisions_manual"] = Figure(counted - self.decisions["automated"], n=counted)
        calls = int(self.latency.n.sum())
        found["", "latency_mean_ms"] = Figure(self.latency.mean, n=calls)
        found |= {
            ("", f"latency_p{q}_ms"): Figure(self.latency.quantile(q / 100), n=calls)
            for q in (50, 95, 99)
        }
        found |= {("", f"expected_{k}_week"): f for k, f in self.expected.items()} | (
            {("", f"adjusted_{k}_week"): f for k, f in self.adjusted.figures.items()}
            if self.adjusted
            else {}
        )
        for segment, counts in self.reader.segment_counts(
            self.model, self.day, self.day, version=self.version, as_of=self.as_of
        ).items():
            at = int(counts.grid.cells(self.threshold))
            found |= {
                (segment, k): f
                for k, f in summary(counts, at).items()
                if k
                in (
                    "predictions",
                    "alerts",
                    "labelled_share",
                    "positive_rate",
                    "precision",
                    "recall",
                    "fpr",
                )
            }
        return self._tidy(found)

    def drift_figures(self) -> pd.DataFrame:
        "The rows of the tidy table about alarms and their streams, and whether the model is degraded."
        return self._tidy(_watch_figures(self))

    def unknown_drift(self) -> pd.DataFrame:
        "The rows that stand in for `drift_figures` where those cannot be computed: nothing is known."
        return self._tidy(
            {
                ("", metric): Figure(nan, n=self.window(1).total[0])
                for metric in ("drift_alarms", "drift_gravity", "degraded")
            }
        )

    def _tidy(self, found):
        first = lambda name: (
            self.day - timedelta(self.settings.recent_days - 1 if name.endswith("_week") else 0)
        )
        return pd.DataFrame(
            [
                {
                    "segment": s,
                    "metric": m,
                    **f._asdict(),
                    "window_first": first(m),
                    "window_last": self.day,
                }
                for (s, m), f in found.items()
            ]
        )

    def tenant_figures(self) -> pd.DataFrame:
        "The tidy table of each tenant, where more than one was scored on the day, with a column `tenant`: as for all together, but streams are followed, calibrations made and promises kept for all tenants together."
        tenants = [
            t
            for (t,) in self.reader.con.execute(
                "SELECT DISTINCT tenant FROM score_counts WHERE model = $m AND version = $v AND event_date = $d AND segment = '' AND batch_id <= $k ORDER BY 1",
                {
                    "m": self.model,
                    "v": self.version,
                    "d": self.day,
                    "k": self.reader.known_batch(self.as_of),
                },
            ).fetchall()
        ]
        parts = [self._tenant(t) for t in tenants] if len(tenants) > 1 else []
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def _tenant(self, tenant):
        own = {"version": self.version, "tenant": tenant, "as_of": self.as_of}
        recent, reference = self._windows(tenant)
        today, week = (
            self._counts(self.day, self.day, tenant)[self.day],
            summary(recent, self.threshold),
        )
        found = summary(today, self.threshold) | {f"{k}_week": f for k, f in week.items()}
        found |= _shift_figures(
            ks(recent, reference),
            AccuracyDrop(self.baseline.get("accuracy", nan), week["accuracy"].value),
            week["accuracy"].n,
        )
        found["degraded"] = Figure(
            float(bool(quality_losses(week, self.baseline)))
            if self.baseline and week["accuracy"].n
            else nan,
            n=week["accuracy"].n,
        )
        found |= (
            _interval_figures(self.calibration[1], today, self.settings) if self.calibration else {}
        )
        routes = self.reader.decisions(self.model, self.day, self.day, **own)
        counted, automated = int(routes.n.sum()), int(routes.n[routes.automated.astype(bool)].sum())
        found |= {
            f"decisions_{r}": Figure(int(routes.n[routes.route == r].sum()), n=counted)
            for r in ("ticket", "alert", "monitor")
        }
        found |= {
            "decisions_automated": Figure(automated, n=counted),
            "decisions_manual": Figure(counted - automated, n=counted),
            "automated_share": Figure(automated / counted if counted else nan, n=counted),
        }
        latency = self.reader.latency(self.model, self.day, self.day, **own).get(
            self.day, Histogram.of([], [], 0)
        )
        calls = int(latency.n.sum())
        found |= {"latency_mean_ms": Figure(latency.mean, n=calls)} | {
            f"latency_p{q}_ms": Figure(latency.quantile(q / 100), n=calls) for q in (50, 95, 99)
        }
        return self._tidy({("", k): f for k, f in found.items()}).assign(tenant=tenant)


def _shift_figures(test, drop, labelled):
    severity = worst(test.severity, drop.severity)
    return {
        "ks": Figure(test.statistic, test.lower, test.upper, test.n),
        "ks_pvalue": Figure(test.pvalue, n=test.n),
        "score_shift": Figure(test.shift, n=test.n),
        "accuracy_drop": Figure(drop.drop, n=labelled),
        "drift_severity": Figure(
            nan if severity == "unknown" else SEVERITIES.index(severity), n=test.n
        ),
    }


def _watch_figures(view):
    seen, degraded = view.drift, view.degraded
    n = view.window(1).total[0]
    found = {
        ("", "drift_alarms"): Figure(len(seen.alarms) if seen.questions else nan, n=n),
        ("", "drift_gravity"): Figure(
            nan if seen.severity == "unknown" else GRAVITY.index(seen.severity), n=n
        ),
        ("", "degraded"): Figure(nan if degraded is None else float(degraded), n=n),
        ("", "label_offset"): seen.offset,
    }
    for i, q in enumerate(seen.questions):
        found[f"stream={q.stream.name}", "drift_effect"] = Figure(
            float(q.stream.effect[-1]), float(q.stream.lower[-1]), n=n
        )
        found[f"stream={q.stream.name}", "drift_log10_evidence"] = Figure(
            float(max(-300, (seen.followed.evidence[-1, i] - seen.followed.bar[i]) / np.log(10))),
            n=n,
        )
    return found


def _interval_figures(stands, counts, settings):
    calibration, n = stands.calibration, int(counts.n.sum())
    lower, upper = stands.bounds.intervals(counts.points)
    return {
        "calibration_score": Figure(
            calibration.calibration_score(settings.coverage), n=calibration.n
        ),
        "mean_width": Figure(float(((upper - lower) * counts.n).sum() / n), n=n),
        "narrow_share": Figure(
            float(counts.n[upper - lower < settings.narrow_width].sum() / n), n=n
        ),
    }


def _conformal_figures(view):
    if not view.calibration:
        return {"calibration_score": Figure(nan)}
    stands = view.calibration[1]
    calibration, rule = stands.calibration, stands.rule
    found = {
        f"q{round(100 * c)}": Figure(q, n=calibration.n) for c, q in calibration.quantiles.items()
    } | _interval_figures(stands, view.window(1), view.settings)
    found |= {
        "ticket_threshold": Figure(
            nan if rule.threshold is None else view.probability(rule.threshold), n=rule.n
        ),
        "promise_evidence": Figure(stands.watch.evidence, n=stands.watch.days),
    }
    tickets, labelled, false = view.reader.ticket_outcomes(
        view.model, view.version, view.mature_day, view.mature_day, view.as_of
    ).get(view.mature_day, (0, 0, 0))
    found |= {
        "mature_tickets": Figure(labelled, n=tickets),
        "mature_false_tickets": Figure(false, n=tickets),
        "false_ticket_share": Figure(false / labelled if labelled else nan, n=labelled),
    }
    if view.coverage:
        found |= {
            "coverage": view.coverage.overall,
            "coverage_positive": view.coverage.by_label[1],
            "coverage_negative": view.coverage.by_label[0],
        }
    return found


def performance_headline(view: View) -> Headline:
    "How is the model doing this week?"
    week, base = view.week, view.baseline
    if isnan(week["accuracy"].value):
        return Headline(
            "unknown",
            f"No label is known yet for the {week['predictions'].n:,} predictions of the last {view.settings.recent_days} days.",
            "Wait for labels; nothing can be said about quality before.",
        )
    held = lambda name, show: f" (held-out days: {show(base[name])})" if name in base else ""
    says = (
        f"Of the predictions of the last {view.settings.recent_days} days {percent(week['labelled_share'].value)} are labelled: at the threshold of {number(view.probability(view.threshold))} the model found {percent(week['recall'].value)} of the known positives, "
        f"and {percent(week['precision'].value)} of its labelled alerts were right; {percent(week['positive_rate'].value)} were positive{held('positive_rate', percent)}, "
        f"ROC-AUC {number(week['roc_auc'].value)}{held('roc_auc', number)}."
    )
    worse = quality_losses(week, base)
    if worse:
        return Headline(
            "look",
            says,
            f"Against the held-out days of training, {' and '.join(worse)}: see drift, then consider a challenger.",
        )
    return Headline(
        "ok",
        says,
        "Accuracy, ranking and calibration hold."
        if base
        else "There are no held-out days to compare with: this version was trained elsewhere.",
    )


def quality_losses(week: Mapping[str, Figure], base: Mapping[str, float]) -> list[str]:
    "What got clearly worse than on the held-out days: accuracy by 10 %, ROC-AUC by 0.05, Brier score by a quarter, each with an interval that does not reach what it was."
    found, drop = [], AccuracyDrop(base.get("accuracy", nan), week["accuracy"].value)
    certain = lambda figure, beyond: (
        bool(beyond) if not isnan(figure.lower) else figure.n >= 100
    )  # all scores alike, or all losses: there is no interval, and nothing to doubt
    if drop.severity in ("medium", "high") and week["accuracy"].upper < drop.baseline:
        found.append(f"accuracy fell by {percent(drop.drop)}")
    if week["roc_auc"].value < base.get("roc_auc", nan) - 0.05 and certain(
        week["roc_auc"], week["roc_auc"].upper < base["roc_auc"]
    ):
        found.append(
            f"ROC-AUC fell from {number(base['roc_auc'])} to {number(week['roc_auc'].value)}"
        )
    if (
        "brier" in week
        and week["brier"].value > 1.25 * base.get("brier", nan)
        and certain(week["brier"], week["brier"].lower > base["brier"])
    ):
        found.append(
            f"the Brier score rose from {number(base['brier'])} to {number(week['brier'].value)}"
        )
    return found


def drift_headline(view: View) -> Headline:
    "Has anything moved that matters?"
    seen = view.drift
    streams = [q for q in seen.questions if q.about != "volume"]
    grave = [a for a in seen.alarms if not a.muted]
    if not streams and not grave:
        return Headline(
            "unknown",
            "Nothing can be compared yet: a version that was trained elsewhere is its own reference after four weeks.",
            "Come back when the log is longer.",
        )
    if seen.alarms and not grave:
        return Headline(
            "ok",
            f"{len(seen.alarms)} alarms are open, all on days that the calendar mutes: {', '.join(a.stream for a in seen.alarms[:5])}.",
            "Look again when these days are over.",
        )
    if not grave:
        return Headline(
            "ok",
            f"No alarm is open: none of {len(seen.questions)} streams differs from its reference by more than is tolerated, as far as the evidence goes.",
            "Nothing to do.",
        )
    first = grave[0]
    more = (
        f" {len(grave) - 1} more {'alarms are' if len(grave) > 2 else 'alarm is'} open: {', '.join(a.stream for a in grave[1:5])}{' ...' if len(grave) > 5 else ''}."
        if len(grave) > 1
        else ""
    )
    says = f"{first.severity.capitalize()} {first.kind} drift: {first.says()}, {'since the version began' if first.since == seen.days[0] else f'most likely since {first.since:%-d %B}'}.{more}"
    advice = list(
        dict.fromkeys(a.advice() for a in sorted(grave, key=lambda a: KINDS.index(a.kind)))
    )
    return Headline(
        "look" if first.severity in ("medium", "high", "critical") else "ok",
        says,
        " ".join(advice[:2]),
    )


def watch_note(view: View) -> Headline:
    "What the alarms promise, and why it cannot be claimed where it cannot."
    seen = view.drift
    says = f"{len(seen.questions)} streams have been followed since {seen.days[0]:%-d %B %Y}; the chance of any false alarm in a year is to be at most {percent(seen.level)}."
    if not seen.questions:
        return Headline("unknown", "Nothing is watched yet.", "")
    names = ", ".join(
        f"{e.name} ({e.first:%-d %b}{'' if e.first == e.last else f' to {e.last:%-d %b}'}{', muted' if e.mutes else ''})"
        for e in seen.calendar.itertuples()
        if e.last.date() >= view.day - timedelta(120) and e.first.date() <= view.day
    )
    known = f" Known beforehand: {names}." if names else ""
    if view.state.get("bins") and not any(q.about == "feature" for q in seen.questions):
        says += " Features are not watched: the version was registered before their reference was kept; one that is trained now has it."
    if seen.caveats:
        return Headline(
            "unknown",
            f"{says} That level cannot be claimed here: {'; '.join(seen.caveats)}.",
            f"An alarm still says that days differ from the reference; how often one comes by chance is not known.{known}",
        )
    return Headline("ok", says, f"The reference days show no sign against it.{known}")


def conformal_headline(view: View) -> Headline:
    "Which alerts are certain?"
    routes, seen = view.decisions, view.decisions["ticket"] + view.decisions["alert"]
    if not view.calibration:
        opened = (
            f"so the {routes['ticket']:,} tickets are the scoring service's own decision"
            if routes["ticket"]
            else "so no ticket was opened"
        )
        return Headline(
            "look",
            f"No calibration stood on this day, {opened}.",
            "Calibrate once 30 labelled events are known."
            if view.grid.kind == "logit"
            else "These scores are no probabilities: nothing can be calibrated.",
        )
    rule, watch = view.calibration[1].rule, view.calibration[1].watch
    none = (
        f"None of the day's {seen:,} high-risk events was certain enough for a ticket: all went to a person."
        if seen
        else "No event of the day was of high risk."
    )
    what = (
        f"Of {seen:,} high-risk events {routes['ticket']:,} were certain enough for a ticket; {routes['alert']:,} went to a person."
        if routes["ticket"]
        else none
    )
    if watch.broken_on:
        return Headline(
            "look",
            f"The promise about tickets broke (found on {watch.broken_on}). {what}",
            "Nothing is automated until the cause is known and 'aiops-wb calibrate' starts anew.",
        )
    stale = view.calibration[1].calibration.stale(view.known_at)
    if stale:
        return Headline(
            "look",
            f"{stale[0].upper()}{stale[1:]}, so nothing is automated. {what}",
            "Let the daily run recalibrate, or use 'aiops-wb calibrate'.",
        )
    if rule.threshold is None:
        return Headline("look" if seen else "ok", what, f"Nothing is automated: {rule.reason}.")
    return Headline(
        "ok",
        f"{what} From a score of {number(view.probability(rule.threshold))} on {rule.guarantee}.",
        f"{backtest(view)} A person reviews the rest, riskiest first.",
    )


def backtest(view: View) -> str:
    "What became of the tickets so far, in one sentence."
    kept = view.kept()
    kept = kept[kept.tickets > 0]
    if kept.empty:
        return "No ticket has a mature label yet, so there is no back-test."
    target = view.settings.false_ticket_share
    share, mean = over_days(kept.false, kept.tickets), float((kept.false / kept.tickets).mean())
    weeks = (
        kept.assign(week=pd.to_datetime(kept.day).dt.to_period("W"))
        .groupby("week")[["false", "tickets"]]
        .sum()
    )
    over = int((weeks.false / weeks.tickets > target).sum())
    return (
        f"Back-test over {len(kept)} mature days: the mean daily share of false tickets was {percent(mean, 1)} ({percent(share.value, 1)} of all {int(kept.tickets.sum()):,} labelled tickets); "
        f"{over} of {len(weeks)} weeks exceeded {percent(target)}."
    )


def thresholds_headline(view: View) -> Headline:
    "What would another threshold do?"
    if view.candidate is None:
        return Headline(
            "unknown",
            "No labelled positive is known in the last 30 days.",
            "Keep the threshold until labels arrive.",
        )
    result = view.simulate(view.candidate)
    (a, b, _) = result.table["alerts_per_day"]
    says = (
        f"The threshold in force is {number(view.probability(view.threshold))} ({b:.0f} alerts a day). The best F1 of the last {view.days_replayed} days "
        f"would have been at {number(view.probability(view.candidate))} ({a:.0f} alerts a day)."
    )
    return Headline(
        "ok" if abs(view.candidate - view.threshold) < 300 else "look", says, result.recommendation
    )


def explain_headline(reasons: pd.DataFrame, shown: int, total: int) -> Headline:
    "Why did the alerts fire? `reasons` has the columns of `explain.reasons`."
    if reasons.empty:
        return Headline("ok", "No alert fired on this day.", "Nothing to explain.")
    first = reasons.reason_1.value_counts()
    if first.empty:
        return Headline(
            "look",
            "No feature raised these scores above the model's average.",
            "Check that the features were logged.",
        )
    of = "the alerts" if shown == total else f"the {shown} riskiest of {total:,} alerts"
    return Headline(
        "ok",
        f"{first.index[0]} is the first reason in {percent(first.iloc[0] / len(reasons))} of {of}; its mean push is {number(reasons.push_1[reasons.reason_1 == first.index[0]].mean(), 2)} log-odds.",
        "Compare with what the people on site see; reasons explain the model, not the world.",
    )


def retrain_headline(checks: Sequence[Check], last: Challenge | None) -> Headline:
    "Should we retrain, and is a retrained model better?"
    stopped = [c for c in checks if not c.passed]
    state = (
        "Retraining may start: all five safeguards pass."
        if not stopped
        else f"Retraining is blocked: {'; '.join(c.reason for c in stopped)}."
    )
    if last is None:
        return Headline(
            "look" if not stopped else "ok",
            state,
            "No challenger was compared yet; 'aiops-wb retrain' trains and compares one without switching it on (--override WHY where a safeguard stops it).",
        )
    if last.verdict.propose:
        return Headline(
            "look",
            f"{last.challenger} is better than {last.champion}: {last.verdict.reason}.",
            f"Proposed, not active: read the comparison, then 'aiops-wb activate'. {state}",
        )
    return Headline(
        "ok",
        f"{last.challenger} is not shown to be better than {last.champion}: {last.verdict.reason}.",
        f"Keep the champion. {state}",
    )


def open_view(
    data: str | Path,
    model: str = "",
    day: str = "",
    as_of: str = "",
    settings: Mapping | None = None,
) -> View:
    "The view of a published snapshot; day as 2013-04-01, as_of as a time with an offset."
    reader = open_snapshot(data)
    known = reader.models()
    if not known:
        raise StoreError("the log is empty: log some predictions and run 'aiops-wb ingest' first.")
    model = model or known[0]
    when = pd.Timestamp(as_of).to_pydatetime() if as_of else None
    days = reader.days(reader.require_model(model), when)
    if not day and not days:
        raise StoreError(f"{model} has no predictions yet.")
    return View(
        reader,
        model,
        date.fromisoformat(day) if day else days[-1],
        when,
        Settings(data=Path(data), **(settings or {})),
    )


def recalibrate(store: Store, view: View, now: datetime, who: str) -> str | None:
    "Calibrate from the labelled events of the window and put it in force; None (nothing changes) when fewer than 30 are known or the scores are no probabilities."
    days = store.held_out_counts(view.model, view.version) | view.counts_by_day
    recent = total(
        (
            c
            for d, c in days.items()
            if view.day - timedelta(view.settings.calibration_days) < d <= view.day
        ),
        view.grid,
    )
    before = store.calibration(view.model, view.version)
    if view.grid.kind != "logit" or recent.total[1] < 30:
        if (
            view.settings.automation == "off" and before and before[1].rule.threshold is not None
        ):  # off is off, labels or not
            off = replace(
                before[1],
                rule=replace(before[1].rule, method="off").stopped("automation is switched off"),
            )
            return store.add_calibration(
                now, who, view.model, view.version, off, "automation is switched off", view.day
            )
        return None
    watch, control, counted = learnt(store, view, before[1] if before else None)
    fresh = certainty(
        days,
        view.day,
        watch=watch,
        control=control,
        counted=counted,
        model=view.model,
        version=view.version,
        created_at=now,
        **view.settings.certainty,
    )
    if before and _standing(before[1]) == _standing(fresh):
        return before[0]
    return store.add_calibration(
        now,
        who,
        view.model,
        view.version,
        fresh,
        f"daily, {view.settings.calibration_days} days to {view.day}",
        view.day,
    )


def _standing(stands):
    "All that decides, without when it was written."
    return {
        k: v for k, v in stands.to_json().items() if k not in ("created_at", "model", "version")
    }


def learnt(
    store: Store, view: View, before: Certainty | None
) -> tuple[RiskMonitor, Control | None, date]:
    "The watch and the controller after the days that became mature since the calibration before."
    settings = view.settings
    same = (
        before and before.counted and before.watch.target == settings.false_ticket_share
    )  # a new promise is watched anew
    watch = before.watch if same else RiskMonitor(settings.false_ticket_share)
    control = before.control if same else None
    if settings.automation == "control" and control is None:
        floor = settings.risk_cuts[2]
        control = Control(
            settings.false_ticket_share,
            floor=floor,
            first=floor,
            level=floor,
            delay_days=settings.label_delay_days,
        )
    first = before.counted + timedelta(1) if before and before.counted else min(view.counts_by_day)
    ripe = {
        day: counts
        for day, counts in sorted(view.counts_by_day.items())
        if first <= day <= view.mature_day
    }
    keys = store.decided_with(view.model, view.version, ripe, view.as_of)
    stood = store.calibrations(set(keys.values()))
    for day, counts in ripe.items():
        rule = stood[keys[day]].rule if keys.get(day) in stood else None
        if (
            rule and rule.method in WATCHED and rule.target == watch.target
        ):  # only tickets that this promise opened
            _, labelled, false = store.ticket_outcomes(
                view.model, view.version, day, day, view.as_of
            ).get(day, (0, 0, 0))
            watch = watch.after(day, labelled, false)
        if control is not None:
            control = control.after(counts, rule.threshold if rule else None)
    return (
        watch,
        control,
        max(view.mature_day, before.counted) if before and before.counted else view.mature_day,
    )
