"""What a booster is given of each value."""

import pandas as pd
import pytest

from aiops_wb.log.errors import StoreError
from aiops_wb.models.matrix import feature_matrix

CATEGORIES = {"kind": ["a", "b"]}


def given(frame, features=("kind", "x"), kinds=None):
    "By row: the place of each feature that is not missing, and its number."
    made = feature_matrix(frame, features, CATEGORIES, kinds or {}, threads=1)
    assert made.feature_names == [f"f{i}" for i in range(len(features))]
    assert made.feature_types == ["c" if f in CATEGORIES else "q" for f in features]
    cells = made.get_data()
    ends = zip(cells.indptr, cells.indptr[1:])
    return [dict(zip(cells.indices[a:b].tolist(), cells.data[a:b].tolist())) for a, b in ends]


def test_the_first_category_is_a_value_and_one_that_training_did_not_know_is_missing():
    frame = pd.DataFrame({"kind": ["a", "b", "z", None, ""], "x": [1.0, 0.0, -2.5, 3.0, 4.0]})
    assert given(frame) == [{0: 0.0, 1: 1.0}, {0: 1.0, 1: 0.0}, {1: -2.5}, {1: 3.0}, {1: 4.0}]
    assert given(frame, ("x", "kind"))[:3] == [{0: 1.0, 1: 0.0}, {0: 0.0, 1: 1.0}, {0: -2.5}]


@pytest.mark.parametrize(
    ("value", "number"),
    [("1.5", 1.5), (3e38, 3e38), (1e39, None), (-1e39, None), ("n/a", None), (None, None)],
)
def test_what_a_booster_cannot_hold_is_missing(value, number):
    (row,) = given(pd.DataFrame({"kind": ["a"], "x": [value]}))
    assert row == {0: 0.0} | ({} if number is None else {1: pytest.approx(number)})


def test_a_boolean_is_a_number_of_its_kind():
    frame = pd.DataFrame({"kind": ["a", "b", "a"], "x": ["true", "FALSE", None]})
    assert given(frame, kinds={"x": "boolean"}) == [{0: 0.0, 1: 1.0}, {0: 1.0, 1: 0.0}, {0: 0.0}]


def test_no_rows_are_a_matrix_too_and_a_lacking_feature_is_named():
    frame = pd.DataFrame({"kind": pd.Series([], dtype=object), "x": pd.Series([], dtype=float)})
    assert feature_matrix(frame, ("kind", "x"), CATEGORIES).num_col() == 2
    with pytest.raises(StoreError) as refused:
        given(frame, ("kind", "x", "y"))
    assert str(refused.value) == "feature 'y' is missing: the model needs kind, x, y."
