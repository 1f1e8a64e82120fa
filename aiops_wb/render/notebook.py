"""One report: a notebook executed in this process, and rendered as a page without its code."""

import json
import os
import traceback
from collections.abc import Mapping
from html import escape
from itertools import pairwise
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from urllib.parse import quote

import papermill
from IPython.core.displayhook import CapturingDisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook, new_output
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from ..log.durable import fsync
from ..log.modes import as_its_folder, make_below
from ..log.passing import passes
from .body import PICTURE, Part, Section, sections
from .drawing import alone_in
from .frame import Link, failure_page, filled, page, write_whole
from .jobs import Job, ReportResult
from .parameters import declared
from .sliders import SEGMENTS, scripted
from .table import CSV, ROWS
from .tables.bridge import WHY

__all__ = ["HEADLINE", "InlineEngine", "rehearse", "render", "run_job", "shell"]

HEADLINE = "application/vnd.aiops-wb.headline+json"


def shell() -> InteractiveShell:
    "The IPython shell that runs a report's cells; without a history: a report is nobody's typing."
    return InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))


class InlineEngine(Engine):
    "Executes a notebook's cells on an IPython shell in this process: no kernel has to start."

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, **_):
        "Run cell by cell until one fails (papermill calls this)."
        process = os.getpid()
        for index, cell in enumerate(nb_man.nb.cells):
            nb_man.cell_start(cell, index)
            if cell.cell_type == "code":
                cell.outputs, error = _run_cell(shell(), cell.source)
                if os.getpid() != process:  # forked by the cell, whose end is its end: the report
                    os._exit(0)  # and its files are those of the process that began it
                cell.execution_count = index
                if error is not None:
                    nb_man.cell_exception(cell, index, exception=error)
                    return
            nb_man.cell_complete(cell, index)


def _run_cell(shell, source):
    "Outputs of one cell, and the exception that ended it (None when none did)."
    with capture_output() as captured:
        shell.display_trap.hook = CapturingDisplayHook(shell, shell.display_pub.outputs)
        result = shell.run_cell(source, store_history=True)
    outputs = _printed(captured) if result.success else []
    outputs += [
        new_output("display_data", data=shown.data, metadata=shown.metadata or {})
        for shown in captured.outputs
    ]
    error = result.error_before_exec or result.error_in_exec
    if isinstance(error, SystemExit):  # papermill would take exit code 0 for success
        error = RuntimeError(
            f"sys.exit({error.code!r}) was called; a report ends with its last cell"
        )
    if error is not None:
        outputs.append(_error_output(error))
    return outputs, error


def _printed(captured):
    "What a cell printed, as outputs."
    streams = (("stdout", captured.stdout), ("stderr", captured.stderr))
    return [new_output("stream", name=name, text=text) for name, text in streams if text]


def _error_output(error):
    return new_output(
        "error",
        ename=type(error).__name__,
        evalue=str(error),
        traceback=traceback.format_exception(error),
    )


def _parameters(parameters: Mapping[str, Any], notebook: Path) -> dict[str, Any]:
    "Parameters as JSON values; ValueError for one that the notebook does not declare."
    allowed = declared(notebook)
    unknown = sorted(set(parameters) - allowed)
    if unknown:
        raise ValueError(
            f"{notebook.name} has no parameter {unknown[0]!r}: "
            f"its parameters are {', '.join(sorted(allowed)) or 'none'}."
        )
    return json.loads(json.dumps(parameters, default=str))


def _options(job):
    "What papermill needs to know of an engine; a kernel looks beside the notebook of one's own."
    if job.engine != "inline":
        beside = f"import sys; sys.path.append({str(job.notebook.parent)!r})"
        return {"extra_arguments": [f"--IPKernelApp.exec_lines={beside}"]} if job.own else {}
    papermill_engines.register("inline", InlineEngine)
    return {"engine_name": "inline", "kernel_name": "python3", "language": "python"}


def _execute(job):
    """The executed notebook (None when a cell failed), the error, and whether that may pass; the
    notebook is saved whole."""
    executed = job.target.with_suffix(".ipynb")
    aside = executed.with_name(f".{executed.name}.{os.getpid()}.tmp.ipynb")
    parameters, options = _parameters(job.parameters, job.notebook), _options(job)
    make_below(job.target.parent)
    nb, error, passing = None, None, False
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
        error, passing = _traceback(failed), passes(failed.ename, failed.evalue)
    except BaseException:  # an output that no file takes, say: nothing half written stays
        aside.unlink(missing_ok=True)
        raise
    if aside.exists():
        as_its_folder(aside)
        fsync(aside)
        aside.replace(executed)
    return nb, error, passing


