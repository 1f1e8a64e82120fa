"""The command itself: what there is, and how a call ends.

The groups are named here and loaded when one of them is called: help loads neither pandas nor
DuckDB.
"""

import gc
import os
import sys
from collections.abc import Sequence
from signal import SIGINT
from typing import Annotated

import typer
from typer.main import get_command

from .. import __version__
from .later import loading
from .limits import limit_met, too_low_a_limit
from .lines import finish, line, speak_any_terminal, tell
from .old import translate
from .signals import ending_at_once, told

__all__ = ["COMMANDS", "app", "main"]

COMMANDS = {
    "ingest": ("ingest", "take the spool, or a file of your own, into the log"),
    "register-files": (
        "register_files",
        "make day files that a job of yours wrote, such as one of Spark, files of the log",
    ),
    "consume": ("consume", "take events of a file, of Redis or of Kafka, until it is told to stop"),
    "history": ("history", "bring in the past of a model as it was known"),
    "daily": ("daily", "run one day, or every day that is due, for one model or all"),
    "schedule": ("schedule", "let the morning begin by itself: a timer of systemd, a line of cron"),
    "backfill": ("backfill", "run many days"),
    "replay": ("replay", "live past days again under other policies: tickets, misses, cost"),
    "status": ("status", "what is logged, what is active, what is due"),
    "doctor": (
        "doctor",
        "what is wrong around the workbench, and what to do: rights, room, clock, nights, trail",
    ),
    "config": ("config", "print each setting, its value and where that comes from"),
    "models": ("models", "list, train, adopt and promote versions of a model; go back"),
    "retrain": (
        "retrain",
        "train a challenger for the champion's shadow, where it decides nothing",
    ),
    "features": ("features", "what the features of a model are; say what one is"),
    "labels": ("labels", "how labels arrive; say which share never does"),
    "calibrations": ("calibrations", "list calibrations of a version, or make one by hand"),
    "ab": ("ab", "let two versions or thresholds decide side by side, and compare them any day"),
    "anomalies": ("anomalies", "which hours of which sites were not as usual, worst first"),
    "promises": ("promises", "what was promised, and what was kept of it"),
    "thresholds": ("thresholds", "list, choose, try, propose, change or put back thresholds"),
    "reference": ("reference", "which days a version is held against; choose others"),
    "drift": ("drift", "list alarms about drift, acknowledge them, or explain what differs"),
    "why": ("why", "why a figure changed: exact parts with intervals, and a sentence"),
    "score": ("score", "score events anew, of the log or of files, into a folder of day files"),
    "explain": ("explain_event", "why an event was scored as it was, by its id; or many events"),
    "sql": ("sql", "ask the newest snapshot in SQL; it only reads"),
    "cases": ("cases", "open cases from new decisions and hand them on; say whose they are"),
    "messages": ("messages", "what people are told by mail or chat: show it, list it, send a test"),
    "events": ("events", "what other systems are told as it happens: list it, send it now"),
    "acts": ("acts", "changes that were handed in: what waits, and what came of each"),
    "tokens": ("tokens", "who may ask and change what over the network"),
    "sites": ("sites", "who is asked about a case: the table of sites"),
    "calendar": ("calendar", "what is known beforehand about days"),
    "repair": ("repair", "make a log whole: an older catalog, day files that are gone"),
    "backup": ("backup", "copy log, catalog, models, spool and settings as one state, verified"),
    "restore": ("restore", "put a backup where a data folder is to stand, or check one"),
    "verify": ("verify", "is the log what was committed: bytes, rows, counts, trail"),
    "forget": ("forget", "remove an entity or a prediction from everything; counts stay"),
    "retention": ("retention", "remove what is older than some days; counts stay"),
    "compact": ("compact", "make few day files of many small ones; every answer stays"),
    "audit": ("audit", "the audit trail, its chain, and what holds it from outside"),
    "reports": ("reports", "list reports, make one of your own, run one by hand"),
    "serve": ("serve", "pages and a REST API over the log, until it is told to stop"),
    "score-service": (
        "score_service",
        "decide events of a model as they come, and log them, until it is told to stop",
    ),
    "mcp": ("mcp", "answer by the Model Context Protocol: read and propose"),
    "demo": ("demo", "replay a log with its models and make their reports"),
}


app = typer.Typer(
    name="aiops-wb",
    cls=loading(COMMANDS),
    help="A workbench for people who run a binary risk model in production.",
    rich_markup_mode=None,  # rich costs more than all the rest of help
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool):
    if wanted:
        line(f"aiops_wb {__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="print the version and exit"
        ),
    ] = False,
):
    pass


def main(argv: Sequence[str] | None = None) -> int:
    "Run the command; returns the exit code."
    if argv is None:  # called as a command: no module comes from where one stands
        sys.path[:] = [place for place in sys.path if place]
        # XGBoost imports it where it is installed: two thirds of a second that no command needs
        sys.modules.setdefault("sklearn", None)
        # its matrices are small: threads that wait for work cost a command a fifteenth of its time
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with ending_at_once():  # but while a command works, which then ends in order
        return _run(argv)


def _run(argv):
    gc.set_threshold(100_000)  # by default cycles are looked for every 700 objects, 3 % of a replay
    speak_any_terminal()
    arguments, warning = translate(sys.argv[1:] if argv is None else argv)
    if warning:
        tell(warning)
    if told_of := too_low_a_limit():
        tell(told_of)
        return 1
    try:
        code = get_command(app).main(arguments, prog_name="aiops-wb", standalone_mode=False)
    except typer.TyperException as error:  # wrong usage, or a package that is not installed
        code = error.exit_code
        tell(_sentence(error))
    except (typer.Abort, KeyboardInterrupt):  # between the work and its end
        code = 128 + SIGINT
        tell(told(SIGINT))
    except SystemExit as stop:  # of a completion, or of a help text that nobody reads to its end
        code = 0 if isinstance(stop.__context__, BrokenPipeError) else stop.code
    except (OSError, MemoryError) as error:  # while modules are loaded, or of a help text
        code = 1
        lost = f"the output could not be written: {getattr(error, 'strerror', None) or error}."
        tell(limit_met(error) or lost)
    lost = finish()
    if lost:
        tell(f"not all of the output could be written: {lost}.")
    return code or (1 if lost else 0)


def _sentence(error: typer.TyperException) -> str:
    "What was wrong in one line, and where to read more."
    said = " ".join(error.format_message().replace("Value error, ", "").split())
    if error.exit_code != 2:
        return said
    context = getattr(error, "ctx", None)
    place = context.command_path if context else "aiops-wb"
    return f"{said.rstrip('.?')}{'?' if said.endswith('?') else '.'} Try '{place} --help'."
