"""One event decided by itself is, to the last bit, what a frame with this one row gets."""

import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache

import duckdb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from conftest import MODEL
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiops_wb.log.errors import StoreError
from aiops_wb.models.booster_file import read_booster
from aiops_wb.models.one_event import Decided
from aiops_wb.models.scorer import Scorer
from aiops_wb.models.version import ModelVersion
from aiops_wb.stats.automation import certainty
from aiops_wb.stats.counts import ScoreCounts
from aiops_wb.stats.decisions import Ladder
from aiops_wb.stats.points import Grid
from aiops_wb.stats.selective import Exploration

NOW = datetime(2026, 3, 20, tzinfo=UTC)
CATEGORIES = {"kind": ["a", "b", "12", "é"], "yes": ["False", "True"]}
KINDS = {"x": "number", "flag": "boolean", "when": "time"}
FEATURES = ["x", "kind", "flag", "when", "yes", "plain"]
CARD = {"features": FEATURES, "categories": CATEGORIES, "kinds": KINDS, "threshold": 0}


def grown(**options):
    "A booster over the six features, whose trees ask for each of them."
    rng = np.random.default_rng(0)
    n = 3_000
    columns = [
        rng.normal(size=n),
        rng.integers(0, 4, n),
        rng.integers(0, 2, n),
        rng.integers(0, 2_000_000_000, n),
        rng.integers(0, 2, n),
        rng.normal(size=n),
    ]
    x = np.column_stack(columns).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    logit = np.nan_to_num(x[:, 0]) + 2 * (x[:, 1] == 1) + (x[:, 2] == 1) - (x[:, 3] > 1e9)
    y = rng.random(n) < 1 / (1 + np.exp(-logit - np.nan_to_num(x[:, 4] * x[:, 5])))
    names = [f"f{i}" for i in range(6)]
    types = ["q", "c", "q", "q", "c", "q"] if options.get("booster") != "gblinear" else None
    rows = xgb.DMatrix(x, y, feature_names=names, feature_types=types, enable_categorical=True)
    told = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1} | options
    return xgb.train(told, rows, 40)


@cache
def scorer(**options):
    "A version with a calibration that lasts ten days, sites of their own, and explored events."
    version = ModelVersion(MODEL, "v1", grown(**options), CARD)
    rng = np.random.default_rng(1)
    points = rng.integers(-4_000, 4_000, 6_000)
    labels = rng.random(6_000) < Grid().inverse(points)
    days = {
        date(2026, 2, 1) + timedelta(i): ScoreCounts.from_events(points[i::40], labels[i::40])
        for i in range(40)
    }
    made = {"model": MODEL, "version": "v1", "created_at": NOW, "time_to_live": timedelta(10)}
    stands = certainty(days, max(days), method="venn-abers", target=0.3, **made)
    own = {("default", "north"): -500, ("other", None): 900}
    explores = Exploration(0.3, "logit", (-16_000, 0), (200_000, 400_000))
    return Scorer(version, 405, "C-1", stands, Ladder.of().at(405), own, explores)


def the_same(one: Decided, row):
    "Whether a decision is that of a row of `decide`, bits and all."
    assert set(one._fields) == set(row._fields)
    for name, value in one._asdict().items():
        other = getattr(row, name)
        assert value == other or (value != value and other != other), (name, value, other)
        assert type(value) in (float, int, str, bool), name


