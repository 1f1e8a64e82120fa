"""Where cases go: a file, a webhook, and what both are sent."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

import pandas as pd

from ..config import Settings
from ..log.durable import fsync
from ..log.errors import StoreError
from ..log.modes import make_file, make_folder
from ..log.outbox import ATTEMPT
from .bounded import Post, is_address

__all__ = [
    "SENT",
    "Sink",
    "JsonLines",
    "Webhook",
    "sinks",
    "message",
    "idempotency_key",
    "drift_messages",
    "deliver",
]

logger = logging.getLogger(__name__)


class Sink(Protocol):
    "Where cases go: a name, and `send`, which raises when the case was not taken."

    name: str

    def send(self, case: dict) -> None: ...


class JsonLines:
    """Appends each message to a file, one JSON object a line, on disk when `send` returns.

    A new file is of its owner alone (0600), or of a group as well (0640). A message that stands in
    the file already, by its key (`named` so), is not written again: a run that was stopped before
    it could record a delivery sends that one once more.
    """

    name = "file"

    def __init__(self, path: Path, group: str | None = None, named: str = "idempotency_key"):
        self.path, self.group, self.named = Path(path), group, named

    def send(self, *messages: dict) -> None:
        "Append messages, but those that are there."
        if self.path.is_fifo():  # to open it waits for a reader, for ever
            raise StoreError("it is no file of lines")
        make_folder(self.path.parent, self.group)
        keys = (one.get(self.named) for one in messages)
        new = [one for one, key in zip(messages, keys) if key is None or key not in self._written]
        if not new:
            return
        made = make_file(self.path, self.group)
        lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in new)
        # half a character, as some sources deliver it, is written as JSON escapes it
        with open(self.path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(("\n" if _cut_off(self.path) else "") + lines)
            file.flush()
            os.fsync(file.fileno())
        if made:
            fsync(self.path.parent)
        self._written.update(one.get(self.named) for one in new)

    @cached_property
    def _written(self) -> set[str | None]:
        """Keys at the end of the file.

        What was not recorded are the last lines: no more is read of a file that grows for years.
        """
        if not self.path.exists():
            return set()
        with open(self.path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
            return {_key(line, self.named) for line in file.read().splitlines()}


TAIL = 1 << 24
"Bytes of a file of cases in which keys are looked for."


def _cut_off(path):
    "Whether the last line was not written to its end, by a full disk, say."
    with open(path, "rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _key(line, named):
    "The key of a line, None where it has none."
    try:
        return json.loads(line).get(named)
    except (ValueError, AttributeError):
        return None


class Webhook:
    """POSTs each case as JSON.

    `timeout`, `retries` and `pause` are those of `Post`. After `failures` cases in a row nothing
    more is tried.
    """

    name = "webhook"

    def __init__(
        self,
        url: str,
        timeout: float = 5.0,
        retries: int = 3,
        pause: float = 0.5,
        failures: int = 3,
    ):
        try:
            import pybreaker
            import urllib3  # noqa: F401
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{error.name} is not installed: a webhook needs pip install 'aiops_wb[webhook]'."
            ) from None
        if not is_address(url):
            raise StoreError("webhook_url is not an address that begins with http:// or https://.")
        self.to = Post(url, timeout, retries, pause)
        self.breaker = pybreaker.CircuitBreaker(fail_max=failures, reset_timeout=3600)

    def send(self, case: dict) -> None:
        "POST one case; raises with a sentence that names the server's answer, never its address."
        import pybreaker

        try:
            self.breaker.call(self._post, case)
        except pybreaker.CircuitBreakerError as error:
            if error.__context__ is None or isinstance(error.__context__, KeyError):
                raise StoreError("not tried: the webhook failed several times in a row") from None
            raise StoreError(_failure(error.__context__)) from None
        except Exception as error:
            raise StoreError(_failure(error)) from None

    def _post(self, case):
        key = case.get("idempotency_key") or case["case_id"]
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        status = self.to.status(json.dumps(case).encode(), headers)
        if not 200 <= status < 300:
            raise StoreError(f"the webhook answered {status}")


def _failure(error):
    "What went wrong without the address, which may hold a secret."
    if isinstance(error, StoreError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "the webhook did not answer in time (webhook_timeout)"
    reason = getattr(error, "reason", None)
    return f"the webhook could not be reached: {type(reason or error).__name__}"


def sinks(settings: Settings) -> list[Sink]:
    "The sinks that the settings name; the workbench's own table is always there."
    named: list[Sink] = []
    if settings.case_file:
        named.append(JsonLines(settings.case_file, settings.group))
    if settings.webhook_url:
        url = settings.webhook_url.get_secret_value()
        named.append(Webhook(url, settings.webhook_timeout, settings.webhook_retries))
    return named


SENT = (
    "case_id",
    "kind",
    "workflow",
    "assignee",
    "role",
    "title",
    "text",
    "tenant",
    "model",
    "version",
    "entity_id",
    "site_id",
    "predicted_at",
    "risk_level",
    "probability",
    "lower",
    "upper",
    "automated",
    "reason",
    "prediction_id",
    "opened_at",
)


def message(case, sink: str = "") -> dict:
    """What a sink gets of a row of cases: plain JSON values.

    `idempotency_key` is the same however often this is sent to the sink, and another one when the
    event has become graver: then `update` is true and `case_id` the same.
    """
    update = case.get("is_update")
    return {column: _plain(case[column]) for column in SENT} | {
        "idempotency_key": idempotency_key(case.case_id, sink, case.risk_level),
        "update": bool(update) and not pd.isna(update),
    }


def idempotency_key(case_id: str, sink: str, level: str | None) -> str:
    "The key of what a sink is told of an event while it is so grave."
    named = f"{case_id} {sink} {level or ''}"
    return f"{case_id}-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def _plain(value):
    if isinstance(value, datetime):
        return value.isoformat()
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def drift_messages(events: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Opened alarms about drift in the shape of cases, for the same sinks.

    Their id, severity and words.
    """
    if events.empty:
        return pd.DataFrame()
    nothing = {column: None for column in (*SENT, "is_update") if column not in events}
    shaped = events.assign(**nothing).assign(
        lower=None,
        upper=None,
        case_id=events.event_id,
        kind="drift",
        workflow=settings.drift_workflow,
        role="model owner",
        risk_level=events.severity.str.upper(),
        automated=False,
        reason=events.kind,
        predicted_at=None,
        opened_at=events.recorded_at,
    )
    return shaped[[*SENT, "is_update"]].astype(object)


