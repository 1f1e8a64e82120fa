"""Commands are loaded when they are called, without what none of them uses."""

import sys

import pytest
import typer

from aiops_wb.cli import later
from aiops_wb.cli.later import NOT_USED, Later


@pytest.mark.parametrize("loaded_before", [False, True])
def test_what_no_command_uses_is_not_loaded_and_what_was_loaded_stays(monkeypatch, loaded_before):
    (name,), module, seen = NOT_USED, object(), []
    if loaded_before:
        monkeypatch.setitem(sys.modules, name, module)
    else:
        monkeypatch.delitem(sys.modules, name, raising=False)

    def importing(*_):
        seen.append(sys.modules.get(name, "is found"))
        raise EOFError

    monkeypatch.setattr(later, "import_module", importing)
    with pytest.raises(typer.TyperException, match="__pycache__"):
        Later("status", "status", "say how it stands").load()
    assert seen == [module if loaded_before else None]
    assert sys.modules.get(name, "is found") == (module if loaded_before else "is found")
