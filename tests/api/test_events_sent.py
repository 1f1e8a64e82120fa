"""POST /events: what is confirmed is on the disk, what is sent again is the same event."""

import gzip
import json
import random

import pytest
from conftest import Bench
from hypothesis import HealthCheck, Phase, assume, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from serving import NOW, app_of, client_of
from streamed import log_of, take_in

from aiops_wb.api.events import _members
from aiops_wb.log.errors import NotWritten
from aiops_wb.log.tokens import make_token

PREDICTION = {
    "model": "late",
    "version": "v1",
    "prediction_id": "p1",
    "score": 0.9,
    "predicted_at": "2026-03-01T10:00:00+01:00",
    "x": 1.5,
}
OUTCOME = {"prediction_id": "p1", "label": 1, "observed_at": "2026-03-02T10:00:00Z"}
CLOUD = {"specversion": "1.0", "id": "7", "source": "/s", "type": "any"}
CLOUD["time"] = "2026-03-01T09:00:00Z"
BARE = {"model": "late", "version": "v1", "score": 0.2}


@pytest.fixture
def served(bench):
    "A client of a service over a folder that holds nothing yet, and the folder."
    with client_of(app_of(bench)) as client:
        yield client, bench


def rows(bench: Bench, client):
    "Predictions and labels of the log when all that was sent is taken in."
    client.app.state.events_in.close()
    take_in(bench.data)
    found = log_of(bench.data)
    assert not found["quarantine"]
    return [
        [(name, score, threshold) for name, _, threshold, score, *_ in found["predictions"]],
        [(name, label) for name, _, label, *_ in found["outcomes"]],
    ]


def sent(client, body, kind="application/json", **headers):
    raw = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return client.post("/events", content=raw, headers={"Content-Type": kind} | headers)


def test_events_are_in_the_spool_before_they_are_confirmed(served):
    client, bench = served
    answer = sent(client, [PREDICTION, OUTCOME])
    assert (answer.status_code, answer.json()) == (202, {"taken": 2, "refused": []})
    # a service that is killed now has left both: nothing of it is in memory alone
    left = [path.read_bytes() for path in bench.data.glob("spool/*/.*.open")]
    assert len(left) == 2 and sum(b"p1" in data for data in left) == 2
    assert rows(bench, client) == [[("p1", 0.9, None)], [("p1", 1)]]


def test_every_form_says_the_same(served):
    client, bench = served
    envelope = CLOUD | {"data": PREDICTION}
    binary = {f"ce-{name}": value for name, value in CLOUD.items()}
    forms = [
        (PREDICTION, "application/json", {}),
        ([PREDICTION], "application/json; charset=utf-8", {}),
        (envelope, "application/json", {}),
        (envelope, "application/cloudevents+json", {}),
        ([envelope], "application/cloudevents-batch+json", {}),
        (f"\n{json.dumps(PREDICTION)}\r\n\n", "application/x-ndjson", {}),
        (PREDICTION, "application/json", binary),
    ]
    for body, kind, headers in forms:
        assert sent(client, body, kind, **headers).json() == {"taken": 1, "refused": []}, kind
    assert rows(bench, client) == [[("p1", 0.9, None)], []]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "mine"}])
def test_what_is_sent_again_is_there_once(served, headers):
    client, bench = served
    body = [PREDICTION, OUTCOME, CLOUD | {"data": BARE}]
    if headers:
        at = "2026-03-01T11:00:00Z"
        body += [BARE | {"predicted_at": at}, BARE | {"predicted_at": at, "score": 0.3}]
    for _ in range(3):
        assert sent(client, body, **headers).json()["taken"] == len(body)
    found, labels = rows(bench, client)
    assert len(found) == len({row[0] for row in found}) == len(body) - 1 and len(labels) == 1
    assert sent(client, body, **headers).status_code == 202  # and later, when the log has it
    assert rows(bench, client) == [found, labels]


def test_what_cannot_be_taken_is_told_by_its_place_and_the_rest_is_taken(served):
    client, bench = served
    wrong = [
        OUTCOME | {"label": 2},
        PREDICTION,
        BARE,
        BARE | {"prediction_id": "p2"},
        "text",
        PREDICTION | {"score": 1.5, "prediction_id": "p3"},
    ]
    told = sent(client, wrong).json()
    assert told["taken"] == 1 and [one["at"] for one in told["refused"]] == [0, 2, 3, 4, 5]
    said = [one["reason"] for one in told["refused"]]
    assert said[0] == "label 2 is not 0 or 1"
    assert said[1:3] == ["predicted_at is missing", "predicted_at is missing"]
    assert "not an object" in said[3] and "1.5" in said[4]
    assert rows(bench, client) == [[("p1", 0.9, None)], []]
    nameless = sent(client, BARE | {"predicted_at": "2026-03-01T10:00:00Z"})
    assert nameless.status_code == 422
    assert nameless.json()["detail"] == "prediction_id is missing."


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        (b"{", "application/json", {}, 422),
        (b"[]", "application/json", {}, 422),
        (b"", "application/x-ndjson", {}, 422),
        (b"\xff\xfe", "application/x-ndjson", {}, 422),
        (b"[" * 100_000, "application/json", {}, 422),
        (b"[1" + b"0" * 5000 + b"]", "application/json", {}, 422),
        (b"1", "application/json", {}, 422),
        (b"{}", "text/csv", {}, 415),
        (b"{}", "", {}, 415),
        (gzip.compress(b"{}"), "application/json", {"Content-Encoding": "gzip"}, 415),
        (gzip.compress(b"{}"), "application/x-ndjson", {"Content-Encoding": "gzip"}, 415),
        (b"[" + b"1," * 10_000 + b"1]", "application/json", {}, 413),
        (b"1\n" * 10_001, "application/x-ndjson", {}, 413),
        ("[]".encode("utf-16"), "application/json", {}, 422),
        (b"{}", "application/x-ndjson", {"ce-specversion": "1.0"}, 415),
        (b"{}", "application/json", {"ce-specversion": "0.3"}, 422),
        (b"{}", "application/json", {"ce-specversion": "1.0", "ce-id": "%ff%00"}, 422),
        (b" " * (2**20 + 1), "application/json", {}, 413),
        ('{"score": 1, "model": "\\ud800"}', "application/json", {}, 422),
        ('[{"score": 1, "model": "\\ud800"}]', "application/json", {}, 422),
        ('[{"score": NaN, "model": "m", "version": "v"}]', "application/json", {}, 422),
        ('{"score": 1, "score": 1}', "application/json", {}, 422),
        ('[{"score": 1, "score": 1}]', "application/json", {}, 422),
        ('{"score": 1}', "application/json", {"Idempotency-Key": "k" * 201}, 422),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(served, body, kind, headers, status):
    client, bench = served
    answer = sent(client, body, kind, **headers)
    told = answer.json()
    assert answer.status_code == told["status"] == status, told
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["detail"].endswith(".") and told["detail"].isprintable()
    assert not list(bench.data.glob("spool/*/*"))


