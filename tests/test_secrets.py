"""A secret that a setting holds is nowhere but in the request that needs it."""

import base64
import http.server
import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aiops_wb.cli import main
from aiops_wb.config import Settings, SettingsError, load_settings
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.watch.sinks import Webhook

USER, WORD, PATH, QUERY = "canaryuser", "canary w\u00f6rd", "canarypath", "canaryquery"
HEADER = base64.b64encode(f"{USER}:{WORD}".encode()).decode()
NAMED = f"{USER}:canary@127.0.0.1"
CANARIES = ("canary", "w\u00f6rd", "w%c3%b6rd", HEADER.lower(), "fowl")


class Refusing(http.server.BaseHTTPRequestHandler):
    "Answers every case with a number, and keeps what it was asked."

    answer, asked = 500, []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, self.headers["Authorization"], self.headers["Host"]))
        self.send_response(self.answer)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    Refusing.asked.clear()
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    yield httpd.server_port
    httpd.shutdown()
    httpd.server_close()


def address(port):
    return f"http://{USER}:canary%20w%C3%B6rd@127.0.0.1:{port}/{PATH}?token={QUERY}"


def leaks(*texts):
    "The canaries that some texts hold."
    return {canary for text in texts for canary in CANARIES if canary in text.lower()}


def kept(folder):
    "Everything that the files of a folder hold, and their names; databases by their rows too."
    for path in folder.rglob("*"):
        yield path.name
        if path.is_file():
            yield path.read_bytes().decode("utf-8", "replace")
    if (folder / "aiops.duckdb").exists():
        with open_snapshot(folder) as log:
            tables = [row[0] for row in log.con.execute("SHOW TABLES").fetchall()]
            for table in tables:
                yield str(log.con.execute(f"FROM {table}").fetchall())


