"""What a report may be told: types and ranges as a parameters cell writes them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.render.parameters import (
    NoParameters,
    Parameter,
    ParameterError,
    declared,
    parameters_of,
    told,
)

CELL = """import os  # is no parameter
data = "../data"  # where
top: int = 20  # 1..200, rows of the table
share: float = .5  # ..1
least: float = 0  # -1e3.. : of all
by: str = "site"  # site | tenant, what is compared
fast: bool = False
names: list[str] = ["a"]
until: str | None = None  # a day
settings = {}
home = os.getcwd()
"""


def notebook(folder, source=CELL, tags=("parameters",)):
    "A notebook with one cell of code."
    cell = {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source}
    path = folder / "report.ipynb"
    path.write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    return path


def test_a_cell_says_what_each_parameter_is_and_what_is_allowed(tmp_path):
    path = notebook(tmp_path)
    found = parameters_of(path)
    assert found[:6] == (
        Parameter("data", "str", "../data", says="where"),
        Parameter("top", "int", 20, 1, 200, says="rows of the table"),
        Parameter("share", "float", 0.5, highest=1),
        Parameter("least", "float", 0, lowest=-1000, says="of all"),
        Parameter("by", "str", "site", choices=("site", "tenant"), says="what is compared"),
        Parameter("fast", "bool", False),
    )
    assert [(one.name, one.kind, one.default) for one in found[6:]] == [
        ("names", "list", ["a"]),
        ("until", "str", None),
        ("settings", "dict", {}),
        ("home", "", None),  # it is computed: nobody knows before the cell runs
    ]
    assert declared(path) == {one.name for one in found}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("top", "200", 200),
        ("share", "1e-3", 0.001),
        ("by", "tenant", "tenant"),
        ("fast", "True", True),
        ("names", '["x", "y"]', ["x", "y"]),
        ("until", "2026-03-01", "2026-03-01"),
        ("settings", '{"a": 1}', {"a": 1}),
        ("home", "[1]", [1]),
        ("home", "a b", "a b"),
        ("data", "", ""),
    ],
)
def test_a_text_means_what_its_parameter_is(tmp_path, name, text, value):
    assert told(parameters_of(notebook(tmp_path)), {name: text}) == {name: value}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("top", "abc", "top = 'abc' is not allowed: a whole number from 1 to 200 is needed."),
        ("top", "0", "top = '0' is not allowed: a whole number from 1 to 200"),
        ("top", "1.5", "whole number"),
        ("share", "1.01", "share = '1.01' is not allowed: a number of at most 1 is needed."),
        ("share", "nan", "a number of at most 1"),
        ("least", "-1001", "a number of at least -1000"),
        ("by", "sites", "by = 'sites' is not allowed: one of site, tenant is needed."),
        ("fast", "1", "true or false"),
        ("names", "a,b", "a list as JSON"),
        ("names", '{"a": 1}', "a list as JSON"),
        ("names", "[NaN]", "a list as JSON"),
        ("names", "[" * 100_000, "a list as JSON"),
        ("data", "\ud800", "a text is needed"),
        ("tops", "1", "there is no parameter 'tops': did you mean 'top'?"),
    ],
)
def test_what_is_not_allowed_is_said_with_its_name_and_what_is(tmp_path, name, text, says):
    with pytest.raises(ParameterError) as error:
        told(parameters_of(notebook(tmp_path)), {name: text})
    assert says in str(error.value)


def test_what_a_run_gives_itself_is_not_given(tmp_path):
    with pytest.raises(ParameterError, match="data is not given so: it is --data"):
        told(parameters_of(notebook(tmp_path)), {"data": "x"}, {"data": "it is --data"})


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("top: int = 'many'", "top = 'many' is not allowed: a whole number is needed."),
        ("top = 300  # 1..200", "top = '300' is not allowed: a whole number from 1 to 200"),
        ("top: int = True", "top = 'true' is not allowed"),
        ("when: date = 1", "when is annotated as date: one of str, int, float, bool, list, dict"),
        ("a: int | str = 1", "a is annotated as int | str"),
        ("top: int", "top has no value"),
        ("%matplotlib inline", "line 1 of the cell tagged 'parameters' is not Python alone"),
        ("x = 1\0", "the cell tagged 'parameters' is not Python alone"),
        ("x = " + "-" * 5_000 + "1", "the cell tagged 'parameters' is not Python alone"),
        ("x: list = {(1, 2): 3}", "x = '{(1, 2): 3}' is not allowed: a list as JSON is needed"),
        ("x = '\ud800'", "holds what is no text in UTF-8"),
    ],
)
def test_a_cell_that_cannot_be_used_is_said_before_anything_runs(tmp_path, source, says):
    path = notebook(tmp_path, source)
    with pytest.raises(ParameterError) as error:
        parameters_of(path)
    assert says in str(error.value) and str(path) in str(error.value)


def test_a_value_that_cannot_be_made_and_an_end_beyond_all_numbers_are_none(tmp_path):
    made = parameters_of(notebook(tmp_path, "x = {[]: 1}\ntop: int = 5  # 1..1e400, rows"))
    assert made == (Parameter("x"), Parameter("top", "int", 5, 1, None, says="rows"))


def test_a_notebook_without_a_tagged_cell_is_told_from_one_that_is_broken(tmp_path):
    with pytest.raises(NoParameters, match="has no cell that is tagged 'parameters'"):
        parameters_of(notebook(tmp_path, tags=("other",)))
    for text in ("", "{", "[]", '{"cells": [1]}', '{"cells": [{}]}'):
        (tmp_path / "report.ipynb").write_text(text)
        with pytest.raises(ParameterError, match="is no notebook") as error:
            parameters_of(tmp_path / "report.ipynb")
        assert not isinstance(error.value, NoParameters)
    with pytest.raises(ParameterError, match="cannot be read: No such file"):
        parameters_of(tmp_path / "none.ipynb")


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_a_range_holds_what_lies_between_its_ends(low, high, value):
    one = Parameter("x", "int", 0, low, high)
    if low <= value <= high:
        assert one.read(str(value)) == value
    else:
        with pytest.raises(ParameterError):
            one.read(str(value))
