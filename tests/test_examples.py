"""Examples run: one for each public name, and those of whole programs."""

import doctest
import re
from pathlib import Path

import aiops_wb

ROOT = Path(__file__).parent.parent
SESSION = ROOT / "docs" / "examples.md"
HOW = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def test_every_public_name_has_an_example():
    named = re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", SESSION.read_text(), re.M | re.S)
    assert sorted(name for name, _ in named) == aiops_wb.__all__
    for name, text in named:
        assert re.search(rf"^>>> .*\b{name}\b|^\.\.\. .*\b{name}\b", text, re.M), name


def test_the_examples_of_public_names_run():
    test = doctest.DocTestParser().get_doctest(SESSION.read_text(), {}, "examples", str(SESSION), 0)
    said = []
    ran = doctest.DocTestRunner(optionflags=HOW).run(test, out=said.append)
    assert not ran.failed, "".join(said)
    assert ran.attempted > 100
