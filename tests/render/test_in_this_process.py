"""A report executed in this process: what a cell shows becomes the page, whole, and what fails is
told; where its rows, its segments and its modules lie."""

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, writes
from recorded import hold

from aiops_wb.render.engine import _job, _look_beside, _read_answer
from aiops_wb.render.frame import Link
from aiops_wb.render.jobs import Job, ReportResult
from aiops_wb.render.notebook import _options, run_job

SHOWN = [
    "from aiops_wb.watch.headlines import Headline\nHeadline('look', 'So <it> is.', 'Look.')",
    "print('seen')\nimport sys\nprint('aside', file=sys.stderr)\nn + 1",
    "from IPython.display import display\nfrom aiops_wb.render.table import Table, Whole\n"
    "import pandas as pd\nrows = pd.DataFrame({'a': ['x', '=1'], 'n': [1, 2]})\n"
    "display(Table(rows, ('a',)))\nWhole(rows.head(1), ('a',), rows, rows)",
    "class Drawn:\n    def __init__(self, k):\n        self.k = k\n    def __repr__(self):\n"
    "        return self.k\n    def _repr_svg_(self):\n"
    '        begin = \'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" \'\n'
    "        named = f'aria-labelledby=\"{self.k}-t {self.k}-d\">'\n"
    "        return f'{begin}{named}<title id=\"{self.k}-t\">T</title></svg>'\n"
    "display(Drawn('k1'))\nDrawn('k2')",
]


@pytest.fixture
def shell():
    "A shell of its own, whoever had one in this process; gone afterwards, with what it hooked."
    hooks = sys.displayhook, sys.excepthook
    InteractiveShell.clear_instance()
    yield
    InteractiveShell.clear_instance()
    sys.displayhook, sys.excepthook = hooks


def job(folder, *cells, **more):
    declared = new_code_cell("n = 1")
    declared.metadata.tags = ["parameters"]
    every = [new_markdown_cell("# A\n\nWhat it is."), declared, *map(new_code_cell, cells)]
    notebook = new_notebook(cells=every)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "", "language": "python"}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"c{number}"
    path = folder / "n.ipynb"
    path.write_text(writes(notebook))
    navigation = (Link("All days", "../../index.html"), Link("A report"))
    return Job("n", path, folder / "out" / "n.html", {"n": 41}, "A report", navigation, **more)


def told_of(folder):
    "All files of a report; times, places and versions are left out."
    for path in sorted((folder / "out").iterdir()):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            for cell in cells:
                cell.pop("metadata"), cell.pop("id")
            text = json.dumps(cells, indent=1)
        text = re.sub(r"<style>.*?</style>", "<style/>", text, flags=re.S)
        text = re.sub(r'File \\?"[^"]*", line \d+', "FILE", text)
        yield f"-- {path.name}\n{text.replace(str(folder), 'HERE')}"


def test_what_cells_show_is_the_page_and_its_rows_lie_beside_it(tmp_path, shell):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "n.segments.html").write_text("of an earlier run")
    result = run_job(job(tmp_path, *SHOWN))
    assert (result.name, result.state, result.error, result.passing) == ("n", "ok", None, False)
    assert set(result.seconds) == set(result.cpu) == {"execute", "render"}
    shown = json.dumps([result.headline, result.picture, result.why])
    hold(__file__, "shown", "\n".join([shown, *told_of(tmp_path)]))


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)", "sys.exit(0) was called; a report ends with its last cell"),
        ("raise OSError(12, 'Cannot allocate memory')", "Cannot allocate memory"),
        ("(", "SyntaxError"),
    ],
)
def test_a_cell_that_fails_ends_a_report_and_is_told(tmp_path, shell, cell, error):
    result = run_job(job(tmp_path, "print('before')", cell, "print('never')"))
    assert result.state == "failed" and error in result.error
    assert result.passing == ("memory" in error)
    assert (result.headline, result.picture, result.why) == (None, None, None)
    files = [path.name for path in sorted((tmp_path / "out").iterdir())]
    assert files == ["n.html", "n.ipynb"]
    cells = json.loads((tmp_path / "out" / "n.ipynb").read_text())["cells"]
    codes = [c for c in cells if c["cell_type"] == "code"]
    printed = [o.get("text") for c in codes for o in c["outputs"] if o["output_type"] == "stream"]
    assert printed == [["before\n"]] or printed == ["before\n"]
    if error.startswith("Zero"):
        assert re.search(r"ipython-input-\d-|<ipython|Cell In\[\d\]|ipykernel", result.error)
        page = (tmp_path / "out" / "n.html").read_text()
        assert "ZeroDivisionError" in page and "All days" in page


def test_a_parameter_that_is_not_declared_is_refused(tmp_path, shell):
    asked = job(tmp_path)
    with pytest.raises(ValueError, match="n.ipynb has no parameter 'm': its parameters are n."):
        run_job(Job(asked.name, asked.notebook, asked.target, {"m": 1, "z": 2}, "A report"))


def test_a_kernel_looks_beside_the_notebook_of_ones_own_alone(tmp_path):
    ours = job(tmp_path, engine="kernel", own=True)
    beside = f"import sys; sys.path.append({str(tmp_path)!r})"
    assert _options(ours) == {"extra_arguments": [f"--IPKernelApp.exec_lines={beside}"]}
    assert _options(job(tmp_path, engine="kernel")) == {}
    inline = {"engine_name": "inline", "kernel_name": "python3", "language": "python"}
    assert _options(job(tmp_path)) == inline


def test_modules_beside_a_notebook_are_found_last_and_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", ["first"])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    _look_beside(tmp_path / "n.ipynb")
    assert sys.path == ["first", str(tmp_path)] and sys.dont_write_bytecode


def test_a_job_and_an_answer_are_what_they_were_before_they_became_json(tmp_path):
    asked = job(tmp_path, own=True, variables={"A": "b"})
    assert _job(json.loads(json.dumps(asdict(asked), default=str))) == asked
    result = ReportResult("n", "ok", seconds={"execute": 1.0})
    line = json.dumps({"index": 3, "result": asdict(result)})
    assert _read_answer(line) == (3, result)
    for odd in ("no json", "[1]", '{"index": 1}', '{"index": 1, "result": {"other": 1}}'):
        assert _read_answer(odd) == (None, None)
    assert isinstance(asked.target, Path)
