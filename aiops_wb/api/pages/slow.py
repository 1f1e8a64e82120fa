"""Tokens that are tried and are none are answered late, ever later for the same address.

Only those are: whoever has a token that is valid never waits for what others try. How many wait at
a time is bounded, and so is what is remembered.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ..problems import Problem

__all__ = ["Slowly"]

FIRST, LONGEST = 0.25, 4.0
"Seconds that the first of an address takes, doubled each time, and the most."
MOST_WAITING, MOST_KNOWN = 32, 1000


@dataclass
class Slowly:
    "What failed lately, by address."

    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _failed: OrderedDict = field(default_factory=OrderedDict, repr=False)
    _waiting: int = 0

    async def failed(self, address: str) -> None:
        "Wait before somebody is told that they failed; Problem 429 where too many do."
        if self._waiting >= MOST_WAITING:
            raise Problem(429, "too many tokens are tried just now: wait a little.")
        times = self._failed.pop(address, 0)
        self._failed[address] = times + 1
        while len(self._failed) > MOST_KNOWN:
            self._failed.popitem(last=False)
        self._waiting += 1
        try:
            await self.pause(min(LONGEST, FIRST * 2 ** min(times, 10)))
        finally:
            self._waiting -= 1

    def passed(self, address: str) -> None:
        "Somebody at an address has a token that is valid."
        self._failed.pop(address, None)
