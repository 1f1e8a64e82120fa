"""A folder that version 0.1 made opens, migrates, and gives the same figures."""

import tarfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from conftest import events

from aiops_wb import Settings, open_snapshot, open_store
from aiops_wb._moved import MOVED, RENAMED
from aiops_wb.daily import compute
from aiops_wb.log.duck import migrations

FOLDER = Path(__file__).parent / "data" / "workbench-0.1.tar.xz"
MODEL = "late"


@pytest.fixture
def old(tmp_path):
    with tarfile.open(FOLDER) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


def test_what_an_old_folder_holds_is_there(old):
    with open_store(old, "test") as store:
        assert store.active_version(MODEL) == "v1" and store.threshold(MODEL, "v1") == 400
        assert store.verify_audit() == 38
        assert len(store.calibration_list(MODEL)) == 32
        assert store.sites()[("default", "north")]["security_manager"] == "Ada"
        assert list(store.calendar(MODEL).name) == ["a holiday"]
        assert store.frame(
            "SELECT state, count(*) AS n FROM cases GROUP BY ALL ORDER BY 1"
        ).n.tolist() == [167, 26]
        store.publish()
    with open_snapshot(old) as reader:
        rows = reader.frame(
            "SELECT count(*) AS n, count(actual_fraud_detected) AS labelled FROM "
            "noc_fraud_prediction_log"
        )
        assert rows.n[0] == 1800 and rows.labelled[0] > 1500


CHANGED = ("expected_", "adjusted_")
"Figures whose intervals take days as units now, and bands of score their own pace of labels."
KEY = ["event_date", "tenant", "version", "segment", "metric"]
FIGURE = ["value", "lower", "upper", "n"]


def newest(store):
    "Each figure as it was stored last, but for those that are told otherwise now, or are new."
    rows = store.frame("SELECT * FROM metrics ORDER BY as_of, rowid")
    rows = rows[~rows.metric.str.startswith(CHANGED) & ~rows.metric.str.endswith("_complete")]
    return rows.drop_duplicates(KEY, keep="last").set_index(KEY).sort_index()[FIGURE]


def test_every_day_of_an_old_folder_has_the_figures_that_it_had(old):
    settings = Settings(data=old, label_delay_days=2)
    now = datetime(2026, 2, 7, tzinfo=UTC)
    with open_store(old, "test") as store:
        known = store.frame(
            "SELECT event_date, max(as_of) AS as_of, count(*) AS n FROM metrics GROUP BY ALL "
            "ORDER BY ALL"
        )
        before = newest(store)
        assert len(known) >= 30 and known.n.min() > 50
        for day, as_of in zip(known.event_date.dt.date, known.as_of):
            computed = compute(store, day, MODEL, now, settings, "test", as_of.to_pydatetime())
            assert (computed.state, computed.stored) == ("ok", True), computed.error
        after = newest(store)
    assert after.index.equals(before.index)
    unknown = after.value.isna() & before.value.notna()
    of = after[unknown].index.to_frame()
    # a version in its first four weeks has no reference: of its drift nothing is known
    assert set(of.metric) == {"drift_gravity", "degraded"} and set(of.version) == {"h"}
    assert (of.event_date - of.event_date.min()).max() < pd.Timedelta(days=28)
    pd.testing.assert_frame_equal(after[~unknown], before[~unknown], check_exact=True)


def without(bench, kind, *columns):
    "Segments of the spool as a logger left them that did not know some columns."
    for path in (bench.data / "spool" / kind).glob("*.parquet"):
        known = f"SELECT * EXCLUDE ({', '.join(columns)}) FROM read_parquet('{path}')"
        duckdb.sql(f"COPY ({known}) TO '{path}.old' (FORMAT parquet)")
        Path(f"{path}.old").rename(path)


def test_what_a_logger_of_an_earlier_release_left_is_taken_in_as_it_is(bench):
    frame = events(1)
    told = {"risk_level": ["HIGH"] * 40, "route": ["alert"] * 40, "automated": [False] * 40}
    bench.log(frame, threshold=405, **told)
    bench.label(frame)
    without(bench, "predictions", "ladder", "propensity", "event_key", "arm", "arm_propensity")
    without(bench, "outcomes", "event_key")
    assert bench.ingest().loaded == 80
    with bench.store() as store:
        rows = store.rows(MODEL, frame.day[0], frame.day[0])
        logged = store.frame("SELECT * FROM quarantine")
    assert set(rows.threshold) == {405} and set(rows.route) == {"alert"}
    assert rows.label.notna().all() and logged.empty and not (bench.data / "rejected").exists()


NOTES = (Path(__file__).parent.parent / "docs" / "upgrading.md").read_text(encoding="utf-8")


def rows_below(heading):
    "The cells of the tables of the notes below a heading."
    part = NOTES.partition(f"{heading}\n")[2].partition("\n## ")[0]
    lines = (line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| "))
    return [tuple(cell.strip() for cell in line) for line in lines]


def test_the_notes_list_every_step_of_the_schema():
    told = [row[0].split() for row in rows_below("## The schema, step by step")[2:]]
    assert told == [[f"{number:04d}", name] for number, name, _ in migrations()]


def test_the_notes_list_every_module_that_has_moved_and_every_name_that_is_another():
    told = dict(rows_below("### Modules that have moved"))
    modules = {
        f"`aiops_wb.{old}`": ", ".join(f"`aiops_wb.{place}`" for place in now)
        for old, now in MOVED.items()
    }
    names = {f"`{module}.{name}`": f"`{now}`" for (module, name), now in RENAMED.items()}
    assert told == modules | names | {"before": "now", "---": "---"}
