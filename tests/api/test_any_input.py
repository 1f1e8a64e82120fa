"""No input makes the service fail: what it tells of any is what its OpenAPI document says."""

import json
import os
from collections import Counter

import pytest
from conftest import MODEL
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from jsonschema import validate
from serving import ID, NOW, app_of, client_of, copy

from aiops_wb.api.ids import ThresholdId
from aiops_wb.log.tokens import ROLES, make_token

WHY = {"why": "to try it"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return app_of(copy(tmp_path_factory.mktemp("any") / "bench"))


@pytest.fixture(scope="module")
def client(app):
    with client_of(app) as client:
        yield client


def is_problem(answer, status):
    told = answer.json()
    assert answer.status_code == told["status"] == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["detail"].endswith(".") and len(told["detail"]) < 2000
    return told


def post(client, path, body):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, content=raw, headers={"Content-Type": "application/json"})


TRY = "/thresholds/simulate"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (TRY, b"", 422),
        (TRY, b"{", 422),
        (TRY, b"\xff\xfe", 422),
        (TRY, b"[" * 100_000, 400),
        (TRY, b"1" + b"0" * 5000, 400),
        (TRY, {"model": "nobody", "threshold": 0.5}, 404),
        (TRY, {"model": MODEL}, 422),
        (TRY, {"model": MODEL, "threshold": 0.5, "points": 0}, 422),
        (TRY, {"model": MODEL, "threshold": 1.5}, 422),
        (TRY, {"model": MODEL, "threshold": float("nan")}, 422),
        (TRY, {"model": MODEL, "threshold": float("inf")}, 422),
        (TRY, {"model": MODEL, "threshold": 1e999}, 422),
        (TRY, {"model": MODEL, "points": 10**30}, 422),
        (TRY, {"model": MODEL, "points": 20_000}, 422),
        (TRY, {"model": MODEL, "points": 0.5}, 422),
        (TRY, {"model": MODEL, "threshold": 0.5, "more": 1}, 422),
        (TRY, {"model": "a\0b", "threshold": 0.5}, 422),
        (TRY, {"model": "\ud800", "threshold": 0.5, "\ud801": 1}, 422),
        (TRY, {"model": "m" * 5000, "threshold": 0.5}, 422),
        ("/thresholds/reset", {"id": "nobody:v1"} | WHY, 404),
        ("/thresholds/reset", {"id": "late:v1:\u0000"} | WHY, 422),
        ("/thresholds/reset", {"id": f"{MODEL}:v1:~ff"} | WHY, 422),
        ("/thresholds/reset", {"id": ID, "why": " "}, 422),
        ("/thresholds/reset", {"id": ID, "why": "y" * 5000}, 422),
        ("/thresholds/reset", {"id": ID, "why": "a\0b"}, 422),
        ("/thresholds/reset", {"id": ID, "why": "\ud800"}, 422),
        ("/decide", {"model": MODEL, "events": []}, 422),
        ("/decide", {"model": MODEL, "events": [{"features": {}}]}, 422),
        ("/decide", {"model": MODEL, "events": [{"features": {"x": [1]}}]}, 422),
        ("/decide", {"model": MODEL, "events": [{"features": {"x": float("nan")}}]}, 422),
        ("/decide", {"model": MODEL, "events": [{"features": {"x": 10**400}}]}, 422),
        ("/decide", {"model": MODEL, "events": [{"features": {"x": 1}}], "at": "today"}, 422),
        ("/decide", {"model": MODEL, "events": [{"features": {"x": 1}}], "at": "2026-03-01"}, 422),
        (
            "/decide",
            {
                "model": MODEL,
                "events": [{"features": {"x": 1}}],
                "at": "0001-01-01T00:00:00+00:00",
                "log": True,
            },
            422,
        ),
        ("/proposals/P-1/approve", WHY, 404),
        ("/proposals/P-1/reject", {}, 422),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(client, path, body, status):
    is_problem(post(client, path, body), status)


def test_a_name_that_is_told_back_is_cut_where_it_is_long(client):
    for length, told in ((500, "k" * 500), (501, "k" * 497 + "...")):
        answer = post(client, TRY, {"model": MODEL, "threshold": 0.5, "k" * length: 1})
        assert is_problem(answer, 422)["errors"][0]["where"].split(".", 1)[1] == told


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/thresholds/", 404),
        ("GET", "/thresholds/%00:v1", 422),
        ("GET", "/thresholds/late", 422),
        ("GET", "/thresholds/late:v1:default:nowhere", 404),
        ("GET", "/models/%2e%2e%2f%2e%2e/daily", 404),
        ("GET", "/models/no/daily?limit=0", 422),
        ("GET", "/models?limit=1e9", 422),
        ("GET", "/models?offset=-1", 422),
        ("GET", "/models?offset=99999999999999999999", 422),
        ("GET", f"/models/{MODEL}/daily?from=2026-02-30", 422),
        ("GET", "/metrics/false-positive-rate?by=moon", 422),
        ("GET", f"/explanations/{MODEL}/%ff%fe%00", 404),
        ("GET", "/docs", 404),
        ("PUT", "/thresholds", 405),
        ("DELETE", f"/thresholds/{ID}", 405),
        ("TRACE", "/thresholds", 405),
        ("NONSENSE", "/thresholds", 405),
    ],
)
def test_what_is_not_there_is_a_sentence(client, method, path, status):
    answer = client.request(method, path)
    is_problem(answer, status)
    if status == 405:
        assert answer.headers["allow"]


