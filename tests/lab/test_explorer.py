"""The explorer without a browser: what it reads, what follows what, what becomes of a proposal."""

import subprocess
import sys
from html import unescape
from importlib import import_module
from math import isnan
from pathlib import Path

import pytest
from browser import NODE, needs_node
from conftest import MODEL, Bench, events
from traitlets import TraitError

from aiops_wb import Settings, StoreError, ThresholdExplorer, open_snapshot
from aiops_wb.cli import main
from aiops_wb.lab.front import module, style
from aiops_wb.log.acts import waiting
from aiops_wb.log.spool import PredictionLogger
from aiops_wb.render.frame import template
from aiops_wb.stats.points import Grid
from aiops_wb.stats.thresholds import simulate
from aiops_wb.watch.acts import take_in_acts
from aiops_wb.watch.view import View

HOSTILE = "<img src=x onerror='alert(1)'> & \"co\""
POINTS = (-2_000, -411, 0, 405, 1_700, 16_000)


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    "Five days of one model at two sites, four of them with labels."
    bench = Bench(tmp_path_factory.mktemp("explored"))
    bench.log(events(days=5))
    bench.label(events(days=4))
    bench.ingest()
    bench.publish()
    return bench


@pytest.fixture
def own(logged, tmp_path, monkeypatch):
    "The same, to write to, as somebody."
    monkeypatch.setenv("LOGNAME", "ana")
    return logged.copy_to(tmp_path)


def test_figures_are_those_of_simulate_wherever_it_stands(logged):
    explorer = ThresholdExplorer(logged.data)
    with open_snapshot(logged.data) as reader:
        view = View(reader, MODEL, reader.days(MODEL)[-1])
        others, stood = view.other_thresholds, view.threshold
        days = others.first, others.through
        sites = reader.segment_counts(MODEL, *days, version="v1", tenant="default")
        assert explorer.points == stood and explorer.value == view.probability(stood)
        for points in POINTS:
            explorer.points = points
            record = others.simulate(explorer.points).record
            told = {name: of.candidate.value for name, of in record.items()}
            assert explorer.figures == pytest.approx(told, nan_ok=True)
    explorer.segment = "site north"
    for points in POINTS:
        explorer.points = points
        alone = simulate(sites["site=north"], explorer.points, 0, others.days_replayed)
        assert explorer.figures["tp"] == alone.record["tp"].candidate.value
        assert explorer.figures["alerts"] == sites["site=north"].at_or_above(explorer.points)[0]


def test_score_and_points_follow_each_other_and_the_stops_of_the_slider(logged):
    explorer = ThresholdExplorer(logged.data, MODEL)
    seen = []
    explorer.observe(lambda change: seen.append((change.name, change.new)), ["value", "points"])
    explorer.value = 0.6
    assert explorer.points == 405 and explorer.value == pytest.approx(0.6, abs=2e-4)
    assert sorted(name for name, _ in seen) == ["points", "value"]
    explorer.points = 847
    assert explorer.value == float(Grid().inverse(explorer.points))
    explorer.segment = "site south"
    assert explorer.points % 20 == 0 and abs(explorer.points - 847) <= 20  # its cells are wider
    for wrong, says in ((1.7, "must be a number in"), (float("nan"), "must be a number in")):
        with pytest.raises(TraitError, match=says):
            explorer.value = wrong
    with pytest.raises(TraitError, match="did you mean 'site south'"):
        explorer.segment = "site soth"
    explorer.points = 99_999
    assert explorer.points == explorer._of.segments["site south"].stops[-1]
    assert explorer.figures["alerts"] == 0


def test_what_a_view_sends_is_taken_whole(logged):
    explorer = ThresholdExplorer(logged.data)
    explorer.set_state({"segment": "site north", "points": 500, "_costs": {"missed": 2}})
    assert (explorer.segment, explorer.points) == ("site north", 500)
    assert explorer.figures["alerts"] == explorer._of.simulate("site north", 500).alerts[0]
    assert explorer._data["parts"][0]["named"][0]["name"] == "best F1"
    assert not explorer._data["marks"] and not explorer._data["flat"]


