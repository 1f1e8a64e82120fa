"""Who gets in, and what they may: this machine alone without a token, roles with one."""

import asyncio
import io
import logging
import re

import pytest
from conftest import MODEL
from serving import ID, NOW, app_of, client_of, copy, secrets

from aiops_wb.api import guard
from aiops_wb.api.access import is_loopback
from aiops_wb.api.desk import Desk, Snapshots
from aiops_wb.api.guard import Guard, host_name
from aiops_wb.api.server import _NoSecrets, _server, require_token_elsewhere
from aiops_wb.log.errors import StoreError
from aiops_wb.log.tokens import make_token, revoke_token

WHY = {"why": "to try it"}
READS = [
    "/thresholds",
    f"/thresholds/{ID}",
    "/models",
    f"/models/{MODEL}/daily",
    "/proposals",
    "/acts",
    "/cases",
    "/alarms",
    "/drift",
    "/metrics/false-positive-rate",
    f"/explanations/{MODEL}/v1-2026-03-02-00479",
    "/health",
    "/metrics",
]
EVENT = {
    "model": MODEL,
    "version": "v1",
    "prediction_id": "sent",
    "score": 0.5,
    "predicted_at": "2026-03-02T10:00:00Z",
}
DECIDE = {"model": MODEL, "events": [{"features": {"x": 1.0}}]}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return copy(tmp_path_factory.mktemp("access") / "data")


@pytest.fixture
def folder(tmp_path):
    "A data folder without anything: who asks is told before what they ask for."
    return type("Empty", (), {"data": tmp_path})


@pytest.fixture(scope="module")
def keys(bench):
    return secrets(bench)


def acts(client, role):
    "Every change, with what each needs: yields its status."
    etag = {"If-Match": "*"}
    changes = [
        (
            "propose",
            lambda: client.patch(f"/thresholds/{ID}", json=WHY | {"points": 77}, headers=etag),
        ),
        ("propose", lambda: client.post(f"/cases/{case_of(client)}/acknowledge", json=WHY)),
        ("propose", lambda: client.post(f"/cases/{case_of(client)}/close", json=WHY)),
        ("approve", lambda: client.post("/thresholds/reset", json=WHY | {"id": ID})),
        (
            "approve",
            lambda: client.patch(
                f"/thresholds/{ID}", json=WHY | {"points": 99, "set": True}, headers=etag
            ),
        ),
    ]
    return [(needs, change().status_code) for needs, change in changes]


def case_of(client):
    answer = client.get("/cases?limit=1")
    return answer.json()["items"][0]["case_id"] if answer.status_code == 200 else "A-0000000000"


HOLDS = {"read": {"read"}, "propose": {"read", "propose"}, "decide": {"decide"}}
HOLDS["deliver"] = {"deliver"}
HOLDS["approve"] = {"read", "propose", "approve"}


@pytest.mark.parametrize("role", HOLDS)
def test_a_token_may_what_its_role_is_for_and_nothing_else(bench, keys, role):
    with client_of(app_of(bench), keys[role]) as client:
        for path in READS:
            status = client.get(path).status_code
            assert status == (200 if "read" in HOLDS[role] else 403), (path, status)
        for needs, status in acts(client, role):
            assert status == (202 if needs in HOLDS[role] else 403), (needs, status)
        status = client.post("/decide", json=DECIDE).status_code
        assert status == (200 if "decide" in HOLDS[role] else 403)
        status = client.post("/events", json=EVENT).status_code
        assert status == (202 if "deliver" in HOLDS[role] else 403)


def test_the_name_of_a_token_is_the_author_of_its_acts(bench, keys):
    with client_of(app_of(bench, who="the service"), keys["propose"]) as client:
        act = client.patch(
            f"/thresholds/{ID}", json=WHY | {"points": 5}, headers={"If-Match": "*"}
        ).json()
    assert act["who"] == "proposeer"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer awb_wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "awb_wrong"},
        {"Cookie": "token=KEY"},
        {"X-Api-Key": "KEY"},
    ],
)
def test_with_a_token_there_is_no_way_in_without_one(bench, keys, headers):
    given = {name: value.replace("KEY", keys["read"]) for name, value in headers.items()}
    with client_of(app_of(bench)) as client:
        answer = client.get("/thresholds", headers=given)
        assert answer.status_code == 401 and answer.headers["www-authenticate"].startswith("Bearer")
        for name in ("token", "access_token"):  # addresses end up in logs
            assert client.get(f"/thresholds?{name}={keys['read']}").status_code == 401


def test_a_token_ends(tmp_path):
    bench = copy(tmp_path / "data")
    secret = make_token(bench.data, "robot", ["read"], "ana", NOW)
    with client_of(app_of(bench), secret) as client:
        assert client.get("/thresholds").status_code == 200
        revoke_token(bench.data, "robot", "ana", NOW, "lost")
        assert client.get("/thresholds").status_code == 401
    with client_of(app_of(bench)) as client:  # the door does not open when the last one ends
        assert client.get("/thresholds").status_code == 401


def test_tokens_that_others_could_write_let_nobody_in(tmp_path, caplog):
    bench = copy(tmp_path / "data")
    secret = make_token(bench.data, "robot", ["read"], "ana", NOW)
    (bench.data / "tokens.json").chmod(0o666)
    for given in (secret, None):
        with client_of(app_of(bench), given) as client:
            told = client.get("/thresholds")
            assert told.status_code == 503 and str(tmp_path) not in told.text
            assert str(tmp_path) not in client.get("/pages/sign-in").text
    assert "may be written by others" in caplog.text  # whoever runs the service is told


