"""What goes wrong with stored data, in sentences."""

__all__ = ["StoreError", "Busy", "raise_if_interrupted"]


class StoreError(RuntimeError):
    "Something about the stored data stops the work; the message says what and what to do."


class Busy(StoreError):
    "Another process is writing; the message says which."


def raise_if_interrupted(problem: Exception) -> None:
    """KeyboardInterrupt for a query that ended because somebody interrupted this process.

    DuckDB makes another error of what a signal raises: whoever goes on after any error asks first.
    """
    if isinstance(problem, RuntimeError) and str(problem) == "Query interrupted":
        raise KeyboardInterrupt from problem
