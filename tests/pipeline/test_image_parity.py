"""[image] makes the pixels that training made.

Measured against the image processors of transformers, and against Pillow with the rules that
torchvision and timm publish. docs/howto/images.md states the largest difference for each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import transformers
from numpy.typing import NDArray
from PIL import Image as pil
from PIL.Image import Resampling
from sklearn.datasets import load_sample_image

from podium.init.described import describe
from podium.pipeline.image import prepare
from podium.runtimes.transformers.preprocessor import DEFAULTS, image_of
from podium.spec import Image

PAGE: Final = Path(__file__).parents[2] / "docs" / "howto" / "images.md"
Pixels = NDArray[np.float32]
Reference = Callable[[pil.Image], Pixels]

MEAN: Final = (0.485, 0.456, 0.406)
STD: Final = (0.229, 0.224, 0.225)
FILTERS: Final = {
    "nearest": Resampling.NEAREST, "box": Resampling.BOX, "bilinear": Resampling.BILINEAR,
    "hamming": Resampling.HAMMING, "bicubic": Resampling.BICUBIC, "lanczos": Resampling.LANCZOS,
}  # fmt: skip


def noise(width: int, height: int) -> pil.Image:
    """Return a picture of noise, which no two interpolations or crops make alike."""
    values = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), np.uint8)
    return pil.fromarray(values)


def pictures() -> Iterator[pil.Image]:
    """Yield photographs and noise: landscape, portrait, odd, small and very long."""
    china, flower = (
        pil.fromarray(load_sample_image(f"{name}.jpg")) for name in ("china", "flower")
    )
    yield china
    yield flower.transpose(pil.Transpose.ROTATE_90)
    yield flower.crop((10, 10, 343, 511))
    for width, height in ((97, 97), (101, 140), (251, 98), (40, 30), (19, 23), (7, 200), (301, 11)):
        yield noise(width, height)


PICTURES: Final = tuple(pictures())


def figure(reference: str) -> float:
    """Return the largest difference that the documentation states for a reference."""
    rows = re.findall(
        rf"^\| {re.escape(reference)} .*\| ([\d.e-]+) \|$", PAGE.read_text("utf-8"), re.M
    )
    assert len(rows) == 1
    return float(rows[0])


def hold(reference: str, combinations: Mapping[str, tuple[Image, Reference]]) -> None:
    """Compare all combinations on all pictures; the documented figure is neither less nor idle."""
    found = {
        name: max(float(np.abs(prepare([one], image)[0] - expected(one)).max()) for one in PICTURES)
        for name, (image, expected) in combinations.items()
    }
    stated = figure(reference)
    assert {name: largest for name, largest in found.items() if not largest <= stated} == {}
    assert max(found.values()) >= stated / 2


EDGE: Final = {"shortest_edge": 64}
PROCESSORS: Final[list[tuple[str, dict[str, Any]]]] = [
    ("ViT", {"size": {"height": 48, "width": 40}}),
    ("ViT", {"do_rescale": False, "resample": 1, "size": 48}),
    ("ViT", {"do_normalize": False, "resample": 0, "size": 48}),
    ("ViT", {"resample": 4, "size": 48}),
    ("ViT", {"resample": 5, "size": 48}),
    ("Beit", {"size": 48}),
    ("Beit", {"size": 64, "crop_size": 48, "do_center_crop": True}),
    ("Bit", {"size": EDGE, "crop_size": 48}),
    ("Bit", {"size": EDGE, "crop_size": 49}),
    ("Blip", {"size": 48}),
    ("CLIP", {"size": EDGE, "crop_size": 64}),
    ("CLIP", {"size": EDGE, "crop_size": {"height": 56, "width": 40}}),
    ("CLIP", {"size": EDGE, "crop_size": 65}),
    ("ChineseCLIP", {"size": EDGE, "crop_size": 61}),
    ("ConvNext", {"size": {"shortest_edge": 56}}),
    ("ConvNext", {"size": {"shortest_edge": 57}, "crop_pct": 0.95}),
    ("ConvNext", {"size": {"shortest_edge": 384}}),
    ("DeiT", {"size": 64, "crop_size": 56}),
    ("DeiT", {"size": 64, "crop_size": 57}),
    ("DeiT", {"size": {"height": 48, "width": 64}, "crop_size": {"height": 41, "width": 70}}),
    ("EfficientNet", {"size": 48, "rescale_offset": True}),
    ("EfficientNet", {"size": 48, "include_top": False, "resample": 0}),
    ("EfficientNet", {"size": 48, "rescale_offset": True, "do_normalize": False}),
    ("Levit", {"size": {"shortest_edge": 56}, "crop_size": 48}),
    ("Levit", {"size": {"shortest_edge": 56}, "crop_size": 49}),
    ("MobileNetV1", {"size": EDGE, "crop_size": 48}),
    ("MobileNetV2", {"size": EDGE, "crop_size": 57}),
    ("MobileViT", {"size": EDGE, "crop_size": 48}),
    ("MobileViT", {"size": EDGE, "crop_size": 73}),
    ("PoolFormer", {"size": {"shortest_edge": 58}, "crop_size": 48}),
    ("PoolFormer", {"size": 50, "crop_size": 50, "crop_pct": 0.95}),
    ("PoolFormer", {"size": {"height": 50, "width": 50}, "crop_size": 50}),
    ("Pvt", {"size": 48}),
    ("Segformer", {"size": 48}),
    ("Siglip", {"size": {"height": 64, "width": 64}}),
]  # fmt: skip


def processor(name: str, options: dict[str, Any]) -> tuple[Image, Reference]:
    """Return [image] of a processor that works with Pillow, and the processor."""
    own = getattr(transformers, f"{name}ImageProcessorPil")(**options)
    image, notes = image_of(own.to_dict(), 3)
    assert notes == ()
    assert image is not None
    return image, lambda picture: own(picture, return_tensors="np")["pixel_values"][0]


def test_image_processors_of_transformers() -> None:
    """Every processor that is called known makes the pixels of [image], cropped or padded."""
    assert {name for name, _ in PROCESSORS} == set(DEFAULTS)
    assert ", ".join(DEFAULTS) in PAGE.read_text("utf-8")
    hold("transformers", {f"{name} {one}": processor(name, one) for name, one in PROCESSORS})


def resize(image: pil.Image, size: int | tuple[int, int], way: str) -> pil.Image:
    """Resize as torchvision 0.20 does: a number is the shorter side, the longer one is cut."""
    if isinstance(size, int):
        short, long = sorted(image.size)
        longer = int(size * long / short)
        size = (longer, size) if image.width <= image.height else (size, longer)
    return image.resize(size[::-1], FILTERS[way])


def crop(image: pil.Image, size: tuple[int, int], fill: tuple[int, ...] = (0,) * 3) -> pil.Image:
    """Crop as torchvision 0.20's center_crop does, which pads first where the image is smaller."""
    height, width = size
    if width > image.width or height > image.height:
        spare = max(0, width - image.width), max(0, height - image.height)
        ground = pil.new(image.mode, (image.width + spare[0], image.height + spare[1]),
                         fill[: len(image.mode)])  # fmt: skip
        ground.paste(image, (spare[0] // 2, spare[1] // 2))
        image = ground
    top = int(round((image.height - height) / 2.0))  # noqa: RUF046  as it stands there
    left = int(round((image.width - width) / 2.0))  # noqa: RUF046
    return image.crop((left, top, left + width, top + height))


def tensor(image: pil.Image, mean: tuple[float, ...], std: tuple[float, ...]) -> Pixels:
    """Return what ToTensor and Normalize make: channels first, divided by 255 in float32."""
    values = np.asarray(image).reshape(image.height, image.width, -1).transpose(2, 0, 1)
    scaled = values.astype(np.float32) / np.float32(255)
    shape = (-1, 1, 1)
    levels = (np.array(numbers, np.float32).reshape(shape) for numbers in (mean, std))
    return (scaled - next(levels)) / next(levels)


def described(folder: Path, text: str) -> Image:
    """Return [image] as it is read from a description."""
    file = folder / "description"
    file.write_text(text)
    return describe(file).image()


PRESET: Final = """ImageClassification(
    crop_size=[{kept}]
    resize_size=[{side}]
    mean=[0.485, 0.456, 0.406]
    std=[0.229, 0.224, 0.225]
    interpolation=InterpolationMode.{way}
)"""
COMPOSE: Final = """Compose(
    {first}
    Resize(size={side}, interpolation={way}, max_size=None, antialias=True)
    CenterCrop(size=(41, 57))
    ToTensor()
    Normalize(mean={mean}, std={std})
)"""
PADDED: Final = """Compose(
    Resize(size=(28, 28), interpolation=bilinear, max_size=None, antialias=True)
    Pad(padding=(3, 2), fill=9, padding_mode=constant)
    ToTensor()
)"""


def preset(side: int, kept: int, way: str) -> Reference:
    """Return what torchvision's ImageClassification makes."""
    return lambda image: tensor(crop(resize(image, side, way), (kept, kept)), MEAN, STD)


def composed(side: int | tuple[int, int], way: str, grey: bool) -> Reference:
    """Return what COMPOSE makes."""

    def make(image: pil.Image) -> Pixels:
        resized = resize(image.convert("L") if grey else image, side, way)
        return tensor(crop(resized, (41, 57)), *(((0.5,), (0.25,)) if grey else (MEAN, STD)))

    return make


def padded(image: pil.Image) -> Pixels:
    """Return what PADDED makes."""
    ground = pil.new("RGB", (34, 32), (9, 9, 9))
    ground.paste(resize(image, (28, 28), "bilinear"), (3, 2))
    return tensor(ground, (0,), (1,))


def torchvision(folder: Path) -> Iterator[tuple[str, tuple[Image, Reference]]]:
    """Yield descriptions of torchvision with what its transforms make."""
    sides = ((64, 64), (64, 56), (65, 56), (64, 57), (40, 55))
    for way, (side, kept) in product(("nearest", "bilinear", "bicubic"), sides):
        text = PRESET.format(kept=kept, side=side, way=way.upper())
        yield text, (described(folder, text), preset(side, kept, way))
    edges: tuple[int | tuple[int, int], ...] = (64, (48, 70))
    for way, edge, grey in product(("box", "hamming", "lanczos"), edges, (False, True)):
        first = "Grayscale(num_output_channels=1)" if grey else "RGB()"
        mean, std = ((0.5,), (0.25,)) if grey else (MEAN, STD)
        text = COMPOSE.format(first=first, side=edge, way=way, mean=mean, std=std)
        yield text, (described(folder, text), composed(edge, way, grey))
    yield PADDED, (described(folder, PADDED), padded)


def test_transforms_of_torchvision(tmp_path: Path) -> None:
    """Resize, CenterCrop, Pad, Grayscale, ToTensor and Normalize, as descriptions name them."""
    hold("torchvision", dict(torchvision(tmp_path)))


def timm(config: Mapping[str, Any], image: pil.Image) -> Pixels:
    """Return what timm 1.0's transforms_imagenet_eval makes of an image."""
    size, way = tuple(config["input_size"][1:]), config["interpolation"]
    scaled = tuple(math.floor(side / config["crop_pct"]) for side in size)
    fill = tuple(round(255 * level) for level in config["mean"])
    if config["crop_mode"] == "squash":
        image = crop(resize(image, scaled, way), size)
    elif config["crop_mode"] == "border":
        ratio = max(image.height / scaled[0], image.width / scaled[1])
        inner = max(1, round(image.height / ratio)), max(1, round(image.width / ratio))
        image = crop(resize(image, inner, way), size, fill)
    else:
        image = crop(resize(image, scaled[0], way), size)
    return tensor(image, config["mean"], config["std"])


def test_configurations_of_timm(tmp_path: Path) -> None:
    """Every crop_mode, with and without a crop, with each interpolation."""
    combinations: dict[str, tuple[Image, Reference]] = {}
    for mode, part, way, side in product(
        ("center", "squash", "border"), (1.0, 0.9, 0.875), FILTERS, (56, 61)
    ):
        config = {"input_size": [3, side, side], "interpolation": way, "crop_pct": part,
                  "crop_mode": mode, "mean": MEAN, "std": STD}  # fmt: skip
        text = str(config).replace("'", '"').replace("(", "[").replace(")", "]")
        combinations[text] = (
            described(tmp_path, text), partial(timm, config)
        )  # fmt: skip
    hold("timm", combinations)


@pytest.mark.parametrize(
    ("name", "keys", "rule"),
    [
        ("EfficientNet-Lite", {"scale": 1.0, "mean": (127.0,), "std": (128.0,)},
         lambda x: (x - 127) / 128),
        ("Keras, bytes", {"scale": 1.0}, lambda x: x),
        ("Keras, caffe", {"scale": 1.0, "colour": "bgr", "mean": (103.939, 116.779, 123.68)},
         lambda x: x[:, :, ::-1] - np.array([103.939, 116.779, 123.68], np.float32)),
    ],
)  # fmt: skip
def test_levels_are_exact(
    name: str, keys: dict[str, Any], rule: Callable[[Pixels], Pixels]
) -> None:
    """Where nothing is scaled but by a power of two, the values are those of float32."""
    image = Image(size=(40, 40), layout="NHWC", **keys)
    for one in PICTURES:
        pixels = np.asarray(one.resize((40, 40), Resampling.BILINEAR), np.float32)
        np.testing.assert_array_equal(prepare([one], image)[0], rule(pixels), name)


def test_levels_of_keras_from_minus_one_to_one() -> None:
    """Keras' mode "tf", x / 127.5 - 1, is scale 1/127.5 and mean 1, within float rounding."""
    image = Image(size=(40, 40), scale=1 / 127.5, mean=(1.0,), layout="NHWC")
    for one in PICTURES:
        pixels = np.asarray(one.resize((40, 40), Resampling.BILINEAR), np.float32)
        np.testing.assert_allclose(prepare([one], image)[0], pixels / 127.5 - 1, 0, 1.2e-7)
