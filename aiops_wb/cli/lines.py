"""Lines of output, also into a pipe that somebody closes."""

import os
import sys

__all__ = ["counted", "finish", "line", "printable", "speak_any_terminal"]


def speak_any_terminal() -> None:
    "Characters that a terminal's encoding lacks are written as escapes: no message stops the work."
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def line(text: object = "") -> None:
    "Print a line; what is printed after the reader of a pipe has gone is lost, the work goes on."
    if sys.stdout is None:  # closed by whoever called
        return
    try:
        print(text, flush=sys.stdout.isatty())
    except BrokenPipeError:
        _silence()


def finish() -> None:
    "Write out what is still held back, quietly when nobody reads it any more."
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()


def _silence():
    # Python would complain once more when it flushes at its end, so the closed pipe is replaced
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def counted(n: int, one: str, many: str = "") -> str:
    "So many of something: '1 day', '2 days', '3 entries' (`many`, where it is not `one` and an s)."
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def printable(text: str) -> str:
    "Text from a log without what steers a terminal."
    return "".join(c if c.isprintable() else " " for c in text)