def in_process_of_its_own(house, *words, **environment):
    "A command in a process of its own: its exit code and all that it said."
    start = [sys.executable, "-c", "import sys; from aiops_wb.cli import main; sys.exit(main())"]
    done = subprocess.run(
        [*start, *words],
        cwd=house,
        env=os.environ | environment,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("place", [pytest.param("file", marks=pytest.mark.slow), "variable"])
def test_a_token_in_an_address_is_sent_and_never_said(tmp_path, port, place, monkeypatch, capfd):
    "The morning starts other processes and is one of its own; the rest is asked in this one."
    house = tmp_path / "house"
    house.mkdir()
    hours, secret = "case_max_age_hours = 87600\nwebhook_retries = 0\n", json.dumps(address(port))
    hours += "events_timeout = 6\n"
    others = f"redis://{NAMED}:9/0?stream=s", f"kafka://{NAMED}:9?topic=t"
    places = json.dumps([address(port), *others])
    variable = {}
    if place == "file":
        hours += f"webhook_url = {secret}\nevents_to = {places}\n"
    else:
        told = address(9).replace("http", "json").replace("token=", "%2BX-Token=")
        variable = {"AIOPS_WEBHOOK_URL": address(port), "AIOPS_MESSAGES": json.dumps([told])}
        variable["AIOPS_HEARTBEAT_URL"] = address(9)
        variable["AIOPS_EVENTS_TO"] = places
    (house / "aiops.toml").write_text(hours, encoding="utf-8")
    (house / "p.csv").write_text(
        "prediction_id,predicted_at,score,model,version,threshold,route\n"
        "a,2026-11-02T07:00:00Z,0.95,m,v,0.5,alert\n"
    )
    monkeypatch.chdir(house)
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    said = []
    for words in (
        ("ingest", "--file", "p.csv", "-vv"),
        ("config",),
        ("config", "--json"),
        ("cases", "send", "-vv"),
        ("daily", "-vv"),
        ("cases", "list"),
        ("audit", "list", "--json"),
        ("events", "send", "-vv"),
        ("events", "list", "--json"),
        ("status",),
        ("doctor",),
    ):
        if words[0] == "daily":
            said.append(in_process_of_its_own(house, *words, **variable))
        else:
            code = main(list(words))
            said.append((code, "".join(capfd.readouterr())))
    assert [code for code, _ in said[:-1]] == [0, 0, 0, 3, 3, 0, 0, 3, 0, 0], said
    assert "answered 500" in said[3][1] and "answered 500" in said[4][1]
    for sort in ("http", "redis", "kafka"):
        assert all(f"{sort}://127.0.0.1" in said[i][1] for i in (4, 7, 8, 9, 10)), sort
    if place == "variable":
        assert "the message to json://127.0.0.1 was not taken" in said[4][1]
    asked = (f"/{PATH}?token={QUERY}", f"Basic {HEADER}", f"127.0.0.1:{port}")
    assert Refusing.asked and set(Refusing.asked) == {asked}
    assert (house / "reports" / "2026-11-02" / "m" / "drift.html").exists()
    assert not leaks(*(text for _, text in said))
    assert not leaks(*kept(house / "data"), *kept(house / "reports"))


def test_what_a_request_logs_is_kept_quiet_where_a_program_logs_everything(port, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    for place in (address(port), address(9)):
        with pytest.raises(StoreError) as refused:
            Webhook(place, timeout=2, retries=1, pause=0).send({"case_id": "a"})
        assert refused.value.__suppress_context__ and not leaks(str(refused.value))
    assert len(Refusing.asked) == 2 and not leaks(caplog.text)
    logging.getLogger("urllib3.connectionpool").debug("others are heard again")
    assert "others are heard again" in caplog.text


WRONG = [
    ("webhook_url", "ftp://canary"),
    ("webhook_url", ["canary"]),
    ("webhook_url", {"canary": "fowl"}),
    ("webhook_urls", "canary"),
    ("messages", ["canary"]),
    ("heartbeat_url", "canary"),
    ("events_to", ["canary"]),
    ("events_to", "redis://canary"),
    ("events_source", "canary fowl"),
    ("token", "canary"),
    ("webhook", {"url": "canary"}),
    ("jobs", "canary"),
    ("jobs", ["canary"]),
    ("jobs", {"canary": 1}),
    ("engine", "canary"),
    ("automation", "canary"),
    ("risk_cuts", ["canary", 0.1]),
    ("risk_cuts", "canary"),
    ("reference_days", ["canary", 1]),
    ("retrain_enabled", "canary"),
    ("case_file", ["canary"]),
    ("data", ["canary"]),
    ("data", "canary\0"),
    ("coverage", "canary"),
]


def as_toml(value):
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {as_toml(below)}" for key, below in value.items())
        return f"{{{inner}}}"
    return json.dumps(value)


@pytest.mark.parametrize(("name", "value"), WRONG, ids=str)
def test_a_wrong_setting_is_named_with_its_place_and_without_its_value(
    tmp_path, monkeypatch, capsys, name, value
):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "aiops.toml"
    file.write_text(f"{name} = {as_toml(value)}")
    for words in (["config"], ["cases", "send", "-vv"], ["daily", "-vv"]):
        code = main(words)
        said = capsys.readouterr()
        if value == "ftp://canary":
            assert code == (0 if words == ["config"] else 1)
        else:
            assert code == 1 and said.err.count("\n") == 1
            assert name in said.err and str(file) in said.err
        assert not leaks(said.out, said.err)
    file.unlink()
    text = value if isinstance(value, str) else json.dumps(value)
    if name == "data":  # any text is a folder
        return
    monkeypatch.setenv(f"AIOPS_{name.upper()}", text)
    for words in (["config"], ["cases", "send", "-vv"]):
        code = main(words)
        said = capsys.readouterr()
        assert not leaks(said.err)
        assert code == 0 or f"AIOPS_{name.upper()}" in said.err or "webhook_url" in said.err


@pytest.mark.parametrize(
    "text",
    [
        'webhook_url = "canary',
        "webhook_url = canary",
        'webhook_url "canary"',
        "[canary",
        'jobs = 2\njobs = "canary"',
        "x = " + "[" * 5000,
        'webhook_url = """canary',
        'webhook_url = "canary\\q"',
    ],
    ids=range(8),
)
def test_a_broken_file_in_a_folder_above_ends_a_command_in_a_sentence_that_names_it(
    tmp_path, monkeypatch, capsys, text
):
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    (tmp_path / "aiops.toml").write_text(text)
    monkeypatch.chdir(below)
    for words in (["config"], ["status"], ["daily"]):
        assert main(words) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"aiops-wb: {tmp_path / 'aiops.toml'} cannot be read")
        assert said.count("\n") == 1 and not leaks(said)


def test_a_file_that_cannot_be_seen_is_named(tmp_path):
    with pytest.raises(SettingsError, match="aiops.toml cannot be looked for"):
        load_settings(data=Path("x" * 300))


def test_errors_of_settings_made_by_hand_hold_no_value(monkeypatch):
    for wrong in ({"risk_cuts": (0.9, 0.1, 0.2, 0.3)}, {"webhook_url": ["canary"]}):
        with pytest.raises(ValueError) as stop:
            Settings(config="no file", **{"webhook_url": "http://canary"} | wrong)
        assert not leaks(str(stop.value), repr(stop.value))
    assert not leaks(repr(Settings(config="no file", webhook_url="http://canary")))
