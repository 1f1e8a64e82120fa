"""The site: links lead somewhere, nothing comes from another host, every public name is told."""

import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from sphinx.util.inventory import InventoryFile
from typer.testing import CliRunner

import aiops_wb
from aiops_wb.cli import app
from aiops_wb.config import Settings

ROOT = Path(__file__).parent.parent
LOADS = {"link": "href", "image": "href", "use": "href", "object": "data", "form": "action"}
NAMESPACES = ("http://www.w3.org/",)  # names of languages; nobody asks that host for anything


class Page(HTMLParser):
    "What a page can be pointed at, what it points at, and what a browser loads for it."

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads, self.style, self.script = {""}, [], [], [], []
        self.inside = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = {name: value or "" for name, value in attributes}
        self.inside = tag if tag in ("style", "script") else None
        self.anchors |= {given[k] for k in ("id", "name") if k in given}
        if tag in ("a", "area") and "href" in given:
            self.links.append(given["href"])
        names = ("src", "poster", "background", "xlink:href", LOADS.get(tag))
        self.loads += [given[name] for name in names if name in given]
        self.loads += re.findall(r"(\S+)(?:\s+[\d.]+[wx])?(?:,|$)", given.get("srcset", ""))
        self.style.append(given.get("style", ""))

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside:
            getattr(self, self.inside).append(data)


def in_css(text):
    "What a style sheet loads."
    loads = re.findall(r"url\(\s*['\"]?([^'\")]+)", text) + re.findall(
        r"@import\s+['\"]([^'\"]+)", text
    )
    return [url for url in loads if not url.startswith("data:")]


def in_js(text):
    "Addresses in the strings of a script; what comments say is for people."
    text = re.sub(r"/\*.*?\*/|(?<![:'\"`\w])//[^\n]*", "", text, flags=re.S)
    urls = re.findall(r"(?:https?:)?//[\w-]+\.[\w.-]+[^\s'\"`)]*", text)
    return [url for url in urls if not url.startswith(NAMESPACES)]


def foreign(url):
    return bool(urlsplit(url).netloc) or urlsplit(url).scheme in ("http", "https", "ftp")


@cache
def page(path):
    return Page(path.read_text(encoding="utf-8"))


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


def broken(folder):
    "Links of a site's pages that lead to no file, or to no place in it."
    for path in sorted(folder.rglob("*.html")):
        found = page(path)
        for link in (*found.links, *found.loads):
            parts = urlsplit(link)
            if foreign(link) or parts.scheme in ("mailto", "data"):
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            if not target.is_file() or (
                target.suffix == ".html"
                and unquote(parts.fragment) not in page(target.resolve()).anchors
            ):
                yield path.relative_to(folder).as_posix(), link


def loaded_from_elsewhere(folder):
    "What pages, style sheets and scripts would load from another host."
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".html":
            found = page(path)
            loads = [*found.loads, *in_css("\n".join(found.style)), *in_js("\n".join(found.script))]
        elif path.suffix in (".css", ".js", ".svg"):
            text = path.read_text(encoding="utf-8")
            loads = in_js(text) if path.suffix == ".js" else in_css(text)
        else:
            continue
        yield from ((path.relative_to(folder).as_posix(), url) for url in loads if foreign(url))


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


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "bench/README.md",
        "docs/public_api.md",
        "docs/examples.md",
        "docs/mcp.md",
    ],
)
def test_links_of_the_documents_hold_in_the_repository_too(name):
    path = ROOT / name
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        assert target.exists(), link
        if parts.fragment:
            headings = re.findall(r"^#+ (.*)", target.read_text(encoding="utf-8"), re.M)
            assert parts.fragment in map(slug, headings), link


@pytest.mark.slow
def test_the_whole_site_with_every_notebook_executed(tmp_path):
    "The cache of `make docs` is used, so that a notebook runs once for both."
    folder = build(tmp_path / "site", ROOT / "build" / "docs")
    assert list(broken(folder)) == [] and list(loaded_from_elsewhere(folder)) == []
    assert "cell_output" in (folder / "nbs" / "00_tour.html").read_text(encoding="utf-8")
