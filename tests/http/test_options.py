"""The query parameters of POST /predict, right and wrong."""

from __future__ import annotations

import pytest

from tests.http.conftest import BEAM, GENTOO
from tests.support.client import Client, assert_problem

HARD = {"bill_length_mm": 42.2, "bill_depth_mm": 18.5, "flipper_length_mm": 180,
        "body_mass_g": 3550, "island": "Dream", "sex": "female"}  # fmt: skip
WHOLE = "expected a whole number from"
LEVEL = "expected a number between 0 and 1, such as 0.9; found"
INCLUDE = "expected some of samples, map, separated by commas; found"


def test_seed_repeats(penguins: Client) -> None:
    """The same seed gives the same answer, to the last digit; none is seed 0."""
    first = penguins.predict(HARD, query="?seed=7").json()
    assert penguins.predict(HARD, query="?seed=7").json() == first
    assert penguins.predict(HARD, query="?seed=0").json() == penguins.predict(HARD).json()


def test_seeds_differ(penguins: Client) -> None:
    """Another seed draws other noise, and the answer stays near."""
    first, second = (
        penguins.predict(HARD, query=f"?seed={seed}").predictions[0]["probabilities"]
        for seed in (1, 2)
    )
    assert first != second
    assert first == pytest.approx(second, abs=0.2)


@pytest.mark.parametrize("model", ["bnn", "forest", "tree", "bayes"])
def test_first_row_alone(penguins: Client, model: str) -> None:
    """The answer for a row does not depend on what else is in the batch."""
    query = f"?model={model}&seed=3"
    (alone,) = penguins.predict(HARD, query=query).predictions
    together = penguins.predict(HARD, GENTOO, HARD, query=query).predictions
    assert _numbers(together[0]) == pytest.approx(_numbers(alone), abs=1e-5)


def test_each_row_draws_its_own_noise(penguins: Client) -> None:
    """The same bird in many rows gets noise of its own in each, however many rows there are."""
    found = penguins.predict(*[HARD] * 700, query="?top=1").predictions
    assert len({one["probability"] for one in found}) == 700


def test_chunks_of_a_large_batch(penguins: Client) -> None:
    """A row far down gets the same answer however many rows follow it."""
    shorter = penguins.predict(*[HARD] * 341).predictions
    longer = penguins.predict(*[HARD] * 700).predictions
    assert len(longer) == 700
    assert _numbers(longer[340]) == pytest.approx(_numbers(shorter[340]), abs=1e-5)


@pytest.mark.parametrize("model", ["bnn", "forest", "tree", "bayes"])
def test_model(penguins: Client, model: str) -> None:
    """`model` chooses who answers."""
    assert penguins.predict(GENTOO, query=f"?model={model}").json()["model"] == model


def test_default_model(penguins: Client) -> None:
    """The first model answers where none is named."""
    assert penguins.predict(GENTOO).json()["model"] == "bnn"


@pytest.mark.parametrize("level", [0.5, 0.99])
def test_confidence_level(penguins: Client, level: float) -> None:
    """The intervals hold the part of the passes that was asked for, and say so."""
    query = f"?confidence_level={level}&include=samples"
    (found,) = penguins.predict(HARD, query=query).predictions
    uncertainty = found["uncertainty"]
    low, high = uncertainty["intervals"]["Adelie"]
    held = sum(low <= one <= high for one in uncertainty["sample_probabilities"]["Adelie"])
    assert uncertainty["interval_level"] == level
    assert held == pytest.approx(100 * level, abs=2)


@pytest.mark.parametrize(("top", "count"), [(1, 1), (2, 2), (3, 3), (99, 3)])
def test_top(penguins: Client, top: int, count: int) -> None:
    """`top` cuts the labels to the likeliest, in intervals and samples as well."""
    (whole,) = penguins.predict(HARD).predictions
    (found,) = penguins.predict(HARD, query=f"?top={top}&include=samples").predictions
    likeliest = dict(list(whole["probabilities"].items())[:count])
    assert found["probabilities"] == likeliest
    assert list(found["uncertainty"]["intervals"]) == list(likeliest)
    assert list(found["uncertainty"]["sample_probabilities"]) == list(likeliest)
    assert found["uncertainty"]["entropy"] == whole["uncertainty"]["entropy"]


def test_include_samples(penguins: Client) -> None:
    """`include=samples` adds every pass, whose mean is the probability; nothing else changes."""
    (plain,) = penguins.predict(HARD).predictions
    (found,) = penguins.predict(HARD, query="?include=samples").predictions
    passes = found["uncertainty"].pop("sample_probabilities")
    assert found == plain
    assert {label: len(one) for label, one in passes.items()} == dict.fromkeys(passes, 100)
    assert {label: sum(one) / 100 for label, one in passes.items()} == pytest.approx(
        plain["probabilities"]
    )


