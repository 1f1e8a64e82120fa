"""The outbox keeps attempts at delivery until the catalog has them."""

from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from aiops_wb.log import outbox as outbox_module
from aiops_wb.log.errors import Busy
from aiops_wb.log.outbox import ATTEMPT, Outbox

AT = datetime(2026, 3, 3, 2, tzinfo=UTC)


def attempt(number, state="delivered"):
    return {
        "case_id": f"T-{number}",
        "sink": "file",
        "state": state,
        "detail": None,
        "attempted_at": AT,
        "key": f"T-{number}-key",
        "level": "HIGH",
    }


def test_attempts_come_back_and_are_taken_in_once(bench):
    outbox = Outbox(bench.data)
    assert outbox.attempts().empty
    for number in range(3):
        outbox.add(attempt(number))
    assert outbox.attempts().to_dict("records") == [attempt(n) for n in range(3)]
    with bench.store() as store:
        store.add_deliveries(outbox.attempts())
        store.add_deliveries(outbox.attempts())  # stopped before the outbox was emptied
        store.add_deliveries(outbox.attempts().assign(state="failed"))
        outbox.clear()
        taken = store.frame("SELECT * FROM deliveries ORDER BY state, case_id")
    assert list(taken.columns) == list(ATTEMPT) and taken.state.value_counts().to_dict() == {
        "delivered": 3,
        "failed": 3,
    }
    assert taken.attempted_at[0] == AT and outbox.attempts().empty


def test_a_line_that_was_cut_off_costs_no_other(bench):
    outbox = Outbox(bench.data)
    outbox.add(attempt(1))
    with open(outbox.path, "a", encoding="utf-8") as file:
        file.write('{"case_id": "T-2", "si')
    assert list(outbox.attempts().case_id) == ["T-1"]
    outbox.add(attempt(3))
    assert list(outbox.attempts().case_id) == ["T-1", "T-3"]


def test_one_process_hands_on_at_a_time(bench):
    with (
        Outbox(bench.data).held(),
        pytest.raises(Busy, match="another process"),
        Outbox(bench.data).held(),
    ):
        pass
    with Outbox(bench.data).held():
        pass


def test_another_process_is_waited_for_as_long_as_it_may_take(bench, monkeypatch):
    outbox, first = Outbox(bench.data), ExitStack()
    first.enter_context(outbox.held())
    with pytest.raises(Busy), Outbox(bench.data).held(0.02):
        pass
    monkeypatch.setattr(outbox_module.time, "sleep", lambda _: first.close())
    with Outbox(bench.data).held(60):
        pass


def test_things_told_together_are_kept_together(bench):
    outbox = Outbox(bench.data)
    outbox.add(attempt(1), attempt(2, "failed"))
    with bench.store() as store:
        store.add_deliveries(outbox.attempts())
        known = store.attempts_at(["file"]).to_dict("records")
        assert store.attempts_at([]).empty and store.attempts_at(["webhook"]).empty
    assert sorted(known, key=lambda one: one["case_id"]) == [attempt(1), attempt(2, "failed")]
