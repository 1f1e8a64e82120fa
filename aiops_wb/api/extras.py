"""Parts that need the extra ml, loaded when they are first asked for: all else works without."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from .desk import Desk, Snapshot
from .problems import Problem

__all__ = ["Decider", "explained_event"]


def _needs(error: ModuleNotFoundError) -> Problem:
    return Problem(501, f"{error.name} is not installed here: pip install 'aiops_wb[ml]'.")


def explained_event() -> Callable[..., dict[str, Any]]:
    "The function that explains an event; Problem 501 where it cannot be loaded."
    try:
        from ..watch.explained_event import explained_event
    except ModuleNotFoundError as error:
        raise _needs(error) from None
    return explained_event


class Decider:
    "Decides events of a desk."

    def __init__(self, desk: Desk):
        self._desk, self._lock, self._of = desk, Lock(), None

    def __call__(self, snapshot: Snapshot, model: str, events: list[dict], **how) -> dict[str, Any]:
        "Decisions of events, and what they rest on; Problem 501 where nothing can be scored here."
        try:
            from .deciding import Deciding, deciding
        except ModuleNotFoundError as error:
            raise _needs(error) from None
        with self._lock:
            self._of = self._of or Deciding(self._desk)
        return deciding(self._of, snapshot, model, events, **how)

    def close(self) -> None:
        "Finish what was logged."
        if self._of is not None:
            self._of.close()
