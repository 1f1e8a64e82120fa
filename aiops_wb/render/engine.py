"""Run report notebooks: isolated, watched, in parallel, without a kernel each.

A helper process imports what reports need once, then forks for each of them. Results come back on
a pipe of their own, because libraries print where they like; a report that takes too long is
killed, one that dies is noticed, and either has a page that says so.

No code comes from the working directory: the helper stands in `/`, and takes modules from where
Python and this package are installed, and from folders that `PYTHONPATH` names in full. The process
of a report of one's own, and no other, looks beside its notebook as well, after all of these.
Neither the helper nor a report outlives the process that asked for them.
"""

import gc
import importlib
import importlib.util
import json
import logging
import os
import resource
import selectors
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TextIO

from ..log.passing import is_passing, killed_from_outside
from ..log.processes import end_with, helper_environment, memory_of
from ..log.reading import half_of_the_machine
from .frame import Link
from .jobs import Job, ReportResult, failed

__all__ = [
    "PRELOAD",
    "NOT_NEEDED",
    "Job",
    "ReportResult",
    "require_reports",
    "serve",
    "run_jobs",
]

logger = logging.getLogger(__name__)

PRELOAD = (
    "pandas",
    "duckdb",
    "matplotlib.figure",
    "aiops_wb.render.notebook",
    "aiops_wb.models.challenge",
    "aiops_wb.models.kept_differences",
    "aiops_wb.models.kept_reasons",
    "aiops_wb.models.shift_of_log",
    "aiops_wb.models.three_cases",
    "aiops_wb.watch.headlines",
    "aiops_wb.render.plots",
    "aiops_wb.render.tables",
)
"What the helper imports before it forks."

NOT_NEEDED = ("rfc3987_syntax", "rfc3986_validator", "isoduration", "sklearn")
"Optional parts of libraries that cost a second to import and are not used by reports."


def require_reports() -> None:
    "ModuleNotFoundError, with the extras to install, when something that reports need is missing."
    needed = ("papermill", "mistune", "jinja2", "matplotlib", "xgboost")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"reports need {', '.join(missing)}: pip install 'aiops_wb[ml,lab]', "
            "or ask for figures only with --reports none."
        )


def run_jobs(
    jobs: Iterable[Job],
    parallel: int = 2,
    timeout: float = 120,
    on_done: Callable[[ReportResult], None] = lambda _: None,
    memory: int = 0,
) -> list[ReportResult]:
    """Run jobs, `parallel` at once, each for at most `timeout` seconds and with at most `memory` MB
    (0: half of the machine's); a result for each, in order."""
    jobs = [
        replace(job, notebook=job.notebook.absolute(), target=job.target.absolute()) for job in jobs
    ]
    if not jobs:
        return []
    order = {"jobs": [asdict(job) for job in jobs], "parallel": parallel, "timeout": timeout}
    order["memory"] = memory or half_of_the_machine()
    results, why = _ask_helper(json.dumps(order, default=str).encode(), len(jobs), on_done)
    # no report of them failed by itself
    return [results.get(i) or failed(job, why, passing=True) for i, job in enumerate(jobs)]


def _ask_helper(order, jobs, on_done):
    "Results by the place of their job, and why there is none for the others."
    results = {}
    with _home() as home:
        try:
            helper = _started(home)
        except OSError as error:
            return results, f"the helper process that runs reports could not be started: {error}."
        with helper:
            try:
                with suppress(BrokenPipeError):  # it died already, as its exit code will say
                    helper.stdin.write(order + b"\n")
                    # not closed: its end tells the helper that this process has ended
                    helper.stdin.flush()
                for line in helper.stdout:
                    index, result = _read_answer(line)
                    if index not in range(jobs):
                        told = "a line that is no result came from the reports: %.80r"
                        logger.warning(told, line)
                        continue
                    results[index] = result
                    logger.info("report %s: %s, %s", result.name, result.state, result.seconds)
                    on_done(result)
            except BaseException:
                _end(helper)
                raise
    return results, f"the helper process that runs reports died (exit code {helper.returncode})."


def _started(home):
    "A helper that waits for its order."
    served = "import os; from aiops_wb.render.engine import serve; serve(); os._exit(0)"
    return subprocess.Popen(
        [sys.executable, "-P", "-c", served],  # what it holds is not taken apart at the end
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=os.sep,
        env=helper_environment() | home,
        start_new_session=True,  # Ctrl-C at a terminal is for this process, which ends them all
    )


