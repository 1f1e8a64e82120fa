"""What the service tells: every number is the commands', and an answer is kept while nothing new
is published."""

import errno
import json
import os
from datetime import date

import duckdb
import pandas as pd
import pytest
from conftest import MODEL
from prometheus_client.parser import text_string_to_metric_families
from serving import ID, NOW, app_of, client_of, copy, made, settings

from aiops_wb.api import deciding
from aiops_wb.cli import call as calls
from aiops_wb.cli import main
from aiops_wb.log.catalog import open_snapshot
from aiops_wb.models.scorer import Scorer
from aiops_wb.render.tables import performance
from aiops_wb.watch.explained_event import explained_event
from aiops_wb.watch.threshold_changes import newest_view


@pytest.fixture(scope="module")
def client():
    with client_of(app_of(made())) as client:
        yield client


@pytest.fixture
def told(monkeypatch, capsys):
    "What a command prints as JSON, or as text."
    monkeypatch.setattr(calls.Call, "now", lambda self: NOW)
    monkeypatch.setattr(calls.Call, "settings", settings(made()))

    def asked(*words, as_json=True):
        assert main([*words, *(["--json"] if as_json else []), "--data", str(made().data)]) == 0
        out = capsys.readouterr().out
        return json.loads(out) if as_json else out

    return asked


