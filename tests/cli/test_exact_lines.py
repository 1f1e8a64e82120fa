"""Lines that a command says of one thing, exactly, on both sides of each condition."""

from datetime import date, datetime
from types import SimpleNamespace

import pytest

from aiops_wb.cli import explain_event, main, promises, serve, status
from aiops_wb.render.telling import HEARTBEAT


def said(capsys):
    return capsys.readouterr().out.splitlines()


def explained(**other):
    features = [
        {"name": "x", "value": None, "push": 0.5, "unit": "km"},
        {"name": "y", "value": 2.0, "push": -0.25, "unit": ""},
        {"name": "z", "value": "JFK", "push": 0.125, "unit": ""},
    ]
    alike = [
        {
            "event_date": "2026-02-01",
            "entity_id": None,
            "prediction_id": "p0",
            "positive": 1,
            "distance": 0.5,
        },
        {
            "event_date": "2026-02-02",
            "entity_id": "e1",
            "prediction_id": "p1",
            "positive": 0,
            "distance": 1.0,
        },
    ]
    told = {"prediction_id": "p", "model": "m", "version": "v1", "score": 0.6, "day": "2026-03-01"}
    told |= {"label": None, "start": 0.1, "features": features, "log_odds": 0.475, "points": 475}
    return told | {"interval": None, "alike": alike} | other


def test_an_explanation_is_said_whole(capsys):
    explain_event._say(explained(), 3)
    assert said(capsys) == [
        "p: m v1 scored 0.600 on 2026-03-01; its outcome is not known yet",
        "  +0.10  where every score of this version starts (log-odds)",
        "  +0.50  x = missing km",
        "  -0.25  y = 2",
        "  +0.12  z = JFK",
        "  +0.47  in all, as it was logged",
        "past alerts that were scored most alike:",
        "  2026-02-01  p0: positive (0.50 away)",
        "  2026-02-02  e1: negative (1.00 away)",
    ]
    days = [date(2026, 1, 1), date(2026, 1, 2)]
    interval = {"calibrated_on": days, "lower": 0.1, "upper": 0.2, "like_it": "3 of 4", "ends": ""}
    of = explained(label=0, alike=[], points=473, interval=interval)
    explain_event._say(of, 1)
    assert said(capsys)[3:] == [
        "  -0.12  2 other features",
        "  +0.47  in all, as it was logged",
        "of events with this score 0.100 to 0.200 are positive, by 2 days of 1 Jan to 2 Jan 2026: "
        "3 of 4",
    ]
    explain_event._say(explained(points=472, interval=interval | {"ends": "few"}), 3)
    told = said(capsys)
    assert told[5] == "  +0.47  in all, +0.003 off what was logged"
    assert told[7] == "  why so wide: few"
    explain_event._say(explained(label=1, points=478), 3)
    assert said(capsys)[0].endswith("its outcome is positive")


def test_a_broken_promise_is_said_with_its_days(capsys):
    row = {"model": "m", "version": "v1", "tenant": None, "segment": "site=a", "kind": "tickets"}
    row |= {
        "first": datetime(2026, 3, 1),
        "last": datetime(2026, 3, 1),
        "bad": 3,
        "n": 12,
        "target": 0.1,
    }
    assert promises._failure(row | {"confidence": 0.9}) == (
        "broken: m v1 site=a  2026-03-01  tickets: 0.25 (3 of 12), at most 0.1 was promised"
    )
    assert promises._failure(row | {"confidence": None, "last": datetime(2026, 3, 2)}) == (
        "above: m v1 site=a  2026-03-01 to 2026-03-02  tickets: 0.25 (3 of 12), "
        "at most 0.1 was promised in the mean"
    )


def test_the_first_option_that_is_given_twice_is_named_by_its_longest_word(capsys):
    words = ["--site", "a", "--days", "2", "--days", "3", "--site", "b"]
    assert main(["cases", "list", *words]) == 2
    assert capsys.readouterr().err == (
        "aiops-wb: Invalid value for '--site': it is given more than once and takes one value. "
        "Try 'aiops-wb cases list --help'.\n"
    )


@pytest.mark.parametrize(
    ("states", "code"), [("", 0), ("ok ok", 0), ("ok failed", 3), ("failed failed", 4)]
)
def test_a_demo_ends_as_its_reports_did(monkeypatch, capsys, tmp_path, states, code):
    jobs = [SimpleNamespace(state=state) for state in states.split()]
    given = {}
    monkeypatch.setattr("aiops_wb.cli.demo.demo", lambda *a, **k: given.update(k, at=a) or jobs)
    words = ["--data", str(tmp_path / "d"), "--reports-dir", str(tmp_path / "r")]
    assert main(["demo", "--until", "2013-04-02", "--report-days", "2", *words]) == code
    failed = states.split().count("failed")
    many = "1 report" if len(jobs) == 1 else f"{len(jobs)} reports"
    assert said(capsys) == [
        f"{many}, {failed} failed.",
        f"Open {(tmp_path / 'r' / 'index.html').resolve()}",
        f"Ask the log: aiops-wb sql 'SHOW TABLES' --data {tmp_path / 'd'}",
    ]
    assert given["at"][:2] == (tmp_path / "d", tmp_path / "r")
    assert (given["until"], given["report_days"]) == (date(2013, 4, 2), 2)
    assert set(given) == {
        "at",
        "story",
        "until",
        "report_days",
        "say",
        "progress",
        "on_done",
        "expect",
    }


