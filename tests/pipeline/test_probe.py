"""Made-up inputs: what they must cover."""

from __future__ import annotations

import pytest

from podium.pipeline.probe import ROWS, probe_items
from podium.signature import Signature
from podium.spec import Feature


def of_features(*features: Feature) -> Signature:
    """Return the signature of a regression."""
    return Signature("regression", "value", None, (), features)


@pytest.mark.parametrize("count", [2, ROWS - 1, ROWS + 50])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_choice_is_there(count: int, seed: int) -> None:
    """However many choices a category has, a model is tried with each of them."""
    choices = tuple(f"c{number}" for number in range(count))
    signature = of_features(
        Feature(name="a"), Feature(name="b", kind="category", choices=choices, optional=True)
    )
    items = probe_items(signature, seed)
    assert {row[1] for row in items[:-1]} == set(choices)  # type: ignore[index]
    assert items[-1][1] is None  # type: ignore[index]
    assert len(items) == max(ROWS, count + 1)
    assert probe_items(signature, seed) == items
