"""What goes wrong with stored data, in sentences."""

__all__ = ["StoreError", "Busy"]


class StoreError(RuntimeError):
    "Something about the stored data stops the work; the message says what and what to do."


class Busy(StoreError):
    "Another process is writing; the message says which."
