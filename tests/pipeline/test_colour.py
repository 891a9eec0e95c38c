"""Colours of every kind of file become 8-bit sRGB."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from podium.pipeline.colour import MAX_PROFILE, to_rgb, to_srgb
from podium.pipeline.photo import open_image
from tests.support import profiles

LEVELS = np.arange(0, 256, 17, dtype=np.uint8)
CUBE = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), axis=-1).reshape(16, -1, 3)

TO_XYZ_SRGB = np.array([[0.4360, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606],
                        [0.0139, 0.0971, 0.7141]])  # fmt: skip
"""sRGB's primaries adapted to D50, as its profile has them (IEC 61966-2-1, ICC)."""


def with_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Return an image as it comes from a file with a colour profile."""
    image.info["icc_profile"] = profile
    return image


def encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return linear light from 0 to 1 as sRGB's levels (IEC 61966-2-1)."""
    light = light.clip(0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def expected_srgb(pixels: NDArray[np.uint8], primaries: Any) -> NDArray[np.float64]:
    """Return what pixels of a gamma and primaries are in sRGB, worked out with numpy alone."""
    light = (pixels / 255) ** profiles.GAMMA
    return encoded(light @ np.array(primaries) @ np.linalg.inv(TO_XYZ_SRGB).T)


@pytest.mark.parametrize(
    ("profile", "primaries"),
    [(profiles.display_p3(), profiles.DISPLAY_P3), (profiles.adobe_rgb(), profiles.ADOBE_RGB)],
    ids=["Display P3", "Adobe RGB"],
)
def test_wide_colours_become_srgb(profile: bytes, primaries: Any) -> None:
    """Colours of Display P3 and Adobe RGB are converted as their definitions say."""
    found = np.asarray(to_srgb(with_profile(Image.fromarray(CUBE), profile)))
    np.testing.assert_allclose(found, expected_srgb(CUBE, primaries), atol=2)


def test_grey_of_another_gamma_becomes_srgb() -> None:
    """Grey in proportion to the light is made as bright as it looks; the channels stay equal."""
    grey = Image.fromarray(LEVELS[None])
    found = np.asarray(to_srgb(with_profile(grey, profiles.linear_grey())))
    np.testing.assert_allclose(found[0, :, 0], encoded(LEVELS / 255), atol=2)
    assert (found == found[:, :, :1]).all()


def test_clear_grey_of_another_gamma() -> None:
    """Grey with transparency is laid over white, then converted."""
    image = Image.fromarray(np.array([[[0, 0], [64, 255]]], np.uint8), "LA")
    found = np.asarray(to_srgb(with_profile(image, profiles.linear_grey())))
    assert found[0, :, 0].tolist() == [255, pytest.approx(137, abs=1)]


def test_inks_become_what_the_printer_makes_of_them() -> None:
    """CMYK follows its profile: here cyan is a grey of L* 66.7, black black, no ink white."""
    inks = np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [255, 255, 255, 0], [0, 0, 0, 255]]], np.uint8)
    image = with_profile(Image.fromarray(inks, "CMYK"), profiles.ink())
    found = np.asarray(to_srgb(image)).astype(int)
    expected = [[255] * 3, [162] * 3, [0] * 3, [0] * 3]
    np.testing.assert_allclose(found[0], expected, atol=1)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "P", "RGBA", "LA", "1", "I;16"])
def test_a_profile_of_other_pixels_is_ignored(mode: str) -> None:
    """A profile for another number of channels changes nothing, whatever the image."""
    colours = Image.fromarray(CUBE)
    image = (colours.convert("I") if mode == "I;16" else colours).convert(mode)
    expected = np.asarray(to_rgb(image))
    other = profiles.ink() if mode != "CMYK" else profiles.display_p3()
    np.testing.assert_array_equal(np.asarray(to_srgb(with_profile(image, other))), expected)


def test_srgb_keeps_every_pixel() -> None:
    """With a profile of sRGB, or one that differs by a rounding, the pixels stay as they are."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    found = to_srgb(with_profile(Image.fromarray(CUBE), srgb))
    np.testing.assert_array_equal(np.asarray(found), CUBE)


def test_a_damaged_profile_is_no_reason_to_refuse() -> None:
    """Whatever bytes a profile has, the picture is read; without any sense in them, as it is."""
    image = Image.fromarray(CUBE)
    for nonsense in (b"", b"x", b"\0" * 200, profiles.display_p3()[:200], b"\xff" * MAX_PROFILE):
        found = to_srgb(with_profile(image.copy(), nonsense))
        np.testing.assert_array_equal(np.asarray(found), CUBE)
    rng = np.random.default_rng(0)
    for profile, mode in [(profiles.display_p3(), "RGB"), (profiles.linear_grey(), "L"),
                          (profiles.ink(), "CMYK")]:  # fmt: skip
        for _ in range(100):
            damaged = bytearray(profile)
            for place in rng.integers(0, len(profile), rng.integers(1, 6)):
                damaged[place] = int(rng.integers(256))
            assert to_srgb(with_profile(Image.new(mode, (2, 2)), bytes(damaged))).mode == "RGB"


def test_a_huge_profile_is_not_looked_at() -> None:
    """A profile above 4 MB, which none is, is ignored."""
    padded = profiles.display_p3().ljust(MAX_PROFILE + 1, b"\0")
    found = to_srgb(with_profile(Image.fromarray(CUBE), padded))
    np.testing.assert_array_equal(np.asarray(found), CUBE)


def test_a_text_called_icc_profile_is_none() -> None:
    """A PNG's text of that name is not taken for a profile."""
    image = Image.fromarray(CUBE)
    image.info["icc_profile"] = "text"
    np.testing.assert_array_equal(np.asarray(to_srgb(image)), CUBE)


@pytest.mark.parametrize(("kind", "off"), [
    ("JPEG", 3), ("PNG", 1), ("WEBP", 3), ("TIFF", 1), ("AVIF", 3)])  # fmt: skip
def test_profiles_of_files_are_followed(kind: str, off: int) -> None:
    """A file's profile counts in every format that can hold one, and is gone afterwards."""
    buffer = BytesIO()
    options = {"icc_profile": profiles.display_p3(), "quality": 95}
    Image.new("RGB", (16, 16), (200, 100, 50)).save(buffer, kind, **options)
    found = open_image(buffer.getvalue())
    expected = expected_srgb(np.array([200, 100, 50], np.uint8), profiles.DISPLAY_P3)
    np.testing.assert_allclose(np.asarray(found)[8, 8], expected, atol=off)
    assert "icc_profile" not in found.info


def test_one_profile_serves_several_threads() -> None:
    """Pictures of one profile are converted at the same time, each rightly."""
    pictures = [Image.fromarray(np.roll(CUBE, shift)) for shift in range(16)]
    profile = profiles.display_p3()
    expected = [np.asarray(to_srgb(with_profile(one.copy(), profile))) for one in pictures]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda one: to_srgb(with_profile(one, profile)), pictures))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(one), other)


def test_to_rgb_leaves_the_given_image_alone() -> None:
    """The image that is given stays as it is."""
    image = Image.fromarray(np.zeros((2, 2, 4), np.uint8))
    assert to_rgb(image).mode == "RGB"
    assert image.mode == "RGBA"
