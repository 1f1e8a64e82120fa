"Reports whose failure may pass run again: later, and one at a time."

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from .jobs import Job, ReportResult

__all__ = ["run_again"]

Done = Callable[[ReportResult], None]


class Run(Protocol):
    "Runs jobs, each with a result that is told as it comes."

    def __call__(self, jobs: Sequence[Job], parallel: int, on_done: Done) -> list[ReportResult]: ...


def run_again(
    run: Run,
    jobs: Sequence[Job],
    parallel: int,
    pauses: Iterable[float],
    sleep: Callable[[float], None],
    on_done: Done = lambda _: None,
) -> list[ReportResult]:
    """A result for each job, in order. What failed and may pass has a further try after each pause,
    alone, so that it has all of the memory; only the result of the last try is told."""
    results, waiting, pauses = {}, list(jobs), list(pauses)
    for tried, pause in enumerate([*pauses, None], 1):
        told = on_done if pause is None else _unless_passing(on_done)
        results |= {one.name: one for one in run(waiting, parallel if tried == 1 else 1, told)}
        waiting = [job for job in waiting if results[job.name].passing]
        if pause is None or not waiting:
            break
        sleep(pause)
    for job in waiting if len(pauses) else ():
        error = f"{results[job.name].error}\n(tried {len(pauses) + 1} times)"
        results[job.name] = replace(results[job.name], error=error)
    return [results[job.name] for job in jobs]


def _unless_passing(on_done):
    return lambda result: None if result.passing else on_done(result)
