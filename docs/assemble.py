"""Build the site: `python docs/assemble.py [--no-execute] [folder]`, or `make docs`.

The sources are put together in the shape of this repository, with the pages of `docs/` on top. So a
link between README, CONTRIBUTING and a notebook holds in both places, and no text is kept twice.
"""

import argparse
import json
import logging
import os
import re
import shutil
import sys
from hashlib import sha256
from pathlib import Path

from sphinx.cmd.build import main as sphinx

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))

import reference  # noqa: E402

PAGES = {  # the project's own documents, and what the site calls them
    "README.md": "Getting started",
    "CONTRIBUTING.md": "Contributing",
    "CHANGELOG.md": "Changelog",
    "bench/README.md": "Benchmarks",
}
LESSONS = ("guides", "stats", "models", "reports")
NOT_RUN = "*Runs every morning on the published log; shown here without what it prints.*"
MODULE = re.compile(r"\]\(((?:\.\./)*)aiops_wb/(\w+)(?:/\w*)?(?:\.py)?\)")  # a link to source code
OURS = re.compile(r"\]\(((?:\.\./)*)docs/(\w+)\.md")  # a link to one of our pages
PAGE_OF = {"__init__": "api/index", "config": "settings", "cli": "commands"}  # others: api/<layer>
DIRECTIVE = re.compile(r"^#\s*\|\s*(\w+).*\n?", re.M)


def at_home(text: str) -> str:
    "Links to source code lead to the page about it, those to the start of the notebooks to README."

    def page(link: re.Match) -> str:
        up, layer = link.groups()
        return f"]({up}{PAGE_OF.get(layer, f'api/{layer}')}.md)"

    text = MODULE.sub(page, text)
    text = OURS.sub(r"](\1\2.md", text)
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
    for page in HERE.glob("*.md"):
        text = page.read_text(encoding="utf-8").replace(
            "](../", "]("
        )  # they stand one floor higher
        (source / page.name).write_text(text, encoding="utf-8")
    for picture in HERE.glob("*.png"):
        (source / HERE.name).mkdir(exist_ok=True)
        shutil.copy(picture, source / HERE.name / picture.name)


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
    """The whole site in a folder; what Sphinx returns: 0 when there was nothing to warn of.

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
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(site, target)
    return code


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
