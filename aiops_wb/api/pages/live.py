"""Pages learn that something changed: a stream of events, one each time.

What is told is a name for the state: that of the newest snapshot and of the acts that it does not
know yet. It says nothing else; the page asks for its parts again. Streams are bounded, and end when
the service does, when the session does, and when nobody listens.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from starlette.concurrency import run_in_threadpool

from ..desk import Desk
from ..problems import Problem

__all__ = ["Live"]

MOST = 64
"Streams at a time."
LOOK, BEAT = 0.5, 15.0
"Seconds between two looks, and between signs of life that keep a stream open."


@dataclass
class Live:
    "The streams of a service."

    ended: bool = False
    open: int = 0
    look: float = field(default=LOOK, repr=False)

    def end(self) -> None:
        "The service ends: no stream holds it up."
        self.ended = True

    def state(self, desk: Desk) -> str:
        "A name for what pages show now; it changes when they may."
        try:
            with desk.snapshots.newest() as snapshot:
                told = [snapshot.name, *(act.id for act in desk.pending(snapshot))]
        except Problem:  # nothing is published
            told = []
        return hashlib.sha256("\n".join(map(str, told)).encode()).hexdigest()[:16]

    def require_room(self) -> None:
        "Problem 503 where too many streams are open."
        if self.open >= MOST:
            raise Problem(503, "too many pages are open just now.", {"Retry-After": "30"})

    async def stream(self, desk: Desk, may_look: Callable[[], bool]) -> AsyncIterator[str]:
        "Server-sent events until the service ends, or who listens may look no longer."
        if self.open >= MOST:  # many asked in the same moment
            yield "retry: 30000\n\n"
            return
        self.open += 1
        try:
            known, silent = None, 0.0
            yield "retry: 3000\n\n"
            while not self.ended and await run_in_threadpool(may_look):
                state = await run_in_threadpool(self.state, desk)
                if state != known:
                    known, silent = state, 0.0
                    yield f"data: {state}\n\n"
                elif silent >= BEAT:
                    silent = 0.0
                    yield ": nothing changed\n\n"
                await asyncio.sleep(self.look)
                silent += self.look
        finally:
            self.open -= 1
