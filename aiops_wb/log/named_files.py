"""Files beside the catalog that name somebody, or are older than an age: found first, then
rewritten or removed; those that cannot be are named."""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from pathlib import Path

import duckdb

from .blanked import blank_rows
from .duck import literal, parquet, source, target
from .durable import fsync, write_durably
from .forgotten import Forgotten
from .gone import DayFile
from .mentions import Mentions, files_below
from .names import OF_DAY, name_of_file
from .open_file import SUFFIX
from .packed import UNFINISHED, UNREADABLE, named_in, repack
from .reason_files import OfDay
from .store import Store

__all__ = ["NamedFiles", "Places", "aged_files", "named_files"]

_EXPLAINED = ("contributions", "reasons", "differences")
_OWN = {"landing", "log", "snapshots", "spool", "rejected", "tmp", *_EXPLAINED}
_NOT_SEARCHED = ("catalog.duckdb", "aiops.duckdb", "pseudonyms.key", "catalog.lock")
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>removed</title>
<p>This page named somebody who was removed from the log, and went with them.
<code>aiops-wb daily{of}</code> makes it again.</p>
"""


@dataclass(frozen=True)
class Places:
    "What lies beside the catalog: the spool, the folder of pages, files of cases and of events."

    spool: Path
    reports: Path | None = None
    case_file: Path | None = None
    event_files: tuple[Path, ...] = ()

    @property
    def told(self) -> dict[Path, str]:
        "The files to which it is written what happens, and what each is called."
        files = dict.fromkeys(self.event_files, "a file of events")
        return files | ({self.case_file: "the file of cases"} if self.case_file else {})


@dataclass
class NamedFiles:
    "What is to be done with files, how many there are of each kind, and those that stay."

    numbers: dict[str, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    _work: list[Callable[[], object]] = field(default_factory=list)

    def add(self, kind: str, work: Callable[[], object]) -> None:
        "A file of some kind is to be rewritten or removed."
        self.numbers[kind] = self.numbers.get(kind, 0) + 1
        self._work.append(work)

    def remove(self) -> None:
        "Do it: what was done before a stop is not found again."
        for work in self._work:
            work()


def named_files(
    store: Store,
    one: Forgotten,
    days: Iterable[DayFile],
    mentions: Mentions,
    places: Places,
    shown: Callable[[Sequence, str], Iterable],
) -> NamedFiles:
    """The files that name somebody (tables `gone_ids`, `gone_cases` and `gone_keys`); `days` are
    the day files that hold predictions of theirs."""
    found, root = NamedFiles(), store.root
    _in_spool(store, one, mentions, places.spool, found)
    _landed(store, mentions, found)
    _set_aside(store, mentions, found)
    _explained(store, days, mentions, found)
    for path in _others(root, places):
        if mentions.in_file(path):
            if path.suffix == ".jsonl":
                found.add("files of cases and messages", partial(mentions.rewrite, path))
            else:
                found.kept.append(f"{path.relative_to(root)} names it")
    for path, called in places.told.items():
        _told(root, path, called, mentions, found)
    pages = list(files_below(places.reports)) if places.reports else []
    for path in shown(pages, "searching pages"):
        if path.suffix == ".zip":
            _packed_pages(path, places.reports, mentions, found)
        elif path.name.endswith(f".zip{UNFINISHED}"):  # what a killed process left
            found.add("archives of pages", partial(path.unlink, missing_ok=True))
        elif work := _on_page(path, places.reports, mentions):
            found.add("pages and notebooks", work)
            found.pages.append(str(path))
    return found


def _packed_pages(path, reports, mentions, found):
    "Pages and notebooks in an archive of a day."
    try:
        named = named_in(path, mentions.in_bytes)
    except (OSError, *UNREADABLE) as error:
        found.kept.append(f"{path} cannot be read ({error}): look at it, or remove it")
        return
    found.pages += (f"{path}: {name}" for name in named)
    if named:
        found.add("archives of pages", partial(_without_pages, path, reports, frozenset(named)))


def _without_pages(path, reports, named):
    "Where they lay, a page says that they went: before they do, so that a stop tells no untruth."
    for name in named:
        page = (path.parent / name).resolve()
        if name.endswith(".html") and page.is_relative_to(path.parent.resolve()):
            page = path.parent / name
            write_durably(page, page_instead(page.relative_to(reports).parts))
    repack(path, lambda name: name not in named)


def _on_page(path, reports, mentions):
    "What is to be done with a file of the reports; None where nobody stands in it."
    if path.name == "manifest.json" and (told := _as_json(path)) is not None:
        # what it says of others stays, and pages of the day are made from it
        without = _in_texts(told, lambda t: mentions.without(t) if mentions.in_text(t) else t)
        text = json.dumps(without, indent=1)
        return None if without == told else partial(write_durably, path, text)
    return partial(_remove_page, path, reports) if mentions.in_file(path) else None


def _as_json(path):
    "What a file of JSON says; None where it is none."
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None


def _in_texts(told, change):
    "A document with every text in it changed: a number names nobody."
    if isinstance(told, str):
        return change(told)
    if isinstance(told, list):
        return [_in_texts(one, change) for one in told]
    if isinstance(told, dict):
        return {change(name): _in_texts(one, change) for name, one in told.items()}
    return told


def _in_spool(store, one, mentions, spool, found):
    ids = set(store._column("SELECT prediction_id FROM gone_ids"))
    keys = set(store._column("SELECT event_key FROM gone_keys"))

    def gone(row: Mapping) -> bool:
        within = all(
            wanted is None or row.get(name) == wanted
            for name, wanted in (("tenant", one.tenant), ("model", one.model))
        )
        same = one.kind == "entity" and within and row.get("entity_id") == one.name
        return same or row.get("prediction_id") in ids or row.get("event_key") in keys

    known = Mentions([*mentions.names, one.name])
    for path in files_below(spool):
        if path.name.endswith(
            SUFFIX
        ):  # its rows have columns: a name that others have, too, is sure
            there = known.in_file(path)
        else:
            there = mentions.in_file(path)
        if not there:
            continue
        if path.name.endswith(SUFFIX):
            found.add("open files of the spool", partial(blank_rows, path, gone))
        elif path.suffix == ".damaged":
            found.add("files of the spool", partial(mentions.rewrite, path))
        elif "acts" in path.relative_to(spool).parts:
            found.add("files of the spool", partial(path.unlink, missing_ok=True))
        else:
            found.kept.append(
                f"{path} waits in the spool: its rows are dropped when it is taken in"
            )


def _landed(store, mentions, found):
    for path in files_below(store.root / "landing"):
        if mentions.in_file(path) or (
            _is_parquet(path) and _names_inside(store, path) is not False
        ):
            found.kept.append(
                f"{path} waits to be registered: its rows are dropped when it is taken in"
            )


def _set_aside(store, mentions, found):
    folder, root = store.root / "rejected", store.root
    for path in files_below(folder):
        if ".duckdb" in path.name:  # a copy of the whole catalog, whose texts are compressed
            found.add("files set aside", path.unlink)
        elif mentions.in_file(path):
            text = b"\0" not in path.read_bytes()[: 1 << 16]
            found.add("files set aside", partial(mentions.rewrite, path) if text else path.unlink)
        elif _is_parquet(path):
            names = _names_inside(store, path)
            if names:
                found.add("files set aside", path.unlink)
            elif names is None:
                shown = path.relative_to(root)
                found.kept.append(f"{shown} cannot be read: look at it, or remove it by 'repair'")


def _is_parquet(path):
    with open(path, "rb") as file:
        return file.read(4) == b"PAR1"


def _names_inside(store, path):
    "Whether a Parquet file holds rows that go; None where it cannot be read."
    rows = parquet([path])
    try:
        columns = {name for name, *_ in store._rows(f"DESCRIBE SELECT * FROM {rows}")}
        if "prediction_id" not in columns:
            return False
        named = "prediction_id IN (SELECT prediction_id FROM gone_ids)"
        if "event_key" in columns:
            named += " OR event_key IN (SELECT event_key FROM gone_keys)"
        return bool(store._value(f"SELECT count(*) FROM {rows} WHERE {named}"))
    except duckdb.Error:
        return None


def _explained(store, days, mentions, found):
    "Reasons and contributions of the days: the first are made again when they are asked for."
    kind = "files of explanations"
    for model, version, day in sorted({(file.model, file.version, file.day) for file in days}):
        of = OfDay(model, version, day)
        if (path := of.path(store.root, "reasons")).exists():
            found.add(kind, partial(path.unlink, missing_ok=True))
        path = of.path(store.root, "contributions")
        if path.exists() and _names_inside(store, path) is not False:
            found.add(kind, partial(_without_ids, store, path))
    for name in _EXPLAINED:
        for path in files_below(store.root / name):
            if path.suffix != ".parquet" and mentions.in_file(path):
                found.add(kind, partial(path.unlink, missing_ok=True))


def _without_ids(store, path):
    "Contributions of a day without those that go; a file that cannot be read is made again."
    try:
        about = store._value(
            f"SELECT value FROM parquet_kv_metadata({source(path)}) WHERE key = 'about'"
        )
        told = f", KV_METADATA {{about: {literal(bytes(about).decode())}}}" if about else ""
        aside = path.with_name(f".{path.name}.tmp")
        rows = f"FROM {parquet([path])} WHERE prediction_id NOT IN (FROM gone_ids)"
        store.con.execute(
            f"COPY (SELECT * {rows}) TO {target(aside)} "
            f"(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2{told})"
        )
    except duckdb.Error:
        path.unlink()
        return
    fsync(aside)
    aside.replace(path)
    fsync(path.parent)


def _others(root: Path, places: Places) -> Iterator[Path]:
    "All other files of the data folder: the outbox, models, what nobody knows of."
    pages = places.reports and places.reports.resolve()
    told = {path.resolve() for path in places.told}
    for path in sorted(root.iterdir()):
        if path.is_symlink() or path.name in _OWN or path.resolve() in (pages, *told):
            continue
        for file in files_below(path) if path.is_dir() else [path]:
            known = file.name.startswith(_NOT_SEARCHED) or file.resolve() in told
            if file.is_file() and not known and not (pages and pages in file.resolve().parents):
                yield file


def _told(root, path, called, mentions, found):
    "A file of cases or events: rewritten where it lies in the data folder, else its owner is told."
    if not path.exists() or not mentions.in_file(path):
        return
    if root.resolve() in path.resolve().parents:
        found.add("files of cases and messages", partial(mentions.rewrite, path))
    else:
        found.kept.append(f"{path}, {called}, names it and lies outside the data folder")


def _remove_page(path, reports):
    "A page is replaced by one that says how it is made again; its notebook and figure go."
    parts = path.relative_to(reports).parts
    if path.suffix == ".html" and (len(parts) == 3 or path.name == "index.html"):
        write_durably(path, page_instead(parts))
    else:
        path.unlink(missing_ok=True)


def page_instead(parts: Sequence[str]) -> str:
    "What stands in the place of a page that went: of a model, of a day, or the front page."
    words = ["", *parts[:-1]]
    of = [f" --date {words[1]}"] if parts[1:] else []
    of += [f" --model {name_of_file(words[2])}"] if parts[2:] and words[2] != OF_DAY else []
    return _PAGE.format(of="".join(of).replace("&", "&amp;").replace("<", "&lt;"))


def aged_files(store: Store, day: date, until: datetime, places: Places) -> NamedFiles:
    "The files about days before a day, and those set aside before a time (by their own clock)."
    found, root = NamedFiles(), store.root
    for name in _EXPLAINED:
        for path in files_below(root / name):
            if (of := _as_day(path.stem)) and of < day:
                found.add("files of explanations", partial(path.unlink, missing_ok=True))
    for path in files_below(root / "rejected"):
        if path.stat().st_mtime < until.timestamp():
            found.add("files set aside", partial(path.unlink, missing_ok=True))
    for folder in sorted(places.reports.iterdir()) if _is_there(places.reports) else []:
        if folder.is_dir() and (of := _as_day(folder.name)) and of < day:
            found.add("days of pages", partial(shutil.rmtree, folder, ignore_errors=True))
            found.pages.append(str(folder))
    for path, called in places.told.items():
        if not path.is_file() or not _has_older(path, until):
            continue
        if root.resolve() in path.resolve().parents:
            found.add("files of cases and messages", partial(_without_older, path, until))
        else:
            found.kept.append(f"{path}, {called}, lies outside: it is as it was")
    return found


def _is_there(path):
    return path is not None and path.exists()


def _as_day(text):
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _is_older(line, until):
    try:
        told = json.loads(line)
        at = (told["data"] if "specversion" in told else told)["predicted_at"]
        return at is not None and datetime.fromisoformat(at) < until
    except (ValueError, KeyError, TypeError):
        return False


def _has_older(path, until):
    with open(path, "rb") as file:
        return any(_is_older(line, until) for line in file)


def _without_older(path, until):
    aside = path.with_name(f".{path.name}.tmp")
    with open(path, "rb") as old, open(aside, "wb") as new:
        aside.chmod(path.stat().st_mode & 0o7777)
        new.writelines(line for line in old if not _is_older(line, until))
    fsync(aside)
    aside.replace(path)
    fsync(path.parent)
