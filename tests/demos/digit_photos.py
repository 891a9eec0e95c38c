"""Scans and photos of the 8x8 digits, for tests: written apart from the demo's own training data.

What it covers: pictures of 24 to 1,500 pixels on the longer side and of any shape up to 1.8 to 1;
digits of a third to nine tenths of the shorter side, anywhere in the picture; turned, sheared and
seen at an angle; pencil-soft to printed-sharp; dark on light or light on dark, from 60 grey levels
of contrast on; light that falls off to 45% across the picture, a lamp's spot, soft shadows; paper
texture, grain, blur, a colour cast; JPEG down to quality 40, or PNG. What it does not cover: ruled
paper, the paper's edge or other things in the picture, hard shadows, several digits.
"""

import io
import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Plane = NDArray[np.float64]

SMALLEST_DIGIT = 16  # pixels; below, a person cannot read it either
FAINTEST_CONTRAST = 60  # grey levels, in full light


def photograph(digit: NDArray[np.float64], seed: int) -> bytes:
    """Return a JPEG or PNG photo of a digit, given as (8, 8) values from 0 to 16."""
    rng = np.random.default_rng([20_240, seed])
    width, height = _frame(rng)
    coverage = _ink(_place(digit, width, height, rng), rng)
    ground, ink = _tones(rng)
    reflected = ground + (ink - ground) * coverage
    reflected *= _paper(width, height, rng) * _light(width, height, rng)
    return _encode(_expose(reflected, abs(ink - ground), rng), rng)


def _frame(rng: np.random.Generator) -> tuple[int, int]:
    longer = math.exp(rng.uniform(math.log(24), math.log(1500)))
    shorter = max(24.0, longer / rng.uniform(1, 1.8))
    sides = round(max(longer, shorter)), round(shorter)
    return sides if rng.random() < 0.5 else sides[::-1]


def _place(digit: NDArray[np.float64], width: int, height: int, rng: np.random.Generator) -> Plane:
    """Return the digit's coverage from 0 to 1 on the whole picture, by an inverse perspective."""
    shorter = min(width, height)
    size = min(max(rng.uniform(0.33, 0.9) * shorter, SMALLEST_DIGIT), 0.95 * shorter)
    cell = size / 8
    centre_x = rng.uniform(size / 2, width - size / 2)
    centre_y = rng.uniform(size / 2, height - size / 2)
    angle, shear = math.radians(rng.normal(0, 4)), rng.normal(0, 0.07)
    stretch = math.exp(rng.normal(0, 0.07))
    matrix = (
        np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        @ np.array([[stretch, shear], [0, 1 / stretch]])
        * cell
    )
    tilt = rng.normal(0, 0.05, 2) / size
    # Eight cells of empty margin, and eight pixels a cell, so that edges stay smooth.
    padded = np.pad(digit, 8) / 16 * 255
    sheet = Image.fromarray(padded.astype(np.uint8)).resize((192, 192), Image.Resampling.LANCZOS)
    inverse = np.linalg.inv(matrix) * 8
    start = np.array([96, 96]) - inverse @ [centre_x, centre_y]
    # The sheet is projected about the digit's centre: numerator and denominator both move with it.
    lean = 1 - tilt @ [centre_x, centre_y]
    x_row = [*(inverse[0] + 96 * tilt), start[0] - 96 * (1 - lean)]
    y_row = [*(inverse[1] + 96 * tilt), start[1] - 96 * (1 - lean)]
    factors = np.array([*x_row, *y_row, *tilt]) / lean
    placed = sheet.transform(
        (width, height), Image.Transform.PERSPECTIVE, tuple(factors), Image.Resampling.BICUBIC
    )
    return np.asarray(placed, dtype=np.float64) / 255


def _ink(coverage: Plane, rng: np.random.Generator) -> Plane:
    """Return the coverage as a soft pencil, or a pen with a sharper edge, leaves it."""
    if rng.random() < 0.3:
        return coverage
    threshold, softness = rng.uniform(0.35, 0.55), rng.uniform(0.03, 0.15)
    return np.asarray(1 / (1 + np.exp((threshold - coverage) / softness)))


def _tones(rng: np.random.Generator) -> tuple[float, float]:
    """Return the grey levels of ground and ink, in either order."""
    while True:
        ground, ink = rng.uniform(15, 245, 2)
        if abs(ground - ink) >= FAINTEST_CONTRAST:
            return float(ground), float(ink)


def _paper(width: int, height: int, rng: np.random.Generator) -> Plane:
    """Return the texture of paper or a board: coarse mottles of a few per cent."""
    coarse = rng.normal(0, rng.uniform(0, 0.02), (max(height // 6, 2), max(width // 6, 2)))
    mottles = Image.fromarray(coarse.astype(np.float32)).resize((width, height))
    return 1 + np.asarray(mottles, dtype=np.float64)


def _light(width: int, height: int, rng: np.random.Generator) -> Plane:
    """Return the light on each pixel, 1 where it is brightest."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    x, y = x / width - 0.5, y / height - 0.5
    direction = rng.uniform(0, 2 * math.pi)
    light = 1 + rng.uniform(0, 0.6) * (x * math.cos(direction) + y * math.sin(direction))
    if rng.random() < 0.5:
        lamp_x, lamp_y = rng.uniform(-0.6, 0.6, 2)
        spot = ((x - lamp_x) ** 2 + (y - lamp_y) ** 2) / rng.uniform(0.3, 0.8) ** 2
        light *= 1 + rng.uniform(0.1, 0.6) * np.exp(-spot)
    if rng.random() < 0.4:
        direction = rng.uniform(0, 2 * math.pi)
        edge = x * math.cos(direction) + y * math.sin(direction) - rng.uniform(-0.4, 0.4)
        light *= 1 - rng.uniform(0.1, 0.4) / (1 + np.exp(-edge / rng.uniform(0.05, 0.15)))
    light /= light.max()
    darkest = min(float(light.min()), 0.999)
    # Compressed, where lamps and shadows together would leave less than 45% in a corner.
    return np.asarray(1 - (1 - light) * min(1.0, 0.55 / (1 - darkest)))


def _expose(reflected: Plane, contrast: float, rng: np.random.Generator) -> Image.Image:
    """Return the RGB picture that a lens and a sensor make of it."""
    longer = max(reflected.shape)
    grain = rng.uniform(0, contrast / 10)
    noisy = reflected + rng.normal(0, grain, reflected.shape)
    grey = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    grey = grey.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.008) * longer))
    cast = rng.uniform(0.9, 1, 3)
    bands = [grey.point([round(level * gain) for level in range(256)]) for gain in cast]
    return Image.merge("RGB", bands)


def _encode(picture: Image.Image, rng: np.random.Generator) -> bytes:
    stream = io.BytesIO()
    if rng.random() < 0.7:
        picture.save(stream, "JPEG", quality=int(rng.integers(40, 96)))
    else:
        picture.save(stream, "PNG")
    return stream.getvalue()
