"""What a message says: the worst first, what is new, nothing that names a person."""

import json
from datetime import UTC, datetime

import pytest

from aiops_wb.config import load_settings
from aiops_wb.render.message import changed, failed_report, failures, recent, written

SETTINGS = load_settings(config="no file", pages_url="https://pages.example.org/wb/")
BEFORE, DAY = "2026-03-01", "2026-03-02"


def alarm(
    number, says="Dewp: the share below 30 fell by 74.1 percentage points. Find out why.", **told
):
    return {
        "id": f"D-{number}",
        "stream": "dewp",
        "severity": "high",
        "says": says,
        "opened_on": DAY,
        "acknowledged": False,
    } | told


def model(*alarms, state="ok", promise="kept", reports=None, **told):
    "A model's part of a manifest."
    triage = {"triage": {"alarms": list(alarms), "promise": promise}} if state == "ok" else {}
    made = {"drift": {"state": "ok", "headline": {"state": "ok", "advice": "All is well."}}}
    return {"state": state, "reports": made if reports is None else reports} | triage | told


def manifest(day, changes=(), **models):
    return {
        "day": day,
        "as_of": f"{day}T02:00:00+00:00",
        "timezone": "UTC",
        "models": {name.replace("_", "-"): told for name, told in models.items()},
        "changes": list(changes),
    }


def change(seq, what="threshold", subject="late", new="0.61", **told):
    known = {"seq": seq, "at": f"{DAY}T01:00:00+00:00", "who": "ana", "old": "0.6"}
    return known | {"what": what, "subject": subject, "new": new, "why": "Mr Miller asked"} | told


def days(*made):
    return {one["day"]: one for one in reversed(made)}


def text(by_day, items=None, settings=SETTINGS):
    day = next(iter(by_day))
    return written(by_day, changed(by_day, day) if items is None else items, settings)


def test_nothing_new_is_nothing_to_tell():
    quiet = days(manifest(BEFORE, late=model(alarm(1))), manifest(DAY, late=model(alarm(1))))
    assert changed(quiet, DAY) == [] == failures(quiet[DAY])
    assert recent({}, None, set()) == []


def test_a_message_is_short_and_has_the_worst_first():
    by_day = days(
        manifest(BEFORE, late=model(alarm(1)), early=model(alarm(2)), old=model(alarm(9))),
        manifest(
            DAY,
            [change(7), change(6, "version", "late/v2", None)],
            early=model(),
            late=model(alarm(1), alarm(3, "Temp: rose. Look.", severity="critical")),
            old=model(alarm(9)),
        ),
    )
    told = text(by_day)
    assert told.title == "aiops_wb 2026-03-02: late needs somebody" and told.kind == "warning"
    assert told.body.split("\n") == [
        "late needs somebody: Temp: rose. 1 more alarm is open.",
        "early is well: All is well.",
        "- closed: Dewp: the share below 30 fell by 74.1 percentage points.",
        "",
        "Changed",
        "- threshold of late: 0.61 (before: 0.6), by ana",
        "- version of late/v2: taken back (before: 0.6), by ana",
        "",
        "Told before, and still open: old",
        "",
        "https://pages.example.org/wb/2026-03-02/index.html",
        "As known on 2026-03-02 at 02:00 (UTC). Message " + told.body[-9:-1] + ".",
    ]


def test_what_failed_is_said_with_what_to_do_and_without_the_words_of_an_error():
    broken = {"drift": {"state": "failed", "error": "KeyError: 'Miller'"}}
    by_day = days(
        manifest(
            DAY,
            early=model(state="failed", error="Miller, 1.4, x is no number", reports={}),
            late=model(reports=broken),
        )
    )
    failed = failures(by_day[DAY])
    told = text(by_day, failed)
    assert told.title == "aiops_wb 2026-03-02: 2 steps failed, 2 models need somebody"
    assert told.kind == "failure" and "Miller" not in told.body
    for line in (
        "early needs somebody: The figures of this day failed.",
        "late needs somebody: Reports failed: Drift.",
        "- the figures of early, 2026-03-02",
        "- the report Drift of late, 2026-03-02",
        "The pages show why; the next 'aiops-wb daily' makes up for it.",
    ):
        assert line in told.body.split("\n")
    assert failed_report(DAY, "late", "drift") in failed


