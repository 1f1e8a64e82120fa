"""Run report notebooks: isolated, watched, in parallel, without a kernel each.

A helper process imports what reports need once, then forks for each of them. Results come back on
a pipe of their own, because libraries print where they like; a report that takes too long is
killed, one that dies is noticed, and either has a page that says so.

No code comes from the working directory: the helper stands in `/`, and takes modules from where
Python and this package are installed, and from folders that `PYTHONPATH` names in full. Neither it
nor a report outlives the process that asked for them.
"""

import ctypes
import gc
import importlib
import importlib.util
import json
import logging
import os
import selectors
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TextIO

from ..config import PREFIX
from .frame import Link, failure_page, write_whole
from .jobs import Job, ReportResult

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
    "matplotlib.backends.backend_svg",
    "aiops_wb.render.notebook",
    "aiops_wb.models.challenge",
    "aiops_wb.models.explain",
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
) -> list[ReportResult]:
    "Run jobs, `parallel` at once, each for at most `timeout` seconds; a result for each, in order."
    jobs = [
        replace(job, notebook=job.notebook.absolute(), target=job.target.absolute()) for job in jobs
    ]
    if not jobs:
        return []
    order = {"jobs": [asdict(job) for job in jobs], "parallel": parallel, "timeout": timeout}
    results, exit_code = _ask_helper(json.dumps(order, default=str), on_done)
    died = f"the helper process that runs reports died (exit code {exit_code})."
    lost = ReportResult("", "failed", died)
    return [results.get(i) or replace(lost, name=job.name) for i, job in enumerate(jobs)]


def _ask_helper(order, on_done):
    "Results by the place of their job, and the helper's exit code."
    served = "import os; from aiops_wb.render.engine import serve; serve(); os._exit(0)"
    command = [sys.executable, "-P", "-c", served]  # what it holds is not taken apart at the end
    results = {}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        _home() as home,
        subprocess.Popen(command, cwd=os.sep, env=_environment() | home, **pipes) as helper,
    ):
        try:
            helper.stdin.write(order + "\n")
            helper.stdin.flush()  # not closed: its end tells the helper that this process has ended
            for line in helper.stdout:
                answer = json.loads(line)
                result = ReportResult(**answer["result"])
                results[answer["index"]] = result
                logger.info("report %s: %s, %s", result.name, result.state, result.seconds)
                on_done(result)
        except BaseException:
            helper.kill()
            raise
    return results, helper.returncode


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


def _environment():
    """The environment of helpers and of kernels: no settings, which reports are given, and no
    module from a folder that depends on where one stands."""
    root, named = Path(__file__).parents[2], os.environ.get("PYTHONPATH", "").split(os.pathsep)
    installed = root.name in ("site-packages", "dist-packages")
    places = ([] if installed else [str(root)]) + [p for p in named if os.path.isabs(p)]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(PREFIX) and name not in ("PYTHONPATH", "PYTHONSTARTUP")
    }
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    search = {"PYTHONSAFEPATH": "1"} | ({"PYTHONPATH": os.pathsep.join(places)} if places else {})
    return kept | single | search


def serve() -> None:
    """The helper: reads {jobs, parallel, timeout} from the first line of standard input, whose end
    is the end of the helper.

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
    _Helper(jobs, order["parallel"], order["timeout"], answers, asker, os.pipe()).run()


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
    null = os.open(os.devnull, os.O_WRONLY)
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


@dataclass
class _Running:
    "A report in a process of its own; `pipe` brings its result."

    index: int
    job: Job
    process: int
    pipe: int
    deadline: float
    received: list[bytes] = field(default_factory=list)


@dataclass
class _Helper:
    "Runs jobs in forks, so many at once, and writes an answer for each."

    jobs: list[Job]
    parallel: int
    timeout: float
    answers: TextIO
    asker: int  # ends with the process that asked
    alive: tuple[int, int]  # a pipe whose end tells reports that this process has ended

    def run(self) -> None:
        "Until every job has its answer."
        waiting, running = list(enumerate(self.jobs)), {}
        with selectors.DefaultSelector() as selector:
            selector.register(self.asker, selectors.EVENT_READ)
            while waiting or running:
                while waiting and len(running) < self.parallel:
                    report = self._start(*waiting.pop(0))
                    running[report.index] = report
                    selector.register(report.pipe, selectors.EVENT_READ, report)
                for report, failure in self._ended(selector, running.values()):
                    selector.unregister(report.pipe)
                    del running[report.index]
                    self._answer(report, failure)

    def _start(self, index, job):
        "Fork a process for a job; it can't write where results go, and ends when this one does."
        read, write = os.pipe()
        process = os.fork()
        if process == 0:
            try:
                for ours in (read, self.answers.fileno(), self.asker, self.alive[1]):
                    os.close(ours)
                _end_with(self.alive[0])
                _child(job, write)
            finally:
                os._exit(0)
        os.close(write)
        return _Running(index, job, process, read, monotonic() + self.timeout)

    def _ended(self, selector, running):
        "Wait for news; the reports that have said all, and those whose time is over, with why."
        pause = max(0.0, min(report.deadline for report in running) - monotonic())
        ended = []
        for key, _ in selector.select(pause):
            if key.fd == self.asker:  # nobody wants the results any more
                os._exit(1)
            chunk = os.read(key.fd, 1 << 16)
            key.data.received.append(chunk)
            if not chunk:
                ended.append((key.data, None))
        done = [report.index for report, _ in ended]
        late = f"the report took longer than {self.timeout:g} seconds and was stopped."
        return ended + [
            (report, late)
            for report in running
            if report.index not in done and monotonic() >= report.deadline
        ]

    def _answer(self, report, failure):
        "Write the result of a report that ended (failure None) or has to end."
        os.close(report.pipe)
        if failure:
            os.kill(report.process, signal.SIGKILL)
        _, status = os.waitpid(report.process, 0)
        text = b"".join(report.received)
        if failure is None and not text:
            code = os.waitstatus_to_exitcode(status)
            failure = f"the report's process died (exit code {code})."
        result = None if failure else _as_result(text)
        if result is None:
            failure = failure or "the report's process sent no readable result."
            result = asdict(_failed(report.job, failure))
        print(json.dumps({"index": report.index, "result": result}), file=self.answers, flush=True)


def _as_result(text):
    "What a report's process sent; None where something else wrote there as well."
    try:
        return asdict(ReportResult(**json.loads(text)))
    except (ValueError, TypeError):
        return None


def _end_with(pipe):
    """End this process when the other end of a pipe is closed, by the end of whoever holds it.

    Linux does so at once, also while a library holds the interpreter.
    """

    def watch():
        os.read(pipe, 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _child(job, pipe):
    "The life of a report's process: always sends a result, unless it is killed."
    _silence(1, 2)
    with open(os.devnull, "w", encoding="utf-8") as silence:
        sys.stdout = sys.stderr = silence
        try:
            from .notebook import run_job

            result = run_job(job)
        except BaseException as error:
            result = _failed(job, "".join(traceback.format_exception(error)))
        with os.fdopen(pipe, "w") as out:
            json.dump(asdict(result), out)


def _failed(job, error):
    "The result of a report that failed, whose page says so."
    write_whole(job.target, failure_page(job.title, error, job.navigation))
    return ReportResult(job.name, "failed", error)
