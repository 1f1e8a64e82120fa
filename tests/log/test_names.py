"Any name as a file name, and back."

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_wb.log.names import file_name, name_of_file

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
