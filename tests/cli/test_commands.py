"""The commands themselves: help, documentation, spellings of before, what help costs."""

import re
import subprocess
import sys
from pathlib import Path
from sys import maxsize

import pytest
from recorded import hold, loaded_anew
from typer.main import get_command

from aiops_wb.cli import app, main
from aiops_wb.cli.app import COMMANDS
from aiops_wb.cli.later import Later
from aiops_wb.cli.old import RENAMED, VERBS, translate

ROOT = Path(__file__).parents[2]
PAGES = [f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md")) if p.stem != "index"]
GUIDES = sorted((ROOT / "nbs" / "guides").glob("*.ipynb"))
DOCUMENTS = [ROOT / "README.md", *(ROOT / page for page in PAGES), *GUIDES]


def walk(command, *words):
    "Every command and group below a command, with the words that call it."
    command = command.load() if isinstance(command, Later) else command
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from walk(below, *words, name)


ALL = {" ".join(words): command for words, command in walk(get_command(app))}
LEAVES = {name: command for name, command in ALL.items() if not hasattr(command, "commands")}


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_parameter_has_help(name):
    assert re.match(r"[A-Z].*\.$", ALL[name].help or ""), "a sentence"
    for parameter in ALL[name].params:
        assert parameter.help, f"{name} {parameter.name}"


SHOWN = "opts required nargs multiple default metavar min max count is_flag show_default help"


def as_given(parameter):
    "What a parameter is called, what it takes, and what help says of it."
    parser = getattr(parameter.type_descriptor.parameter_info, "parser", None)
    taken = getattr(parser, "__name__", parameter.type_descriptor.annotation)
    shown = {name: getattr(parameter, name, None) for name in SHOWN.split()}
    return f"  {taken} { ({name: v for name, v in shown.items() if v not in (None, False)}) }"


def test_what_commands_take_is_what_it_was():
    told = []
    for file in sorted((ROOT / "aiops_wb" / "cli").glob("*.py")):
        module = loaded_anew(file) if not file.name.startswith("_") else None
        if not hasattr(module, "app") or file.stem == "app":
            continue
        for words, command in walk(get_command(module.app)):
            told.append(f"{file.stem} {' '.join(words)} {type(command).__name__}")
            of_all = {"data", "reports_folder", "config", "verbose", "quiet"}
            skipped = of_all if file.stem != "status" else ()
            told += [as_given(p) for p in command.params if p.name not in skipped]
    hold(__file__, "what commands take", "\n".join(told), maxsize)


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_stands_in_the_documentation(name):
    written = "\n".join(document.read_text() for document in DOCUMENTS)
    assert re.search(rf"aiops-wb {name}\b", written), f"aiops-wb {name} is not documented"


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_takes_the_common_options(name):
    options = {o for p in LEAVES[name].params for o in p.opts}
    assert {"--data", "--reports-dir", "--config", "-v", "--verbose", "-q", "--quiet"} <= options
    if name.split()[-1] in ("list", "status", "config"):
        assert "--json" in options


def test_there_are_no_other_commands():
    assert {name.split()[0] for name in LEAVES} == set(COMMANDS) and len(LEAVES) == 101


@pytest.mark.parametrize(
    "file", sorted((ROOT / "aiops_wb" / "cli").glob("*.py")), ids=lambda p: p.stem
)
def test_a_file_is_short_and_knows_no_sql(file):
    text = file.read_text()
    assert text.count("\n") <= 200
    assert not re.search(r"\b(SELECT|FROM|WHERE|IS NOT NULL)\b|\.(execute|frame)\(", text)


def known_options(words):
    "The options of the command that words begin with."
    named = next(" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in LEAVES)
    return {o for p in LEAVES[named].params for o in (*p.opts, *p.secondary_opts)}


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *PAGES])
def test_documented_commands_and_targets_exist(document):
    text = (ROOT / document).read_text().replace("\\\n", " ")  # lines that go on
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for target in re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M):
        assert target in targets, target
    said = re.findall(r"'aiops-wb ([a-z][^'`\n]*)'", text)  # as a message names a command
    for line in (*re.findall(r"(?<!')aiops-wb ([a-z][^`\n]*)", text), *said):
        assert line in ALL or set(re.findall(r" (--[a-z-]+)", line)) <= known_options(
            line.split()
        ), line


