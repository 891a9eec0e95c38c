"""How many images a model gets at once."""

from __future__ import annotations

import pytest
from PIL import Image

from podium.options import Options
from podium.pipeline import IMAGES_AT_ONCE
from podium.prediction import ClassPrediction
from podium.spec import Image as ImageSpec
from tests.pipeline.test_maps import pipeline


@pytest.mark.parametrize("count", [1, IMAGES_AT_ONCE, IMAGES_AT_ONCE + 1, 3 * IMAGES_AT_ONCE - 1])
def test_images_are_answered_a_few_at_a_time(count: int) -> None:
    """The model gets a few images at once, and each gets its own answer, in their order."""
    made, model = pipeline(ImageSpec(size=(8, 8)))
    levels = [255 * number // count for number in range(count)]
    pictures = [Image.new("RGB", (8, 8), (level, level, level)) for level in levels]
    found = made.predict(pictures, Options())
    shares = [one.probabilities for one in found if isinstance(one, ClassPrediction)]
    assert [share and share["light"] for share in shares] == pytest.approx(
        [level / 255 for level in levels], abs=1e-6
    )
    assert sum(model.rows) == count
    assert max(model.rows) <= IMAGES_AT_ONCE


def test_noise_is_not_cut_into_parts() -> None:
    """A model with noise gets all images at once: its noise is drawn by an image's number."""
    made, model = pipeline(ImageSpec(size=(8, 8)), noise=True)
    pictures = [Image.new("RGB", (8, 8))] * (IMAGES_AT_ONCE + 1)
    assert len(made.predict(pictures, Options())) == IMAGES_AT_ONCE + 1
    assert model.rows == [10 * (IMAGES_AT_ONCE + 1)]
