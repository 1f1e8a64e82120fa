"""How figures are written."""

from math import nan

import pytest

from aiops_wb.watch.words import percent


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (1.0, 0, "100%"),
        (0.996, 0, "99.6%"),
        (0.994, 0, "99%"),
        (0.9996, 1, "99.96%"),
        (1 - 1e-9, 0, "over 99.99%"),
        (0.0, 0, "0%"),
        (1.2, 0, "120%"),
        (nan, 2, "-"),
    ],
)
def test_nearly_all_is_not_said_to_be_all(share, digits, text):
    assert percent(share, digits) == text
