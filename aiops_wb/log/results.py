"""What the daily job stored: figures, and what it did."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from math import nan

import pandas as pd

from ..stats.performance import Figure
from .base import Connected, Writing, conditions

__all__ = ["ResultReads", "ResultWrites"]


class ResultReads(Connected):
    "Figures and runs."

    def metrics(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        segment: str | None = "",
        tenant: str | None = "",
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        """The latest figures of each day and metric, of all tenants together unless one is named
        (None: everything stored): event_date, version, tenant, segment, metric, value, lower,
        upper, n, as_of, window_first, window_last."""
        where, values = _stored(model, start, end, as_of, segment=segment, tenant=tenant)
        return self.frame(
            f"""
            SELECT event_date, version, tenant, segment, metric, value, lower, upper, n, as_of,
                   window_first, window_last
            FROM metrics{where}
            QUALIFY row_number() OVER (
                PARTITION BY event_date, tenant, version, segment, metric
                ORDER BY as_of DESC, run_id DESC) = 1
            ORDER BY event_date, segment, metric""",
            values,
        )

    def course(
        self,
        model: str,
        start: date,
        end: date,
        metrics: Sequence[str],
        as_of: datetime | None = None,
    ) -> dict[tuple[date, str], float]:
        """(day, metric) -> the figure of the day, of all tenants together, as it was stored last;
        of the version that was figured last where there were two."""
        where, values = _stored(model, start, end, as_of)
        latest = f"""
            SELECT event_date, metric, arg_max(value, (as_of, run_id))
            FROM metrics{where} AND metric IN (SELECT unnest($metrics))
            GROUP BY event_date, metric"""
        rows = self._rows(latest, values | {"metrics": list(metrics)})
        return {(day, metric): value for day, metric, value in rows}

    def as_of_now(self, now: datetime) -> datetime:
        """A time as of which all is known that is committed: now, or just after the newest record
        where a clock was ahead when it was made. A question as of the present is asked as of it."""
        newest = self._value(
            """
            SELECT greatest(
                (SELECT max(committed_at) FROM batches), (SELECT max(changed_at) FROM audit),
                (SELECT max(as_of) FROM metrics), (SELECT max(recorded_at) FROM drift_events))"""
        )
        return now if newest is None or newest <= now else newest + timedelta(microseconds=1)

    def has_metrics(self, model: str, day: date) -> bool:
        "Whether any figure of a day is stored."
        where, values = conditions(model=model, event_date=day)
        return bool(self._rows(f"SELECT 1 FROM metrics{where} LIMIT 1", values))

    def first_metrics(
        self,
        model: str,
        version: str,
        start: date,
        end: date,
        as_of: datetime | None = None,
    ) -> dict[tuple[date, str], tuple[Figure, datetime]]:
        """(day, metric) -> the figure of a version as it was first stored, of all tenants together,
        and as of when."""
        where, values = _stored(model, start, end, as_of, version=version)
        rows = self._rows(
            f"""
            SELECT event_date, metric, as_of, value, lower, upper, n FROM metrics{where}
            QUALIFY row_number() OVER (
                PARTITION BY event_date, metric ORDER BY as_of, run_id) = 1""",
            values,
        )
        as_float = lambda value: nan if value is None else value
        return {
            (day, metric): (Figure(*map(as_float, figure), n), at)
            for day, metric, at, *figure, n in rows
        }

    def runs(
        self, model: str | None = None, event_date: date | None = None, step: str | None = None
    ) -> pd.DataFrame:
        "What the daily job did, oldest first."
        where, values = conditions(model=model, event_date=event_date, step=step)
        return self.frame(f"SELECT * FROM runs{where} ORDER BY started_at, step", values)

    def first_figures_at(
        self, model: str, day: date, as_of: datetime | None = None
    ) -> datetime | None:
        "As of when the first figures of a day speak, of those that speak of a time until `as_of`."
        where, values = conditions(
            model=model, event_date=day, step="figures", state="ok", as_of__le=as_of
        )
        return self._value(f"SELECT min(as_of) FROM runs{where}", values)

    def nights(self, model: str, as_of: datetime | None = None) -> list[tuple[date, datetime]]:
        """(day, time) of each night that made a day's figures as of its own time and could
        calibrate: figures of no later day were there."""
        where, values = conditions(model=model, step="figures", state="ok", as_of__le=as_of)
        rows = self._rows(
            f"""
            SELECT DISTINCT event_date, as_of FROM runs{where} AND as_of >= started_at
            ORDER BY as_of, event_date""",
            values,
        )
        nights, newest = [], date.min
        for day, at in rows:
            if day >= newest:
                nights.append((day, at))
                newest = day
        return nights

    def newest_figured(self, model: str, until: date) -> date | None:
        "The newest day of a model before another that has its figures; None where none has."
        return self._value(
            """
            SELECT max(event_date) FROM runs
            WHERE model = $model AND step = 'figures' AND state = 'ok' AND event_date < $until""",
            {"model": model, "until": until},
        )

    def figure_states(self, model: str, after: date, until: date) -> set[str]:
        "What became of the figures of the days after one and until another."
        return set(
            self._column(
                """
                SELECT DISTINCT state FROM runs
                WHERE model = $model AND step = 'figures'
                    AND event_date > $after AND event_date <= $until""",
                {"model": model, "after": after, "until": until},
            )
        )


class ResultWrites(ResultReads, Writing):
    "New figures and runs."

    def add_metrics(self, frame: pd.DataFrame) -> None:
        "Append tidy figures."
        self._insert("metrics", frame)

    def add_runs(self, frame: pd.DataFrame) -> None:
        "Append run records."
        self._insert("runs", frame)


def _stored(model, start, end, as_of, **of):
    "What the figures of some days are chosen by: those of all events unless something is named."
    days = {"event_date__ge": start, "event_date__le": end, "as_of__le": as_of}
    return conditions(model=model, **days, **{"segment": "", "tenant": ""} | of)
