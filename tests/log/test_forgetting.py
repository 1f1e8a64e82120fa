"""Rows of somebody go, what was counted of them stays, and nothing of them comes back."""

import json
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, events

from aiops_wb.log.acts import hand_in
from aiops_wb.log.blanked import blank_rows
from aiops_wb.log.errors import StoreError
from aiops_wb.log.forgetting import find, forget
from aiops_wb.log.forgotten import Forgotten
from aiops_wb.log.mentions import Mentions
from aiops_wb.log.named_files import Places
from aiops_wb.log.open_file import read
from aiops_wb.log.pseudonyms import keyed, keyed_sql, made_key
from aiops_wb.log.spool import OutcomeLogger, PredictionLogger
from aiops_wb.log.tables import Batch
from aiops_wb.log.tables import table as as_table

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WHO = "person-0815-Ümläut"
COUNTED = ("score_counts", "arrival_counts", "hour_counts", "latency_counts", "decision_counts")


def log(bench, frame, entity):
    "Log events whose entity is known."
    with PredictionLogger(
        bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None
    ) as logger:
        logger.log(
            frame["score"],
            frame["at"],
            prediction_id=frame["id"],
            entity_id=entity,
            site_id=frame["site"],
            features=frame[["x"]],
            latency_ms=5.0,
        )


def removed(bench, one, why="asked to"):
    with bench.store() as store:
        store.add_forgotten(NOW, [one])
        found = find(store, one, Places(bench.data / "spool"))
        return forget(store, NOW, "test", found, why)


def totals(store):
    "What is counted of each day: every table of counts, added up."
    found = {}
    for table in COUNTED:
        kept = [c for c, *_ in store._rows(f"DESCRIBE {table}") if c != "batch_id"]
        names = [c for c in kept if not c.startswith(("n", "total"))]
        sums = ", ".join(f"sum({c})" for c in kept if c not in names)
        rows = store._rows(f"SELECT {', '.join(names)}, {sums} FROM {table} GROUP BY ALL")
        found[table] = sorted(str(row) for row in rows if any(row[len(names) :]))
    return found


@pytest.mark.parametrize(
    "seed, late",
    [
        (1, True),
        (2, False),
        *(pytest.param(seed, seed % 2 == 0, marks=pytest.mark.slow) for seed in range(10, 20)),
    ],
)
def test_late_labels_of_others_count_a_day_as_if_nobody_had_been_forgotten(
    bench, tmp_path_factory, seed, late
):
    dice = np.random.default_rng(seed)
    first = date(2026, 3, 1) if late else date(2026, 3, 18)  # loaded later: labels by observed_at
    frame = events(days=2, per_day=30, seed=seed, start=first)
    gone = dice.random(len(frame)) < 0.3
    gone[frame["day"] == frame["day"].iloc[-1]] |= seed == 2  # of one day nothing is left
    early = dice.random(len(frame)) < 0.5
    frame["label"] = dice.integers(0, 2, len(frame))
    entity = np.where(gone, WHO, "other")
    log(bench, frame, entity)
    bench.ingest(datetime(2026, 3, 19, tzinfo=UTC))
    bench.label(frame[early], at="2026-03-19T00:00:00Z", label=frame["label"][early])
    bench.ingest(datetime(2026, 3, 20, tzinfo=UTC))
    twin = bench.copy_to(tmp_path_factory.mktemp("twin"))
    with bench.store() as store:
        before = totals(store)
    done = removed(bench, Forgotten("entity", WHO, until=NOW))
    assert done.numbers["predictions"] == gone.sum()
    assert done.numbers["labels"] == (gone & early).sum()
    with bench.store() as store:
        assert totals(store) == before
        ids = {i for i in store.rows(MODEL, first, date(2026, 3, 20)).get("prediction_id", [])}
        assert ids == set(frame["id"][~gone])
    for one in (bench, twin):  # labels come late, some are corrected; one of them is forgotten
        others = frame[~gone]
        one.label(others, at="2026-03-20T06:00:00Z", label=1 - others["label"])
        one.ingest(datetime(2026, 3, 21, tzinfo=UTC))
    with bench.store() as store, twin.store() as other:
        assert totals(store) == totals(other)
    bench.label(frame[gone], at="2026-03-20T07:00:00Z", label=1 - frame["label"][gone])
    log(bench, frame[gone].assign(id=lambda f: "again-" + f["id"]), np.full(gone.sum(), WHO))
    again = bench.ingest(datetime(2026, 3, 22, tzinfo=UTC))
    assert (again.loaded, again.forgotten) == (0, 2 * gone.sum())
    with bench.store() as store, twin.store() as other:
        assert totals(store) == totals(other)


