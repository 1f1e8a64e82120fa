"""One model, one day, every question."""

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path

import pandas as pd

from ..config import NO_FILE, PRIVATE, Settings
from ..log.catalog import open_snapshot
from ..log.errors import StoreError
from ..log.reading import Limits
from ..stats.attribution import Attribution
from .attribution import attribution_of
from .backtests import Backtests
from .groups import Groups
from .labels import Labels
from .model_day import ModelDay
from .other_thresholds import OtherThresholds
from .quality import Quality
from .scores import Scores
from .selective import Selective
from .silence import Silences, silences
from .tickets import Tickets
from .why import Explanations

__all__ = ["View", "open_view"]


class View(ModelDay):
    """One model on one day, as known at a time: answers through named parts, each made when asked.

    StoreError when there is no such model or day.
    """

    @cached_property
    def quality(self) -> Quality:
        "How good the model is, and whether it got worse."
        return Quality(self, self.labels)

    @cached_property
    def labels(self) -> Labels:
        "What is late in labels, and what figures will be when they are in."
        return Labels(self)

    @cached_property
    def selective(self) -> Selective:
        "What labels of the called alone leave unknown, and what exploration says of it."
        return Selective(self, self.labels)

    @cached_property
    def backtests(self) -> Backtests:
        "How often the intervals of expected and adjusted figures held."
        return Backtests(self, self.labels)

    @cached_property
    def scores(self) -> Scores:
        "Whether the score moved, by the reference rule."
        return Scores(self, self.quality)

    @cached_property
    def silence(self) -> Silences | None:
        "Whether events came where they were expected, whatever version scored; None: not watched."
        return silences(self.reader, self.model, self.day, self.as_of)

    @cached_property
    def tickets(self) -> Tickets:
        "What was decided, with what, and whether the promises were kept."
        return Tickets(self, self.labels)

    @cached_property
    def groups(self) -> Groups:
        "Whether the sets hold in each tenant and site."
        return Groups(self, self.tickets)

    @cached_property
    def why(self) -> Explanations:
        "Why figures changed."
        return Explanations(self)

    @cached_property
    def attribution(self) -> Attribution:
        "Whether features push scores otherwise than on the reference days."
        return attribution_of(self)

    @cached_property
    def other_thresholds(self) -> OtherThresholds:
        "What another threshold would have done."
        return OtherThresholds(self)


def open_view(
    data: str | Path,
    model: str = "",
    day: str = "",
    as_of: str = "",
    settings: Mapping | None = None,
) -> View:
    """The view of a published snapshot; day as 2013-04-01, as_of as a time with an offset. Of the
    memory that is allowed its queries take what is theirs where as many reports run as may."""
    reader, settings = open_snapshot(data), _settings(data, settings or {})
    reader.limit_memory(Limits.of(settings).memory // settings.jobs)
    known = reader.models()
    if not known:
        raise StoreError("the log is empty: log some predictions and run 'aiops-wb ingest' first.")
    model = model or known[0]
    when = pd.Timestamp(as_of).to_pydatetime() if as_of else None
    days = reader.days(reader.require_model(model), when)
    if not day and not days:
        raise StoreError(f"{model} has no predictions yet.")
    chosen = date.fromisoformat(day) if day else days[-1]
    return View(reader, model, chosen, when, settings)


def _settings(data, known):
    "Settings with those that are known; where all are, as in a daily report, no file is read."
    whole = known.keys() >= Settings.model_fields.keys() - PRIVATE
    return Settings(data=Path(data), **known, **({"config": NO_FILE} if whole else {}))
