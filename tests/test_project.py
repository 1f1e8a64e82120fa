"""The shape of the project: layers, light imports, the wheel, the notebooks."""

import ast
import email
import importlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path

import pytest
from nbdev.test import test_nb as run_notebook
from wheel_check import shipped

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "aiops_wb"
NOTEBOOKS = sorted(
    p
    for p in (ROOT / "nbs").rglob("*.ipynb")
    if p.parent.name not in ("guides", "reports", ".ipynb_checkpoints") and p.stem != "index"
)
MODULES = sorted(
    str(p.relative_to(PACKAGE).with_suffix("")).replace("/", ".")
    for p in PACKAGE.rglob("*.py")
    if not p.stem.startswith("_")
)
LAYERS = (
    "config",
    "stats",
    "log",
    "models",
    "watch",
    "streams",
    "render",
    "daily",
    "replay",
    "workbench",
    "examples",
    "api",
    "service",
    "mcp",
    "cli",
    "lab",
)
HEAVY = (
    "jupyterlab",
    "anywidget",
    "papermill",
    "xgboost",
    "shap",
    "matplotlib",
    "IPython",
    "nbconvert",
    "nbdev",
    "fastcore",
    "pandas",
)


@cache
def source(module):
    return (PACKAGE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")


@cache
def tree_of(module):
    return ast.parse(source(module))


def imported(nodes, module):
    "Full names of the modules and names that some nodes of a module's syntax tree import."
    here = ["aiops_wb", *module.split(".")]
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            above = here[: -node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names if node.level)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imports(module):
    "Modules of the package that a module imports, wherever it does."
    for name in imported(ast.walk(tree_of(module)), module):
        if name.startswith("aiops_wb.") and name.removeprefix("aiops_wb.") in MODULES:
            yield name.removeprefix("aiops_wb.")


def floor_of(module):
    return LAYERS.index(module.split(".")[0])


def test_a_module_imports_only_what_stands_lower():
    assert len(MODULES) > 200
    higher = [
        f"{module} imports {other}"
        for module in MODULES
        for other in imports(module)
        if floor_of(other) > floor_of(module)
    ]
    assert not higher


def test_no_circle_of_imports():
    below = {m: set(imports(m)) - {m} for m in MODULES}
    while below:
        free = {m for m, needs in below.items() if not needs & below.keys()}
        assert free, f"these import each other: {', '.join(sorted(below))}"
        below = {m: needs for m, needs in below.items() if m not in free}


EXTRAS = {  # optional parts, imported where they are used: the package works without them
    "watch.sinks": {"urllib3", "pybreaker"},
    "watch.bounded": {"urllib3"},
    "watch.heartbeat": {"urllib3"},
    "streams.targets": {"redis", "confluent_kafka"},
    "watch.courier": {"apprise"},
    # a service that logs single events loads numpy and DuckDB at its first segment, not before
    "log.spool": {"aiops_wb.log.frames", "aiops_wb.stats.points"},
    "log.buffer": {"aiops_wb.log.segment"},
    "log.engines": {"aiops_wb.log.spark"},
    "watch.cases": {"aiops_wb.models.explained_cases"},
    "daily": {
        "aiops_wb.watch.takeover",
        "aiops_wb.watch.by_itself",
        "aiops_wb.models.kept_differences",
        "aiops_wb.models.kept_contributions",
        "aiops_wb.models.kept_reasons",
    },
    # a first table waits neither for what other questions need nor for drawings
    "workbench": {"aiops_wb.workbench", "aiops_wb.watch", "aiops_wb.render"},
    "streams.sources": {"aiops_wb.streams.redis_source", "aiops_wb.streams.kafka_source"},
    "api.extras": {"aiops_wb.watch.explained_event", "aiops_wb.api.deciding"},
    "render": {"jinja2", "papermill", "nbformat", "IPython", "aiops_wb.render"},
    "cli": {"aiops_wb", "pandas", "rich", "tqdm"},  # groups of commands are loaded by name
}


def nodes(*kinds):
    "Module and node of all nodes of some kinds."
    for module in MODULES:
        yield from ((module, n) for n in ast.walk(tree_of(module)) if isinstance(n, kinds))


def test_imports_stand_at_the_top_but_for_optional_parts():
    for module, function in nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        allowed = set().union(*(EXTRAS.get(place, ()) for place in (module, module.split(".")[0])))
        for name in imported(ast.walk(function), module):
            assert any(f"{name}.".startswith(f"{place}.") for place in allowed), (
                f"{module}.{function.name} imports {name}"
            )


def test_nothing_is_imported_by_star_or_patched_into_a_class():
    assert not [m for m, node in nodes(ast.ImportFrom) if node.names[0].name == "*"]
    assert not [m for m in MODULES if re.search(r"^@patch", source(m), re.M)]


def test_a_class_can_be_read_at_once():
    lines = {
        f"{m}.{node.name}": node.end_lineno - node.lineno + 1 for m, node in nodes(ast.ClassDef)
    }
    assert len(lines) > 200 and not {name: n for name, n in lines.items() if n >= 200}


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("stats.")])
def test_statistics_know_no_pandas_database_path_or_clock(module):
    text = source(module)
    assert not re.search(r"^(import|from) (pandas|duckdb|pathlib|os|time|random)\b", text, re.M)
    assert "datetime.now" not in text and "np.random" not in text


