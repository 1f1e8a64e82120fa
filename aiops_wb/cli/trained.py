"""Retraining policies lived over past days (extra ml): `replay` with tables [retraining]."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

from ..log.errors import StoreError
from ..replay.retrained import Retrained, relive_trainings
from ..watch.policy import Policy
from .call import Call
from .lines import line
from .meter import progress
from .output import peak_memory, print_json, show

__all__ = ["live_trainings"]


def live_trainings(
    call: Call,
    named: tuple[str, date, date],
    policies: Sequence[Policy],
    as_of: datetime | None,
    report: Path | None,
    as_json: bool,
) -> None:
    "Live trainings of a model (with its first and last day) again, and tell what came of them."
    if not as_json:
        call.say("each training holds its rows in memory, scoring those of a week")
    shown = progress(call, "step", in_log=not as_json)
    bar = lambda steps: shown(steps, "training and scoring")
    with call.reading() as log:
        of = relive_trainings(log, *named, policies, call.settings, as_of=as_of, shown=bar)
    page = None if report is None else _written(report, of, call.now())
    if as_json:
        print_json(of.as_json())
        return
    show(list(of.rows()), lambda row: "  ".join(f"{k} {_short(v)}" for k, v in row.items()))
    line(of.answer.says)
    for note in of.notes:
        line(f"note: {note}.")
    call.say(f"{peak_memory()} of memory at most")
    if page is not None:
        line(f"page: {page}")


def _short(value):
    return "-" if value is None else f"{value:.3g}" if isinstance(value, float) else value


def _written(folder: Path, of: Retrained, now: datetime) -> Path:
    from ..replay.retrained_page import write_retrained

    try:
        return write_retrained(folder, of, now)
    except OSError as error:
        raise StoreError(f"the page cannot be written to {folder}: {error.strerror}.") from None
