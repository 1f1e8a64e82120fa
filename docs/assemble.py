"""Build the site: `python docs/assemble.py [--no-execute] [folder]`, or `make docs`.

The sources are put together in the shape of this repository, with the pages of `docs/` on top. So a
link between README, CONTRIBUTING, a page of `docs/` and a notebook holds in both places, and no
text is kept twice. What Sphinx warns of, a link that leads nowhere and whatever would be loaded
from another host end it with an error.
"""

import argparse
import json
import logging
import os
import posixpath
import re
import shutil
import sys
from hashlib import sha256
from pathlib import Path

from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

import links  # noqa: E402
import reference  # noqa: E402

PAGES = {  # the project's own documents, and what the site calls them
    "README.md": "Getting started",
    "CONTRIBUTING.md": "Contributing",
    "CHANGELOG.md": "Changelog",
    "bench/README.md": "Benchmarks",
    "examples/README.md": "Programs around the workbench",
}
FRONT = "index.md"  # the first page of the site; others are read in the repository as well
LESSONS = ("guides", "stats", "models", "reports")
NOT_RUN = "*Runs every morning on the published log; shown here without what it prints.*"
MODULE = re.compile(r"\]\(((?:\.\./)*)aiops_wb/(\w+)(/\w*)?(?:\.py)?\)")  # a link to source code
PAGE_OF = {  # others: api/<layer>
    "__init__": "api/index",
    "config": "settings",
    "cli": "commands",
    "render/glossary": "glossary",
}
DIRECTIVE = re.compile(r"^#\s*\|\s*(\w+).*\n?", re.M)


def at_home(text: str) -> str:
    "Links to source code lead to the page about it, those to the start of the notebooks to README."

    def page(link: re.Match) -> str:
        up, layer, module = link.groups()
        named = PAGE_OF.get(f"{layer}{module or ''}") or PAGE_OF.get(layer) or f"api/{layer}"
        return f"]({up}{named}.md)"

    text = MODULE.sub(page, text)
    return re.sub(r"\]\(((?:\.\./)*)index\.ipynb", r"](\1../README.md", text)


def readable(notebook: dict, note: str = "") -> dict:
    "A notebook for readers: no directives, exported cells marked, hidden ones run but not shown."
    cells = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        said = set(DIRECTIVE.findall(text)) if cell["cell_type"] == "code" else set()
        source = DIRECTIVE.sub("", text) if cell["cell_type"] == "code" else at_home(text)
        tags = [tag for tag in cell["metadata"].get("tags", []) if tag == "remove-input"]
        tags += ["exported"] if said & {"export", "exporti"} else []
        tags += ["remove-cell"] if "hide" in said else []
        if source.strip():
            cells.append(cell | {"source": source, "metadata": {"tags": tags} if tags else {}})
    told = [{"cell_type": "markdown", "id": "note", "metadata": {}, "source": note}] if note else []
    return notebook | {"cells": [*cells[:1], *told, *cells[1:]]}


def copy_documents(source: Path) -> None:
    "The project's own documents, with the reference where they link to code, and our pages."
    for name, title in PAGES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(r"\A# .*", f"# {title}", (ROOT / name).read_text(encoding="utf-8"))
        (source / name).write_text(at_home(text), encoding="utf-8")
    for program in ROOT.glob("examples/*.py"):  # the page about them hands them out
        shutil.copy(program, source / "examples" / program.name)
    ours = source / HERE.name
    ours.mkdir()
    for page in HERE.glob("*.md"):
        target = source if page.name == FRONT else ours
        (target / page.name).write_text(at_home(page.read_text(encoding="utf-8")), encoding="utf-8")
    for picture in (*HERE.glob("*.png"), *HERE.glob("*.svg")):
        shutil.copy(picture, ours / picture.name)


