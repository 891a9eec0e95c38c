"""Where the model looked, in a picture and in words."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs
from PIL import Image

from podium.app import App
from podium.prediction import (
    ClassAnswer,
    ClassPrediction,
    ClassUncertainty,
    OcclusionMap,
    ValueAnswer,
    ValuePrediction,
    ValueUncertainty,
)
from podium.web.page.looked import LookedView, as_picture, draw, looked_view
from tests.support.apps import write_colours

WHOLE = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """Return an application of images."""
    return App(write_colours(tmp_path_factory.mktemp("looked") / "app"))


def map_of(*rows: list[float | None], label: str | None = "cat") -> OcclusionMap:
    """Return a map of the whole picture."""
    return OcclusionMap(
        label=label, rows=len(rows), columns=len(rows[0]), values=list(rows), box=WHOLE,
        patches=9, milliseconds=1234.5, cut=False,
    )  # fmt: skip


def shown(app: App, found: OcclusionMap) -> LookedView:
    """Return what is shown of a map of an answer "cat"."""
    prediction = ClassPrediction("cat", 0.9, {"cat": 0.9}, ClassUncertainty(), [], found)
    view = looked_view(app, ClassAnswer("whole", "v", [prediction]), [Image.new("RGB", (60, 40))])
    assert view is not None
    return view


def test_words_of_a_class(app: App) -> None:
    """A fall is told in percentage points, and its place where eyes cannot see it."""
    view = shown(app, map_of([0.0, 0.01, 0.02], [-0.3, 0.04, 0.05], [0.0, 0.1, 0.234]))
    assert view.words == (
        "Covering the highlighted places lowers the probability of cat most: by up to "
        "23 percentage points."
    )
    assert view.alt == "The picture with a map over it, which is strongest at the bottom right."
    assert view.notes == "9 places were covered, one at a time, in 1.2 s."
    assert (view.width, view.height) == (480, 320)
    assert view.picture.startswith("data:image/jpeg;base64,")


@pytest.mark.parametrize(("most", "told"), [(0.0213, "2.1"), (0.0, "0.0"), (-0.2, "0.0")])
def test_no_place_decides(app: App, most: float, told: str) -> None:
    """Falls of less than five percentage points are told as what they are: little."""
    assert shown(app, map_of([most, -0.3])).words == (
        "No single place decides it: covering any one lowers the probability of cat by at most "
        f"{told} percentage points."
    )


@pytest.mark.parametrize(
    ("unit", "values", "words"),
    [
        ("cm", [0.5, -3.25], "Covering the highlighted places changes the value most: "
                             "by up to 3.25 cm."),
        (None, [12.5, 0.0], "Covering the highlighted places changes the value most: "
                            "by up to 12.5."),
        ("cm", [1.9, -1.5], "No single place decides it: covering any one changes the value "
                            "by at most 1.9 cm."),
    ],
)  # fmt: skip
def test_words_of_a_value(
    app: App, unit: str | None, values: list[float | None], words: str
) -> None:
    """A value's change counts both ways, in its unit; little is less than a twentieth of it."""
    prediction = ValuePrediction(40.0, unit, ValueUncertainty(), [], map_of(values, label=None))
    view = looked_view(app, ValueAnswer("whole", "v", [prediction]), [Image.new("RGB", (60, 40))])
    assert view is not None
    assert view.words == words


def test_notes(app: App) -> None:
    """What the time cut and what the model did not see is told."""
    found = structs.replace(map_of([0.5]), cut=True, box=(0.125, 0.0, 0.875, 1.0))
    assert shown(app, found).notes == (
        "9 places were covered, one at a time, in 1.2 s. The time allowed no finer map. "
        "The dark margin is cut off before the model sees the picture."
    )


def test_places_that_were_not_tried(app: App) -> None:
    """Nothing is said, or lit, of places for which there was no time."""
    found = structs.replace(map_of([0.01, None], [0.02, None]), patches=2, cut=True)
    view = shown(app, found)
    assert view.words == (
        "No place that was tried decides it: covering any one lowers the probability of cat by at "
        "most 2.0 percentage points."
    )
    assert view.notes == (
        "2 places were covered, one at a time, in 1.2 s. There was no time for 2 more, which stay "
        "dark."
    )
    assert view.alt.endswith("strongest at the middle left.")


def test_a_map_without_a_place_is_shown_over_what_the_model_got(app: App) -> None:
    """Where the map's place in the picture is not known, the model's own input is shown."""
    view = shown(app, structs.replace(map_of([0.5]), box=None))
    assert view.notes.endswith("The picture is shown as the model got it.")
    assert (view.width, view.height) == (480, 480)  # it takes 16 x 16


def test_no_map(app: App) -> None:
    """Without a map nothing is shown."""
    prediction = ClassPrediction("cat", 0.9, {"cat": 0.9}, ClassUncertainty(), [])
    assert looked_view(app, ClassAnswer("whole", "v", [prediction]), []) is None
    prediction = structs.replace(prediction, map=None)
    assert looked_view(app, ClassAnswer("whole", "v", [prediction]), []) is None


def test_the_drawing_is_lit_where_it_counts() -> None:
    """Strong places are amber, weak ones grey, and what is outside of the box is dark."""
    strength = np.array([[1.0, 1.0, 0.0, 0.0]] * 4)
    drawn = draw(Image.new("RGB", (100, 40), (200, 200, 200)), strength, (0.2, 0.0, 1.0, 1.0))
    left, lit, dim = (drawn.getpixel((x, 20)) for x in (10, 35, 95))
    assert lit == pytest.approx((233, 185, 80), abs=2)
    assert dim == (100, 100, 100)
    assert left == (36, 36, 36)


def test_a_box_may_reach_beyond_the_picture() -> None:
    """Of a padded picture, the part of the map that lies over it is drawn."""
    strength = np.array([[1.0], [0.0], [0.0], [1.0]])
    drawn = draw(Image.new("RGB", (40, 20), "white"), strength, (0.0, -0.5, 1.0, 1.5))
    assert drawn.size == (40, 20)
    assert drawn.getpixel((20, 10)) == pytest.approx((127, 127, 127), abs=3)


@pytest.mark.parametrize(
    ("channels", "bgr", "first"),
    [(1, False, (255, 255, 255)), (3, False, (255, 0, 0)), (3, True, (0, 0, 255)),
     (2, False, (255, 255, 255))],
)  # fmt: skip
def test_an_array_as_a_picture(channels: int, bgr: bool, first: tuple[int, int, int]) -> None:
    """Values of any range become colours; of odd channels, grey."""
    pixels = np.full((2, 3, channels), -1.5, np.float32)
    pixels[0, 0, 0] = 2.5
    made = as_picture(pixels, bgr)
    assert made.size == (3, 2)
    assert made.getpixel((0, 0)) == first
    assert made.getpixel((2, 1)) == (0, 0, 0)


def test_a_flat_array_is_black() -> None:
    """An array of one value has no range, and is no error."""
    assert as_picture(np.full((2, 2, 3), 7.0)).getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("milliseconds", "told"), [(40, "under 0.1 s"), (100, "0.1 s"), (61_200, "61.2 s")]
)
def test_how_long_a_map_took(app: App, milliseconds: float, told: str) -> None:
    """In tenths of a second; what is quicker did not take no time."""
    found = structs.replace(map_of([0.3, 0.0]), milliseconds=milliseconds)
    assert shown(app, found).notes.startswith(f"9 places were covered, one at a time, in {told}.")