def test_only_the_edges_read_the_clock():
    inner = [m for m in MODULES if m.split(".")[0] not in ("cli", "lab", "api", "service")]
    clock = re.compile(r"datetime\.now|date\.today|Timestamp\.now")
    assert len(inner) > 150 and not [m for m in inner if clock.search(source(m))]


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import aiops_wb", ()),
        ("import aiops_wb.stats.points, aiops_wb.stats.counts, aiops_wb.stats.decisions", ()),
        ("import aiops_wb.log.spool", ()),
        ("import aiops_wb.cli", ()),
        ("import aiops_wb.cli.call, aiops_wb.log.ingest, aiops_wb.log.store", ("pandas",)),
    ],
)
def test_imports_stay_light(statement, allowed):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    loaded = ast.literal_eval(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
    )
    assert set(loaded) <= set(allowed)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    "The wheel of the tree as it stands: what an earlier build left would go into it."
    folder = tmp_path_factory.mktemp("wheel")
    shutil.rmtree(ROOT / "build" / "lib", ignore_errors=True)
    how = ["--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    command = [sys.executable, "-m", "pip", "wheel", *how, folder, ROOT]
    subprocess.run(command, check=True, cwd=folder)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as held:
        yield held


def test_the_wheel_holds_the_package_and_its_reports_and_nothing_else(wheel):
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == shipped(ROOT) and {"aiops_wb/sql/views.sql", "aiops_wb/py.typed"} <= held
    assert any(name.endswith("entry_points.txt") for name in wheel.namelist())


def test_the_wheel_says_what_it_is_and_where_more_is(wheel):
    name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    about = email.message_from_string(wheel.read(name).decode())
    told = about.get_all("Classifier")
    assert {"Typing :: Typed", "Operating System :: POSIX :: Linux"} <= set(told)
    assert sum(line.startswith("Programming Language :: Python :: 3.") for line in told) == 3
    urls = dict(line.split(", ", 1) for line in about.get_all("Project-URL"))
    assert set(urls) == {"Documentation", "Source", "Changelog", "Issues"}
    links = re.findall(r"\]\(([^)\s]+)\)", about.get_payload())
    assert len(links) > 10 and all(re.match("https?://|#", link) for link in links)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: f"{p.parent.name} {p.stem}")
def test_a_notebook_opens_as_a_lesson_and_has_no_outputs(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    assert re.match(r"# \w+\n\n> .+[.?]\n\n\w", "".join(cells[0]["source"]))
    assert not any(c.get("outputs") for c in cells)
    prose = sum(len("".join(c["source"]).split()) for c in cells if c["cell_type"] == "markdown")
    assert prose > 80


WIDTH, LINES = 110, 40


def code_cells(notebook):
    "The lines of each code cell."
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]).splitlines() for c in cells if c["cell_type"] == "code"]


