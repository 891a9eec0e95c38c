"""A calibration attaches sets and intervals to predictions, through the pipeline."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import structs
from PIL import Image

from podium.options import Options
from podium.pipeline.calibration import Calibration, keys
from podium.pipeline.conformal import Coverage, Fit
from podium.pipeline.postprocess import Scores
from podium.pipeline.uncertainty import class_predictions, value_predictions
from podium.prediction import Caution, ClassPrediction, Prediction, ValuePrediction
from podium.signature import Signature
from podium.spec import Image as ImageSpec
from podium.spec import ModelSpec
from tests.pipeline.test_maps import found, pipeline

LABELS = ("Adelie", "Chinstrap", "Gentoo")
HOT = Caution("bill", "outside_training_range", "90 is outside")


def calibration(scores: Any, method: Any = "lac", **fields: Any) -> Calibration:
    """Return a calibration with these nonconformity scores, at the level 0.8."""
    temperature, floor = fields.pop("temperature", None), fields.pop("floor", None)
    return Calibration(
        model="m", version="abc", settings="", data="rows.csv", sha256="0" * 64, rows=20,
        date="2026-11-23", confidence_level=0.8,
        fit=Fit(method, temperature, floor, len(scores), tuple(scores)),
        coverage=Coverage(0.8, 5, 20, 0.8, 0.6, 0.9, 1.2), **fields,
    )  # fmt: skip


NINE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def sets(
    made: Calibration, shares: Any, items: Sequence[object] | None = None, **options: Any
) -> list[ClassPrediction]:
    """Return what a calibration makes of probabilities, shape (batch, classes)."""
    wishes = Options(**{"confidence_level": 0.8, **options})
    scores = made.scaled(Scores(np.array(shares, np.float64)[:, None, :], False))
    plain = class_predictions(scores, LABELS, wishes, [[HOT] for _ in shares])
    told = made.attach(plain, scores, LABELS, items or [(1.0,)] * len(shares), wishes)
    for one, before in zip(told, plain, strict=True):
        assert isinstance(one, ClassPrediction)
        assert structs.replace(
            one, warnings=before.warnings, uncertainty=before.uncertainty
        ) == before  # fmt: skip
    return [one for one in told if isinstance(one, ClassPrediction)]


def intervals(made: Calibration, values: Any, **options: Any) -> list[Prediction]:
    """Return what a calibration makes of passes, shape (batch, passes)."""
    wishes = Options(**{"confidence_level": 0.8, **options})
    scores = made.scaled(Scores(np.array(values, np.float64), True))
    plain = value_predictions(scores, "mm", wishes, [[HOT] for _ in values])
    return made.attach(plain, scores, (), [(1.0,)] * len(values), wishes)


def test_a_set_names_its_labels_from_the_likeliest_down() -> None:
    """The set is over all labels, whatever `top` is, and has its level beside it."""
    one = sets(calibration(NINE), [[0.3, 0.2, 0.5]], top=1)[0]
    assert list(one.probabilities or {}) == ["Gentoo"]
    assert one.uncertainty.prediction_set == ["Gentoo", "Adelie", "Chinstrap"]
    assert one.uncertainty.confidence_level == 0.8
    one = sets(calibration(NINE), [[0.3, 0.15, 0.55]], top=1)[0]
    assert one.uncertainty.prediction_set == ["Gentoo", "Adelie"]
    assert one.warnings == [HOT]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("lac", "No label fits at a confidence level of 0.8: the model is surer of most rows that "
                "it was calibrated on than of this input, which is a hard one or unlike them. A "
                "higher confidence_level names labels."),
        ("aps", "No label is left at a confidence level of 0.8: this method draws by chance "
                "whether the last label stays, and of an input that the model is sure of it is the "
                "only one. A higher confidence_level leaves more labels."),
    ],
)  # fmt: skip
def test_an_empty_set_is_told(method: str, message: str) -> None:
    """A set without labels is no mistake, and a warning says what it means."""
    one = sets(calibration([0.01] * 9, method), [[0.4, 0.3, 0.3]])[0]
    assert one.uncertainty.prediction_set == []
    assert one.uncertainty.confidence_level == 0.8
    assert one.warnings == [HOT, Caution("prediction_set", "prediction_set_empty", message)]


def test_a_full_set_is_told() -> None:
    """A set of all labels is told to rule none out."""
    one = sets(calibration([0.9] * 9), [[0.4, 0.3, 0.3]])[0]
    assert one.uncertainty.prediction_set == ["Adelie", "Chinstrap", "Gentoo"]
    assert one.warnings == [HOT, Caution("prediction_set", "prediction_set_full", (
        "Every label is possible at a confidence level of 0.8: the model rules none out."
    ))]  # fmt: skip


def test_a_level_that_so_few_rows_do_not_reach_has_the_full_set() -> None:
    """Every label is named, from the likeliest down, and how many rows would be needed."""
    one = sets(calibration(NINE), [[0.3, 0.2, 0.5]], confidence_level=0.99)[0]
    assert one.uncertainty.prediction_set == ["Gentoo", "Adelie", "Chinstrap"]
    assert one.uncertainty.confidence_level == 0.99
    assert one.warnings == [HOT, Caution("prediction_set", "level_not_reached", (
        "The model was calibrated on 20 labelled rows; a confidence level of 0.99 needs 197. "
        "The set holds every label."))]  # fmt: skip


def test_intervals_in_whole() -> None:
    """A value has its interval at the level, beside what its passes say."""
    one = intervals(calibration([1.0, 2.0, 3.0, 4.0], "absolute"), [[10.0, 14.0]])[0]
    assert isinstance(one, ValuePrediction)
    assert one.value == 12
    assert one.uncertainty.prediction_interval == (8, 16)
    assert (one.uncertainty.confidence_level, one.uncertainty.interval_level) == (0.8, 0.8)
    assert one.uncertainty.std == 2
    assert one.warnings == [HOT]


def test_a_level_that_so_few_rows_do_not_reach_has_no_interval() -> None:
    """There is no interval but one without ends: null, and how many rows would be needed."""
    made = calibration([1.0, 2.0, 3.0, 4.0], "absolute")
    one = intervals(made, [[10.0, 14.0]], confidence_level=0.9)[0]
    assert isinstance(one, ValuePrediction)
    assert one.uncertainty.prediction_interval is None
    assert one.uncertainty.confidence_level == 0.9
    assert one.warnings == [HOT, Caution("prediction_interval", "level_not_reached", (
        "The model was calibrated on 20 labelled rows; a confidence level of 0.9 needs 9. There "
        "is no interval."))]  # fmt: skip


def test_sets_with_chance_hang_on_the_item_alone() -> None:
    """With aps equal items have equal sets wherever they stand, and others differ."""
    made = calibration(NINE, "aps")
    items = [(float(number), "Biscoe") for number in range(200)]
    shares = [[0.3, 0.2, 0.5]] * 200
    one = [
        found.uncertainty.prediction_set
        for found in sets(made, shares, items, confidence_level=0.7)
    ]
    back = [
        found.uncertainty.prediction_set
        for found in sets(made, shares, items[::-1], confidence_level=0.7)
    ]
    assert back == one[::-1]
    alone = sets(made, shares[:1], items[7:8], confidence_level=0.7)[0].uncertainty.prediction_set
    assert alone == one[7]
    assert {len(found or []) for found in one} == {1, 2}
    other = [
        found.uncertainty.prediction_set
        for found in sets(made, shares, items, confidence_level=0.7, seed=1)
    ]
    assert other == one  # else one could try seeds until a set suits


@pytest.mark.parametrize(("made", "told"), [(2, True), (3, False), (4, False)])
def test_fewer_passes_than_calibrated_with_are_told(made: int, told: bool) -> None:
    """Answers of fewer passes vary more than those that the promise was made for."""
    kept = calibration([0.5] * 9, "absolute", passes=3)
    (one,) = intervals(kept, [[1.0] * made])
    caution = Caution("prediction_interval", "fewer_passes", (
        "The model was calibrated with 3 passes and answered with 2: the truth may lie outside "
        "more often than the confidence level says."))  # fmt: skip
    assert one.warnings == ([HOT, caution] if told else [HOT])


@pytest.mark.parametrize(
    "items",
    [
        [(1.0, "Biscoe", True, None), (1.0, "Biscoe", False, None), (2.0, "Biscoe", True, None)],
        ["one text", "one text ", "another"],
        [Image.new("RGB", (4, 2), "red"), Image.new("RGB", (2, 4), "red"),
         Image.new("RGB", (4, 2), "blue")],
    ],
    ids=["rows", "texts", "images"],
)  # fmt: skip
def test_keys_hang_on_the_content(items: Any) -> None:
    """Items of any kind have a number of their own, the same for the same content."""
    first = keys(items)
    assert len(set(first.tolist())) == 3
    copies = [item.copy() if isinstance(item, Image.Image) else item for item in items]
    np.testing.assert_array_equal(keys(copies), first)
    np.testing.assert_array_equal(keys(items[::-1]), first[::-1])


def test_keys_are_spread_evenly() -> None:
    """The numbers of many items are as evenly spread over [0, 1) as chance makes them."""
    found = np.sort(keys([(float(number),) for number in range(4000)]))
    assert found[0] >= 0
    assert found[-1] < 1
    gap = np.abs(found - np.arange(0.5, 4000) / 4000).max()
    assert gap < 1.95 / math.sqrt(4000)  # of Kolmogorov's distances one in a thousand is larger


def test_the_temperature_is_applied_to_each_pass() -> None:
    """Probabilities are scaled pass by pass; a value is left as it is."""
    made = calibration(NINE, temperature=2.0, floor=1e-9)
    scores = made.scaled(Scores(np.array([[[0.64, 0.36], [0.2, 0.8]]]), True))
    expected = [[[0.8 / 1.4, 0.6 / 1.4], [1 / 3, 2 / 3]]]
    np.testing.assert_allclose(scores.values, expected, rtol=1e-12)
    values = Scores(np.array([[1.0, 2.0]]), True)
    assert calibration([1.0], "absolute").scaled(values) is values


DARK, LIGHT = Image.new("RGB", (8, 8), (51, 51, 51)), Image.new("RGB", (8, 8), (230, 230, 230))
GREY = ImageSpec(size=(8, 8))


def test_a_pipeline_without_a_calibration_says_so() -> None:
    """Without a calibration set and level are null, and the passes' level is 0.9."""
    made, _ = pipeline(GREY, noise=True)
    told = made.predict([DARK], Options())[0].uncertainty
    assert (told.confidence_level, told.interval_level) == (None, 0.9)


