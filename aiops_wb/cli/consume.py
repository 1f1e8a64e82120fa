"""Taking events of other systems into the spool, until it is told to stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from ..log.reading import Limits
from ..log.spool_place import hold_spool
from ..streams.consuming import consume
from ..streams.events import Reading
from ..streams.sources import GROUP, source_of
from ..streams.taking import Taking
from .arguments import AsJson, SegmentSeconds, agreeing, all_pairs, as_name, as_pairs
from .call import Call, alone, command
from .lines import counted, line, tell
from .output import print_json

app = alone()


@command(app)
def consume_(
    call: Call,
    address: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS",
            help="file:events.jsonl, redis://host:6379/0?stream=events or "
            "kafka://host:9092?topic=events",
        ),
    ],
    columns: Annotated[
        list[dict] | None,
        typer.Option(
            "--map",
            parser=as_pairs,
            callback=agreeing,
            metavar="OURS=THEIRS,...",
            help="keys of the events, such as score=model.output.p,prediction_id=id; other keys "
            "of a prediction become features; may be repeated",
            show_default=False,
        ),
    ] = None,
    constants: Annotated[
        list[dict] | None,
        typer.Option(
            "--set",
            parser=as_pairs,
            callback=agreeing,
            metavar="COLUMN=VALUE,...",
            help="columns that are the same for all, such as model=fraud,version=v1; may be "
            "repeated",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str,
        typer.Option(parser=as_name, metavar="NAME", help="consumer group, of Redis and Kafka"),
    ] = GROUP,
    once: Annotated[
        bool, typer.Option("--once", help="end when nothing more waits (default: go on)")
    ] = False,
    batch: Annotated[
        int,
        typer.Option(
            min=1,
            max=10_000,
            metavar="N",
            help="events that are made safe and confirmed together, at most",
        ),
    ] = 500,
    segment_seconds: SegmentSeconds = 60.0,
    as_json: AsJson = False,
):
    settings = call.settings
    reading = Reading(all_pairs(columns), all_pairs(constants), Limits.of(settings))
    spool = settings.spool_of(settings.data)
    hold_spool(settings.data, spool, settings.group)
    taking = Taking(spool, reading, segment_seconds=segment_seconds)
    progress = (lambda text: None) if call.quiet else tell
    with closing(source_of(address, settings.data, group, settings.group)) as source:
        with _until_signalled() as stop:
            if not once and not as_json:
                call.say(f"taking events of {source} (Ctrl-C ends it)")
            done = consume(
                source, taking, stop, batch=batch, once=once, tell=tell, progress=progress
            )
    _show(done, as_json)
    return 0 if done.whole and (done.counted.taken or not (once and done.counted.refused)) else 1


def _show(done, as_json):
    told = done.counted
    if as_json:
        print_json(
            {
                "predictions": told.predictions,
                "outcomes": told.outcomes,
                "refused": told.refused,
                "whole": done.whole,
            }
        )
    else:
        line(
            f"{counted(told.predictions, 'prediction')} and {counted(told.outcomes, 'outcome')} "
            f"taken, {counted(told.refused, 'event')} refused"
        )
        if told.refused:
            line("what was refused goes to quarantine with the next ingest, each with its reason")
    if not done.whole:
        tell(f"not all is written, and the source will bring it again: {done.problem}")


@contextmanager
def _until_signalled() -> Iterator[threading.Event]:
    "Meanwhile the first signal says that it is enough, where this is the main thread."
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    ours = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in ours}

    def enough(number, frame):
        stop.set()
        for each, handler in before.items():  # a second one is not waited for
            signal.signal(each, handler)

    for number in ours:
        signal.signal(number, enough)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