def _traceback(failed):
    if isinstance(failed.traceback, list):
        return "".join(failed.traceback)
    return f"{failed.ename}: {failed.evalue}\n{failed.traceback}"


def render(nb: NotebookNode, job: Job) -> str:
    "An executed notebook as a page without code; what stands beside it is linked."
    told, shown = sections(nb), 0
    for section in told:
        for place, part in enumerate(section.parts):
            if part.kind == "drawing":
                shown += 1
                section.parts[place] = part._replace(value=alone_in(part.value, f"d{shown}"))
    if _first(nb, ROWS):
        every, file = (quote(path.name) for path in _all_rows(job))
        links = f'<a href="{every}">as a page</a> and <a href="{file}">as a file</a>'
        every_row = f"<p>Every row of the table, to be searched: {links}.</p>"
        told.append(Section([Part("text", every_row)]))
    moves = any(part.kind == "slider" for section in told for part in section.parts)
    return filled(
        "report.html",
        job.title,
        "../../" if job.navigation else None,  # a page that stands alone leads nowhere
        sections=told,
        navigation=job.navigation,
        beside=_segments(job).name,
        **(scripted() if moves else {}),
    )


def _segments(job):
    "Where the page of tenants and sites lies that a report links to."
    return job.target.parent / f"{job.target.stem}.segments.html"


def _all_rows(job):
    "Where all rows of a report's table go: as a page, and as a file."
    folder, stem = job.target.parent, job.target.stem
    return folder / f"{stem}-all.html", folder / f"{stem}.csv"


def _write_beside(nb, job):
    "Write what stands beside a report; what an earlier run left there is removed."
    written = [] if nb is None else [*_write_segments(nb, job), *_write_rows(nb, job)]
    for path in {_segments(job), *_all_rows(job)}.difference(written):
        path.unlink(missing_ok=True)


def _write_segments(nb, job):
    "Write the page of tenants and sites where a report has one; which files were written."
    slider = _first(nb, SEGMENTS)
    if slider is None:
        return []
    html = filled(
        "segments.html",
        f"{job.title} by tenant and site",
        "../../",
        navigation=_leading_back(job),
        slider=slider,
        back=job.target.name,
        **scripted(),
    )
    write_whole(_segments(job), html)
    return [_segments(job)]


def _leading_back(job):
    "A report's navigation in which its own name, the last that is no link, leads to it."
    here = max((i for i, link in enumerate(job.navigation) if not link.href), default=None)
    return [
        link._replace(href=job.target.name) if i == here else link
        for i, link in enumerate(job.navigation)
    ]


def _write_rows(nb, job):
    "Write all rows of a table of which the page shows the first; which files were written."
    rows = _first(nb, ROWS)
    if rows is None:
        return []
    every, file = _all_rows(job)
    back = [Link("Back to the report", quote(job.target.name))]
    told = "<p>No script runs here: search with the browser (Ctrl+F), sort in the file.</p>"
    write_whole(file, _first(nb, CSV))
    title = f"{job.title}: every row"
    body = f"<h1>{escape(title)}</h1>{told}{rows}"
    write_whole(every, page(title, body, [*job.navigation, *back]))
    return [every, file]


def rehearse() -> None:
    "Make a shell and a page: what that loads is there before a process forks, not in each fork."
    shell()
    nb = new_notebook(cells=[new_markdown_cell("# A\n\nB")])
    render(nb, Job("", Path(), Path(), {}, ""))


def _first(nb, mime):
    "The first output of a kind in a notebook, None without one."
    for cell in nb.cells:
        for output in cell.get("outputs", []):
            if mime in output.get("data", {}):
                data = output["data"][mime]
                return "".join(data) if isinstance(data, list) else data
    return None


def run_job(job: Job) -> ReportResult:
    "Execute and render one job in this process."
    times = [(perf_counter(), process_time())]
    nb, error, passing = _execute(job)
    times.append((perf_counter(), process_time()))
    failed = nb is None
    html = failure_page(job.title, error, job.navigation) if failed else render(nb, job)
    _write_beside(nb, job)
    write_whole(job.target, html)
    times.append((perf_counter(), process_time()))
    seconds, cpu = ([round(b - a, 3) for a, b in pairwise(clock)] for clock in zip(*times))
    return ReportResult(
        job.name,
        "failed" if failed else "ok",
        error,
        headline=None if failed else _first(nb, HEADLINE),
        picture=None if failed else _first(nb, PICTURE),
        why=None if failed else _first(nb, WHY),
        passing=passing,
        seconds=dict(zip(("execute", "render"), seconds)),
        cpu=dict(zip(("execute", "render"), cpu)),
    )
