"""The page of promises: kept against due, by model and kind."""

from collections.abc import Sequence
from datetime import date, datetime
from math import isnan
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .. import __version__
from ..log.catalog import Reader
from ..stats.promises import KINDS, Kept
from ..watch.promises import Ledger, ledger
from .frame import Link, filled, write_whole
from .pages import PROMISES

__all__ = ["promises_page", "write_promises"]

DOTS = {"kept": "ok", "broken": "look", "unknown": "unknown"}
NEWEST = 20
"Failures of a model that are shown."


class _Kind(NamedTuple):
    "A kind of promise on the page."

    title: str
    state: str
    dot: str
    due: str
    kept: str
    owed: str
    not_judged: str
    weeks: str
    says: str
    picture: str


class _Failure(NamedTuple):
    "A unit that was broken."

    days: str
    kind: str
    of: str
    observed: str
    target: str


class _Model(NamedTuple):
    "A model on the page."

    name: str
    kinds: list[_Kind]
    failures: list[_Failure]
    told: str


def write_promises(reports: Path, reader: Reader) -> None:
    "Write the page of every model, by all that is known, whole or not at all."
    ledgers = [ledger(reader, model) for model in reader.models()]
    page = promises_page(ledgers, reader.last_committed(), reader.timezone)
    write_whole(Path(reports) / PROMISES, page)


def promises_page(ledgers: Sequence[Ledger], as_of: datetime, zone: str) -> str:
    "The page."
    at = as_of.astimezone(ZoneInfo(zone))
    return filled(
        "promises.html",
        "Promises - aiops_wb",
        "",
        known=f"Everything on this page is as known on {at:%Y-%m-%d} at {at:%H:%M} ({zone}).",
        models=[_model(of) for of in ledgers],
        navigation=[Link("All days", "index.html"), Link("Promises")],
        footer=f"aiops_wb {__version__}",
    )


def _model(of: Ledger) -> _Model:
    failures = of.failures
    shown = [_failure(row) for row in failures.head(NEWEST).itertuples()]
    told = "The newest first. Of a mean, such as of tickets, a single day above it breaks nothing."
    if len(failures) > NEWEST:
        told += f" {len(failures) - NEWEST:,} earlier ones: aiops-wb promises --json."
    return _Model(of.model, [_kind(of, name) for name in of.kinds], shown, told)


def _kind(of: Ledger, name: str) -> _Kind:
    one, says = of.kinds[name], of.says(name)
    known = one.due > 0
    return _Kind(
        _title(name),
        one.state if known else "not known yet",
        DOTS[one.state],
        f"{one.due:,}",
        f"{one.kept:,.1f}" if known else "-",
        f"{one.owed:,.1f}" if known else "-",
        f"{one.not_judged:,}",
        f"{one.weeks:,}" if known else "-",
        f"{says[0].upper()}{says[1:]}",
        _picture(one, of.by_week(name)),
    )


def _title(kind):
    title = KINDS[kind].title
    return f"{title[0].upper()}{title[1:]}"


def _failure(row) -> _Failure:
    first, last = row.first.date(), row.last.date()
    of = " ".join(filter(None, (row.version, row.tenant, row.segment)))
    observed = f"{row.bad / row.n:.3g} ({row.bad:.4g} of {row.n:.4g})"
    days = str(first) if first == last else f"{first} to {last}"
    return _Failure(days, _title(row.kind), of, observed, f"{row.target:.3g}")


WIDTH, HEIGHT, LEFT, TOP, BELOW, HIGHEST = 640, 190, 46, 24, 26, 4.0


def _picture(one: Kept, lost: Sequence[tuple[date, float]]) -> str:
    """Times the allowed losses that were lost so far, week after week, in the band of what is not
    refuted; empty before a second week. Drawn by hand: plotting costs more than all of this page.
    """
    if len(one.band) < 2:
        return ""
    low, high = zip(*one.band)
    area = _steps(high) + _steps(low)[::-1]
    ticks = "".join(
        f'<text x="{LEFT - 8}" y="{_y(times) + 4:.1f}" text-anchor="end">{times}</text>'
        for times in range(int(HIGHEST) + 1)
    )
    stated, end = f"{_y(1):.1f}", WIDTH - 8
    line = [(x, y) for x, y in _steps([times for _, times in lost]) if not isnan(y)]
    what = f"{_title(one.kind)}: lost so far, as a multiple of what is allowed, by week"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{what}" '
        'style="font-size:12px;fill:var(--soft)">'
        f'<text x="{LEFT}" y="14">Times the allowed losses, so far; shaded: not refuted</text>'
        f'<polygon points="{_points(area)}" style="fill:var(--blue);fill-opacity:.15"/>'
        f'<line x1="{LEFT}" x2="{end}" y1="{stated}" y2="{stated}" '
        'style="stroke:var(--soft);stroke-dasharray:5 4"/>'
        f'<polyline points="{_points(line)}" '
        'style="fill:none;stroke:var(--blue);stroke-width:2"/>'
        f"{ticks}"
        f'<text x="{LEFT}" y="{HEIGHT - 6}">{lost[0][0]}</text>'
        f'<text x="{end}" y="{HEIGHT - 6}" text-anchor="end">week from {lost[-1][0]}</text></svg>'
    )


def _y(times):
    "The height of a multiple; the highest that is shown stands for all above it."
    return TOP + (HEIGHT - TOP - BELOW) * (1 - min(times, HIGHEST) / HIGHEST)


def _steps(values) -> list[tuple[float, float]]:
    "A value for each week as steps over the width of the picture."
    wide = (WIDTH - LEFT - 8) / len(values)
    return [(LEFT + wide * (k + side), _y(v)) for k, v in enumerate(values) for side in (0, 1)]


def _points(steps):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in steps)
