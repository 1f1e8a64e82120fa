"""Run report notebooks: isolated, watched, in parallel, without a kernel each."""

import importlib
import importlib.util
import json
import os
import selectors
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from html import escape
from pathlib import Path
from time import monotonic, perf_counter, process_time
from typing import Any

from ..log.spool import fsync

__all__ = [
    "POLICY",
    "CSS",
    "PRELOAD",
    "NOT_NEEDED",
    "Job",
    "Outcome",
    "page",
    "write_whole",
    "render",
    "require_reports",
    "serve",
    "run_jobs",
]


@dataclass(frozen=True)
class Job:
    "One notebook to run with parameters; the page goes to `target` (.html), the executed notebook beside it."

    name: str
    notebook: Path
    target: Path
    parameters: dict[str, Any]
    title: str
    navigation: str = ""  # HTML shown at the top of the page
    engine: str = "inline"  # 'inline' or 'kernel'


@dataclass(frozen=True)
class Outcome:
    "What came of a job; `seconds` and `cpu` are split into execute and render."

    name: str
    state: str  # ok or failed
    error: str | None = None
    headline: dict | None = None
    picture: str | None = None  # the first figure, SVG
    seconds: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)


def _declared(notebook):
    "Names assigned in the cell tagged `parameters`."
    import ast

    import nbformat

    cells = [
        c for c in nbformat.read(notebook, 4).cells if "parameters" in c.metadata.get("tags", [])
    ]
    names = {
        t.id
        for c in cells
        for node in ast.parse(c.source).body
        if isinstance(node, ast.Assign)
        for t in node.targets
        if isinstance(t, ast.Name)
    }
    return names


def _json_values(parameters, allowed, notebook):
    unknown = sorted(set(parameters) - allowed)
    if unknown:
        raise ValueError(
            f"{notebook.name} has no parameter {unknown[0]!r}: its parameters are {', '.join(sorted(allowed)) or 'none'}."
        )
    return json.loads(json.dumps(parameters, default=str))


def _run_cell(shell, source):
    "Outputs of one cell as notebook outputs, and the exception that ended it (None when none did)."
    from IPython.core.displayhook import CapturingDisplayHook
    from IPython.utils.capture import capture_output
    from nbformat.v4 import new_output

    with capture_output() as captured:
        shell.display_trap.hook = CapturingDisplayHook(shell, shell.display_pub.outputs)
        result = shell.run_cell(source, store_history=True)
    outputs = [
        new_output("stream", name=n, text=t)
        for n, t in (("stdout", captured.stdout), ("stderr", captured.stderr))
        if t and result.success
    ]
    outputs += [
        new_output("display_data", data=o.data, metadata=o.metadata or {}) for o in captured.outputs
    ]
    error = result.error_before_exec or result.error_in_exec
    if isinstance(error, SystemExit):  # papermill would take exit code 0 for success
        error = RuntimeError(
            f"sys.exit({error.code!r}) was called; a report ends with its last cell"
        )
    if error is not None:
        outputs.append(
            new_output(
                "error",
                ename=type(error).__name__,
                evalue=str(error),
                traceback=traceback.format_exception(error),
            )
        )
    return outputs, error


def _inline_engine():
    from IPython.core.interactiveshell import InteractiveShell
    from papermill.engines import Engine

    class InlineEngine(Engine):
        "Executes a notebook's cells on an IPython shell in this process."

        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, **_):
            shell = InteractiveShell.instance()
            for index, cell in enumerate(nb_man.nb.cells):
                nb_man.cell_start(cell, index)
                if cell.cell_type == "code":
                    cell.outputs, error = _run_cell(shell, cell.source)
                    cell.execution_count = index
                    if error is not None:
                        nb_man.cell_exception(cell, index, exception=error)
                        return
                nb_man.cell_complete(cell, index)

    return InlineEngine


POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
CSS = """
:root { --ink:#1d2733; --soft:#5b6877; --line:#dfe4ea; --paper:#fff; --back:#f4f6f8; --blue:#2563c9; --ok:#15803d; --look:#c2570c; --bad:#c02626; }
* { box-sizing:border-box } body { margin:0; background:var(--back); color:var(--ink); font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif }
main { max-width:1020px; margin:0 auto; padding:0 20px 60px } a { color:var(--blue); text-decoration:none } a:hover { text-decoration:underline }
nav { max-width:1020px; margin:0 auto; padding:14px 20px; font-size:14px; color:var(--soft); display:flex; flex-wrap:wrap; gap:6px 16px } nav b { color:var(--ink) }
article, .card { background:var(--paper); border:1px solid var(--line); border-radius:10px; padding:22px 28px; margin:0 0 18px }
h1 { font-size:26px; line-height:1.25; margin:0 0 4px } h2 { font-size:18px; margin:26px 0 6px } h1 + p, .sub { color:var(--soft); margin-top:0 }
.headline { border-left:5px solid var(--soft); background:#f7f9fb; padding:10px 16px; margin:12px 0; border-radius:0 6px 6px 0 }
.headline.ok { border-color:var(--ok) } .headline.look { border-color:var(--look) } .headline.failed { border-color:var(--bad) }
table { border-collapse:collapse; font-size:14px; margin:10px 0; font-variant-numeric:tabular-nums } th, td { padding:5px 18px 5px 0; text-align:right; border:0; border-bottom:1px solid var(--line); vertical-align:top }
th { color:var(--soft); font-weight:600 } td, th { white-space:nowrap } .text, .text td, .text th { text-align:left } td.text { white-space:normal } td:first-child { white-space:nowrap }
.wide { overflow-x:auto } svg { max-width:100%; height:auto } svg.spark { vertical-align:middle } pre { overflow-x:auto; background:#f7f9fb; padding:12px; border-radius:6px; font-size:13px; white-space:pre-wrap }
.dot { display:inline-block; width:11px; height:11px; border-radius:50%; background:var(--soft); margin-right:7px } .dot.ok { background:var(--ok) } .dot.look { background:var(--look) } .dot.failed { background:var(--bad) }
.grid { display:grid; grid-template-columns:repeat(auto-fit,minmax(420px,1fr)); gap:18px } .grid .card { margin:0; padding:18px 20px } .card h2 { margin-top:0 }
.kpis { display:flex; flex-wrap:wrap; gap:10px 26px; margin:14px 0 } .kpi b { display:block; font-size:21px; line-height:1.2 } .kpi span { color:var(--soft); font-size:13px }
.input_area, .prompt, .input, .anchor-link { display:none } .output_area { overflow-x:auto } footer { color:var(--soft); font-size:13px; padding:0 20px; max-width:1020px; margin:0 auto 30px }
@media (max-width:560px) { .grid { grid-template-columns:1fr } article, .card { padding:16px } }
@media print { body { background:#fff } nav { display:none } article, .card { border:0; padding:0 } }
"""


def page(title: str, body: str, navigation: str = "", footer: str = "") -> str:
    "A complete HTML page around a body."
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n<title>{escape(title)}</title><style>{CSS}</style></head>\n'
        f"<body>{f'<nav>{navigation}</nav>' if navigation else ''}<main>{body}</main>{f'<footer>{footer}</footer>' if footer else ''}</body></html>\n"
    )


def write_whole(path: Path, text: str) -> None:
    "Write a file aside, flush it and rename it: readers see the old one or the new one."
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    fsync(temporary)
    temporary.replace(path)


@cache
def _exporter():
    "nbconvert's exporter, warmed on a line of text and a table: made once, before the helper forks, for a quarter of a second less a report."
    from nbconvert import HTMLExporter
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_output_prompt=True)
    outputs = [
        new_output("display_data", data={"text/html": "<b>1</b>"}),
        new_output("display_data", data={"image/svg+xml": "<svg></svg>"}),
    ]
    exporter.from_notebook_node(
        new_notebook(cells=[new_markdown_cell("# A\n\nB"), new_code_cell("1", outputs=outputs)])
    )
    return exporter