def _read_answer(line):
    "The place of a job and its result; (None, None) for a line that is no answer."
    try:
        answer = json.loads(line)
        return answer["index"], ReportResult(**answer["result"])
    except (ValueError, TypeError, KeyError):
        return None, None


def _end(helper):
    "The helper ends its reports when it is told to; where it does not listen, it is killed."
    helper.terminate()
    try:
        helper.wait(5)
    except subprocess.TimeoutExpired:
        helper.kill()


def _has_home():
    "Whether the user has a home that can be written to."
    try:
        return os.access(Path.home(), os.W_OK)
    except RuntimeError:  # the user is not known, and no variable says it
        return False


@contextmanager
def _home() -> Iterator[dict[str, str]]:
    """A home for libraries that keep files in one, for the time being, where the user has none that
    can be written to: a container's, say, or a service's."""
    if _has_home():
        yield {}
        return
    with TemporaryDirectory(prefix="aiops-wb-", ignore_cleanup_errors=True) as aside:
        yield {"HOME": aside}


def serve() -> None:
    """The helper: reads {jobs, parallel, timeout, memory} from the first line of standard input,
    whose end is the end of the helper.

    It writes a result a line to what was standard output, as they come.
    """
    answers = _own_pipe()
    order = json.loads(sys.stdin.readline())
    asker = _asker()
    jobs = [_job(values) for values in order["jobs"]]
    gc.disable()  # nothing of what is imported is ever garbage: it is not searched again and again
    _preload()
    gc.freeze()
    gc.set_threshold(50_000, 50, 50)  # a report is soon over
    gc.enable()
    limits = order["parallel"], order["timeout"]
    _Helper(jobs, *limits, answers, asker, os.pipe(), order["memory"]).run()


def _job(values):
    "A job as it was before it became JSON."
    places = {name: Path(values[name]) for name in ("notebook", "target")}
    return Job(**values | places | {"navigation": tuple(Link(*v) for v in values["navigation"])})


def _own_pipe():
    "Standard output for results alone: what a library prints there, a bar say, goes nowhere."
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    _silence(1)
    return answers


def _asker():
    "What was standard input: it ends with the process that asked. A report has nothing to read."
    asker, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return asker


def _silence(*descriptors):
    "Lead file descriptors to the null device, for code that writes below Python as well."
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def _preload():
    "Import what reports need, without two optional parts of their libraries."
    sys.modules |= dict.fromkeys(set(NOT_NEEDED) - set(sys.modules))
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError:  # a missing extra fails in the report that needs it, and only there
            continue
    for name in NOT_NEEDED:
        if sys.modules.get(name, "there") is None:
            del sys.modules[name]
    try:
        from . import notebook
        from .plots import chart
    except ImportError:
        return
    notebook.rehearse(), chart.rehearse()


MOST = 1 << 27
"Bytes of a result: pictures are a few MB at most, and what never ends must not fill the memory."


@dataclass
class _Running:
    "A report in a process and a group of its own; `pipe` brings its result."

    index: int
    job: Job
    process: int
    pipe: int
    deadline: float
    received: bytearray = field(default_factory=bytearray)
    silent: bool = False  # it has closed its pipe
    exit_code: int | None = None

    def take(self) -> None:
        "Read what came."
        with suppress(BlockingIOError):
            while chunk := os.read(self.pipe, 1 << 16):
                self.received += chunk
                if len(self.received) > MOST:
                    break
            self.silent = True

    def is_over(self) -> bool:
        """Whether its process has ended.

        The pipe does not say: another process, which the report started, may hold it open, and a
        report may close it and go on.
        """
        if self.exit_code is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code is not None

    def end(self) -> None:
        "Kill it, unless it is over, and all that it started."
        for kill in (os.killpg, os.kill) if self.exit_code is None else (os.killpg,):
            with suppress(OSError):
                kill(self.process, signal.SIGKILL)
        if self.exit_code is None:
            with suppress(ChildProcessError):  # told to end while it learned that it was over
                self.exit_code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        os.close(self.pipe)


