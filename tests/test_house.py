"""What people and programs are shown of one workbench stays as somebody last looked at it.

The workbench is made in `tests/house/`: twelve weeks of a model, a clock that stands still, a
morning. `recorded/test_house.txt` holds what commands, pages, the service and `Workbench` say of
it; whoever changes one of these records it anew and looks at the difference.
"""

from sys import maxsize

import pytest
from house.parts import PARTS, Parts
from recorded import hold


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    "Each part, lived through in its turn."
    house = Parts(tmp_path_factory.mktemp("house"))
    return {part: house.told(part) for part in PARTS}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_shown_is_what_was_looked_at(told, part):
    hold(__file__, part, told[part], maxsize)
