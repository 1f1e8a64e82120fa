"""A scoring service, until it is told to stop (extras api and ml)."""

import logging
from importlib.util import find_spec
from typing import Annotated

import typer

from ..api.desk import Desk, Snapshots
from ..api.server import address_of, listening, require_token_elsewhere
from ..service.workers import Workers
from .arguments import SegmentSeconds, as_name
from .call import Call, alone, command
from .lines import counted

app = alone()


@command(app)
def score_service(
    call: Call,
    model: Annotated[
        str, typer.Argument(parser=as_name, metavar="MODEL", help="whose events are decided")
    ],
    host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="address to listen at; one that other machines reach needs a token "
            "('aiops-wb tokens make --role decide')",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="port; 0 takes a free one")
    ] = 8766,
    workers: Annotated[
        int,
        typer.Option(min=1, max=256, metavar="N", help="processes; one that dies is started again"),
    ] = 1,
    most_waiting: Annotated[
        int,
        typer.Option(
            min=1,
            max=100_000,
            metavar="N",
            help="events of one process that may wait at a time; more are told to come again (429)",
        ),
    ] = 128,
    flush_seconds: Annotated[
        float,
        typer.Option(
            min=0.01,
            max=3600,
            metavar="SECONDS",
            help="how long an event may be in memory alone: what a kill -9 may lose",
        ),
    ] = 1.0,
    segment_seconds: SegmentSeconds = 60.0,
):
    if find_spec("xgboost") is None:  # the processes need it, and this one does not load it
        said = "xgboost is not installed: a scoring service needs pip install 'aiops_wb[api,ml]'."
        raise ModuleNotFoundError(said, name="xgboost")
    settings = call.settings
    desk = Desk(settings.data, settings, call.now, call.who, host, Snapshots(settings.data))
    require_token_elsewhere(desk)
    told = {
        "data": str(settings.data),
        "config": None if call.config is None else str(call.config),
        "model": model,
        "who": call.who,
        "host": host,
        "most_waiting": most_waiting,
        "flush_seconds": flush_seconds,
        "segment_seconds": segment_seconds,
    }
    level = logging.getLogger("aiops_wb").getEffectiveLevel()
    with listening(host, port) as at:
        house = Workers(at, workers, told, level)
        house.start()
        number = counted(workers, "process", "processes") if workers > 1 else "one process"
        call.say(f"scoring {model} at {address_of(at)}, {number} (Ctrl-C ends it)")
        return house.run()
