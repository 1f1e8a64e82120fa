"""How the work of a command ends: its exit code, and what stopped it in one sentence."""

import logging
import sys
from collections.abc import Callable
from contextlib import contextmanager

import duckdb
import typer

from ..config import SettingsError
from ..log.errors import StoreError
from .later import needs
from .limits import limit_met
from .lines import printable, tell
from .signals import interrupting, told

__all__ = ["ended"]


def ended(work: Callable[[], int | None], verbose: int = 0, quiet: bool = False) -> int:
    "The exit code of some work; what stops it is told in one sentence."
    with interrupting() as received:
        code, message = _worked(work, verbose, quiet)
    code, message = received.instead_of(code, message)
    if message:
        tell(message)
    return code


def _worked(work, verbose, quiet) -> tuple[int, str | None]:
    "The exit code, and what stopped the work."
    with _logging(verbose, quiet) as log:
        try:
            return work() or 0, None
        except typer.TyperException:  # wrong usage that only the command can see
            raise
        except KeyboardInterrupt:
            return 130, told()
        except Exception as error:
            message = limit_met(error) or _sentence(error)
            if message is None:
                log.debug("where it happened", exc_info=True)
                message = (
                    f"this should not happen ({type(error).__name__}: "
                    f"{' '.join(str(error).split())}): -vv shows where."
                )
    return 1, message


class _Printable(logging.Formatter):
    "What is logged, as one line; where it happened, as many as that takes."

    def formatMessage(self, record):
        "The line."
        return printable(super().formatMessage(record))

    def formatException(self, ei):
        "The traceback."
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def _sentence(error) -> str | None:
    "What was wrong, where that can happen to anybody; None where it should not."
    match error:
        case StoreError() | SettingsError():
            return str(error)
        case ModuleNotFoundError():
            return needs(error)
        case duckdb.Error():
            return f"the database says: {str(error).splitlines()[0]}"
        case OSError():
            return f"{error.filename or 'the disk'}: {error.strerror or error}."
        case UnicodeEncodeError():
            return f"{error.object!a} is not valid text, which is UTF-8."
    return None


@contextmanager
def _logging(verbose, quiet):
    "What the package logs goes to standard error while a command runs."
    log, handler = logging.getLogger("aiops_wb"), logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Printable("aiops-wb: %(levelname)s: %(message)s"))
    before = log.level
    levels = (logging.WARNING, logging.INFO, logging.DEBUG)
    log.setLevel(logging.ERROR if quiet else levels[min(verbose, 2)])
    log.addHandler(handler)
    try:
        yield log
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