def for_machines(target: Path) -> None:
    "The list of pages for programs that read (llmstxt.org), at the root of the site."
    text = at_home((HERE / "llms.txt").read_text(encoding="utf-8"))

    def built(link: re.Match) -> str:
        path = posixpath.normpath(posixpath.join(HERE.name, link[1]))
        return f"]({path.removesuffix('.md').removesuffix('.ipynb')}.html)"

    (target / "llms.txt").write_text(links.LINK.sub(built, text), encoding="utf-8")


def copy_notebooks(source: Path) -> None:
    "Every notebook that is told to a reader."
    told = [ROOT / "nbs" / "00_tour.ipynb"]
    told += [path for folder in LESSONS for path in sorted(ROOT.glob(f"nbs/{folder}/*.ipynb"))]
    for path in told:
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        note = NOT_RUN if path.parent.name == "reports" else ""
        notebook = readable(json.loads(path.read_text(encoding="utf-8")), note)
        target.write_text(json.dumps(notebook), encoding="utf-8")


def digest() -> str:
    "One text for the state of everything that a notebook runs: an output never outlives its code."
    files = [
        p for kind in ("py", "sql", "html", "js", "css") for p in ROOT.glob(f"aiops_wb/**/*.{kind}")
    ]
    files += ROOT.glob("nbs/reports/*.ipynb")
    state = sha256()
    for path in sorted(files):
        state.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return state.hexdigest()[:16]


def cache(build: Path) -> Path:
    "The folder of executed notebooks for this state of the package; those of other states go."
    mine = build / "executed" / digest()
    for other in mine.parent.glob("*"):
        if other != mine:
            shutil.rmtree(other)
    mine.mkdir(parents=True, exist_ok=True)
    return mine


def quiet_kernels(scratch: Path) -> None:
    "Kernels that start like anybody's, without a person's own settings, and report errors only."
    profile = scratch / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    settings = {"IPKernelApp": {"log_level": logging.ERROR}}
    (profile / "ipython_kernel_config.json").write_text(json.dumps(settings), encoding="utf-8")
    os.environ["IPYTHONDIR"] = str(profile.parent)


def build(target: Path, execute: bool, scratch: Path) -> int:
    """The whole site in a folder; 0 when there was nothing to warn of.

    It is made in the scratch folder, because outputs of notebooks are put beside it as well.
    """
    source, site = scratch / "source", scratch / "site"
    for folder in (source, site):
        shutil.rmtree(folder, ignore_errors=True)
    source.mkdir(parents=True)
    copy_documents(source)
    copy_notebooks(source)
    reference.write(source)
    notebooks = {"nb_execution_mode": "off"}
    if execute:
        quiet_kernels(scratch)
        notebooks = {"nb_execution_cache_path": str(cache(scratch))}
    options = ["--quiet", "--fail-on-warning", "-c", str(HERE), "-d", str(scratch / "doctrees")]
    for name, value in notebooks.items():
        options += ["-D", f"{name}={value}"]
    code = sphinx([*options, str(source), str(site)])
    for_machines(site)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(site, target)
    return max(code, complain(target))


def complain(site: Path) -> int:
    "Say which links lead nowhere and what comes from another host; 1 where there are any."
    wrong = [f"{page}: {link} leads nowhere" for page, link in links.broken(site)]
    wrong += [f"{page}: {url} is loaded" for page, url in links.loaded_from_elsewhere(site)]
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return int(bool(wrong))


def main() -> int:
    about = argparse.ArgumentParser(description="Build the documentation site.")
    about.add_argument("folder", nargs="?", type=Path, default=ROOT / "_docs")
    about.add_argument("--no-execute", action="store_true", help="show notebooks without outputs")
    about.add_argument(
        "--scratch", type=Path, default=ROOT / "build" / "docs", help="what is kept between builds"
    )
    given = about.parse_args()
    return build(given.folder.resolve(), not given.no_execute, given.scratch.resolve())


if __name__ == "__main__":
    sys.exit(main())
