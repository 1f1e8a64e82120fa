"""The service as a process: it says where it is, who holds its port, and ends in order."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import MODEL
from serving import ID, app_of, copy

from aiops_wb.api import server
from aiops_wb.api.server import listening, serving
from aiops_wb.api.taking_in import TakingIn
from aiops_wb.cli import main, serve
from aiops_wb.log.errors import StoreError
from aiops_wb.log.store import open_store

ROOT = Path(__file__).parents[2]


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as answer:
        return json.load(answer)


def test_it_serves_in_a_thread_and_lets_its_port_go(tmp_path):
    app = app_of(copy(tmp_path / "bench"))
    with serving(app) as address:
        assert get(f"{address}/thresholds")["items"][0]["id"] == ID
        port = int(address.rpartition(":")[2])
        with pytest.raises(StoreError, match=f"port {port}: another program listens there"):
            listening("127.0.0.1", port)
    listening("127.0.0.1", port).close()


def test_an_address_is_what_a_browser_takes():
    for told, address in (
        (("127.0.0.1", 8080), "http://127.0.0.1:8080"),
        (("::1", 8080, 0, 0), "http://[::1]:8080"),  # IPv6 tells more of itself
    ):
        assert server.address_of(SimpleNamespace(getsockname=lambda told=told: told)) == address


def test_a_command_says_why_it_does_not_serve(tmp_path, capsys):
    data = ["--data", str(tmp_path)]
    with listening("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "--port", port, *data]) == 1
        assert "another program listens there" in capsys.readouterr().err
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", *data]) == 1
    assert "make one with 'aiops-wb tokens make'" in capsys.readouterr().err
    assert main(["serve", "--host", "no.such.host.invalid", "--port", "0", *data]) != 0


@pytest.mark.parametrize("words, at_once", [([], True), (["--no-take-in"], False)])
def test_what_is_handed_in_is_taken_in_at_once_unless_told_otherwise(
    tmp_path, monkeypatch, words, at_once
):
    monkeypatch.setattr(serve, "run", lambda app, *_: served.append(app))
    served, taking = [], []
    monkeypatch.setattr(TakingIn, "wake", lambda self: taking.append(self))
    assert main(["serve", "--port", "0", "--data", str(tmp_path), *words]) == 0
    served[0].state.desk.handed_in()
    assert bool(taking) == at_once


def test_what_is_not_installed_is_named(monkeypatch, capsys):
    for name in [n for n in sys.modules if n.startswith(("aiops_wb.api", "aiops_wb.cli.serve"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve"]) == 1
    assert "pip install 'aiops_wb[api]'" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_in_order(tmp_path, number):
    bench = copy(tmp_path / "bench")
    code = "import sys; from aiops_wb.cli import main; sys.exit(main())"
    words = ["serve", "--port", "0", "--data", str(bench.data)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        address = process.stdout.readline().split(" at ")[1].split()[0]
        body = {"model": MODEL, "events": [{"features": {"x": 1.0}, "prediction_id": "p"}]}
        request = urllib.request.Request(
            f"{address}/decide",
            json.dumps(body | {"log": True}).encode(),
            {"Content-Type": "application/json"},
        )
        assert json.load(urllib.request.urlopen(request))["logged"]
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out, err) == (0, "", "")
    with open_store(bench.data, "somebody"):  # nobody holds the catalog
        waiting = list((bench.data / "spool" / "predictions").glob("[!.]*"))
        assert len(waiting) == 1  # a finished segment
