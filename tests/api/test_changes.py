"""Changes over HTTP: handed to the one writer, each done once, none lost, none over another."""

import pytest
from conftest import MODEL
from serving import ID, NOW, app_of, client_of, copy, secrets, settings

from aiops_wb.api import taking_in
from aiops_wb.api.taking_in import AGAIN, LATEST, TakingIn
from aiops_wb.config import Settings
from aiops_wb.log.acts import hand_in, waiting
from aiops_wb.log.errors import Busy
from aiops_wb.log.tokens import make_token
from aiops_wb.watch.acts import take_in_acts

WHY = {"why": "to try it"}


@pytest.fixture
def bench(tmp_path):
    return copy(tmp_path / "bench")


def changed(client, points, etag, **more):
    headers = {"If-Match": etag} if etag else {}
    return client.patch(f"/thresholds/{ID}", json=WHY | {"points": points} | more, headers=headers)


def taken_in(bench):
    "What the writer does when it is free: what came of each act."
    with bench.store() as store:
        told = take_in_acts(store, NOW, settings(bench))
        store.publish()
    return told


def test_a_proposal_is_approved_by_somebody_else_and_put_back(bench):
    ana, ben = (make_token(bench.data, name, ["approve"], "root", NOW) for name in ("ana", "ben"))
    app = app_of(bench, take_in=True, chosen={"threshold_four_eyes": True})
    with client_of(app, ana) as first:
        second = client_of(app, ben)
        before = first.get(f"/thresholds/{ID}")
        assert changed(first, 77, before.headers["etag"], set=True).status_code == 409
        handed = changed(first, 77, before.headers["etag"])
        assert handed.status_code == 202 and handed.json()["state"] == "waiting"
        done = first.get(handed.headers["location"], params={"wait": 20}).json()
        assert (done["state"], done["who"]) == ("done", "ana")
        key = done["proposal"]
        assert first.get(f"/thresholds/{ID}").json()["proposals"] == [key]
        alone = first.post(f"/proposals/{key}/approve", json=WHY)
        assert alone.status_code == 409 and "asks for another" in alone.json()["detail"]
        handed = second.post(f"/proposals/{key}/approve", json=WHY)
        assert second.get(handed.headers["location"], params={"wait": 20}).json()["state"] == "done"
        now = first.get(f"/thresholds/{ID}").json()
        assert (now["points"], now["by"], now["proposals"]) == (77, "ben", [])
        assert first.get(f"/proposals/{key}").json()["decided_by"] == "ben"
        again = second.post(f"/proposals/{key}/reject", json=WHY)
        assert again.status_code == 409 and "approved" in again.json()["detail"]
        handed = second.post("/thresholds/reset", json=WHY | {"id": ID})
        second.get(handed.headers["location"], params={"wait": 20})
        assert first.get(f"/thresholds/{ID}").json()["points"] == before.json()["points"]
    with bench.store() as log:
        assert [c.who for c in log.threshold_changes(MODEL)][-2:] == ["ben", "ben"]
        assert log.verify_audit() > 0


def test_a_change_of_what_one_has_not_seen_is_refused(bench):
    with client_of(app_of(bench)) as client:
        seen = client.get(f"/thresholds/{ID}").headers["etag"]
        assert changed(client, 77, None).status_code == 428
        assert changed(client, 77, '"another"').status_code == 412
        assert changed(client, 77, seen, set=True).status_code == 202
        # nothing is taken in yet, and whoever looks knows already
        assert changed(client, 99, seen, set=True).status_code == 412
        stands = client.get(f"/thresholds/{ID}").json()
        assert len(stands["waiting"]) == 1 and stands["points"] != 77
        (done,) = taken_in(bench)
        assert done.state == "done"
        assert changed(client, 99, seen, set=True).status_code == 412
        now = client.get(f"/thresholds/{ID}")
        assert (now.json()["points"], now.json()["waiting"]) == (77, [])
        assert changed(client, 99, now.headers["etag"]).status_code == 202


