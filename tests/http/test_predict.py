"""POST /predict with tables: every form of the body, and the whole shape of the answer."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest

from podium.cli import DEMOS
from tests.http.conftest import BEAM, GENTOO
from tests.support.client import Client

FIELDS = [(name, str(value)) for name, value in GENTOO.items()]
LABELS = ("Adelie", "Chinstrap", "Gentoo")
MODELS = {"bnn": "bnn.onnx", "forest": "forest.skops", "tree": "tree.skops", "bayes": "bayes.skops"}
UNKNOWN = {
    "aleatoric": None, "epistemic": None, "intervals": None, "interval_level": None,
    "samples": None, "prediction_set": None, "confidence_level": None,
}  # fmt: skip


def entropy(probabilities: dict[str, float]) -> float:
    """Return the entropy in nats."""
    return -sum(p * math.log(p) for p in probabilities.values() if p > 0)


def test_stochastic_answer(penguins: Client) -> None:
    """A model with passes tells every part of its uncertainty, and only what it knows."""
    (found,) = penguins.predict(GENTOO).predictions
    uncertainty, probabilities = found["uncertainty"], found["probabilities"]
    assert found.keys() == {"label", "probability", "probabilities", "uncertainty", "warnings"}
    assert (found["label"], found["warnings"]) == ("Gentoo", [])
    assert found["probability"] == probabilities["Gentoo"] == max(probabilities.values())
    assert sorted(probabilities) == sorted(LABELS)
    assert sum(probabilities.values()) == pytest.approx(1)
    assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
    assert uncertainty.keys() == {*UNKNOWN, "entropy", "entropy_normalized", "reproducible"}
    assert uncertainty["entropy"] == pytest.approx(entropy(probabilities))
    assert uncertainty["entropy_normalized"] == pytest.approx(entropy(probabilities) / math.log(3))
    assert uncertainty["aleatoric"] > 0
    assert uncertainty["epistemic"] > 0
    parts = uncertainty["aleatoric"] + uncertainty["epistemic"]
    assert parts == pytest.approx(uncertainty["entropy"])
    assert uncertainty["intervals"].keys() == probabilities.keys()
    assert all(0 <= low <= high <= 1 for low, high in uncertainty["intervals"].values())
    assert (uncertainty["interval_level"], uncertainty["samples"]) == (0.9, 100)
    assert (uncertainty["prediction_set"], uncertainty["confidence_level"]) == (None, None)
    assert uncertainty["reproducible"] is True


@pytest.mark.parametrize("model", ["tree", "bayes"])
def test_unknown_is_null(penguins: Client, model: str) -> None:
    """What a single deterministic model cannot know is null: never 0, never left out."""
    (found,) = penguins.predict(GENTOO, query=f"?model={model}").predictions
    share = entropy(found["probabilities"])
    assert found["uncertainty"] == {
        **UNKNOWN,
        "entropy": pytest.approx(share),
        "entropy_normalized": pytest.approx(share / math.log(3)),
        "reproducible": True,
    }


@pytest.mark.parametrize("model", MODELS)
def test_model_and_version(penguins: Client, model: str) -> None:
    """An answer names its model and, by the start of its sha256, the content of its file."""
    file = DEMOS / "penguins" / "models" / MODELS[model]
    answer = penguins.predict(GENTOO, query=f"?model={model}").json()
    assert answer.keys() == {"model", "version", "predictions"}
    assert answer["model"] == model
    assert answer["version"] == hashlib.sha256(file.read_bytes()).hexdigest()[:6]
    assert [one["label"] for one in answer["predictions"]] == ["Gentoo"]


def test_forest_votes(penguins: Client) -> None:
    """A forest's trees are its passes: 100 votes, whose shares are the probability."""
    (found,) = penguins.predict(GENTOO, query="?model=forest&include=samples").predictions
    votes = found["uncertainty"]["sample_probabilities"]["Gentoo"]
    assert (len(votes), found["uncertainty"]["samples"]) == (100, 100)
    assert sum(votes) / 100 == pytest.approx(found["probability"])


def test_several_rows(penguins: Client) -> None:
    """Several items are answered one by one and in their order."""
    adelie = {**GENTOO, "bill_length_mm": 39.7, "bill_depth_mm": 18.4, "flipper_length_mm": 190,
              "body_mass_g": 3900, "island": "Torgersen", "sex": "male"}  # fmt: skip
    found = penguins.predict(GENTOO, adelie, GENTOO, query="?model=tree").predictions
    assert [one["label"] for one in found] == ["Gentoo", "Adelie", "Gentoo"]
    assert found[0] == found[2]


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"]
)
def test_json_content_types(penguins: Client, content_type: str) -> None:
    """JSON is known by its media type, whatever its parameters and its case."""
    body = b'{"inputs": [' + _json(GENTOO) + b"]}"
    assert penguins.post("/predict", body, content_type).predictions[0]["label"] == "Gentoo"


def test_forms_answer_as_json_does(penguins: Client) -> None:
    """The same bird gets the same answer as JSON, as multipart, urlencoded and in chunks."""
    expected = penguins.predict(GENTOO).json()
    body = b'{"inputs": [' + _json(GENTOO) + b"]}"
    chunks = (body[i : i + 7] for i in range(0, len(body), 7))
    assert penguins.submit("/predict", FIELDS).json() == expected
    assert penguins.submit_urlencoded("/predict", FIELDS).json() == expected
    assert penguins.post("/predict", chunks, "application/json").json() == expected