@pytest.mark.parametrize(("asked", "level"), [(None, 0.8), (0.5, 0.5), (0.9, 0.9)])
def test_a_calibrated_pipeline(asked: float | None, level: float) -> None:
    """Every answer has its set at the level asked for, or else at the calibration's own."""
    made, _ = pipeline(GREY, noise=True)
    made.calibration = calibration(NINE, temperature=2.0, floor=1e-9)
    one, other = made.predict([DARK, LIGHT], Options(confidence_level=asked))
    assert isinstance(one, ClassPrediction)
    assert isinstance(other, ClassPrediction)
    assert one.uncertainty.confidence_level == one.uncertainty.interval_level == level
    cooler = math.sqrt(0.2) / (math.sqrt(0.2) + math.sqrt(0.8))
    assert one.probabilities == pytest.approx({"dark": 1 - cooler, "light": cooler}, abs=1e-6)
    assert one.uncertainty.intervals is not None
    assert one.uncertainty.intervals["light"] == pytest.approx((cooler, cooler), abs=1e-6)
    expected = {0.5: ["dark"], 0.8: ["dark", "light"], 0.9: ["dark", "light"]}
    assert one.uncertainty.prediction_set == expected[level]
    assert other.label == "light"
    assert other.uncertainty.aleatoric == pytest.approx(other.uncertainty.entropy)


