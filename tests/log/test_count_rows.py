"""Counts as rows: the same as counts by day, with corrections and several versions."""

from datetime import date, timedelta

import numpy as np
from conftest import MODEL, events

from aiops_wb.stats.counts import ScoreCounts

START = date(2026, 3, 1)
LAST = START + timedelta(2)


def tables(rows):
    "(day, name, version) -> counts."
    made = {}
    for key in set(zip(rows.day.tolist(), rows.name.tolist(), rows.version.tolist())):
        day, name, version = key
        kept = (rows.day == day) & (rows.name == name) & (rows.version == version)
        counts = ScoreCounts.of(rows.points[kept], *rows.counts[:, kept], rows.grid)
        made[START + timedelta(day), rows.names[name], rows.versions[version]] = counts
    return made


def test_rows_are_the_counts_of_days_versions_sites_and_tenants(bench):
    first, second = events(), events(days=2, seed=1, version="v2")
    bench.log(first)
    bench.log(second, version="v2")
    bench.ingest()
    bench.label(first)
    bench.ingest()
    bench.label(first, label=1 - first.label, at="2026-03-21T00:00:00Z")
    bench.ingest()
    with bench.store() as log:
        whole, sites = log.count_rows(MODEL, START, LAST, "site")
        assert set(sites.names) == {"north", "south"} and sites.grid.step == 20
        for version in ("v1", "v2"):
            by_day = log.score_counts(MODEL, version=version)
            assert by_day == {d: t for (d, _, v), t in tables(whole).items() if v == version}
            for site in sites.names:
                named = log.score_counts(MODEL, version=version, segment=f"site={site}")
                one = {d: t for (d, s, v), t in tables(sites).items() if (s, v) == (site, version)}
                assert one == named
        tenants, none = log.count_rows(MODEL, START, LAST, "tenant")
        assert tenants.names == ("default",) and not len(none.day)
        assert np.array_equal(tenants.counts.sum(axis=1), whole.counts.sum(axis=1))
        later = whole.between(1, 2, "v1")
        assert later.versions == ("v1",) and set(later.day) == {0, 1}
        empty, _ = log.count_rows(MODEL, START - timedelta(9), START - timedelta(5))
        assert not len(empty.day) and empty.versions == ()
