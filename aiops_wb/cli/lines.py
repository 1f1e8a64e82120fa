"""Lines of output: to any terminal, into a pipe that somebody closes, onto a disk that is full.

No message stops the work that it tells of: what cannot be printed is lost, and said at the end.
"""

import io
import os
import sys

__all__ = [
    "counted",
    "drawn",
    "finish",
    "line",
    "lines",
    "printable",
    "speak_any_terminal",
    "tell",
]


def speak_any_terminal() -> None:
    """Let every text be printed: characters that a terminal's encoding lacks are written as
    escapes, and what was closed by whoever called leads nowhere."""
    _open_closed()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _open_closed():
    "Lead closed standard descriptors to the null device, or the catalog would get one of them."
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            os.set_inheritable(descriptor, True)


class _Lost(io.TextIOBase):
    "Stands in for a stream once something could not be written; `reason` says why."

    def __init__(self, reason: str | None):
        self.reason = reason

    def write(self, text: str) -> int:
        "Lose a text."
        return len(text)


def line(text: object = "") -> None:
    """Print one line, whatever names stand in it; what cannot be printed is lost, the work goes
    on."""
    drawn(printable(str(text)))


def lines(text: object) -> None:
    "Print lines that the workbench itself made: no name in them may bring a line of its own."
    for one in str(text).split("\n"):
        line(one)


def drawn(text: str) -> None:
    "Print what steers the terminal on purpose, and holds no name that is not `printable`."
    try:
        print(text, flush=sys.stdout.isatty())
    except OSError as error:
        _lose("stdout", error)
    except UnicodeEncodeError:  # a stream of somebody else's, which could not be told to escape
        print(text.encode("ascii", "backslashreplace").decode())


def finish() -> str | None:
    """Write out what is still held back; why not all was written, None when it was.

    That nobody reads a pipe to its end is no reason.
    """
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except OSError as error:
            _lose(name, error)
    return getattr(sys.stdout, "reason", None)


def _lose(name, error):
    # Python would complain once more when it flushes at its end, so what cannot be written to is
    # replaced
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, getattr(sys, name).fileno())
    os.close(nowhere)
    setattr(sys, name, _Lost(None if isinstance(error, BrokenPipeError) else error.strerror))


def tell(message: str) -> None:
    "One line on standard error, lost where it cannot be written."
    try:
        print(f"aiops-wb: {printable(message)}", file=sys.stderr, flush=True)
    except OSError as error:
        _lose("stderr", error)


def counted(n: int, one: str, many: str = "") -> str:
    "So many of something: '1 day', '2 days', '3 entries' (`many`, where it is not `one` and an s)."
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def printable(text: str) -> str:
    "Text from a log as one line without what steers a terminal, or turns the order of writing."
    return "".join(c if c.isprintable() else " " for c in text)
