"""Holidays of a country: entered once, those of the year to come by themselves, each tenant's its
own, and left out of what ordinary days are compared with."""

import sys
from datetime import UTC, date, datetime, timedelta
from math import isnan

import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.config import Settings
from aiops_wb.daily import run
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.holidays import Declared
from aiops_wb.log.sealed import what_decides
from aiops_wb.watch import holidays as known
from aiops_wb.watch.holidays import declared, extend_holidays, holidays_of, last_needed
from aiops_wb.watch.marked import holidays_in
from aiops_wb.watch.triage import triage
from aiops_wb.watch.view import View

NOW = datetime(2026, 3, 20, 6, tzinfo=UTC)
VN = Declared("VN")
TET, EPIPHANY = date(2026, 2, 17), date(2026, 1, 6)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("made"))
    bench.log(events(days=2, per_day=10))
    bench.ingest(NOW - timedelta(days=10))
    bench.publish()
    return bench


@pytest.fixture
def log(made, tmp_path):
    return made.copy_to(tmp_path / "log")


@pytest.fixture
def store(log):
    with log.store() as store:
        yield store


def test_the_library_knows_countries_and_regions_and_the_nearest_are_named():
    assert holidays_of(VN, [2026])[TET] == "Lunar New Year"
    bavaria = declared("de", "bayern", None)
    assert bavaria == Declared("DE", "BY") and EPIPHANY in holidays_of(bavaria, [2026])
    assert EPIPHANY not in holidays_of(Declared("DE"), [2026])
    for country, region, says in (
        ("Vietnam", None, "country 'Vietnam': the nearest are VN \\(Vietnam\\)"),
        ("?", None, "country '\\?': give its two letters"),
        ("DE", "Bayer", "DE has no region 'Bayer': the nearest are BY \\(Bayern\\)"),
        ("VN", "HN", "VN has no regions"),
    ):
        with pytest.raises(StoreError, match=says):
            declared(country, region, None)


def test_holidays_are_entered_once_and_stand_in_the_trail(store):
    days = holidays_of(VN, [2026])
    enter = lambda until=date(2026, 12, 31), found=days: store.enter_holidays(
        NOW, "ana", VN, found, until, "we are there"
    )
    key, new = enter()
    assert key == "H-1" and len(new) == len(days) > 10
    rows, entries = store.audit_head()[0], store.calendar()
    assert entries.holiday.all() and set(entries.declared) == {"H-1"}
    assert enter() == ("H-1", []) and store.audit_head()[0] == rows
    assert what_decides(store).intact
    told = store.audit("H-1").iloc[-1]
    assert told.what == "holidays" and told.new == "VN, known to 2026-12-31"
    store.strike(NOW, "bo", "C-2", "we are open")
    assert enter() == ("H-1", [])  # what a person took out stays out
    assert store.declared_days("H-1")[sorted(days)[1]] is None
    more = holidays_of(VN, [2026, 2027])
    assert len(enter(date(2027, 12, 31), more)[1]) == len(more) - len(days)
    assert store.declared_holidays() == {VN: ("H-1", date(2027, 12, 31))}
    assert what_decides(store).intact
    store.con.execute("UPDATE calendar SET holiday = false WHERE entry_id = 'C-1'")
    assert "calendar entry C-1 is not what the trail recorded" in what_decides(store).findings[0]


def test_all_of_a_country_are_taken_out_together(store):
    store.annotate(NOW, "ana", TET, TET, "ours", "a feast", holiday=True)
    store.enter_holidays(NOW, "ana", VN, holidays_of(VN, [2026]), date(2026, 12, 31), "there")
    store.strike(NOW, "ana", "H-1", "we left")
    rows = store.audit_head()[0]
    assert list(store.calendar().entry_id) == ["C-1"] and not store.declared_holidays()
    store.strike(NOW, "ana", "H-1", "we left")
    assert store.audit_head()[0] == rows and what_decides(store).intact
    key, new = store.enter_holidays(NOW, "ana", VN, {TET: "Tet"}, TET, "back again")
    assert key == "H-2" and len(new) == 1


def test_those_of_the_year_to_come_are_entered_sixty_days_ahead(store, monkeypatch):
    store.enter_holidays(NOW, "ana", VN, holidays_of(VN, [2026]), date(2026, 12, 31), "there")
    at = datetime(2026, 11, 1, 6, tzinfo=UTC)
    assert last_needed(at.date()) == date(2026, 12, 31) and extend_holidays(store, at, "d") == []
    at += timedelta(days=2)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "holidays", None)
        (said,) = extend_holidays(store, at, "daily")
        assert "known to 2026-12-31 only" in said and "aiops_wb[calendar]" in said
    (said,) = extend_holidays(store, at, "daily")
    assert said.startswith("H-1: ") and said.endswith("known to 2027-12-31")
    days = set(store.calendar()["first"].dt.date)
    assert set(holidays_of(VN, [2026, 2027])) == days
    assert extend_holidays(store, at, "daily") == []
    assert store.calendar(as_of=at - timedelta(hours=1))["first"].dt.year.max() == 2026


def test_a_morning_enters_them(log, tmp_path):
    with log.store() as store:
        store.enter_holidays(NOW, "ana", VN, {}, date(2025, 12, 31), "there")
    said = []
    settings = Settings(data=log.data, reports=tmp_path / "pages")
    ran = run(log.data, tmp_path / "pages", NOW, settings, show="none", say=said.append)
    assert any(text.startswith("H-1: ") and "of VN entered" in text for text in said)
    assert all(r.state == "ok" for r in ran.reports)
    with open_snapshot(log.data) as reader:
        assert TET in holidays_in(reader.calendar(MODEL))


