"""A scoring service in this process: what it answers, what it logs, and what it does without a
disk, a log or room."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
import pytest
from asked import asked, world
from conftest import MODEL, Bench, events, until

from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.log.errors import BufferFull, NotWritten, StoreError
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.log.tokens import make_token
from aiops_wb.models.registry import register
from aiops_wb.models.scorer import Scorer
from aiops_wb.models.training import train
from aiops_wb.service import journal as journals
from aiops_wb.service.app import ScoringApp, scoring_app
from aiops_wb.service.tally import Tally
from aiops_wb.service.workers import Workers
from aiops_wb.stats.ab import Arm, Plan

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 20, 9, tzinfo=UTC)
EVENT = {"features": {"x": 1.5}, "prediction_id": "p", "entity_id": "e", "site_id": "north"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A published champion of one feature, and another version of it."
    bench = Bench(tmp_path_factory.mktemp("bench"))
    with bench.store() as store:
        for version, seed in (("v1", 0), ("v2", 5)):
            rows = events(days=30, per_day=40, seed=seed)
            learned = {"feature:x": rows.x, "label": rows.label}
            learned["event_date"] = pd.to_datetime(rows.day)
            trained = train(pd.DataFrame(learned), MODEL, version, rounds=5, holdout=0.5)
            register(store, *trained, NOW - timedelta(2), "test")
        store.promote(NOW - timedelta(2), "test", MODEL, "v1", "first")
        store.publish()
    return bench


@pytest.fixture
def bench(made, tmp_path):
    return made.copy_to(tmp_path / "house")


def served(bench, **how) -> ScoringApp:
    settings = Settings(data=bench.data, config="no file")
    how = {"clock": lambda: NOW, "flush_seconds": 3600} | how
    return scoring_app(bench.data, MODEL, settings, **how)


def ask(app, *requests, at="127.0.0.1", host="127.0.0.1:8766", **headers):
    "Answers to requests (method, path, body) that come at once."

    async def all_of_them():
        over = httpx.ASGITransport(app, raise_app_exceptions=False, client=(at, 5))
        headers.setdefault("host", host)
        async with httpx.AsyncClient(transport=over, base_url="http://service") as client:
            asked = (client.request(m, p, json=body, headers=headers) for m, p, body in requests)
            return await asyncio.gather(*asked)

    return asyncio.run(all_of_them())


def score(app, event=EVENT, **how):
    (answer,) = ask(app, ("POST", "/score", event), **how)
    return answer


def health(app):
    return ask(app, ("GET", "/health", None))[0].json()


def test_an_event_is_decided_as_a_frame_is_and_stands_in_the_log(bench):
    app = served(bench)
    answer = score(app, EVENT | {"event_key": "k", "at": "2026-03-20T10:00:00+02:00"})
    told = answer.json()
    with bench.store() as store:
        batch = Scorer.in_force(store, MODEL).decide(pd.DataFrame([{"x": 1.5}]), NOW).iloc[0]
    for name in ("score", "points", "lower", "upper", "risk_level", "route", "reason", "ladder"):
        assert told[name] == batch[name], name
    assert (answer.status_code, told["logged"], told["version"]) == (200, "yes", "v1")
    assert told["propensity"] is None and told["calibration_id"].startswith(f"{MODEL}/v1/")
    app.end()
    bench.ingest(NOW)
    with bench.store() as store:
        (row,) = store.rows(MODEL, NOW.date(), NOW.date()).to_dict("records")
    assert (row["prediction_id"], row["event_key"], row["entity_id"]) == ("p", "k", "e")
    assert (row["score"], row["decided_by"], row["site_id"]) == (told["score"], "service", "north")
    assert row["predicted_at"] == pd.Timestamp("2026-03-20T08:00Z") and row["latency_ms"] > 0
    assert health(app) | {"snapshot": ""} == {
        "status": "ok",
        "model": MODEL,
        **{n: told[n] for n in ("version", "threshold", "threshold_points", "calibration_id")},
        "snapshot": "",
        "workers": 1,
        "decided": 1,
        **dict.fromkeys(("not_logged", "refused", "restarts", "waiting", "failing"), 0),
        "problems": [],
    }


def test_where_two_arms_are_tried_the_one_of_its_entity_decides_an_event(bench):
    "Both versions are ready in the process; each answer and each row says which of them it was."
    plan = Plan("t", 0.5, Arm("v1", 0), Arm("v2", 0), 3, 2, "cost", 5.0)
    with bench.store() as store:
        for version in ("v1", "v2"):
            store.record(NOW, "test", "threshold", f"{MODEL}/{version}", "0", "alike")
        store.begin_ab(NOW, "test", MODEL, plan, "which is better?")
        store.publish()
    app, names = served(bench), [f"guard {i}" for i in range(12)]
    asked = [EVENT | {"prediction_id": name, "entity_id": name} for name in names]
    told = [score(app, event).json() for event in asked]
    assert [one["arm"] for one in told] == [f"t/{arm}" for arm in plan.arms_of(names)]
    assert {(one["arm"], one["version"]) for one in told} == {("t/A", "v1"), ("t/B", "v2")}
    app.end()
    bench.ingest(NOW)
    with bench.store() as store:
        rows = store.rows(MODEL, NOW.date(), NOW.date()).set_index("prediction_id").loc[names]
    assert [*rows.arm] == [one["arm"] for one in told] and (rows.arm_propensity == 0.5).all()
    assert [*rows.version] == [one["version"] for one in told]
    assert [*rows.score] == [one["score"] for one in told]


@pytest.mark.parametrize(
    ("event", "status", "says"),
    [
        ({"features": {"y": 1}}, 422, "feature 'x' is missing: the model needs x."),
        ({"features": {"x": [1]}}, 422, "body.features.x: give a number, a boolean, a text, or"),
        ({"features": {"x": 1}, "when": 1}, 422, "body.when: Extra inputs are not permitted."),
        ({"features": {"x": 1}, "at": "2026-03-20T09:00:00"}, 422, "body.at: Input should have"),
        ({"features": {"x": 1}, "at": "1800-01-01T00:00:00Z"}, 422, "is not between 1900 and"),
        ({"features": {"x": 1}, "event_key": "k" * 300}, 422, "has 300 bytes: 256 are allowed."),
        ([], 422, "body: Input should be an object."),
        ({"features": {"x": "y" * 2**20}}, 413, "a body has at most 1,048,576 bytes."),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence_and_nothing_is_logged(made, event, status, says):
    app = served(made)
    answer = score(app, event)
    assert answer.status_code == status and says in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert health(app)["decided"] == 0


def test_addresses_and_methods(made):
    app = served(made)
    answers = ask(app, *((m, p, None) for m, p in (("GET", "/score"), ("GET", "/no"))))
    assert [a.status_code for a in answers] == [405, 404] and answers[0].headers["allow"] == "POST"
    (alive,) = ask(app, ("GET", "/alive", None), at="192.0.2.7")
    assert alive.status_code == 204 and alive.content == b""
    assert score(app, host="evil.example").status_code == 421


def test_tokens_say_who_may_have_events_decided(bench):
    app = served(bench)
    assert score(app, at="192.0.2.7").status_code == 401
    roles = ("decide", "read")
    secrets = [make_token(bench.data, role, [role], "ana", NOW) for role in roles]
    bearer = [{"authorization": f"Bearer {secret}"} for secret in secrets]
    assert score(app).status_code == 401
    assert score(app, at="192.0.2.7", **bearer[0]).status_code == 200
    refused = score(app, **bearer[1])
    assert refused.status_code == 403 and "no role 'decide'" in refused.json()["detail"]
    asked = [ask(app, ("GET", "/health", None), **who)[0].status_code for who in (*bearer, {})]
    assert asked == [200, 200, 401]


def test_what_is_put_in_force_is_used_when_it_is_published(bench):
    app = served(bench)
    app.begin()
    try:
        assert score(app, EVENT | {"prediction_id": "a"}).json()["version"] == "v1"
        with bench.store() as store:
            store.promote(NOW, "test", MODEL, "v2", "better")
            assert health(app)["version"] == "v1"
            store.publish()
            # the writer holds the catalog: nobody waits for it
            assert until(lambda: health(app)["version"] == "v2", 10)
            told = score(app, EVENT | {"prediction_id": "b"}).json()
            version, points = told["version"], told["threshold_points"]
            assert version == "v2"
            store.set_own_threshold(NOW, "test", MODEL, "v2", ("default", "north"), -5000, "own")
            store.publish()
            assert until(lambda: app.in_force.scorer.own, 10)
            told = score(app, EVENT | {"prediction_id": "c"}).json()
            assert told["risk_level"] in ("HIGH", "CRITICAL")
            assert told["threshold_points"] == points
    finally:
        app.end()
    bench.ingest(NOW)
    with bench.store() as store:
        rows = store.rows(MODEL, NOW.date(), NOW.date()).sort_values("prediction_id")
    assert rows.version.tolist() == ["v1", "v2", "v2"]


def test_a_snapshot_that_cannot_be_read_changes_nothing_and_is_said(bench):
    app = served(bench)
    broken = bench.data / "snapshots" / "aiops-00000099-000009-00000000.duckdb"
    broken.write_bytes(b"no database")
    pointer = bench.data / "aiops.duckdb"
    before = pointer.readlink()
    pointer.unlink()
    pointer.symlink_to(broken.relative_to(bench.data))
    assert not app.in_force.look() and not app.in_force.look()
    told = health(app)
    assert told["status"] == "degraded" and "cannot be read" in told["problems"][0]
    assert score(app).json()["version"] == "v1"
    pointer.unlink()
    assert not app.in_force.look()  # none at all
    assert score(app).status_code == 200
    pointer.symlink_to(before)
    app.in_force.snapshot = ""
    assert app.in_force.look() and health(app)["status"] == "ok"


def test_without_a_champion_nothing_begins(tmp_path):
    with pytest.raises(StoreError, match="no published snapshot"):
        served(Bench(tmp_path))


def test_who_comes_while_too_many_wait_is_told_so_at_once(bench):
    app = served(bench, most_waiting=3)
    many = [("POST", "/score", EVENT | {"prediction_id": str(i)}) for i in range(10)]
    answers = ask(app, *many, ("GET", "/alive", None))
    codes = [answer.status_code for answer in answers]
    assert codes[-1] == 204 and sorted(codes[:-1]) == [200] * 3 + [429] * 7
    refused = answers[codes.index(429)]
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["detail"] == "3 events wait already: send this one again later."
    assert health(app)["refused"] == 7 and health(app)["decided"] == 3
    assert score(app).status_code == 200  # nobody waits any more
    app.end()
    assert rows_in(bench) == 4


def rows_in(bench):
    bench.ingest(NOW)
    with bench.store() as store:
        return len(store.rows(MODEL, NOW.date(), NOW.date()))


def test_scoring_goes_on_without_a_disk_and_logging_when_it_is_back(bench, monkeypatch):
    app = served(bench, flush_seconds=0.02)
    monkeypatch.setattr(journals, "AGAIN", 0.0)
    spool = bench.data / "spool"
    shutil.rmtree(spool, ignore_errors=True)
    spool.write_text("no folder")
    number = iter(range(1000))
    told = lambda: score(app, EVENT | {"prediction_id": f"{next(number)}"}).json()
    first = told()
    assert first["logged"] == "yes"  # in memory, as it may be for so long
    assert until(lambda: told()["logged"] == "waiting")
    known = health(app)
    assert known["status"] == "degraded" and known["failing"] == 1 and known["waiting"] >= 1
    assert "rows could not be written" in known["problems"][0] and known["not_logged"] == 0
    app.journal._most = app.journal._loggers[next(iter(app.journal._loggers))].buffered
    lost = told()
    assert lost["logged"] == "no" and lost["score"] == first["score"]
    assert health(app)["not_logged"] == 1
    app.journal.tend()
    assert health(app)["failing"] == 1  # it is tried, and told again
    spool.unlink()
    app.journal._most = 1000
    app.journal.tend()
    known = health(app)
    assert (known["status"], known["waiting"], known["not_logged"]) == ("ok", 0, 1)
    assert told()["logged"] == "yes"
    app.end()
    assert rows_in(bench) == next(number) - 1  # all but the one that was said to be lost


def test_whatever_goes_wrong_in_the_log_an_event_is_decided(made, monkeypatch):
    app = served(made)

    def failing(*_, **__):
        raise MemoryError("no room")

    monkeypatch.setattr(PredictionLogger, "log", failing)
    answer = score(app)
    assert (answer.status_code, answer.json()["logged"]) == (200, "no")
    assert health(app)["problems"] == ["no room"]
    for error in (BufferFull("full"), NotWritten("later")):
        monkeypatch.setattr(
            PredictionLogger, "log", lambda *_, e=error, **__: (_ for _ in ()).throw(e)
        )
        assert score(app).json()["logged"] == ("no" if type(error) is BufferFull else "waiting")
    assert health(app)["decided"] == 3 and health(app)["not_logged"] == 2


def test_a_logger_is_of_one_version_threshold_and_tenant_and_few_are_open(bench, monkeypatch):
    monkeypatch.setattr(journals, "MOST_LOGGERS", 2)
    app = served(bench)
    for i in range(4):
        named = {"prediction_id": str(i), "tenant": f"t{i}"}
        assert score(app, EVENT | named).json()["logged"] == "yes"
    assert len(app.journal._loggers) == 2 and len(app.journal._leaving) == 2
    app.journal.tend()
    assert not app.journal._leaving
    app.end()
    bench.ingest(NOW)
    with bench.store() as store:
        rows = store.rows(MODEL, NOW.date(), NOW.date())
    assert set(rows.tenant) == {f"t{i}" for i in range(4)}


def test_processes_count_together():
    memory = Tally.file(3)
    of = [Tally(memory, 3, place) for place in range(3)]
    for place, tally in enumerate(of):
        tally.add("decided", place + 1)
        tally.tell("waiting", 10)
        tally.tell("failing", 1)
    of[1].restarted()
    Tally(memory, 3, 1).add("decided")
    told = {"decided": 7, "not_logged": 0, "refused": 0, "restarts": 1, "waiting": 20, "failing": 2}
    assert all(tally.total() == told for tally in of)
    assert Tally().total() == dict.fromkeys(told, 0)


def test_a_server_begins_and_ends_it(bench):
    app = served(bench)
    sent = []

    async def lived():
        told = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive():
            return next(told)

        async def send(message):
            sent.append(message["type"])
            if message["type"] == "lifespan.startup.complete":
                assert app._looking.is_alive()

        await app({"type": "lifespan"}, receive, send)

    score(app)
    asyncio.run(lived())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert not app._looking.is_alive() and rows_in(bench) == 1


class Ended:
    "A process that said something and is over."

    def __init__(self, said, code):
        self.stdin = self.stdout = self
        self.said, self.pid, self.code, self.closed = json.dumps(said).encode(), 7, code, 0

    def readline(self):
        return self.said

    def poll(self):
        return self.code

    def close(self):
        self.closed += 1


def test_a_process_that_dies_again_and_again_is_started_less_often(monkeypatch, caplog):
    class Here:
        @staticmethod
        def fileno():
            return 0

    begun, now = [], [100.0]
    house = Workers(Here, 1, {"model": MODEL}, 30)

    def begin(one):
        one.process, one.began, one.ready = Ended({"error": "no snapshot."}, 1), now[0], False
        begun.append(now[0])

    monkeypatch.setattr(house, "_begin", begin)
    monkeypatch.setattr("aiops_wb.service.workers.time.monotonic", lambda: now[0])
    (one,) = house._workers
    begin(one)
    for _ in range(1_300):
        house._keep(one)
        now[0] += 0.1
    pauses = [round(b - a) for a, b in zip(begun, begun[1:])]
    assert pauses[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert "process 7 ended (no snapshot.): another begins" in caplog.text
    assert Tally(house._memory, 1).total()["restarts"] == len(begun) - 1


def process_of(bench, *words):
    "The command as a process, and the address at which it serves."
    code = "import sys; from aiops_wb.cli import main; sys.exit(main())"
    words = ["score-service", MODEL, "--port", "0", "--data", str(bench.data), *words]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return process, process.stdout.readline().split(" at ")[1].split(",")[0]


def post(address, event):
    event = json.dumps(event | {"at": NOW.isoformat()}).encode()
    request = urllib.request.Request(f"{address}/score", event)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_ends_in_order_and_every_row_is_in_a_segment(bench, number):
    process, address = process_of(bench, "--workers", "2", "--flush-seconds", "3600")
    try:
        told = [post(address, EVENT | {"prediction_id": str(i)})["logged"] for i in range(20)]
        assert told == ["yes"] * 20
        process.send_signal(number)
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "", "")
    assert rows_in(bench) == 20


@pytest.mark.slow
def test_processes_end_with_whoever_started_them(bench):
    process, address = process_of(bench, "--flush-seconds", "3600")
    try:
        assert post(address, EVENT)["logged"] == "yes"
    finally:
        process.kill()
    process.communicate(timeout=90)  # the pipe of errors is closed when the last of them ended
    folder = bench.data / "spool" / "predictions"
    assert until(lambda: list(folder.glob("[!.]*.parquet")), 60)
    assert rows_in(bench) == 1


@pytest.mark.slow
def test_the_command_says_why_it_does_not_serve(bench, tmp_path, capsys):
    assert main(["score-service", MODEL, "--port", "0", "--data", str(tmp_path)]) == 1
    assert "no published snapshot" in capsys.readouterr().err
    assert main(["score-service", "other", "--port", "0", "--data", str(bench.data)]) == 1
    assert "other" in capsys.readouterr().err


@pytest.mark.slow
def test_no_event_that_was_said_to_be_logged_is_lost_or_double_whatever_is_killed(tmp_path):
    world(tmp_path / "data", rounds=20, per_day=50)
    told = asked(tmp_path / "data", seconds=25, kills=5, per_second=50)
    assert (told["lost"], told["double"], told["other"], told["kills"]) == (0, 0, 0, 5)
    assert told["answered"] + told["refused"] + told["broken"] == told["asked"] == 1000
    assert told["logged"] == told["answered"] > 200 and told["in_the_log"] > 200
