"""What a question is asked with: settings, the clock, for whom, and the newest snapshot."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock

import duckdb

from ..config import Settings
from ..log.catalog import Reader
from ..log.proposals import on_behalf_of
from ..log.reading import Limits
from ..workbench.published import newest

__all__ = ["Asking", "House"]


@dataclass
class Asking:
    "One question on its way, which may be told to stop."

    _con: duckdb.DuckDBPyConnection | None = None
    _stopped: bool = False
    _lock: Lock = field(default_factory=Lock, repr=False)

    def begin(self, con: duckdb.DuckDBPyConnection) -> None:
        "The connection that is asked from now on; TimeoutError where it was stopped before."
        with self._lock:
            if self._stopped:
                raise TimeoutError
            self._con = con

    def end(self) -> None:
        "The connection is asked no longer."
        with self._lock:
            self._con = None

    def stop(self) -> None:
        "End the query that runs, and ask no further one."
        with self._lock:
            self._stopped = True
            if self._con is not None:
                self._con.interrupt()


@dataclass(frozen=True)
class House:
    "A workbench, and who asks."

    settings: Settings
    now: Callable[[], datetime]
    person: str  # whose account it is

    @property
    def who(self) -> str:
        "Who a proposal is by: the client, on behalf of the person."
        return on_behalf_of(self.settings.mcp_client, self.person)

    @property
    def data(self) -> Path:
        "The data folder."
        return self.settings.data

    @property
    def spool(self) -> Path:
        "Where a proposal waits for the writer."
        return self.settings.spool_of(self.data)

    @contextmanager
    def reading(self, asking: Asking) -> Iterator[Reader]:
        "The newest snapshot, for one question; StoreError where there is none."
        with newest(self.data, self.settings.spool)[1] as log:
            log.limit_memory(Limits.of(self.settings).memory)
            asking.begin(log.con)
            try:
                yield log
            finally:
                asking.end()
