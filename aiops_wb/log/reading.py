"""How a file of others is to be read: what a person says of it, and how much of it is taken."""

import os
from dataclasses import dataclass, field
from zoneinfo import available_timezones

from ..config import Settings
from ..stats.decisions import RISK_CUTS
from .errors import StoreError

__all__ = ["Limits", "ReadOptions", "Rejects", "half_of_the_machine", "shown"]


def half_of_the_machine() -> int:
    "Half of the memory of this machine, in MB."
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**21


@dataclass(frozen=True)
class Limits:
    "How much one file may hold, and the memory (MB) that reading it may take."

    rows: int = 20_000_000
    columns: int = 5_000
    line: int = 5_000_000  # characters
    value: int = 1_000_000  # characters
    memory: int = field(default_factory=half_of_the_machine)

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        "The limits that are set."
        memory = {"memory": settings.memory_limit} if settings.memory_limit else {}
        lengths = settings.line_length, settings.value_length
        return cls(settings.file_rows, settings.file_columns, *lengths, **memory)

    @property
    def text(self) -> int:
        "Bytes of text that fit: rows of text take some ten times their size while they are read."
        return self.memory * 2**20 // 10

    def check_columns(self, n: int) -> None:
        "StoreError when there are more columns than are taken."
        if n > self.columns:
            raise StoreError(
                f"it has {n:,} columns and {self.columns:,} are allowed: raise file_columns."
            )

    def check_rows(self, n: int) -> None:
        "StoreError when there are more rows than are taken."
        if n > self.rows:
            raise StoreError(f"it has {n:,} rows and {self.rows:,} are allowed: raise file_rows.")

    def check_memory(self, bytes_: int) -> None:
        "StoreError when reading would take more memory than is allowed."
        if bytes_ > self.memory * 2**20:
            raise StoreError(
                f"it needs about {bytes_ / 2**20:,.0f} MB of memory and {self.memory:,} are "
                "allowed: split it, or raise memory_limit."
            )


@dataclass(frozen=True)
class ReadOptions:
    "What a person says of a file; without a word it is UTF-8, and its times have an offset."

    encoding: str | None = None
    decimal: str = "."
    thousands: str | None = None
    skip_lines: int = 0
    naive_timezone: str | None = None
    score_scale: str = "probability"  # or percent
    limits: Limits = field(default_factory=Limits)
    # words for a missing number, boolean or time, from now on; None: those that the log has
    null_words: tuple[str, ...] | None = None
    risk_cuts: tuple[float, ...] = RISK_CUTS  # of predictions that come without a route

    def __post_init__(self):
        try:
            "a".encode(self.encoding or "utf-8")
        except (LookupError, ValueError):
            raise StoreError(
                f"{self.encoding!r} is no encoding of text: name one such as latin-1, cp1252 or "
                "utf-16."
            ) from None
        for name, value in (("decimal", self.decimal), ("thousands", self.thousands)):
            if value is not None and (len(value) != 1 or value.isalnum() or value in "+-\"'"):
                raise StoreError(f"{name} {value!r} is not a mark such as ',' or '.'.")
        if self.decimal == self.thousands:
            raise StoreError(f"decimal and thousands cannot both be {self.decimal!r}.")
        if self.naive_timezone not in (None, "UTC") and not _is_zone(self.naive_timezone):
            raise StoreError(
                f"{self.naive_timezone!r} is not a time zone name such as 'Europe/Berlin'."
            )
        if self.score_scale not in ("probability", "percent"):
            raise StoreError(f"score scale {self.score_scale!r} is not probability or percent.")


def _is_zone(name):
    return name in available_timezones()


class Rejects:
    "What a file holds that is no row: line, reason, raw; a long text is kept up to a cap."

    columns = ("line", "reason", "raw")

    def __init__(self):
        self.rows = []

    def add(self, line: int, reason: str, raw: str) -> None:
        "Reject what stands in a line."
        self.rows.append((line, reason, shown(raw)))

    def __len__(self):
        return len(self.rows)


def shown(text: str | os.PathLike) -> str:
    "A text or a file's name as any disk and any table takes it."
    return os.fspath(text).encode(errors="backslashreplace").decode()