OLD = {
    "train --model m --version w": "models train --model m --version w",
    "activate --model m --version v --why x": "models promote --model m --version v --why x",
    "rollback --model m --why x": "models rollback --model m --why x",
    "calibrate --model m --days 60": "calibrations make --model m --days 60",
    "calibrate --model m --list --version v": "calibrations list --model m --version v",
    "cases": "cases send",
    "cases --data d": "cases send --data d",
    "cases --list --days 3": "cases list --days 3",
    "drift --days 60": "drift list --days 60",
    "drift": "drift list",
    "drift --model m --explain --without x": "drift explain --model m --without x",
    "calendar": "calendar list",
    "calendar --model m": "calendar list --model m",
    "calendar --add Easter --from 2026-04-05": "calendar add --from 2026-04-05 -- Easter",
    "calendar --why x --remove=-1": "calendar remove --why x -- -1",
    "sites --file s.csv --why x": "sites load --why x -- s.csv",
    "threshold --model m": "thresholds show --model m",
    "threshold --try 0.5 --model m": "thresholds simulate --model m -- 0.5",
    "threshold --model m --set=-1.5 --why x": "thresholds set --model m --why x -- -1.5",
    "threshold --model m --rollback --why x": "thresholds rollback --model m --why x",
}


@pytest.mark.parametrize("before", OLD)
def test_an_old_spelling_is_put_into_todays_words_with_a_warning(before):
    now, warning = translate(before.split())
    assert now == OLD[before].split()
    assert f"'{' '.join(now[:2])}' now" in warning and "\n" not in warning


def test_the_upgrade_notes_list_every_old_spelling():
    text = (ROOT / "docs" / "upgrading.md").read_text()
    rows = re.findall(r"^\| `([a-z]+(?: --[a-z]+)?)` \| `aiops-wb ([a-z ]+)` \|$", text, re.M)
    assert {before for before, _ in rows} == {*RENAMED} | {
        f"{command} {option}" for command, options in VERBS.items() for option in options
    }
    for before, now in rows:
        assert translate(before.split())[0] == now.split(), before


TODAY = [
    "",
    "--help",
    "cases --help",
    "drift -h",
    "audit list",
    "audit --help",
    "retrain --flag on",
    "nothing",
]


@pytest.mark.parametrize("now", [*sorted(set(OLD.values())), *TODAY])
def test_todays_spellings_are_left_alone(now):
    assert translate(now.split()) == (now.split(), None)


def test_activate_is_another_word_for_promote():
    assert translate(["models", "activate", "--why", "x"]) == (
        ["models", "promote", "--why", "x"],
        None,
    )


def test_bare_audit_lists_without_a_warning():
    assert translate(["audit"]) == (["audit", "list"], None)
    assert translate(["audit", "--data", "d"]) == (["audit", "list", "--data", "d"], None)


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("mod", {"models"}),
        ("models s", {"show", "shadow"}),
        ("models promote --ver", {"--version", "--verbose"}),
        ("daily --reports ", {"all", "last", "none"}),
    ],
)
def test_words_are_completed_in_a_shell(words, completions, monkeypatch, capsys):
    monkeypatch.setenv("_AIOPS_WB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"aiops-wb {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) + words.endswith(" ")))
    assert main([]) == 0
    assert set(capsys.readouterr().out.split()) == completions


HELP = """import sys, time
from aiops_wb.cli import main
main(["--help"])
heavy = ("pandas", "duckdb", "scipy", "numpy", "pydantic", "rich.console")
print(time.process_time(), *(name for name in heavy if name in sys.modules))"""


def test_help_costs_little():
    once = [sys.executable, "-c", HELP]
    runs = [subprocess.run(once, capture_output=True, text=True, check=True) for _ in range(3)]
    costs = [run.stdout.splitlines()[-1].split() for run in runs]
    assert min(float(seconds) for seconds, *_ in costs) < 0.4
    assert all(not loaded for _, *loaded in costs)


def test_a_command_loads_no_optional_part_that_costs_most_of_its_start(tmp_path):
    "XGBoost imports scikit-learn where that is installed, as it is here."
    script = (
        "import sys; from aiops_wb.cli import main; code = main(); "
        "print(code, *(bool(sys.modules.get(n)) for n in ('xgboost', 'sklearn', 'scipy.stats')))"
    )
    words = ["demo", "--until", "1999-01-01", "--data", tmp_path / "data"]
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1", "True", "False", "False"], done.stderr