def test_a_disk_that_takes_nothing_confirms_nothing_and_sending_again_is_harmless(
    served, monkeypatch
):
    client, bench = served
    assert sent(client, PREDICTION).status_code == 202
    taking = client.app.state.events_in._taking
    with monkeypatch.context() as patch:
        patch.setattr(taking, "secure", lambda: (_ for _ in ()).throw(NotWritten("full")))
        answer = sent(client, [PREDICTION, PREDICTION | {"prediction_id": "p2"}])
        assert answer.status_code == 503 and answer.headers["retry-after"] == "5"
    assert sent(client, PREDICTION | {"prediction_id": "p2"}).status_code == 202
    assert [row[0] for row in rows(bench, client)[0]] == ["p1", "p2"]


def test_who_comes_while_many_wait_is_told_to_come_again(served):
    client, _ = served
    room = client.app.state.room_for_events
    while room.acquire(blocking=False):
        pass
    answer = sent(client, PREDICTION)
    assert answer.status_code == 429 and answer.headers["retry-after"] == "1"
    room.release()
    assert sent(client, PREDICTION).status_code == 202
    assert sent(client, PREDICTION).status_code == 202  # its place is free again


@pytest.mark.parametrize("sort", ["list", "lines"])
def test_a_name_that_is_given_twice_costs_its_event_and_no_other(served, sort):
    client, bench = served
    twice = json.dumps(PREDICTION | {"prediction_id": "p2"})[:-1] + ', "score": 0.1}'
    texts = [json.dumps(PREDICTION), twice]
    kind = "application/json" if sort == "list" else "application/x-ndjson"
    body = f" [ {' , '.join(texts)} ]\n" if sort == "list" else "\n".join(texts)
    told = sent(client, body, kind).json()
    assert told == {"taken": 1, "refused": [{"at": 1, "reason": "the name 'score' is given twice"}]}
    assert rows(bench, client) == [[("p1", 0.9, None)], []]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=5), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_a_list_falls_into_the_texts_of_its_members(values, indent, ascii_only):
    text = json.dumps(values, indent=indent, ensure_ascii=ascii_only)
    assume("\\ud" not in text and not any(0xD800 <= ord(one) < 0xE000 for one in text))
    texts = _members(text.encode())
    assert [json.loads(one) for one in texts] == values
    assert all(one in text for one in texts)


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b""])
def test_a_mark_of_the_order_of_bytes_is_nothing(served, mark):
    client, bench = served
    body = mark + json.dumps(PREDICTION).encode()
    for kind in ("application/json", "application/x-ndjson"):
        assert sent(client, body, kind).status_code == 202
    assert rows(bench, client) == [[("p1", 0.9, None)], []]


@pytest.mark.slow
def test_no_made_request_makes_it_fail(bench):
    "Whatever is sent by the document, or against it: taken, or a sentence."
    schemathesis = pytest.importorskip("schemathesis")
    app, done = app_of(bench), {202: 0, 422: 0}
    secret = make_token(bench.data, "sender", ["deliver"], "ana", NOW)
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    (operation,) = (o for o in (f.ok() for f in schema.get_all_operations()) if o.path == "/events")
    modes = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
    for mode in modes:

        @examples(
            max_examples=150,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case):
            case.headers = {**(case.headers or {}), "Host": "127.0.0.1:8765"}
            case.headers["Authorization"] = f"Bearer {secret}"
            answer = case.call()
            # that a row has an id, a time and names that fit, no schema says
            case.validate_response(
                answer,
                excluded_checks=schemathesis.checks.CHECKS.get_by_names(
                    ["positive_data_acceptance"]
                ),
            )
            done[answer.status_code] = done.get(answer.status_code, 0) + 1

        one()
    assert sum(done.values()) >= 250 and done[422] > 10, done


def test_many_senders_at_once_lose_and_double_nothing(served):
    from concurrent.futures import ThreadPoolExecutor

    client, bench = served
    dice = random.Random(3)
    names = [f"n{i:03d}" for i in range(60)]
    parts = [dice.sample(names, 12) for _ in range(30)]
    bodies = [[PREDICTION | {"prediction_id": n} for n in part] for part in parts]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: sent(client, body).status_code, bodies))
    assert set(answers) == {202}
    found = [row[0] for row in rows(bench, client)[0]]
    assert found == sorted({name for part in parts for name in part})
