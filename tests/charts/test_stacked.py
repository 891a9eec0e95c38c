"""The stacked spread of class probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from podium.charts.stacked import ANSWER, MOST_MARKS, OTHERS, Stack, stacked
from tests.charts.support import field, rows, styles

SURE = Stack(7, np.array([[0.9, 0.1, 0.0], [0.7, 0.3, 0.0]]), True, 0)
WRONG = Stack(2, np.array([[0.2, 0.5, 0.3], [0.2, 0.3, 0.5]]), True, 0)


def test_a_column_stacks_the_mean_from_the_answer_up() -> None:
    """The answer lies lowest, then the other labels in their order; what is 0 is not drawn."""
    spec = stacked([SURE, WRONG], ["a", "b", "c"])
    assert rows(spec, 0) == [
        {"x": 0.08, "y": 0, "y2": 0.8, "of": "a", "label": "a", "p": 0.8, "row": 7, "truth": "a"},
        {"x": 0.08, "y": 0.8, "y2": 1.0, "of": "b", "label": "b", "p": 0.2, "row": 7, "truth": "a"},
        {"x": 1.08, "y": 0, "y2": 0.4, "of": "b", "label": "b", "p": 0.4, "row": 2, "truth": "a"},
        {"x": 1.08, "y": 0.4, "y2": 0.6, "of": "a", "label": "a", "p": 0.2, "row": 2, "truth": "a"},
        {"x": 1.08, "y": 0.6, "y2": 1.0, "of": "c", "label": "c", "p": 0.4, "row": 2, "truth": "a"},
    ]
    assert spec["layer"][0]["encoding"]["color"]["scale"] == {"domain": ["a", "b", "c"]}
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [0, 2]


def test_each_pass_is_a_mark_at_its_probability_of_the_answer() -> None:
    """A mark a pass lies over its column; a wrong answer has a cross."""
    spec = stacked([SURE, WRONG], ["a", "b", "c"])
    assert styles(spec) == ["bar", "pass-line", "wrong"]
    assert rows(spec, 1) == [{"x": 0.08, "y": 0.7}, {"x": 0.08, "y": 0.9},
                             {"x": 1.08, "y": 0.3}, {"x": 1.08, "y": 0.5}]  # fmt: skip
    assert rows(spec, 2) == [{"x": 1.5, "row": 2, "truth": "a", "said": "b"}]
    assert field(spec, 1, "y") == "y"
    assert spec["description"] == (
        "Class probabilities of 2 inputs. Each has 2 single answers. 1 answer is wrong."
    )


def test_a_model_of_one_answer_has_no_marks() -> None:
    """Without passes, and without truth, there are the columns alone."""
    spec = stacked([Stack(1, SURE.passes[:1], False)], ["a", "b", "c"])
    assert styles(spec) == ["bar"]
    assert "truth" not in rows(spec, 0)[0]


def test_many_passes_leave_marks_from_the_least_to_the_most() -> None:
    """Of hundreds of passes an even part is drawn, the ends among it."""
    p = np.linspace(0.6, 0.9, 500)
    marks = [one["y"] for one in rows(stacked([Stack(1, np.stack([p, 1 - p], 1), True)], "ab"), 1)]
    assert (len(marks), marks[0], marks[-1]) == (MOST_MARKS, 0.6, 0.9)


def test_many_labels_share_a_colour() -> None:
    """The seven likeliest labels have colours of their own, the rest one together."""
    p = np.array([[0.3, *[0.05] * 12, 0.1]])
    spec = stacked([Stack(1, p, False)], [f"n{i}" for i in range(14)])
    names = ["n0", "n1", "n2", "n3", "n4", "n5", "n13", OTHERS]
    assert spec["layer"][0]["encoding"]["color"]["scale"] == {"domain": names}
    told = {one["of"]: one["p"] for one in rows(spec, 0)}
    assert list(told) == ["n0", "n1", "n2", "n3", "n4", "n5", "n13", OTHERS]
    assert told[OTHERS] == pytest.approx(0.35)
    assert rows(spec, 0)[-1]["y2"] == 1


def test_an_answer_without_a_colour_of_its_own_still_lies_lowest() -> None:
    """It has a block of its own, below all others, and is named there."""
    common = np.array([[0.3, *[0.1] * 7, *[0.0] * 6]])
    rare = np.array([[0.15, *[0.05] * 12, 0.25]])
    spec = stacked([*(Stack(i, common, False) for i in range(5)), Stack(9, rare, False, 0)],
                   [f"n{i}" for i in range(14)])  # fmt: skip
    names = ["n0", "n1", "n2", "n3", "n4", "n5", ANSWER, OTHERS]
    assert spec["layer"][0]["encoding"]["color"]["scale"] == {"domain": names}
    last = [one for one in rows(spec, 0) if one["row"] == 9]
    assert (last[0]["of"], last[0]["label"], last[0]["p"], last[0]["y"]) == (ANSWER, "n13", 0.25, 0)
    assert (last[-1]["of"], last[-1]["p"]) == (OTHERS, pytest.approx(0.35))
    assert last[-1]["y2"] == 1
    assert {"field": "label", "title": "label", "type": "nominal"} in (
        spec["layer"][0]["encoding"]["tooltip"]
    )
