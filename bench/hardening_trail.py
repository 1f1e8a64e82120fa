"""What it costs to append to a long audit trail: the check before it, and the first one of a day.

`audit_append_100k_ms` is the time of one change recorded in a trail of 100,000 rows by a store that
has recorded one before; `audit_first_100k_ms` that of the first one after an opening, which takes
the sum over all rows; `audit_verify_100k_ms` that of hashing all of them anew, as `audit verify`
does; `audit_append_ms` that of one in a trail of a hundred rows.
"""

import hashlib
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pandas as pd

from aiops_wb.log.chain import CHAIN
from aiops_wb.log.store import open_store

from .common import cpu, figure

__all__ = ["ROWS", "measure", "trail_figures"]

ROWS = 100_000
NOW = datetime(2026, 3, 20, tzinfo=UTC)
_MADE = """
INSERT INTO audit
SELECT i, TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_seconds(i), 'daily', 'calibration',
       'm/v' || i % 7, 'm/' || (i - 7), 'm/' || i, 'daily, 28 days',
       json_object('n', i, 'rule', repeat(md5(i::VARCHAR), 8))::VARCHAR, ''
FROM range(1, $rows + 1) t(i)"""
_SAYS = CHAIN.partition("|| ")[2].removesuffix(")")


def _fill(store, rows):
    "A trail of so many rows, chained here."
    store.con.execute(_MADE, {"rows": rows})
    before, hashes = "", []
    told = store.con.execute(f"SELECT {_SAYS} FROM audit ORDER BY seq").fetchall()
    for (text,) in told:
        before = hashlib.sha256((before + text).encode()).hexdigest()
        hashes.append(before)
    made = pd.DataFrame({"at": range(1, rows + 1), "made": hashes})
    store.con.register("made", made)
    store.con.execute("UPDATE audit SET hash = made.made FROM made WHERE seq = made.at")
    store.con.unregister("made")


def _ms(act):
    before = cpu()
    act()
    return 1000 * (cpu() - before)


def _recorded(store, i):
    store.record(NOW, "ana", "watch", "m/v1", str(i), "because")


def measure(rows: int = ROWS, repeats: int = 20) -> dict[str, float]:
    "CPU milliseconds of each, the median of some."
    with tempfile.TemporaryDirectory() as folder:
        with open_store(Path(folder), "bench") as store:
            _fill(store, rows)
            _recorded(store, 0)  # all is hashed once, and summed
        with open_store(Path(folder), "bench") as store:
            first = _ms(lambda: _recorded(store, 1))
            each = [_ms(lambda i=i: _recorded(store, i)) for i in range(repeats)]
            verify = _ms(store.verify_audit)
    return {"append": median(each), "first": first, "verify": verify}


def trail_figures() -> None:
    "Print the figures of a long trail and of a short one."
    long, short = measure(), measure(100)
    for name, ours, rows, what in (
        ("audit_append_100k_ms", long["append"], ROWS, "one change recorded behind so many"),
        ("audit_first_100k_ms", long["first"], ROWS, "the first of an opening: all are summed"),
        ("audit_verify_100k_ms", long["verify"], ROWS, "all of them hashed anew"),
        ("audit_append_ms", short["append"], 100, "one change recorded behind so many"),
    ):
        figure(name, ours, 0, "CPU ms", rows, f"absolute: {what}")
