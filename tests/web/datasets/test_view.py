"""What is told of a scored data set, in words and numbers."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from podium.datasets.findings import Comparison, Findings, Judged, Metric
from podium.datasets.wishes import Column, Staged, Wishes
from podium.messages import said
from podium.web.datasets.view import (
    CellView,
    CountView,
    FindingsView,
    RowView,
    by_reason,
    findings_view,
)

STAGED = Staged(kind="csv", rows=200, columns=(Column("species", None, True), Column("x", "x")))


def accuracy(value: float | None, spread: float = 0.01, **more: Any) -> Metric:
    """Return an accuracy with an interval."""
    low, high = (None, None) if value is None else (value - spread, value + spread)
    return Metric("accuracy", said("Accuracy"), value, low, high, better="higher", **more)


def judged(name: str, *metrics: Metric, **more: Any) -> Judged:
    """Return a model with its metrics."""
    known = {"rows": 198, "judged": 190, **more}
    return Judged(model=name, title=name.title(), version="v", metrics=metrics, **known)


def compared(first: str, second: str, p_value: float, adjusted: float | None = None) -> Comparison:
    """Return a paired test of the accuracy."""
    return Comparison(first=first, second=second, metric="accuracy", test="McNemar",
                      difference=0.1, low=None, high=None, p_value=p_value, adjusted=adjusted,
                      reading=said("%(a)s and %(b)s", a=first, b=second))  # fmt: skip


FOUND = Findings(
    title="Penguins", file="birds.csv", target="species", unit=None, labels=("Adelie", "Gentoo"),
    rows=200, failed=2, problems=((3, said("x: is missing")),), staged=STAGED, wishes=Wishes(),
    bootstrap=1000, notes=(said("Noted."),),
)  # fmt: skip


def view_of(*models: Judged, comparisons: tuple[Comparison, ...] = ()) -> FindingsView:
    """Return the view of findings with these models."""
    return findings_view(structs.replace(FOUND, models=models, comparisons=comparisons))


def best(view: FindingsView) -> list[bool]:
    """Return which of the first row's values are marked."""
    return [bool(cell and cell.best) for cell in view.groups[0][1][0].cells]


def test_what_was_scored() -> None:
    """The head says how many rows have an answer, of how many models, judged by what."""
    view = view_of(judged("tree"), judged("bayes"))
    assert view.headline == "198 of 200 rows scored"
    assert view.judged == "By 2 models, judged on 190 rows by the column species."
    assert view.failed == "2 rows without an answer"


def test_without_answers_nothing_is_judged() -> None:
    """Without a target's column the answers are counted, each with its share."""
    counts = {"Adelie": 99}
    found = structs.replace(FOUND, target=None, failed=0, bootstrap=0,
                            models=(judged("tree", judged=0, counts=counts),))  # fmt: skip
    view = findings_view(found)
    assert (view.headline, view.judged) == ("All 200 rows scored", "By 1 model.")
    assert (view.groups, view.note, view.marked) == ((), "", False)
    assert view.counts == (
        CountView("Adelie", (("99", "50.0%"),)),
        CountView("Gentoo", (("0", "0.0%"),)),
    )


def test_metrics_stand_in_groups() -> None:
    """A metric is a row, a model a cell: shares in percent, what is not known empty."""
    view = view_of(
        judged("tree", accuracy(0.995),
               Metric("f1", said("F1"), 0.875, label="Adelie", better="higher"),
               Metric("log_loss", said("Log loss"), 0.25, 0.125, 0.5, unit="nats",
                      about=said("Less")),
               Metric("coverage", said("Coverage"), 0.9)),
        judged("bayes", accuracy(None), Metric("novel", said("Novel"), 1.5, 1.0, 2.0)),
    )  # fmt: skip
    assert view.groups == (
        ("Right or wrong", (
            RowView("Accuracy", "", (CellView("99.5%", "98.5% to 100.5%", False), None)),)),
        ("Probabilities", (
            RowView("Log loss", "Less", (CellView("0.250", "0.125 to 0.500", False), None)),)),
        ("Prediction sets", (RowView("Coverage", "", (CellView("90.0%", "", False), None)),)),
        ("More", (RowView("Novel", "", (None, CellView("1.500", "1.000 to 2.000", False))),)),
    )  # fmt: skip
    assert view.of_labels == (RowView("F1, Adelie", "", (CellView("0.875", "", False), None)),)


def test_metrics_of_values() -> None:
    """A regression's errors have the unit, and equally many decimals as their intervals."""
    model = judged(
        "tree", Metric("rmse", said("RMSE"), 12.5, 11.25, 14.0, unit="kg"),
        Metric("r2", said("R²"), 0.5),
        Metric("coverage", said("Coverage"), 0.9), Metric("width", said("Width"), 3.0, unit="kg"),
    )  # fmt: skip
    found = structs.replace(FOUND, labels=(), models=(model,))
    assert findings_view(found).groups == (
        ("Distance from the truth", (
            RowView("RMSE", "", (CellView("12.50 kg", "11.25 to 14.00", False),)),
            RowView("R²", "", (CellView("0.500", "", False),)))),
        ("Intervals", (
            RowView("Coverage", "", (CellView("90.0%", "", False),)),
            RowView("Width", "", (CellView("3 kg", "", False),)))),
    )  # fmt: skip