def test_without_a_token_only_this_machine_is_served(folder):
    with client_of(app_of(folder)) as client:
        assert client.get("/thresholds").status_code == 503  # in, and nothing is published
        passed_on = {"X-Forwarded-For": "203.0.113.9"}
        assert client.get("/thresholds", headers=passed_on).status_code == 401
    with client_of(app_of(folder), at="203.0.113.9") as client:
        assert client.get("/thresholds").status_code == 401
    with client_of(app_of(folder, host="0.0.0.0")) as client:
        assert client.get("/thresholds").status_code == 401


def test_without_a_token_no_other_address_is_listened_at(tmp_path):
    of = lambda host: Desk(tmp_path, None, lambda: NOW, "ana", host, Snapshots(tmp_path))
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.2"):
        require_token_elsewhere(of(host))
    for host in ("0.0.0.0", "::", "192.0.2.7", "example.org", ""):
        with pytest.raises(StoreError, match="make one with 'aiops-wb tokens make'"):
            require_token_elsewhere(of(host))
    make_token(tmp_path, "robot", ["read"], "ana", NOW)
    require_token_elsewhere(of("0.0.0.0"))
    assert not is_loopback("127.0.0.1.example.org")


@pytest.mark.parametrize(
    "host", ["evil.example:8765", "127.0.0.1.evil.example", "", "[::2]", "a b"]
)
def test_a_page_that_was_led_here_by_another_name_is_told_nothing(folder, host):
    with client_of(app_of(folder)) as client:
        answer = client.get("/thresholds", headers={"Host": host})
        assert answer.status_code == 421 and "127.0.0.1" in answer.json()["detail"]
        for known in ("localhost:8765", "127.0.0.1", "[::1]:8765", "LOCALHOST"):
            assert client.get("/health", headers={"Host": known}).status_code == 503
    assert host_name("[::1") == host_name("") == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_from_elsewhere_changes_nothing(bench, keys, headers):
    with client_of(app_of(bench), keys["approve"]) as client:
        answer = client.post("/thresholds/reset", json=WHY | {"id": ID}, headers=headers)
        assert answer.status_code == 403 and "from elsewhere" in answer.json()["detail"]
        own = {"Origin": "http://127.0.0.1:8765", "Sec-Fetch-Site": "same-origin"}
        assert (
            client.post("/thresholds/reset", json=WHY | {"id": ID}, headers=own).status_code == 202
        )


def test_a_form_changes_nothing(bench, keys):
    with client_of(app_of(bench), keys["approve"]) as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            body = '{"id": "late:v1", "why": "a form"}'
            answer = client.post("/thresholds/reset", content=body, headers={"Content-Type": kind})
            assert answer.status_code == 422, answer.text


def test_a_token_is_in_no_line_of_the_log(bench, keys, caplog):
    secret = keys["read"]
    with caplog.at_level(logging.DEBUG), client_of(app_of(bench), secret) as client:
        client.get("/thresholds")
        client.get(f"/thresholds?token={secret}")
        client.get(f"/nothing/{secret}", headers={"Authorization": f"Bearer {secret}x"})
    ours = [r for r in caplog.records if r.name.startswith(("aiops_wb", "uvicorn"))]
    assert not [r for r in ours if secret in r.getMessage()]
    record = logging.LogRecord("uvicorn", 30, "", 0, "bad line %s", (f"GET /?t={secret}",), None)
    assert _NoSecrets().filter(record) and record.getMessage() == "bad line GET /?t=awb_..."
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    logging.getLogger("aiops_wb").addHandler(handler)
    try:
        _server(app_of(bench), quiet=True)
        try:
            raise ValueError(f"\x1b[2J {secret}")
        except ValueError:
            logging.getLogger("aiops_wb.api.guard").exception("of %s", secret)
    finally:
        logging.getLogger("aiops_wb").removeHandler(handler)
    assert "of awb_...\n" in out.getvalue() and "ValueError" in out.getvalue()
    assert secret not in out.getvalue() and "\x1b" not in out.getvalue()
    for path in bench.data.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path


def test_two_tokens_at_once_are_none(bench, keys):
    both = [("Authorization", f"Bearer {keys[role]}") for role in ("read", "approve")]
    with client_of(app_of(bench)) as client:
        answer = client.get("/thresholds", headers=both)
    assert answer.status_code == 401 and "one token" in answer.json()["detail"]


def test_an_answer_that_breaks_off_is_not_begun_again():
    sent = []

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("in the middle")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError, match="in the middle"):
        asyncio.run(Guard(app, lambda: None)(scope, None, send))
    assert [message["status"] for message in sent] == [200]


def test_every_answer_carries_what_browsers_heed(bench, keys):
    with client_of(app_of(bench), keys["read"]) as client:
        for path in ("/thresholds", "/nothing", "/openapi.json", "/acts/nope"):
            headers = client.get(path).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["cache-control"] in ("no-store", "private, no-cache")
            assert "server" not in headers and not re.search("cookie", str(headers), re.I)


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(guard, "BODY_SECONDS", 0)
    sent = []

    async def never():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    async def app(*_):
        raise AssertionError("not reached")

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    asyncio.run(Guard(app, lambda: None)(scope, never, send))
    assert sent[0]["status"] == 408 and b"within" in sent[1]["body"]
