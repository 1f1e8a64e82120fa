"""The pages of cases: every ticket and alert of the last days, whose it is, and what came of those
like it; of all models, and of each."""

from collections import Counter
from collections.abc import Collection
from datetime import date, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from .. import __version__
from ..config import Settings
from ..log.alike_cases import ALIKE_DAYS, MOST_ALIKE
from ..log.catalog import Reader
from ..stats.decisions import LEVELS
from ..watch.case_book import age, case_book, ended, flat, one_line
from ..watch.listed import grid_of
from .frame import CASES_SCRIPT, Link, filled, with_script, write_whole
from .pages import CASES, cases_of
from .table import as_csv

__all__ = ["DAYS", "MOST_ROWS", "write_cases"]

DAYS = 7
"Days of a page, up to the newest with predictions."
MOST_ROWS = 400
"Cases of a page; the file beside it has every one."


class _Row(NamedTuple):
    "A case on a page."

    id: str
    kind: str
    age: str
    entity: str
    site: str
    model: str
    risk: str
    calibrated: str
    reasons: str
    state: str
    handled: str
    muted: str
    assignee: str
    comment: str
    similar: str
    delivery: str


class _Seen(NamedTuple):
    "What pages rest on: from which day on cases are shown, when this is known, and where."

    first: date
    at: datetime
    zone: ZoneInfo
    sinks: Collection[str]

    @property
    def known(self) -> str:
        "When this is known, in words."
        at = self.at.astimezone(self.zone)
        return f"As known on {at:%Y-%m-%d} at {at:%H:%M} ({self.zone.key})."

    @property
    def today(self) -> date:
        "The day by the log's calendar."
        return self.at.astimezone(self.zone).date()


def write_cases(reports: Path, reader: Reader, settings: Settings) -> None:
    """Write the page of the cases of every model and of each, and a file of all their fields, by
    all that is known; nothing where there are no predictions."""
    newest = {model: days[-1] for model in reader.models() if (days := reader.days(model))}
    if not newest:
        return
    zone, first = ZoneInfo(reader.timezone), max(newest.values()) - timedelta(DAYS - 1)
    known = [at for at in (reader.last_committed(), reader.last_change()) if at]
    seen = _Seen(first, max(known), zone, _sinks(settings))
    book = case_book(reader, first)
    waiting = dict.fromkeys(newest, 0) | reader.waiting_by_model()
    book = _newest_and_worst_first(book)
    score = cache(lambda model, version: grid_of(reader, model, version).name == "logit")
    of = {model: np.flatnonzero(book.model == model) for model in newest}
    few = [range(len(book)), *of.values()]
    shown = sorted({int(place) for places in few for place in places[:MOST_ROWS]})
    cases = book.iloc[shown].itertuples()
    rows = {place: _row(case, seen, score) for place, case in zip(shown, cases)}
    _write(Path(reports), reader, seen, waiting, book, rows.values())
    for model, places in of.items() if len(of) > 1 else ():
        its = {place: rows[place] for place in places[:MOST_ROWS]}
        told = {model: waiting[model]}, book.iloc[places], its.values()
        _write(Path(reports), reader, seen, *told, alone=model)
    write_whole(Path(reports, CASES).with_suffix(".csv"), as_csv(flat(book)))


def _sinks(settings):
    "Names of the receivers that are set."
    return [
        name
        for name, there in (("file", settings.case_file), ("webhook", settings.webhook_url))
        if there is not None
    ]


def _newest_and_worst_first(book):
    grave = book.level.map(lambda level: LEVELS.index(level) if level in LEVELS else -1)
    order = ["event_date", "grave", "probability", "case_id"]
    return book.assign(grave=grave).sort_values(order, ascending=[False, False, False, True])


