"""Old reports packed away: an archive for each day, and pages that say where they are.

The manifest of a day and the pages that are made from it stay as they are, with their pictures, so
that the front page, the news and the links between days hold. Reports, their notebooks and their
tables go into `reports.zip` of the day; where a report lay, a page leads there.
"""

from collections.abc import Collection, Iterator
from datetime import date
from html import escape
from pathlib import Path

from ..log.names import OF_DAY, name_of_file
from ..log.packed import UNREADABLE, pack
from .frame import Link, page, write_whole

__all__ = ["ARCHIVE", "archive_reports"]

ARCHIVE = "reports.zip"
"The file of a day's reports, in the folder of the day."
_MARK = b'data-packed="reports.zip"'
_STAYS = (".svg",)
"Pictures, which stand in the pages that stay."


def archive_reports(reports: Path, until: date, but: Collection[str] = ()) -> list[str]:
    """Pack the reports of days before one, but for some days; what could not be packed, in a
    sentence for each day. Packed again, nothing changes; a report that was made again since takes
    the place of the one that was packed."""
    problems = []
    for folder in sorted(Path(reports).iterdir()) if Path(reports).is_dir() else []:
        if folder.name not in but and _is_before(folder, until):
            try:
                _pack_day(folder)
            except (OSError, *UNREADABLE) as error:
                problems.append(f"{folder / ARCHIVE} could not be written: {error}")
    return problems


def _is_before(folder, until):
    try:
        return date.fromisoformat(folder.name) < until and folder.is_dir()
    except ValueError:
        return False


def _pack_day(folder):
    "The archive is whole before the first of its files goes: whoever is stopped begins again."
    loose = {str(path.relative_to(folder)): path for path in _loose(folder)}
    if not loose:
        return
    pack(folder / ARCHIVE, loose)
    for path in loose.values():
        if path.suffix == ".html":
            write_whole(path, _leading(folder.name, path))
        else:
            path.unlink()


def _loose(folder) -> Iterator[Path]:
    "The files of reports that are not packed yet."
    for path in sorted(folder.glob("*/*")):
        kept = path.name == "index.html" or path.suffix in _STAYS or path.name.startswith(".")
        if not kept and path.is_file() and not path.is_symlink() and not _is_leading(path):
            yield path


def _is_leading(path):
    return path.suffix == ".html" and _MARK in path.read_bytes()


def _leading(day, path):
    "The page that stands where a report lay."
    model = "" if path.parent.name == OF_DAY else name_of_file(path.parent.name)
    again = f"aiops-wb daily --date {day}{f' --model {model}' if model else ''}"
    body = (
        f"<p {_MARK.decode()}>This page is packed away: it is <code>{escape(path.parent.name)}/"
        f'{escape(path.name)}</code> in <a href="../{ARCHIVE}">{ARCHIVE}</a>. '
        f"<code>{escape(again)}</code> makes it again, as known now.</p>"
    )
    links = [Link("All days", "../../index.html"), Link(day, "../index.html")]
    links += [Link(model, "index.html")] if model else []
    return page(f"{model or path.stem}, {day}: packed away", body, links)
