"""Ink on a ground: what `[image] polarity = "any"` and `trim = true` mean.

Grey images are uint8 arrays of shape (height, width), 0 black, 255 white. The ground is looked for
in a reduced copy, whatever the image's size, so that a photo of 12 megapixels costs little more
than its pixels.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]
Pixel = TypeVar("Pixel", bound=np.generic)

REDUCED_SIDE = 96  # the reduced copy's longer side is from this to twice this
# How the terms of the ground's surface resist: a level hardly, a slope a little, a bend in full.
RESISTANCE = np.array([2e-6, 2e-3, 2e-3, 2e-2, 2e-2, 2e-2], dtype=np.float32)
QUARTER_OF_NORMAL = 0.32  # of a normal variable's absolute value, in standard deviations
LONGEST_INK = 2048  # pixels, after trimming
FAINTEST_INK = 6.0  # grey levels; less is taken for paper
DARKEST_GROUND = 24.0  # grey levels added to the ground, so that black can be divided by


def light_on_dark(grey: Grey) -> Grey:
    """Return the strokes light (towards 255) on a dark, even ground (near 0), in the same shape.

    `grey` may be dark on light or light on dark, unevenly lit, faint and noisy. Where no stroke
    stands out from the ground, all is 0.
    """
    picture = Image.fromarray(grey)
    small = _reduce(picture, REDUCED_SIDE)
    ground, sign = _find_ground(small)
    contrast = _contrast(small, ground, sign)
    level = _ink_level(contrast)
    if level * (np.median(ground) + DARKEST_GROUND) < FAINTEST_INK:
        return np.zeros_like(grey)
    full_ground = Image.fromarray(ground).resize(picture.size, Image.Resampling.BILINEAR)
    full = _contrast(_calm(picture), np.asarray(full_ground), sign)
    return _stretch(full, level)


def trim(grey: Grey, margin: float = 0.1) -> Grey:
    """Return the ink alone, centred on a square of ground, shape (side, side).

    `margin` is what stays free on each side, as a part of the ink's longer side. Ink is what
    differs from the border's usual grey level, in either direction; specks do not count. Without
    ink, the whole image is centred on the square. More than 2048 pixels of ink are reduced.
    """
    ground = _border_level(grey)
    # Twice: the second look is at the ink alone, so its edges are found to the pixel.
    ink = _shorten(_cut(_cut(grey, ground), ground))
    free = round(margin * max(ink.shape))
    side = max(ink.shape) + 2 * free
    square = np.full((side, side), ground, dtype=np.uint8)
    top, left = ((side - length) // 2 for length in ink.shape)
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return square


def _shorten(ink: Grey) -> Grey:
    """Return the ink reduced, if need be, so that a long strip makes no gigantic square."""
    factor = -(-max(ink.shape) // LONGEST_INK)
    return np.asarray(Image.fromarray(ink).reduce(factor)) if factor > 1 else ink


def _reduce(picture: Image.Image, side: int) -> Plane:
    """Return the picture by whole-number averaging, its longer side below twice `side`."""
    factor = max(1, max(picture.size) // side)
    return np.asarray(picture.reduce(factor), dtype=np.float32)


def _calm(picture: Image.Image) -> Plane:
    """Return the picture without the grain of a large photo; small ones keep every pixel."""
    radius = min(max(picture.size) / 500, 16)
    calm = picture.filter(ImageFilter.GaussianBlur(radius)) if radius > 0.5 else picture
    return np.asarray(calm, dtype=np.float32)


def _find_ground(small: Plane) -> tuple[Plane, int]:
    """Return the ground's grey levels and the ink's sign: 1 lighter than the ground, -1 darker.

    Both signs are tried; the right one leaves a ground that explains more of the picture. For that
    the surfaces are stiff: a pliant one would bend into a bold stroke and explain that as well.
    """
    surfaces = {sign: _surface(small, sign) for sign in (-1, 1)}
    tolerance = max(_peak(sign * (small - surface)) for sign, surface in surfaces.items()) / 8
    weight = _near_border(small.shape)
    explained = {
        sign: float((weight * (np.abs(small - surface) < tolerance)).sum())
        for sign, surface in surfaces.items()
    }
    sign = max(explained, key=lambda each: explained[each])
    return _follow_shadows(small, surfaces[sign], sign), sign


def _follow_shadows(small: Plane, ground: Plane, sign: int) -> Plane:
    """Return the ground corrected for soft shadows, which no low polynomial follows."""
    for _ in range(2):
        above = sign * (small - ground)
        bare = (above < max(_peak(above) / 4, 1.0)).astype(np.float32)
        # Where ink covers the ground for far around, the correction fades to none.
        ground = ground + _smooth(bare * (small - ground)) / (_smooth(bare) + 0.1)
    return np.clip(ground, 0, 255)


def _surface(small: Plane, sign: int) -> Plane:
    """Return the quadratic surface through the pixels that are not ink, by reweighting."""
    basis = _polynomials(small.shape)
    surface = np.full_like(small, small.mean())
    for _ in range(10):
        excess = np.maximum(sign * (small - surface), 0)
        spread = max(float(np.median(np.abs(small - surface))), 2.0)
        weight = 1 / (1 + (excess / spread) ** 2)
        surface = _fit(basis, small, weight)
    return surface


def _fit(basis: Plane, values: Plane, weight: Plane) -> Plane:
    """Return the weighted least-squares combination of the basis, shape of `values`."""
    weighted = basis * weight.reshape(-1, 1)
    normal = weighted.T @ basis + weight.sum() * np.diag(RESISTANCE)
    factors = np.linalg.solve(normal, weighted.T @ values.ravel())
    return (basis @ factors).reshape(values.shape).astype(np.float32)


def _polynomials(shape: tuple[int, ...]) -> Plane:
    """Return 1, x, y, x², xy, y² over the image, shape (pixels, 6)."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    return terms.reshape(-1, 6).astype(np.float32)