TEXTS = st.sampled_from(
    ["a", "b", "12", "12.0", " a ", "z", "", "n/a", "True", "FALSE", "1", "0", "1e3", "007", "é"]
    + ["-inf", "nan", "2026-03-01", "2026-03-01T10:00:00+02:00", "1_000", "٣", "<NA>", "None"]
)
NUMPY = st.one_of(
    st.floats(width=32).map(np.float32),
    st.floats().map(np.float64),
    st.integers(-(2**31), 2**31 - 1).map(np.int32),
    st.integers(0, 2**64 - 1).map(np.uint64),
    st.booleans().map(np.bool_),
    st.sampled_from([np.datetime64("2026-03-01T10:00"), np.datetime64("NaT")]),
    st.sampled_from([np.str_("a"), np.timedelta64(90, "s")]),
)
OTHER = st.sampled_from(
    [None, pd.NA, pd.NaT, date(2026, 3, 1), NOW, datetime(2026, 3, 1, 4), timedelta(hours=2)]
    + [Decimal("1.5"), Decimal("NaN"), b"5", [1], {"a": 1}, (), 2**53 + 1, 10**400]
)
VALUES = st.one_of(
    st.floats(),
    st.integers(-3, 13),
    st.integers(-(2**63), 2**63),
    st.booleans(),
    TEXTS,
    NUMPY,
    OTHER,
)
EVENTS = st.fixed_dictionaries({name: VALUES for name in FEATURES})
# rounds to what float32 cannot hold, and what is just below
EDGE = float(np.finfo(np.float32).max) + 2.0**103
BELOW = math.nextafter(EDGE, 0)


WHERE = st.tuples(st.sampled_from([None, "north", "south"]), st.sampled_from(["default", "other"]))


def decided_alike(events, place, days):
    "Each event by itself, as a column of its own type, and as a row of a frame of objects."
    of, (site, tenant) = scorer(), place
    at = NOW + timedelta(days) if days else None  # past ten days nothing is automated
    named = {"at": at, "tenant": tenant, "site_id": site}
    ids = [f"p{i}{days}{event!r}"[:90] for i, event in enumerate(events)]
    frame = pd.DataFrame(events, columns=FEATURES, dtype=object)
    together = of.decide(frame, **named, prediction_id=ids)
    for event, name, row in zip(events, ids, together.itertuples(index=False)):
        the_same(of.decide_one(event, **named, prediction_id=name), row)
    alone = of.decide(pd.DataFrame(events[:1], columns=FEATURES), **named)
    the_same(of.decide_one(events[0], **named), next(alone.itertuples(index=False)))


@settings(max_examples=15)
@given(st.lists(EVENTS, min_size=4, max_size=4), WHERE, st.integers(0, 20))
@example([dict.fromkeys(FEATURES, one) for one in (None, EDGE, BELOW, -EDGE)], (None, "other"), 5)
def test_a_decision_is_that_of_a_frame_with_this_one_row(events, place, days):
    decided_alike(events, place, days)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.lists(EVENTS, min_size=1, max_size=6), WHERE, st.integers(0, 20))
def test_so_are_very_many(events, place, days):
    decided_alike(events, place, days)


def many(n=30, seed=3):
    rng = np.random.default_rng(seed)
    return [
        {
            "x": rng.choice([None, float(rng.normal())]),
            "kind": rng.choice(["a", "b", 12, "z", None]),
            "flag": rng.choice([True, False, None]),
            "when": int(rng.integers(0, 2_000_000_000)),
            "yes": rng.choice([True, "false", 1, None]),
            "plain": rng.choice([float(rng.normal()), "3.5"]),
        }
        for _ in range(n)
    ]


@pytest.mark.parametrize(
    "options", [{"booster": "dart", "rate_drop": 0.3}, {"booster": "gblinear"}, {"base_score": 0.2}]
)
def test_every_booster_that_is_taken_scores_one_event_as_it_scores_many(options):
    version = scorer(**options).version
    events = many()
    together = version.score(pd.DataFrame(events, columns=FEATURES))
    assert [version.single(event) for event in events] == together.tolist()
    assert len(set(together)) > 10


def test_a_file_of_somebody_else_with_categories_of_its_own(tmp_path):
    frame = pd.DataFrame(many(400), columns=FEATURES)[["x", "kind"]]
    frame = frame.astype({"x": float}).assign(kind=frame.kind.astype(str).astype("category"))
    rows = xgb.DMatrix(frame, np.arange(400) % 3 == 0, enable_categorical=True)
    xgb.train({"objective": "binary:logistic"}, rows, 10).save_model(tmp_path / "theirs.json")
    foreign = read_booster(tmp_path / "theirs.json", ["x", "kind"], {"kind": ["a"]})
    card = {"features": foreign.features, "categories": foreign.categories, "threshold": 0}
    version = ModelVersion(MODEL, "theirs", foreign.booster, card)
    together = version.score(frame.assign(kind=frame.kind.astype(object)))
    assert [version.single(one) for one in frame.to_dict("records")] == together.tolist()
    assert len(set(together)) > 10


