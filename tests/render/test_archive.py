"""Old reports are packed away, a day into an archive, and nothing that leads to them breaks."""

import json
import os
import re
import zipfile
from contextlib import suppress
from datetime import date

import pytest
from conftest import MODEL
from read_pages import held

from aiops_wb.log import packed
from aiops_wb.log.packed import UNREADABLE, pack, repack
from aiops_wb.render import archive
from aiops_wb.render.archive import ARCHIVE, archive_reports
from aiops_wb.render.pages import write_pages

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
UNTIL = date(2026, 3, 3)


def manifest(day):
    "A day's manifest as far as pages need one."
    entry = {"state": "failed", "error": "nothing", "reports": {}}
    told = {"day": day, "as_of": f"{day}T05:00:00+00:00", "audit_rows": 1, "audit_head": ""}
    return json.dumps(told | {"batch": 3, "models": {MODEL: entry}})


def reports_of(folder, days=DAYS):
    "Days with two reports of a model each."
    for day in days:
        place = folder / day / MODEL
        place.mkdir(parents=True)
        (folder / day / "manifest.json").write_text(manifest(day))
        for name in ("drift", "reasons"):
            (place / f"{name}.html").write_text(f"<p>{name} of {day}" + "x" * 5000)
            (place / f"{name}.ipynb").write_text(f"notebook {name} of {day}")
            (place / f"{name}.svg").write_text("<svg/>")
        (place / "reasons.csv").write_text("a,b")
    write_pages(folder)
    return folder


@pytest.fixture
def reports(tmp_path):
    return reports_of(tmp_path / "reports")


def tree(folder):
    "Every file and its bytes."
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_reports_of_old_days_go_into_an_archive_and_every_link_holds(reports):
    before = tree(reports)
    assert archive_reports(reports, UNTIL) == []
    for day in DAYS[:2]:
        with zipfile.ZipFile(reports / day / ARCHIVE) as made:
            inside = {f"{day}/{name}": made.read(name) for name in made.namelist()}
        assert len(inside) == 5 and inside.items() <= before.items()
        left = {p.name for p in (reports / day / MODEL).iterdir()}
        pages = {"index.html", "drift.html", "reasons.html"}
        assert left == pages | {"drift.svg", "reasons.svg"}
    after = tree(reports)
    of_pages = {name for name in before if name.endswith(("index.html", "manifest.json", "svg"))}
    of_newest = {name for name in before if name.startswith(DAYS[2])}
    assert all(after[name] == before[name] for name in of_pages | of_newest)
    said = after[f"{DAYS[0]}/{MODEL}/drift.html"].decode()
    held(said)
    assert "This page is packed away: it is <code>late/drift.html</code> in" in said
    for page in reports.rglob("*.html"):
        for link in re.findall(r'href="([^"#]+)"', page.read_text()):
            assert (page.parent / link).exists(), (page, link)
    write_pages(reports)
    assert tree(reports) == after


def test_packed_again_nothing_changes_and_a_report_made_again_takes_the_place(reports):
    archive_reports(reports, UNTIL)
    once = tree(reports)
    assert archive_reports(reports, UNTIL) == [] and tree(reports) == once
    again = reports / DAYS[0] / MODEL / "drift.html"
    again.write_text("<p>made again")
    archive_reports(reports, UNTIL, but=[DAYS[0]])
    assert again.read_text() == "<p>made again"
    archive_reports(reports, UNTIL)
    with zipfile.ZipFile(reports / DAYS[0] / ARCHIVE) as made:
        assert made.read("late/drift.html") == b"<p>made again" and len(made.namelist()) == 5
    assert tree(reports).keys() == once.keys()


class Stopped(BaseException):
    "As a kill."


class Stop:
    "Stops before the n-th act on the disk."

    def __init__(self, patch, n):
        self.left = n
        for owner, name in (
            (packed, "fsync"),
            (packed, "as_its_folder"),
            (archive, "write_whole"),
            (os, "replace"),
            (archive.Path, "unlink"),
        ):
            patch.setattr(owner, name, self.counting(getattr(owner, name)))

    def counting(self, act):
        def counted(*given, **told):
            self.left -= 1
            if self.left == 0:
                raise Stopped
            return act(*given, **told)

        return counted


def test_stopped_anywhere_it_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    calm = reports_of(tmp_path / "calm", DAYS[:1])
    first = tree(calm)
    archive_reports(calm, UNTIL)
    for n in range(1, 30):
        folder = reports_of(tmp_path / str(n), DAYS[:1])
        with monkeypatch.context() as patch, suppress(Stopped):
            Stop(patch, n)
            archive_reports(folder, UNTIL)
            break
        stopped, inside = tree(folder), {}
        if (made := folder / DAYS[0] / ARCHIVE).exists():
            with zipfile.ZipFile(made) as whole:
                inside = {f"{DAYS[0]}/{name}": whole.read(name) for name in whole.namelist()}
        for name, data in first.items():  # nothing is lost at any moment
            assert data in (stopped.get(name), inside.get(name)), (n, name)
        archive_reports(folder, UNTIL)
        assert tree(folder) == tree(calm), n
    assert 8 < n < 29


def test_an_archive_with_one_byte_turned_over_is_said_and_not_more(reports, tmp_path):
    place = tmp_path / "a.zip"
    pack(place, {"a.html": next(reports.rglob("drift.html"))})
    whole = place.read_bytes()
    for at in range(len(whole)):
        place.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        with suppress(OSError, *UNREADABLE):
            repack(place, lambda name: True)
        assert sorted(p.name for p in tmp_path.glob("*.tmp")) == [], at


def test_a_damaged_archive_costs_its_day_and_loses_nothing(reports):
    (reports / DAYS[0] / ARCHIVE).write_bytes(b"no archive")
    (problem,) = archive_reports(reports, UNTIL)
    assert f"{DAYS[0]}/{ARCHIVE} could not be written: File is not a zip file" in problem
    assert (reports / DAYS[0] / MODEL / "drift.html").read_text().startswith("<p>drift of")
    assert (reports / DAYS[1] / ARCHIVE).exists()
