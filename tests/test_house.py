"""What people and programs are shown stays as somebody last looked at it.

`tests/house/` holds what commands, pages, the service and `Workbench` say of one workbench whose
clock stands still. Whoever changes one of these looks at the difference: `python -m tests.house`
writes them anew.
"""

import difflib

import pytest
from house.parts import HERE, PARTS, Parts


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    "Each part, lived through in its turn."
    house = Parts(tmp_path_factory.mktemp("house"))
    return {part: house.told(part) for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_shown_is_what_was_looked_at(told, part):
    before = (HERE / f"{part}.txt").read_text(encoding="utf-8")
    changed = difflib.unified_diff(
        before.splitlines(), told[part].splitlines(), "recorded", "now", lineterm="", n=1
    )
    assert told[part] == before, (
        "what is shown has changed; if it is meant, 'python -m tests.house' writes it anew:\n"
        + "\n".join(list(changed)[:60])
    )
