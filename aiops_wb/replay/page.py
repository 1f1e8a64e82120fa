"""The page of a period that was lived again: what it means, in pictures and tables (extra lab)."""

from datetime import datetime
from math import isnan
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from .. import __version__
from ..log.modes import make_folder
from ..log.names import file_name
from ..render.frame import Link, filled, write_whole
from ..render.plots.chart import Chart
from ..render.plots.replayed import lived_again
from ..render.table import Table
from .period import ACTUAL, Replayed, look_ahead_words, sentences

__all__ = ["Part", "Story", "as_picture", "as_sentence", "replay_page", "write_replay"]

STATES = {"kept": "ok", "broken": "look", "unknown": "unknown", "none": "unknown"}


class Story(NamedTuple):
    "What is said of one policy."

    name: str
    state: str
    says: list[str]


class Part(NamedTuple):
    "A part of the page: a picture or a table, and what it shows."

    title: str
    says: str
    picture: str = ""
    table: str = ""


def write_replay(folder: Path, of: Replayed, now: datetime) -> Path:
    "Write the page into a folder, whole or not at all."
    path = Path(folder) / f"replay-{file_name(of.model)}-{of.first}-{of.last}.html"
    make_folder(path.parent)
    write_whole(path, replay_page(of, now))
    return path


def replay_page(of: Replayed, now: datetime) -> str:
    "The page."
    stories = [
        Story(one.name, STATES[one.promise.state], [*sentences(of, i), look_ahead_words(of, i)])
        for i, one in enumerate(of.policies)
    ]
    labels = f"Labels are in up to {of.labels_in}." if of.labels_in else "No day's labels are in."
    return filled(
        "replay.html",
        f"{of.model}, {of.first} to {of.last}, lived again",
        model=of.model,
        first=of.first,
        last=of.last,
        known="Each morning knew what was known then; what became of its decisions is told by the "
        f"labels that are known now. {labels}",
        stories=stories,
        recorded=_recorded(of),
        notes=[as_sentence(note) for note in of.notes],
        parts=[part for part in _parts(of) if part is not None],
        navigation=[Link("aiops_wb"), Link(f"{of.model} lived again")],
        footer=f"aiops_wb {__version__}, made {now:%Y-%m-%d %H:%M} UTC",
    )


def as_sentence(note: str) -> str:
    "A note with a capital and a full stop."
    return f"{note[0].upper()}{note[1:]}{'' if note[-1] == '.' else '.'}"


def _recorded(of):
    if of.mismatches is None:
        return ""
    n, decided = of.mismatches.n, of.mismatches.decided
    return f"{n:,} of {decided:,} recorded decisions differ from what should have stood."


def _parts(of):
    every = [*of.policies, *([of.against] if of.against else [])]
    dashed = "Dashed: what it is compared with." if of.against else "Sums of whole weeks."
    yield Part("Over time", dashed, picture=_picture(of))
    yield Part("In all", "False and missed are counted among labelled events.", "", _sums(every))
    yield _differences(of) if of.compared else None
    yield Part(
        "What a back-test would have claimed",
        "Had every label been known at once, with no morning to wait for it.",
        "",
        _claims(of),
    )
    for one in every:
        yield Part(f"Day by day: {one.name}", _of_days(one), "", _days(one))


def _picture(of):
    return as_picture(lived_again(of.policies, of.against))


def as_picture(chart: Chart) -> str:
    "A chart as it stands in a page."
    return chart._repr_svg_()


def _table(rows, text=()):
    return Table(pd.DataFrame(rows), text)._repr_html_()


def _count(value):
    return "-" if value is None else f"{value:,.0f}"


def _share(value):
    return "-" if isnan(value) else f"{value:.1%}"


def _sums(every):
    names = ("events", "tickets", "false", "reviews", "missed", "cost")
    return _table(
        [
            {"policy": one.name}
            | {name: _count(one.totals[name]) for name in names}
            | {"false share": _share(one.false_share), "promise": one.promise.state}
            for one in every
        ]
    )


def _differences(of):
    rows = [
        {"policy": one.name}
        | {
            name: f"{f.value:+,.1f}"
            + ("" if isnan(f.lower) else f" ({f.lower:+,.1f} to {f.upper:+,.1f})")
            for name, f in one.a_week.items()
        }
        for one in of.compared
    ]
    against = of.compared[0].against
    name = "what was really decided" if against == ACTUAL else against
    says = "A week, with 95 % intervals over whole weeks: days of one week move together."
    return Part(f"Against {name}", says, "", _table(rows))


def _claims(of):
    return _table(
        [
            {
                "policy": name,
                "tickets lived": _count(lived),
                "tickets claimed": _count(claimed),
                "false share lived": _share(share),
                "false share claimed": _share(told),
            }
            for name, lived, claimed, share, told in of.look_ahead
        ]
    )


def _of_days(one):
    open_ = int((~one.days.labels_in.astype(bool)).sum())
    return f"Of {open_:,} days labels are not known to be in (marked with *)." if open_ else ""


def _days(one):
    cost = one.cost
    rows = []
    for i, row in enumerate(one.days.itertuples()):
        told = {
            "day": f"{row.day}{'' if row.labels_in else ' *'}",
            "version": row.version,
            "events": f"{row.events:,}",
            "tickets": f"{row.tickets:,}",
            "false": f"{row.false:,}",
            "reviews": f"{row.reviews:,}",
            "missed": f"{row.missed:,}",
        }
        rows.append(told if cost is None else told | {"cost": f"{cost[i]:,.1f}"})
    return _table(rows, ("version",)) if rows else ""
