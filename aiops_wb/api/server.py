"""The service as a process: an address, a log without secrets, an end in order."""

import errno
import logging
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from ..log.errors import StoreError
from ..log.tokens import tokens
from .access import is_loopback
from .desk import Desk

__all__ = [
    "GRACE",
    "OrderlyServer",
    "address_of",
    "configured",
    "listening",
    "require_token_elsewhere",
    "run",
    "serving",
]

GRACE = 5
"Seconds that requests under way have at the end."
_SECRET = re.compile(r"awb_[A-Za-z0-9_\-]+")


class _NoSecrets(logging.Filter):
    "Takes out of a line what looks like a token: somebody may have put one into an address."

    def filter(self, record):
        "Whether a line is written: always, with what it may say."
        record.msg, record.args = _hidden(record.getMessage()), None
        if record.exc_info:
            told = logging.Formatter().formatException(record.exc_info)
            if _SECRET.search(told):
                record.exc_text = "\n".join(map(_printable, _hidden(told).split("\n")))
        return True


def _hidden(text):
    return _SECRET.sub("awb_...", text)


def _printable(line):
    return "".join(c if c.isprintable() else " " for c in line)


_NO_SECRETS = _NoSecrets()


def require_token_elsewhere(desk: Desk) -> None:
    "StoreError where other machines would be served, and there is no token."
    if not is_loopback(desk.host) and not tokens(desk.data):
        raise StoreError(
            f"{desk.host} can be reached from other machines, and there is no token: make one with "
            "'aiops-wb tokens make', or leave --host out."
        )


def listening(host: str, port: int) -> socket.socket:
    "A socket that listens at an address; StoreError says why there is none."
    found = None
    try:
        family, kind, _, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # named, or small answers wait for the acknowledgement of what was sent before (40 ms)
        found = socket.socket(family, kind, socket.IPPROTO_TCP)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        if found is not None:
            found.close()
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else error.strerror or str(error)
        raise StoreError(
            f"{host} port {port}: {why}; name another with --host or --port."
        ) from None
    return found


class OrderlyServer(uvicorn.Server):
    "Ends in order when it is told to, and then as any command does."

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        "Meanwhile a signal begins the end; a second one hurries it."
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        ours = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, self.handle_exit) for number in ours}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Server(OrderlyServer):
    "The same for an app with pages."

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        "End the streams of pages first: they would hold up the end of the others."
        self.config.app.state.web.live.end()
        await super().shutdown(sockets)


def _server(app: FastAPI, quiet: bool) -> _Server:
    return _Server(configured(app, quiet))


def configured(app: ASGIApp, quiet: bool, **options: Any) -> uvicorn.Config:
    "How an app is served: with a log without secrets, and without telling who we are."
    config = uvicorn.Config(
        app,
        log_level="error" if quiet else "warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=2**16,
        **options,
    )
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "aiops_wb"):
        log = logging.getLogger(name)
        for of in (log, *log.handlers):  # a logger's own filter does not see what others below say
            of.addFilter(_NO_SECRETS)
    return config


def address_of(at: socket.socket) -> str:
    host, port = at.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: FastAPI, at: socket.socket, say: Callable[[str], None], quiet: bool = False) -> None:
    "Serve until SIGTERM or Ctrl-C; requests under way are finished."
    say(f"serving {app.state.desk.data} at {address_of(at)} (Ctrl-C ends it)")
    sys.stdout.flush()  # whoever waits for the address may read a pipe
    _server(app, quiet).run(sockets=[at])


@contextmanager
def serving(app: FastAPI, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    "Meanwhile a thread serves, at a free port unless one is named; gives the address."
    require_token_elsewhere(app.state.desk)
    with listening(host, port) as at:
        server = _server(app, quiet=True)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [at]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield address_of(at)
        finally:
            server.should_exit = True
            thread.join()