def test_each_tenant_has_its_own(store):
    with pytest.raises(StoreError, match="no tenant 'south': choose one of default"):
        store.enter_holidays(NOW, "ana", Declared("VN", tenant="south"), {}, TET, "theirs")
    mine = Declared("VN", tenant="default")
    store.enter_holidays(NOW, "ana", mine, {TET: "Tet"}, TET, "theirs")
    store.annotate(NOW, "ana", TET + timedelta(1), TET + timedelta(2), "all", "so", holiday=True)
    entries = store.calendar()
    every = {TET + timedelta(i) for i in range(3)}
    assert holidays_in(entries) == holidays_in(entries, "default") == every
    assert holidays_in(entries, "north") == every - {TET}
    assert str(mine) == "VN, for tenant default" and mine in store.declared_holidays()


@pytest.fixture
def given(log, monkeypatch, capsys):
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)

    def give(*words):
        code = main(["calendar", *words, "--data", str(log.data)])
        return code, "".join(capsys.readouterr())

    return give


def test_the_command_shows_them_before_it_writes_and_says_what_stands(given, log):
    asked = "holidays", "--country", "vn"
    code, said = given(*asked)
    assert code == 0 and "2026-02-17 Tue  Lunar New Year  (not entered)" in said
    assert "nothing is written; add --why to enter them" in said
    assert "2027" not in said  # more than 60 days of this year lie ahead
    code, said = given(*asked, "--why", "we are there")
    assert code == 0 and "'aiops-wb calendar remove H-1' takes them out" in said
    assert given(*asked, "--why", "again")[1].endswith("so already: nothing was written\n")
    code, said = given(*asked, "--years", "2027", "--json")
    assert code == 0 and '"id": "H-1"' in said and '"state": "not entered"' in said
    assert "holiday of H-1" in given("list")[1]
    assert given("remove", "H-1", "--why", "we left") == (0, "H-1 is taken out\n")
    given("add", "ours", "--from", "2026-05-05", "--holiday", "--why", "so")
    assert given("list")[1].endswith("ours, holiday\n1 entry\n")


def test_wrong_use_is_told_in_a_sentence(given):
    for words, says in (
        ([], "give --country, by its two letters such as VN."),
        (["--country", "XX"], "no holidays are known of a country 'XX'"),
        (["--country", "VN", "--tenant", "none"], "the log has no tenant 'none'"),
        (["--country", "VN", "--years", "2027-2024"], "'2027-2024' is not a year such as 2026"),
    ):
        code, said = given("holidays", *words)
        assert code != 0 and says in said


def test_without_the_library_it_is_said_what_to_install(given, monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    code, said = given("holidays", "--country", "VN")
    assert code == 1 and "pip install 'aiops_wb[calendar]'" in said
    assert known.AHEAD == 60


DAYS, FIRST = 60, date(2026, 3, 1)
LAST = FIRST + timedelta(DAYS - 1)
AFTER = datetime(2026, 5, 1, tzinfo=UTC)
SETTINGS = Settings(label_delay_days=1)


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("long"))
    frame = events(days=DAYS, per_day=30)
    bench.log(frame)
    bench.label(frame)
    bench.ingest(AFTER)
    return bench


def predictions(place):
    "The stored number of predictions of a day."
    named = {"model": MODEL, "version": "v1", "tenant": "", "segment": "", "metric": "predictions"}
    when = {"event_date": FIRST + timedelta(place), "as_of": AFTER, "run_id": "r"}
    return named | when | {"value": 30.0, "lower": 30.0, "upper": 30.0, "n": 30}


def test_windows_leave_holidays_out_as_known_then(long):
    feasts = [LAST, LAST - timedelta(2), LAST - timedelta(40)]
    with long.store() as store:
        view = lambda at: View(store, MODEL, LAST, at, SETTINGS)
        before = view(AFTER)
        for day in feasts:
            store.annotate(AFTER + timedelta(hours=1), "ana", day, day, "x", "y", holiday=True)
        then, later = view(AFTER), view(AFTER + timedelta(hours=2))
        assert then.scores.ks == before.scores.ks
        assert (later.scores.ks.n, later.scores.ks.m) == (
            before.scores.ks.n - 60,
            before.scores.ks.m - 30,
        )
        assert later.quality.week == before.quality.week  # what is shown is of all days
        assert later.quality.compared["predictions"].n == 180  # its labels end a day before
        assert then.quality.compared == then.labels.complete
        store.add_metrics(pd.DataFrame([predictions(i) for i in range(DAYS)]))
        told = triage(later)
        assert triage(view(AFTER + timedelta(minutes=1)))["usual"] == 30
        assert told["usual"] is None and "a holiday: 1 earlier ones can" in told["not_usual"]
        for i in range(7):
            day = LAST - timedelta(i)
            store.annotate(AFTER + timedelta(hours=3), "ana", day, day, "x", "z", holiday=True)
        week = view(AFTER + timedelta(hours=4))
        assert isnan(week.scores.ks.pvalue) and week.scores.reference_severity == "unknown"
        assert week.quality.accuracy_drop.severity == "unknown" and not week.quality.losses
