"""The morning: one day, or every day that is due."""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from time import monotonic, sleep
from typing import Annotated

import typer

from ..daily import Ran, run, tell, tell_of_no_morning
from ..log.errors import Busy
from .arguments import AsOf, Models, Reports, as_date
from .call import Call, alone, command
from .lines import counted, line
from .meter import Bar

app = alone()


@command(app)
def daily(
    call: Call,
    date_: Annotated[
        date | None,
        typer.Option(
            "--date",
            parser=as_date,
            metavar="DAY",
            help="the day (default: every day that is due, up to yesterday)",
        ),
    ] = None,
    models: Models = None,
    as_of: AsOf = None,
    reports: Reports = "last",
    wait: Annotated[
        int,
        typer.Option(
            min=0,
            max=1440,
            metavar="MINUTES",
            help="wait so long for another writer or another run, in the place of giving up",
        ),
    ] = 0,
):
    return run_days(call, [date_] if date_ else None, models, as_of, reports, wait)


_LONGEST = 60
"Seconds between two tries, at most."


def _when_free(call: Call, work: Callable[[], Ran], minutes: float) -> Ran:
    "What comes of some work, begun again for so long while another process is in its way."
    until, pause = monotonic() + 60 * minutes, 1.0
    while True:
        try:
            return work()
        except Busy as error:
            if monotonic() + pause > until:
                raise
            call.say(f"{str(error).partition(':')[0]}: waiting, for {minutes:g} minutes at most")
        sleep(pause)
        pause = min(2 * pause, _LONGEST)


def run_days(
    call: Call,
    days: Sequence[date] | None,
    models: Sequence[str] | None,
    as_of: datetime | None,
    reports: str,
    wait: float = 0,
) -> int:
    "Run days, all that are due when they are None, and say what came of it; the exit code."
    settings, bar = call.settings, Bar(call, "reports")

    def work():
        "The clock is read when it begins: what another run took in meanwhile is no future."
        return run(
            settings.data,
            settings.reports,
            call.now(),
            settings,
            days=days,
            models=models or (),
            as_of=as_of,
            show=reports,
            who=call.who,
            say=call.say,
            on_done=bar.done,
            expect=bar.expect,
        )

    whole = days is None and as_of is None and not models  # a part, or looking back, is no news
    try:
        ran = _when_free(call, work, wait)
    except Busy:  # the other one tells
        raise
    except Exception:
        if whole:
            tell_of_no_morning(settings.data, settings.reports, call.now(), settings, call.say)
        raise
    if whole:
        ran = tell(ran, settings.data, settings.reports, call.now(), settings, call.say)
    failed = ran.states.count("failed")
    line(
        f"{len(ran.figures)} days and models, {counted(len(ran.reports), 'report')}, "
        f"{failed} failed; open {settings.reports / 'index.html'}"
    )
    return ran.exit_code or (0 if ran.good else 1)