def test_the_function_of_an_owner_is_given_a_frame(tmp_path):
    asked = []

    def scores(frame):
        asked.append(frame)
        return 1 / (1 + np.exp(-frame.x))

    card = {"features": ["x"], "categories": {}, "threshold": 0}
    one = Scorer(ModelVersion(MODEL, "own", None, card, scores=scores), 0, None, None)
    told = one.decide_one({"x": 1.5, "more": 1})
    the_same(told, next(one.decide(pd.DataFrame({"x": [1.5]})).itertuples(index=False)))
    assert [list(frame.columns) for frame in asked] == [["x"], ["x"]]
    assert told.reason == "risk CRITICAL, but no calibration stands" and told.route == "alert"


def test_what_is_wrong_is_told_in_one_sentence_as_of_a_frame():
    of = scorer()
    event = dict.fromkeys(FEATURES, 1)
    with pytest.raises(StoreError) as one:
        of.decide_one({name: 1 for name in FEATURES if name != "flag"})
    with pytest.raises(StoreError) as batch:
        of.decide(pd.DataFrame([event]).drop(columns="flag"))
    assert str(one.value) == str(batch.value)
    assert str(one.value).startswith("feature 'flag' is missing: the model needs x, kind,")
    for wrong, kind in (([1.0], "list"), (None, "NoneType"), (pd.DataFrame([event]), "DataFrame")):
        with pytest.raises(
            StoreError, match=f"^features are a {kind}: give a dict of each feature"
        ):
            of.decide_one(wrong)
    gone = ModelVersion(MODEL, "v1", None, CARD)
    with pytest.raises(StoreError, match="adopted without a model file"):
        Scorer(gone, 0, None, None).decide_one(event)


def test_what_one_event_is_logged_as_is_what_a_frame_is_logged_as(bench):
    of = scorer()
    known = {"entity_id": "e", "site_id": "north", "event_key": "k", "prediction_id": None}
    for version, event in enumerate(many(4)):
        rows = []
        for alone in (True, False):
            spool, ids = bench.root / f"{version}{alone}", known | {"prediction_id": "p"}
            with of.logger(spool, flush_seconds=None) as log:
                if alone:
                    named = {"site_id": "north", "prediction_id": "p"}
                    decided = of.decide_one(event, NOW, **named)
                    more = {"more": "no feature"}
                    assert of.log_one(decided, event | more, log, NOW, **ids, latency_ms=2.0) == "p"
                else:
                    frame = pd.DataFrame([event], columns=FEATURES)
                    many_ids = {name: [value] for name, value in ids.items()}
                    of.score_and_log(frame, log, [NOW], **many_ids)
            (segment,) = spool.glob("predictions/*.parquet")
            rows.append(read(segment) | {"latency_ms": None})
        assert rows[0] == rows[1]
        assert 0 < rows[0]["propensity"] <= 1 and rows[0]["calibration_id"] == "C-1"


def read(segment):
    "The one row of a segment."
    cursor = duckdb.execute("SELECT * FROM read_parquet($path)", {"path": str(segment)})
    names = [column[0] for column in cursor.description]
    (row,) = cursor.fetchall()
    return json.loads(json.dumps(dict(zip(names, row)), default=str))


def test_a_time_without_an_offset_is_refused_in_words():
    one, naive = dict(zip(CARD["features"], [None] * 9)), datetime(2026, 3, 1, 4)
    told = "2026-03-01 04:00:00 is a time without an offset: give an aware datetime."
    for asked in (
        lambda: scorer().decide_one(one, naive),
        lambda: scorer().decide(pd.DataFrame([one]), naive),
    ):
        with pytest.raises(ValueError, match=told):
            asked()