AT, BIT = datetime(2026, 3, 1, 8, tzinfo=UTC), timedelta(microseconds=1)
SCOPES = {  # a model each, whose one row is about WHO: what was forgotten -> whether the row goes
    "in-time": (("entity", WHO, None, None, AT), True),
    "later": (("entity", WHO + "1", None, None, AT - BIT), False),
    "of-tenant": (("entity", WHO + "2", "two", None, None), False),
    "of-model": (("entity", WHO + "3", None, "another", None), False),
    "of-both": (("entity", WHO + "4", "default", "of-both", None), True),
    "as-old": (("before", None, None, "as-old", AT), False),
    "older": (("before", None, None, "older", AT + BIT), True),
    "one": (("prediction", "one-0", None, None, None), True),
    "one-of": (("prediction", "one-of-0", None, "another", None), False),
}


def test_nobody_else_is_forgotten_and_nothing_that_came_later(bench):
    for model, (one, _) in SCOPES.items():
        name = one[1] if one[0] == "entity" else "other"
        with PredictionLogger(bench.data / "spool", model, "v1", threshold=0) as logger:
            logger.log([0.5], [AT], prediction_id=[f"{model}-0"], entity_id=[name])
    with bench.store() as store:
        store.add_forgotten(NOW, [Forgotten(*one) for one, _ in SCOPES.values()])
        known = len(store._rows("FROM forgotten"))
    taken = bench.ingest()
    gone = {model for model, (_, goes) in SCOPES.items() if goes}
    with bench.store() as store:
        assert set(store._column("SELECT model FROM score_counts")) == set(SCOPES) - gone
        assert taken.forgotten == len(gone)
        store.con.execute("CREATE TEMP TABLE again AS SELECT 'in-time-0' AS prediction_id")
        store.remember_ids(NOW, "again")  # is remembered since the ingest
        assert len(store._rows("FROM forgotten")) == known + 2  # the ids of two entities' rows


def test_labels_of_no_known_day_are_dropped_by_age(bench):
    "Those of predictions that are not here, where it is told when they were made."
    old, young = AT - BIT, AT
    frame = pd.DataFrame({"id": ["old", "young"], "label": [1, 1], "at": [old, young]})
    with bench.store() as store:
        for model in (None, "another"):
            until = AT if model is None else NOW
            store.add_forgotten(NOW, [Forgotten("before", None, None, model, until)])
    bench.label(frame)
    taken = bench.ingest()
    assert taken.forgotten == 1


def test_a_forgotten_name_is_found_in_what_would_be_kept_aside(bench):
    told = [
        ("odd", json.dumps({"who": "A B", "n": 1})),  # a value of two words
        ("odd", f"{WHO},0.9"),
        (f"the row of {WHO}", ""),
        ("odd", f"{WHO}2,0.9"),
        ("odd", json.dumps(["A B"])),
    ]
    rows = pd.DataFrame(told, columns=["reason", "raw"])
    with bench.store() as store:
        assert store.without_forgotten(rows)[1] == 0
        store.add_forgotten(NOW, [Forgotten("before", None, until=AT)])  # which has no name
        assert store.without_forgotten(rows)[1] == 0
        store.add_forgotten(NOW, [Forgotten("entity", WHO), Forgotten("prediction", "A B")])
        kept, n = store.without_forgotten(rows)
    assert n == 3 and list(kept.index) == [3, 4]


