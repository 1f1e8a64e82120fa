"Any name as a file name, and back."

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.log.names import checked_name, file_name, name_of_file

NAMES = st.text(
    st.characters(codec="utf-8") | st.sampled_from("./\\%~ \0:*?<>|CONnul"), min_size=1, max_size=20
)
AWKWARD = [
    "..",
    ".",
    "a/b",
    "/etc",
    "\0",
    "~",
    "CON",
    "nul.txt",
    "a.",
    "%2e",
    " ",
    "é",
    "-rf",
    "a\n",
]


@pytest.mark.parametrize("name", AWKWARD)
def test_a_name_becomes_a_file_and_is_read_back(name, tmp_path):
    made = file_name(name)
    assert "/" not in made and made not in (".", "..") and made.lower() == made
    (tmp_path / made).write_text(name)
    assert os.listdir(tmp_path) == [made]
    assert name_of_file(made) == name


@given(NAMES, NAMES)
def test_two_names_are_two_files_whatever_a_system_does_with_case(one, other):
    assert name_of_file(file_name(one)) == one
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)


@pytest.mark.parametrize("name", ["", "\ud800", "x" * 241, "é" * 41 * 2])
def test_what_no_file_can_be_called_is_refused_in_a_sentence(name):
    with pytest.raises(ValueError):
        file_name(name)


def test_a_name_of_the_log_always_fits():
    assert len(file_name("ж" * 40)) <= 240 and name_of_file(file_name("A" * 80)) == "A" * 80


@pytest.mark.parametrize("name", ["", "\0", "x" * 81, "ж" * 41, "M\udcfc"])
def test_what_the_log_cannot_hold_is_no_name(name):
    with pytest.raises(ValueError, match="is no name|is not valid text") as refused:
        checked_name(name)
    assert len(str(refused.value)) < 200 and str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["..", "ж" * 40, " ", "a\nb"])
def test_any_other_name_is_one(name):
    assert checked_name(name) == name
