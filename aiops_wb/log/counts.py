"""Counts of each day: scores and labels, segments, latencies, decisions, features."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from ..stats.arrival import BANDS, Arrivals
from ..stats.counts import Histogram, ScoreCounts
from ..stats.points import Grid
from .base import Writing, conditions
from .batches import BatchReads
from .errors import StoreError
from .outcome_columns import OutcomeColumnReads

__all__ = [
    "ArrivalReads",
    "CountWrites",
    "FeatureCountReads",
    "ScoreCountReads",
    "TrafficReads",
    "arrivals_of",
    "require_one_grid",
]

_EPOCH = date(1970, 1, 1).toordinal()
_DAY_NUMBER = "(event_date - DATE '1970-01-01')::INTEGER AS day"
_COUNTED = ("points", "n", "n_labelled", "n_positive")


def _day(number) -> date:
    "The day of a number of days since 1970."
    return date.fromordinal(_EPOCH + int(number))


class ScoreCountReads(BatchReads):
    "Scores and labels as counts."

    def score_counts(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        tenant: str | None = None,
        segment: str = "",
        as_of: datetime | None = None,
    ) -> dict[date, ScoreCounts]:
        """Counts of each day from start to end (both included); whole population unless a segment
        such as 'site=EWR' is named."""
        where, values = self._between(
            model, start, end, as_of, version=version, tenant=tenant, segment=segment
        )
        rows = self.con.execute(
            f"""
            SELECT {_DAY_NUMBER}, points, n::INTEGER AS n,
                   n_labelled::INTEGER AS n_labelled, n_positive::INTEGER AS n_positive
            FROM score_counts{where}""",
            values,
        ).fetchnumpy()
        if not len(rows["day"]):
            return {}
        grids = self._grids(model, version, segment)
        if len(grids) > 1:  # by several versions, or at other times
            sql = f"SELECT DISTINCT grid FROM score_counts{where} ORDER BY 1"
            grids = self._column(sql, values)
        require_one_grid(model, grids)
        return _by_day(rows, grids)

    def _grids(self, model, version, segment):
        "The grids that a version, or any of a model, was counted on."
        where, values = conditions(model=model, version=version, segment=segment)
        sql, asked = f"SELECT DISTINCT grid FROM score_counts{where}", tuple(values.items())
        # a version stays on its grid, whatever else is counted
        table = "score_counts" if version is None else "versions that were counted"
        return self._until_written(table, asked, lambda: self._column(sql, values))

    def segments(self, model: str, as_of: datetime | None = None) -> list[str]:
        "Names of the segments with counts, such as 'site=EWR'."
        where, values = conditions(model=model, batch_id__in=self.known(as_of))
        return self._column(
            f"""
            SELECT DISTINCT segment
            FROM score_counts{where} AND segment <> ''
            ORDER BY 1""",
            values,
        )

    def segment_counts(
        self,
        model: str,
        start: date,
        end: date,
        *,
        version: str | None = None,
        tenant: str | None = None,
        as_of: datetime | None = None,
    ) -> dict[str, ScoreCounts]:
        "Counts of every segment over the days from start to end, largest first."
        where, values = self._between(model, start, end, as_of, version=version, tenant=tenant)
        return self._by_name(model, "segment", f"{where} AND segment <> ''", values)

    def tenant_counts(
        self,
        model: str,
        start: date,
        end: date,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
    ) -> dict[str, ScoreCounts]:
        "Counts of every tenant over the days from start to end, largest first."
        where, values = self._between(model, start, end, as_of, version=version, segment="")
        return self._by_name(model, "tenant", where, values)

    def tenant_counts_by_day(
        self,
        model: str,
        start: date,
        end: date,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
    ) -> dict[str, dict[date, ScoreCounts]]:
        "Counts of each tenant by day from start to end, in one read."
        where, values = self._between(model, start, end, as_of, version=version, segment="")
        return self._by_name_and_day(model, "tenant", where, values)

    def segment_counts_by_day(
        self,
        model: str,
        start: date,
        end: date,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
    ) -> dict[str, dict[date, ScoreCounts]]:
        "Counts of each segment, such as 'site=EWR', by day from start to end, in one read."
        where, values = self._between(model, start, end, as_of, version=version)
        return self._by_name_and_day(model, "segment", f"{where} AND segment <> ''", values)

    def _by_name(self, model, column, where, values):
        "Name -> counts, largest first."
        sums = self._sums(model, f"{column} AS name", where, values)
        counts = {name: known for (name,), known in _runs(*sums, "name")}
        return dict(sorted(counts.items(), key=lambda item: (-item[1].total[0], item[0])))

    def _by_name_and_day(self, model, column, where, values):
        "Name -> day -> counts."
        known = {}
        sums = self._sums(model, f"{column} AS name, {_DAY_NUMBER}", where, values)
        for (name, day), counts in _runs(*sums, "name", "day"):
            known.setdefault(name, {})[_day(day)] = counts
        return known

    def _sums(self, model, keys, where, values):
        "Columns of counts in the order of keys and points, and their grids, at most one."
        grids = self._column(f"SELECT DISTINCT grid FROM score_counts{where} ORDER BY 1", values)
        require_one_grid(model, grids)
        rows = self.con.execute(
            f"""
            SELECT {keys}, points, sum(n)::INTEGER AS n,
                   sum(n_labelled)::INTEGER AS n_labelled, sum(n_positive)::INTEGER AS n_positive
            FROM score_counts{where}
            GROUP BY ALL
            HAVING sum(n) <> 0
            ORDER BY ALL""",
            values,
        )
        return rows.fetchnumpy(), grids

    def versions_scored(
        self, model: str, first: date, last: date, as_of: datetime | None = None
    ) -> list[str]:
        "Versions that scored on the days from first to last, by name."
        where, values = self._between(model, first, last, as_of, segment="")
        return self._column(f"SELECT DISTINCT version FROM score_counts{where} ORDER BY 1", values)

    def predictions_by_version(
        self, model: str, day: date, as_of: datetime | None = None
    ) -> pd.DataFrame:
        "How much each version scored on a day, most first: version, n."
        where, values = self._between(model, day, day, as_of, segment="")
        return self.frame(
            f"""
            SELECT version, sum(n)::BIGINT AS n
            FROM score_counts{where}
            GROUP BY version
            ORDER BY n DESC""",
            values,
        )

    def tenants_scored(
        self, model: str, version: str, first: date, last: date, as_of: datetime | None = None
    ) -> list[str]:
        "Tenants that a version scored for on the days from first to last, by name."
        where, values = self._between(model, first, last, as_of, version=version, segment="")
        return self._column(f"SELECT DISTINCT tenant FROM score_counts{where} ORDER BY 1", values)

    def held_out_counts(self, model: str, version: str) -> dict[date, ScoreCounts]:
        "Counts of the days that the training of a version left out."
        where, values = conditions(model=model, version=version)
        grids = self._column(f"SELECT DISTINCT grid FROM held_out_counts{where}", values)
        rows = self.con.execute(
            f"""
            SELECT {_DAY_NUMBER}, points, n, n_labelled, n_positive
            FROM held_out_counts{where}
            ORDER BY event_date""",
            values,
        ).fetchnumpy()
        return _by_day(rows, grids)


def require_one_grid(model: str, grids: Sequence[str]) -> None:
    "StoreError where counts do not add up."
    if len(grids) > 1:
        raise StoreError(f"{model} was logged on the grids {' and '.join(grids)}: name a version.")


def _by_day(rows, grids):
    "Day -> counts, from columns of numbers in the order in which they were stored."
    day = np.asarray(rows["day"])
    order = slice(None) if (np.diff(day) >= 0).all() else np.argsort(day, kind="stable")
    columns = [np.asarray(rows[c])[order] for c in _COUNTED]
    days, starts = np.unique(day[order], return_index=True)
    return {
        _day(number): ScoreCounts.of(*(c[low:high] for c in columns), Grid.parse(grids[0]))
        for number, low, high in zip(days, starts, [*starts[1:], len(day)])
    }


def _runs(rows, grids, *keys):
    "Each combination of keys with its counts, from columns in the order of keys and points."
    named = [np.asarray(rows[key]) for key in keys]
    columns = [np.asarray(rows[c], dtype=np.int64) for c in _COUNTED]
    if not len(columns[0]):
        return
    differ = np.logical_or.reduce([key[1:] != key[:-1] for key in named])
    starts, grid = np.flatnonzero(np.append(True, differ)).tolist(), Grid.parse(grids[0])
    for low, high in zip(starts, [*starts[1:], len(differ) + 1]):
        run = [column[low:high] for column in columns]
        yield [key[low] for key in named], ScoreCounts(*run, grid)


def _each_day(day):
    "Each day with the places of its rows, in the order in which they were stored."
    order = np.argsort(day, kind="stable")
    days, starts = np.unique(day[order], return_index=True)
    yield from zip(map(_day, days), np.split(order, starts[1:]))


class ArrivalReads(BatchReads):
    "At which age labels became known."

    def arrivals(
        self, model: str, until: date, as_of: datetime | None = None, days: int = 365
    ) -> tuple[list[date], Arrivals]:
        """The days of a model up to `until`, at most so many, and how their labels arrived; all
        versions and tenants together.

        Days are as old as the last delivery of labels, not as the morning.
        """
        first = until - timedelta(days - 1)
        where, values = self._between(model, first, until, as_of)
        rows = self.con.execute(
            f"""
            SELECT {_DAY_NUMBER}, band, age, sum(n)::BIGINT AS n,
                   sum(n_negative)::BIGINT AS negative, sum(n_positive)::BIGINT AS positive
            FROM arrival_counts{where}
            GROUP BY ALL""",
            values,
        ).fetchnumpy()
        return arrivals_of(rows, self.last_outcomes(model, as_of))

    def labelled(
        self, model: str, start: date, end: date, as_of: datetime | None = None
    ) -> dict[date, tuple[int, int]]:
        """Day -> events and those with a known label, of a model from start to end; all versions
        and tenants together."""
        where, values = self._between(model, start, end, as_of)
        rows = self._rows(
            f"""
            SELECT event_date, sum(n)::BIGINT, sum(n_negative + n_positive)::BIGINT
            FROM arrival_counts{where}
            GROUP BY ALL
            ORDER BY ALL""",
            values,
        )
        return {day: (events, known) for day, events, known in rows}

    def known_labels(
        self,
        model: str,
        start: date,
        end: date,
        as_of: datetime | None = None,
        without: Iterable[str] = (),
    ) -> tuple[int, int]:
        "Known labels of a model from start to end, and the positive ones; `without` some tenants."
        where, values = self._between(model, start, end, as_of)
        (counted,) = self._rows(
            f"""
            SELECT coalesce(sum(n_negative + n_positive), 0)::BIGINT,
                   coalesce(sum(n_positive), 0)::BIGINT
            FROM arrival_counts{where} AND NOT list_contains($without, tenant)""",
            values | {"without": list(without)},
        )
        return counted


def arrivals_of(rows: Mapping[str, np.ndarray], newest: date | None) -> tuple[list[date], Arrivals]:
    """Days and how their labels arrived, from columns day (days since 1970), band, age, n,
    negative and positive; `newest`: the day of the last delivery of labels."""
    numbers, place = np.unique(np.asarray(rows["day"]), return_inverse=True)
    known = [_day(number) for number in numbers]
    followed = np.array([max(0, (newest - d).days) if newest else 0 for d in known], dtype=int)
    return known, _arrivals(rows, place, followed)


def _arrivals(rows, place, followed):
    "Rows of (day's place, band, age, n, negative, positive) as a table."
    ages = int(followed.max(initial=0)) + 1
    shape = (len(followed), BANDS)
    band, age = np.asarray(rows["band"]), np.minimum(np.asarray(rows["age"]), followed[place])
    events, labels = np.zeros(shape, np.int64), np.zeros((*shape, ages, 2), np.int64)
    np.add.at(events, (place, band), np.asarray(rows["n"]))
    for y, name in enumerate(("negative", "positive")):
        np.add.at(labels[..., y], (place, band, age), np.asarray(rows[name]))
    return Arrivals(events, labels, followed)


class TrafficReads(BatchReads):
    "When events came, how fast answers were, and who decided."

    def hours(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        "Events by hour of the log's zone: event_date, version, hour, n; all tenants together."
        where, values = self._between(model, start, end, as_of, version=version)
        return self.frame(
            f"""
            SELECT event_date, version, hour, sum(n)::BIGINT AS n
            FROM hour_counts{where}
            GROUP BY ALL
            ORDER BY ALL""",
            values,
        )

    def latency(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        tenant: str | None = None,
        as_of: datetime | None = None,
    ) -> dict[date, Histogram]:
        "Latency histogram (milliseconds) of each day."
        where, values = self._between(model, start, end, as_of, version=version, tenant=tenant)
        rows = self.con.execute(
            f"SELECT {_DAY_NUMBER}, bin, n, total_ms FROM latency_counts{where}", values
        ).fetchnumpy()
        bins, n, total = (np.asarray(rows[c]) for c in ("bin", "n", "total_ms"))
        return {
            day: Histogram.of(bins[at], n[at], total[at].sum())
            for day, at in _each_day(np.asarray(rows["day"]))
        }

    def decisions(
        self,
        model: str,
        start: date | None = None,
        end: date | None = None,
        *,
        version: str | None = None,
        tenant: str | None = None,
        as_of: datetime | None = None,
    ) -> pd.DataFrame:
        "Counts of decisions: event_date, route, automated, n."
        where, values = self._between(model, start, end, as_of, version=version, tenant=tenant)
        return self.frame(
            f"""
            SELECT event_date, route, automated, sum(n)::BIGINT AS n
            FROM decision_counts{where}
            GROUP BY ALL
            ORDER BY ALL""",
            values,
        )


class FeatureCountReads(BatchReads, OutcomeColumnReads):
    "Features in the bins of a version."

    def feature_counts(
        self,
        model: str,
        version: str,
        start: date | None = None,
        end: date | None = None,
        *,
        as_of: datetime | None = None,
    ) -> tuple[list[date], dict[str, np.ndarray]]:
        """Days with counts of features, and for each feature a table (days, 2 + bins): unseen,
        missing, then its bins."""
        where, values = self._between(model, start, end, as_of, version=version)
        return self._tables(f"feature_counts{where}", values)

    def reference_counts(
        self, model: str, version: str
    ) -> tuple[list[date], dict[str, np.ndarray]]:
        """Features of the days that a version was trained and tested on, like `feature_counts`;
        empty for versions registered before these were kept."""
        where, values = conditions(model=model, version=version)
        return self._tables(f"reference_counts{where}", values)

    def reference_list(self, model: str, version: str) -> pd.DataFrame:
        "The same as it is kept: event_date, feature, bin, n."
        where, values = conditions(model=model, version=version)
        return self.frame(
            f"SELECT event_date, feature, bin, n FROM reference_counts{where} ORDER BY ALL", values
        )

    def _tables(self, source, values):
        rows = self.con.execute(
            f"""
            SELECT {_DAY_NUMBER}, feature, (bin + 2)::INTEGER AS place, sum(n)::BIGINT AS n
            FROM {source}
            GROUP BY ALL
            ORDER BY feature""",
            values,
        ).fetchnumpy()
        if not len(rows["day"]):
            return [], {}
        days, where = np.unique(np.asarray(rows["day"]), return_inverse=True)
        features = np.asarray(rows["feature"], dtype=object).astype(str)
        names, starts = np.unique(features, return_index=True)
        place, n, tables = np.asarray(rows["place"]), np.asarray(rows["n"]), {}
        kept = set(self.features_of(values["model"], map(str, names)))
        for name, low, high in zip(names, starts, [*starts[1:], len(n)]):
            if str(name) not in kept:  # an outcome is not watched
                continue
            width = max(3, int(place[low:high].max()) + 1)
            tables[str(name)] = table = np.zeros((len(days), width), dtype=np.int64)
            np.add.at(table, (where[low:high], place[low:high]), n[low:high])
        return [_day(number) for number in days], tables


class CountWrites(Writing):
    "Counts that come from a training, not from a batch."

    def add_held_out(self, model: str, version: str, days: Mapping[date, ScoreCounts]) -> None:
        "Keep the counts of the days that the training of a version left out."
        for day, counts in days.items():
            columns = {
                "event_date": day,
                "model": model,
                "version": version,
                "grid": counts.grid.name,
                "points": counts.points,
                "n": counts.n,
                "n_labelled": counts.n_labelled,
                "n_positive": counts.n_positive,
            }
            self._insert("held_out_counts", pd.DataFrame(columns))

    def add_reference(self, model: str, version: str, counts: pd.DataFrame) -> None:
        """Keep how the features of a version lay on the days of its training: event_date, feature,
        bin, n."""
        if len(counts):
            self._insert("reference_counts", counts.assign(model=model, version=version))
