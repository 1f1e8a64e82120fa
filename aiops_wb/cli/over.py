"""Many events at once, for `score` and `explain`: which ones, by whom, and where what comes of it
goes (extra ml; pyarrow, which the extra spark brings)."""

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from ..log.catalog import Reader
from ..log.engines import open_engine
from ..log.errors import StoreError
from .arguments import as_date, as_name
from .call import Call
from .lines import counted, line, printable
from .meter import meter

__all__ = ["By", "Files", "From", "Into", "Over", "Scorer", "To", "over"]

From = Annotated[
    date | None,
    typer.Option(
        "--from",
        parser=as_date,
        metavar="DAY",
        help="of the log's events: first day",
        show_default=False,
    ),
]
To = Annotated[
    date | None,
    typer.Option("--to", parser=as_date, metavar="DAY", help="and last day", show_default=False),
]
Files = Annotated[
    list[str] | None,
    typer.Option(
        "--file",
        metavar="PATH",
        help="instead, rows of a Parquet file or a folder of them; may be repeated",
        show_default=False,
    ),
]
Into = Annotated[
    str | None,
    typer.Option(
        "--into",
        metavar="FOLDER",
        help="a new folder of Parquet, a folder a day",
        show_default=False,
    ),
]
Scorer = Annotated[
    str | None,
    typer.Option(
        "--version",
        parser=as_name,
        metavar="VERSION",
        help="by this version (default: the active one)",
        show_default=False,
    ),
]
By = Annotated[
    Literal["duckdb", "spark"],
    typer.Option("--engine", help="duckdb: in this process; spark: by the server at spark_url"),
]


class Over(NamedTuple):
    "Which events, where to, and by whom."

    start: date | None
    end: date | None
    files: list[str] | None
    into: str | None
    engine: str

    def check(self) -> None:
        "Wrong usage where it is not told which events, or not where to."
        if self.files and (self.start or self.end):
            raise typer.BadParameter("it goes with no --from and no --to.", param_hint="'--file'")
        if not self.files and not (self.start and self.end):
            raise typer.BadParameter("both are needed, or --file.", param_hint="'--from' / '--to'")
        if self.start and self.end < self.start:
            raise StoreError(f"--to {self.end} lies before --from {self.start}.")
        if not self.into:
            raise typer.BadParameter("it is needed: a new folder.", param_hint="'--into'")
        if self.engine == "duckdb" and "://" in self.into:
            raise StoreError(
                f"{self.into} is no folder of this machine: --engine spark writes there."
            )


def over(call: Call, what: str, asked: Over, model: str, version: str | None) -> None:
    "Score (`logged`) or explain (`pushes`) events, and say what came of it."
    asked.check()
    from ..models.scored_files import of_files, of_log
    from ..models.scorer import Scorer

    with call.reading() as log:
        cuts = call.settings.risk_cuts
        scorer = Scorer.in_force(log, log.require_model(model), cuts=cuts, version=version)
        if asked.files:
            files = list(map(_whole, asked.files))
            rows = of_files(scorer, files, call.now(), log.timezone)
        else:
            rows = of_log(log, scorer, asked.start, asked.end, call.now())
        _require_outside(log, asked.into)
        n = _written(call, log, rows, what, asked)
    done = "scored" if what == "logged" else "explained"
    named = f"{scorer.version.model} {scorer.version.version}"
    line(printable(f"{counted(n, 'event')} {done} by {named} into {asked.into}"))


def _require_outside(log, into):
    "StoreError for a folder where the log keeps its own."
    place, root = Path(into).resolve(), log.root.resolve()
    if "://" not in into and place.is_relative_to(root) and place.parent != root / "landing":
        raise StoreError(
            f"{into} lies in the data folder: name a folder elsewhere, or landing/NAME in it for "
            "'aiops-wb register-files'."
        )


def _whole(path: str) -> str:
    "A path as another process understands it; an address as it is."
    return path if "://" in path else str(Path(path).absolute())


def _written(call: Call, log: Reader, rows, what, asked) -> int:
    "How many rows an engine made."
    if asked.engine == "duckdb":
        from ..models.scored_files import write_here

        with meter(call, "events", rows.rows, "event", leave=False) as done:
            return write_here(log, rows, what, Path(asked.into), done)
    settings = call.settings
    url = settings.spark_url and settings.spark_url.get_secret_value()
    with open_engine("spark", log.root, log.timezone, url, settings.spark_data) as engine:
        from ..models.spark_scoring import write_by_spark

        place = Path(asked.into).absolute()
        if "://" not in asked.into and place.is_relative_to(log.root.absolute()):
            seen = engine.seen(place.relative_to(log.root.absolute()).as_posix())
            return write_by_spark(engine, rows, what, seen)
        return write_by_spark(engine, rows, what, _whole(asked.into))