def test_silence_and_a_broken_promise_are_told_on_their_first_day():
    quiet = {"state": "silent", "alarm": "No prediction came on 2 March.", "reports": {}}
    by_day = days(
        manifest(BEFORE, late=model(), early=model()),
        manifest(DAY, late=quiet, early=model(promise="broken")),
        manifest("2026-03-03", late=quiet, early=model(promise="broken")),
    )
    assert not changed(by_day, "2026-03-03")
    assert [item.model for item in changed(by_day, DAY)] == ["early", "late"]
    told = text({day: by_day[day] for day in (DAY, BEFORE)})
    assert "late needs somebody: No prediction came on 2 March." in told.body
    assert "early needs somebody: The promise about tickets broke." in told.body


@pytest.mark.parametrize("where", ["= Miller, A.", "up to Miller fell by hand in the alphabet"])
def test_a_category_is_not_named(where):
    says = f"Badge: the share {where} rose by 3.1 percentage points, since 2026-03-01. Look."
    told = text(days(manifest(DAY, late=model(alarm(1, says)))))
    assert "the share of a category rose by 3.1 percentage points, since 2026-03-01" in told.body
    assert "Miller" not in json.dumps(told)


def test_what_a_name_holds_brings_no_line_and_no_header_of_its_own():
    by_day = days(manifest(DAY, [change(1, subject="a\nBcc: x\x1b[2J", new="y" * 500)]))
    by_day[DAY]["models"]["m\r\nBcc: y"] = model(alarm(1))
    told = text(by_day)
    assert "\n" not in told.title and "\r" not in told.title + told.body and "\x1b" not in told.body
    assert not any(line.startswith("Bcc") for line in told.body.split("\n"))
    assert max(map(len, told.body.split("\n"))) <= 300


def test_many_of_everything_stay_one_short_message():
    models = {f"m{i}": model(*(alarm(f"{i}-{j}") for j in range(9))) for i in range(40)}
    told = text(days(manifest(DAY, [change(i) for i in range(60)], **models)))
    assert "32 more models: see the page." in told.body and "- 54 more" in told.body
    assert told.title.endswith("40 models need somebody") and len(told.body) < 6000


def test_what_waits_is_told_for_a_week_with_its_day():
    by_day = days(*(manifest(f"2026-03-{d:02}", [change(d)], late=model()) for d in (1, 2, 9, 10)))
    waiting = {item.id for day in by_day for item in changed(by_day, day)}
    assert [item.day[-2:] for item in recent(by_day, None, waiting)] == ["10", "09"]
    assert [item.day[-2:] for item in recent(by_day, None, set())] == ["10"]
    for hour, days_told in ((1, ["10", "09"]), (3, ["10"])):
        since = datetime(2026, 3, 9, hour, tzinfo=UTC)
        assert [item.day[-2:] for item in recent(by_day, since, set())] == days_told


def test_the_same_things_have_the_same_id_and_others_another():
    by_day = days(manifest(DAY, [change(1), change(2)], late=model()))
    items = changed(by_day, DAY)
    ends = [text(by_day, of).body[-9:] for of in (items, items[::-1], items[:1])]
    assert ends[0] == ends[1] != ends[2]


def test_without_an_address_of_the_pages_the_place_of_the_file_is_named():
    settings = load_settings(config="no file", reports="out")
    assert "out/2026-03-02/index.html" in text(
        days(manifest(DAY, [change(1)], late=model())), settings=settings
    ).body.split("\n")


def test_a_run_without_pages_can_be_told():
    told = written({}, [failed_report(DAY, "late", "drift")], SETTINGS)
    assert told.title == "aiops_wb: 1 step failed" and "the report Drift of late" in told.body
