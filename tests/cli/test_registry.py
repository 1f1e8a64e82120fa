"""Versions on a terminal: what is in production, cards, the shadow, folders of versions."""

import json
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL, Bench, events

from aiops_wb.cli import main
from aiops_wb.models.cards import card_of, held_out_figures
from aiops_wb.models.registry import register
from aiops_wb.models.training import train

NOW = datetime(2026, 3, 20, tzinfo=UTC)
WHY = ["--why", "a trial"]


def rows(seed=0, **more):
    "Labelled rows of 40 days: held-out figures of 8 have intervals."
    frame = events(40, 40, seed)
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "event_date": pd.to_datetime(frame.day),
            "label": frame.label.astype(float),
            "feature:x": frame.x,
            "feature:kind": rng.choice(["a", "b"], len(frame)),
            **{f"feature:{name}": values for name, values in more.items()},
        }
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    "A folder with two versions, of which the first is the champion."
    bench = Bench(tmp_path_factory.mktemp("registry"))
    more = {"y": np.arange(1600.0)}
    with bench.store() as store:
        register(store, *train(rows(), MODEL, "v1", rounds=10), NOW, "ana")
        second = train(rows(1, **more), MODEL, "v2", rounds=20, unsure="a young log")
        register(store, *second, NOW + timedelta(1), "ana")
        store.promote(NOW + timedelta(2), "ana", MODEL, "v1", "first")
        store.publish()
    return bench


@pytest.fixture
def give(made, tmp_path, capsys):
    "Give a command on a copy: its lines; refused: what was wrong."
    bench = made.copy_to(tmp_path / "copy")

    def given(*words, code=0):
        assert main([*map(str, words), "--data", str(bench.data)]) == code
        told = capsys.readouterr()
        assert told.err.count("\n") == (code != 0) and "Traceback" not in told.err
        return told.err if code else told.out.splitlines()

    given.bench = bench
    return given


def as_json(lines):
    return json.loads("\n".join(lines))


def test_what_is_in_production_now_and_was_at_a_time(give):
    assert give("models", "show", MODEL)[0] == f"{MODEL} v1 since 2026-03-22 00:00Z (ana: first)"
    give("models", "shadow", MODEL, "v2", "on", *WHY)
    assert "  challenger: v2, in the shadow since" in "\n".join(give("models", "show", MODEL))
    aliases = {m["version"]: m["alias"] for m in as_json(give("models", "list", "--json"))}
    assert aliases == {"v1": None, "v2": "challenger"}
    said = give("models", "activate", "--model", MODEL, "--version", "v2", *WHY)
    assert said[0] == f"{MODEL} v2 is active, instead of v1"
    assert "threshold 0.600 (405 points); with v1 it was 0.600" in said[1]
    assert f"calibration {MODEL}/v2/1; with v1 it was {MODEL}/v1/1" in said[2]
    assert re.fullmatch(
        r"  somebody is called .* held-out days\), before .* held-out days\)", said[3]
    )
    listed = "\n".join(give("models", "list"))
    assert "v1  registered 2026-03-20 00:00Z, threshold 405 points, previous" in listed
    now = as_json(give("models", "show", MODEL, "--json"))
    assert (now["champion"]["version"], now["previous"], now["challengers"]) == ("v2", "v1", [])
    assert [span["version"] for span in now["production"]] == ["v1", "v2"]
    assert now["production"][1]["until"] is None and now["why"] == "a trial"
    then = as_json(give("models", "show", MODEL, "--at", "2026-03-23T00:00:00Z", "--json"))
    assert then["champion"]["calibration_id"] == f"{MODEL}/v1/1" and then["previous"] is None
    assert then["champion"]["score"] == pytest.approx(0.6, abs=1e-3)
    said = give("models", "show", MODEL, "--at", "2026-03-23T00:00:00Z")
    assert said[1] == f"  threshold 0.600 (405 points), calibration {MODEL}/v1/1"
    assert " to then: " in said[-1] and "now" not in said[-1]
    early = give("models", "show", MODEL, "--at", "2026-03-01T00:00:00Z")
    assert early == [f"{MODEL} had no version in production"]
    assert give("models", "rollback", "--model", MODEL, *WHY)[0] == (
        f"{MODEL} v1 is active again, instead of v2"
    )
    assert "choose one of late" in give("models", "show", "nobody", code=1)


