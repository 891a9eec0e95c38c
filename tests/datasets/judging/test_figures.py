"""The figures of a scored data set: which there are, and what they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from podium.datasets.findings import Figure, Judged, Metric
from podium.datasets.judging.figures import Ask, figures_of_all, figures_of_model
from podium.datasets.judging.judgement import ClassJudgement, ValueJudgement
from podium.datasets.work import Work
from podium.messages import plain, said, whole
from podium.pipeline.postprocess import Scores
from podium.signature import Signature
from podium.spec import Feature
from tests.charts.support import rows

FEATURES = (Feature(name="length"),)
CLASSES = Signature("classification", "kind", None, ("oak", "pine", "fir"), FEATURES)
VALUES = Signature("regression", "weight", "kg", (), FEATURES)


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """An empty work, whose tables a test fills."""
    with Work(tmp_path / "work.duckdb") as work:
        yield work


def fill(work: Work, **columns: Any) -> None:
    """Make the tables of rows and of the first model's answers; `truth` is that of the rows."""
    truth = columns.pop("truth", np.full(len(next(iter(columns.values()))), np.nan))
    for table, arrays in (("rows", {"truth": truth}), ("answers_0", columns)):
        told = {name: np.asarray(array, np.int32 if name == "label" else np.float64)
                for name, array in arrays.items()}  # fmt: skip
        assert told
        work.con.execute(f"CREATE TABLE {table} AS SELECT * FROM told")  # noqa: S608


def p_of(labels: int, count: int) -> np.ndarray:
    """Return probabilities that differ from row to row, shape (count, labels)."""
    return np.random.default_rng(2).dirichlet(np.ones(labels), count)


def asking(p: np.ndarray) -> tuple[list[list[int]], Ask]:
    """Return a list that fills with what is asked, and what answers it with one pass a row."""
    asked: list[list[int]] = []

    def ask(wanted: Sequence[int]) -> Mapping[int, Scores]:
        asked.append(list(wanted))
        return {row: Scores(p[row : row + 1, None, :], sampled=False) for row in wanted}

    return asked, ask


def judgement(p: np.ndarray, truth: np.ndarray, few: bool = True) -> ClassJudgement:
    """Return what a model that tells probabilities is judged by."""
    entropy = -(p * np.log(p)).sum(axis=1)
    return ClassJudgement(np.arange(len(p)), truth, p.argmax(axis=1), p.max(axis=1), entropy,
                          p=p if few else None)  # fmt: skip


def names(figures: Sequence[Figure]) -> list[str]:
    """Return the figures' names, and look at what all have in common."""
    for one in figures:
        assert one.title
        assert one.about.endswith(".")
        assert one.spec["description"].endswith(".")
        assert one.spec["width"] == "container"
        assert len(msgspec.json.encode(one, enc_hook=whole)) < 60_000
        assert '"color":"' not in msgspec.json.encode(one.spec, enc_hook=plain).decode()
    return [one.name for one in figures]


def test_a_judged_classifier_has_all_figures(work: Work) -> None:
    """Matrix, entropies, curves, reliability, rejection and the spread, each with its data."""
    p = p_of(3, 200)
    truth = np.random.default_rng(4).integers(0, 3, 200)
    judged = judgement(p, truth)
    assert judged.entropy is not None
    fill(work, truth=truth, label=judged.label, probability=p.max(axis=1), entropy=judged.entropy)
    asked, ask = asking(p)
    found = figures_of_model(CLASSES, work, 0, judged, ask)
    assert names(found) == ["confusion", "entropy", "roc", "precision_recall", "reliability",
                            "rejection", "spread"]  # fmt: skip
    by_name = {one.name: one.spec for one in found}
    cells = {(one["truth"], one["said"]): one["rows"] for one in rows(by_name["confusion"], 0)}
    assert cells["oak", "fir"] == ((truth == 0) & (judged.label == 2)).sum()
    assert sum(cells.values()) == 200
    in_bins = {"right": 0, "wrong": 0}
    for one in rows(by_name["entropy"], 0):
        in_bins[one["of"]] += one["rows"]
    assert in_bins == {"right": judged.right.sum(), "wrong": (~judged.right).sum()}
    assert {one["of"].partition(" (")[0] for one in rows(by_name["roc"], 1)} == set(CLASSES.labels)
    assert rows(by_name["rejection"], 0)[0]["y"] == pytest.approx(judged.right.mean(), abs=1e-3)
    assert len(asked[0]) == 40


