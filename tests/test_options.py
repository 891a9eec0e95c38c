"""Query parameters become options; every wrong one is told."""

from __future__ import annotations

import pytest

from podium.errors import FieldError, InvalidInput, UnknownModel
from podium.options import Options

MODELS = ("m", "other")


def test_no_query() -> None:
    """A request that names nothing has the defaults."""
    assert Options.parse({}, MODELS) == Options(
        model=None, seed=None, confidence_level=None, top=None, include=frozenset(), map_ms=None
    )


def test_all_parameters() -> None:
    """Every parameter is read as its kind."""
    query = {"model": "m", "seed": "7", "confidence_level": "0.5", "top": "3",
             "include": "samples,map", "map_ms": "500"}  # fmt: skip
    expected = Options("m", 7, 0.5, 3, frozenset({"samples", "map"}), 500)
    assert Options.parse(query, MODELS) == expected


WHOLE0 = "expected a whole number from 0; found {!r}"
WHOLE1 = "expected a whole number from 1; found {!r}"
LEVEL = "expected a number between 0 and 1, such as 0.9; found {!r}"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("seed", "-1", WHOLE0),
        ("seed", "1.5", WHOLE0),
        ("seed", "", WHOLE0),
        ("seed", "²", WHOLE0),
        ("seed", "١", WHOLE0),  # noqa: RUF001  a digit of another script
        ("seed", "1" * 19, WHOLE0),
        ("top", "0", WHOLE1),
        ("top", "x", WHOLE1),
        ("confidence_level", "0", LEVEL),
        ("confidence_level", "1", LEVEL),
        ("confidence_level", "nan", LEVEL),
        ("confidence_level", "high", LEVEL),
        (
            "include",
            "samples,votes",
            "expected some of samples, map, separated by commas; found {!r}",
        ),
        ("map_ms", "0", WHOLE1),
        ("map_ms", "1.5", WHOLE1),
    ],
)
def test_wrong_values(name: str, text: str, message: str) -> None:
    """A wrong value is told with what is expected and what was found."""
    with pytest.raises(InvalidInput) as caught:
        Options.parse({name: text}, MODELS)
    assert caught.value.errors == (FieldError(name, message.format(text)),)


def test_every_mistake_at_once() -> None:
    """Unknown and wrong parameters are told together."""
    with pytest.raises(InvalidInput) as caught:
        Options.parse({"sede": "1", "top": "0", "zzz": "1", "model": "m"}, MODELS)
    assert caught.value.errors == (
        FieldError("sede", "is not a query parameter. Did you mean 'seed'?"),
        FieldError("top", WHOLE1.format("0")),
        FieldError(
            "zzz",
            "is not a query parameter. Known: model, seed, confidence_level, top, include, map_ms.",
        ),
    )


def test_includes_are_separated_by_commas() -> None:
    """Space and empty parts do not count."""
    assert Options.parse({"include": " samples , "}, MODELS).include == {"samples"}
    assert Options.parse({"include": ""}, MODELS).include == frozenset()


@pytest.mark.parametrize(
    ("top", "labels", "shown"),
    [(None, 3, 3), (None, 100, 100), (None, 101, 5), (2, 3, 2), (10, 3, 3), (200, 1000, 200)],
)
def test_how_many_labels_are_shown(top: int | None, labels: int, shown: int) -> None:
    """All up to 100 labels by default, else 5; with `top`, that many and no more than there are."""
    assert Options(top=top).shown(labels) == shown


def test_unknown_model_alone() -> None:
    """A model that there is not is an error of its own when all else is right."""
    with pytest.raises(UnknownModel) as caught:
        Options.parse({"model": "othr", "top": "1"}, MODELS)
    message = "There is no model 'othr'. Did you mean 'other'? Known: m, other."
    assert caught.value.errors == (FieldError("model", message),)


def test_unknown_model_among_other_mistakes() -> None:
    """A model that there is not is told with the other mistakes."""
    with pytest.raises(InvalidInput) as caught:
        Options.parse({"model": "zzz", "top": "0"}, MODELS)
    assert caught.value.errors == (
        FieldError("top", WHOLE1.format("0")),
        FieldError("model", "There is no model 'zzz'. Known: m, other."),
    )