def deliver(
    waiting: Mapping[str, pd.DataFrame],
    to: Sequence[Sink],
    now: datetime,
    record: Callable[[dict], None] = lambda attempt: None,
    going: Callable[[], bool] = lambda: True,
) -> pd.DataFrame:
    """Hand the waiting cases of each sink over; returns the attempts as rows for the store.

    `record` is called with each attempt before the next one is made, `going` is asked before each.
    A sink that refuses does not stop the others.
    """
    attempts = []
    for sink in to:
        for _, case in waiting.get(sink.name, pd.DataFrame()).iterrows():
            if not going():
                break
            told = message(case, sink.name)
            problem = _refused(sink, told)
            attempt = {
                "case_id": told["case_id"],
                "sink": sink.name,
                "state": "failed" if problem else "delivered",
                "detail": problem,
                "attempted_at": now,
                "key": told["idempotency_key"],
                "level": told["risk_level"],
            }
            record(attempt)
            attempts.append(attempt)
            logger.debug("case %s to the %s: %s", case.case_id, sink.name, problem or "taken")
    return pd.DataFrame(attempts, columns=list(ATTEMPT))


def _refused(sink, told):
    "Send a message; why it was refused, None when it was taken."
    try:
        sink.send(told)
    except Exception as error:  # whatever a receiver does costs this message, and no other
        return str(error) or type(error).__name__
    return None
