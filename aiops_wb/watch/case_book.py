"""Cases as people read them: whose they are, how they stand, where they went, and what became of
those that are like them."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd

from ..log.alike_cases import ALIKE_DAYS
from ..log.base import as_rows
from ..log.catalog import Reader

__all__ = [
    "MUTED",
    "Alike",
    "Sent",
    "age",
    "case_book",
    "ended",
    "flat",
    "matching",
    "one_case",
    "one_line",
]

MUTED = "muted"
"Beside the states of a case: one of which no message is sent on a day."


class Sent(NamedTuple):
    "What became of handing a case to a sink, the last time."

    sink: str
    state: str  # delivered, failed, or expired: refused until it was too old
    at: datetime
    detail: str | None

    def __str__(self) -> str:
        why = f": {self.detail}" if self.detail and self.state != "delivered" else ""
        return f"{self.sink} {self.state} {self.at:%Y-%m-%d %H:%M}Z{why}"


class Alike(NamedTuple):
    "An earlier case that is like another one, and how it ended as far as that is known."

    case_id: str
    of: str  # entity: of the same one; site: of the same one, with the same leading reason
    at: datetime
    positive: bool | None  # by the label of the event that opened it
    outcome: str | None  # by whoever closed it


def case_book(
    reader: Reader,
    first: date,
    model: str | None = None,
    as_of: datetime | None = None,
    ids: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Cases of events since a day (`handled_cases`), those of some ids where these are named,
    newest first, with three more columns: `label` of the event that opened one (1, 0, NaN: not
    known), `sent` (a `Sent` for each sink), and `alike`: at most five `Alike`, the newest earlier
    cases of the same entity in the 28 days before, then of the same site with the same leading
    reason."""
    cases = reader.handled_cases(model, as_of, since=first, ids=ids)[::-1].reset_index(drop=True)
    near = reader.alike_cases(first, model, as_of, ids)
    openers = [*cases.prediction_id, *near.opener]
    labels = reader.labels_since(first - timedelta(ALIKE_DAYS + 1), openers, as_of)
    sent = {}
    for case, *told in reader.last_sent(list(cases.case_id), as_of):
        sent.setdefault(case, []).append(Sent(*told))
    alike = _alike(reader, near, labels, as_of)
    return cases.assign(
        label=cases.prediction_id.map(labels).astype(float),
        sent=[tuple(sent.get(one, ())) for one in cases.case_id],
        alike=[tuple(alike.get(one, ())) for one in cases.case_id],
    )


def _alike(reader, near, labels, as_of):
    "Case -> what is like it."
    told = {}
    if near.empty:
        return told
    ids = list(set(near.alike_id) & set(reader.closed_cases()))
    closed = reader.handled_cases(as_of=as_of, ids=ids) if ids else pd.DataFrame()
    outcomes = dict(zip(closed.case_id, closed.outcome)) if ids else {}
    columns = ("case_id", "alike_id", "opener", "alike_at", "far")
    for case, other, opener, at, far in zip(*(near[name].tolist() for name in columns)):
        label = labels.get(opener)
        positive = None if label is None else label == 1
        one = Alike(other, ("entity", "site")[far], at, positive, outcomes.get(other))
        told.setdefault(case, []).append(one)
    return told


def matching(
    cases: pd.DataFrame,
    today: date,
    *,
    state: str | None = None,
    site: str | None = None,
    assignee: str | None = None,
    entity: str | None = None,
    find: str | None = None,
) -> pd.DataFrame:
    """Those of some cases in a state (or muted today), at a site, of somebody (empty: of nobody),
    about an entity, with some words in them."""
    kept = pd.Series(True, index=cases.index)
    if state == MUTED:
        kept &= cases.muted_until.map(lambda until: until is not None and until > today)
    elif state:
        kept &= cases.state == state
    for column, wanted in (("site_id", site), ("entity_id", entity)):
        if wanted is not None:
            kept &= (cases[column] == wanted).fillna(False)
    if assignee is not None:
        kept &= cases.assignee.isna() if not assignee else (cases.assignee == assignee)
    if find:
        words = cases[["case_id", "title", "text", "comment", "why", "assignee"]].fillna("")
        together = words.astype(str).agg("\n".join, axis=1) if len(words) else words.case_id
        kept &= together.str.lower().str.contains(find.lower(), regex=False)
    return cases[kept.astype(bool)]


FLAT = ["case_id", "kind", "model", "version", "tenant", "site_id", "entity_id", "prediction_id"]
FLAT += ["predicted_at", "event_date", "opened_at", "probability", "lower", "upper", "level"]
FLAT += ["events", "late", "title", "reasons", "first_reason", "reason", "text", "state", "by"]
FLAT += ["at", "why", "outcome", "muted_until", "muted_by", "muted_why", "assignee"]
FLAT += ["assigned_by", "comment", "comment_by", "comment_at", "label"]


def flat(book: pd.DataFrame) -> pd.DataFrame:
    """Cases of `case_book` with a value a column, for a file: deliveries and what is like them in
    words. Of their text there are the parts; every value is one line."""
    told = book[[name for name in FLAT if name != "text"]].assign(
        delivery=["; ".join(map(str, sent)) for sent in book.sent],
        similar=["; ".join(f"{one.case_id}: {ended(one)}" for one in near) for near in book.alike],
    )
    texts = told.select_dtypes(["object", "str"]).columns
    return told.assign(**{column: told[column].map(one_line) for column in texts})


def one_line(value: Any) -> Any:
    "A text without what breaks a line, steers a terminal or turns the order of writing."
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(one if one.isprintable() else " " for one in value)


def one_case(reader: Reader, case: str) -> dict[str, Any] | None:
    """All that is known of a case: its fields, `sent` and `alike` as objects, and `history`, what
    people did with it, oldest first; None where there is no case of this id."""
    known = reader.handled_cases(ids=[case])
    if known.empty:
        return None
    book = case_book(reader, known.event_date.min().date(), ids=[case])
    (row,) = as_rows(book, [*FLAT, "sent", "alike"])
    told = {name: [one._asdict() for one in row[name]] for name in ("sent", "alike")}
    done = ("at", "who", "what", "old", "new", "why", "outcome")
    return row | told | {"history": as_rows(reader.case_history(case), done)}


def ended(one: Alike) -> str:
    "How an earlier case ended: by its label, else by whoever closed it."
    if one.positive is not None:
        return "positive" if one.positive else "negative"
    return f"closed as {one.outcome}" if one.outcome else "not known yet"


def age(since: datetime, now: datetime) -> str:
    "How long ago something was, in days, or hours of the first day."
    hours = max(0, int((now - since).total_seconds() // 3600))
    return f"{hours // 24} d" if hours >= 24 else f"{hours} h"