def test_inputs_of_the_spread_are_even_from_the_surest(work: Work) -> None:
    """The surest and the least sure input are among them; their columns stand in that order."""
    p = p_of(3, 300)
    entropy = -(p * np.log(p)).sum(axis=1)
    fill(work, label=p.argmax(axis=1), probability=p.max(axis=1), entropy=entropy)
    asked, ask = asking(p)
    (*_, spread) = figures_of_model(CLASSES, work, 0, None, ask)
    order = np.argsort(entropy)
    assert asked == [[order[round(i)] for i in np.linspace(0, 299, 40)]]
    firsts = [one["row"] - 1 for one in rows(spread.spec, 0) if one["y"] == 0]
    assert firsts == asked[0]


def test_without_labels_the_answers_are_told(work: Work) -> None:
    """Nothing is judged: answers are counted, and how probable they are."""
    p = p_of(3, 50)
    label = [*p.argmax(axis=1)[:-1], -1]
    probability = [*p.max(axis=1)[:-1], np.nan]
    fill(work, label=label, probability=probability, entropy=probability)
    _, ask = asking(p)
    found = figures_of_model(CLASSES, work, 0, None, ask)
    assert names(found) == ["answers", "certainty", "spread"]
    assert {one["label"]: one["rows"] for one in rows(found[0].spec, 0)} == {
        name: label.count(place) for place, name in enumerate(CLASSES.labels)
    }
    counts = [one["rows"] for one in rows(found[1].spec, 0)]
    assert counts == np.histogram(probability[:-1], 20, (0, 1))[0].tolist()


def test_a_label_alone_has_a_matrix_alone(work: Work) -> None:
    """A model that tells no probability has no figure that needs one."""
    truth = np.array([0, 1, 2, 2])
    nothing = [np.nan] * 4
    fill(work, truth=truth, label=truth, probability=nothing, entropy=nothing)
    _, ask = asking(p_of(3, 4))
    judged = ClassJudgement(np.arange(4), truth, truth)
    assert names(figures_of_model(CLASSES, work, 0, judged, ask)) == ["confusion"]


def test_many_labels_have_no_curves_and_a_note(work: Work) -> None:
    """Beyond twenty labels the matrix tells that curves are left out, and which labels it shows."""
    labels = tuple(f"label {i}" for i in range(30))
    signature = Signature("classification", "kind", None, labels, FEATURES)
    p = p_of(30, 120)
    truth = np.arange(120) % 30
    judged = judgement(p, truth, few=False)
    assert judged.entropy is not None
    fill(work, truth=truth, label=judged.label, probability=p.max(axis=1), entropy=judged.entropy)
    _, ask = asking(p)
    found = figures_of_model(signature, work, 0, judged, ask)
    assert names(found) == ["confusion", "entropy", "reliability", "rejection", "spread"]
    assert found[0].about.endswith(
        "Of 30 labels the 20 with the most mistakes are shown. ROC and precision-recall curves are "
        "made of up to 20 labels."
    )


def test_of_many_labels_the_least_told_apart_have_curves(work: Work) -> None:
    """Eight lines stay readable: those of the labels with the least area; the words say so."""
    labels = tuple(f"label {i}" for i in range(12))
    signature = Signature("classification", "kind", None, labels, FEATURES)
    p = p_of(12, 600)
    truth = np.arange(600) % 12
    clear = truth >= 8
    p[clear] *= 0.1
    p[clear, truth[clear]] += 0.9
    judged = judgement(p, truth)
    assert judged.entropy is not None
    fill(work, truth=truth, label=judged.label, probability=p.max(axis=1), entropy=judged.entropy)
    _, ask = asking(p)
    found = {one.name: one for one in figures_of_model(signature, work, 0, judged, ask)}
    drawn = {one["of"].partition(" (")[0] for one in rows(found["roc"].spec, 1)}
    assert drawn == set(labels[:8])
    assert found["roc"].about.endswith("Of 12 labels the 8 that are told apart least are shown.")


