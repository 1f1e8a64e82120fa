"""What a report is asked to do, and what came of it."""

import logging
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from .frame import Link, failure_page, write_whole

__all__ = ["Job", "ReportResult", "failed"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One notebook to run with parameters.

    The page goes to `target` (.html), the executed notebook beside it.
    """

    name: str
    notebook: Path
    target: Path
    parameters: dict[str, Any]
    title: str
    navigation: tuple[Link, ...] = ()  # shown at the top of the page
    engine: str = "inline"  # 'inline' or 'kernel'
    own: bool = False  # one's own: modules beside the notebook can be imported
    variables: Mapping[str, str] = field(default_factory=dict)  # what its process finds set


@dataclass(frozen=True)
class ReportResult:
    "What came of a job; `seconds` and `cpu` are split into execute and render."

    name: str
    state: str  # ok or failed
    error: str | None = None
    _: KW_ONLY
    headline: dict | None = None
    picture: str | None = None  # the first figure, SVG
    why: dict | None = None  # why a figure changed, in sentences
    passing: bool = False  # failed, and may do well a little later
    title: str = ""  # of a report of one's own
    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)


def failed(job: Job, error: str, passing: bool = False) -> ReportResult:
    "The result of a report that failed, whose page says so where it can be written."
    try:
        write_whole(job.target, failure_page(job.title, error, job.navigation))
    except Exception as problem:  # the result is told all the same
        logger.warning("the page of %s could not be written: %s", job.name, problem)
    return ReportResult(job.name, "failed", error, passing=passing)