def test_options_in_the_form(penguins: Client) -> None:
    """Options may stand among a form's fields, and do as in the query."""
    fields = [*FIELDS, ("model", "forest"), ("top", "1"), ("confidence_level", "0.5")]
    expected = penguins.predict(GENTOO, query="?model=forest&top=1&confidence_level=0.5").json()
    assert penguins.submit("/predict", fields).json() == expected


def test_an_option_that_stands_twice_in_the_form(penguins: Client) -> None:
    """No option of a form is dropped in silence."""
    answer = penguins.submit("/predict", [*FIELDS, ("model", "forest"), ("model", "bnn")])
    assert (answer.status, answer.errors) == (
        422,
        [("model", "is given 2 times; expected once")],
    )


@pytest.mark.parametrize("sex", [{"sex": None}, {}])
def test_optional_feature_left_out(penguins: Client, sex: dict[str, None]) -> None:
    """An optional feature may be null or left out, which is the same."""
    row = {name: value for name, value in GENTOO.items() if name != "sex"} | sex
    (found,) = penguins.predict(row).predictions
    fields = [(name, value) for name, value in FIELDS if name != "sex"]
    assert found["label"] == "Gentoo"
    assert penguins.submit("/predict", fields).predictions == [found]
    assert penguins.submit("/predict", [*fields, ("sex", "")]).predictions == [found]


def test_regression_answer(weights: Client) -> None:
    """A regression tells value and unit; a single model knows nothing of its uncertainty."""
    answer = weights.predict(BEAM).json()
    assert answer == {
        "model": "exact",
        "version": answer["version"],
        "predictions": [{
            "value": 1132.5, "unit": "kg", "warnings": [],
            "uncertainty": {
                "aleatoric": None, "epistemic": None, "std": None, "interval": None,
                "interval_level": None, "samples": None, "prediction_interval": None,
                "confidence_level": None, "reproducible": True,
            },
        }],
    }  # fmt: skip


def test_regression_passes(weights: Client) -> None:
    """The passes of a regression make its value, its deviation, variance and interval."""
    (found,) = weights.predict(BEAM, query="?model=noisy&include=samples").predictions
    uncertainty: dict[str, Any] = found["uncertainty"]
    passes = sorted(uncertainty["sample_values"])
    mean = sum(passes) / 50
    variance = sum((one - mean) ** 2 for one in passes) / 50
    low, high = uncertainty["interval"]
    assert (len(passes), uncertainty["samples"], uncertainty["interval_level"]) == (50, 50, 0.9)
    assert found["value"] == pytest.approx(mean)
    assert 1131.5 < mean < 1133.5
    assert uncertainty["epistemic"] == pytest.approx(variance)
    assert uncertainty["std"] == pytest.approx(math.sqrt(variance))
    assert sum(low <= one <= high for one in passes) == pytest.approx(45, abs=1)
    assert uncertainty["aleatoric"] is None


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("wet", "true", 1132.5), ("wet", "False", 1032.5), ("wet", "on", 1132.5),
        ("wet", "0", 1032.5), ("count", "4", 1142.5), ("count", "4.0", 1142.5),
        ("length", " 1e1 ", 1140.0), ("material", "oak", 132.5),
    ],
)  # fmt: skip
def test_texts_of_a_form(weights: Client, field: str, text: str, value: float) -> None:
    """A form's texts are read as the feature's kind."""
    fields = {name: str(cell) for name, cell in BEAM.items()} | {field: text}
    (found,) = weights.submit("/predict", list(fields.items())).predictions
    assert found["value"] == pytest.approx(value)


def test_whole_number_as_a_float(weights: Client) -> None:
    """A whole number may be written with a point in JSON: it is the same number."""
    (found,) = weights.predict({**BEAM, "count": 3.0}).predictions
    assert found["value"] == 1132.5


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({"bill_length_mm": 80}, {"bill_length_mm": "80 is outside the training range, "
                                                    "32.1 to 59.6"}),
        ({"bill_length_mm": 32.09, "body_mass_g": 6050.5},
         {"bill_length_mm": "32.09 is outside the training range, 32.1 to 59.6",
          "body_mass_g": "6050.5 is outside the training range, 2700 to 6050"}),
        ({"bill_length_mm": 59.6, "body_mass_g": 2700}, {}),
    ],
    ids=["one", "two", "the ends are inside"],
)  # fmt: skip
def test_training_range(
    penguins: Client, changes: dict[str, float], warnings: dict[str, str]
) -> None:
    """A value outside the training range is answered, with a warning that names it."""
    inside, outside = penguins.predict(GENTOO, GENTOO | changes).predictions
    assert inside["warnings"] == []
    assert outside["label"] in LABELS
    assert outside["warnings"] == [
        {"field": field, "code": "outside_training_range", "message": message}
        for field, message in warnings.items()
    ]


def test_warnings_of_forms(penguins: Client) -> None:
    """A form's answer warns as that of JSON does."""
    fields = [*((n, v) for n, v in FIELDS if n != "body_mass_g"), ("body_mass_g", "9000")]
    (found,) = penguins.submit("/predict", fields).predictions
    assert [one["field"] for one in found["warnings"]] == ["body_mass_g"]


def _json(row: dict[str, Any]) -> bytes:
    return json.dumps(row).encode()
