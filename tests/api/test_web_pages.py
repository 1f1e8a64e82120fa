"""The pages without a browser: signing in, forms of others, roles, names with markup, numbers."""

import asyncio
import hashlib
import json
import logging
import re
from datetime import timedelta
from functools import cache
from html import unescape
from pathlib import Path

import pytest
from conftest import MODEL, Bench, events
from serving import ID, NOW, app_of, client_of, copy

from aiops_wb.api.pages import live, sessions, slow
from aiops_wb.api.pages.frame import POLICY
from aiops_wb.api.pages.live import Live
from aiops_wb.api.pages.signing_in import _next
from aiops_wb.api.pages.slow import Slowly
from aiops_wb.api.pages.words import mark
from aiops_wb.api.problems import Problem
from aiops_wb.cli import main
from aiops_wb.log.acts import waiting
from aiops_wb.log.dial import subject_of
from aiops_wb.log.tokens import find_token, make_token, revoke_token

OF_MODEL = f"/pages/models/{MODEL}"
PAGES = ["/", OF_MODEL, "/pages/proposals", "/pages/cases", "/pages/alarms", "/reports/index.html"]
STATIC = Path(sessions.__file__).parent.parent / "static"
BAD = '<img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return copy(tmp_path_factory.mktemp("pages") / "bench")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    "A bench with tokens, and the secret of each role."
    bench = copy(tmp_path_factory.mktemp("signed") / "bench")
    roles = ("read", "propose", "approve", "decide")
    return bench, {r: make_token(bench.data, f"{r} {BAD}", [r], "root", NOW) for r in roles}


@cache
def _app_at(root):
    app = app_of(Bench(root), chosen={"reports": root / "reports"})
    app.state.web.slowly.pause = lambda seconds: asyncio.sleep(0)
    return app


def app_at(bench):
    "The service over a bench, with its reports; nobody waits for what failed."
    return _app_at(bench.root)


def csrf_of(html):
    return re.search(r'name="csrf" value="(\w+)"', html)[1]


def signed_in(app, secret):
    "Somebody who signed in."
    client = client_of(app)
    csrf = csrf_of(client.get("/pages/sign-in").text)
    told = {"token": secret, "csrf": csrf, "next": OF_MODEL}
    answer = client.post("/pages/sign-in", data=told, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, OF_MODEL)
    client.csrf = csrf_of(client.get("/").text)
    return client


def proposed(client, points=77, seen=405, do="propose", csrf=None, **more):
    told = {"do": do, "model": MODEL, "points": points, "seen": seen, "why": "to try it"}
    told |= {"csrf": client.csrf if csrf is None else csrf} | more
    return client.post("/pages/thresholds", data=told, follow_redirects=False)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr("aiops_wb.api.pages.answers.WAIT", 0)


def test_nobody_sees_a_page_without_signing_in(keys):
    bench, _ = keys
    client = client_of(app_at(bench))
    for path in [*PAGES, "/pages/events", "/pages/explorer?model=x", "/pages/acts/0"]:
        answer = client.get(path, follow_redirects=False)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/pages/sign-in?next="), path
        assert MODEL not in answer.text.replace("/pages/models/", "")
    bearer = {"Authorization": f"Bearer {keys[1]['read']}"}  # that is for the API
    assert client.get("/", headers=bearer, follow_redirects=False).status_code == 303


def test_a_token_begins_a_session_and_stands_nowhere(keys, caplog):
    bench, secrets = keys
    caplog.set_level(logging.DEBUG)
    app = app_at(bench)
    client = client_of(app)
    first = client.get("/pages/sign-in")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Secure" not in cookie
    told = {"token": secrets["read"], "csrf": csrf_of(first.text)}
    answer = client.post("/pages/sign-in", data=told, follow_redirects=False)
    after = answer.headers["set-cookie"]
    assert after.split(";")[0] != cookie.split(";")[0]  # an id that was known before is no session
    said = [first.text, answer.text, cookie, after, str(answer.headers), caplog.text]
    said += [client.get(path).text for path in PAGES[:-1]]
    assert not any(secrets["read"] in text for text in said)
    assert (
        app.state.web.sessions.token(cookie.split(";")[0].partition("=")[2], app.state.desk) is None
    )
    other = client_of(app, at="127.0.0.1")
    other.base_url = "https://127.0.0.1:8765"
    assert "Secure" in other.get("/pages/sign-in").headers["set-cookie"]


