"""The numbers behind a figure are read from its own specification."""

from __future__ import annotations

from typing import Any

import numpy as np

from podium.charts import bars, matrix
from podium.charts import curves as lines
from podium.web.datasets.numbers import MOST_ROWS, Numbers, numbers_of


def test_a_confusion_matrix_is_a_matrix() -> None:
    """True labels stand in rows, what was predicted in columns, and a cell counts rows."""
    spec = matrix.confusion(np.array([[1200, 3], [0, 5]]), ("Adelie", "Gentoo"), "species")
    assert numbers_of(spec) == Numbers(
        ("", "Adelie", "Gentoo"), (("Adelie", "1,200", "3"), ("Gentoo", "0", "5")), 2,
        "In rows: True species. In columns: Predicted species.",
    )  # fmt: skip


def test_a_histogram_is_a_table() -> None:
    """A bar is a row, in the words and the forms in which one who points at it is told."""
    told = numbers_of(bars.histogram(np.array([1, 2000]), 0.0, 1.0, "Probability"))
    assert told is not None
    assert told.headings == ("From", "To", "Rows")
    assert told.rows == (("0", "0.5", "1"), ("0.5", "1", "2,000"))


def test_one_curve_needs_no_name() -> None:
    """Of several curves each row says whose it is, of a single one none does; some are chosen."""
    curve = lines.Curve("Bayes", np.linspace(0, 1, 90), np.linspace(1, 0, 90))
    one = numbers_of(lines.rejection([curve]))
    two = numbers_of(lines.rejection([curve, curve._replace(name="Tree")]))
    assert one is not None
    assert two is not None
    assert one.headings == ("Rejected", "Accuracy")
    assert two.headings == ("Curve", "Rejected", "Accuracy")
    assert (len(one.rows), one.total) == (MOST_ROWS, 90)
    assert (one.rows[0], one.rows[-1]) == (("0.0%", "100.0%"), ("100.0%", "0.0%"))


def test_a_figure_that_tells_nothing() -> None:
    """A specification without marks that tell anything has no table."""
    empty: list[dict[str, Any]] = [{}, {"mark": "bar"}, {"layer": []}]
    assert [numbers_of(spec) for spec in empty] == [None, None, None]
