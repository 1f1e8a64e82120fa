"""An option that takes one value is given once, by any of its names."""

from typing import Annotated

import pytest
import typer
from typer.main import get_command

from aiops_wb.cli.once import Once

app = typer.Typer()


@app.command(cls=Once)
def command(
    model: Annotated[str, typer.Option("-m", "--model")] = "",
    quiet: Annotated[bool, typer.Option("-q", "--quiet")] = False,
    day: Annotated[list[str] | None, typer.Option("-d", "--day")] = None,
):
    print(model, quiet, day)


def given(*words):
    return get_command(app).main([*words], standalone_mode=False)


def test_the_long_name_is_told(capsys):
    for twice in (("-m", "a", "--model", "b"), ("-m", "a", "-m", "a")):
        with pytest.raises(typer.BadParameter, match="more than once") as error:
            given(*twice)
        assert error.value.param_hint == "'--model'"
    given("-m", "a", "-q", "-q", "-d", "1", "-d", "2")
    assert capsys.readouterr().out == "a True ['1', '2']\n"
