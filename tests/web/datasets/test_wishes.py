"""What a query or a form asks of a data set."""

from __future__ import annotations

import pytest

from podium.datasets.wishes import Wishes
from podium.errors import FieldError, InvalidInput, UnknownModel
from podium.web.datasets.wishes import OF_THE_FILE, WISHES, Asked, read_wishes

MODELS = ("bnn", "forest", "tree")
ALL = WISHES + OF_THE_FILE


def asked(**texts: list[str]) -> Asked:
    """Return what is asked for."""
    return read_wishes(texts, MODELS, ALL)


@pytest.mark.parametrize(
    ("given", "models"),
    [
        ([], ()), ([""], ()), (["tree"], ("tree",)), (["tree,bnn"], ("tree", "bnn")),
        (["tree", "bnn", "tree"], ("tree", "bnn")), ([" tree , bnn,"], ("tree", "bnn")),
        (["*"], MODELS), (["all"], MODELS), (["tree", "*"], MODELS),
    ],
)  # fmt: skip
def test_models(given: list[str], models: tuple[str, ...]) -> None:
    """Models are named with commas or one by one, each counts once; "*" and "all" are all."""
    assert asked(models=given).wishes.models == models


def test_a_model_called_all() -> None:
    """Where a model is called "all", that is the one."""
    assert read_wishes({"models": ["all"]}, ("one", "all"), ALL).wishes.models == ("all",)


def test_nothing() -> None:
    """Without a word the default model scores it at once; empty fields say no more."""
    plain = Asked(Wishes(), frozenset(), True, None)
    empty = asked(models=[""], target=[" "], confidence_level=[""], seed=[""], start=[""])
    assert asked() == plain
    assert empty._replace(named=frozenset()) == plain


def test_everything() -> None:
    """Each wish is read."""
    found = asked(models=["bnn"], target=["y"], confidence_level=["0.8"], seed=["4"],
                  start=["false"], name=["a.csv"])  # fmt: skip
    wishes = Wishes(models=("bnn",), seed=4, confidence_level=0.8, target="y")
    assert found == Asked(wishes, frozenset(ALL), False, "a.csv")


def test_later_wishes() -> None:
    """Wishes that are named later replace earlier ones, the others stay."""
    before = Wishes(models=("bnn",), seed=4, confidence_level=0.8, target="y")
    later = asked(seed=["5"], confidence_level=[""]).over(before)
    assert later == Wishes(models=("bnn",), seed=5, confidence_level=None, target="y")


def test_all_mistakes_at_once() -> None:
    """All that is wrong is told, with the nearest known name."""
    with pytest.raises(InvalidInput) as wrong:
        asked(model=["tree"], models=["treee"], confidence_level=["90"], seed=["-1"],
              start=["maybe"], target=["a", "b"], x=["1"])  # fmt: skip
    assert wrong.value.errors == (
        FieldError("model", "is not a parameter of data sets. Did you mean 'models'?"),
        FieldError("x", "is not a parameter of data sets. Known: models, confidence_level, seed, "
                        "target, start, name."),
        FieldError("target", "is given 2 times; expected once"),
        FieldError("seed", "expected a whole number from 0; found '-1'"),
        FieldError("confidence_level",
                   "expected a number between 0 and 1, such as 0.9; found '90'"),
        FieldError("start", "expected true or false; found 'maybe'"),
        FieldError("model", "There is no model 'treee'. Did you mean 'tree'? Known: bnn, forest, "
                            "tree."),
    )  # fmt: skip


def test_unknown_model() -> None:
    """Where a model's name is all that is wrong, it is the unknown model that is told."""
    with pytest.raises(UnknownModel, match="There is no model 'x'"):
        asked(models=["tree,x"])
