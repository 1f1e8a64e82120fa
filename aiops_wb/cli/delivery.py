"""What a person says of a file that is taken in: options that commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..config import Settings
from ..log.catalog import open_snapshot
from ..log.preview import Preview
from ..log.reading import Limits, ReadOptions
from .arguments import agreeing, as_names, as_pairs
from .lines import counted, line, lines, printable

__all__ = [
    "Columns",
    "Constants",
    "Decimal",
    "DryRun",
    "Encoding",
    "Exclude",
    "Features",
    "NaiveTimezone",
    "ScoreScale",
    "SkipLines",
    "Thousands",
    "Zone",
    "known_outcomes",
    "names_in",
    "read_options",
    "show_preview",
]

Columns = Annotated[
    list[dict] | None,
    typer.Option(
        "--map",
        parser=as_pairs,
        callback=agreeing,
        metavar="OURS=THEIRS,...",
        help="columns of the file, such as score=p_fraud,prediction_id=id; other columns "
        "become features; may be repeated",
        show_default=False,
    ),
]
Constants = Annotated[
    list[dict] | None,
    typer.Option(
        "--set",
        parser=as_pairs,
        callback=agreeing,
        metavar="COLUMN=VALUE,...",
        help="constant columns, such as model=fraud,version=v1,threshold=0.5; may be repeated",
        show_default=False,
    ),
]
Features = Annotated[
    list[tuple] | None,
    typer.Option(
        parser=as_names,
        metavar="COLUMN,...",
        help="only these columns become features (default: all that are nothing else)",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[tuple] | None,
    typer.Option(
        parser=as_names,
        metavar="COLUMN,...",
        help="these columns are not taken",
        show_default=False,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="print what each column of the file would become, and the first rows; write nothing",
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE",
        help="zone whose calendar days are the log's days; fixed when the log is created "
        "(default: UTC)",
    ),
]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="of text that is not UTF-8, such as latin-1")
]
Decimal = Annotated[str, typer.Option(metavar="MARK", help="decimal mark of numbers")]
Thousands = Annotated[str | None, typer.Option(metavar="MARK", help="mark between thousands")]
SkipLines = Annotated[
    int, typer.Option(min=0, metavar="N", help="lines of title above the header of a CSV file")
]
NaiveTimezone = Annotated[
    str | None,
    typer.Option(metavar="ZONE", help="zone of times that are written without an offset"),
]
ScoreScale = Annotated[
    Literal["probability", "percent"], typer.Option(help="what the file's scores are")
]


def names_in(given: list[tuple] | None) -> tuple[str, ...] | None:
    "The names of an option that was given several times; None when it was not given."
    return None if given is None else tuple(name for names in given for name in names)


def read_options(settings: Settings, *told: str | int | None) -> ReadOptions:
    "How a file is spelt (encoding, decimal, thousands, skip_lines, naive_timezone, score_scale)."
    return ReadOptions(*told, Limits.of(settings), settings.null_words, settings.risk_cuts)


def known_outcomes(data: Path) -> dict[str, dict[str, str]]:
    "Columns that are known to be outcomes, where a log is published."
    if not (data / "aiops.duckdb").exists():
        return {}
    with open_snapshot(data) as log:
        return log.outcome_columns()


def show_preview(name: str, seen: Preview) -> None:
    "Print what would become of a file."
    line(f"{printable(name)}: {counted(seen.good, 'row')} would be loaded; nothing is written")
    for name, column in seen.ours.items():
        line(f"  {name:<16} {printable(column)}")
    for name, kind in seen.features.items():
        line(f"  {'feature':<16} {printable(name)} ({kind})")
    for name, why in seen.left_out.items():
        line(f"  {'not taken':<16} {printable(name) or repr('')} ({printable(why)})")
    for note in seen.notes:
        line(f"note: {printable(note)}")
    if seen.waiting:
        line(f"{counted(seen.waiting, 'row')} without a label yet")
    for reason, n in list(seen.reasons.items())[:5]:
        line(f"{counted(n, 'row')} for the quarantine: {printable(reason)}")
    if len(seen.first):
        lines(seen.first.to_string(index=False, na_rep=""))
