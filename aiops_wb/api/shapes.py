"""What goes in and out, as OpenAPI tells it.

Thresholds are scores (probabilities, where the grid is `logit`) with their points beside them.
What is not known is null: a figure without a label, an interval that nothing carries.
"""

import math
from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from .ids import PATTERN

__all__ = [
    "ActShape",
    "AlarmShape",
    "CaseShape",
    "Daily",
    "Finite",
    "Given",
    "Name",
    "Number",
    "Page",
    "Points",
    "ProblemShape",
    "ProposalShape",
    "Score",
    "Shape",
    "ThresholdShape",
    "ToldAlarm",
    "VersionShape",
    "WholeCase",
    "Why",
]


def _known(value):
    "A number that JSON can hold, else None."
    if value is None or isinstance(value, (bool, str)):
        return value
    number = float(value)
    return number if math.isfinite(number) else None


Number = Annotated[float | None, BeforeValidator(_known)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
_NO_CONTROL = r"^[^\x00-\x1f\x7f-\x9f]*$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=_NO_CONTROL)]
Why = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000, pattern=r"\S"),
    Field(description="the reason, which stands in the audit trail"),
]
Score = Annotated[
    float,
    Field(
        allow_inf_nan=False, ge=-32, le=32, description="a score: a probability where grid is logit"
    ),
]
Points = Annotated[int, Field(ge=-32_000, le=32_000, description="1,000 to a unit of log-odds")]


class Shape(BaseModel):
    "What is told."

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Given(BaseModel):
    "What is asked: a field that is not known is refused."

    model_config = ConfigDict(extra="forbid")


Item = TypeVar("Item")


class Page(Shape, Generic[Item]):
    "Some rows of a list; the header `Link` leads to the next ones."

    items: list[Item]
    total: int
    limit: int
    offset: int


class Wrong(Shape):
    "One thing that is wrong with what was sent."

    where: Annotated[str, Field(examples=["body.threshold"])]
    what: str


class ProblemShape(Shape):
    "An error (RFC 9457)."

    type: Annotated[str, Field(examples=["about:blank"])]
    title: Annotated[str, Field(examples=["Not Found"])]
    status: Annotated[int, Field(examples=[404])]
    detail: Annotated[str, Field(description="one sentence")]
    errors: Annotated[list[Wrong], Field(description="each thing that is wrong, where several may")]


class ThresholdShape(Shape):
    "A threshold in force: at or above it somebody is called."

    id: Annotated[str, Field(pattern=PATTERN, examples=["late:v1", "late:v1:default:EWR"])]
    model: str
    version: str
    tenant: Annotated[str | None, Field(description="null: of all events")]
    site: str | None
    threshold: Annotated[float, Field(description="as a score", examples=[0.599888])]
    points: Annotated[int, Field(description="as the log keeps it", examples=[405])]
    grid: Annotated[str, Field(examples=["logit"])]
    since: datetime | None
    by: str | None
    why: str
    dial: Annotated[Literal["on", "off"], Field(description="off: it decides nothing")]
    proposals: Annotated[list[str], Field(description="ids of open proposals", examples=[["P-1"]])]
    waiting: Annotated[list[str], Field(description="ids of acts about it not taken in yet")]


class VersionShape(Shape):
    "A registered version of a model."

    model: str
    version: str
    registered_at: datetime
    grid: str
    threshold: Annotated[Number, Field(description="in force, as a score")]
    points: int | None
    active: Annotated[bool, Field(description="whether it is the champion")]
    alias: Literal["previous", "challenger"] | None
    not_watched: str | None
    adopted: str | None
    roc_auc: Annotated[Number, Field(description="of held-out days", examples=[0.95])]
    pr_auc: Annotated[Number, Field(examples=[0.895])]
    held_out: Annotated[str, Field(examples=["on 25,173 of 25,318 events of 28 days"])]


class Daily(Shape):
    "A figure of a day, as the morning stored it last."

    day: date
    version: str
    tenant: Annotated[str, Field(description="empty: all together")]
    segment: Annotated[
        str, Field(description="empty: all, else such as site=EWR", examples=["", "site=EWR"])
    ]
    metric: Annotated[str, Field(examples=["precision_complete"])]
    value: Annotated[Number, Field(examples=[0.944])]
    lower: Annotated[Number, Field(description="of the 95 % interval")]
    upper: Number
    n: int
    as_of: datetime
    window_first: date | None
    window_last: date | None


class Handled(Shape):
    "What somebody did with a case or an alarm."

    state: Literal["open", "acknowledged", "closed"]
    by: str | None
    at: datetime | None
    why: str | None
    muted_until: Annotated[date | None, Field(description="no message before that day")]
    muted_by: str | None
    muted_why: str | None


