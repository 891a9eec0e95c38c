"""[image] as the image processors of transformers mean it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image as pil

from podium.pipeline.image import prepare
from podium.runtimes.transformers.preprocessor import KNOWN, image_of
from podium.spec import Image


def processor(name: str, **options: Any) -> Any:
    """Return an image processor that works with Pillow."""
    return getattr(transformers, f"{name}ImageProcessorPil")(**options)


def picture(width: int, height: int) -> pil.Image:
    """Return a picture of soft colours."""
    rng = np.random.default_rng(width * height)
    coarse = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return pil.fromarray(coarse).resize((width, height), pil.Resampling.BICUBIC)


# The middle of a picture that is odd by one pixel is a matter of rounding, in which transformers
# and torchvision differ; these have an even margin in each of the sizes below.
PICTURES = (picture(320, 320), picture(448, 320), picture(320, 448), picture(40, 40))
EDGE = {"shortest_edge": 64}

PROCESSORS = [
    ("ViT", {"size": {"height": 48, "width": 40}}),
    ("ViT", {"do_rescale": False, "resample": 1}),
    ("ViT", {"do_normalize": False, "resample": 0}),
    ("Beit", {"size": 48}),
    ("Bit", {"size": EDGE, "crop_size": 48}),
    ("CLIP", {"size": EDGE, "crop_size": {"height": 64, "width": 64}}),
    ("ConvNext", {"size": {"shortest_edge": 56}}),
    ("ConvNext", {"size": {"shortest_edge": 384}}),
    ("EfficientNet", {"size": {"height": 48, "width": 48}, "rescale_offset": True}),
    ("EfficientNet", {"include_top": False, "resample": 0}),
    ("EfficientNet", {"rescale_offset": True, "do_normalize": False}),
    ("Levit", {"size": {"shortest_edge": 56}, "crop_size": 48}),
    ("MobileNetV1", {"size": EDGE, "crop_size": 48}),
    ("MobileNetV2", {"size": EDGE, "crop_size": 56}),
    ("MobileViT", {"size": EDGE, "crop_size": 48}),
    ("PoolFormer", {"size": {"shortest_edge": 58}, "crop_size": 48}),
    ("Pvt", {}),
    ("Segformer", {"size": 96}),
    ("Siglip", {"size": {"height": 64, "width": 64}}),
]


@pytest.mark.parametrize(("name", "options"), PROCESSORS)
def test_pixels_are_those_of_the_processor(name: str, options: dict[str, Any]) -> None:
    """[image] makes the processor's own pixels: the largest difference is below 1e-6."""
    own = processor(name, **options)
    image, notes = image_of(own.to_dict(), 3)
    assert notes == ()
    assert image is not None
    for one in PICTURES:
        expected = own(one, return_tensors="np")["pixel_values"]
        np.testing.assert_allclose(prepare([one], image), expected, 0, 1e-6)


def test_every_known_processor_is_compared() -> None:
    """A processor whose pixels are called the same was compared, or is noted to differ."""
    assert {name for name, _ in PROCESSORS} | {"DeiT"} == set(KNOWN)


def test_crop_gives_the_edge_back() -> None:
    """Whatever the training resized to, the crop's ratio leads to the same whole number."""
    for edge in range(16, 700):
        kept = edge - edge // 8
        own = processor("Bit", size={"shortest_edge": edge}, crop_size=kept)
        image, notes = image_of(own.to_dict(), 3)
        assert image is not None
        assert (int(kept / image.crop), notes) == (edge, ())


@pytest.mark.parametrize(
    ("name", "options", "expected", "note"),
    [
        ("DeiT", {}, (224, "shortest", 0.875), "Training squeezed pictures to 256 x 256"),
        ("Bit", {"do_center_crop": False}, (224, "shortest", 1.0), "Training did not crop"),
        ("MobileViT", {}, (256, "shortest", 1.0), "shorter side was 224"),
        ("ViT", {"do_resize": False}, (224, "exact", 1.0), "did not resize .do_resize is false"),
        ("ViT", {"resample": 5}, (224, "exact", 1.0), "resample 5 .* bilinear"),
        ("ViT", {"do_pad": True}, (224, "exact", 1.0), "padded pictures .do_pad."),
        ("Donut", {"size": {"height": 9, "width": 9}, "do_pad": False}, (9, "exact", 1.0),
         "Donut image processor may do more"),
    ],
)  # fmt: skip
def test_what_image_cannot_say_is_noted(
    name: str, options: dict[str, Any], expected: tuple[int, str, float], note: str
) -> None:
    """The nearest [image] comes with one sentence on what it leaves out."""
    image, notes = image_of(processor(name, **options).to_dict(), 3)
    assert image is not None
    assert (image.size, image.resize, image.crop) == ((expected[0], expected[0]), *expected[1:])
    assert len(notes) == 1
    assert re.search(note, notes[0])


def test_size_that_image_cannot_say() -> None:
    """A size by the longer side alone makes no [image]; the note tells what was found."""
    own = processor("ViT").to_dict() | {"size": {"longest_edge": 80}}
    assert image_of(own, 3) == (
        None, ("The image processor's size is {'longest_edge': 80}: write [image] by hand.",)
    )  # fmt: skip


def test_one_channel_is_grey() -> None:
    """A model of one channel takes grey pictures, with a mean and a deviation of their own."""
    own = processor("ViT", image_mean=[0.1], image_std=[0.3], size=28)
    expected = Image(size=(28, 28), colour="grey", mean=(0.1,), std=(0.3,))
    assert image_of(own.to_dict(), 1) == (expected, ())
