"""The site: links lead somewhere, nothing comes from another host, every public name is told."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from assemble import complain
from links import LINK, broken, loaded_from_elsewhere
from sphinx.util.inventory import InventoryFile
from typer.testing import CliRunner

import aiops_wb
from aiops_wb.cli import app
from aiops_wb.config import Settings
from aiops_wb.render.glossary import WORDS

ROOT = Path(__file__).parent.parent
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name != "index.md")
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
DOCUMENTS += ["bench/README.md", "examples/README.md"]


# a third of a build is the collector looking through trees of nodes that all stay
ASSEMBLE = f"""
import gc, runpy, sys
gc.disable()
sys.path[0] = {str(ROOT / "docs")!r}
runpy.run_path({str(ROOT / "docs" / "assemble.py")!r}, run_name="__main__")
"""


def build(folder, scratch, *options):
    command = [sys.executable, "-c", ASSEMBLE, folder, "--scratch", scratch, *options]
    ran = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=os.environ | {"NO_COLOR": "1"}
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    "The whole site but for the outputs of its notebooks."
    root = tmp_path_factory.mktemp("docs")
    return build(root / "site", root / "scratch", "--no-execute")


@pytest.mark.slow
def test_no_link_is_broken(site):
    assert len(list(site.rglob("*.html"))) > 20
    assert list(broken(site)) == []


@pytest.mark.slow
def test_nothing_is_loaded_from_another_host(site):
    assert list(loaded_from_elsewhere(site)) == []


@pytest.mark.parametrize(
    ("text", "loads"),
    [
        ('<script src="https://cdn.example.org/a.js"></script>', 1),
        ('<img srcset="//x.org/a.png 2x">', 1),
        ('<link rel="stylesheet" href="http://x.org/a.css">', 1),
        ('<p style="background: url(https://x.org/a)">', 1),
        ("<style>@import 'https://x.org/a.css';</style>", 1),
        ('<a href="https://x.org">out</a>', 0),
        ('<script>import("https://x.org/a.js") // see https://y.org</script>', 1),
        ('<img src="a.png">', 0),
        ('<script>f("http://www.w3.org/2000/svg")</script>', 0),
    ],
)
def test_the_search_for_other_hosts_finds_them(tmp_path, text, loads):
    (tmp_path / "page.html").write_text(text)
    assert len(list(loaded_from_elsewhere(tmp_path))) == loads


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ('<a href="none.html">', 1),
        ('<a href="#none">', 1),
        ('<a href="#here" id="here">', 0),
        ('<img src="a.png">', 1),
        ('<a href="page.html#none">', 1),
        ('<a href="page.html">', 0),
        ('<a href="https://x.org/none">', 0),
    ],
)
def test_the_search_for_broken_links_finds_them(tmp_path, text, links):
    (tmp_path / "page.html").write_text(text)
    assert len(list(broken(tmp_path))) == links


def test_a_site_with_a_broken_link_or_a_load_from_elsewhere_is_an_error(tmp_path, capsys):
    (tmp_path / "page.html").write_text('<p id="here"><a href="page.html#here">')
    assert complain(tmp_path) == 0 and capsys.readouterr().err == ""
    (tmp_path / "other.html").write_text('<a href="none.html"><img src="https://x.org/a.png">')
    assert complain(tmp_path) == 1
    assert capsys.readouterr().err.splitlines() == [
        "other.html: none.html leads nowhere",
        "other.html: https://x.org/a.png is loaded",
    ]


@pytest.mark.slow
def test_every_name_offered_at_the_top_is_told(site):
    told = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    known = {
        name for kind, objects in told.data.items() if kind.startswith("py:") for name in objects
    }
    index = (site / "api" / "index.html").read_text(encoding="utf-8")
    assert len(aiops_wb.__all__) > 10
    for name in aiops_wb.__all__:
        thing = getattr(aiops_wb, name)
        full = f"{thing.__module__}.{thing.__qualname__}"
        assert full in known and f'title="{full}"' in index, name


@pytest.mark.parametrize("name", aiops_wb.__all__)
def test_a_name_offered_at_the_top_says_what_it_is(name):
    assert re.match(r"\S.{10,}", getattr(aiops_wb, name).__doc__ or "")


def told_by_help(*words):
    "Commands that help names, with all words that call them, and what help says of each."
    said = CliRunner().invoke(app, [*words, "--help"], prog_name="aiops-wb").output
    for name, text in re.findall(
        r"^  ([a-z][a-z-]*)  +(\S.*)", said.partition("Commands:")[2], re.M
    ):
        yield (*words, name), text
        yield from told_by_help(*words, name)


@pytest.mark.slow
def test_every_command_has_help_and_stands_in_the_documentation(site):
    commands = list(told_by_help())
    page = (site / "commands.html").read_text(encoding="utf-8")
    assert len(commands) > 20
    for words, text in commands:
        assert len(text) > 10, f"{' '.join(words)} says no more than {text!r}"
        assert f'<section id="aiops-wb-{"-".join(words)}">' in page


@pytest.mark.slow
def test_every_setting_stands_in_the_documentation(site):
    page = (site / "settings.html").read_text(encoding="utf-8")
    assert all(f">{name}</span>" in page for name in Settings.model_fields)


@pytest.mark.slow
def test_directives_of_the_export_are_not_shown_and_exported_code_is(site):
    text = (site / "nbs" / "stats" / "00_points.html").read_text(encoding="utf-8")
    assert "tag_exported" in text and not re.search(
        r"#\s*\|\s*(export|hide|default_exp)", re.sub("<[^>]+>", "", text)
    )


def slug(heading):
    "The anchor that a code host gives to a heading."
    return re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", heading).strip().lower()).replace(" ", "-")


def headings(path):
    "The headings of a page or a notebook."
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = (c for c in json.loads(text)["cells"] if c["cell_type"] == "markdown")
        text = "\n".join("".join(cell["source"]) for cell in cells)
    return re.findall(r"^#+ (.*)", text, re.M)


def leads_nowhere(path):
    "Links of a page of the repository that lead to no file, or to no heading of it."
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        if not target.exists() or (
            parts.fragment and parts.fragment not in map(slug, headings(target))
        ):
            yield link


@pytest.mark.parametrize("name", [*DOCUMENTS, "docs/llms.txt", *(f"docs/{p}" for p in PAGES)])
def test_links_of_the_documents_hold_in_the_repository_too(name):
    assert list(leads_nowhere(ROOT / name)) == []


@pytest.mark.parametrize(
    "link", ["none.md", "page.md#none", "#none", "../bench/none.md", "notebook.ipynb#none"]
)
def test_a_link_that_leads_nowhere_in_the_repository_is_found(tmp_path, link):
    cells = [{"cell_type": "markdown", "source": ["# A head"]}]
    (tmp_path / "notebook.ipynb").write_text(json.dumps({"cells": cells}))
    page = tmp_path / "page.md"
    page.write_text(f"# A page\n[one]({link}) [two](#a-page) [three](notebook.ipynb#a-head)")
    assert list(leads_nowhere(page)) == [link]


def test_the_list_for_programs_has_the_form_and_names_every_page_of_ours():
    text = (ROOT / "docs" / "llms.txt").read_text(encoding="utf-8")
    assert re.match(r"# aiops_wb\n\n> \S.*\n\n", text)
    below = text.partition("\n## ")[2]
    for line in below.splitlines()[1:]:
        assert not line or re.match(r"## \S|- \[[^]]+\]\(\S+\): \S", line), line
    named = {(ROOT / "docs" / link).resolve() for link in LINK.findall(text)}
    ours = {ROOT / "docs" / page for page in PAGES} | {ROOT / name for name in DOCUMENTS}
    assert named >= ours | set((ROOT / "nbs" / "guides").glob("*.ipynb"))
    assert all(path.exists() for path in named)


@pytest.mark.slow
def test_the_list_for_programs_leads_somewhere_on_the_site(site, tmp_path):
    text = (site / "llms.txt").read_text(encoding="utf-8")
    links = LINK.findall(text)
    assert len(links) > 20 and all((site / link).is_file() for link in links)
    assert {"settings.html", "commands.html", "glossary.html", "docs/operator.html"} <= set(links)
    shutil.copy(site / "settings.html", tmp_path)
    (tmp_path / "llms.txt").write_text("- [a](settings.html): here\n- [b](none.html): not here\n")
    assert ("llms.txt", "none.html") in list(broken(tmp_path))


@pytest.mark.slow
def test_the_glossary_of_the_site_is_the_one_of_the_pages(site):
    text = (site / "glossary.html").read_text(encoding="utf-8")
    for word in WORDS:
        assert f">{html.escape(word.word, quote=False)}<" in text, word.word
    assert text.count("<dd>") == len(WORDS) > 50


def test_readme_is_two_screens_with_the_picture_of_the_front_page():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 90 and len(text) < 6_000
    (picture,) = re.findall(r"!\[[^]]{20,}\]\((docs/front\.png)\)", text)
    assert (ROOT / picture).stat().st_size < 150_000


@pytest.mark.slow
def test_the_whole_site_with_every_notebook_executed(tmp_path):
    "The cache of `make docs` is used, so that a notebook runs once for both."
    folder = build(tmp_path / "site", ROOT / "build" / "docs")
    assert list(broken(folder)) == [] and list(loaded_from_elsewhere(folder)) == []
    assert "cell_output" in (folder / "nbs" / "00_tour.html").read_text(encoding="utf-8")
