"""Are the counts what the rows say? They are counted again by the queries that counted them first.

Counts that only new predictions change, and how labels arrived, are held against each other where
the rows do not say them any more. What was shifted from one batch to another, with the same sum, is
not found: that is the past of a count, not the count.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from ..stats.points import Grid
from .base import conditions
from .duck import parquet, statements
from .gone import DayFile
from .hours import HOURS
from .recount import ASKED, RecountReads, columns_of

__all__ = ["arrivals_differ", "counts_differ", "features_differ", "once_differ"]

_DAYS, _ROWS = 50, 2_000_000  # that are counted in one query
_KEY = "event_date, tenant, model, version"
_GO_ON = "put the catalog back from a backup, then 'aiops-wb repair' brings it up to date."


class _Day(NamedTuple):
    "A day of a version: what its files say, or that it has none."

    key: tuple
    files: list[DayFile]

    def __str__(self) -> str:
        return _named(self.key)

    def why(self) -> str:
        "What must have been changed, where its rows and its counts differ."
        if all(file.sha256 for file in self.files):
            return f"its rows are those that were committed, so the catalog was changed; {_GO_ON}"
        return f"not all of its files have a checksum, so either was changed; {_GO_ON}"


def _named(key):
    day, tenant, model, version = key
    return f"{day} of {model} {version}" + (f" ({tenant})" if tenant != "default" else "")


def _groups(reader, asked) -> Iterator[tuple[str, dict[tuple, _Day]]]:
    "(grid, days) that are counted together; not those of which a file is not whole."
    files = reader.day_files()
    broken = asked.broken | reader.lost_files() | {f.path for f in reader.gone(closely=False)}
    blind = {file.day for file in files if file.kind == "outcomes" and file.path in broken}
    if None in blind:  # labels of any day
        return
    of_day, left = {}, set()
    for file in files:
        if file.kind == "predictions" and asked.asks(file):
            of_day.setdefault(file[1:5], []).append(file)
            left |= {file[1:5]} if file.path in broken or file.day in blind else set()
    grids = dict(reader._rows("SELECT path, grid FROM data_files WHERE kind = 'predictions'"))
    part, rows, of = {}, 0, None
    for key in sorted(of_day.keys() - left):
        day = _Day(key, of_day[key])
        size, grid = sum(file.rows for file in day.files), grids[day.files[0].path]
        if part and (grid != of or len(part) == _DAYS or rows + size > _ROWS):
            yield of, part
            part, rows = {}, 0
        part[key], rows, of = day, rows + size, grid
    if part:
        yield of, part


def counts_differ(reader, asked) -> Iterator[tuple]:
    "Days whose score counts are not what their rows say, as labels stand."
    counting = RecountReads(reader.con, reader.root)
    for grid, days in _groups(reader, asked):
        found = counting.score_differences(list(days), Grid.parse(grid))
        for key, cells in found.groupby(_KEY.split(", "), sort=True):
            day = days[(key[0].date(), *key[1:])]
            yield "counts", str(day), _said_of_counts(reader, day, cells)
        asked.advance(sum(file.rows for day in days.values() for file in day.files))
    yield from _counts_of_nothing(reader, asked)


def _said_of_counts(reader, day, cells):
    "In words: events, labels and positives by the catalog and by the rows, or how many cells."
    names = ["n", "n_labelled", "n_positive"]
    where, values = conditions(**dict(zip(_KEY.split(", "), day.key)), segment="")
    sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT" for name in names)
    told = reader._rows(f"SELECT {sums} FROM score_counts{where}", values)[0]
    off = cells[cells.segment == ""][names].sum().astype(int)
    words = [
        f"{n:,} {what} in the catalog, {n + more:,} in the rows"
        for n, more, what in zip(told, off, ("events", "labels", "positives"))
        if more
    ]
    many = "1 cell differs" if len(cells) == 1 else f"{len(cells):,} cells differ"
    return f"score counts of {day}: {'; '.join([many, *words])}: {day.why()}"


def _counts_of_nothing(reader, asked):
    "Days that were counted, and of which the catalog names no file."
    where, values = conditions(event_date__ge=asked.since, model=asked.model)
    rows = reader._rows(
        f"""
        SELECT {_KEY}, sum(n)::BIGINT FROM (SELECT * FROM score_counts{where})
        ANTI JOIN (SELECT {_KEY} FROM data_files WHERE kind = 'predictions') USING ({_KEY})
        WHERE segment = '' GROUP BY ALL HAVING sum(n) <> 0 ORDER BY ALL""",
        values,
    )
    for *key, n in rows:
        says = (
            f"score counts of {_named(key)}: {n:,} events, and the catalog names no file: {_GO_ON}"
        )
        yield "counts", _named(key), says


def _once(zone: str) -> Mapping[str, tuple[str, str, dict]]:
    "Table -> (its cells, how they are counted from `predictions`, parameters)."
    sql, names = statements("reductions.sql"), "tenant, model, version"
    hours = HOURS.format(names=names, batch="0", keys=f"{names},", rows="predictions")
    return {
        "decision_counts": ("route, automated", sql["decision_counts"], {}),
        "latency_counts": ("bin", sql["latency_counts"], {}),
        "hour_counts": ("hour", hours, {"zone": zone}),
    }


def once_differ(reader, asked) -> Iterator[tuple]:
    """Days whose counts of decisions, latencies and hours are not what their rows say; not those
    of which rows were forgotten."""
    partly = set(reader._rows(f"SELECT DISTINCT {_KEY} FROM forgotten_counts"))
    for _, group in _groups(reader, asked):
        days = {key: day for key, day in group.items() if key not in partly}
        if not days:
            asked.advance(sum(file.rows for day in group.values() for file in day.files))
            continue
        rows = parquet(reader.root / file.path for day in days.values() for file in day.files)
        for table, (cells, counted, told) in _once(reader.timezone).items():
            found = reader._rows(
                f"""
                WITH predictions AS (SELECT * FROM {rows})
                SELECT {_KEY}, count(*) FROM (
                    SELECT {_KEY}, {cells} FROM (
                        SELECT {_KEY}, {cells}, n FROM ({counted})
                        UNION ALL
                        SELECT {_KEY}, {cells}, -n FROM {table}
                        SEMI JOIN ({ASKED}) USING ({_KEY}))
                    GROUP BY ALL HAVING sum(n) <> 0)
                GROUP BY ALL ORDER BY ALL""",
                columns_of(list(days)) | told,
            )
            for *key, n in found:
                day, what = days[tuple(key)], table.replace("_", " ")
                many = "1 cell differs" if n == 1 else f"{n:,} cells differ"
                yield "counts", str(day), f"{what} of {day}: {many}: {day.why()}"
        asked.advance(sum(file.rows for day in group.values() for file in day.files))


def features_differ(reader, asked) -> Iterator[tuple]:
    """Days on which a feature was counted for other events than came in.

    Each batch puts every event of a feature into one bin, the missing ones too, so that the bins of
    a feature add up to the events of the batch; values that were read again later only move.
    """
    where, values = conditions(event_date__ge=asked.since, model=asked.model)
    rows = reader._rows(
        f"""
        WITH came AS (
            SELECT {_KEY}, batch_id, sum(n) AS n FROM score_counts
            WHERE segment = '' GROUP BY ALL),
        counted AS (
            SELECT {_KEY}, batch_id, feature, sum(n) AS n
            FROM (SELECT * FROM feature_counts{where}) GROUP BY ALL)
        SELECT {_KEY}, feature, sum(c.n)::BIGINT, sum(coalesce(e.n, 0))::BIGINT
        FROM counted AS c
        JOIN batches USING (batch_id)
        LEFT JOIN came AS e USING ({_KEY}, batch_id)
        WHERE batches.kind IN ('predictions', 'features') AND c.n <> coalesce(e.n, 0)
        GROUP BY ALL ORDER BY ALL""",
        values,
    )
    for *key, feature, n, came in rows:
        says = (
            f"feature counts of {_named(key)}: {feature} of {n:,} events, {came:,} came: {_GO_ON}"
        )
        yield "counts", _named(key), says


def arrivals_differ(reader, asked) -> Iterator[tuple]:
    "Days on which how labels arrived does not add up to the labels that there are."
    where, values = conditions(event_date__ge=asked.since, model=asked.model)
    sums = "sum(n) AS n, sum({labelled}) AS n_labelled, sum(n_positive) AS n_positive"
    found: pd.DataFrame = reader.frame(
        f"""
        SELECT {_KEY} FROM (
            SELECT {_KEY}, {sums.format(labelled="n_labelled")}
            FROM (SELECT * FROM score_counts{where}) WHERE segment = '' GROUP BY ALL
            UNION ALL
            SELECT {_KEY}, -sum(n), -sum(n_negative + n_positive), -sum(n_positive)
            FROM (SELECT * FROM arrival_counts{where}) GROUP BY ALL)
        GROUP BY ALL HAVING sum(n) <> 0 OR sum(n_labelled) <> 0 OR sum(n_positive) <> 0
        ORDER BY ALL""",
        values,
    )
    for key in found.itertuples(index=False):
        named = _named((key.event_date.date(), *key[1:]))
        says = f"arrival counts of {named}: they do not add up to its score counts: {_GO_ON}"
        yield "counts", named, says
