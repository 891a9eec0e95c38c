"""Pictures are scaled down while they are decoded, several at once, and the answers stay."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from msgspec import structs
from PIL import Image
from PIL.Image import Resampling

from podium.app import App
from podium.errors import FieldError, InvalidInput
from podium.options import Options
from podium.pipeline import decode, photo
from podium.pipeline.decode import read_images
from podium.pipeline.image import prepare
from podium.pipeline.photo import extent, open_image
from podium.prediction import ClassPrediction, Prediction
from podium.spec import Image as ImageSpec
from tests.support.pictures import encoded

WIDTH, HEIGHT = 800, 600
HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "images.md"


def picture(width: int, height: int) -> Image.Image:
    """Return a picture with coarse and fine structure."""
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8))
    fine = rng.integers(-20, 21, (height, width, 3))
    smooth = np.asarray(coarse.resize((width, height), Resampling.BICUBIC))
    return Image.fromarray((smooth + fine).clip(0, 255).astype(np.uint8))


@cache
def camera_file(
    kind: str = "JPEG", orientation: int = 1, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> bytes:
    """Return a picture as a file from a camera that was held in some way."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(*size), kind, exif=exif.tobytes(), quality=95)


@pytest.mark.parametrize(
    ("keys", "orientation", "expected"),
    [
        ({"size": (60, 60)}, 1, (200, 150)),
        ({"size": (61, 60)}, 1, (400, 300)),
        ({"size": (30, 30)}, 1, (100, 75)),
        ({"size": (1, 1)}, 1, (100, 75)),
        ({"size": (121, 30)}, 1, (800, 600)),
        ({"size": (80, 30)}, 1, (400, 300)),
        ({"size": (80, 30)}, 6, (150, 200)),
        ({"size": (80, 30)}, 3, (400, 300)),
        ({"size": (48, 48), "resize": "shortest"}, 1, (200, 150)),
        ({"size": (48, 48), "resize": "shortest", "crop": 0.6}, 1, (400, 300)),
        ({"size": (48, 48), "resize": "shortest", "resize_size": 80}, 1, (400, 300)),
        ({"size": (75, 75), "resize": "longest"}, 1, (200, 150)),
        ({"size": (60, 60), "colour": "grey"}, 1, (200, 150)),
        ({"size": (60, 60), "decode": "exact"}, 1, (800, 600)),
        ({"size": (60, 60), "interpolation": "nearest"}, 1, (800, 600)),
        ({"size": (60, 60), "colour": "grey", "trim": True}, 1, (800, 600)),
        ({"size": (60, 60), "colour": "grey", "polarity": "any"}, 1, (800, 600)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_size_that_is_decoded(
    kind: str, keys: dict[str, Any], orientation: int, expected: tuple[int, int]
) -> None:
    """A half, quarter or eighth is left that is 2.5 times what [image] resizes to, or the whole.

    The whole is left too where strokes are looked for, for the nearest pixel, and if so wished.
    """
    found = open_image(camera_file(kind, orientation), ImageSpec(**keys))
    assert (found.size, found.mode) == (expected, "RGB")


def test_the_whole_picture_without_a_purpose() -> None:
    """Where it is not said what the picture is for, all of it is decoded."""
    assert open_image(camera_file()).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("resize", ["exact", "shortest", "longest"])
@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_nothing_is_displaced(kind: str, resize: Any) -> None:
    """The model gets what it gets of the whole picture, off by less than half a level in the mean.

    The sides are no multiples of any factor, so that the last row and column are not whole.
    """
    spec = ImageSpec(size=(20, 30), resize=resize, interpolation="bicubic", scale=1)
    exact = structs.replace(spec, decode="exact")
    for orientation in (1, 3, 6, 8):
        body = camera_file(kind, orientation, (403, 301))
        whole, small = open_image(body, exact), open_image(body, spec)
        assert small.width < whole.width / 3
        off = np.abs(prepare([small], spec) - prepare([whole], exact))
        assert off.mean() < 0.5
        assert off.max() <= 6


def test_extent_of_a_scaled_picture() -> None:
    """The part of the decoded pixels that the picture fills is told, also when it was turned."""
    spec = ImageSpec(size=(30, 30))
    found = {
        turn: extent(open_image(camera_file("JPEG", turn, (803, 602)), spec)) for turn in (1, 3, 6)
    }
    assert found == {
        1: (0, 0, 100.375, 75.25), 3: (0.625, 0.75, 101, 76), 6: (0.75, 0, 76, 100.375),
    }  # fmt: skip
    assert extent(open_image(camera_file())) == (0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("mode", ["CMYK", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_of_other_colours_are_scaled_too(mode: str, progressive: bool) -> None:
    """A JPEG of grey or of inks, plain or progressive, comes small and in its colours."""
    image = picture(WIDTH, HEIGHT).convert(mode)
    body = encoded(image, "JPEG", quality=95, progressive=progressive)
    found = open_image(body, ImageSpec(size=(60, 60)))
    assert (found.size, found.mode) == ((200, 150), "RGB")
    expected = np.asarray(image.reduce(4).convert("RGB"), int)
    assert np.abs(np.asarray(found) - expected).mean() < 2


def test_a_cut_jpeg_is_damaged() -> None:
    """A JPEG that ends too early is refused, although only its coarse half would be shown."""
    body = camera_file()
    with pytest.raises(ValueError, match="damaged"):
        open_image(body[: len(body) // 2], ImageSpec(size=(30, 30)))


def test_the_limit_is_for_the_whole_picture() -> None:
    """A JPEG above 64 megapixels is refused by its header, however small it would be decoded."""
    body = camera_file()
    place = body.index(b"\xff\xc0") + 5
    huge = body[:place] + (8001).to_bytes(2, "big") + (8000).to_bytes(2, "big") + body[place + 4 :]
    with pytest.raises(
        ValueError, match=r"^has 8000 x 8001 pixels; at most 64 megapixels are read"
    ):
        open_image(huge, ImageSpec(size=(30, 30)))


def test_the_same_picture_is_decoded_the_same() -> None:
    """Decoding is deterministic, also in many threads at once."""
    spec = ImageSpec(size=(60, 60))
    expected = np.asarray(open_image(camera_file(), spec))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda body: open_image(body, spec), [camera_file()] * 8):
            np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "HEIF"])
def test_decoding_leaves_the_interpreter_to_others(kind: str) -> None:
    """While a picture is decoded another thread runs: codecs do not hold the interpreter's lock.

    With the interval of switching set to minutes, a thread gets the lock only when the other
    gives it away.
    """
    body = camera_file(kind)
    ready, done = threading.Event(), threading.Event()

    def work() -> None:
        image = photo.peek(body)
        ready.set()
        photo.decode(image)
        done.set()

    worker = threading.Thread(target=work)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(600)
    try:
        worker.start()
        ready.wait()
        assert not done.is_set()
    finally:
        sys.setswitchinterval(interval)
        worker.join()


@pytest.fixture
def _two_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make the process decode with two threads."""
    decode._decoders.cache_clear()
    monkeypatch.setattr(decode, "available_cpus", lambda: 2)
    yield
    decode._decoders().shutdown()
    decode._decoders.cache_clear()


@pytest.mark.usefixtures("_two_processors")
def test_several_images_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of a request are decoded side by side and come in their order."""
    meeting = threading.Barrier(2, timeout=10)

    def slow(image: Image.Image, spec: ImageSpec | None) -> Image.Image:
        meeting.wait()
        return photo.decode(image, spec)

    monkeypatch.setattr(decode, "decode", slow)
    bodies = [encoded(Image.new("RGB", (4, 4), (level, 0, 0)), "PNG") for level in range(8)]
    found = read_images(bodies, "image[{}]")
    assert [image.getpixel((0, 0)) for image in found] == [(level, 0, 0) for level in range(8)]


def test_one_image_is_decoded_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single image costs no change of threads."""
    threads = []

    def noted(image: Image.Image, _: ImageSpec | None) -> Image.Image:
        threads.append(threading.current_thread())
        return image

    monkeypatch.setattr(decode, "decode", noted)
    read_images([camera_file()], "image")
    assert threads == [threading.current_thread()]


@pytest.mark.usefixtures("_two_processors")
def test_every_damaged_image_is_told_in_order() -> None:
    """Of images that are decoded side by side each damaged one is named, in their order."""
    body = camera_file()
    cut = body[: len(body) // 2]
    with pytest.raises(InvalidInput) as caught:
        read_images([cut, body, cut, body, cut], "image[{}]")
    assert [error.field for error in caught.value.errors] == ["image[0]", "image[2]", "image[4]"]
    assert all(isinstance(error, FieldError) and "damaged" in error.message
               for error in caught.value.errors)  # fmt: skip


def test_a_fork_decodes_with_threads_of_its_own() -> None:
    """A process forked after several images were decoded decodes several too; both end."""
    code = """if True:
        import os, signal, sys
        from podium.pipeline.decode import read_images
        bodies = [sys.stdin.buffer.read()] * 2
        read_images(bodies, "image[{}]")
        child = os.fork()
        signal.alarm(20)
        assert len(read_images(bodies, "image[{}]")) == 2
        if child:
            sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", code],
        input=camera_file(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


class Case(NamedTuple):
    """One photograph as a camera would have stored it."""

    name: str
    width: int
    quality: int
    subsampling: str


CASES = [
    Case(name, width, quality, subsampling)
    for name in ("chelsea", "coffee", "china", "flower")
    for width, quality, subsampling in [
        (1999, 75, "4:2:0"), (2600, 90, "4:4:4"), (4001, 80, "4:2:0"), (4096, 95, "4:2:0"),
    ]
]  # fmt: skip
"""Of 3 to 11 megapixels; the sides of some are no multiples of 2 or 4."""


def stored(case: Case, photos: Path) -> bytes:
    """Return a photograph enlarged with the noise of a sensor, as a JPEG."""
    image = _original(case.name, photos)
    size = case.width, round(image.height * case.width / image.width)
    large = np.asarray(image.resize(size, Resampling.LANCZOS)).astype(np.int16)
    noise = np.random.default_rng(0).normal(0, 3, (512, 512, 3)).round().astype(np.int16)
    rows, columns = (-(-side // 512) for side in large.shape[:2])
    large += np.tile(noise, (rows, columns, 1))[: large.shape[0], : large.shape[1]]
    pixels = Image.fromarray(large.clip(0, 255).astype(np.uint8))
    return encoded(pixels, "JPEG", quality=case.quality, subsampling=case.subsampling)


def _original(name: str, photos: Path) -> Image.Image:
    if (photos / f"{name}.png").is_file():
        return Image.open(photos / f"{name}.png").convert("RGB")
    from sklearn.datasets import load_sample_image

    return Image.fromarray(load_sample_image(f"{name}.jpg"))


class Answer(NamedTuple):
    """What the model says of one photograph, decoded exactly and fast."""

    label: str
    fast_label: str
    probability: float
    fast_probability: float
    lead: float
    """The distance to the second label."""
    difference: float
    """Of the probability that differs most."""


def answered(case: Case, app: App) -> Answer:
    """Return the default model's answers to a photograph."""
    body = stored(case, app.folder / "examples")
    spec = app.image_of(None)
    assert spec is not None
    whole, small = open_image(body, structs.replace(spec, decode="exact")), open_image(body, spec)
    assert small.width < whole.width
    exact, fast = map(_shares, app.predict([whole, small], Options(top=1000)).predictions)
    (label, first), (_, second) = list(exact.items())[:2]
    difference = max(abs(share - fast[name]) for name, share in exact.items())
    return Answer(label, next(iter(fast)), first, fast[label], first - second, difference)


def _shares(prediction: Prediction) -> dict[str, float]:
    assert isinstance(prediction, ClassPrediction)
    assert prediction.probabilities is not None
    return prediction.probabilities


def test_the_answers_to_photographs_stay(photos_folder: Path) -> None:
    """No probability changes by more than is documented, no label that leads by 0.02."""
    app = App(photos_folder)
    told = re.search(r"largest\sdifference\sis\s(0\.\d+)", HOWTO.read_text("utf-8"))
    assert told is not None
    found = [answered(case, app) for case in CASES]
    clear = [one for one in found if one.lead > 0.02]
    assert len(clear) == 12
    assert [one.fast_label for one in clear] == [one.label for one in clear]
    assert max(one.difference for one in found) == pytest.approx(float(told[1]), abs=0.002)


def test_small_photographs_are_decoded_whole(photos_folder: Path) -> None:
    """The demo's own photographs, which are about as large as needed, are not scaled at all."""
    spec = App(photos_folder).image_of(None)
    for file in sorted((photos_folder / "examples").iterdir()):
        body = encoded(Image.open(file).convert("RGB"), "JPEG")
        found = open_image(body, spec)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(open_image(body)))
