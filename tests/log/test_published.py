"Types of features beside the spool: whole or not at all, and read without the database."

import subprocess
import sys
from pathlib import Path

import pytest

from aiops_wb.log.published import read_schema, schema_path, write_schema

KINDS = {"amount": "number", "gate": "text", "är": "time", "on": "boolean"}


@pytest.mark.parametrize("model", ["fraud", "Müller / Söhne", "..", "CON"])
def test_what_is_published_is_read_back(model, tmp_path):
    assert read_schema(tmp_path, model) == {}
    write_schema(tmp_path, model, KINDS)
    assert read_schema(tmp_path, model) == KINDS
    assert read_schema(tmp_path, f"{model}2") == {}
    assert [p.name for p in (tmp_path / "schemas").iterdir()] == [schema_path(tmp_path, model).name]
    write_schema(tmp_path, model, {})
    assert read_schema(tmp_path, model) == {} and not schema_path(tmp_path, model).exists()
    write_schema(tmp_path, model, {})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"model": "m"}', '{"features": {"a": "number"}}', "[" * 100_000]
    + ['{"model": "other", "features": {"a": "number"}}', '{"model": "m", "features": 3}'],
)
def test_what_cannot_be_read_is_none(text, tmp_path):
    path = schema_path(tmp_path, "m")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert read_schema(tmp_path, "m") == {}
    write_schema(tmp_path, "m", KINDS)
    assert read_schema(tmp_path, "m") == KINDS


def test_an_unknown_kind_is_passed_over(tmp_path):
    write_schema(tmp_path, "m", {"a": "number", "b": "picture", "c": None})
    assert read_schema(tmp_path, "m") == {"a": "number"}


def test_what_stands_already_is_not_written_again(tmp_path):
    write_schema(tmp_path, "m", KINDS)
    before = schema_path(tmp_path, "m").stat().st_ino
    write_schema(tmp_path, "m", dict(reversed(KINDS.items())))
    assert schema_path(tmp_path, "m").stat().st_ino == before


def test_it_is_read_with_the_standard_library_alone():
    code = (
        "import sys; import aiops_wb.log.published; "
        "assert not {'numpy', 'pandas', 'duckdb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_link_in_the_way_has_no_other_file_written(tmp_path, monkeypatch):
    other = tmp_path / "catalog"
    other.write_text("precious")
    schema_path(tmp_path, "m").parent.mkdir()
    real = Path.with_name
    monkeypatch.setattr(Path, "with_name", lambda path, name: link(real(path, name), other))
    write_schema(tmp_path, "m", KINDS)
    assert read_schema(tmp_path, "m") == KINDS and other.read_text() == "precious"


def link(path, other):
    path.symlink_to(other)
    return path