def test_two_services_cannot_lose_an_update_either(bench):
    "Each looked before the other handed in: the writer sees what the second one had not."
    apps = app_of(bench, who="one"), app_of(bench, who="other")
    with client_of(apps[0]) as one, client_of(apps[1]) as other:
        etags = [client.get(f"/thresholds/{ID}").headers["etag"] for client in (one, other)]
        acts = waiting(bench.data / "spool")
        assert not acts and etags[0] == etags[1]
        changed(one, 77, etags[0], set=True)
        (bench.data / "spool" / "acts").rename(bench.root / "aside")  # as if at the same moment
        changed(other, 99, etags[1], set=True)
        for path in (bench.root / "aside").glob("*.json"):
            path.rename(bench.data / "spool" / "acts" / path.name)
        first, second = taken_in(bench)
        assert (first.state, second.state) == ("done", "refused")
        told = other.get(f"/acts/{second.id}").json()
        assert told["state"] == "refused" and "look again" in told["says"]
        assert one.get(f"/thresholds/{ID}").json()["points"] == 77


def test_what_is_sent_again_is_done_once(bench):
    key = {"Idempotency-Key": "of mine", "If-Match": "*"}
    with client_of(app_of(bench)) as client:
        send = lambda points: client.patch(
            f"/thresholds/{ID}", json=WHY | {"points": points}, headers=key
        )
        assert send(77).json()["id"] == send(77).json()["id"]
        other = send(78)
        assert other.status_code == 422 and "key" in other.json()["detail"]
    assert len(taken_in(bench)) == 1


def test_an_act_is_known_from_the_moment_it_is_handed_in(bench):
    with client_of(app_of(bench)) as client:
        act = changed(client, 77, "*").json()
        assert client.get(f"/acts/{act['id']}").json()["state"] == "waiting"
        assert client.get("/health").json()["acts_waiting"] == 1
        with bench.store() as store:  # in the catalog, and not published
            take_in_acts(store, NOW, settings(bench))
            for path in (bench.data / "spool" / "acts").glob("*.json"):
                path.unlink()
        assert client.get(f"/acts/{act['id']}").json()["state"] == "waiting"
        bench.publish()
        assert client.get(f"/acts/{act['id']}").json()["state"] == "done"
        (gone,) = (bench.data / "spool" / "acts").glob(".*.taken")
        gone.rename(gone.with_name(f"{act['id']}.json"))  # as one who was stopped leaves it
        assert client.get(f"/acts/{act['id']}").json()["state"] == "done"
        assert client.get("/acts").json()["total"] == 1
        assert client.get("/acts/00000000-0000-0000-0000-000000000000").status_code == 404


def test_a_step_back_names_what_was_seen_where_that_is_told(bench):
    with client_of(app_of(bench)) as client:
        seen, before = client.get(f"/thresholds/{ID}"), WHY | {"id": ID}
        back = lambda **head: client.post("/thresholds/reset", json=before, headers=head)
        assert back(**{"If-Match": '"another"'}).status_code == 412
        acts = [back(**{"If-Match": f'"another", {seen.headers["etag"]}'}).json(), back().json()]
        told = [act["what"].get("if_in_force") for act in acts]
        assert told == [seen.json()["points"], None]
        listed = [act["id"] for act in client.get("/acts").json()["items"]]
        assert listed == [act["id"] for act in reversed(acts)]  # newest first


def test_what_waits_for_a_site_is_said_of_that_site(bench):
    at_north = {"model": MODEL, "site": "north", "points": 500} | WHY
    spool, waits = bench.data / "spool", {}
    hand_in(spool, "set", at_north, "ana", NOW)
    with client_of(app_of(bench)) as client:
        assert client.get(f"/thresholds/{ID}").json()["waiting"] == []
        assert [act.state for act in taken_in(bench)] == ["done"]
        act = hand_in(spool, "propose", at_north | {"points": 600}, "ana", NOW)
        for row in client.get("/thresholds").json()["items"]:
            waits[row["site"]] = row["waiting"]
            assert client.get(f"/thresholds/{row['id']}").json() == row
    assert waits == {None: [], "north": [act]}