def test_what_no_model_knows_is_said_once() -> None:
    """Metrics without any value share a row; a model that knows one tells its meaning."""
    why = said("Not calibrated.")
    sets = [Metric("coverage", said("Coverage"), None, about=why),
            Metric("set_size", said("Labels"), None, about=why)]  # fmt: skip
    view = view_of(judged("a", *sets), judged("b", *sets))
    assert view.groups == (("Prediction sets", (RowView("Coverage; Labels", why, (None, None)),)),)
    other = view_of(
        judged("a", sets[0], Metric("set_size", said("Labels"), None, about=said("Too few.")))
    )
    assert [row.title for row in other.groups[0][1]] == ["Coverage", "Labels"]
    known = view_of(
        judged("a", *sets),
        judged("b", Metric("coverage", said("Coverage"), 0.9, about=said("Share"))),
    )
    assert [(row.title, row.about) for row in known.groups[0][1]] == [
        ("Coverage", "Share"), ("Labels", why),
    ]  # fmt: skip


def test_what_differs_between_models_stands_with_their_values() -> None:
    """What holds of all values is said once beside the meaning, what does not in each cell."""
    first, second = (
        accuracy(v, about=said("Share."), detail=d)
        for v, d in ((0.9, said("A.")), (0.8, said("B.")))
    )
    (row,) = view_of(judged("a", first), judged("b", second)).groups[0][1]
    assert row.about == "Share."
    assert [cell.detail for cell in row.cells if cell] == ["A.", "B."]
    (same,) = view_of(judged("a", first), judged("b", first)).groups[0][1]
    assert same.about == "Share. A."
    assert [cell.detail for cell in same.cells if cell] == ["", ""]


def test_nearly_all_is_not_told_as_all() -> None:
    """Neither a value nor an end of its interval is rounded to 100% or to 1."""
    near = Metric("accuracy", said("Accuracy"), 0.9996, 0.9991, 1.0)
    f1 = Metric("f1_macro", said("F1"), 0.9996, 0.99, 1.0)
    rows = view_of(judged("a", near, f1)).groups[0][1]
    assert [row.cells[0] for row in rows] == [
        CellView("> 99.9%", "> 99.9% to 100.0%", False), CellView("0.9996", "0.990 to 1.000", False)
    ]  # fmt: skip


def test_no_model_is_the_best_by_its_log_loss() -> None:
    """Few rows may lack the one mistake that would cost much, however far the intervals lie."""
    losses = [
        Metric("log_loss", said("Log loss"), v, v - 0.1, v + 0.1, better="lower") for v in (1.0, 9)
    ]
    assert best(view_of(*(judged(name, one) for name, one in zip("ab", losses, strict=True)))) == [
        False, False,
    ]  # fmt: skip


def test_rows_that_some_models_answered_are_counted_apart() -> None:
    """What no model answered, and what not every one did."""
    found = structs.replace(FOUND, models=(judged("a"), judged("b")), partly=10)
    assert findings_view(found).failed == (
        "2 rows without an answer, 10 rows not answered by every model"
    )
    assert findings_view(found).headline == "198 of 200 rows scored"
    assert findings_view(structs.replace(found, failed=0)).headline == "All 200 rows scored"


def test_the_note_names_the_ways_of_the_intervals() -> None:
    """Below the metrics stands what the intervals are, and how they were found."""
    brier = Metric("brier", said("Brier"), 0.1, 0.0, 0.2, interval=said("BCa bootstrap"))
    view = view_of(judged("a", accuracy(0.9, interval=said("Wilson score")), brier))
    assert view.note == (
        "Below a value stands its 95% confidence interval (Wilson score, BCa bootstrap; "
        "1,000 bootstrap replicates)."
    )


def test_comparisons_stand_by_metric() -> None:
    """The readings of the tests stand together by what was tested."""
    one, other = compared("a", "b", 0.1), compared("b", "c", 0.1)
    loss = structs.replace(one, metric="log_loss", title=said("Log loss"))
    assert view_of(judged("a"), comparisons=(one, loss, other)).compared == (
        ("accuracy", ("a and b", "b and c")),
        ("Log loss", ("a and b",)),
    )


def test_the_best_is_marked_only_where_a_test_tells_it_apart() -> None:
    """With paired tests they decide, by the p-value that is corrected for all pairs."""
    models = [judged("a", accuracy(0.9)), judged("b", accuracy(0.8)), judged("c", accuracy(0.7))]
    apart = (compared("a", "b", 0.01), compared("c", "a", 0.001))
    assert best(view_of(*models, comparisons=apart)) == [True, False, False]
    chance = (compared("a", "b", 0.01, 0.06), compared("c", "a", 0.001))
    assert best(view_of(*models, comparisons=chance)) == [False, False, False]


def test_without_a_test_the_best_is_marked_where_intervals_lie_apart() -> None:
    """Intervals that overlap mark nothing, and a single model is no best one."""
    assert best(view_of(judged("a", accuracy(0.8)), judged("b", accuracy(0.9)))) == [False, True]
    wide = accuracy(0.9, 0.1)
    assert best(view_of(judged("a", accuracy(0.8)), judged("b", wide))) == [False, False]
    assert best(view_of(judged("a", accuracy(0.8)))) == [False]


def test_of_errors_the_lowest_is_the_best() -> None:
    """What is better lower is marked at its lowest value, in its unit."""
    metrics = [Metric("rmse", said("RMSE"), v, v - 0.1, v + 0.1, unit="kg", better="lower")
               for v in (2.0, 1.0)]  # fmt: skip
    view = view_of(judged("a", metrics[0]), judged("b", metrics[1]))
    assert best(view) == [False, True]
    assert view.groups[0][1][0].cells[1] == CellView("1.0 kg", "0.9 to 1.1", True)


def test_rows_are_told_by_their_reason() -> None:
    """Each reason is told once, with how many rows have it, and the first ten of them."""
    told = [(2, "odd"), (3, "even"), (1004, "odd"), *((row, "many") for row in range(5, 17))]
    assert by_reason(told) == [
        ("odd", "2 rows: 2, 1,004"), ("even", "row 3"),
        ("many", "12 rows: 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, \u2026"),
    ]  # fmt: skip
