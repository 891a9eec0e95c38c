"""The transforms of torchvision, as text and as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from podium.init.transforms import keys_of, steps_of_json, steps_of_text

UNIT = 1 / 255
IMAGENET: dict[str, Any] = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
CROPPED: dict[str, Any] = {
    "scale": UNIT, "resize": "shortest", "resize_size": 256, "size": (224, 224),
    "interpolation": "bilinear", **IMAGENET,
}  # fmt: skip

PRESET = """ImageClassification(
    crop_size=[224]
    resize_size=[256]
    mean=[0.485, 0.456, 0.406]
    std=[0.229, 0.224, 0.225]
    interpolation=InterpolationMode.BILINEAR
)
"""
ONE_LINE = (
    "ImageClassification(crop_size=[224] resize_size=[256] mean=[0.485, 0.456, 0.406] "
    "std=[0.229, 0.224, 0.225] interpolation=InterpolationMode.BILINEAR)"
)
COMPOSE = """Compose(
    Resize(size=256, interpolation=bilinear, max_size=None, antialias=True)
    CenterCrop(size=(224, 224))
    ToTensor()
    Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
)"""
OLD = """Compose(
    Resize(size=256, interpolation=PIL.Image.BILINEAR)
    CenterCrop(size=(224, 224))
    ToTensor()
    Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
)"""
V2 = """Compose(
      Resize(size=[256], interpolation=InterpolationMode.BILINEAR, antialias=True)
      CenterCrop(size=(224, 224))
      ToImage()
      ToDtype(scale=True)
      Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], inplace=False)
)"""
PIECES = """Compose(
    Resize(size=[256], interpolation=bilinear, max_size=None, antialias=True)
    Compose(
        CenterCrop(size=(224, 224))
        PILToTensor()
    )
    ConvertImageDtype()
    Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
)"""
TIMM = """Compose(
    Resize(size=256, interpolation=bilinear, max_size=None, antialias=True)
    CenterCrop(size=(224, 224))
    MaybeToTensor()
    Normalize(mean=tensor([0.485, 0.456, 0.406]), std=tensor([0.229, 0.224, 0.225]))
)"""
SOURCE = """transforms.Compose([
    transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])"""


@pytest.mark.parametrize(
    "text", [PRESET, ONE_LINE, COMPOSE, OLD, V2, PIECES, TIMM, SOURCE],
    ids=["preset", "one line", "compose", "old", "v2", "pieces", "timm", "source"],
)  # fmt: skip
def test_texts_of_one_meaning(text: str) -> None:
    """The repr of a preset, of old and new transforms, and their source say the same."""
    assert keys_of(steps_of_text(text)) == (CROPPED, ())


@pytest.mark.parametrize(
    "document",
    [
        {"ImageClassification": {"crop_size": [224], "resize_size": [256], **IMAGENET}},
        {"crop_size": 224, "resize_size": 256, "interpolation": "bilinear", **IMAGENET},
        [{"Resize": {"size": 256}}, {"CenterCrop": {"size": [224, 224]}}, "ToTensor",
         {"Normalize": IMAGENET}],
        {"Compose": [{"name": "Resize", "size": [256]}, {"type": "CenterCrop", "size": 224},
                     {"ToTensor": {}}, {"Normalize": IMAGENET}]},
        {"transforms": [{"Resize": {"size": 256}}, {"CenterCrop": {"size": 224}},
                        {"ToDtype": {"scale": True}}, {"Normalize": IMAGENET}]},
    ],
)  # fmt: skip
def test_json_of_the_same_names(document: Any) -> None:
    """A preset and a list of transforms may also be JSON."""
    assert keys_of(steps_of_json(json.loads(json.dumps(document)))) == (CROPPED, ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Compose(Resize(size=(48, 64), interpolation=nearest-exact) ToTensor())".replace(
            "nearest-exact", "InterpolationMode.NEAREST_EXACT"),
         {"scale": UNIT, "resize": "exact", "size": (48, 64), "interpolation": "nearest"}),
        ("Compose(Resize(size=[64, 64]) CenterCrop(size=(40, 48)) PILToTensor())",
         {"scale": 1.0, "resize": "exact", "resize_size": 64, "size": (40, 48),
          "interpolation": "bilinear"}),
        ("Compose(Resize(size=(30, 40)) CenterCrop(size=(40, 40)) ToTensor())",
         {"scale": UNIT, "resize": "exact", "resize_size": (30, 40), "size": (40, 40),
          "interpolation": "bilinear", "place": "torchvision"}),
        ("Compose(Resize(size=(28, 28)) Pad(padding=2, fill=(1, 2, 3)) ToTensor())",
         {"scale": UNIT, "resize": "exact", "resize_size": 28, "size": (32, 32),
          "interpolation": "bilinear", "place": "torchvision", "fill": [1, 2, 3]}),
        ("Compose(Resize(size=(28, 20)) Pad(padding=(1, 2, 1, 2), fill=9) ToTensor())",
         {"scale": UNIT, "resize": "exact", "resize_size": (28, 20), "size": (32, 22),
          "interpolation": "bilinear", "place": "torchvision", "fill": [9]}),
        ("Compose(Grayscale(num_output_channels=1) Resize(size=(28, 28)) ToTensor() "
         "Normalize(mean=(-0.5,), std=(0.5,)))",
         {"scale": UNIT, "resize": "exact", "size": (28, 28), "interpolation": "bilinear",
          "colour": "grey", "mean": [-0.5], "std": [0.5]}),
        ("Compose(Resize(size=224) CenterCrop(size=224) ToImage() ToDtype(scale=False) "
         "Normalize(mean=127, std=128))",
         {"scale": 1.0, "resize": "shortest", "size": (224, 224), "interpolation": "bilinear",
          "mean": [127], "std": [128]}),
    ],
)  # fmt: skip
def test_meanings(text: str, expected: dict[str, Any]) -> None:
    """Sizes of two sides, a squeeze before the crop, padding, grey, values from 0 to 255."""
    assert keys_of(steps_of_text(text)) == (expected, ())


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("Compose(RandomHorizontalFlip(p=0.5) Resize(size=(8, 8)) ToTensor())",
         "RandomHorizontalFlip belongs to training and is left out."),
        ("Compose(Resize(size=(8, 8)) Grayscale() ToTensor())",
         "Training made pictures grey after it resized them; [image] does it before, which may "
         "differ by 1 of 255."),
        ("Compose(ToImage() Resize(size=(8, 8)) ToDtype(scale=True))",
         "Training resized tensors; the pixels of Pillow, which Podium resizes with, may differ."),
        ("Compose(ToTensor())",
         "The description does not resize, so that pictures are squeezed to the model's size."),
        ("Compose(Resize(size=8) ToTensor())",
         "The description does not crop; [image] makes squares of the middle of the pictures."),
    ],
)  # fmt: skip
def test_what_image_cannot_say_is_noted(text: str, note: str) -> None:
    """What is left out, or may differ, is one sentence."""
    assert keys_of(steps_of_text(text))[1] == (note,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Compose(RandomResizedCrop(size=(8, 8)) ToTensor())",
         "RandomResizedCrop belongs to training; describe what evaluation did"),
        ("Compose(Solarize(threshold=2))",
         "[image] cannot say 'Solarize'; it can say CenterCrop, "),
        ("Compose(Resize(size=9) Resize(size=8))",
         "[image] resizes once, before it crops; another Resize it cannot say"),
        ("Compose(CenterCrop(size=8))",
         "[image] crops once, after it resized; this CenterCrop it cannot say"),
        ("Compose(Resize(size=9, max_size=12))", "[image] cannot say Resize with max_size=12"),
        ("Compose(Resize(size=9) Pad(padding=1))",
         "[image] can say Pad only after a Resize to height and width"),
        ("Compose(Resize(size=(9, 9)) Pad(padding=1, padding_mode=reflect))",
         "[image] cannot say Pad with padding_mode=reflect"),
        ("Compose(Resize(size=(9, 9)) Pad(padding=(1, 2, 3, 4)))",
         "[image] pads both sides alike, and this Pad does not: [1, 2, 3, 4]"),
        ("Compose(Grayscale(num_output_channels=3))",
         "[image] makes grey pictures of one channel, and Grayscale of 3; write a [pipeline] "
         "preprocess"),
        ("Compose(Normalize(mean=[1], std=[1]) Normalize(mean=[1], std=[1]))",
         "[image] normalises once; another Normalize it cannot say"),
        ("Compose(Normalize(mean=[1]))", "Normalize lacks std"),
        ("Compose(Resize())", "Resize has size=None; expected whole numbers"),
        ("Compose(Resize(size=2.5))", "Resize has size=2.5; expected whole numbers"),
        ("Compose(4)", "4 is no transform"),
        ("Lambda(lambda x: x)", "'lambda x: x' is no transform"),
    ],
)  # fmt: skip
def test_what_image_cannot_say_is_refused(text: str, message: str) -> None:
    """A transform, or an order of them, that would be dropped is named."""
    with pytest.raises(ValueError) as caught:
        keys_of(steps_of_text(text))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("document", [4, [None], {"Resize": 256}, {"a": {}, "b": {}}])
def test_json_that_is_no_transform(document: Any) -> None:
    """What is no transform is shown."""
    with pytest.raises(ValueError, match="is no transform"):
        steps_of_json(document)


def test_nothing_of_a_text_is_run() -> None:
    """A text is parsed; a call in it is only the name of a transform that is not known."""
    with pytest.raises(ValueError, match=r"\[image\] cannot say 'system'"):
        keys_of(steps_of_text("Compose(os.system('touch attacked') ToTensor())"))