def test_a_calibration_may_be_given_at_once() -> None:
    """A pipeline takes its calibration as it is made, or later."""
    made, model = pipeline(GREY)
    given = calibration(NINE)
    first = type(made)(
        made.signature, ModelSpec(name="m", file="m"), [model], made.engine, {}, calibration=given
    )
    made.calibration = given
    assert first.predict([DARK], Options()) == made.predict([DARK], Options())


def test_scores_are_raw() -> None:
    """What a calibration learns from are the model's own probabilities, however it is set."""
    made, _ = pipeline(GREY)
    raw = made.scores([DARK, LIGHT])
    made.calibration = calibration(NINE, temperature=2.0, floor=1e-9)
    np.testing.assert_array_equal(made.scores([DARK, LIGHT]).values, raw.values)


def test_a_map_is_of_the_calibrated_probability() -> None:
    """What falls where a picture is covered is the probability that the answer tells."""
    picture = Image.new("RGB", (64, 64), "black")
    picture.paste("white", (40, 40, 64, 64))
    made, _ = pipeline(ImageSpec(size=(64, 64)))
    plain = made.predict([picture], Options(include=frozenset({"map"})))[0]
    made.calibration = calibration(NINE, temperature=0.25, floor=1e-9)
    scaled = made.predict([picture], Options(include=frozenset({"map"})))[0]
    assert isinstance(scaled, ClassPrediction)
    assert isinstance(plain, ClassPrediction)
    before, after = plain.probability or 0, scaled.probability or 0
    assert after == pytest.approx(before**4 / (before**4 + (1 - before) ** 4))
    raw = before - np.array(found(plain).values, float)
    rest = after - np.array(found(scaled).values, float)
    np.testing.assert_allclose(rest, raw**4 / (raw**4 + (1 - raw) ** 4), atol=1e-6)


def test_a_calibrated_regression() -> None:
    """A regression's interval stands beside its value, in its unit."""
    signature = Signature("regression", "brightness", "lx", (), (), GREY)
    made, _ = pipeline(GREY, answer=lambda mean, _: {"value": mean}, signature=signature)
    made.calibration = calibration([0.05, 0.1, 0.2, 0.3], "absolute")
    one = made.predict([DARK], Options())[0]
    assert isinstance(one, ValuePrediction)
    assert one.value == pytest.approx(0.2)
    assert one.uncertainty.confidence_level == 0.8
    assert one.uncertainty.prediction_interval == pytest.approx((-0.1, 0.5))
    assert (one.uncertainty.std, one.warnings) == (None, [])


def test_json_and_back() -> None:
    """A calibration is plain data: as JSON it is read again as it was, to the last digit."""
    made = calibration(
        np.sort(keys([(1.0,), (2.0,), (3.0,)])).tolist(), temperature=1.5, floor=1e-6
    )
    assert msgspec.json.decode(msgspec.json.encode(made), type=Calibration) == made