def _near_border(shape: tuple[int, ...]) -> Plane:
    """Return weights that trust the border to be ground more than the middle."""
    weight = np.full(shape, 3, dtype=np.float32)
    rows, columns = (max(1, length // 10) for length in shape)
    weight[rows:-rows, columns:-columns] = 1
    return weight


def _smooth(plane: Plane) -> Plane:
    """Return the plane blurred by a Gaussian of a twelfth of its longer side, 4 pixels at least."""
    sigma = max(max(plane.shape) / 12, 4)
    rows, columns = (_blurring(length, sigma) for length in plane.shape)
    return np.asarray(rows @ plane @ columns.T, dtype=np.float32)


def _blurring(length: int, sigma: float) -> Plane:
    """Return the matrix that blurs a line of pixels, shape (length, length); rows sum to 1."""
    at = np.arange(length, dtype=np.float32)
    weights = np.exp(-(((at[:, None] - at) / sigma) ** 2) / 2)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _peak(ink: Plane) -> float:
    """Return the level of the strongest ink, from so few pixels that a small digit has as many."""
    count = max(2, ink.size // 500)
    return float(np.partition(ink.ravel(), -min(count, ink.size))[-min(count, ink.size) :].mean())


def _contrast(grey: Plane, ground: Plane, sign: int) -> Plane:
    """Return how far ink stands out, relative to the light that falls on it."""
    contrast = grey - ground
    contrast /= sign * (ground + np.float32(DARKEST_GROUND))
    return contrast


def _ink_level(contrast: Plane) -> float:
    """Return the usual contrast of ink."""
    return float(np.median(contrast[contrast >= _peak(contrast) / 2]))


def _stretch(contrast: Plane, level: float) -> Grey:
    """Return the contrast as grey levels: noise and paper at 0, ink of the usual level at 255."""
    step = max(1, max(contrast.shape) // 256)
    sample = contrast[::step, ::step]
    # The calmer quarter is ground even where bold strokes fill most of a tight picture.
    noise = float(np.quantile(np.abs(sample), 0.25)) / QUARTER_OF_NORMAL
    floor = min(max(3 * noise, level / 5), level / 2)
    contrast -= floor
    contrast *= 255 / (level - floor)
    return np.clip(contrast, 0, 255, out=contrast).astype(np.uint8)


def _border(plane: NDArray[Pixel]) -> NDArray[Pixel]:
    """Return the outermost pixels, shape (pixels,)."""
    return np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])


def _border_level(grey: Grey) -> int:
    return int(np.median(_border(grey)))


def _cut(grey: Grey, ground: int) -> Grey:
    """Return the part of the image that holds ink, or all of it when none does."""
    small = np.abs(_reduce(Image.fromarray(grey), REDUCED_SIDE) - ground)
    if small.max() < FAINTEST_INK:
        return grey
    ink = _strokes(small > _peak(small) / 3)
    factor = max(1, max(grey.shape) // REDUCED_SIDE)
    rows, columns = np.nonzero(ink)
    return grey[_extent(rows, factor), _extent(columns, factor)]


def _extent(at: NDArray[np.intp], factor: int) -> slice:
    """Return from where to where ink is, in pixels of the image that was reduced by `factor`."""
    edge = int(factor > 1)  # of the reduced image: ink may reach into it without filling it
    return slice(max(0, int(at.min()) - edge) * factor, (int(at.max()) + 1 + edge) * factor)


def _strokes(ink: Mask) -> Mask:
    """Return the mask without pieces below an eighth of the largest: specks, dark corners.

    What touches the image's border counts a third, since it is likely to be no writing.
    """
    pieces = _pieces(ink)
    areas = np.bincount(pieces.ravel()).astype(np.float32)
    areas[_border(pieces)] /= 3  # once each, however often a piece touches
    areas[0] = 0
    return np.asarray((areas >= areas.max() / 8)[pieces] & ink)


def _pieces(ink: Mask) -> NDArray[np.intp]:
    """Return a number for each connected piece of the mask, 0 outside; corners connect."""
    numbers = np.where(ink, np.arange(1, ink.size + 1).reshape(ink.shape), 0)
    while True:
        framed = np.pad(numbers, 1)
        rows = np.maximum(np.maximum(framed[:-2], framed[1:-1]), framed[2:])
        spread = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
        spread = np.where(ink, spread, 0)
        if np.array_equal(spread, numbers):
            return numbers
        # A piece's number is one of its pixels: that pixel may know a higher one by now.
        numbers = np.append(0, spread)[spread]