def test_a_keyed_hash_is_the_same_in_sql_and_in_python(tmp_path):
    key = made_key(tmp_path)
    names = ["a", "", "ü" * 70, WHO, "'; --"]
    rows = duckdb.execute(
        f"SELECT name, {keyed_sql(key, 'entity', 'name')} FROM (SELECT unnest($names) AS name)",
        {"names": names},
    ).fetchall()
    assert rows == [(name, keyed(key, "entity", name)) for name in names]
    assert made_key(tmp_path) == key
    assert (tmp_path / "pseudonyms.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "pseudonyms.key").write_text("00")
    with pytest.raises(StoreError, match="1 bytes instead of 32"):
        made_key(tmp_path)


@pytest.mark.parametrize(
    "lost, said",
    [
        (None, "is missing"),
        pytest.param("00" * 32, "is not the key of that time", marks=pytest.mark.slow),
        pytest.param("as it was", None, marks=pytest.mark.slow),
    ],
)
def test_a_lost_key_is_said_when_rows_come_in(bench, caplog, lost, said):
    with bench.store() as store:
        store.add_forgotten(NOW, [Forgotten("entity", WHO, until=NOW)])
    key = bench.data / "pseudonyms.key"
    if said:
        key.unlink()
    if said and lost:
        key.write_text(lost)
    log(bench, events(days=1, per_day=4, start=date(2026, 3, 18)), "other")
    assert bench.ingest(NOW).loaded == 4
    assert [said in one for one in caplog.messages] == [True] if said else not caplog.messages


@pytest.mark.parametrize(
    "name, text, there",
    [
        ("7", "in row 7.", True),
        ("7", "17 or 70 or _7", False),
        ("al", '{"t": "who\\nal 0.9"}', True),
        ("al", "\\u00e9al", True),
        ("al", "a small tale", False),
        ("Zoë & Co", "Zo\\u00eb & Co", True),
        ("Zoë & Co", "<td>Zoë &amp; Co</td>", True),
        ("Zoë & Co", "?who=Zo%C3%AB%20%26%20Co", True),
        ("a-long-name-of-one", "Xa-long-name-of-oneX", True),
        ("prediction-1", "prediction-10 and prediction-1234567", False),
        ("prediction-1", "prediction-10, prediction-1.", True),
        ("123456789012", "9123456789012", False),
        ("123456789012", "?who=%20123456789012", True),
        ("O'Brien", "<td>O&#39;Brien</td>", True),
        ('Al "X" & Co', "<td>Al &#34;X&#34; &amp; Co</td>", True),
        ('Al "X"', '{"html": "<td title=\\"Al &quot;X&quot;\\">"}', True),
        ('Al "X"', '1,"Al ""X""",0.3', True),
        ("Zoë", '{"body": "{\\"who\\": \\"Zo\\\\u00eb\\"}"}', True),
        ("a/b?c", "?who=a%2Fb%3Fc", True),
    ],
)
def test_a_name_is_found_as_files_spell_it(tmp_path, name, text, there):
    mentions = Mentions([name])
    (tmp_path / "f").write_text(f"before\n{text}\nafter")
    assert mentions.in_text(text) == mentions.in_file(tmp_path / "f") == there
    assert mentions.in_text(mentions.without(text)) is False
    assert mentions.rewrite(tmp_path / "f") == there
    assert (tmp_path / "f").read_text() == ("before\nafter" if there else f"before\n{text}\nafter")


@pytest.mark.parametrize("taken_in_meanwhile", [False, True])
def test_an_act_that_names_somebody_goes_from_the_spool(bench, taken_in_meanwhile):
    log(bench, events(days=1, per_day=4), [WHO, "other", "other", "other"])
    bench.ingest()
    acts = bench.data / "spool" / "acts"
    for who in (WHO, "other"):
        what = {"ids": ["A-1"], "why": f"it was {who}"}
        hand_in(bench.data / "spool", "close", what, "ana", NOW)
    naming, others = sorted(acts.glob("*.json"))
    with bench.store() as store:
        one = Forgotten("entity", WHO)
        store.add_forgotten(NOW, [one])
        found = find(store, one, Places(bench.data / "spool"))
        if taken_in_meanwhile:
            naming.unlink()
        done = forget(store, NOW, "test", found, "asked to")
    assert done.numbers["files of the spool"] == 1
    assert list(acts.glob("*.json")) == [others]


def test_a_label_taken_out_of_an_open_file_leaves_the_next_one_whole(bench):
    logger = OutcomeLogger(bench.data / "spool", "desk", flush_seconds=None)
    for one in ("a", "b", "c"):
        logger.log(one, 1, NOW)
    logger.secure()
    [path] = bench.data.rglob("*.open")
    assert blank_rows(path, lambda row: row.get("prediction_id") == "a") == 1
    with open(path, "rb") as file:
        left = read(file.fileno())
    assert (left.torn, left.damaged) == (0, 0)
    items = [Batch.decoded(one) if isinstance(one, dict) else one for one in left.items]
    assert as_table(left.header, items).arrays["prediction_id"].tolist() == ["b", "c"]
    assert blank_rows(path, lambda row: row.get("prediction_id") == "a") == 0


def test_rows_are_taken_out_of_an_open_file_and_all_others_stay(bench):
    more = events(days=1, per_day=6)
    logger = PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0, flush_seconds=None)
    for one in ("keep", "gone"):
        logger.log(0.5, NOW, prediction_id=one, entity_id=one, features={"x": 1.0, "t": one})
    ids, who = [f"{i}-batch" for i in range(6)], ["keep", "gone"] * 3
    logger.log(more["score"], more["at"], prediction_id=ids, entity_id=who, features=more[["x"]])
    logger.secure()
    (path,) = (bench.data / "spool" / "predictions").glob(".*.open")
    size = path.stat().st_size
    assert blank_rows(path, lambda row: row["entity_id"] == "gone") == 4
    assert b"gone" not in path.read_bytes() and path.stat().st_size == size
    logger.log(0.5, NOW, prediction_id="later", entity_id="keep")  # its process goes on
    logger.secure()
    logger._rows._items.clear()
    logger._rows._disk.let_go()  # and dies without more
    assert bench.ingest().loaded == 5
    with bench.store() as store:
        rows = store.rows(MODEL, date(2026, 3, 1), date(2026, 3, 20))
        assert sorted(rows.prediction_id) == ["0-batch", "2-batch", "4-batch", "keep", "later"]
