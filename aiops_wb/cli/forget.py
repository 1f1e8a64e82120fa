"""Somebody is removed: an entity or a prediction, from the log and from every file beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ..log.anchor_command import anchor_trail
from ..log.forgetting import Removal, Removed, find, is_begun, require_free_of
from ..log.forgetting import forget as take_out
from ..log.forgotten import Forgotten
from ..log.ingest import ingest
from ..log.named_files import Places
from ..log.outbox import Outbox
from ..log.reading import Limits, ReadOptions
from ..log.store import Store
from ..render.cases import write_cases
from ..render.pages import CASES, write_pages
from ..streams.outgoing import event_files
from .arguments import AsJson, Why, as_name
from .call import Call, alone, command
from .lines import line, lines, printable
from .meter import progress
from .output import print_json

__all__ = ["DryRun", "app", "held", "removed", "tell"]

app = alone()
LISTED = 20
EVER = datetime(1970, 1, 1, tzinfo=UTC)
ELSEWHERE = (
    "not reached: backups and copies of the data folder, what analysts and exports took with them, "
    "a snapshot that somebody holds open until they close it, and models that learned from the rows"
)

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="list what would be removed; nothing is changed")
]


@command(app)
def forget(
    call: Call,
    entity: Annotated[
        str | None,
        typer.Option(metavar="ID", help="the entity: a person, an account", show_default=False),
    ] = None,
    prediction: Annotated[
        str | None,
        typer.Option(metavar="ID", help="a single prediction, by its id", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(parser=as_name, metavar="MODEL", help="only its rows", show_default=False),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(
            parser=as_name,
            metavar="TENANT",
            help="only its rows, where ids of tenants overlap; texts and pages that name the id go "
            "all the same",
            show_default=False,
        ),
    ] = None,
    also_future: Annotated[
        bool,
        typer.Option(
            "--also-future",
            help="drop what is predicted of the entity from now on, too; else that is new, with "
            "grounds of its own",
        ),
    ] = False,
    why: Why = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
):
    name = entity if prediction is None else prediction
    if not name or not name.strip() or (entity is not None and prediction is not None):
        raise typer.BadParameter("name one: --entity ID or --prediction ID.")
    if not name.isprintable() and any("\ud800" <= one <= "\udfff" for one in name):
        raise typer.BadParameter("an id is UTF-8.")
    if also_future and entity is None:
        raise typer.BadParameter("--also-future is about an entity.")
    now = call.now()
    kind, until = ("prediction", None) if entity is None else ("entity", now)
    one = Forgotten(kind, name, tenant, model, None if also_future else until)
    if not dry_run:
        require_free_of([name], why or "")
    with held(call) as log:
        found = find(log, one, places(call), progress(call, "file", in_log=False))
        before = log.knows_as_forgotten(one._replace(until=None if also_future else EVER))
        if dry_run or (before and not found and not is_begun(log.root)):
            tell(found, None, dry_run, as_json)
            return
        log.add_forgotten(now, [one])
        options = ReadOptions(limits=Limits.of(call.settings), risk_cuts=call.settings.risk_cuts)
        taken = ingest(log, now, call.who, options=options)
        done = removed(call, log, one, now, why or "")
        _make_pages_again(call, done)
        tell(found, done, False, as_json)
        if taken.loaded or taken.forgotten or taken.quarantined:
            lines(taken) if not as_json else None


def _make_pages_again(call, done):
    "Pages of days, and the front page, without what was removed."
    if done.pages:
        below = (Path(page).relative_to(call.settings.reports) for page in done.pages)
        write_pages(call.settings.reports, {path.parts[0] for path in below})


def places(call: Call) -> Places:
    "What lies beside the catalog of a call."
    settings = call.settings
    told = settings.case_file, event_files(settings.events_to)
    return Places(settings.spool_of(settings.data), settings.reports, *told)


@contextmanager
def held(call: Call) -> Iterator[Store]:
    "The log to be written, while nobody hands cases on; published however the work ends."
    with Outbox(call.settings.data).held(), call.opened() as log:
        yield log


def removed(call: Call, log: Store, one: Forgotten, now: datetime, why: str) -> Removed:
    "Find it once more, after what was handed in is taken in, and take it out."
    shown, reports = progress(call, "file", in_log=False), call.settings.reports
    outbox = Outbox(call.settings.data)
    log.add_deliveries(outbox.attempts())  # what left is told of
    outbox.clear()
    with_cases = (reports / CASES).exists()  # a page of many, which goes where it names one
    done = take_out(log, now, call.who, find(log, one, places(call), shown), why, shown)
    anchor_trail(log, call.settings, now)
    if with_cases:
        with call.reading() as known:
            write_cases(reports, known, call.settings)
    return done


def tell(found: Removal, done: Removed | None, dry_run: bool, as_json: bool) -> None:
    "Say what was removed, or would be, and what is left for the owner."
    if as_json:
        print_json(_document(found, done, dry_run))
        return
    if done is None and not dry_run:
        line("it was forgotten before, and nothing of it is here: nothing was written")
        return
    if done is None:
        told = [f"{n:,} {kind}" for kind, n in found.numbers.items() if n]
        line(f"would be removed: {', '.join(told)}" if told else "nothing of it was found")
        kept, pages, left = found.outside.kept, found.outside.pages, None
    else:
        line(done)
        kept, pages, left = done.kept, done.pages, done.left
    _list("page", pages)
    _list("still there", kept)
    if left is None:
        return
    sent = (
        f"case {one['case_id']} to the {one['sink']} on {one['attempted_at']:%Y-%m-%d %H:%M}Z"
        for one in left.deliveries
    )
    _list("left the house", list(sent))
    if left.trail:
        rows = ", ".join(map(str, left.trail[:LISTED]))
        line(
            f"the audit trail names it in {len(left.trail):,} rows ({rows}), written by people or "
            "by an earlier version: they cannot be changed without breaking its chain"
        )
    line(ELSEWHERE)


def _list(what, told):
    for one in told[:LISTED]:
        line(printable(f"{what}: {one}"))
    if len(told) > LISTED:
        line(f"{what}: and {len(told) - LISTED:,} more")


def _document(found, done, dry_run):
    outside = done or found.outside
    left = done.left if done else None
    return {
        "dry_run": dry_run,
        "forgotten_before": done is None and not dry_run,
        "removed": done.numbers if done else found.numbers if dry_run else {},
        "pages": list(outside.pages),
        "still_there": list(outside.kept),
        "left_the_house": left.deliveries if left else [],
        "audit_rows": left.trail if left else [],
        "not_reached": ELSEWHERE,
    }
