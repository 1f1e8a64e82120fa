"""The sign of life of a morning: one request for an address, and no more is said by it.

Whoever watches the address (healthchecks.io and its like) knows when it should be asked for, and
tells people when it was not: so a morning that failed, hung or never began is noticed by silence.
"""

import time
from functools import partial

from ..config import Address
from .bounded import AGAIN, unlogged, within, without_secret

__all__ = ["beat"]

PAUSE = 0.5
"Seconds before the second request, and twice as long before each further one."
NEEDS = "urllib3 is not installed: heartbeat_url needs pip install 'aiops_wb[webhook]'"


def beat(to: Address, seconds: float) -> str | None:
    """Ask for an address, again while its server is busy or out of reach, in so many seconds
    together; why that was not answered well, None when it was. No redirection is followed, nothing
    of an answer but its status is read, and nothing of the address but its host is said."""
    try:
        import urllib3
    except ModuleNotFoundError:
        return NEEDS
    end, pause = time.monotonic() + seconds, PAUSE
    url, headers = without_secret(to.get_secret_value())
    with urllib3.PoolManager(retries=False) as pool:
        while True:
            problem, again = _asked(pool, url, headers, end - time.monotonic())
            if problem is None or not again or time.monotonic() + pause >= end:
                return problem
            time.sleep(pause)
            pause *= 2


def _asked(pool, url, headers, seconds):
    "Why an address did not answer well (None: it did), and whether that may be over soon."
    try:
        status = within(seconds, partial(_status, pool, url, headers, seconds))
    except TimeoutError:
        return "it did not answer in time (heartbeat_timeout)", False
    except Exception as error:  # whatever it is, it may be over the next time
        reason = getattr(error, "reason", None)
        return f"it could not be reached: {type(reason or error).__name__}", True
    return (None, False) if 200 <= status < 300 else (f"it answered {status}", status in AGAIN)


def _status(pool, url, headers, seconds):
    with unlogged():
        answer = pool.request(
            "GET", url, headers=headers, timeout=seconds, redirect=False, preload_content=False
        )
    answer.close()
    return answer.status
