"""Tokens: made, found, revoked; a secret is nowhere but with whom it was given to."""

import json
import logging
import os
import stat
import threading
from datetime import UTC, datetime, timedelta

import pytest
from conftest import MODEL, events

from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.log import tokens as of_tokens
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.log.errors import StoreError
from aiops_wb.log.tokens import (
    NEEDS,
    find_token,
    make_token,
    record_tokens,
    revoke_token,
    tokens,
)

NOW = datetime(2026, 3, 20, 2, tzinfo=UTC)


def test_a_token_is_found_by_its_secret_while_it_is_valid(tmp_path):
    secret = make_token(tmp_path, "ana", ["propose"], "root", NOW, NOW + timedelta(30), "the page")
    other = make_token(tmp_path, "svc", {"decide"}, "root", NOW)
    assert secret.startswith("awb_") and len(secret) == 47 and secret != other
    found = find_token(tmp_path, secret, NOW)
    assert (found.name, found.roles, found.made_by, found.made_why) == (
        "ana",
        ("propose",),
        "root",
        "the page",
    )
    assert found.state(NOW) == "valid" and found.state(NOW + timedelta(30)) == "expired"
    assert find_token(tmp_path, secret, NOW + timedelta(30)) is None
    assert find_token(tmp_path, other, NOW + timedelta(10_000)).name == "svc"
    for wrong in ("", secret[:-1], secret + "x", found.sha256, found.id, "ä\udcff", "awb_"):
        assert find_token(tmp_path, wrong, NOW) is None
    assert find_token(tmp_path / "nowhere", secret, NOW) is None


def test_roles_hold_what_stands_below_them(tmp_path):
    may = {
        role: {r for r in of_tokens.ROLES if find_token(tmp_path, secret, NOW).may(r)}
        for role in of_tokens.ROLES
        for secret in [make_token(tmp_path, role, [role], "root", NOW)]
    }
    assert may == {
        "read": {"read"},
        "propose": {"read", "propose"},
        "approve": {"read", "propose", "approve"},
        "decide": {"decide"},
        "deliver": {"deliver"},
    }
    both = make_token(tmp_path, "both", ["decide", "read"], "root", NOW)
    assert find_token(tmp_path, both, NOW).roles == ("read", "decide")
    assert {kind for kind, role in NEEDS.items() if role == "approve"} == {
        "set",
        "approve",
        "rollback",
    }


def test_revoking_acts_at_once_and_is_kept_with_who_and_why(tmp_path):
    one, two = (make_token(tmp_path, "ana", ["read"], "root", NOW) for _ in range(2))
    assert find_token(tmp_path, one, NOW) and find_token(tmp_path, two, NOW)
    (gone,) = revoke_token(tmp_path, find_token(tmp_path, one, NOW).id, "ben", NOW, "lost")
    assert find_token(tmp_path, one, NOW) is None and find_token(tmp_path, two, NOW)
    assert (gone.revoked_by, gone.revoked_why, gone.state(NOW)) == ("ben", "lost", "revoked")
    assert [t.name for t in revoke_token(tmp_path, "ana", "ben", NOW, "left")] == ["ana"]
    assert find_token(tmp_path, two, NOW) is None
    assert [t.revoked_why for t in tokens(tmp_path)] == ["lost", "left"]
    for name in ("ana", gone.id, "nobody", ""):
        with pytest.raises(StoreError, match="no token that was not revoked"):
            revoke_token(tmp_path, name, "ben", NOW, "again")


