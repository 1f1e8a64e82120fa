"""Requests that leave the house: waited for in bounds, however slowly they are answered, and logged
nowhere."""

import base64
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeVar
from urllib.parse import unquote

__all__ = ["AGAIN", "Post", "is_address", "unlogged", "within", "without_secret"]

Answer = TypeVar("Answer")

AGAIN = (429, 500, 502, 503, 504)
"Answers of a server that may be another the next time."

TALKATIVE = ("urllib3.connectionpool", "urllib3.util.retry")
"Loggers of urllib3 that write down what is asked for."


def within(seconds: float, work: Callable[[], Answer]) -> Answer:
    """What some work returns, waited for so long and no longer: TimeoutError. A byte now and then
    keeps every timeout of a socket from ending, and a look-up of a name has none; the thread that
    goes on ends with the process."""
    ended = queue.SimpleQueue()

    def worked():
        try:
            ended.put((work(), None))
        except Exception as error:
            ended.put((None, error))

    threading.Thread(target=worked, daemon=True, name="aiops-wb-request").start()
    try:
        result, error = ended.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result


def is_address(url: str) -> bool:
    "Whether a text is an address of the web."
    import urllib3

    try:
        address = urllib3.util.parse_url(url)
    except urllib3.exceptions.LocationParseError:
        return False
    return address.scheme in ("http", "https") and bool(address.host)


def without_secret(url: str) -> tuple[str, dict[str, str]]:
    "An address without its user and password, and the header that says them."
    import urllib3

    address = urllib3.util.parse_url(url)
    if not address.auth:
        return url, {}
    said = base64.b64encode(unquote(address.auth).encode()).decode()
    return address._replace(auth=None).url, {"Authorization": f"Basic {said}"}


@contextmanager
def unlogged() -> Iterator[None]:
    "urllib3 keeps quiet of this thread: it logs paths and queries, where a token may stand."
    logs, here = [logging.getLogger(name) for name in TALKATIVE], threading.get_ident()

    def of_others(record):
        return record.thread != here

    for log in logs:
        log.addFilter(of_others)
    try:
        yield
    finally:
        for log in logs:
            log.removeFilter(of_others)


class Post:
    """POSTs to one address, each tried 1 + `retries` times.

    `timeout` in seconds for each attempt, from the look-up of the name to the answer's head,
    however slowly that comes; `pause` seconds before the second and twice as long before each
    further one. A user and a password in the address are sent as a header, which no log of a server
    shows.
    """

    def __init__(self, url: str, timeout: float, retries: int, pause: float):
        import urllib3

        self.url, self.headers = without_secret(url)
        self.timeout, self.pauses = timeout, [pause * 2**i for i in range(retries)]
        self.pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout), retries=False)

    def status(self, body: bytes, headers: Mapping[str, str]) -> int:
        "What is answered in the end; raises whatever keeps the last attempt from being answered."
        for pause in [*self.pauses, None]:
            try:
                status = within(self.timeout, partial(self._asked, body, headers))
            except Exception:  # whatever it is, it may be over the next time
                if pause is None:
                    raise
            else:
                if pause is None or status not in AGAIN:
                    return status
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _asked(self, body, headers):
        with unlogged():
            answer = self.pool.request(
                "POST",
                self.url,
                body=body,
                headers=self.headers | dict(headers),
                redirect=False,
                preload_content=False,
            )  # the body is nobody's business, and may never end
        answer.close()
        return answer.status