def test_a_card_says_what_a_version_is(give):
    said = dict(
        line.strip().split(": ", 1) for line in give("models", "show", MODEL, "--version", "v2")[1:]
    )
    assert said["state"] == "registered, registered 2026-03-21 00:00Z"
    assert said["trained on"] == "1,280 rows, days from 2026-03-01 to 2026-04-09"
    assert said["labels"] == "on 320 of 320 events of 8 days (100 % labelled)"
    assert said["labels not known to be complete"] == "a young log"
    assert re.fullmatch(r"0\.\d{3} \(0\.\d{3} to 0\.\d{3}\)", said["held-out roc_auc"])
    assert (
        said["features"] == "x (number), kind (text), y (number)"
        and "rounds 20" in said["parameters"]
    )
    card = as_json(give("models", "show", MODEL, "--version", "v2", "--json"))
    figure = card["held_out_figures"]["roc_auc"]
    assert figure["lower"] < figure["value"] < figure["upper"] and figure["n"] == 320
    assert said["hash of the file"] == card["sha256"] and len(card["sha256"]) == 64
    assert {"aiops_wb", "xgboost-cpu", "python"} <= card["packages"].keys()
    assert card["bins"]["kind"] == {"categories": ["a", "b"]} and card["bins"]["y"]["cuts"]
    again = as_json(give("models", "show", MODEL, "--version", "v2", "--json"))
    assert again == card, "drawn with a seed"
    later = ["models", "show", MODEL, "--version", "v2", "--at", "2026-03-20T12:00:00Z"]
    assert "was registered later" in give(*later, code=1)


def test_a_card_keeps_its_figures_with_their_intervals(give):
    "As they are drawn from its held-out days; at another threshold they are drawn anew."
    later = NOW + timedelta(3)
    with give.bench.store() as store:
        kept = store.version(MODEL, "v2").card["figures"]
        days = list(store.held_out_counts(MODEL, "v2").values())
        store.set_threshold(later, "ana", MODEL, "v2", 900, "a trial")
        moved = card_of(store, MODEL, "v2")
        drawn = {at: held_out_figures(days, at) for at in (405, 900)}
        before = card_of(store, MODEL, "v2", later - timedelta(seconds=1))
    told = {name: (f["value"], f["lower"], f["upper"], f["n"]) for name, f in kept.items()}
    assert {"pr_auc", "log_loss", "precision", "recall"} <= told.keys()
    for name, figure in drawn[405].items():
        assert told[name] == tuple(None if v != v else v for v in figure), name
    assert moved.figures["recall"] == drawn[900]["recall"] != drawn[405]["recall"]
    assert before.figures["recall"] == drawn[405]["recall"]


def test_two_cards_side_by_side(give):
    said = give("models", "compare", MODEL, "v1", "v2")
    assert "features of v2 alone: y" in said and "features of v1 alone: " not in "\n".join(said)
    assert any(s.startswith("held out: from ") and s.endswith("(both)") for s in said)
    assert any(re.match(rf"held-out pr_auc: {MODEL} v1: 0.*; {MODEL} v2: 0", s) for s in said)
    both = as_json(give("models", "compare", MODEL, "v1", "v2", "--json"))
    assert [card["version"] for card in both["versions"]] == ["v1", "v2"]
    assert both["features"]["only_second"] == ["y"] and both["features"]["other_cuts"] == ["x"]
    assert "name two versions" in give("models", "compare", MODEL, "v1", "v1", code=1)
    assert "choose one of v2, v1" in give("models", "compare", MODEL, "v1", "v3", code=1)


def test_a_version_goes_into_the_shadow_and_out(give):
    said = give("models", "shadow", MODEL, "v2", "on", *WHY)
    assert said == [f"{MODEL} v2 is in the shadow of v1"]
    again = give("models", "shadow", MODEL, "v2", "on", "--why", "again")
    assert again == [f"{said[0]} (it was so already: nothing was written)"]
    assert "is the champion" in give("models", "shadow", MODEL, "v1", "on", *WHY, code=1)
    card = as_json(give("models", "show", MODEL, "--version", "v2", "--json"))
    assert card["state"] == "challenger"
    said = give("models", "shadow", MODEL, "v2", "off", *WHY)
    assert said == [f"{MODEL} v2 is no longer in the shadow of v1"]


def test_a_version_goes_into_a_folder_and_into_another_log(give, tmp_path):
    out, named = tmp_path / "out", ["--model", MODEL, "--version"]
    said = give("models", "export", *named, "v2", "--to", out)
    assert said == [f"{MODEL} v2 is in {out}: its README.md says how to load it"]
    assert "is there already" in give("models", "export", *named, "v2", "--to", out, code=1)
    assert "choose one of" in give("models", "export", *named, "v3", "--to", out, code=1)
    with give.bench.store() as store:
        store.set_threshold(NOW, "ana", MODEL, "v1", 700, "fewer")
        store.publish()
    give("models", "export", *named, "v1", "--to", tmp_path / "first")
    said = give("models", "import", tmp_path / "first", *named, "copy of v1")
    assert said == [
        f"{MODEL} copy of v1 is registered, not active: {MODEL} v1, exported; threshold 0.600 "
        "(405 points)",
        "where it was exported, 0.668 (700 points) was in force",
    ]
    fresh = Bench(tmp_path / "fresh")
    elsewhere = ["models", "import", str(out), *named, "v9", "--data", str(fresh.data)]
    assert main(elsewhere) == 0
    with fresh.store() as store:
        assert store.require_whole(MODEL, "v9").card["imported"]["named"] == f"{MODEL} v2"
    (out / "held_out.csv").write_text("")
    assert "is not the file" in give("models", "import", out, *named, "v10", code=1)