def test_a_body_has_a_limit(client):
    answer = post(client, TRY, {"model": MODEL, "threshold": 0.5, "why": "x" * 2**20})
    is_problem(answer, 413)
    chunks = (b"x" * 2**16 for _ in range(64))  # of a length that is not told
    answer = client.post(TRY, content=chunks, headers={"Content-Type": "application/json"})
    is_problem(answer, 413)


def test_a_fault_of_ours_is_a_sentence_and_stands_in_the_log(app, client, monkeypatch, caplog):
    monkeypatch.setattr(app.state.desk.snapshots, "newest", lambda: 1 / 0)
    told = is_problem(client.get("/health"), 500)
    assert "ZeroDivisionError" not in str(told) and "ZeroDivisionError" in caplog.text


def tried(app, secret, cases):
    """So many made requests of who may everything, each answer held against the OpenAPI document;
    how often there was which."""
    schemathesis = pytest.importorskip("schemathesis")  # which takes a second to load
    checks = pytest.importorskip("schemathesis.specs.openapi.checks")
    # no shape says which names are valid text; a header that was left out is given here after all
    guessed = [checks.positive_data_acceptance, checks.negative_data_rejection]
    modes = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app, answered = app, Counter()
    operations = [found.ok() for found in schema.get_all_operations()]
    for operation in operations:
        for mode in modes:

            @examples(
                max_examples=max(1, cases // (len(operations) * len(modes))),
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def one(case):
                case.headers = {**(case.headers or {}), "Host": "127.0.0.1:8765"}
                told = case.call_and_validate(
                    headers={"Authorization": f"Bearer {secret}"},
                    excluded_checks=guessed,
                )
                # of those that are to be refused some are made without a token
                assert (told.status_code == 401) == ("Authorization" not in told.request.headers)
                answered[told.status_code] += 1

            one()
    return answered


@pytest.mark.slow
def test_made_requests_are_answered_as_the_document_says(tmp_path):
    bench = copy(tmp_path / "bench")
    secret = make_token(bench.data, "any", ROLES, "ana", NOW)
    answered = tried(app_of(bench), secret, int(os.environ.get("API_TEST_CASES", 6_000)))
    assert answered.total() >= 5_000
    assert answered[200] > 500 and answered[401] > 0, answered


def test_the_document_teaches(app, client):
    document = client.get("/openapi.json").json()
    for path, of_path in document["paths"].items():
        for method, operation in of_path.items():
            assert operation["summary"] and operation["description"], (method, path)
            assert len(operation["tags"]) == 1 and operation["operationId"]
            assert "default" in operation["responses"]
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    used = {op["tags"][0] for of_path in document["paths"].values() for op in of_path.values()}
    assert used == tags
    assert "http://" not in json.dumps(document["info"])


def test_every_operation_has_examples_and_each_is_of_its_shape(client):
    document = client.get("/openapi.json").json()
    named, checked = document["components"]["schemas"], 0

    def teaches(part, seen=()):
        "Whether an example stands in a part of the document, or in a shape that it refers to."
        if isinstance(part, dict):
            name = part.get("$ref", "").rpartition("/")[2]
            of_name = name and name not in seen and teaches(named[name], (*seen, name))
            of_parts = any(teaches(inner, seen) for inner in part.values())
            return bool({"example", "examples"} & set(part)) or of_name or of_parts
        return isinstance(part, list) and any(teaches(inner, seen) for inner in part)

    for path, of_path in document["paths"].items():
        for method, operation in of_path.items():
            answers = [of for code, of in operation["responses"].items() if code[0] == "2"]
            told = [of["content"] for of in (*answers, operation.get("requestBody")) if of]
            assert answers and all(map(teaches, told)), (method, path)
    for shape in named.values():
        parts = [shape, *shape.get("properties", {}).values()]
        for part in (part for part in parts if "examples" in part):
            for one in part["examples"]:
                validate(one, part | {"components": document["components"]})
                checked += 1
    assert checked > 30


def test_an_id_is_read_back():
    for parts in (("m", "v"), ("a/b:c~", "½", "t t"), (".", "..", "ü", "\U0001f989 ~41")):
        assert ThresholdId.parse(str(ThresholdId(*parts))) == ThresholdId(*parts)
        assert str(ThresholdId(*parts)).isascii()