def items(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def same(row, other, names):
    "The same values, where a time may be written in two ways."
    plain = lambda v: v.replace("Z", "+00:00") if isinstance(v, str) else v
    assert {n: plain(row[n]) for n in names} == {n: plain(other[n]) for n in names}


def test_thresholds_are_those_of_the_command(client, told):
    (row,), (other,) = items(client, "/thresholds"), told("thresholds", "list")
    assert row["id"] == ID and row["proposals"] == row["waiting"] == []
    names = ["model", "version", "tenant", "site", "threshold", "points", "since", "by", "why"]
    same(row, other, [*names, "dial"])
    assert client.get(f"/thresholds/{ID}").json() == row


def test_versions_are_those_of_the_command(client, told):
    (row,), (other,) = items(client, "/models"), told("models", "list")
    assert row["points"] == other["threshold"] and 0 < row["threshold"] < 1
    names = ["registered_at", "active", "alias", "adopted", "roc_auc", "pr_auc", "held_out"]
    same(row, other, names)


def test_a_simulation_is_that_of_the_command(client, told):
    body = {"model": MODEL, "threshold": 0.5}
    answer = client.post("/thresholds/simulate", json=body).json()
    with open_snapshot(made().data) as log:
        result = newest_view(log, MODEL, NOW, settings(made())).other_thresholds.simulate(0)
    for name, of in result.record.items():
        figures = answer["figures"][name]
        assert (
            figures["candidate"] == of.candidate.value and figures["in_force"] == of.current.value
        )
        assert figures["difference"] == of.difference.value
    lines = told("thresholds", "simulate", "0.5", "--model", MODEL, as_json=False).splitlines()
    fpr = next(line.split() for line in lines if line.split()[:1] == ["fpr"])
    shown = answer["figures"]["fpr"]
    assert fpr[1:3] == [f"{shown['candidate']:.3f}", f"{shown['in_force']:.3f}"]
    assert answer["recommendation"] in lines
    points = {"model": MODEL, "points": 0}
    assert client.post("/thresholds/simulate", json=points).json() == answer


def test_stored_figures_are_those_of_the_log(client):
    rows = items(client, f"/models/{MODEL}/daily?limit=1000")
    with open_snapshot(made().data) as log:
        stored = log.metrics(MODEL)
    assert len(rows) == len(stored) > 20
    places = [(-date.fromisoformat(row["day"]).toordinal(), row["metric"]) for row in rows]
    assert places == sorted(places)  # newest day first, by name within it
    value = stored[stored.metric == "alerts"].value.iloc[0]
    (alerts,) = items(client, f"/models/{MODEL}/daily?metric=alerts")
    assert alerts["value"] == value and alerts["day"] == str(date(2026, 3, 2))
    assert items(client, f"/models/{MODEL}/daily?metric=alerts&to=2026-03-01") == []
    site = items(client, f"/models/{MODEL}/daily?metric=alerts&segment=site%3Dnorth")
    assert site[0]["value"] < value


def test_cases_and_alarms_are_those_of_the_commands(client, told):
    rows, others = items(client, "/cases?limit=1000"), told("cases", "list")
    assert [row["case_id"] for row in rows][::-1] == [row["case_id"] for row in others] != []
    assert {row["state"] for row in rows} == {"open"}
    assert items(client, "/cases?state=closed") == []
    others = told("drift", "list")
    told_of = [row["event_id"] for row in items(client, "/drift")]
    assert told_of == [row["event_id"] for row in others] != []
    assert len(items(client, "/alarms")) == len({row["event_id"] for row in others})


def test_false_positives_are_those_of_the_report(client):
    with open_snapshot(made().data) as log:
        table = performance.false_positive_table(newest_view(log, MODEL, NOW, settings(made())))
    shown = table.frame
    for by in ("day", "version", "site", "width"):
        rows = client.get(f"/metrics/false-positive-rate?by={by}").json()
        of_report = shown[shown.by == {"width": "interval width"}.get(by, by)]
        assert [f"{row['fp']:,}" for row in rows] == of_report["false positives"].tolist() != []
        for row in rows:
            assert row["fpr"] is None or row["fpr"] == row["fp"] / row["negatives"]


def test_reasons_are_those_of_the_command(client, told):
    (case, *_) = items(client, "/cases?limit=1")
    with open_snapshot(made().data) as log:
        row = log.cases().query("case_id == @case['case_id']").iloc[0]
        known = explained_event(log, row.prediction_id, settings(made()), MODEL)
    answer = client.get(f"/explanations/{MODEL}/{row.prediction_id}").json()
    of_command = told("explain", "--id", row.prediction_id)
    assert answer["features"] == of_command["features"]
    assert answer["interval"] == of_command["interval"]
    assert answer["reasons"] == known["reasons"] and "x = " in known["reasons"]
    assert answer["start"] + sum(f["push"] for f in answer["features"]) == pytest.approx(
        answer["log_odds"]
    )
    assert client.get(f"/explanations/{MODEL}/nobody").status_code == 404


def test_health_is_that_of_the_command(client, told):
    answer, other = client.get("/health").json(), told("status")
    assert answer["models"] == other["models"] and answer["batch"] == other["batch"]
    assert answer["spool_files"] == answer["acts_waiting"] == 0
    assert answer["age_seconds"] >= 0 and answer["timezone"] == "UTC"


def test_prometheus_is_told_what_the_commands_tell(client):
    client.get("/thresholds")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if line[0] != "#")
    (row,) = items(client, "/thresholds")
    key = f'aiops_wb_threshold{{model="{MODEL}",site="",tenant="",version="v1"}}'
    assert round(float(lines[key]), 6) == row["threshold"]
    (alerts,) = items(client, f"/models/{MODEL}/daily?metric=alerts")
    figure = f'aiops_wb_figure{{figure="alerts",model="{MODEL}",version="v1"}}'
    assert float(lines[figure]) == alerts["value"]
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    for name, path in (("alarms", "/alarms"), ("cases", "/cases?days=36500")):
        (sample,) = families[f"aiops_wb_{name}_open"].samples
        assert sample.value == client.get(f"{path}").json()["total"] > 0
    asked = 'aiops_wb_requests_total{method="GET",route="/thresholds",status="200"}'
    assert float(lines[asked]) >= 1