@dataclass
class _Helper:
    "Runs jobs in forks, so many at once, and writes an answer for each."

    jobs: list[Job]
    parallel: int
    timeout: float
    answers: TextIO
    asker: int  # ends with the process that asked
    alive: tuple[int, int]  # a pipe whose end tells reports that this process has ended
    memory: int = field(default_factory=half_of_the_machine)  # MB of a report, with what it started
    running: dict[int, _Running] = field(default_factory=dict)

    def run(self) -> None:
        "Until every job has its answer; a helper that is told to end ends its reports."
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        waiting = list(enumerate(self.jobs))
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.asker, selectors.EVENT_READ)
                while waiting or self.running:
                    while waiting and len(self.running) < self.parallel:
                        self._begin(selector, *waiting.pop(0))
                    self._listen(selector)
                    for report in list(self.running.values()):
                        self._look_after(selector, report)
        finally:
            for report in self.running.values():
                report.end()

    def _begin(self, selector, index, job):
        "Start a report; one that cannot be started has failed."
        try:
            with _told_afterwards():
                report = _start(index, job, monotonic() + self.timeout, self.alive[0])
                self.running[index] = report
        except OSError as error:
            why = f"the report's process could not be started: {error}."
            self._answer(index, failed(job, why, is_passing(error)))
            return
        selector.register(report.pipe, selectors.EVENT_READ, report)

    def _listen(self, selector):
        "Wait for news, but look after all of them now and then."
        reports = self.running.values()
        closing = any(report.silent for report in reports)
        until = min((report.deadline for report in reports), default=0.0)
        for key, _ in selector.select(max(0.0, min(until - monotonic(), _PAUSE[closing]))):
            if key.fd == self.asker:  # nobody wants the results any more
                sys.exit(1)
            key.data.take()
            if key.data.silent:
                selector.unregister(key.fd)

    def _look_after(self, selector, report):
        "Answer for a report that is over, or has to end."
        why = None
        if report.is_over():
            if not report.silent:
                report.take()  # the last it said
        elif len(report.received) > MOST:
            why = f"the report sent a result of more than {MOST >> 20} MB and was stopped."
        elif monotonic() >= report.deadline:
            why = f"the report took longer than {self.timeout:g} seconds and was stopped."
        elif (taken := memory_of(report.process)) > self.memory:
            why = (
                f"the report took {taken:,} MB of memory, more than {self.memory:,} "
                "(report_memory), and was stopped."
            )
        else:
            return
        if report.pipe in selector.get_map():
            selector.unregister(report.pipe)
        del self.running[report.index]
        report.end()
        self._answer(report.index, _result_of(report, why))

    def _answer(self, index, result):
        "Write a result for the process that asked."
        answer = {"index": index, "result": asdict(result)}
        print(json.dumps(answer), file=self.answers, flush=True)


_PAUSE = {False: 0.5, True: 0.005}
"Seconds between two looks at the reports: while none has closed its pipe, and while one ends."


def _result_of(report, why):
    "What a report sent, or how it failed: why it was ended, where it was."
    text, passing = bytes(report.received), False
    if why is None and not text:
        why = f"the report's process died (exit code {report.exit_code})."
        passing = killed_from_outside(report.exit_code)
    result = None if why else _as_result(text)
    why = why or "the report's process sent no readable result."
    return result or failed(report.job, why, passing)


def _as_result(text):
    "What a report's process sent; None where something else wrote there as well."
    try:
        return ReportResult(**json.loads(text))
    except (ValueError, TypeError):
        return None


@contextmanager
def _told_afterwards():
    """Meanwhile SIGTERM waits: during a fork its exception would be lost in what Python runs then,
    and before the report is known nobody would end it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start(index, job, deadline, alive):
    """Fork a process for a job; all it has of this one is the pipe for its result, and one that
    ends with this process, and the report with it."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    process = os.fork()
    if process == 0:
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            _close_all_but(write, alive)
            end_with(alive)
            _child(job, write)
        finally:
            os._exit(0)
    os.close(write)
    return _Running(index, job, process, read, deadline)


def _close_all_but(*pipes):
    "Close what this process has open of the helper: its answers, results of other reports."
    most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 1 << 16)
    for low, high in pairwise([2, *sorted(pipes), most]):
        os.closerange(low + 1, high)


def _child(job, pipe):
    "The life of a report's process: always sends a result, unless it is killed."
    process = os.getpid()
    _silence(0, 1, 2)
    with open(os.devnull, "w", encoding="utf-8") as silence:
        sys.stdout = sys.stderr = silence
        try:
            from .notebook import run_job

            os.environ.update(job.variables)
            if job.own:
                _look_beside(job.notebook)
            result = run_job(job)
        except BaseException as error:
            said = "".join(traceback.format_exception(error))
            result = failed(job, said, is_passing(error))
        if os.getpid() != process:  # a fork of the notebook that came to its end, too
            return
        with os.fdopen(pipe, "w") as out:
            json.dump(asdict(result), out)


def _look_beside(notebook):
    """Modules beside a notebook can be imported: found last, so that none takes the place of one
    that is installed. Nothing is written there."""
    sys.path.append(str(notebook.parent))
    sys.dont_write_bytecode = True