def _write(reports, reader, seen, waiting, book, rows, alone=""):
    "A page; `waiting`: cases of each of its models that nobody has taken up."
    up = "../" if alone else ""
    here = [Link("Cases", f"{up}{CASES}"), Link(alone)] if alone else [Link("Cases")]
    page = filled(
        "cases.html",
        f"Cases{f' of {alone}' if alone else ''} - aiops_wb",
        heading=f"Cases of {alone}" if alone else "Cases",
        known=seen.known,
        first=seen.first,
        rows=list(islice(rows, MOST_ROWS)),
        alone=alone,
        total=_total(book.state, seen),
        older=_older(book, waiting.values()),
        looked_at="" if len(book) else _looked_at(reader, waiting, seen.first),
        unsent="" if seen.sinks else "No receiver of cases is set (case_file, webhook_url).",
        csv=f"{up}cases.csv",
        alike_days=ALIKE_DAYS,
        most_alike=MOST_ALIKE,
        navigation=[Link("All days", f"{up}index.html"), *here],
        footer=f"aiops_wb {__version__}",
        **(with_script(CASES_SCRIPT) if len(book) else {}),
    )
    write_whole(reports / (cases_of(alone) if alone else CASES), page)


def _total(of, seen):
    "How many there are, in words."
    states, n = Counter(of), len(of)
    told = ", ".join(f"{n:,} {state}" for state, n in states.most_common())
    cut = f" The newest {MOST_ROWS:,} are on this page." if n > MOST_ROWS else ""
    what = "ticket or alert" if n == 1 else "tickets and alerts"
    return f"{n:,} {what} since {seen.first}, newest and worst first: {told}.{cut}"


def _older(book, waiting):
    "How many cases of earlier days nobody has taken up."
    n = sum(waiting) - int(((book.state == "open") & ~book.late.astype(bool)).sum())
    if n <= 0:
        return ""
    what = "case of earlier days is" if n == 1 else "cases of earlier days are"
    return f"{n:,} {what} open still: aiops-wb cases list --state open --days N lists them."


def _looked_at(reader, models, first):
    "How many predictions were made since a day."
    parts = [reader.decisions(model, first, None).n.sum() for model in models]
    return f"{int(sum(parts)):,}"


def _row(case, seen, is_share):
    until = case.muted_until
    muted = until is not None and until > seen.today
    told = (
        case.case_id,
        case.kind,
        age(case.predicted_at, seen.at),
        case.entity_id if isinstance(case.entity_id, str) else "-",
        case.site_id if isinstance(case.site_id, str) else "",
        case.model,
        *_risk(case, is_share(case.model, case.version)),
        case.reasons or "-",
        case.state,
        _handled(case),
        f"muted until {until} by {case.muted_by}: {case.muted_why}" if muted else "",
        case.assignee or "",
        f"{case.comment_by}: {case.comment}" if case.comment else "",
        _similar(case.alike),
        _delivery(case, seen.sinks),
    )
    return _Row(*map(one_line, told))


def _risk(case, share):
    "The score with its level, and what is known of such events."
    score = f"{case.probability:.1%}" if share else f"{case.probability:.4g}"
    bounds = "" if pd.isna(case.lower) else f"calibrated {case.lower:.0%} to {case.upper:.0%}"
    return f"{score} {case.level or ''}".strip(), bounds


def _handled(case):
    "Who made a case what it is, when and why."
    if not case.by:
        return "too old to be sent" if case.late else ""
    how = f"as {case.outcome} " if case.outcome else ""
    again = "graver since; last " if case.state == "open" else ""
    return f"{again}{how}by {case.by}, {case.at:%Y-%m-%d}: {case.why}"


def _similar(alike):
    "How many earlier cases are like one, and how they ended."
    told = []
    for of, what in (("entity", "of the entity"), ("site", "at the site")):
        ends = Counter(ended(one) for one in alike if one.of == of)
        if ends:
            each = ", ".join(f"{n} {end}" for end, n in ends.most_common())
            told.append(f"{ends.total()} {what}: {each}")
    return "; ".join(told) or "none"


def _delivery(case, sinks):
    "Where a case went, by the last attempt for each receiver."
    told = [f"{one.sink} {one.state} {one.at:%Y-%m-%d %H:%M}Z" for one in case.sent]
    waits = [name for name in sinks if name not in {one.sink for one in case.sent}]
    if waits and not case.late and case.state != "closed":
        told.append(f"waits for the {' and the '.join(waits)}")
    return "; ".join(told) or "-"
