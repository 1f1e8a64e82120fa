"""Reports of many models on more than this machine, by any executor of PEP 3148: a pool of
processes, a cluster of dask or of ray.

What is handed over is the six reports of a model and a day. Whoever takes them makes them as this
machine would, in a helper of its own, with the same limits. Log and pages lie in folders that all
of them see under the same paths; what comes back is how each report ended.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import groupby
from math import ceil
from pkgutil import resolve_name
from typing import Any

from ..config import packages
from .engine import run_jobs
from .jobs import Job, ReportResult, failed

__all__ = ["run_by", "run_elsewhere"]


def run_by(
    name: str,
    jobs: Sequence[Job],
    parallel: int = 2,
    timeout: float = 120,
    on_done: Callable[[ReportResult], None] = lambda _: None,
    memory: int = 0,
) -> list[ReportResult]:
    """Jobs by the executor that a function gives, named as `module:function`; a result for each, in
    order. Where there is none, all of them have failed, and may do well a little later."""
    if not jobs:
        return []
    try:
        executor = _named(name)
    except Exception as problem:
        why = f"report_executor = '{name}' gives no executor: {type(problem).__name__}: {problem}."
        results = [failed(job, why, passing=True) for job in jobs]
        for result in results:
            on_done(result)
        return results
    with executor:
        return run_elsewhere(executor, jobs, parallel, timeout, on_done, memory)


def _named(name) -> Executor:
    executor = resolve_name(name)()
    if not all(hasattr(executor, part) for part in ("submit", "__enter__", "__exit__")):
        raise TypeError(f"a concurrent.futures.Executor is needed, not a {type(executor).__name__}")
    return executor


def run_elsewhere(
    executor: Executor,
    jobs: Sequence[Job],
    parallel: int = 2,
    timeout: float = 120,
    on_done: Callable[[ReportResult], None] = lambda _: None,
    memory: int = 0,
    patience: float = 600,
) -> list[ReportResult]:
    """Jobs by an executor, those of a folder together; a result for each, in order.

    Each of those who work runs `parallel` at once, each for at most `timeout` seconds and `memory`
    MB (0: half of its machine's). Where for `patience` seconds more than the longest may take none
    of them comes to an end, those that are left have failed.
    """
    together = [list(of) for _, of in groupby(jobs, key=lambda job: job.target.parent)]
    longest = timeout * max((ceil(len(of) / parallel) for of in together), default=0)
    results: dict[str, ReportResult] = {}
    futures: dict[Future[list[ReportResult]], list[Job]] = {}
    try:
        for of in together:
            futures[_submitted(executor, of, parallel, timeout, memory)] = of
        for future, of in _as_they_come(futures, longest + patience):
            for result in _results(future, of):
                results[result.name] = result
                on_done(result)
    finally:
        for future in futures:
            future.cancel()
    return [results[job.name] for job in jobs]


def _submitted(executor, jobs, *limits):
    "What will come of jobs; of an executor that takes none, why."
    try:
        return executor.submit(_work, packages()["aiops_wb"], jobs, *limits)
    except Exception as problem:
        refused: Future[Any] = Future()
        refused.set_exception(problem)
        return refused


def _work(version, jobs, parallel, timeout, memory):
    "What whoever takes jobs does."
    if (own := packages()["aiops_wb"]) != version:
        raise RuntimeError(f"aiops_wb {own} is installed there, the run is of {version}")
    return run_jobs(jobs, parallel, timeout, memory=memory)


def _as_they_come(futures, patience) -> Iterable[tuple[Future[Any], list[Job]]]:
    "Those that are done, with their jobs; in the end those that nobody waits for any longer."
    waiting = dict(futures)
    while waiting:
        done, _ = wait(waiting, patience, FIRST_COMPLETED)
        for future in [one for one in waiting if one in done or not done]:
            yield future, waiting.pop(future)


def _results(future, jobs):
    "A result for each of these jobs."
    if not future.done():
        why = "the executor (report_executor) did not come to the end of it and was not waited for."
        return [failed(job, why, passing=True) for job in jobs]
    try:
        by_name = {result.name: result for result in future.result()}
    except Exception as problem:
        why = f"the executor (report_executor) failed: {type(problem).__name__}: {problem}."
        return [failed(job, why, passing=True) for job in jobs]
    return [_here(job, by_name[job.name]) for job in jobs]


def _here(job, result):
    "The result of a job whose page lies where it is looked for."
    if result.state == "failed" or job.target.exists():
        return result
    why = f"{job.target} was made elsewhere and is not here: all machines need the same folders."
    return failed(job, why)
