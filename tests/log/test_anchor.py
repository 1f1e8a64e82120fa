"""What holds the audit trail from outside: edits, deletions, swaps and a cut end are found."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiops_wb.log.anchor import Anchor, add_anchor, read_anchors, verify_trail
from aiops_wb.log.audit import CHAIN, AuditReads
from aiops_wb.log.duck import connect
from aiops_wb.log.errors import StoreError

NOW = datetime(2026, 3, 20, tzinfo=UTC)
COLUMNS = ("changed_at", "who", "what", "subject", "old", "new", "why", "evidence")
JSON = CHAIN.partition("|| ")[2].removesuffix(")")  # what is hashed behind the hash before


class Trail:
    "A trail in a database of its own, hashed here anew: the oracle of the chain's SQL."

    def __init__(self, n):
        self.reader = AuditReads(connect(":memory:"), "/nowhere")
        self.con = self.reader.con
        self.con.execute(
            f"""
            CREATE TABLE audit AS
            SELECT i::BIGINT AS seq,
                   TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_minutes(i) AS changed_at,
                   ['ana', 'ben', 'jo'][1 + i % 3] AS who, 'threshold' AS what,
                   'm' || i % 7 || '/v1' AS subject, nullif(i - 7, -6)::VARCHAR AS old,
                   (37 * i % 1000)::VARCHAR AS new, 'because of ' || i AS why,
                   CASE WHEN i % 5 = 0 THEN '{{"n": ' || i || '}}' END AS evidence, '' AS hash
            FROM range(1, {n + 1}) t(i)"""
        )
        self.rows = self.hashed()
        self.put(self.rows)

    def hashed(self):
        "The rows as they are, numbered and chained anew."
        frame = self.con.execute("SELECT * FROM audit").df()
        frame["seq"], before, hashes = range(1, len(frame) + 1), "", []
        self.put(frame)
        for (told,) in self.con.execute(f"SELECT {JSON} FROM audit ORDER BY seq").fetchall():
            before = hashlib.sha256((before + told).encode()).hexdigest()
            hashes.append(before)
        return frame.assign(hash=hashes)

    def put(self, frame):
        self.con.register("incoming", frame)
        self.con.execute("CREATE OR REPLACE TABLE audit AS SELECT * FROM incoming")
        self.con.unregister("incoming")

    def anchors(self, every, until):
        marks = range(every, until + 1, every)
        return [Anchor(NOW + timedelta(n), n, self.rows.hash[n - 1], f"line {n}") for n in marks]


@pytest.fixture(scope="module")
def trail():
    return Trail(120)


def harmed(trail, kind, at, other, forged):
    "The trail after one act of a kind at a row, its hashes made anew or not; the first row hit."
    frame = trail.rows.copy()
    if kind == "edit":
        frame.loc[at - 1, "new"] = "another"
    elif kind == "delete":
        frame = frame.drop(index=at - 1)
    elif kind == "swap":
        here, there = frame.loc[at - 1, list(COLUMNS)], frame.loc[other - 1, list(COLUMNS)]
        frame.loc[at - 1, list(COLUMNS)] = there.to_numpy()
        frame.loc[other - 1, list(COLUMNS)] = here.to_numpy()
    elif kind == "put in":
        more = frame.iloc[[at - 1]].assign(why="never said")
        frame = pd.concat([frame[: at - 1], more, frame[at - 1 :]], ignore_index=True)
    else:
        frame = frame[: at - 1]
    trail.put(frame.astype({"changed_at": trail.rows.changed_at.dtype}))
    if forged and len(frame):
        trail.put(trail.hashed())
    return min(at, other) if kind == "swap" else at


KINDS = ("edit", "delete", "swap", "put in", "cut off")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(KINDS),
    st.integers(1, 120),
    st.integers(1, 120),
    st.booleans(),
    st.sampled_from([1, 7, 40]),
)
def test_whatever_was_done_up_to_the_last_anchor_is_found_and_placed(
    trail, kind, at, other, forged, every
):
    if kind == "swap" and at == other:
        return
    anchors = trail.anchors(every, 120 - 120 % every)
    first = harmed(trail, kind, at, other, forged)
    found = verify_trail(trail.reader, anchors)
    trail.put(trail.rows)
    anchored = first <= anchors[-1].rows
    chained = not forged and not (kind == "cut off" or (kind == "delete" and at == 120))
    assert found.intact == (not anchored and not chained), (found, first)
    if anchored and forged and kind in ("edit", "swap"):
        low = (first - 1) // every * every
        span = f"a row from {low + 1} to {low + every}" if every > 1 else f"row {first} is"
        assert span in found.findings[-1], (found, first)
        held = f"rows up to {low} are as in line {low} "
        assert (held in found.findings[-1]) == (low > 0)
    if chained and kind == "edit":
        assert found.findings[0].startswith(f"row {first} does not fit the chain")
    if kind == "cut off" and anchored and first > 1:
        assert "its end was cut off" in found.findings[-1]


def test_a_forger_behind_the_last_anchor_is_not_seen_and_that_is_what_is_stated(trail):
    anchors = trail.anchors(40, 80)
    harmed(trail, "edit", 100, 0, forged=True)
    found = verify_trail(trail.reader, anchors)
    trail.put(trail.rows)
    assert found.intact and found.anchored == 80 < found.rows == 120


@pytest.fixture(scope="module")
def long():
    return Trail(100_000)


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("forged", [False, True])
def test_it_is_found_in_a_hundred_thousand_rows(long, kind, forged):
    if kind is None:
        assert verify_trail(long.reader, long.anchors(1000, 100_000)).rows == 100_000
        return
    at = 77_777
    if kind == "edit" or not forged:  # to hash anew takes longest, and is the same for each kind
        harmed(long, kind, at, 12_345, forged)
        found = verify_trail(long.reader, long.anchors(1000, 100_000))
        long.put(long.rows)
        assert not found.intact
        told = " ".join(found.findings).replace(",", "")
        assert ("77001 to 78000" if forged else "12345" if kind == "swap" else "7777") in told


def test_the_queries_answer_equals_hashes_made_elsewhere(bench):
    with bench.store() as store:
        for i in range(5):
            store.record(NOW, "ana", "threshold", "m/v1", str(i), f"Größe {i}", {"i": [i, "ü"]})
        told = [t for (t,) in store._rows(f"SELECT {JSON} FROM audit ORDER BY seq")]
        heads, before = [], ""
        for text in told:
            before = hashlib.sha256((before + text).encode()).hexdigest()
            heads.append(before)
        assert store.audit().hash.tolist() == heads
        assert store.audit_head() == (5, heads[-1])
        assert store.audit_hashes([2, 9]) == {2: heads[1]}


def test_each_change_adds_a_line_and_the_same_says_nothing_twice(bench, tmp_path):
    path = tmp_path / "elsewhere" / "anchor.jsonl"
    with bench.store() as store:
        assert add_anchor(store, path, NOW) and not add_anchor(store, path, NOW)
        store.record(NOW, "ana", "watch", "m/v1", "on", "because")
        assert add_anchor(store, path, NOW + timedelta(1))
        with open(path, "a") as file:
            file.write('{"at": "2026-03-2')  # a write that was cut short
        store.record(NOW, "ana", "watch", "m/v1", "off", "because")
        assert add_anchor(store, path, NOW + timedelta(2))
        anchors, unreadable = read_anchors(path)
        assert [a.rows for a in anchors] == [0, 1, 2] and unreadable == [3]
        assert verify_trail(store, anchors).anchored == 2
        assert str(anchors[1]).startswith("line 2 of anchor.jsonl (2026-03-21 00:00Z, 1 rows)")


def test_an_anchor_ahead_of_the_log_or_of_another_one_gets_no_further_line(bench, tmp_path):
    path = tmp_path / "anchor.jsonl"
    with bench.store() as store:
        store.record(NOW, "ana", "watch", "m/v1", "on", "because")
        for rows, head, says in (
            (2, "ab", "its end was cut off, or an older catalog was put back. Keep the file"),
            (1, "ab", "the trail was changed, or the file is of another log"),
        ):
            path.write_text(json.dumps({"at": NOW.isoformat(), "rows": rows, "head": head}) + "\n")
            with pytest.raises(StoreError, match=says):
                add_anchor(store, path, NOW)
            assert path.read_text().count("\n") == 1
    with pytest.raises(StoreError, match="cannot be read .*without them nobody can tell"):
        read_anchors(tmp_path / "none")
    for line in ("[]", '{"rows": 1}', '{"at": "2026-03-20", "rows": 1, "head": ""}', "{}"):
        path.write_text(line + "\n")
        assert read_anchors(path) == ([], [1])
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="What was done is done, and is anchored by the next"):
        empty = SimpleNamespace(audit_head=lambda: (0, ""))
        add_anchor(empty, tmp_path / "file" / "anchor", NOW)


@pytest.mark.parametrize(
    "line",
    (
        '{"at": "2026-01-01T00:00:00+00:00", "rows": Infinity, "head": "x"}',
        '{"at": "2026-01-01T00:00:00+00:00", "rows": 1e30, "head": "x"}',
        '{"at": "2026-01-01T00:00:00+00:00", "rows": -5, "head": "x"}',
        '{"at": "9999-12-31T23:59:59-23:00", "rows": 1, "head": "x"}',
        "[" * 100_000,
    ),
)
def test_a_line_that_no_anchor_can_be_is_unreadable(tmp_path, line):
    "It is counted and passed over; what stands before it still holds."
    trail, path = Trail(3), tmp_path / "anchors.jsonl"
    assert add_anchor(trail.reader, path, NOW)
    with open(path, "a") as file:
        file.write(line + "\n")
    found = read_anchors(path)
    assert found.unreadable == [2] and [a.rows for a in found.anchors] == [3]
    assert verify_trail(trail.reader, found.anchors).intact
    add_anchor(trail.reader, path, NOW)
    assert read_anchors(path).unreadable == [2]


def test_a_device_is_no_file_of_anchors():
    "It would be read for ever."
    with pytest.raises(StoreError, match="/dev/zero cannot be read .it is no regular file."):
        read_anchors(Path("/dev/zero"))
    with pytest.raises(StoreError, match="cannot be written to /dev/zero: it is no regular file"):
        add_anchor(Trail(1).reader, Path("/dev/zero"), NOW)
