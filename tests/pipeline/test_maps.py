"""Maps of where a model looked, through the whole pipeline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from msgspec import UNSET, structs
from numpy.typing import NDArray
from PIL import Image

from podium.engines.local import LocalEngine
from podium.errors import FieldError, InvalidInput
from podium.options import Options
from podium.pipeline import Pipeline
from podium.pipeline.maps import MAX_PICTURES, MAX_VALUES
from podium.prediction import Caution, ClassPrediction, OcclusionMap, Prediction
from podium.runtimes import Arrays, Model, TensorSpec
from podium.signature import Row, Signature
from podium.spec import Feature, ModelSpec
from podium.spec import Image as ImageSpec

MAP = Options(include=frozenset({"map"}))
FLOAT = np.dtype(np.float32)
LABELS = ("dark", "light")

Pixels = NDArray[Any]


@dataclass(kw_only=True)
class Looks(Model):
    """A model of the mean of one part of pictures, counted in eighths of their sides.

    `answer` makes its output of that mean, of the noise if it takes any, and of the batch.
    """

    part: tuple[int, int, int, int]
    layout: str = "NCHW"
    answer: Callable[[Pixels, Arrays], dict[str, Pixels]]
    platform: str = "looks"
    rows: list[int] = field(default_factory=list)

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return what `answer` makes of the mean of the part."""
        pictures = inputs["X"]
        self.rows.append(len(pictures))
        if self.layout == "NCHW":
            pictures = pictures.transpose(0, 2, 3, 1)
        height, width = pictures.shape[1:3]
        top, bottom, left, right = self.part
        part = pictures[:, top * height // 8 : bottom * height // 8,
                        left * width // 8 : right * width // 8]  # fmt: skip
        return self.answer(part.mean(axis=(1, 2, 3)), inputs)


def probabilities(mean: Pixels, _: Arrays) -> dict[str, Pixels]:
    """Answer the classes dark and light."""
    return {"probabilities": np.stack([1 - mean, mean], axis=1)}


def pipeline(
    image: ImageSpec,
    part: tuple[int, int, int, int] = (0, 8, 0, 8),
    answer: Callable[[Pixels, Arrays], dict[str, Pixels]] = probabilities,
    *,
    signature: Signature | None = None,
    noise: bool = False,
    kind: type[Looks] | None = None,
    own: Callable[[Any], Any] | None = None,
    map_s: float = 60.0,
) -> tuple[Pipeline, Looks]:
    """Return the pipeline of a model, and the model."""
    shape = (image.channels, *image.size) if image.layout == "NCHW" else (
        *image.size, image.channels)  # fmt: skip
    inputs = [TensorSpec("X", FLOAT, (None, *shape)), TensorSpec("eps", FLOAT, (None, 1))]
    model = (kind or Looks)(
        part=part, layout=image.layout, answer=answer, inputs=tuple(inputs[: 1 + noise])
    )
    spec = ModelSpec(name="m", file="m")
    if noise:
        spec = structs.replace(spec, noise="eps", samples=10)
    signature = signature or Signature("classification", "class", None, LABELS, (), image)
    functions = {} if own is None else {"preprocess": own}
    made = Pipeline(signature, spec, [model], LocalEngine(), functions, map_s)
    model.rows.clear()
    return made, model


def spot(size: tuple[int, int], x: float, y: float, side: int = 24) -> Image.Image:
    """Return a black picture with a white square around a place, in shares of its sides."""
    picture = Image.new("RGB", size)
    across, down = round(x * size[0]) - side // 2, round(y * size[1]) - side // 2
    picture.paste("white", (across, down, across + side, down + side))
    return picture


def found(prediction: Prediction) -> OcclusionMap:
    """Return a prediction's map."""
    assert isinstance(prediction.map, OcclusionMap)
    return prediction.map


def strongest(prediction: Prediction) -> tuple[float, float]:
    """Return where in the upright picture the fall is centred, in shares of its sides."""
    one = found(prediction)
    assert one.box is not None
    values = np.array(one.values).clip(0)
    row, column = (np.average(np.arange(n) + 0.5, weights=values.sum(axis=axis)) / n
                   for axis, n in ((1, one.rows), (0, one.columns)))  # fmt: skip
    left, top, right, bottom = one.box
    return left + column * (right - left), top + row * (bottom - top)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("colour", ["rgb", "bgr", "grey"])
def test_the_map_lies_where_the_model_looks(layout: Any, colour: Any) -> None:
    """The fall is that of the label answered, and all of it is in the part that counts."""
    image = ImageSpec(size=(32, 64), layout=layout, colour=colour)
    made, _ = pipeline(image, (0, 4, 4, 8))
    picture = Image.new("RGB", (640, 320))
    picture.paste("white", (320, 0, 640, 160))
    (prediction,) = made.predict([picture], MAP)
    assert isinstance(prediction, ClassPrediction)
    one = found(prediction)
    values = np.array(one.values)
    assert (prediction.label, prediction.warnings) == ("light", [])
    assert prediction.probability == pytest.approx(0.99, abs=0.01)
    assert (one.label, one.rows, one.columns, one.patches, one.cut) == ("light", 7, 14, 98, False)
    assert one.box == pytest.approx((0, 0, 1, 1), abs=0.003)
    assert one.milliseconds > 0
    assert values.shape == (7, 14)
    assert values[:2, 8:].min() > 0.1
    assert np.abs(values[5:]).max() == np.abs(values[:, :5]).max() == 0


@pytest.mark.parametrize(
    "options", [{}, {"resize": "shortest", "crop": 0.9}, {"resize": "longest"}]
)
@pytest.mark.parametrize("size", [(400, 300), (300, 400)], ids=["landscape", "portrait"])
def test_the_box_leads_back_to_the_picture(size: tuple[int, int], options: dict[str, Any]) -> None:
    """However a picture is cut, padded or squeezed, the map's centre is the spot that counts."""
    made, _ = pipeline(
        ImageSpec(size=(64, 64), **options),
        answer=lambda mean, _: {"probabilities": np.stack([0.4 - mean, 0.6 + mean], axis=1)},
    )
    (prediction,) = made.predict([spot(size, 0.6, 0.4)], MAP)
    assert strongest(prediction) == pytest.approx((0.6, 0.4), abs=0.03)


def test_trimmed_strokes_have_no_box() -> None:
    """Where the picture is cut to its strokes, the map's place in it cannot be told."""
    made, _ = pipeline(ImageSpec(size=(20, 20), colour="grey", trim=True, polarity="any"))
    (prediction,) = made.predict([spot((200, 100), 0.3, 0.5)], MAP)
    assert found(prediction).box is None


def test_nothing_else_changes() -> None:
    """Without include=map there is no map; with it, everything else is as before."""
    made, model = pipeline(ImageSpec(size=(32, 32)))
    picture = spot((32, 32), 0.5, 0.5)
    (plain,) = made.predict([picture], Options())
    assert model.rows == [1]
    assert plain.map is UNSET
    (mapped,) = made.predict([picture], MAP)
    assert structs.replace(mapped, map=UNSET) == plain


def test_a_value_changes_in_its_unit() -> None:
    """A regression's map is the fall of its value; where covering raises it, below 0."""
    image = ImageSpec(size=(32, 32))
    made, _ = pipeline(
        image, answer=lambda mean, _: {"y": 100 - 50 * mean[:, None]},
        signature=Signature("regression", "y", "cm", (), (), image),
    )  # fmt: skip
    (prediction,) = made.predict([spot((32, 32), 0.5, 0.5, 4)], MAP)
    one = found(prediction)
    assert one.label is None
    falls = np.array(one.values, np.float64)
    assert falls.min() == pytest.approx(-50 * 16 / 32**2)
    assert falls.max() == 0


def test_every_patch_gets_the_pictures_own_noise() -> None:
    """Passes of covered pictures draw what the picture drew: only the patch makes a difference."""

    def answer(mean: Pixels, inputs: Arrays) -> dict[str, Pixels]:
        noisy = 0.5 + 0.1 * np.tanh(inputs["eps"][:, 0]) + 0 * mean
        return {"probabilities": np.stack([1 - noisy, noisy], axis=1)}

    made, model = pipeline(ImageSpec(size=(64, 64)), answer=answer, noise=True)
    pictures = [spot((64, 64), 0.5, 0.5)] * 2
    first, second = made.predict(pictures, structs.replace(MAP, seed=3))
    assert isinstance(first, ClassPrediction)
    assert isinstance(second, ClassPrediction)
    assert first.probability != second.probability
    for one in (first, second):
        np.testing.assert_allclose(np.array(found(one).values, float), 0, atol=1e-12)
    assert max(model.rows) * 3 * 64 * 64 <= MAX_VALUES


def test_a_batch_of_large_pictures_is_small() -> None:
    """Memory is bounded: covered pictures of 3 x 384 x 384 numbers go two at a time."""
    made, model = pipeline(ImageSpec(size=(384, 384)))
    made.predict([spot((384, 384), 0.5, 0.5)], MAP)
    assert max(model.rows) == 2
    assert sum(model.rows) == 1 + 1 + 196


def test_a_label_alone_has_no_map() -> None:
    """Without probabilities nothing can fall; the map is null, and a warning says why."""
    made, _ = pipeline(
        ImageSpec(size=(32, 32)), answer=lambda mean, _: {"label": (mean > 0.5).astype(np.int64)}
    )
    (prediction,) = made.predict([spot((32, 32), 0.5, 0.5)], MAP)
    assert prediction.map is None
    why = "a map needs probabilities, and this model tells a label alone"
    assert prediction.warnings == [Caution("map", "no_map", why)]


def test_no_time_for_a_map(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the budget is too short the map is null, and a warning says what to do."""
    made, _ = pipeline(ImageSpec(size=(32, 32)))
    monkeypatch.setattr("podium.pipeline.maps.explore", lambda *_: None)
    (prediction,) = made.predict([spot((32, 32), 0.5, 0.5)], structs.replace(MAP, map_ms=300))
    assert prediction.map is None
    ((caution),) = prediction.warnings
    assert (caution.field, caution.code) == ("map", "no_map")
    assert caution.message.endswith("ms are too few for a map by this model ([limits] map)")


def test_pictures_share_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture gets an equal part of the time that is left."""
    made, _ = pipeline(ImageSpec(size=(32, 32)))
    shares: list[float] = []

    def explore(_: Any, __: Any, budget_s: float, *___: Any) -> None:
        shares.append(budget_s)

    monkeypatch.setattr("podium.pipeline.maps.explore", explore)
    made.predict([spot((32, 32), 0.5, 0.5)] * 3, structs.replace(MAP, map_ms=30_000))
    assert shares == [pytest.approx(10, abs=0.5), pytest.approx(15, abs=0.5),
                      pytest.approx(30, abs=0.5)]  # fmt: skip


def test_others_work_between_two_batches_and_count_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A map gives way before each batch, and keeps its time for itself."""
    now = [100.0]  # only others take time here
    monkeypatch.setattr("podium.pipeline.maps.time.perf_counter", lambda: now[0])
    made, model = pipeline(ImageSpec(size=(32, 32)))
    calls: list[int] = []

    def give_way() -> None:
        calls.append(len(model.rows))
        now[0] += 60

    made.engine.give_way = give_way  # type: ignore[method-assign]
    (prediction,) = made.predict([spot((32, 32), 0.5, 0.5)], structs.replace(MAP, map_ms=30_000))
    assert calls == list(range(1, len(model.rows)))  # the first was the answer itself
    assert found(prediction).patches == 196
    assert found(prediction).milliseconds == 0


def test_each_picture_has_its_own_map() -> None:
    """The maps stand with their pictures, in their order."""
    made, _ = pipeline(
        ImageSpec(size=(64, 64)),
        answer=lambda mean, _: {"probabilities": np.stack([0.4 - mean, 0.6 + mean], axis=1)},
    )
    places = [(0.3, 0.3), (0.7, 0.4), (0.5, 0.8)]
    predictions = made.predict([spot((64, 64), x, y, 8) for x, y in places], MAP)
    for prediction, place in zip(predictions, places, strict=True):
        assert strongest(prediction) == pytest.approx(place, abs=0.03)


def test_a_preprocess_of_the_makers_own() -> None:
    """What it makes may have other axes than [image] says, and more inputs; there is no box."""

    def own(images: list[Image.Image]) -> Any:
        return np.stack([np.asarray(image, np.float32) / 255 for image in images])

    image = ImageSpec(size=(32, 48))
    made, model = pipeline(image, (0, 4, 0, 4), own=own)
    model.layout = "NHWC"
    picture = Image.new("RGB", (48, 32))
    picture.paste("white", (0, 0, 24, 16))
    (prediction,) = made.predict([picture], MAP)
    one = found(prediction)
    assert one.box is None
    assert (one.values[1][1] or 0) > 0.1
    assert np.array(one.values)[:, 9:].max() == 0


def test_a_preprocess_that_makes_no_pictures() -> None:
    """Other arrays have no place to cover, which is told with what they are."""

    def own(images: list[Image.Image]) -> Any:
        return np.stack([np.asarray(image, np.float32).ravel() / 255 for image in images])

    class Flat(Looks):
        def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
            return probabilities(inputs["X"].mean(axis=1), inputs)

    made, _ = pipeline(ImageSpec(size=(4, 4)), own=own, kind=Flat)
    with pytest.raises(InvalidInput) as caught:
        made.predict([Image.new("RGB", (4, 4))], MAP)
    message = "a map needs pictures of 1 to 4 channels, and the model gets X [1, 48]"
    assert caught.value.errors == (FieldError("include", message),)


def test_maps_belong_to_images() -> None:
    """A table has no picture to cover."""

    class Mean(Looks):
        def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
            return probabilities(inputs["X"].mean(axis=1), inputs)

    model = Mean(part=(0, 8, 0, 8), answer=probabilities,
                 inputs=(TensorSpec("X", FLOAT, (None, 1)),))  # fmt: skip
    signature = Signature("classification", "c", None, LABELS, (Feature(name="a", range=(0, 1)),))
    made = Pipeline(signature, ModelSpec(name="m", file="m"), [model], LocalEngine(), {}, 2.0)
    with pytest.raises(InvalidInput) as caught:
        made.predict(list[Row]([(0.5,)]), MAP)
    expected = (FieldError("include", "map belongs to images; none are sent here"),)
    assert caught.value.errors == expected


@pytest.mark.parametrize(
    ("map_s", "count", "map_ms", "errors"),
    [
        (0, 1, None, [("include", "map is turned off for this application ([limits] map)")]),
        (2.5, 1, 2501, [("map_ms", "expected at most 2500 ([limits] map); found 2501")]),
        (2.5, 9, 9999,
         [("include", f"map is for at most {MAX_PICTURES} images in one request; found 9"),
          ("map_ms", "expected at most 2500 ([limits] map); found 9999")]),
    ],
)  # fmt: skip
def test_what_is_asked_too_much(
    map_s: float, count: int, map_ms: int | None, errors: list[tuple[str, str]]
) -> None:
    """A map that there cannot be is refused before the model is asked for anything."""
    made, model = pipeline(ImageSpec(size=(32, 32)), map_s=map_s)
    with pytest.raises(InvalidInput) as caught:
        made.predict([spot((32, 32), 0.5, 0.5)] * count, structs.replace(MAP, map_ms=map_ms))
    assert caught.value.errors == tuple(FieldError(*error) for error in errors)
    assert model.rows == []