@pytest.mark.slow  # what acts do with cases is tried beside them
def test_cases_are_looked_after(bench):
    with client_of(app_of(bench)) as client:
        case = client.get("/cases?limit=1").json()["items"][0]["case_id"]
        mute = {"until": "2026-03-09", "why": "known"}
        for act, body in (("acknowledge", WHY), ("mute", mute)):
            assert client.post(f"/cases/{case}/{act}", json=body).status_code == 202
        assert {one.state for one in taken_in(bench)} == {"done"}
        row = client.get("/cases?limit=1").json()["items"][0]
        assert (row["state"], row["by"], row["why"]) == ("acknowledged", "ana", "to try it")
        assert row["muted_until"] == "2026-03-09"
        client.post(f"/cases/{case}/close", json=WHY)
        taken_in(bench)
        closed = client.get("/cases?state=closed").json()["items"]
        assert [row["case_id"] for row in closed] == [case]
        assert client.post("/cases/A-00000000/close", json=WHY).status_code == 404
        assert client.post("/alarms/D-00000000/mute", json=mute).status_code == 404


def test_a_service_with_a_role_short_hands_nothing_in(bench):
    with client_of(app_of(bench), secrets(bench)["propose"]) as client:
        assert changed(client, 5, "*", set=True).status_code == 403
    assert not waiting(bench.data / "spool")


def test_what_is_sent_again_is_told_of_the_same_act_whatever_stands_by_now(bench):
    "The answer was lost, and what was handed in is done: a state that is no longer seen is no bar."
    with client_of(app_of(bench)) as client:
        seen = client.get(f"/thresholds/{ID}").headers["etag"]
        head = {"Idempotency-Key": "one", "If-Match": seen}
        send = lambda **more: client.patch(
            f"/thresholds/{ID}", json=WHY | {"points": 77} | more, headers=head
        )
        first = send()
        assert first.status_code == 202 and first.json()["state"] == "waiting"
        assert send().json() == first.json()
        (done,) = taken_in(bench)
        again = send().json()
        assert (again["id"], again["state"], again["says"]) == (done.id, "done", done.says)
        for other in ({"points": 78}, {"set": True}, {"promise": "fpr=0.5"}):
            refused = send(**other)
            assert refused.status_code == 422 and "key" in refused.json()["detail"], other
        approve = lambda key: client.post(
            f"/proposals/{done.proposal}/approve", json=WHY, headers={"Idempotency-Key": key}
        )
        handed = approve("two").json()
        taken_in(bench)
        assert approve("two").json()["id"] == handed["id"]
        assert approve("two").json()["state"] == "done"
        assert approve("three").status_code == 409
    assert taken_in(bench) == []


def test_what_fails_again_and_again_is_tried_ever_later(tmp_path, monkeypatch):
    "Each try publishes: one act that cannot be taken in must not write a snapshot each moment."
    of, came = TakingIn(tmp_path, Settings(data=tmp_path), lambda: NOW), Busy("x")
    hand_in(tmp_path / "spool", "rollback", {"model": MODEL} | WHY, "ana", NOW)
    monkeypatch.setattr(taking_in, "take_in_now", lambda *_: came)
    assert [of._again(3 * AGAIN), of._again(AGAIN)] == [AGAIN, AGAIN]  # a night may take an hour
    came, waits = [], [None]
    for _ in range(8):
        waits.append(of._again(waits[-1]))
    assert waits[1:4] == [AGAIN, 2 * AGAIN, 4 * AGAIN] and waits[-1] == LATEST
    for path in (tmp_path / "spool" / "acts").glob("*.json"):
        path.unlink()
    assert of._again(LATEST) is None