def test_few_sure_answers(work: Work) -> None:
    """Of fewer than ten answers none can be rejected; tiny entropies are not drawn as large."""
    p = np.full((6, 3), 1e-6)
    p[:, 0] = 1 - 2e-6
    truth = np.zeros(6, np.intp)
    judged = judgement(p, truth)
    assert judged.entropy is not None
    fill(work, truth=truth, label=truth, probability=p[:, 0], entropy=judged.entropy)
    _, ask = asking(p)
    found = {one.name: one.spec for one in figures_of_model(CLASSES, work, 0, judged, ask)}
    assert list(found) == ["confusion", "entropy", "reliability", "spread"]
    (bar,) = rows(found["entropy"], 0)
    assert (bar["low"], bar["rows"]) == (0, 6)
    axis = found["entropy"]["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert axis == [0, pytest.approx(0.1 * np.log(3))]
    models = [told_of("a", "First", 0.8), told_of("b", "Second", 0.7)]
    assert names(figures_of_all(models, [judged, judged], None)) == ["metrics"]


def test_two_labels_have_one_roc_curve(work: Work) -> None:
    """With two labels the first one's curve is that of the second, mirrored."""
    signature = Signature("classification", "kind", None, ("no", "yes"), FEATURES)
    p = p_of(2, 60)
    truth = np.arange(60) % 2
    judged = judgement(p, truth)
    assert judged.entropy is not None
    fill(work, truth=truth, label=judged.label, probability=p.max(axis=1), entropy=judged.entropy)
    _, ask = asking(p)
    found = {one.name: one.spec for one in figures_of_model(signature, work, 0, judged, ask)}
    assert {one["of"][:3] for one in rows(found["roc"], 1)} == {"yes"}
    assert {one["of"][:3] for one in rows(found["precision_recall"], 0)} == {"yes", "no "}


def test_a_judged_regression(work: Work) -> None:
    """Predicted against true with intervals, residuals, and how large the errors are."""
    truth = np.arange(30.0)
    value = truth + np.tile([-1.0, 0.0, 1.0], 10)
    judged = ValueJudgement(np.arange(30), truth, value, None, value - 2, value + 2)
    found = figures_of_model(VALUES, work, 0, judged, lambda _: {})
    assert names(found) == ["predicted", "residuals", "errors"]
    assert found[0].about == (
        "A point is a row; on the diagonal the prediction is exact. The lines are the intervals of "
        "the answers."
    )
    assert rows(found[0].spec, 2)[1] == {"x": 1, "y": 1, "low": -1, "high": 3}
    counts = [one["rows"] for one in rows(found[2].spec, 0)]
    assert (counts[0], counts[10], counts[19], sum(counts)) == (10, 10, 10, 30)
    assert "True weight (kg)" in str(found[0].spec)


def test_a_regression_without_labels(work: Work) -> None:
    """The values are counted where they lie, in SQL; rows without one are left out."""
    fill(work, value=[1.0, 2.0, 2.0, 5.0, np.nan])
    (figure,) = figures_of_model(VALUES, work, 0, None, lambda _: {})
    assert names([figure]) == ["values"]
    told = [(one["low"], one["rows"]) for one in rows(figure.spec, 0) if one["rows"]]
    assert told == [(1, 1), (2, 2), (4.8, 1)]


def test_nothing_answered_has_no_figure(work: Work) -> None:
    """Where every row failed there is nothing to show."""
    fill(work, value=[np.nan, np.nan])
    assert figures_of_model(VALUES, work, 0, None, lambda _: {}) == ()


def told_of(name: str, title: str, accuracy: float) -> Judged:
    """Return a judged model with its accuracy, and an F1 of one label that is no metric of all."""
    metrics = (Metric("accuracy", said("Accuracy"), accuracy, accuracy - 0.1, accuracy + 0.05),
               Metric("f1_macro", said("F1, one label"), 0.1, label="oak"))  # fmt: skip
    return Judged(model=name, title=title, version="1", rows=9, judged=9, metrics=metrics)


def test_models_side_by_side() -> None:
    """Metrics with their intervals, and the rejection curves in one picture."""
    p, truth = p_of(3, 80), np.arange(80) % 3
    judged = judgement(p, truth)
    models = [told_of("a", "First", 0.8), told_of("b", "Second", 0.7)]
    found = figures_of_all(models, [judged, judged], None)
    assert names(found) == ["metrics", "rejection"]
    assert rows(found[0].spec, 1) == [
        {"model": "First", "metric": "Accuracy", "value": 0.8, "low": 0.7, "high": 0.85},
        {"model": "Second", "metric": "Accuracy", "value": 0.7, "low": 0.6, "high": 0.75},
    ]
    assert {one["of"] for one in rows(found[1].spec, 0)} == {"First", "Second"}


def test_models_of_one_title_are_called_by_their_names() -> None:
    """Two lines of the same name could not be told apart."""
    models = [told_of("a", "Net", 0.8), told_of("b", "Net", 0.7)]
    (figure,) = figures_of_all(models, [None, None], None)
    assert [one["model"] for one in rows(figure.spec, 1)] == ["a", "b"]


def test_one_model_is_not_compared() -> None:
    """A single model has no figures of several."""
    assert figures_of_all([told_of("a", "Net", 0.8)], [None], None) == ()


def test_regressions_are_compared_by_their_errors() -> None:
    """The errors of two regressions share the axis of the unit."""
    models = [
        Judged(model=name, title=name, version="1", rows=9, judged=9,
               metrics=(Metric("rmse", said("RMSE"), value, unit="kg", better="lower"),
                        Metric("r2", said("R2"), 0.5)))
        for name, value in (("a", 2.0), ("b", 3.0))
    ]  # fmt: skip
    (figure,) = figures_of_all(models, [None, None], "kg")
    assert [one["value"] for one in rows(figure.spec, 1)] == [2, 3]
    assert "further left is better" in figure.about
