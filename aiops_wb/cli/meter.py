"""How many bytes were dealt with: a bar on a terminal, nothing in a log."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from .call import Call

__all__ = ["Meter", "meter"]


class Meter:
    "Is told how many bytes were dealt with since it was told before."

    def __init__(self, bar: tqdm):
        self.bar, self.size = bar, 0

    def __call__(self, size: int) -> None:
        self.size += size
        self.bar.update(size)


@contextmanager
def meter(call: Call, what: str, total: int | None = None) -> Iterator[Meter]:
    "Shows bytes, their rate, and how many are left where `total` says how many there are."
    seen = sys.stderr.isatty() and not call.quiet
    scale = {"unit": "B", "unit_scale": True, "total": total}
    with tqdm(desc=what, disable=not seen, **scale) as bar:
        yield Meter(bar)
