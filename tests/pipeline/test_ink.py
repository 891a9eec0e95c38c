"""Strokes are found whatever their polarity, light and place."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from podium.pipeline.ink import light_on_dark, trim

Grey = NDArray[np.uint8]


def write(
    width: int = 160, height: int = 120, left: int = 50, top: int = 30, size: int = 60
) -> NDArray[np.float64]:
    """Return the coverage, 0 to 1, of a 4 without smooth edges."""
    picture = Image.new("L", (width, height))
    strokes = [(0.6, 0, 0, 0.65), (0, 0.65, 1, 0.65), (0.7, 0.3, 0.7, 1)]
    for x0, y0, x1, y1 in strokes:
        line = [(left + x0 * size, top + y0 * size), (left + x1 * size, top + y1 * size)]
        ImageDraw.Draw(picture).line(line, fill=255, width=max(1, size // 8))
    return np.asarray(picture) / 255


def paint(coverage: NDArray[np.float64], ground: float, ink: float) -> Grey:
    """Return the writing in even light."""
    return (ground + (ink - ground) * coverage).round().astype(np.uint8)


def lit(coverage: NDArray[np.float64], ground: float, ink: float) -> Grey:
    """Return the writing in light that falls to 40% across the picture, with a little grain."""
    light = np.linspace(1, 0.4, coverage.shape[1])
    grain = np.random.default_rng(5).normal(0, 1.5, coverage.shape)
    return np.clip(paint(coverage, ground, ink) * light + grain, 0, 255).astype(np.uint8)


def look(grey: Grey) -> NDArray[np.float64]:
    """Return the image as a model would see it, 0 to 1."""
    return np.asarray(Image.fromarray(grey).resize((20, 20), Image.Resampling.BILINEAR)) / 255


@pytest.mark.parametrize(("ground", "ink"), [(230, 40), (20, 220), (120, 80), (100, 140)])
def test_ink_comes_out_light_and_ground_dark(ground: float, ink: float) -> None:
    """Whatever the two greys are, ink is near 255 and ground is 0."""
    coverage = write()
    found = light_on_dark(paint(coverage, ground, ink))
    assert found.shape == coverage.shape
    assert found.dtype == np.uint8
    assert np.median(found[coverage == 1]) >= 250
    assert np.percentile(found[coverage == 0], 99) == 0


def test_both_polarities_look_the_same() -> None:
    """A digit and its negative give nearly the same image."""
    coverage = write()
    dark = light_on_dark(paint(coverage, 200, 60)).astype(int)
    light = light_on_dark(paint(coverage, 60, 200)).astype(int)
    assert np.abs(dark - light).mean() < 2


@pytest.mark.parametrize(("ground", "ink"), [(230, 90), (70, 220)])
def test_uneven_light_is_removed(ground: float, ink: float) -> None:
    """In light that falls to 40%, the ground is dark and the ink light on both sides."""
    coverage = write(left=20, size=100, top=10)
    found = light_on_dark(lit(coverage, ground, ink))
    assert np.percentile(found[coverage == 0], 95) == 0
    for half in (slice(0, 70), slice(70, 160)):
        assert np.median(found[:, half][coverage[:, half] == 1]) > 200


def test_a_soft_shadow_is_no_ink() -> None:
    """A shadow with a soft edge leaves nothing behind where nothing is written."""
    coverage = write(width=300, height=200, left=40, top=40, size=100)
    shadow = 1 - 0.35 / (1 + np.exp((210 - np.arange(300)) / 20))
    found = light_on_dark((paint(coverage, 220, 50) * shadow).astype(np.uint8))
    assert found[:, 160:].max() == 0


@pytest.mark.parametrize("level", [0, 117, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (64, 40)])
def test_a_blank_image_stays_blank(shape: tuple[int, int], level: int) -> None:
    """Without ink there is nothing light, and trimming makes a square of it."""
    blank = np.full(shape, level, np.uint8)
    assert not light_on_dark(blank).any()
    square = trim(blank)
    assert square.shape[0] == square.shape[1] >= max(shape)
    assert (square == level).all()


def test_noise_alone_is_no_ink() -> None:
    """Paper with a little grain is blank."""
    paper = np.random.default_rng(3).normal(200, 2, (300, 300)).round().astype(np.uint8)
    assert not light_on_dark(paper).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (3, 2), (8, 8), (1, 700), (900, 3)])
def test_any_shape_is_taken(shape: tuple[int, int]) -> None:
    """Tiny and thin images keep their shape, then become squares."""
    grey = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    found = light_on_dark(grey)
    assert found.shape == shape
    square = trim(found)
    assert square.shape[0] == square.shape[1]


def test_trimming_centres_the_ink() -> None:
    """The ink's box, here 30 wide and 50 high, stands in the middle of a square with a margin."""
    grey = np.zeros((200, 300), np.uint8)
    grey[20:70, 240:270] = 255
    expected = np.zeros((60, 60), np.uint8)
    expected[5:55, 15:45] = 255
    assert np.array_equal(trim(grey, margin=0.1), expected)


def test_trimming_keeps_the_ground() -> None:
    """Dark ink on a light ground is found too, and its square is light."""
    grey = np.full((90, 60), 240, np.uint8)
    grey[10:30, 10:30] = 30
    square = trim(grey, margin=0.1)
    assert square.shape == (24, 24)
    assert (square[0] == 240).all()
    assert (square[2:-2, 2:-2] == 30).all()


def test_specks_and_corners_are_not_trimmed_to() -> None:
    """Specks and a dark corner do not widen the box."""
    clean = paint(write(), 0, 255)
    dirty = clean.copy()
    dirty[5:8, 5:8] = dirty[110:112, 150:153] = 255
    dirty[:12, -12:] = 255
    assert np.array_equal(trim(dirty), trim(clean))


def test_pieces_of_a_digit_stay_together() -> None:
    """A stroke that does not touch the others is no speck."""
    grey = np.zeros((100, 100), np.uint8)
    grey[20:26, 40:70] = 255
    grey[34:80, 40:46] = 255
    assert trim(grey, margin=0).shape == (60, 60)


@pytest.mark.parametrize(
    ("width", "height", "left", "top"), [(160, 120, 5, 4), (160, 120, 90, 50), (400, 330, 300, 31)]
)
def test_place_and_canvas_do_not_matter(width: int, height: int, left: int, top: int) -> None:
    """Off-centre or on a larger sheet, a digit comes out as it does in the middle."""
    middle = trim(light_on_dark(lit(write(), 220, 60)))
    moved = trim(light_on_dark(lit(write(width, height, left, top), 220, 60)))
    assert np.abs(look(middle) - look(moved)).mean() < 0.03


@pytest.mark.parametrize("size", [30, 120, 480])
def test_size_does_not_matter(size: int) -> None:
    """A digit of any size comes out nearly the same."""
    usual = trim(light_on_dark(paint(write(), 210, 40)))
    sheet = write(size * 3, size * 2, size, size // 2, size)
    scaled = trim(light_on_dark(paint(sheet, 210, 40)))
    assert np.abs(look(usual) - look(scaled)).mean() < 0.05


def test_a_long_strip_makes_no_gigantic_square() -> None:
    """The square of a strip of 60,000 pixels stays below 2,500."""
    strip = np.zeros((4, 60_000), np.uint8)
    strip[1:3, 10:59_990] = 255
    assert max(trim(strip).shape) < 2500
