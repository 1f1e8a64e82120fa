"""Reports of one's own: notebooks of a folder that run in the night beside those of the package.

A notebook of `reports_folder` is a report when one of its cells is tagged `parameters`. Where that
cell declares `model` it runs for each model, else once a day. Its first heading is its title, the
paragraph behind it the question that it answers. What is in the folder and cannot run is named, in
a sentence each.

Notebooks are read here and not run; nothing but the standard library reads them.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape, unescape
from importlib.resources import files as package_files
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from ..config import Settings
from ..log.durable import write_durably
from ..log.errors import StoreError
from ..log.modes import writable_by_all
from ..log.names import file_name, nearest
from .frame import template
from .pages import QUESTIONS, RENAMED, REPORTS
from .parameters import NoParameters, Parameter, ParameterError, cells_of, parameters_of

__all__ = [
    "BY_HAND",
    "FoundReports",
    "Per",
    "Report",
    "built_in_reports",
    "find_reports",
    "make_report",
    "own_reports",
    "report_named",
    "report_notebooks",
    "reports_folder_of",
]

Per = Literal["model", "day"]
BY_HAND = "-by-hand"
"How the page of a report that was run by hand ends: it takes the place of none of the night's."


@dataclass(frozen=True)
class Report:
    "A report: of the package, or one's own."

    name: str  # of its notebook
    notebook: Path
    title: str
    question: str
    parameters: tuple[Parameter, ...]
    own: bool = True

    @property
    def file(self) -> str:
        "What its pages and its runs are called."
        return file_name(self.name)

    @property
    def per(self) -> Per:
        "Whether it runs for each model, or once a day."
        return "model" if any(one.name == "model" for one in self.parameters) else "day"


class FoundReports(NamedTuple):
    "Reports of a folder, what is there and none, and what is wrong: in sentences."

    reports: tuple[Report, ...] = ()
    left_out: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


def report_notebooks() -> dict[str, Path]:
    """The report notebooks in the order of their questions.

    Of the installed package, or of the checkout it is run from.
    """
    return {name: _place() / f"{name}.ipynb" for name in QUESTIONS}


def _place():
    "Where the notebooks of the package lie."
    package = Path(str(package_files("aiops_wb")))
    return next(p for p in (package / "reports", _beside(package)) if p.is_dir())


def _beside(package):
    return package.parent / "nbs" / "reports"


def built_in_reports() -> list[Report]:
    "The reports of the package."
    return [
        Report(name, path, *REPORTS[name], parameters_of(path), own=False)
        for name, path in report_notebooks().items()
    ]


def reports_folder_of(settings: Settings) -> Path | None:
    """The folder of one's own reports: that of the settings, else of a checkout the one where the
    package has its own. None where neither is."""
    if settings.reports_folder is not None:
        return Path(settings.reports_folder)
    package = Path(str(package_files("aiops_wb")))
    return _beside(package) if _place() == _beside(package) else None


def own_reports(settings: Settings) -> FoundReports:
    "One's own reports, as settings say where they are."
    folder = reports_folder_of(settings)
    if folder is None:
        return FoundReports()
    return find_reports(folder.absolute(), named=settings.reports_folder is not None)


def find_reports(folder: Path, named: bool = True) -> FoundReports:
    """The reports of a folder, in the order of their names. `named`: somebody said that this is
    one, so that it has to be there."""
    built_in = {path.absolute() for path in report_notebooks().values()}
    try:
        notebooks = [p for p in sorted(folder.glob("*.ipynb")) if p.absolute() not in built_in]
        notebooks = [path for path in notebooks if not path.name.startswith(".")]
        if not folder.is_dir():
            return FoundReports(left_out=(_missing(folder),) if named else ())
        open_to_all = next(_open_to_all(folder), None) if notebooks else None
    except OSError as error:
        return FoundReports(wrong=(f"{folder} cannot be looked at: {error.strerror}.",))
    if open_to_all:
        says = (
            f"everybody on this machine may write to {open_to_all}, so that no report of {folder}"
        )
        return FoundReports(wrong=(f"{says} is run: chmod o-w {open_to_all}",))
    reports, left_out, wrong = [], [], []
    for path in notebooks:
        try:
            reports.append(_report(path))
        except NoParameters as error:
            left_out.append(_as_text(f"not a report: {error}"))
        except StoreError as error:
            wrong.append(_as_text(f"a report that cannot run: {error}"))
    return FoundReports(tuple(reports), tuple(left_out), tuple(wrong))


def _as_text(sentence):
    "A sentence that any file takes: a name on the disk need not be text."
    return sentence.encode(errors="replace").decode()


def _missing(folder):
    return f"reports_folder {folder} is not there: 'aiops-wb reports new NAME' makes it."


_CODE = (".ipynb", ".py", ".pyc", ".so")


def _open_to_all(folder) -> Iterator[Path]:
    "What everybody may write to of a folder and of the code in it."
    for place, folders, names in os.walk(folder):
        folders.sort()
        here = [Path(place), *(Path(place, n) for n in sorted(names) if n.endswith(_CODE))]
        yield from (path for path in here if writable_by_all(path))


def _report(path) -> Report:
    "The report of a notebook; NoParameters, or StoreError where it cannot run."
    cells = cells_of(path)
    parameters = parameters_of(path, cells)
    if why := _taken(path.stem):
        raise ParameterError(f"{path}: {why}")
    title, question = _heading(cells)
    return Report(path.stem, path, title or path.stem, question or title or path.stem, parameters)


_ENDINGS = ("-all", ".segments", BY_HAND)
"How files are called that stand beside the page of another report."


def _taken(name) -> str:
    "Why no report of one's own may be called so; empty where it may."
    if name in QUESTIONS or name in RENAMED:
        return f"the package has a report {name!r}: call it otherwise."
    if name in ("index", "figures") or name.endswith(_ENDINGS):
        return f"other pages or runs are called {name!r}: call it otherwise."
    try:
        file_name(name)
    except UnicodeEncodeError:
        return "its name is no text in UTF-8: call it otherwise."
    except ValueError as error:
        return str(error)
    return ""


def _heading(cells):
    "The first heading of a notebook, and the paragraph behind it."
    for cell in cells:
        found = re.search(r"^# +(.+)", cell["source"], re.M) if _is_text(cell) else None
        if found:
            rest = cell["source"][found.end() :].strip().partition("\n\n")[0]
            return _plain(found[1]), _plain(rest if not rest.startswith("#") else "")
    return "", ""


def _is_text(cell):
    return cell.get("cell_type") == "markdown"


def _plain(text):
    "Text of a notebook as one line of at most so many characters."
    text = " ".join(unescape(text).lstrip("> ").split())
    return text if len(text) <= 200 else f"{text[:199]}…"


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


def make_report(
    folder: Path, name: str, per: Per = "model", title: str = "", data: Path = Path("data")
) -> Path:
    """Write a report of one's own from the template, and nothing where one is called so already;
    its place. In JupyterLab it reads the folder `data`. StoreError where it cannot be called so."""
    if per not in get_args(Per):
        raise StoreError(f"per {per!r} is not one of {', '.join(get_args(Per))}.")
    if not _NAME.fullmatch(name):
        near = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:80]
        such = f", such as {near}" if _NAME.fullmatch(near) else ""
        raise StoreError(
            f"a report cannot be called {name!r}: lower-case letters, digits, '-' and '_' are "
            f"allowed{such}; --title may say anything."
        )
    if why := _taken(name):
        raise StoreError(why)
    place = folder / f"{name}.ipynb"
    if os.path.lexists(place):
        raise StoreError(f"{place} is there already: nothing was written; choose another name.")
    if title != _as_text(title):
        raise StoreError("the title is no text in UTF-8.")
    shown = " ".join(title.split()) or name.replace("-", " ").replace("_", " ").capitalize()
    document = json.loads(template(f"own_{per}.ipynb"))
    told = {"{title}": escape(shown, quote=False), "{data}": _from(folder, data)}
    for cell, (mark, text) in zip(document["cells"], told.items()):  # a title may say {data}
        cell["source"] = [line.replace(mark, text) for line in cell["source"]]
    write_durably(place, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    return place


def _from(folder, data):
    "The way from a folder to the data, as text between double quotes."
    return json.dumps(os.path.relpath(data.absolute(), folder.absolute()), ensure_ascii=False)[1:-1]


def report_named(name: str, reports: Sequence[Report], beside: Sequence[str] = ()) -> Report:
    """A report by its name; StoreError with the nearest name where there is none, or with what is
    said of a notebook of this name `beside` them."""
    by_name = {report.name: report for report in reports}
    if name not in by_name:
        for sentence in beside:
            if f"{os.sep}{name}.ipynb" in sentence:
                raise StoreError(sentence)
        raise StoreError(f"there is no report {name!r}{nearest(name, by_name)}")
    return by_name[name]
