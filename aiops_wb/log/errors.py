"""What goes wrong with stored data, in sentences."""

__all__ = [
    "StoreError",
    "BrokenTrail",
    "Busy",
    "InvalidAct",
    "NotWritten",
    "BufferFull",
    "raise_if_interrupted",
]


class StoreError(RuntimeError):
    "Something about the stored data stops the work; the message says what and what to do."


class BrokenTrail(StoreError):
    "The audit trail does not hold: no change is recorded in it; the message says what to do."


class Busy(StoreError):
    "Another process is writing; the message says which."


class InvalidAct(StoreError):
    "What was handed in is no act that the writer could take in; the message says why."


class NotWritten(OSError):
    """Rows of a logger could not be written. They are kept in memory, with the row of the call that
    raises this, and are tried again: log none of them a second time."""


class BufferFull(OSError):
    """A logger holds as many rows as it may, since none could be written: the row of this call is
    not kept."""


def raise_if_interrupted(problem: Exception) -> None:
    """KeyboardInterrupt for a query that ended because somebody interrupted this process.

    DuckDB makes another error of what a signal raises: whoever goes on after any error asks first.
    """
    if isinstance(problem, RuntimeError) and str(problem) == "Query interrupted":
        raise KeyboardInterrupt from problem
