"""How the cells of a column are written, so that numbers can be compared at a glance."""

from __future__ import annotations

import pytest

from podium.web.datasets.cells import are_numbers, column_texts
from podium.web.datasets.wanted import LONGEST

NAN = float("nan")


@pytest.mark.parametrize(
    ("key", "cells", "texts"),
    [
        ("probability", [0.5, 0.98765, 0.9999], ["50.0%", "98.8%", "> 99.9%"]),
        ("entropy", [0.0, 0.0001, 1.2], ["0.000", "< 0.001", "1.200"]),
        ("value", [12.345678, 1.5, 7.0], ["12.35", "1.50", "7.00"]),
        ("c0", [42.0, 39.25, None, NAN], ["42.00", "39.25", "", ""]),
        ("c0", [1e-9, 2.5], ["1e-09", "2.5"]),
        ("c0", [2007, True, "x"], ["2007", "True", "x"]),
        ("c0", ["y" * (LONGEST + 1)], ["y" * (LONGEST - 1) + "…"]),
    ],
)
def test_numbers_of_a_column_have_the_same_decimals(
    key: str, cells: list[object], texts: list[str]
) -> None:
    """As many as one of them needs; where any needs an exponent each is written by itself."""
    assert column_texts(key, cells) == texts


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1.5", "", "> 99.9%"], True),
        (["-1", "2e5"], True),
        (["1.5", "Biscoe"], False),
        (["", ""], False),
    ],
)
def test_a_column_of_numbers(texts: list[str], numbers: bool) -> None:
    """Empty cells do not count, but some cell is filled."""
    assert are_numbers(texts) == numbers