EVERY = sorted(p for p in (ROOT / "nbs").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


@pytest.mark.parametrize("notebook", EVERY, ids=lambda p: f"{p.parent.name} {p.stem}")
def test_code_of_a_notebook_fits_the_page(notebook):
    for cell in code_cells(notebook):
        wide = [line for line in cell if len(line) > WIDTH]
        assert not wide, f"over {WIDTH} columns: {wide[0]}"
        if cell and cell[0].startswith("#| export"):
            assert len(cell) - 1 <= LINES, f"a cell of {len(cell) - 1} lines: {cell[1]}"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: f"{p.parent.name} {p.stem}")
def test_a_definition_is_followed_by_its_value(notebook):
    defined = None  # a public definition whose value has not been shown
    for cell in code_cells(notebook):
        if not (cell and cell[0].startswith("#| export")):
            defined = None
            continue
        body = ast.parse("\n".join(cell)).body
        named = [n for n in body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
        public = [n.name for n in named if not n.name.startswith("_")]
        assert defined is None or not public, f"{defined} is defined, and its value not shown"
        defined = public[-1] if public else defined
    assert defined is None, f"{defined} is defined, and its value not shown"


@pytest.mark.parametrize(
    "report", sorted((ROOT / "nbs" / "reports").glob("*.ipynb")), ids=lambda p: p.stem
)
def test_a_report_calls_the_package_and_defines_nothing(report):
    cells = json.loads(report.read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    assert (
        len(cells) <= 16 and sum("parameters" in c["metadata"].get("tags", []) for c in cells) == 1
    )
    assert not any(re.search(r"^\s*(def|class|lambda)\b|SELECT", c, re.M) for c in code)


GUIDES = sorted((ROOT / "nbs" / "guides").glob("*.ipynb"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda p: p.stem)
def test_a_guide_has_no_outputs_and_names_what_exists(guide):
    cells = json.loads(guide.read_text())["cells"]
    assert not any(c.get("outputs") for c in cells)
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    for module, name in re.findall(r"`(\w+)\.(\w+)\(?", text):
        named = [m for m in MODULES if m.split(".")[-1] == module]
        assert not named or any(
            hasattr(importlib.import_module(f"aiops_wb.{m}"), name) for m in named
        ), f"{module}.{name}"


LONG = {
    "18_evidence",
    "22_tuning",
    "25_recipes",
    "27_attribution",
    "28_holidays",
    "29_ab",
    "30_baselines",
    "api",
    "attendance",
    "conformal",
    "differences",
    "explain",
    "explanations",
    "live",
    "log",
    "monitoring",
    "morning",
    "own_log",
    "reports",
    "retraining",
    "scale",
    "security",
    "thresholds",
    "workbench",
}
"Notebooks of some seconds and more; what they call is tested in small elsewhere."


@pytest.mark.parametrize(
    "notebook",
    [
        pytest.param(p, marks=pytest.mark.slow if p.stem in LONG else ())
        for p in (*NOTEBOOKS, *GUIDES)
    ],
    ids=lambda p: f"{p.parent.name} {p.stem}",
)
def test_notebook_runs(notebook):
    success, _ = run_notebook(notebook)
    assert success


def test_a_notebook_of_make_lab_finds_the_log(tmp_path):
    "Its kernel stands in `nbs/`, where there is none; what a file of settings names is left alone."
    shutil.copy(ROOT / "Makefile", tmp_path)
    command = ["make", "--dry-run", "--old-file", ".venv/.ready", "lab"]

    def told():
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    assert f'AIOPS_DATA="${{AIOPS_DATA:-{tmp_path}/data}}"' in told()
    (tmp_path / "aiops.toml").touch()
    assert "jupyter lab" in told() and "AIOPS_" not in told()