def test_nothing_of_the_log_stays_open(logged):
    explorer = ThresholdExplorer(logged.data)
    held = Path("/proc/self/fd")
    if held.exists():
        opened = [fd.resolve() for fd in held.iterdir()]
        assert not [path for path in opened if path.is_relative_to(logged.data.resolve())]
    explorer.points = 100  # and it needs nothing more of it
    assert explorer.figures["alerts"] > 0


def test_what_there_is_not_is_said_with_what_there_is(logged, tmp_path):
    data = logged.data
    for arguments, says in (
        ((tmp_path / "nowhere",), "there is no folder .*nowhere: name the data folder"),
        ((tmp_path,), "no published snapshot"),
        ((data, "lat"), "'lat' is not known: did you mean 'late'"),
    ):
        with pytest.raises(StoreError, match=says):
            ThresholdExplorer(*arguments)
    for options, says in (
        ({"site": "nort"}, "site 'nort' .* did you mean 'north'. There is 'north', 'south'."),
        ({"tenant": "acme"}, "tenant 'acme' is none"),
        ({"as_of": "2026-03-21"}, "as_of: .* is not a time with an offset"),
        ({"as_of": "2026-03-01T00:00:00+00:00"}, "no predictions yet at 2026-03-01"),
    ):
        with pytest.raises(StoreError, match=says):
            ThresholdExplorer(data, **options)
    assert ThresholdExplorer(data, tenant="default").segment == "all events"
    assert ThresholdExplorer(data, tenant="default", site="south").segment == "site south"


def test_without_a_label_alerts_are_known_and_the_rest_is_not(bench):
    bench.log(events(days=2))
    bench.ingest()
    bench.publish()
    explorer = ThresholdExplorer(bench.data)
    explorer.value = 0.5
    assert explorer.figures["alerts"] > 0 and isnan(explorer.figures["precision"])
    assert "80 of them have no label" in explorer._data["says"]
    assert "<td" in explorer._static() and ">-</td>" in explorer._static()


def proposed(bench):
    with open_snapshot(bench.data) as reader:
        return reader.proposals(MODEL)


def test_a_proposal_is_taken_in_at_once_by_the_one_who_asks(own):
    explorer = ThresholdExplorer(own.data)
    explorer.value = 0.7
    said = explorer.propose("too many calls")
    (of,) = proposed(own)
    assert (of.points, of.instead_of, of.who, of.why) == (
        explorer.points,
        0,
        "ana",
        "too many calls",
    )
    assert (of.scope, of.state) == (None, "open")
    assert explorer.state == "done" and said == explorer.said
    assert said.startswith(f"P-1: {MODEL} v1, threshold 0.7") and "approve P-1 --why" in said
    explorer.segment = "site north"
    explorer.propose("the north is another place")
    assert proposed(own)[1].scope == ("default", "north")
    here = ["--data", str(own.data), "--reports-dir", str(own.root / "reports")]
    assert main(["audit", "verify", *here]) == 0


def test_while_somebody_writes_it_waits_and_is_taken_in_by_them(own):
    explorer = ThresholdExplorer(own.data)
    assert explorer.answer() == ""
    explorer.value = 0.7
    with own.store() as night:
        assert explorer.propose("too many calls").startswith(
            "handed in; the night takes it in: some"
        )
        assert explorer.state == "waiting" and len(waiting(own.data / "spool")) == 1
        assert not proposed(own)
        (act,) = waiting(own.data / "spool")
        take_in_acts(night, act.at, Settings(data=own.data))
        night.publish()
    assert explorer.state == "waiting"
    assert explorer.answer().startswith("P-1: ") and explorer.state == "done"