class CaseShape(Handled):
    "A decision of high risk that somebody was asked about."

    case_id: Annotated[str, Field(examples=["A-0960ad707231"])]
    kind: Annotated[str, Field(examples=["ticket", "alert"])]
    model: str
    version: str
    tenant: str
    site_id: str | None
    entity_id: str | None
    opened_at: datetime
    predicted_at: datetime
    event_date: date
    prediction_id: Annotated[str, Field(description="the event that opened it")]
    probability: Annotated[Number, Field(description="the score of that event")]
    lower: Annotated[Number, Field(description="of the calibrated interval then")]
    upper: Number
    title: str
    text: str
    reason: Annotated[str, Field(description="why somebody was called")]
    reasons: Annotated[str | None, Field(description="of the model; null: not known")]
    first_reason: Annotated[str | None, Field(description="the feature that raised it most")]
    assignee: Annotated[str | None, Field(description="whose it is")]
    assigned_by: Annotated[str | None, Field(description="null: the table of sites says so")]
    outcome: Annotated[
        Literal["confirmed", "dismissed", "unclear"] | None,
        Field(description="how it ended, as who closed it says: no label"),
    ]
    comment: Annotated[str | None, Field(description="what was said of it last")]
    comment_by: str | None
    comment_at: datetime | None
    level: Annotated[str | None, Field(description="the gravest so far", examples=["HIGH"])]
    events: Annotated[int, Field(description="events that opened or joined it")]
    late: Annotated[bool, Field(description="too old to be sent when it was found")]


class SentShape(Shape):
    "What became of handing a case to a receiver, the last time."

    sink: Annotated[str, Field(examples=["file", "webhook"])]
    state: Annotated[str, Field(examples=["delivered", "failed", "expired"])]
    at: datetime
    detail: str | None


class AlikeShape(Shape):
    "An earlier case that is like one, and how it ended."

    case_id: str
    of: Annotated[
        Literal["entity", "site"],
        Field(description="of the same entity, or of the same site with the same first reason"),
    ]
    at: datetime
    positive: Annotated[bool | None, Field(description="by its label; null: not known yet")]
    outcome: Annotated[str | None, Field(description="as who closed it says")]


class DoneShape(Shape):
    "What somebody did with a case, as the audit trail has it."

    at: datetime
    who: str
    what: Annotated[str, Field(examples=["case", "case mute", "case assignee", "case comment"])]
    old: str | None
    new: str | None
    why: str
    outcome: str | None


class WholeCase(CaseShape):
    "A case with all that is known of it."

    label: Annotated[Number, Field(description="of the event that opened it; null: not known yet")]
    sent: Annotated[list[SentShape], Field(description="the last attempt of each receiver")]
    alike: Annotated[
        list[AlikeShape],
        Field(
            description="at most five of the 28 days before: the newest of the entity, then of the "
            "same site with the same first reason"
        ),
    ]
    history: Annotated[list[DoneShape], Field(description="what people did, oldest first")]


class AlarmShape(Handled):
    "An alarm about drift, as it was said last."

    event_id: Annotated[str, Field(examples=["D-6060a96f3cd6"])]
    model: str
    version: str
    stream: str
    kind: str
    severity: str
    title: str
    text: str
    opened_on: date
    event_date: Annotated[date, Field(description="the last day that it was said of")]
    muted: Annotated[bool, Field(description="by the calendar")]


class ToldAlarm(Shape):
    "What an alarm said when it opened, became graver or closed."

    event_id: str
    event_date: date
    model: str
    state: Annotated[str, Field(examples=["opened", "graver", "closed"])]
    title: str
    text: str
    muted: bool


class ProposalShape(Shape):
    "A threshold that somebody proposed, and what became of it."

    key: Annotated[str, Field(examples=["P-1"])]
    threshold_id: str
    model: str
    version: str
    tenant: str | None
    site: str | None
    threshold: Number
    points: int
    instead_of: Annotated[Number, Field(description="the threshold then in force, as a score")]
    instead_of_points: int
    who: str
    at: datetime
    why: str
    state: Literal["open", "approved", "rejected", "withdrawn"]
    overtaken: Annotated[str, Field(description="why it no longer fits; empty where it does")]
    decided_by: str
    decided_at: datetime | None
    decided_why: str


class ActShape(Shape):
    "A change that was handed to the one writer."

    id: str
    kind: str
    state: Annotated[
        Literal["waiting", "done", "refused"],
        Field(description="waiting: it was kept, and is not taken in yet"),
    ]
    says: Annotated[str, Field(description="what came of it, or why it was refused")]
    who: str
    at: datetime
    what: dict[str, Any]
    taken_in_at: datetime | None
    proposal: Annotated[str | None, Field(description="the proposal that it made or decided")]

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "id": "01a21f96-ddaf-7593-aaad-d753caccdce4",
                    "kind": "propose",
                    "state": "done",
                    "says": "P-1: late v1, threshold 0.500 instead of 0.600, is proposed",
                    "who": "ana",
                    "at": "2026-03-03T08:00:00Z",
                    "what": {"model": "late", "version": "v1", "score": 0.5, "why": "too many"},
                    "taken_in_at": "2026-03-03T08:00:01Z",
                    "proposal": "P-1",
                }
            ]
        }
    }