def test_events_are_decided_by_what_is_in_force(client):
    events = [{"features": {"x": x}, "site_id": "north"} for x in (-2, 0.3, 2.5, None)]
    answer = client.post("/decide", json={"model": MODEL, "events": events}).json()
    with open_snapshot(made().data) as log:
        scorer = Scorer.in_force(log, MODEL)
    assert answer["points"] == scorer.threshold
    probability = float(scorer.version.grid.inverse(scorer.threshold))
    assert answer["threshold"] == round(probability, 6) != probability
    known = scorer.decide(pd.DataFrame({"x": [-2, 0.3, 2.5, None]}), NOW, site_id="north")
    for row, (_, other) in zip(answer["decisions"], known.iterrows()):
        assert (row["points"], row["route"], row["reason"]) == (
            other.points,
            other.route,
            other.reason,
        )
    assert {row["route"] for row in answer["decisions"]} > {"monitor"}
    assert not list((made().data / "spool").rglob("*.parquet"))
    assert answer["logged"] is False


def test_events_are_logged_only_where_that_is_asked_for(tmp_path):
    bench = copy(tmp_path / "data")
    event = {"features": {"x": 2.0}, "prediction_id": "of-api", "event_key": "arrival 17"}
    body = {"model": MODEL, "events": [event]}
    body |= {"log": True, "at": "2026-03-03T09:00:00+02:00"}
    with client_of(app_of(bench)) as client:
        assert client.post("/decide", json=body).json()["logged"] is True
        assert list((bench.data / "spool" / "predictions").iterdir())  # on the disk by now
    bench.ingest(NOW)
    with bench.store() as log:
        event = log.event("of-api", MODEL).iloc[0]
    assert str(event.predicted_at) == "2026-03-03 07:00:00+00:00" and event.route == "alert"
    assert event.event_key == "arrival 17"


def test_the_logger_that_was_not_used_for_longest_is_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(deciding, "MOST_LOGGERS", 2)
    bench = copy(tmp_path / "data")
    place = bench.data / "spool" / "predictions"
    body = {"model": MODEL, "events": [{"features": {"x": 2.0}}], "log": True}
    with client_of(app_of(bench)) as client:
        for tenant in ("a", "b", "a", "c", "c"):
            assert client.post("/decide", json=body | {"tenant": tenant}).status_code == 200
        (finished,) = place.glob("*.parquet")
        tenants = duckdb.execute("SELECT DISTINCT tenant FROM read_parquet([?])", [str(finished)])
        assert tenants.fetchall() == [("b",)]


def test_where_the_disk_takes_nothing_nothing_is_decided(tmp_path, monkeypatch):
    bench = copy(tmp_path / "data")
    body = {"model": MODEL, "events": [{"features": {"x": 2.0}}], "log": True}

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with client_of(app_of(bench)) as client:
        with monkeypatch.context() as disk:
            disk.setattr(os, "fsync", full)
            answer = client.post("/decide", json=body)
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) == 5
        assert "nothing is decided" in answer.json()["detail"]
        assert client.post("/decide", json=body).status_code == 200


def test_an_answer_is_told_again_only_when_it_is_another(tmp_path):
    bench = copy(tmp_path / "data")
    with client_of(app_of(bench)) as client:
        first = client.get("/thresholds")
        again = client.get("/thresholds", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304 and again.content == b""
        with bench.store() as store:
            store.set_threshold(NOW, "ben", MODEL, "v1", 300, "less calls")
            store.publish()
        other = client.get("/thresholds", headers={"If-None-Match": first.headers["etag"]})
        assert other.status_code == 200 and other.json()["items"][0]["points"] == 300


def test_lists_are_told_in_pages(client):
    whole = client.get(f"/models/{MODEL}/daily?limit=1000").json()
    told, path = [], f"/models/{MODEL}/daily?limit=20"
    while path:
        answer = client.get(path)
        told += answer.json()["items"]
        links = {rel: url for url, rel in _links(answer.headers.get("link", ""))}
        path = links.get("next")
    assert told == whole["items"] and len(told) == whole["total"]


def _links(header):
    for part in filter(None, header.split(", ")):
        url, _, rel = part.partition("; ")
        yield url.strip("<>"), rel.removeprefix('rel="').removesuffix('"')
