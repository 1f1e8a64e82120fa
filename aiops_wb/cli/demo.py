"""A demonstration: a log replayed with its models."""

from datetime import date
from shlex import quote
from typing import Annotated, Literal

import typer

from ..examples.demo import demo
from ..examples.stories import STORIES
from .arguments import as_date
from .call import Call, alone, command
from .lines import counted, line
from .meter import Bar, progress

app = alone()
UNTIL = [f"{name} {story.until}" for name, story in STORIES.items()]
"The last day of each story, unless another is asked for."


@command(app)
def demo_(
    call: Call,
    case: Annotated[
        Literal["flights", "attendance"],
        typer.Option(
            help="real flights with two models, or simulated attendance of guards with known truth"
        ),
    ] = "flights",
    until: Annotated[
        date | None,
        typer.Option(
            parser=as_date,
            metavar="DAY",
            help=f"last replayed day (default: {', '.join(UNTIL)})",
        ),
    ] = None,
    report_days: Annotated[int, typer.Option(help="make reports of this many last days")] = 7,
):
    settings, bar = call.settings, Bar(call, "reports")
    jobs = demo(
        settings.data,
        settings.reports,
        settings,
        story=STORIES[case],
        until=until,
        report_days=report_days,
        say=call.say,
        progress=progress(call),
        on_done=bar.done,
        expect=bar.expect,
    )
    failed = [job for job in jobs if job.state == "failed"]
    line(f"{counted(len(jobs), 'report')}, {len(failed)} failed.")
    line(f"Open {(settings.reports / 'index.html').resolve()}")
    line(f"Ask the log: aiops-wb sql 'SHOW TABLES' --data {quote(str(settings.data.absolute()))}")
    return 0 if not failed else 4 if len(failed) == len(jobs) else 3
