"""What several processes count, in a few numbers that all of them see.

Each process has a row of its own and is the only one that writes there; a process that is started
in place of one that died goes on from its row. Nothing here waits for anybody.
"""

import mmap
import tempfile
from collections.abc import Mapping
from typing import IO

__all__ = ["COUNTS", "GAUGES", "Tally"]

COUNTS = ("decided", "not_logged", "refused", "restarts")
"What only grows: answers, those of them whose event is not in the log, 429s, and new processes."
GAUGES = ("waiting", "failing")
"What is so now: events that wait for the disk, and whether the log takes none."
_NAMES = (*COUNTS, *GAUGES)
_BYTES = 8 * len(_NAMES)


class Tally:
    "The row of one process, and the sums of all."

    def __init__(self, memory: IO[bytes] | None = None, workers: int = 1, place: int = 0):
        """`memory`: a file of `Tally.file`, which other processes have too; None: of this process
        alone."""
        self.workers, self._first = workers, place * len(_NAMES)
        held = bytearray(_BYTES) if memory is None else mmap.mmap(memory.fileno(), workers * _BYTES)
        self._numbers = memoryview(held).cast("q")

    @staticmethod
    def file(workers: int) -> IO[bytes]:
        "A file without a name, to be shared by so many processes."
        memory = tempfile.TemporaryFile()
        memory.truncate(workers * _BYTES)
        return memory

    def add(self, name: str, n: int = 1) -> None:
        "Count some more."
        self._numbers[self._first + _NAMES.index(name)] += n

    def tell(self, name: str, n: int) -> None:
        "How it is now."
        self._numbers[self._first + _NAMES.index(name)] = n

    def restarted(self) -> None:
        "A process begins in place of one that died."
        self.add("restarts")
        for name in GAUGES:
            self.tell(name, 0)

    def total(self) -> Mapping[str, int]:
        "The sums of all processes."
        numbers, step = self._numbers.tolist(), len(_NAMES)
        return {name: sum(numbers[i::step]) for i, name in enumerate(_NAMES)}
