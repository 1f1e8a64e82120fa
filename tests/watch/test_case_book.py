"""Cases with all that is known of them, against a count by hand."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.config import Settings
from aiops_wb.log.acts import hand_in
from aiops_wb.log.errors import StoreError
from aiops_wb.watch.acts import take_in_now
from aiops_wb.watch.case_book import Alike, ended, flat, matching, one_case
from aiops_wb.watch.case_book import case_book as book_of

NOW = datetime(2026, 4, 20, tzinfo=UTC)
DAY = date(2026, 3, 1)
LAST = timedelta(28)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "Forty days with cases of five entities at two sites, some without either; half have a label."
    bench, rng = Bench(tmp_path_factory.mktemp("book")), np.random.default_rng(4)
    rows = events(days=40, per_day=5, start=DAY)
    bench.log(rows)
    bench.label(rows[::2], "2026-04-15T00:00:00Z")
    bench.ingest(NOW)
    n = len(rows)
    cases = pd.DataFrame(
        {
            "case_id": [f"A-{i:04x}" for i in range(n)],
            "kind": "alert",
            "state": rng.choice(["opened", "late", "joined"], n, p=[0.8, 0.1, 0.1]),
            "prediction_id": rows.id,
            "tenant": rng.choice(["default", "other"], n, p=[0.8, 0.2]),
            "model": MODEL,
            "version": "v1",
            "entity_id": rng.choice(["a", "b", "c", "d", None], n),
            "site_id": rng.choice(["north", "south", None], n),
            "first_reason": rng.choice(["x", "y", None], n),
            "predicted_at": rows["at"],
            "event_date": rows.day,
            "points": 700,
            "probability": 0.67,
            "risk_level": "HIGH",
            "automated": False,
            "assignee": rng.choice(["Jo", None], n),
            "role": "unassigned",
            "workflow": "w",
            "title": "Review: =1+1",
            "text": "two\nlines",
            "reason": "risk HIGH",
            "opened_at": NOW,
            "batch_id": 1,
        }
    )
    with bench.store() as store:
        store._insert("cases", cases)
        store.publish()
    known = cases[cases.state != "joined"].merge(rows[["id", "label"]][::2], "left", None,
                                                 "prediction_id", "id")  # fmt: skip
    return bench, known


def by_hand(case, known):
    "Ids of what is like a case, with which of the two it is alike in."
    near = known[
        (known.tenant == case.tenant)
        & (known.predicted_at < case.predicted_at)
        & (known.predicted_at >= case.predicted_at - LAST)
    ].sort_values(["predicted_at", "case_id"], ascending=[False, True])
    of_entity = near[near.entity_id == case.entity_id] if case.entity_id else near[:0]
    same = (near.site_id == case.site_id) & (near.first_reason == case.first_reason)
    of_site = near[same & ~near.case_id.isin(of_entity.case_id)]
    of_site = of_site if case.site_id and case.first_reason else near[:0]
    told = [(one, "entity") for one in of_entity.case_id]
    return [*told, *((one, "site") for one in of_site.case_id)][:5]


def test_what_is_like_a_case_is_what_a_count_by_hand_finds(made):
    bench, known = made
    known = known.astype(object).where(known.notna(), None)
    labels = dict(zip(known.case_id, known.label))
    first = DAY + timedelta(30)
    with bench.store() as store:
        book = book_of(store, first)
        whole = store.handled_cases().case_id
        (some,) = book_of(store, first, ids=[book.case_id[3]]).itertuples()
    assert set(whole) == set(known.case_id)
    expected = known[known.event_date >= first]
    assert list(book.case_id) == list(expected.sort_values(["predicted_at"]).case_id)[::-1]
    found = {row.case_id: [(one.case_id, one.of) for one in row.alike] for row in book.itertuples()}
    assert found == {case.case_id: by_hand(case, known) for case in expected.itertuples()}
    kinds = [of for near in found.values() for _, of in near]
    assert min(kinds.count("entity"), kinds.count("site")) > 20
    for row in book.itertuples():
        assert (None if pd.isna(row.label) else row.label) == labels[row.case_id]
        for one in row.alike:
            truth = labels[one.case_id]
            assert one.positive == (None if truth is None else truth == 1)
    assert some.alike == book.alike[3]


def test_labels_and_what_people_said_are_those_of_a_time(made, tmp_path):
    bench = made[0].copy_to(tmp_path)
    later, first = NOW + timedelta(days=1), DAY + timedelta(30)
    with bench.store() as store:
        book = book_of(store, first)
        case = next(row for row in book.itertuples() if row.alike)
        store.close_cases(later, "ana", [case.alike[0].case_id], "a drill", "dismissed")
        store.assign_cases(later, "ana", [case.case_id], " Zoë ", "on duty")
        told = {"case_id": case.case_id, "sink": "file", "detail": "full", "key": "k"}
        tries = [told | {"state": s, "attempted_at": later + timedelta(hours=h)}
                 for h, s in enumerate(("failed", "delivered"))]  # fmt: skip
        store.add_deliveries(pd.DataFrame(tries))
        before = book_of(store, first, as_of=NOW).set_index("case_id").loc[case.case_id]
        failed = book_of(store, first, as_of=later).set_index("case_id").loc[case.case_id]
        now = book_of(store, first).set_index("case_id").loc[case.case_id]
        early = book_of(store, first, as_of=NOW - timedelta(days=100))
    assert early.empty
    assert (before.assignee, before.sent) == (case.assignee, ()) and before.alike == case.alike
    assert (now.assignee, now.assigned_by, now.alike[0].outcome) == ("Zoë", "ana", "dismissed")
    assert [str(one) for one in failed.sent] == ["file failed 2026-04-21 00:00Z: full"]
    assert [str(one) for one in now.sent] == ["file delivered 2026-04-21 01:00Z"]


def test_how_a_case_ended_is_its_label_before_anybodys_word():
    one = Alike("A-1", "site", NOW, None, None)
    assert ended(one) == "not known yet"
    assert ended(one._replace(outcome="dismissed")) == "closed as dismissed"
    assert ended(one._replace(outcome="dismissed", positive=True)) == "positive"
    assert ended(one._replace(positive=False)) == "negative"


def test_cases_are_found_by_what_stands_in_them(made):
    bench, _ = made
    today = NOW.date()
    with bench.store() as store:
        book = store.handled_cases()
    ids = lambda **asked: set(matching(book, today, **asked).case_id)
    every = set(book.case_id)
    assert ids() == ids(state="open") == ids(find="LINES") == every and ids(find="nothing") == set()
    assert ids(state="closed") == ids(state="muted") == ids(site="nowhere") == set()
    assert ids(assignee="Jo") | ids(assignee="") == every
    assert not ids(assignee="Jo") & ids(assignee="")
    assert ids(entity="a", site="north") == ids(entity="a") & ids(site="north") != set()


def test_people_give_and_comment_on_cases_and_nothing_else(made, tmp_path):
    bench = made[0].copy_to(tmp_path)
    with bench.store() as store:
        one, other = store.handled_cases().case_id[:2]
        for wrong in (
            lambda: store.assign_cases(NOW, "ana", [one, "A-9"], "ben", "duty"),
            lambda: store.assign_cases(NOW, "ana", [one], " ", "duty"),
            lambda: store.assign_cases(NOW, "ana", [one], "ben", " "),
            lambda: store.comment_on_cases(NOW, "ana", [one], " "),
            lambda: store.close_cases(NOW, "ana", [one], "done", "fine"),
        ):
            with pytest.raises(StoreError):
                wrong()
        assert len(store.audit()) == 0 and one_case(store, "A-9") is None
        assert store.assign_cases(NOW, "ana", [one, other], "ben", "duty") == {MODEL}
        store.comment_on_cases(NOW, "ana", [one], f"{one} again")
        store.comment_on_cases(NOW, "ana", [one], f"{one} again")
        told = one_case(store, one)
        every = {MODEL: sum(store.waiting_cases(MODEL).values())}
        assert store.waiting_by_model() == every and every[MODEL] > 100
        assert store.assigned_cases() == {one: "ben", other: "ben"}
        store.publish()
    assert [row["what"] for row in told["history"]] == ["case assignee", "case comment"]
    assert one not in told["comment"] and told["state"] == "open"
    hand_in(bench.data / "spool", "assign", {"ids": [one], "to": "ben", "why": "duty"}, "ana", NOW)
    (done,) = take_in_now(bench.data, Settings(data=bench.data), NOW)
    assert done.says == f"{one}: given to ben (it was so already: nothing was written)"


def test_a_file_of_cases_has_a_value_a_column(made):
    bench, _ = made
    with bench.store() as store:
        book = book_of(store, DAY + timedelta(38))
    table = flat(book)
    assert len(table) == len(book) and "text" not in table and "alike" not in table
    near = book.alike[0]
    assert table.similar[0].split("; ")[0] == f"{near[0].case_id}: {ended(near[0])}"
