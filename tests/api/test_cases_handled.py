"""What people do with cases over HTTP: each act once, with its author, in the trail."""

import re

import pytest
from serving import NOW, app_of, client_of, copy, settings

from aiops_wb.api.pages import answers
from aiops_wb.log.tokens import make_token
from aiops_wb.watch.acts import take_in_acts


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return copy(tmp_path_factory.mktemp("cases") / "bench")


@pytest.fixture(scope="module")
def client(bench):
    with client_of(app_of(bench)) as client:
        yield client


def taken_in(bench):
    with bench.store() as store:
        told = take_in_acts(store, NOW, settings(bench))
        store.publish()
    return [(one.state, one.says) for one in told]


def test_a_case_is_given_commented_on_and_closed(bench, client):
    one, other = (row["case_id"] for row in client.get("/cases?limit=2").json()["items"])
    done = lambda act, **what: client.post(f"/cases/{one}/{act}", json=what).status_code
    for _ in range(2):
        assert done("assign", to="ben", why="on duty") == 202
    assert done("comment", text="<b>open</b> gate") == 202
    assert done("close", why="a drill", outcome="dismissed") == 202
    assert done("mute", until="2026-03-09", why="known") == 202
    for act, wrong in (
        ("assign", {"to": " ", "why": "x"}),
        ("assign", {"to": "ben\n", "why": "x"}),
        ("comment", {"text": ""}),
        ("close", {"why": "x", "outcome": "fine"}),
        ("mute", {"until": "soon", "why": "x"}),
    ):
        assert done(act, **wrong) == 422, (act, wrong)
    assert client.post("/cases/A-000000000000/comment", json={"text": "x"}).status_code == 404
    assert taken_in(bench) == [
        ("done", f"{one}: given to ben"),
        ("done", f"{one}: given to ben (it was so already: nothing was written)"),
        ("done", f"{one}: commented on"),
        ("done", f"{one}: closed (dismissed)"),
        ("done", f"{one}: muted until 2026-03-09"),
    ]
    told = client.get(f"/cases/{one}").json()
    assert (told["assignee"], told["assigned_by"], told["state"]) == ("ben", "ana", "closed")
    assert (told["outcome"], told["comment"]) == ("dismissed", "<b>open</b> gate")
    assert [(row["what"], row["who"]) for row in told["history"]] == [
        (what, "ana") for what in ("case assignee", "case comment", "case", "case mute")
    ]
    assert told["label"] in (0, 1) and told["reasons"].startswith("x = ")
    listed = lambda asked: [r["case_id"] for r in client.get(f"/cases?{asked}").json()["items"]]
    assert listed("assignee=ben") == listed("state=muted") == listed("find=GATE") == [one]
    assert one not in listed("assignee=") and other in listed("assignee=")
    assert listed("entity=nobody") == [] and one in listed(f"site={told['site_id']}")
    assert client.get("/cases/A-000000000000").status_code == 404


def test_the_page_of_a_case_has_a_form_for_each_act_and_escapes_what_people_said(
    bench, client, monkeypatch
):
    monkeypatch.setattr(answers, "WAIT", 0)
    one, other = (row["case_id"] for row in client.get("/cases?limit=2").json()["items"])
    page = client.get(f"/pages/cases/{one}").text
    assert "&lt;b&gt;open&lt;/b&gt; gate" in page and "<b>open" not in page
    assert 'value="close"' not in page, "it is closed"
    page = client.get(f"/pages/cases/{other}").text
    values = set(re.findall(r'name="do" value="(\w+)"', page))
    assert values == {"acknowledge", "close", "mute", "assign", "comment"}
    csrf = re.search(r'name="csrf" value="([^"]+)"', page)[1]
    form = {"csrf": csrf, "id": other, "back": f"/pages/cases/{other}", "why": "mine"}
    send = lambda **more: client.post("/pages/cases", data=form | more, follow_redirects=False)
    answer = send(do="assign", to="Zoë")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"/pages/cases/{other}?act=")
    assert send(do="close", outcome="dismissed").status_code == 303
    assert send(do="comment").status_code == 303
    assert send(do="assign", to=" ").status_code == 422
    assert send(do="close", outcome="fine").status_code == 422
    assert [state for state, _ in taken_in(bench)] == ["done"] * 3
    page = client.get("/pages/cases?assignee=Zo%C3%AB").text
    assert re.findall(r'<tr id="([AT]-\w+)"', page) == [other]
    assert other not in client.get("/pages/cases?assignee=-").text
    assert client.get("/pages/cases/A-000000000000").status_code == 404


def test_who_may_only_read_changes_nothing(bench):
    secret = make_token(bench.data, "eve", ["read"], "root", NOW)
    with client_of(app_of(bench), secret) as eve:
        (one,) = eve.get("/cases?limit=1").json()["items"]
        for act, what in (("assign", {"to": "eve", "why": "x"}), ("comment", {"text": "x"})):
            assert eve.post(f"/cases/{one['case_id']}/{act}", json=what).status_code == 403
        assert eve.get(f"/cases/{one['case_id']}").status_code == 200