def render(nb, job: Job) -> str:
    "An executed notebook as a page without code."
    body, _ = _exporter().from_notebook_node(nb)
    return page(job.title, f"<article>{body}</article>", job.navigation)


def _first(nb, mime):
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if mime in output.get("data", {}):
                data = output["data"][mime]
                return "".join(data) if isinstance(data, list) else data
    return None


def _failure_page(job, error):
    return page(
        job.title,
        f'<article><h1>{escape(job.title)}</h1><p class="headline failed"><strong>This report failed.</strong> The others are not affected. '
        f"Mend the cause; the next daily run makes this day's reports again.</p><pre>{escape(error)}</pre></article>",
        job.navigation,
    )


def _run(job):
    "Execute and render one job in this process."
    import papermill
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError

    clock, cpu = [perf_counter()], [process_time()]
    options = {}
    if job.engine == "inline":
        papermill_engines.register("inline", _inline_engine())
        options = {"engine_name": "inline", "kernel_name": "python3", "language": "python"}
    parameters = _json_values(job.parameters, _declared(job.notebook), job.notebook)
    error = None
    executed = job.target.with_suffix(".ipynb")
    aside = executed.with_name(f".{executed.name}.{os.getpid()}.tmp.ipynb")
    job.target.parent.mkdir(parents=True, exist_ok=True)
    try:
        nb = papermill.execute_notebook(
            job.notebook,
            aside,
            parameters,
            progress_bar=False,
            request_save_on_cell_execute=False,
            **options,
        )
    except PapermillExecutionError as failed:
        error = (
            "".join(failed.traceback)
            if isinstance(failed.traceback, list)
            else f"{failed.ename}: {failed.evalue}\n{failed.traceback}"
        )
        nb = None
    clock.append(perf_counter()), cpu.append(process_time())
    if aside.exists():
        fsync(aside)
        aside.replace(executed)
    write_whole(job.target, _failure_page(job, error) if nb is None else render(nb, job))
    clock.append(perf_counter()), cpu.append(process_time())
    split = lambda t: {"execute": round(t[1] - t[0], 3), "render": round(t[2] - t[1], 3)}
    headline = nb and _first(nb, "application/vnd.aiops-wb.headline+json")
    return Outcome(
        job.name,
        "ok" if error is None else "failed",
        error,
        headline,
        nb and _first(nb, "image/svg+xml"),
        split(clock),
        split(cpu),
    )


def _child(job, pipe):
    "The life of a report's process: always sends an outcome, unless it is killed."
    _silence(1, 2)
    with open(os.devnull, "w") as silence:
        sys.stdout = sys.stderr = silence
        try:
            outcome = _run(job)
        except BaseException as error:
            text = "".join(traceback.format_exception(error))
            outcome = Outcome(job.name, "failed", text)
            write_whole(job.target, _failure_page(job, text))
        with os.fdopen(pipe, "w") as out:
            json.dump(asdict(outcome), out)


PRELOAD = (
    "pandas",
    "duckdb",
    "matplotlib.backends.backend_svg",
    "papermill",
    "nbconvert",
    "IPython.core.interactiveshell",
    "aiops_wb.models.challenge",
    "aiops_wb.models.explain",
    "aiops_wb.watch.headlines",
    "aiops_wb.render.plots",
)


NOT_NEEDED = ("rfc3987_syntax", "sklearn")


def _preload():
    "Import what reports need, without two optional parts of their libraries that cost a second and are not used here."
    sys.modules |= dict.fromkeys(set(NOT_NEEDED) - set(sys.modules))
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except (
            ImportError
        ):  # an extra that is not installed fails in the report that needs it, and only there
            continue
    for name in NOT_NEEDED:
        if sys.modules.get(name, "there") is None:
            del sys.modules[name]
    try:
        _exporter()
    except ImportError:
        return


