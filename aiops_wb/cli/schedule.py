"""The morning by itself: a timer of systemd, or a line for cron; shown before it is written."""

import os
import sys
from datetime import time
from typing import Annotated, Literal

import typer

from ..config import settings_file, sources
from ..log.catalog import open_snapshot
from ..log.errors import StoreError
from ..log.installed import Machine, install, planned, remove, require_possible, standing
from ..log.schedule import Plan, plan_of
from .arguments import AsJson
from .call import Call, command, group
from .lines import line, lines
from .output import print_json

app = group()


def as_time(text: str | time) -> time:
    "A time of day; ValueError when the text is none."
    try:
        hours, minutes = map(int, str(text).split(":")[:2])
        return time(hours, minutes)
    except ValueError:
        raise ValueError(f"{text!r} is not a time of day such as 05:30") from None


At = Annotated[
    time,
    typer.Option(
        "--time", parser=as_time, metavar="HH:MM", help="when, in the zone of the workbench's days"
    ),
]
OfSystem = Annotated[
    bool | None,
    typer.Option(
        "--system/--user",
        help="a timer of the machine, or of this user (default: of the machine for root)",
        show_default=False,
    ),
]
Cron = Annotated[bool, typer.Option("--cron", help="a line for cron in the place of a timer")]
Pages = Annotated[
    Literal["all", "last", "none"],
    typer.Option(
        "--reports",
        help="write reports of every day that is due, missed ones too, of the last one, or none",
    ),
]
USUAL = time(5, 30)


@command(app, "show")
def show_schedule(
    call: Call,
    at: At = USUAL,
    of_system: OfSystem = None,
    cron: Cron = False,
    reports: Pages = "all",
    as_json: AsJson = False,
):
    "Show what would be installed, and what is; nothing is written."
    plan = _plan(call, at, of_system, cron, reports)
    machine, now = Machine(), call.now()
    would, stands = planned(plan, machine, now), standing(plan, machine)
    if as_json:
        rows = [
            {"kind": one.kind, "enabled": one.enabled, "next_run": one.next_run(now)}
            | {"files": dict(one.texts)}
            for one in stands
        ]
        print_json({"would_write": would, "installed": rows})
        return
    _show(would)
    _tell_standing(stands, now)


def _plan(call, at, of_system, cron, reports) -> Plan:
    "What is to be installed, by what was asked for."
    if cron and of_system is not None:
        raise typer.BadParameter("--cron is neither --system nor --user.")
    settings = call.settings
    of_system = os.geteuid() == 0 if of_system is None else of_system
    kind = "cron" if cron else "system" if of_system else "user"
    file = settings_file(call.config, settings.data)
    return plan_of(settings, kind, at, _zone(settings), file, reports)


def _zone(settings):
    "The zone of the log's days, which is fixed when it is made."
    if not (settings.data / "aiops.duckdb").exists():
        return settings.timezone
    with open_snapshot(settings.data) as log:
        return log.timezone


def _show(texts):
    for place, text in texts.items():
        line(f"--- {place}")
        lines(text.rstrip("\n"))


def _tell_standing(stands, now):
    for one in stands:
        at = one.next_run(now)
        runs = f"runs next on {at:%Y-%m-%d %H:%M} ({at.tzname()})" if at else "is switched off"
        line(f"installed: {', '.join(one.texts)}; it {runs}")
    if not stands:
        line("nothing is installed for this data folder")


@command(app, "install")
def install_schedule(
    call: Call,
    at: At = USUAL,
    of_system: OfSystem = None,
    cron: Cron = False,
    reports: Pages = "all",
    take_out: Annotated[
        bool, typer.Option("--remove", help="take out what is installed, of every kind")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
):
    "Install it, or another one in its place, or take it out; what is written is shown before."
    plan = _plan(call, at, of_system, cron, reports)
    machine, now = Machine(), call.now()
    stands = standing(plan, machine)
    if take_out:
        return _take_out(plan, stands, machine, yes)
    require_possible(plan.kind, machine)
    would = planned(plan, machine, now)
    _show(would)
    _warn(call, plan, stands, machine)
    if any(one.kind == plan.kind and one.enabled and one.texts == would for one in stands):
        line("it is so already: nothing was written")
        return 0
    _agreed(yes)
    install(plan, machine, now)
    _tell_standing(standing(plan, machine), now)
    return 0


def _take_out(plan, stands, machine, yes):
    for one in stands:
        _show(one.texts)
    if not stands:
        line("nothing is installed for this data folder: nothing was written")
        return 0
    _agreed(yes)
    for one in stands:
        remove(plan, one, machine)
        line(f"taken out: {', '.join(one.texts)}")
    return 0


def _agreed(yes):
    "StoreError where nobody agrees to what was shown."
    if yes or (sys.stdin.isatty() and typer.confirm("Do that?")):
        return
    raise StoreError("nothing was written: --yes agrees to what is shown.")


def _warn(call, plan, stands, machine):
    "Say what a person may not expect of a schedule."
    told = [s for s in sources(**call.chosen) if s.source.startswith("variable ")]
    named = ", ".join(s.source.removeprefix("variable ") for s in told if s.name not in _NAMED)
    if named:
        line(f"note: {named} of this shell is not set when it runs: write it into aiops.toml")
    if plan.kind == "user" and not (machine.lingering / plan.owner).exists():
        line(f"note: it runs while {plan.owner} is logged in; 'loginctl enable-linger' lets it run")
    for one in stands:
        if one.kind != plan.kind:
            line(f"note: {', '.join(one.texts)} stays as well; --remove takes out all")


_NAMED = ("data", "reports")
