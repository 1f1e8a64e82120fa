"""Which batches were known at a time.

Batches are numbered as they are committed, and most are known since then: what was known is all
batches up to one. A history that was brought in later is known as of its own nights, so that what
was known at a time is some runs of numbers.
"""

from dataclasses import dataclass

__all__ = ["KNOWN_SINCE", "Known"]

KNOWN_SINCE = "coalesce(known_at, committed_at)"
"Since when a row of `batches` counts as known, in SQL."


@dataclass(frozen=True)
class Known:
    "Batches that were known at a time, as runs of numbers: (first, last), in order."

    runs: tuple[tuple[int, int], ...] = ()

    @property
    def up_to(self) -> int:
        "The batch up to which all are known; 0 when the first one is not."
        return self.runs[0][1] if self.runs and self.runs[0][0] <= 1 else 0

    def until(self, newest: int) -> "Known":
        "Those of them up to a number."
        return Known(tuple((a, min(b, newest)) for a, b in self.runs if a <= newest))

    def sql(self, column: str = "batch_id") -> str:
        "Whether a column names one of them; 0 and below are what was known before any."
        later = [run for run in self.runs if run[0] > 1]
        terms = [f"{column} BETWEEN {first:d} AND {last:d}" for first, last in later]
        told = " OR ".join([f"{column} <= {self.up_to:d}", *terms])
        return f"({told})" if terms else told
