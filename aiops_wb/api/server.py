"""The service as a process: an address, a log without secrets, an end in order."""

import errno
import logging
import re
import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from ..log.errors import StoreError
from ..log.tokens import tokens
from .access import is_loopback
from .desk import Desk

__all__ = ["listening", "require_token_elsewhere", "run"]

GRACE = 5
"Seconds that requests under way have at the end."
_SECRET = re.compile(r"awb_[A-Za-z0-9_\-]+")


class _NoSecrets(logging.Filter):
    "Takes out of a line what looks like a token: somebody may have put one into an address."

    def filter(self, record):
        "Whether a line is written: always, with what it may say."
        record.msg, record.args = _SECRET.sub("awb_...", record.getMessage()), None
        return True


class _Server(uvicorn.Server):
    "Ends the streams of pages first: they would hold up the end of the others."

    async def shutdown(self, sockets=None):
        "Finish what is under way."
        self.config.app.state.web.live.end()
        await super().shutdown(sockets)


def require_token_elsewhere(desk: Desk) -> None:
    "StoreError where other machines would be served, and there is no token."
    if not is_loopback(desk.host) and not tokens(desk.data):
        raise StoreError(
            f"{desk.host} can be reached from other machines, and there is no token: make one with "
            "'aiops-wb tokens make', or leave --host out."
        )


def listening(host: str, port: int) -> socket.socket:
    "A socket that listens at an address; StoreError says why there is none."
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another program listens there" if taken else error.strerror or str(error)
        raise StoreError(
            f"{host} port {port}: {why}; name another with --host or --port."
        ) from None
    return found


def run(app: FastAPI, at: socket.socket, say: Callable[[str], None], quiet: bool = False) -> None:
    "Serve until SIGTERM or Ctrl-C; requests under way are finished."
    host, port = at.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    say(f"serving {app.state.desk.data} at http://{shown}:{port} (stop with Ctrl-C)")
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "aiops_wb"):
        logging.getLogger(name).addFilter(_NoSecrets())
    config = uvicorn.Config(
        app,
        log_level="error" if quiet else "warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=2**16,
        limit_concurrency=1000,
    )
    _Server(config).run(sockets=[at])
