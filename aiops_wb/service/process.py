"""One process of the service, as `workers` starts it: what it serves comes as JSON, and it ends
when it is told to, or when nobody holds its standard input any more."""

import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from ..api.server import OrderlyServer, configured
from ..config import SettingsError, load_settings
from ..log.errors import StoreError
from .app import ScoringApp, scoring_app
from .tally import Tally

__all__ = ["main"]

SWITCH = 0.0005
"Seconds that a thread which writes rows may keep one that answers waiting."
_HOW = ("who", "host", "most_waiting", "flush_seconds", "segment_seconds")
KEEP_ALIVE = 75
"Seconds that a connection may be idle: longer than proxies in front keep one."


def main(arguments: list[str]) -> int:
    "Serve until the end; what is missing is told on standard output, as JSON, and nothing else."
    told = json.loads(arguments[0])
    logging.basicConfig(format="aiops-wb: %(levelname)s: %(message)s", level=told["level"])
    try:
        app = _made(told)
    except (StoreError, SettingsError, OSError, duckdb.Error) as error:
        _tell({"error": str(error)})
        return 1
    sys.setswitchinterval(SWITCH)
    # what was loaded stays to the end; rows that wait for the disk are no garbage either
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    config = configured(app, told["level"] >= logging.ERROR, timeout_keep_alive=KEEP_ALIVE)
    server = OrderlyServer(config)
    _tell({"ready": os.getpid()})
    with _ending_with_parent():
        server.run(sockets=[socket.socket(fileno=told["socket"])])
    gc.unfreeze()
    return 0


def _made(told: dict[str, Any]) -> ScoringApp:
    settings = load_settings(**{n: told[n] and Path(told[n]) for n in ("data", "config")})
    memory = os.fdopen(told["tally"], "r+b", closefd=False)
    tally = Tally(memory, told["workers"], told["place"])
    how = {name: told[name] for name in _HOW}
    return scoring_app(settings.data, told["model"], settings, tally=tally, **how)


def _tell(what):
    print(json.dumps(what), flush=True)


@contextmanager
def _ending_with_parent() -> Iterator[None]:
    "Meanwhile we are told to end when whoever started us is gone: nobody holds the other end then."
    done, over = os.pipe()

    def watch():
        if done not in select.select([sys.stdin.fileno(), done], [], [])[0]:
            os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        os.close(over)
        thread.join()
        os.close(done)