@pytest.mark.parametrize(
    "after", ["//evil.example", "https://evil.example", "/\\evil.example", "/x", "/pages/\\\\e", ""]
)
def test_signing_in_leads_nowhere_else(keys, after):
    bench, secrets = keys
    client = client_of(app_at(bench))
    csrf = csrf_of(client.get("/pages/sign-in", params={"next": after}).text)
    told = {"token": secrets["read"], "csrf": csrf, "next": after}
    answer = client.post("/pages/sign-in", data=told, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_a_wrong_token_is_told_so_ever_later(keys):
    bench, secrets = keys
    app, waited = app_of(bench), []

    async def pause(seconds):
        waited.append(seconds)

    app.state.web.slowly.pause = pause
    client = client_of(app)
    csrf = csrf_of(client.get("/pages/sign-in").text)
    for wrong in ("awb_wrong", "", "x" * 501, "é", f"{secrets['read']}x"):
        answer = client.post("/pages/sign-in", data={"token": wrong, "csrf": csrf})
        assert answer.status_code == 401 and "not known" in answer.text
        assert wrong == "" or wrong not in answer.text
    assert waited == [0.25, 0.5, 1, 2, 4]
    signed_in(app, secrets["read"])  # from the same address, at once
    assert waited == [0.25, 0.5, 1, 2, 4]
    answer = client.post("/pages/sign-in", data={"token": secrets["decide"], "csrf": csrf})
    assert answer.status_code == 403 and "for programs" in answer.text


def test_what_waits_and_what_is_remembered_is_bounded():
    async def many():
        held = asyncio.Event()
        slowly = Slowly(lambda seconds: held.wait())
        begun = [asyncio.create_task(slowly.failed(str(i))) for i in range(slow.MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too many"):
            await slowly.failed("one more")
        held.set()
        await asyncio.gather(*begun)
        for i in range(2 * slow.MOST_KNOWN):
            await slowly.failed(f"later {i}")
        return len(slowly._failed)

    assert asyncio.run(many()) == slow.MOST_KNOWN


def test_a_session_ends_with_its_token_when_idle_and_on_request(tmp_path):
    bench = copy(tmp_path / "bench")
    ends = NOW + timedelta(hours=5)
    secrets = [
        make_token(bench.data, n, ["read"], "root", NOW, e) for n, e in (("a", None), ("b", ends))
    ]
    clock = {"now": NOW}
    app = app_of(bench, clock=lambda: clock["now"])
    app.state.web.slowly.pause = lambda seconds: asyncio.sleep(0)
    is_in = lambda client: client.get("/pages/proposals", follow_redirects=False).status_code == 200

    first, second = (signed_in(app, secret) for secret in secrets)
    for hours in (4, 6, 11, 18, 23):
        clock["now"] = NOW + timedelta(hours=hours)
        assert is_in(first) and is_in(second) == (hours < 5)
    clock["now"] = NOW + sessions.LONGEST
    assert not is_in(first)
    first = signed_in(app, secrets[0])
    clock["now"] += sessions.IDLE / 2
    assert first.get("/pages/proposals", headers={"X-Live": "1"}).status_code == 200
    clock["now"] += sessions.IDLE / 2  # a page that is left open asks by itself
    assert not is_in(first)
    first, again = signed_in(app, secrets[0]), signed_in(app, secrets[0])
    cookies = dict(first.cookies)
    first.post("/pages/sign-out", data={"csrf": first.csrf})
    assert not is_in(first) and is_in(again)
    first.cookies.update(cookies)
    assert not is_in(first)  # the cookie of a session that was ended is none
    revoke_token(bench.data, "a", "root", clock["now"], "lost")
    assert not is_in(again)
    assert proposed(again).headers["location"] == "/pages/sign-in"


def test_a_form_of_another_session_does_nothing(keys):
    bench, secrets = keys
    app = app_at(bench)
    ana, eve = signed_in(app, secrets["approve"]), signed_in(app, secrets["approve"])
    before = waiting(bench.data / "spool")
    for csrf in ("", "0" * 64, eve.csrf, ana.csrf[:-1], "é"):
        answer = proposed(ana, csrf=csrf)
        assert answer.status_code == 403 and "not of your session" in answer.text
    posts = ["/pages/proposals", "/pages/cases", "/pages/alarms", "/pages/thresholds"]
    for path in [*posts, "/pages/sign-in", "/pages/sign-out"]:
        assert ana.post(path, data={"why": "x"}).status_code == 403, path
        assert ana.post(path, json={"csrf": ana.csrf}).status_code == 415, path
    elsewhere = {"Origin": "https://evil.example"}
    told = {"csrf": ana.csrf, "do": "propose", "model": MODEL, "points": 1, "why": "x"}
    assert ana.post("/pages/thresholds", data=told, headers=elsewhere).status_code == 403
    assert waiting(bench.data / "spool") == before
    assert proposed(ana).status_code == 303
    assert len(waiting(bench.data / "spool")) == len(before) + 1


def test_this_machine_needs_no_token_and_a_form_of_its_own(bench):
    client = client_of(app_at(bench))
    page = client.get(f"{OF_MODEL}?threshold=0.5")
    assert page.status_code == 200 and "sign out" not in page.text
    client.csrf = csrf_of(page.text)
    assert client.get("/pages/sign-in", follow_redirects=False).headers["location"] == "/"
    assert proposed(client).status_code == 303
    assert proposed(client_of(app_at(bench)), csrf=client.csrf).status_code == 403
    led = client.get("/", headers={"Host": "evil.example"})
    assert led.status_code == 421 and MODEL not in led.text


HOLDS = {"read": set(), "propose": {"propose"}, "approve": {"propose", "approve"}}


@pytest.mark.parametrize("role", HOLDS)
def test_a_page_offers_and_takes_what_a_role_is_for(keys, role):
    bench, secrets = keys
    client = signed_in(app_at(bench), secrets[role])
    page = client.get(f"{OF_MODEL}?threshold=0.5").text
    assert ('value="propose"' in page) == ("propose" in HOLDS[role])
    assert ('value="set"' in page) == ("approve" in HOLDS[role])
    cases = client.get("/pages/cases").text
    assert ('value="close"' in cases) == ("propose" in HOLDS[role])
    case = re.search(r"<tr id=\"([AT]-\w+)\"", cases)[1]
    csrf = {"csrf": client.csrf, "why": "looked at"}
    for needs, status in [
        ("propose", proposed(client).status_code),
        ("approve", proposed(client, do="set").status_code),
        ("approve", proposed(client, do="rollback").status_code),
        *[
            ("propose", client.post("/pages/cases", data=csrf | told).status_code)
            for told in (
                {"do": "close", "id": case},
                {"do": "mute", "id": case, "until": "2026-04-01"},
            )
        ],
    ]:
        expected = (200, 303) if needs in HOLDS[role] else (403,)
        assert status in expected, (needs, status)


def test_a_step_back_is_offered_where_there_is_one(tmp_path):
    bench, back = copy(tmp_path / "bench"), f"{OF_MODEL}?back=1"
    client = client_of(app_at(bench))
    assert ">Put back<" not in client.get(OF_MODEL).text
    refused = client.get(back)
    assert refused.status_code == 409 and "was never changed" in refused.text
    with bench.store() as store:
        subject = subject_of(MODEL, "v1", None)
        store.record(NOW, "ana", "threshold", subject, "77", "to be put back")
        store.publish(2)
    assert client.get(OF_MODEL).text.count(">Put back<") == 1
    assert "Put back: 0.600 instead of 0.519" in client.get(back).text


def test_what_cannot_be_taken_is_a_sentence(bench):
    client = client_of(app_at(bench))
    client.csrf = csrf_of(client.get(f"{OF_MODEL}?threshold=0.5").text)
    for told, says in (
        ({"why": " "}, "text that is not empty"),
        ({"points": "x"}, "whole number"),
        ({"do": "shut"}, "proposed, set or put back"),
        ({"points": 10**6}, "points"),
    ):
        answer = proposed(client, **told)
        assert answer.status_code == 422 and says in answer.text and "<h1>" in answer.text
        by_script = client.post(
            "/pages/thresholds",
            data={"do": "propose", "model": MODEL, "points": 1, "seen": 1, "why": "x"}
            | {"csrf": client.csrf}
            | told,
            headers={"HX-Request": "true"},
        )
        assert by_script.headers["hx-retarget"] == "#said" and "<h1>" not in by_script.text
        assert says in by_script.text
    for path, status in (
        (f"{OF_MODEL}?threshold=nan", 422),
        (f"{OF_MODEL}?threshold=1e9", 422),
        (f"{OF_MODEL}?threshold=2", 422),
        ("/pages/models/nobody", 404),
        ("/pages/nowhere", 404),
        ("/pages/cases?state=gone", 422),
        ("/pages/cases?model=nobody", 404),
        ("/pages/acts/0", 404),
        ("/pages/proposals?offset=-1", 422),
    ):
        answer = client.get(path)
        assert answer.status_code == status and "<h1>" in answer.text, path
    form = {"csrf": client.csrf, "why": "x", "id": "A-0000"}
    assert client.post("/pages/cases", data=form | {"do": "close"}).status_code == 404
    assert client.post("/pages/cases", data=form | {"do": "mute"}).status_code == 422


def test_every_answer_carries_the_policy(bench):
    client = client_of(app_at(bench))
    refused = ["/pages/nowhere", "/pages/proposals?offset=-1"]
    for path in [*PAGES[:-1], *refused]:
        answer = client.get(path)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        html = answer.text
        assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", html)
    assert "unsafe" not in POLICY and "*" not in POLICY
    policy = client.get("/reports/index.html").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "'self'" not in policy


def test_files_are_kept_for_long_under_their_hash(bench):
    client = client_of(app_at(bench))
    page = client.get("/").text
    found = re.findall(r'(?:href|src)="(/pages/static/\w+/([\w.]+))"', page)
    assert {name for _, name in found} >= {"htmx.min.js", "page.js", "page.css", "style.css"}
    for path, _ in found:
        answer = client.get(path)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-type"].split(";")[0] in ("text/javascript", "text/css")
        assert client.get(path.replace("/static/", "/static/0")).status_code == 404
    for name in ("README.md", "..%2fREADME.md", "nothing.js"):
        assert client.get(found[0][0].rpartition("/")[0] + f"/{name}").status_code == 404


def test_htmx_is_the_file_that_it_is_said_to_be():
    told = (STATIC / "README.md").read_text()
    held = hashlib.sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest()
    version = re.search(r'version:"([\d.]+)"', (STATIC / "htmx.min.js").read_text())[1]
    assert held in told and f"htmx {version} " in told
    assert "Zero-Clause BSD" in (STATIC / "htmx.LICENSE.txt").read_text()


@pytest.mark.parametrize(
    "path",
    [
        "../data/tokens.json",
        "%2e%2e/data/tokens.json",
        "..%2fdata%2ftokens.json",
        "x/../../data/aiops.duckdb",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "manifest.json",
        ".hidden.html",
        "link.html",
        "index.html%00",
        "",
    ],
)
def test_reports_lead_nowhere_else(bench, path):
    reports = bench.root / "reports"
    (reports / ".hidden.html").write_text("hidden")
    secret = bench.root / "secret.html"
    secret.write_text("secret")
    if not (reports / "link.html").is_symlink():
        (reports / "link.html").symlink_to(secret)
    answer = client_of(app_at(bench)).get(f"/reports/{path}")
    if path == "":
        assert answer.status_code == 200
    else:
        assert answer.status_code in (404, 401, 403)
        assert "secret" not in answer.text and "root:" not in answer.text


def test_the_type_of_a_report_is_ours_whatever_the_machine_calls_its_files(bench, monkeypatch):
    monkeypatch.setattr("starlette.responses.guess_type", lambda *_: ("application/x-own", None))
    (bench.root / "reports" / "rows.csv").write_text("a\n1\n")
    client = client_of(app_at(bench))
    for name, kind in (("index.html", "text/html"), ("rows.csv", "text/csv")):
        assert client.get(f"/reports/{name}").headers["content-type"].split(";")[0] == kind


def test_names_with_markup_are_text(tmp_path):
    bench = Bench(tmp_path)
    name = f"m{BAD}&\"'/é"
    frame = events(days=2, per_day=30).assign(site=BAD)
    bench.log(frame, model=name, threshold=405)
    bench.label(frame)
    bench.ingest()
    with bench.store() as log:
        log.propose_threshold(NOW, BAD, name, "v1", ("default", BAD), 77, 405, BAD, {})
        log.set_threshold(NOW, BAD, name, "v1", 500, BAD)
        log.publish()
    client = client_of(app_at(bench))
    link = re.search(r'href="(/pages/models/[^"]+)"', client.get("/").text)[1]
    pages = [client.get(p) for p in ("/", link, f"{link}?threshold=0.5", "/pages/proposals")]
    pages += [client.get("/pages/explorer", params={"model": name}), client.get("/pages/cases")]
    for page in pages:
        assert page.status_code == 200 and "<img" not in page.text
    assert unescape(pages[1].text).count(BAD) >= 3 and name in unescape(pages[0].text)


def test_numbers_are_those_of_the_commands(bench, capsys, tmp_path):
    config = tmp_path / "aiops.toml"
    config.write_text("complete_share = 1")
    client = client_of(app_at(bench))
    run = lambda *words: (
        main([*words, f"--data={bench.data}", f"--config={config}"]),
        capsys.readouterr().out,
    )[1]
    (row,) = json.loads(run("thresholds", "list", "--json"))
    page = client.get(OF_MODEL).text
    assert f"<b>{row['threshold']:.3f}</b>" in page and f"{row['points']} points" in page
    assert row["why"] in unescape(page)

    said = run("thresholds", "simulate", "0.5", f"--model={MODEL}")
    panel = unescape(client.get(f"{OF_MODEL}?threshold=0.5").text)
    cells = re.findall(r"<tr><th[^>]*>([^<]+)</th>((?:<td>[^<]*</td>)+)</tr>", panel)
    shown = {title: re.findall(r"<td>([^<]*)</td>", rest) for title, rest in cells}
    titles = {"fpr": "False positive rate", "precision": "Precision", "recall": "Recall"}
    titles |= {"alerts_per_day": "Alerts per day", "tp": "Positives caught"}
    for name, title in titles.items():
        told = re.search(rf"^  {name} +(\S+) +(\S+) +(\S+)(?:  (.*))?$", said, re.M).groups()
        before, after, change = shown[title]
        assert (after.split(" ")[0], before.split(" ")[0], change.split(" ")[0]) == told[:3]
        if told[3]:
            assert change.endswith(f"({told[3]})")
    assert said.strip().splitlines()[-1] in panel

    cases = json.loads(run("cases", "list", "--days=7", "--json"))
    listed = client.get("/pages/cases").text
    assert re.findall(r'<tr id="([AT]-\w+)"', listed) == [c["case_id"] for c in cases][::-1][:50]
    (alarm,) = json.loads(run("drift", "list", "--json"))
    alarms = unescape(client.get("/pages/alarms").text)
    assert alarm["event_id"] in alarms and alarm["title"] in alarms and alarm["text"] in alarms
    models = client.get("/").text
    (told,) = json.loads(run("status", "--json"))["models"]
    assert told["last"] in models and f">{told['active_version']}<" in models
    report = Path(told["last"]) / "index.html"
    assert f"/reports/{report}" not in models, "there is none"
    (bench.root / "reports" / report).parent.mkdir()
    (bench.root / "reports" / report).write_text("a report")
    assert f'href="/reports/{report}"' in client.get("/").text


def test_an_act_is_followed_until_it_is_taken_in(tmp_path):
    bench = copy(tmp_path / "bench")
    app = app_at(bench)
    client = client_of(app)
    client.csrf = csrf_of(client.get(f"{OF_MODEL}?threshold=0.5").text)
    state = app.state.web.live.state(app.state.desk)
    led = proposed(client)
    assert re.fullmatch(rf"{OF_MODEL}\?act=[0-9a-f-]+#said", led.headers["location"])
    assert app.state.web.live.state(app.state.desk) != state
    page = client.get(led.headers["location"]).text
    assert "has not been taken in yet" in page and "a change waits" in page
    with client_of(app_of(bench, take_in=True)) as taking:
        act = led.headers["location"].partition("act=")[2].partition("#")[0]
        taking.get(f"/acts/{act}", params={"wait": 20})
    page = client.get(led.headers["location"]).text
    assert "P-1: late v1, threshold" in page and "is proposed" in page
    assert "P-1" in client.get("/pages/proposals").text
    followed = client.get(f"/pages/acts/{act}", headers={"HX-Request": "true"})
    assert "is proposed" in followed.text and "every 2s" not in followed.text


def test_what_is_typed_is_kept_while_a_part_is_shown_anew(bench):
    client = client_of(app_at(bench))
    kept = client.get(OF_MODEL, headers={"X-Keep": f"try-{mark(ID)} other"}).text
    assert f'id="try-{mark(ID)}" data-keep hx-preserve' in kept
    assert "hx-preserve" not in client.get(OF_MODEL).text


async def first_of(stream):
    return [text async for text in stream]


def test_nobody_ends_the_sessions_of_others_by_signing_in(keys):
    bench, secrets = keys
    of, desk = sessions.Sessions(), app_at(bench).state.desk
    read, approve = (find_token(bench.data, secrets[r], NOW) for r in ("read", "approve"))
    other = of.begin(approve, NOW)
    own = [of.begin(read, NOW) for _ in range(sessions.MOST + 1)]
    assert of.token(other, desk) == approve and of.token(own[-1], desk) == read
    assert len(of._kept) == sessions.MOST_OF_ONE + 1 and of.token(own[0], desk) is None


def test_streams_tell_changes_and_end(bench):
    app = app_at(bench)
    of, desk = Live(look=0), app.state.desk

    async def listen():
        told, may = [], {"look": True}
        async for text in of.stream(desk, lambda: may["look"]):
            told.append(text)
            if len(told) == 2:
                client = client_of(app)
                client.csrf = csrf_of(client.get(f"{OF_MODEL}?threshold=0.5").text)
                proposed(client)
            if len(told) == 3:
                may["look"] = False
        assert of.open == 0
        of.end()
        ended = [text async for text in of.stream(desk, lambda: True)]
        return told, ended

    told, ended = asyncio.run(listen())
    assert [t.split(":")[0] for t in told] == ["retry", "data", "data"] and told[1] != told[2]
    assert ended == told[:1]
    of.ended, of.open = False, live.MOST  # many came in the moment in which there was room
    assert asyncio.run(first_of(of.stream(desk, lambda: True))) == ["retry: 30000\n\n"]
    assert of.open == live.MOST
    app.state.web.live.open = live.MOST
    assert client_of(app).get("/pages/events").status_code == 503
    app.state.web.live.open = 0


def test_an_empty_folder_has_pages(tmp_path):
    client = client_of(app_at(Bench(tmp_path)))
    page = client.get("/")
    assert page.status_code == 200 and "Nothing was published yet" in page.text
    assert client.get("/pages/cases").status_code == 503
    assert client.get("/reports/index.html").status_code == 404


def test_who_signed_in_goes_on_to_a_page_of_ours():
    longest = "/pages/" + "x" * 1993
    for ours in ("/", "/pages/cases?a=b%20c", "/reports/index.html#x", longest):
        assert _next(ours) == ours
    odd = ["", "//evil", "/pages", "/other/", "/pages/\\evil", "/pages/a b", "https://evil/pages/"]
    assert {_next(given) for given in [*odd, longest + "x"]} == {"/"}