WRONG = {
    "no role": (
        ("ana", [], "root", NOW),
        "roles among read, propose, approve, decide, deliver, not none",
    ),
    "no such role": (("ana", ["admin"], "root", NOW), "not admin"),
    "no name": ((" ", ["read"], "root", NOW), "the name of a token has to be a text"),
    "unseen": (("an\u200ba", ["read"], "root", NOW), "control character"),
    "escapes": (("a\x1b", ["read"], "root", NOW), "control character"),
    "over before": (("ana", ["read"], "root", NOW, NOW), "cannot end before it begins"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_token_is_not_made(tmp_path, name):
    told, said = WRONG[name]
    with pytest.raises(StoreError, match=said):
        make_token(tmp_path, *told)
    assert tokens(tmp_path) == []


def test_the_file_holds_no_secret_and_is_for_its_owner_alone(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    old = os.umask(0)
    try:
        secret = make_token(tmp_path, "ana", ["read"], "root", NOW)
    finally:
        os.umask(old)
    path = tmp_path / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (token,) = tokens(tmp_path)
    told = [repr(token), str(token), caplog.text, path.read_text(), *map(str, tmp_path.iterdir())]
    assert not [text for text in told if secret.removeprefix("awb_") in text]
    assert token.sha256 not in repr(token)
    assert not list(tmp_path.glob(".*")), "nothing is left beside it"


def test_a_file_that_cannot_be_trusted_lets_nobody_in(tmp_path, monkeypatch):
    secret = make_token(tmp_path, "ana", ["read"], "root", NOW)
    path, good = tmp_path / "tokens.json", (tmp_path / "tokens.json").read_text()
    naive = json.dumps({"tokens": [json.loads(good)["tokens"][0] | {"expires_at": "2099-12-31"}]})
    for text in (
        "",
        "{",
        "[]",
        '{"tokens": [1]}',
        naive,
        good.replace("made_at", "made"),
        "[" * 10_000,
    ):
        path.write_text(text)
        with pytest.raises(StoreError, match=r"tokens.json is damaged"):
            find_token(tmp_path, secret, NOW)
    path.write_text(good.replace('"read"', '"root"'))
    with pytest.raises(StoreError, match=r"damaged"):
        find_token(tmp_path, secret, NOW)
    path.write_text(good)
    path.chmod(0o620)
    with pytest.raises(StoreError, match="may be written by others"):
        find_token(tmp_path, secret, NOW)
    path.chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setattr(of_tokens, "believed", lambda data: {54_321})
        with pytest.raises(StoreError, match="belongs to user"):
            find_token(tmp_path, secret, NOW)
    assert find_token(tmp_path, secret, NOW)
    path.unlink()
    assert find_token(tmp_path, secret, NOW) is None


def test_the_file_is_read_once_until_it_is_replaced(tmp_path, monkeypatch):
    secret, reads = make_token(tmp_path, "ana", ["read"], "root", NOW), []
    real = of_tokens._parsed
    monkeypatch.setattr(of_tokens, "_parsed", lambda told: reads.append(1) or real(told))
    of_tokens._read.cache_clear()
    for _ in range(5):
        assert find_token(tmp_path, secret, NOW)
    assert len(reads) == 1
    revoke_token(tmp_path, "ana", "ben", NOW, "lost")
    assert find_token(tmp_path, secret, NOW) is None and len(reads) == 2


def test_many_are_made_at_once_and_none_is_lost(tmp_path):
    made = []

    def some(number):
        made.extend(make_token(tmp_path, f"t{number}", ["read"], "root", NOW) for _ in range(5))

    threads = [threading.Thread(target=some, args=(n,)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({t.id for t in tokens(tmp_path)}) == 25
    assert all(find_token(tmp_path, secret, NOW) for secret in made)


def test_the_trail_learns_of_tokens_from_whoever_writes_next(bench, capsys, monkeypatch):
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)
    monkeypatch.setenv("LOGNAME", "root")
    house = ["--data", str(bench.data)]
    words = ["tokens", "make", "ana", "--role", "read", "--role", "propose", "--days", "7"]
    assert main([*words, *house]) == 0
    secret, said = capsys.readouterr().out.splitlines()
    assert find_token(bench.data, secret, NOW).name == "ana" and "shown once" in said
    assert main([*words, "-q", *house]) == 0
    assert capsys.readouterr().out.count("\n") == 1, "a script gets the secret alone"
    bench.log(events(days=1, per_day=3, start=NOW.date() - timedelta(2)))
    assert main(["ingest", *house]) == 0
    assert main(["tokens", "revoke", "ana", "--why", "left", *house]) == 0
    assert find_token(bench.data, secret, NOW) is None
    for _ in range(2):
        assert main(["acts", "take", *house]) == 0
    with open_snapshot(bench.data) as log:
        rows = log.audit()
        of = rows[rows.what == "token"]
        assert of.new.tolist() == [
            "made for ana: read, propose, until 2026-03-27 02:00",
            "made for ana: read, propose, until 2026-03-27 02:00",
            "revoked",
            "revoked",
        ]
        assert of.why.tolist()[-1] == "left" and set(of.who) == {"root"}
        assert json.loads(of.evidence.iloc[0])["name"] == "ana"
        assert log.verify_audit() == len(rows) and MODEL in log.models()
    capsys.readouterr()
    assert main(["tokens", "list", *house]) == 0
    told = capsys.readouterr().out
    assert "revoked 2026-03-20 by root: left" in told and "2 tokens, 0 valid" in told
    assert main(["tokens", "list", "--json", *house]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0]["state"] == "revoked" and "sha256" not in rows[0]


def test_a_file_that_cannot_be_trusted_costs_the_night_nothing(bench, caplog):
    make_token(bench.data, "ana", ["read"], "root", NOW)
    (bench.data / "tokens.json").write_text("{")
    with bench.store() as store:
        assert record_tokens(store, NOW) == 0
    assert "the audit trail knows nothing of tokens made since" in caplog.text


def test_a_reason_that_was_edited_away_costs_no_row_of_the_trail(bench):
    make_token(bench.data, "ana", ["read"], "root", NOW)
    path = bench.data / "tokens.json"
    path.write_text(path.read_text().replace("a token for ana", " "))
    with bench.store() as store:
        assert record_tokens(store, NOW) == 1 and record_tokens(store, NOW) == 0
        assert store.audit().why.tolist() == ["no reason was given"]
