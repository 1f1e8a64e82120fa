"""Day files of a job of one's own, such as one of Spark, as files of the log."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..log.engines import open_engine
from ..log.errors import StoreError
from ..log.landing import LANDING, Delivery, deliveries
from ..log.registering import Registered, register, registered_before
from ..log.sealed import record_what_stands
from ..log.store import Store
from .arguments import AsJson
from .call import Call, alone, command
from .lines import line, printable
from .output import print_json

app = alone()


@command(app)
def register_files(
    call: Call,
    delivery: Annotated[
        str | None,
        typer.Argument(
            help=f"a folder of Parquet files directly in {LANDING}/ of the data folder (default: "
            "each that waits there)",
        ),
    ] = None,
    engine: Annotated[
        Literal["duckdb", "spark"] | None,
        typer.Option(
            "--engine",
            help="who reads, writes and counts the rows (default: count_engine of the settings)",
        ),
    ] = None,
    new: Annotated[
        bool,
        typer.Option("--new", help="take versions, too, that nobody logged or registered before"),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="look at everything; nothing is changed")
    ] = False,
    as_json: AsJson = False,
):
    settings, name = call.settings, engine or call.settings.count_engine
    url = settings.spark_url and settings.spark_url.get_secret_value()
    done: list[Registered] = []
    refused: dict[str, str] = {}
    with call.writing() as log:
        for one in _waiting(log, delivery, done):
            told = {"new": new, "cuts": settings.risk_cuts, "dry_run": dry_run}
            try:
                with open_engine(name, log.root, log.timezone, url, settings.spark_data) as by:
                    done.append(register(log, by, call.now(), call.who, one, **told))
            except StoreError as error:
                if delivery is not None:
                    raise
                refused[one.name] = str(error)
        if not dry_run:
            record_what_stands(log, call.now(), call.who)
    if as_json:
        print_json(
            {
                "engine": name,
                "dry_run": dry_run,
                "deliveries": list(map(asdict, done)),
                "refused": refused,
            }
        )
        return 1 if refused else 0
    for one in done:
        line(printable(str(one)))
        for note in one.notes:
            line(printable(f"note: {note}"))
    for what, why in refused.items():
        line(printable(f"{what} was refused: {why}"))
    if not done and not refused:
        line(f"nothing waits in {printable(str(settings.data / LANDING))}")
    return 1 if refused else 0


def _waiting(log: Store, delivery: str | None, done: list[Registered]) -> list[Delivery]:
    "What is to be registered; a delivery that was before, and is named again, is done."
    try:
        return deliveries(log.root, delivery)
    except StoreError:
        before = registered_before(log, Path(delivery).name) if delivery else None
        if before is None:
            raise
        done.append(before)
        return []