def test_include_samples_without_passes(penguins: Client) -> None:
    """A model without passes has no samples to include."""
    plain = penguins.predict(HARD, query="?model=tree").json()
    assert penguins.predict(HARD, query="?model=tree&include=samples").json() == plain


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("seed=x", "seed", f"{WHOLE} 0; found 'x'"),
        ("seed=-1", "seed", f"{WHOLE} 0; found '-1'"),
        ("seed=1.5", "seed", f"{WHOLE} 0; found '1.5'"),
        ("seed=", "seed", f"{WHOLE} 0; found ''"),
        (f"seed={'9' * 400}", "seed", f"{WHOLE} 0; found '{'9' * 80}'"),
        ("top=0", "top", f"{WHOLE} 1; found '0'"),
        ("top=many", "top", f"{WHOLE} 1; found 'many'"),
        ("confidence_level=0", "confidence_level", f"{LEVEL} '0'"),
        ("confidence_level=1", "confidence_level", f"{LEVEL} '1'"),
        ("confidence_level=90%25", "confidence_level", f"{LEVEL} '90%'"),
        ("confidence_level=nan", "confidence_level", f"{LEVEL} 'nan'"),
        ("include=everything", "include", f"{INCLUDE} 'everything'"),
        ("include=samples,more", "include", f"{INCLUDE} 'samples,more'"),
        ("sede=1", "sede", "is not a query parameter. Did you mean 'seed'?"),
        ("xyz=1", "xyz", "is not a query parameter. "
                         "Known: model, seed, confidence_level, top, include, map_ms."),
    ],
)  # fmt: skip
def test_wrong_value(penguins: Client, query: str, field: str, message: str) -> None:
    """A wrong query parameter is named, with what it takes and what was found."""
    answer = penguins.predict(GENTOO, query=f"?{query}")
    assert_problem(answer, 422, "Invalid input", [(field, message)])


def test_every_wrong_parameter_is_named(penguins: Client) -> None:
    """All wrong query parameters are told at once."""
    answer = penguins.predict(GENTOO, query="?seed=x&top=0&confidence_level=2&include=a&sede=1")
    errors = [
        ("seed", f"{WHOLE} 0; found 'x'"),
        ("top", f"{WHOLE} 1; found '0'"),
        ("confidence_level", f"{LEVEL} '2'"),
        ("include", f"{INCLUDE} 'a'"),
        ("sede", "is not a query parameter. Did you mean 'seed'?"),
    ]
    assert_problem(answer, 422, "Invalid input", errors)


@pytest.mark.parametrize(
    ("name", "hint"), [("forrest", " Did you mean 'forest'?"), ("zzz", ""), ("%F0%9F%90%A7", "")]
)
def test_unknown_model(penguins: Client, name: str, hint: str) -> None:
    """An unknown model is not found; the nearest and all known ones are named."""
    told = "🐧" if name.startswith("%") else name
    detail = f"There is no model '{told}'.{hint} Known: bnn, forest, tree, bayes."
    answer = penguins.predict(GENTOO, query=f"?model={name}")
    assert_problem(answer, 404, "Unknown model", [("model", detail)], detail)


def test_query_and_inputs_are_named_together(penguins: Client) -> None:
    """Mistakes in the query and in a JSON body are told in one answer."""
    answer = penguins.predict({**GENTOO, "island": "Dreem"}, query="?seed=x")
    assert answer.status == 422
    assert sorted(answer.errors) == [
        ("inputs[0].island",
         "expected one of Biscoe, Dream, Torgersen; found 'Dreem'. Did you mean 'Dream'?"),
        ("seed", f"{WHOLE} 0; found 'x'"),
    ]  # fmt: skip


@pytest.mark.parametrize("form", [False, True], ids=["json", "form"])
def test_unknown_model_and_inputs_are_named_together(penguins: Client, form: bool) -> None:
    """An unknown model is told together with what is wrong with the values."""
    row = {**GENTOO, "island": "Dreem"}
    if form:
        fields = [(name, str(value)) for name, value in row.items()]
        answer = penguins.submit("/predict?model=forrest", fields)
    else:
        answer = penguins.predict(row, query="?model=forrest")
    place = "island" if form else "inputs[0].island"
    assert answer.status == 422
    assert sorted(answer.errors) == sorted([
        (place, "expected one of Biscoe, Dream, Torgersen; found 'Dreem'. Did you mean 'Dream'?"),
        ("model", "There is no model 'forrest'. Did you mean 'forest'? "
                  "Known: bnn, forest, tree, bayes."),
    ])  # fmt: skip


def test_seed_of_a_regression(weights: Client) -> None:
    """A regression's passes follow the seed as well."""
    first, again, other = (
        weights.predict(BEAM, query=f"?model=noisy&seed={seed}").json() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def _numbers(prediction: dict[str, object]) -> dict[str, float]:
    """Return the probabilities and entropies of a prediction, flat."""
    found: dict[str, float] = {}
    for part in (prediction["probabilities"], prediction["uncertainty"]):
        assert isinstance(part, dict)
        found |= {name: value for name, value in part.items() if isinstance(value, float)}
    return found
