"""What goes wrong with stored data, in sentences."""

__all__ = ["StoreError", "Busy", "NotWritten", "BufferFull"]


class StoreError(RuntimeError):
    "Something about the stored data stops the work; the message says what and what to do."


class Busy(StoreError):
    "Another process is writing; the message says which."


class NotWritten(OSError):
    """Rows of a logger could not be written. They are kept in memory, with the row of the call that
    raises this, and are tried again: log none of them a second time."""


class BufferFull(OSError):
    """A logger holds as many rows as it may, since none could be written: the row of this call is
    not kept."""