def test_what_was_overtaken_or_gives_no_reason_is_refused(own):
    explorer = ThresholdExplorer(own.data)
    explorer.value = 0.7
    with pytest.raises(StoreError, match="why has to be a text"):
        explorer.propose("")
    assert (
        main(["thresholds", "set", "0.8", "--model", MODEL, "--why", "b", "--data", str(own.data)])
        == 0
    )
    with pytest.raises(StoreError, match="the threshold in force is 0.800"):
        explorer.propose("too many calls")
    assert explorer.state == "refused" and not proposed(own)
    past = ThresholdExplorer(own.data, as_of="2026-03-21T00:00:00+00:00")
    with pytest.raises(StoreError, match="a proposal is made of what is known now"):
        past.propose("too many calls")
    assert not waiting(own.data / "spool")


def test_a_button_proposes_what_the_view_shows(own, monkeypatch):
    explorer, sent = ThresholdExplorer(own.data), []
    monkeypatch.setattr(explorer, "send", sent.append)
    asked = {"points": 840, "segment": "site south", "why": "too many calls"}
    explorer._handle_custom_msg({"propose": asked}, [])
    explorer._handle_custom_msg({"propose": asked | {"why": " "}}, [])
    explorer._handle_custom_msg({"propose": asked | {"segment": "site x"}}, [])
    explorer._handle_custom_msg({"other": 1}, [])
    (of,) = proposed(own)
    assert (of.points, of.scope, of.who) == (840, ("default", "south"), "ana")
    assert [told["said"][:5] for told in sent] == ["P-1: ", "why h", "'site"]


def test_a_tenant_of_another_name_is_asked_for_by_it(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ana")
    bench, made = Bench(tmp_path), events(days=2)
    with PredictionLogger(bench.data / "spool", MODEL, "v1", threshold=0, tenant="acme") as log:
        log.log(made.score, made["at"], prediction_id=made.id, site_id=made.site)
    bench.ingest()
    bench.publish()
    assert ThresholdExplorer(bench.data, tenant="acme").segment == "all events"
    explorer = ThresholdExplorer(bench.data, tenant="acme", site="north")
    assert explorer._data["parts"][1]["tenant"] == "acme"
    explorer.value = 0.7
    explorer.propose("too many calls")
    assert proposed(bench)[0].scope == ("acme", "north")


def test_where_no_script_runs_a_table_stands(logged):
    explorer = ThresholdExplorer(logged.data)
    explorer.value = 0.6
    told, _ = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in told
    assert told["text/plain"].startswith(
        f"ThresholdExplorer({MODEL!r}, 'v1', 'all events', value=0."
    )
    html = told["text/html"]
    for name in ("tp", "fn", "fp"):
        assert f">{explorer.figures[name]:,.0f}</td>" in html
    assert f">{explorer.figures['precision']:.3f}</td>" in html and "False positive rate" in html


def test_names_stay_text(bench):
    made = events(days=2)
    bench.log(made.assign(site=[HOSTILE, "b"] * (len(made) // 2)))
    bench.ingest()
    bench.publish()
    explorer = ThresholdExplorer(bench.data, site=HOSTILE)
    html = explorer._static()
    assert "<img" not in html and HOSTILE in unescape(html)


def test_without_anywidget_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "aiops_wb.lab.explorer")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'aiops_wb\[lab\]'"):
        import_module("aiops_wb.lab.explorer")


def test_the_script_is_that_of_the_reports_and_loads_nothing():
    assert template("slider.js") in module() and template("page.js") not in module()
    assert "import" not in module().replace("!important", "") and "http" not in module()
    assert template("slider.css") in style() and "url(" not in style()
    light, dark = style().split(":host([data-theme=dark])", 2)[:2]
    for name in ("ink", "soft", "line", "paper", "pale", "blue", "ok", "look"):
        assert f"--{name}:" in light and f"--{name}:" in dark


@needs_node
def test_the_script_is_a_widget_by_its_default_export_alone(tmp_path):
    "A `render` that is exported by name would be called in its place."
    (tmp_path / "widget.mjs").write_text(module(), encoding="utf-8")
    asked = "import * as said from './widget.mjs'; console.log(typeof said.render, said.default)"
    command = [NODE, "--input-type=module", "-e", asked]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ran.stdout.strip() == "undefined { render: [Function: explore] }", ran.stderr
