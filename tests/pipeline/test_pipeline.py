"""How many images a model gets at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

import podium.pipeline
from podium.errors import RequestTooLarge
from podium.options import Options
from podium.pipeline import images_together
from podium.pipeline.member import images_at_once
from podium.prediction import ClassPrediction
from podium.spec import Image as ImageSpec
from tests.pipeline.test_maps import pipeline

LARGE = ImageSpec(size=(240, 240))


@pytest.mark.parametrize(
    ("size", "count"), [((224, 224), 2), ((240, 240), 2), ((4000, 4000), 2), ((20, 20), 250)]
)
def test_few_large_images_fit_the_caches(size: tuple[int, int], count: int) -> None:
    """At least two images go to the model at once, and of small ones many."""
    assert images_at_once(ImageSpec(size=size)) == count


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_images_are_answered_a_few_at_a_time(count: int) -> None:
    """The model gets a few images at once, and each gets its own answer, in their order."""
    made, model = pipeline(LARGE)
    levels = [255 * number // count for number in range(count)]
    pictures = [Image.new("RGB", (8, 8), (level, level, level)) for level in levels]
    found = made.predict(pictures, Options())
    shares = [one.probabilities for one in found if isinstance(one, ClassPrediction)]
    assert [share and share["light"] for share in shares] == pytest.approx(
        [level / 255 for level in levels], abs=1e-6
    )
    assert sum(model.rows) == count
    assert max(model.rows) <= 2


def test_images_are_encoded_together_and_inferred_in_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two steps are encoded before the first is inferred; then others may work."""
    made, _ = pipeline(LARGE)
    (member,) = made.members
    done: list[str] = []

    def noted(what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*given: Any) -> Any:
            done.append(what)
            return call(*given)

        return noting

    monkeypatch.setattr(member, "encode", noted("encode", member.encode))
    monkeypatch.setattr(made.engine, "infer", noted("infer", made.engine.infer))
    monkeypatch.setattr(made.engine, "give_way", noted("give way", made.engine.give_way))
    made.predict([Image.new("RGB", (8, 8))] * images_together(LARGE), Options())
    assert done == ["encode", "encode", "infer", "infer"]
    done.clear()
    made.predict([Image.new("RGB", (8, 8))] * 5, Options())
    assert done == ["encode", "encode", "infer", "infer", "give way", "encode", "infer"]


@pytest.mark.parametrize(("include", "most"), [((), 30), (("samples",), 6)])
def test_a_request_of_too_many_passes_is_refused(
    include: tuple[str, ...], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items times passes times labels are bounded, and more closely where all are told."""
    monkeypatch.setattr(podium.pipeline, "MAX_SCORES", 610)
    monkeypatch.setattr(podium.pipeline, "MAX_TOLD", 130)
    made, model = pipeline(LARGE, noise=True)  # of 10 passes and 2 labels
    pictures, options = [Image.new("RGB", (8, 8))] * (most + 1), Options(include=frozenset(include))
    assert len(made.predict(pictures[:-1], options)) == most
    model.rows.clear()
    with pytest.raises(RequestTooLarge, match=f"too many at once; send at most {most} at a time"):
        made.predict(pictures, options)
    assert model.rows == []


def test_a_request_of_too_many_images_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time of a request is over, its images are told to be too many."""
    made, model = pipeline(LARGE)
    monkeypatch.setattr(made.engine, "timeout_s", 0.0)
    with pytest.raises(RequestTooLarge, match=r"^4 of 9 images were answered within 0 s") as caught:
        made.predict([Image.new("RGB", (8, 8))] * 9, Options())
    assert [error.field for error in caught.value.errors] == ["image"]
    assert model.rows == [2, 2]


def test_passes_are_cut_into_calls_of_bounded_size() -> None:
    """A model with noise gets as many copies of large images at once as the memory bears."""
    made, model = pipeline(LARGE, noise=True)
    assert len(made.predict([Image.new("RGB", (8, 8))] * 3, Options())) == 3
    assert model.rows == [20, 10]