def test_a_service_is_made_with_what_was_asked(monkeypatch, tmp_path):
    given = {}

    def created(*where, **how):
        given.update(how, where=where)
        return SimpleNamespace(state=SimpleNamespace(desk="desk"))

    class At:
        def __init__(self, *at):
            given["at"] = at

        def __enter__(self):
            return "socket"

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(serve, "create_app", created)
    monkeypatch.setattr(serve, "require_token_elsewhere", lambda desk: given.update(desk=desk))
    monkeypatch.setattr(serve, "listening", At)
    monkeypatch.setattr(serve, "run", lambda served, at, say, quiet: given.update(run=(at, quiet)))
    monkeypatch.setattr("getpass.getuser", lambda: "ana")
    assert main(["serve", "--port", "0", "--no-take-in", "-q", "--data", str(tmp_path)]) == 0
    assert given["where"][0] == tmp_path and given["where"][1].data == tmp_path
    assert (given["who"], given["host"], given["take_in"]) == ("ana", "127.0.0.1", False)
    assert (given["at"], given["desk"], given["run"]) == (
        ("127.0.0.1", 0),
        "desk",
        ("socket", True),
    )
    assert callable(given["clock"])


class Log:
    "As much of a log as `status` asks."

    timezone = "UTC"

    def __init__(self, models, unmatched=(0, []), damage=(), lost=()):
        self._told = models, unmatched, list(damage), list(lost)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def models(self):
        return self._told[0]

    def unmatched_labels(self):
        return self._told[1]

    def known_batch(self):
        return 7

    def quarantine_size(self):
        return 1

    def damage(self):
        return self._told[2]

    def lost_files(self):
        return self._told[3]

    def chain_findings(self):
        return ["row 3 is gone"] if self._told[3] else []


def row_of(model, not_watched=()):
    row = {
        "model": model,
        "first": "2026-03-01",
        "last": "2026-03-02",
        "days": 2 * (model != "none"),
    }
    return row | {"active_version": None, "due": 1, "not_watched": list(not_watched)}


@pytest.fixture
def of_log(monkeypatch, tmp_path):
    "What `status` says of a log, and the rows that it shows."

    def asked(log, aside=(), acts=0, untaken=(), off=()):
        shown = []
        monkeypatch.setattr(status.Call, "reading", lambda self: log)
        monkeypatch.setattr(status, "due", lambda log, now: [(1, "a"), (2, "b"), (3, "b")])
        monkeypatch.setattr(
            status, "model_row", lambda log, m, due: row_of(m, off if m == "b" else ())
        )
        monkeypatch.setattr(status, "rejected_files", lambda data: list(aside))
        monkeypatch.setattr(status, "_acts_waiting", lambda call: ["act"] * acts)
        monkeypatch.setattr(status, "not_taken", lambda *_: list(untaken))
        monkeypatch.setattr(status, "_no_reports", lambda call: ["no report"] if acts else [])
        before = status.show
        monkeypatch.setattr(status, "show", lambda rows, *a: shown.extend(rows) or before(rows, *a))
        assert main(["status", "--data", str(tmp_path)]) == 0
        monkeypatch.setattr(status, "show", before)
        return shown

    return asked


def test_a_status_says_what_is_amiss_and_nothing_else(of_log, capsys):
    rows = of_log(Log(["a", "none"]))
    assert all("not_watched" not in row for row in rows)
    assert said(capsys) == [
        "a: 2026-03-01 to 2026-03-02 (2 days), active version -, 1 day due",
        "none: nothing logged, active version -, 1 day due",
        "batch 7, days of UTC, 1 row in quarantine",
    ]
    untaken = [
        {"to": to, "times": n, "since": datetime(2026, 3, 1, 4), "why": "refused"}
        for to, n in ((f"{HEARTBEAT} x", 1), ("mail", 2))
    ]
    log = Log(["a", "b"], damage=["a file is gone."], lost=["z", "y"])
    rows = of_log(log, aside=["f1"], acts=2, untaken=untaken, off=["volume", "score"])
    assert [row["not_watched"] for row in rows] == [[], ["volume", "score"]]
    assert said(capsys)[1:] == [
        "b: 2026-03-01 to 2026-03-02 (2 days), active version -, 1 day due, "
        "not watched: volume, score",
        "batch 7, days of UTC, 1 row in quarantine",
        "2 acts wait to be taken in",
        f"{HEARTBEAT} x took nothing since 2026-03-01 04:00Z, 1 time: refused; "
        "'aiops-wb messages test --heartbeat' tries it",
        "mail took nothing since 2026-03-01 04:00Z, 2 times: refused; "
        "'aiops-wb messages test' tries it",
        "a file is gone.",
        "2 day files recorded as lost, such as y",
        "1 file in rejected, such as f1: deliver what is missing again, then 'aiops-wb repair "
        "--empty-rejected --why ...' removes them",
        "no report",
        "the audit trail is broken: row 3 is gone; 'aiops-wb audit verify' tells more",
    ]
