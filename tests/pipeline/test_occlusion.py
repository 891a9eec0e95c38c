"""A picture is covered patch by patch, within a budget."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from podium.pipeline.occlusion import COARSEST, FINEST, Explored, Grid, explore

Floats = NDArray[np.float64]


class Machine:
    """A clock that only the model moves: `costs` tells the seconds of each picture in turn.

    The answer is the mean of the pictures' part from `top` and `left` on.
    """

    def __init__(self, *costs: float, top: int = 0, left: int = 0) -> None:
        self.costs = costs or (0.0,)
        self.top, self.left = top, left
        self.now = 100.0
        self.batches: list[int] = []

    def clock(self) -> float:
        """Return the time."""
        return self.now

    def ask(self, pixels: NDArray[Any]) -> Floats:
        """Answer for a batch of pictures, and let the time pass."""
        for _ in pixels:
            done = sum(self.batches)
            self.now += self.costs[min(done, len(self.costs) - 1)]
            self.batches.append(1)
        self.batches = [*self.batches[: -len(pixels)], len(pixels)]
        return np.asarray(pixels[:, self.top :, self.left :].mean(axis=(1, 2, 3)), np.float64)

    def explore(self, pixels: NDArray[Any], budget_s: float, batch: int = 8) -> Explored | None:
        """Explore a picture with this machine."""
        return explore(pixels, self.ask, budget_s, batch, self.clock)


def corner(height: int, width: int) -> NDArray[np.float32]:
    """Return a black picture whose lower right quarter is white."""
    pixels = np.zeros((height, width, 3), np.float32)
    pixels[height // 2 :, width // 2 :] = 1
    return pixels


def explored(machine: Machine, pixels: NDArray[Any], budget_s: float, batch: int = 8) -> Explored:
    """Return what came of a picture for which there was time."""
    found = machine.explore(pixels, budget_s, batch)
    assert found is not None
    return found


def test_the_map_lies_where_the_model_looks() -> None:
    """For a model of one quarter, the answer falls in its reach alone, and most in its middle."""
    found = explored(Machine(top=28, left=28), corner(56, 56), 1.0)
    falls = 1 - found.values
    assert found.values.shape == (14, 14)
    assert falls[:5].max() == falls[:, :5].max() == 0  # a patch reaches 1.4 places around its own
    assert falls[8:, 8:].min() > 0
    assert falls[8:13, 8:13] == pytest.approx(11 * 11 / 28**2, abs=0.03)
    assert (found.patches, found.cut) == (196, False)


def test_a_patch_is_covered_with_the_ground() -> None:
    """Strokes vanish into the median of their channel, and covered ground changes nothing."""
    pixels = np.full((10, 10, 2), (7, 50), np.uint8)
    pixels[:5, :5] = (200, 3)
    seen: list[NDArray[Any]] = []

    def ask(batch: NDArray[Any]) -> Floats:
        seen.extend(batch)
        return np.zeros(len(batch))

    assert explore(pixels, ask, 60.0, 4) is not None
    allowed = {(7, 50), (200, 3)}
    for picture in seen:
        assert picture.dtype == np.uint8
        assert {tuple(pixel) for pixel in picture.reshape(-1, 2).tolist()} <= allowed
        assert (picture[5:] == (7, 50)).all()
    assert any((picture[:2, :2] == (7, 50)).all() for picture in seen)
    assert (pixels[:5, :5] == (200, 3)).all()


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(224, 224, (14, 14)), (100, 50, (14, 7)), (50, 100, (7, 14)), (20, 400, (1, 14)),
     (6, 6, (6, 6)), (1, 1, (1, 1)), (2, 3, (2, 3))],
)  # fmt: skip
def test_the_finest_grid(height: int, width: int, shape: tuple[int, int]) -> None:
    """Places are about square, 14 along the longer side, and none is smaller than a pixel."""
    found = explored(Machine(), np.zeros((height, width, 1)), 1.0)
    assert found.values.shape == shape
    assert (found.patches, found.cut) == (shape[0] * shape[1], False)


@pytest.mark.parametrize("places", range(COARSEST, FINEST + 1))
@pytest.mark.parametrize(("height", "width"), [(224, 224), (14, 20), (97, 31)])
def test_no_pixel_is_left_out(height: int, width: int, places: int) -> None:
    """The patches of each grid cover the picture together, and are about a fifth of its side."""
    grid = Grid.of(height, width, places)
    covered = np.zeros((height, width), bool)
    for place in range(grid.places):
        covered[grid.patch(place)] = True
    assert covered.all()
    middle = covered[grid.patch(grid.places // 2)]
    assert max(middle.shape) >= max(height, width) * 0.2 - 1


@pytest.mark.parametrize(
    ("cost", "places"), [(0.001, 196), (0.005, 196), (0.0051, 169), (0.01, 81), (0.09, 9)]
)
def test_the_grid_fits_the_budget(cost: float, places: int) -> None:
    """The finest grid is taken for which there is time, and the time is kept."""
    machine = Machine(cost)
    found = explored(machine, corner(56, 56), 1.0001)
    assert (found.values.size, found.patches, found.cut) == (places, places, places < 196)
    assert machine.now <= 101.0001


def test_too_slow_for_any_grid() -> None:
    """Where not even nine places fit there is no map, and two tries tell."""
    machine = Machine(0.12)
    assert machine.explore(corner(56, 56), 1.0) is None
    assert machine.batches == [1, 1]


def test_no_time_at_all() -> None:
    """Without time left nothing is asked."""
    machine = Machine(0.1)
    assert machine.explore(corner(56, 56), 0.0) is None
    assert machine.batches == []


def test_a_slow_start_does_not_count() -> None:
    """The first call may be slow for once; a second one shows how fast the model is."""
    found = explored(Machine(0.3, 0.001), corner(56, 56), 1.0)
    assert (found.patches, found.cut) == (196, False)


def test_a_machine_that_becomes_slower() -> None:
    """The budget ends the work within one batch; no value is made up for the places left."""
    machine = Machine(*[0.005] * 61, 0.1)
    found = explored(machine, corner(56, 56), 1.0)
    assert machine.now < 101.0 + 8 * 0.1
    assert 60 < found.patches < 80
    assert found.cut
    assert found.values.shape == (14, 14)
    assert np.isfinite(found.values).sum() == found.patches
    lower, upper = found.values[8:13, 8:13], found.values[:5, :5]
    assert np.nanmax(lower) < np.nanmin(upper)  # all parts were looked at


@pytest.mark.parametrize("batch", [1, 5, 32])
def test_batches_are_bounded(batch: int) -> None:
    """No more pictures are asked for at once, and their number changes nothing."""
    machine = Machine()
    found = explored(machine, corner(56, 56), 1.0, batch)
    assert max(machine.batches) == batch
    assert sum(machine.batches) == 1 + 196
    np.testing.assert_array_equal(found.values, explored(Machine(), corner(56, 56), 1.0).values)
