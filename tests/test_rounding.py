"""Rounded numbers that never say what the numbers do not."""

from __future__ import annotations

import pytest

from podium.rounding import beside, decimals, level_percent, numbers, percent, percents


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0.0%"),
        (0.0004, "< 0.1%"),
        (0.001, "0.1%"),
        (0.1234, "12.3%"),
        (0.5, "50.0%"),
        (0.999, "99.9%"),
        (0.9991, "> 99.9%"),
        (0.9999999, "> 99.9%"),
        (1, "100.0%"),
    ],
)
def test_percent(share: float, text: str) -> None:
    """A share is never 0 or 100 percent unless it is."""
    assert percent(share) == text


def test_level() -> None:
    """A level is told as it was asked for."""
    assert [level_percent(level) for level in (0.9, 0.999, 0.57, 0.12345)] == [
        "90%", "99.9%", "57%", "12.345%",
    ]  # fmt: skip


def test_shares_side_by_side_differ_where_they_do() -> None:
    """Of shares that round to the same, or to none or all, more decimals are told."""
    assert percents(0.98, 0.8) == ["98.0%", "80.0%"]
    assert percents(0.45212, 0.45178) == ["45.21%", "45.18%"]
    assert percents(0.9996, 0.9991) == ["99.96%", "99.91%"]
    assert percents(1.0, 1.0) == ["100.0%", "100.0%"]


def test_numbers_side_by_side_differ_where_they_do() -> None:
    """Three digits, or as many as tell them apart."""
    assert numbers(45.21, 45.18) == ["45.21", "45.18"]
    assert numbers(0.719, 2.73) == ["0.719", "2.73"]
    assert numbers(2.0, 2.0) == ["2", "2"]


@pytest.mark.parametrize(("value", "text"), [(0.12, "0.12"), (0.0496, "0.0496"), (0.0503, "0.0503"),
                                             (0.05, "0.05"), (0.04999, "0.04999")])  # fmt: skip
def test_a_number_beside_a_limit_shows_its_side(value: float, text: str) -> None:
    """Two digits, or as many as tell it from the limit."""
    assert beside(value, 0.05) == text


@pytest.mark.parametrize(("value", "text"), [(0.25, "0.250"), (0.9996, "0.9996"), (1.0, "1.000"),
                                             (0.0, "0.000"), (0.00004, "0.00004"),
                                             (0.99996, "0.99996")])  # fmt: skip
def test_decimals_tell_a_number_from_none_and_all(value: float, text: str) -> None:
    """Three decimals, but neither 0 nor 1 for what is neither."""
    assert decimals(value) == text
