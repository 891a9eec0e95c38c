"""The confusion matrix."""

from __future__ import annotations

import numpy as np

from podium.charts.matrix import MOST_LABELS, confusion, most_confused
from tests.charts.support import field, rows, styles

COUNTS = np.array([[8, 2, 0], [1, 9, 0], [0, 0, 0]])


def test_cells_hold_counts_and_the_shares_of_their_rows() -> None:
    """Each pair of labels has a cell; a label without rows has shares of 0."""
    spec = confusion(COUNTS, ["a", "b", "c"], "kind")
    cells = {(one["truth"], one["said"]): (one["rows"], one["share"]) for one in rows(spec, 0)}
    assert cells == {
        ("a", "a"): (8, 0.8), ("a", "b"): (2, 0.2), ("a", "c"): (0, 0),
        ("b", "a"): (1, 0.1), ("b", "b"): (9, 0.9), ("b", "c"): (0, 0),
        ("c", "a"): (0, 0), ("c", "b"): (0, 0), ("c", "c"): (0, 0),
    }  # fmt: skip
    assert (field(spec, 0, "y"), field(spec, 0, "x"), field(spec, 0, "opacity")) == (
        "truth", "said", "share",
    )  # fmt: skip
    assert spec["layer"][0]["encoding"]["x"]["title"] == "Predicted kind"
    assert spec["layer"][0]["encoding"]["y"]["title"] == "True kind"


def test_text_in_dark_cells_is_light() -> None:
    """Cells tell count and share; those of more than half of their row in another style."""
    spec = confusion(COUNTS, ["a", "b", "c"], "kind")
    assert styles(spec) == ["cell", "cell-text", "cell-text-strong"]
    assert [one["text"] for one in rows(spec, 1)] == [["2", "20%"], ["1", "10%"]]
    assert [one["text"] for one in rows(spec, 2)] == [["8", "80%"], ["9", "90%"]]


def test_it_is_described() -> None:
    """Who does not see it is told how many are right, and the commonest mistakes."""
    spec = confusion(COUNTS, ["a", "b", "c"], "kind")
    assert spec["description"] == (
        "Confusion matrix: 17 of 20 predictions are right. 2 of a taken for b. 1 of b taken for a."
    )


def test_of_many_labels_those_with_mistakes_are_shown() -> None:
    """Beyond twenty labels those without mistakes go, and the cells hold no text."""
    counts = np.eye(25, dtype=np.intp) * 5
    counts[3, 20] = counts[24, 1] = 2
    assert most_confused(counts).tolist() == [*range(18), 20, 24]
    spec = confusion(counts, [f"label {i}" for i in range(25)], "kind")
    assert len(rows(spec, 0)) == MOST_LABELS**2
    assert rows(spec, 1) == rows(spec, 2) == []
    assert spec["layer"][0]["encoding"]["x"]["axis"]["labelAngle"] == -40