def require_reports() -> None:
    "ModuleNotFoundError, with the extras to install, when something that reports need is missing."
    missing = [
        n
        for n in ("papermill", "nbconvert", "matplotlib", "xgboost")
        if importlib.util.find_spec(n) is None
    ]
    if missing:
        raise ModuleNotFoundError(
            f"reports need {', '.join(missing)}: pip install 'aiops_wb[ml,lab]', or ask for figures only with --reports none."
        )


def serve() -> None:
    "The helper: reads {jobs, parallel, timeout} from standard input, writes an outcome a line to what was standard output, as they come."
    answers = _own_pipe()
    order = json.load(sys.stdin)
    jobs = [
        Job(**j | {"notebook": Path(j["notebook"]), "target": Path(j["target"])})
        for j in order["jobs"]
    ]
    _preload()
    waiting, running = list(enumerate(jobs)), {}
    with selectors.DefaultSelector() as selector:
        while waiting or running:
            while waiting and len(running) < order["parallel"]:
                index, job = waiting.pop(0)
                running[index] = _start(job, selector, index, monotonic() + order["timeout"])
            pause = max(0.0, min(r.deadline for r in running.values()) - monotonic())
            for key, _ in selector.select(pause):
                chunk = os.read(key.fd, 1 << 16)
                running[key.data].received.append(chunk)
                if not chunk:
                    _report(answers, selector, key.data, running.pop(key.data), None)
            for index in [i for i, r in running.items() if monotonic() >= r.deadline]:
                _report(
                    answers,
                    selector,
                    index,
                    running.pop(index),
                    f"the report took longer than {order['timeout']:g} seconds and was stopped.",
                )


def _own_pipe():
    "Standard output for outcomes alone: whatever a library prints there (a progress bar, say) goes nowhere."
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    _silence(1)
    return answers


def _silence(*descriptors):
    "Lead file descriptors to the null device, for code that writes below Python as well."
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


@dataclass
class _Running:
    job: Job
    process: int
    pipe: int
    deadline: float
    received: list = field(default_factory=list)


def _start(job, selector, index, deadline):
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            os.close(read)
            _child(job, write)
        finally:
            os._exit(0)
    os.close(write)
    selector.register(read, selectors.EVENT_READ, index)
    return _Running(job, process, read, deadline)


def _report(answers, selector, index, run, failure):
    "Print the outcome of a report that ended (failure None) or has to end."
    selector.unregister(run.pipe)
    os.close(run.pipe)
    if failure:
        os.kill(run.process, signal.SIGKILL)
    _, status = os.waitpid(run.process, 0)
    text = b"".join(run.received)
    if failure is None and not text:
        failure = f"the report's process died (exit code {os.waitstatus_to_exitcode(status)})."
    if failure:
        write_whole(run.job.target, _failure_page(run.job, failure))
        text = json.dumps(asdict(Outcome(run.job.name, "failed", failure))).encode()
    print(json.dumps({"index": index, "outcome": json.loads(text)}), file=answers, flush=True)


def run_jobs(
    jobs: Iterable[Job],
    parallel: int = 2,
    timeout: float = 120,
    on_done: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    "Run jobs, `parallel` at once, each for at most `timeout` seconds; one Outcome for each job, in order."
    jobs = list(jobs)
    if not jobs:
        return []
    order = {"jobs": [asdict(j) for j in jobs], "parallel": parallel, "timeout": timeout}
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-c", "from aiops_wb.render.engine import serve; serve()"]
    done = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | single
    ) as helper:
        try:
            json.dump(order, helper.stdin, default=str)
            helper.stdin.close()
            for line in helper.stdout:
                answer = json.loads(line)
                done[answer["index"]] = Outcome(**answer["outcome"])
                on_done(done[answer["index"]])
        except BaseException:
            helper.kill()
            raise
    lost = Outcome(
        "", "failed", f"the helper process that runs reports died (exit code {helper.returncode})."
    )
    return [done.get(i) or replace(lost, name=job.name) for i, job in enumerate(jobs)]
