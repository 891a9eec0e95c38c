"""Descriptions of how pictures were prepared, and what `podium init` makes of them."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from podium.errors import FieldError, InvalidInput
from podium.folder import parse
from podium.init import Order, create_application
from podium.init.described import KINDS, beside, describe
from podium.init.hints import Hints
from podium.init.inspect import PREPARED, expected_from
from podium.spec import Image
from podium.strict import read
from tests.conformance.graphs import FLOAT, UINT8, linear, save
from tests.docs.test_commands import ROOT, blocks

SECTION = (ROOT / "docs/howto/images.md").read_text("utf-8").split("\n## ")[1]
LEVELS: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
CFG: dict[str, Any] = {
    "input_size": [3, 56, 48], "interpolation": "bicubic", "crop_pct": 0.9, "crop_mode": "center",
    "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
}  # fmt: skip
SQUARE = {**CFG, "input_size": [3, 56, 56]}
HALVED: dict[str, Any] = {
    "size": (56, 56), "crop": 0.9, "interpolation": "bicubic", "mean": (0.5,) * 3,
    "std": (0.25,) * 3,
}  # fmt: skip


def written(folder: Path, document: Any, name: str = "file") -> Path:
    """Write a description, as JSON unless it is a text."""
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def averaging(file: Path, shape: tuple[int | str, ...] = (3, 224, 224), kind: int = FLOAT) -> Path:
    """Save a graph that takes pictures of a shape and answers each channel's mean."""
    nodes = [helper.make_node("Cast", ["X"], ["floats"], to=FLOAT),
             helper.make_node("GlobalAveragePool", ["floats"], ["pooled"]),
             helper.make_node("Flatten", ["pooled"], ["y"])]  # fmt: skip
    shapes: Any = ["N", *shape]
    save(file, nodes, [("X", kind, shapes)], [("y", FLOAT, ["N", shape[0]])])
    return file


def make(model: Path, **options: Any) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Make an application; return its [image], the text of it, and the notes."""
    folder = model.parent / "app"
    order = Order.parse(str(model), {"task": "classification", "labels": "a,b,c", **options})
    notes = create_application(order, folder)
    text = (folder / "podium.toml").read_text()
    (table,) = re.findall(r"\[image\]\n.*?(?=\n\n)", text, re.S)
    return tomllib.loads(text)["image"], table, notes


def refused(model: Path, **options: Any) -> list[FieldError]:
    """Return what is wrong with the options."""
    with pytest.raises(InvalidInput) as caught:
        make(model, **options)
    return list(caught.value.errors)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"architecture": "vit", "pretrained_cfg": SQUARE}, {"resize": "shortest", **HALVED}),
        (SQUARE, {"resize": "shortest", **HALVED}),
        ({**SQUARE, "crop_mode": "squash"}, HALVED),
        ({**SQUARE, "crop_mode": "border"},
         {**HALVED, "resize": "longest", "place": "torchvision", "fill": (128,) * 3}),
        ({"pretrained_cfg": {"input_size": [3, 32, 32]}},
         {"size": (32, 32), "resize": "shortest", "crop": 0.875, "interpolation": "bicubic",
          **LEVELS}),
        ({"input_size": [1, 32, 32], "mean": [0.5], "std": [0.5], "crop_pct": 1.0},
         {"size": (32, 32), "resize": "shortest", "interpolation": "bicubic", "colour": "grey",
          "mean": (0.5,), "std": (0.5,)}),
        ({"feature_extractor_type": "CLIPFeatureExtractor", "size": 48, "crop_size": 40,
          "image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]},
         {"size": (40, 40), "resize": "shortest", "resize_size": 48, "place": "transformers",
          "interpolation": "bicubic", "mean": (0.5,) * 3, "std": (0.25,) * 3}),
        ({"image_processor": {"image_processor_type": "ViTImageProcessorFast",
                              "size": {"height": 40, "width": 48}, "do_normalize": False}},
         {"size": (40, 48)}),
        ({"crop_size": [40], "resize_size": [48], "interpolation": "box", **LEVELS},
         {"size": (40, 40), "resize": "shortest", "resize_size": 48, "interpolation": "box",
          **LEVELS}),
        ([{"Resize": {"size": [40, 48]}}, "ToTensor"], {"size": (40, 48)}),
        ("Compose(Resize(size=(40, 48)) ToTensor())", {"size": (40, 48)}),
    ],
)  # fmt: skip
def test_the_content_tells_the_kind(
    document: Any, expected: dict[str, Any], tmp_path: Path
) -> None:
    """Hugging Face, timm and torchvision, each in its forms."""
    found = describe(written(tmp_path, document))
    assert (found.image(), found.notes) == (Image(**expected), ())


def test_timm_resizes_for_an_oblong_size_otherwise(tmp_path: Path) -> None:
    """Bilinear as timm does, whatever its configuration names, with a note."""
    found = describe(written(tmp_path, CFG))
    assert found.keys["interpolation"] == "bilinear"
    assert len(found.notes) == 1
    assert found.notes[0].startswith("timm resizes pictures for a size that is not square")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"a": 1, "b": 2}, f"file: is of no kind that is known: ['a', 'b']. Read are {KINDS}"),
        ("hello world", "file: cannot be read as transforms: invalid syntax"),
        ('{"size"', "file: cannot be read as JSON: Expecting ':' delimiter"),
        ("(" * 9999, "file: cannot be read as transforms: "),
        ("[" * 99999, "file: cannot be read as JSON: "),
        ("-'a'", "file: cannot be read as transforms: "),
        ("Compose(Blur())", "file: [image] cannot say 'Blur'"),
        ({**CFG, "crop_mode": "fit"}, "file: crop_mode is 'fit'; expected center, squash, border"),
        ({**CFG, "input_size": 224}, "file: input_size is 224; expected [channels, height, width]"),
        ({**SQUARE, "interpolation": "random"},
         "file makes no [image]: interpolation: expected one of 'nearest', 'box', 'bilinear', "
         "'hamming', 'bicubic', 'lanczos'; found 'random'"),
        ({**SQUARE, "std": [0, 1, 1]}, "file makes no [image]: std[0]: expected "),
        ({**SQUARE, "mean": [1, 2]}, "file makes no [image]: mean: expected 1 or 3 numbers"),
        ({"image_processor_type": "ViTImageProcessor", "size": {"longest_edge": 9}},
         "file: The image processor's size is {'longest_edge': 9}: write [image] by hand"),
        ({"image_processor_type": "CLIPImageProcessor", "crop_size": {"height": 9}},
         "file: lacks 'width'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told(document: Any, message: str, tmp_path: Path) -> None:
    """The file, what was found in it, and the kinds that are read if it is none."""
    with pytest.raises(ValueError) as caught:
        describe(written(tmp_path, document))
    assert str(caught.value).startswith(message)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    """A missing file, one that is no text, and one that is far too large."""
    missing = tmp_path / "missing"
    (tmp_path / "image").write_bytes(b"\xff\xd8")
    (tmp_path / "large").write_bytes(b" " * 1_000_001)
    for file, message in (
        (missing, "missing: cannot be read: No such file or directory"),
        (tmp_path / "image", "image: 'utf-8' codec can't decode byte 0xff"),
        (tmp_path / "large", "large: is larger than 1 MB, which no description is"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            describe(file)


def test_what_lies_beside_a_model(tmp_path: Path) -> None:
    """Known names beside a file or in a folder; a config.json only if it is timm's."""
    model = tmp_path / "m.onnx"
    assert beside(model) == ()
    written(tmp_path, {"architectures": ["ViT"]}, "config.json")
    assert beside(model) == ()
    written(tmp_path, {"pretrained_cfg": CFG}, "config.json")
    assert beside(model) == (tmp_path / "config.json",)
    written(tmp_path, "Compose()", "transforms.txt")
    assert beside(model) == beside(tmp_path)
    assert beside(model) == (tmp_path / "transforms.txt", tmp_path / "config.json")
    written(tmp_path, {}, "preprocessor_config.json")
    assert beside(model)[0] == tmp_path / "preprocessor_config.json"


def test_the_documented_description_becomes_the_documented_image(tmp_path: Path) -> None:
    """The text of the how-to makes its [image], with the file behind each value."""
    model = averaging(tmp_path / "model.onnx")
    file = written(tmp_path / "other", blocks(SECTION, "text")[0], "transforms.txt")
    image, text, notes = make(model, image_config=str(file))
    assert text == blocks(SECTION, "toml")[0].strip()
    assert image["resize_size"] == 232
    assert not any(PREPARED in note for note in notes)


def test_each_documented_example_is_an_image() -> None:
    """The keys of every row of the how-to's table are right together."""
    rows = re.findall(r"^\| .*? \| (`size = .*`) \|$", SECTION, re.M)
    assert len(rows) == 10
    for row in rows:
        _, wrong = read(Image, tomllib.loads("\n".join(re.findall("`(.*?)`", row))))
        assert wrong == []


def test_what_lies_beside_is_taken(tmp_path: Path) -> None:
    """A file beside the model is read without being named, and is not copied."""
    model = averaging(tmp_path / "m.onnx", (3, 56, 56))
    written(tmp_path, {"pretrained_cfg": SQUARE}, "config.json")
    _, text, notes = make(model)
    assert text.splitlines() == [
        "[image]", "size = [56, 56]  # from config.json",
        'resize = "shortest"  # from config.json', "crop = 0.9  # from config.json",
        'interpolation = "bicubic"  # from config.json', 'colour = "rgb"',
        "scale = 0.00392156862745098  # from config.json",
        "mean = [0.5, 0.5, 0.5]  # from config.json",
        "std = [0.25, 0.25, 0.25]  # from config.json", 'layout = "NCHW"',
    ]  # fmt: skip
    assert PREPARED not in notes
    assert sorted(path.name for path in (tmp_path / "app").rglob("*.*")) == [
        "m.onnx",
        "podium.toml",
    ]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"pretrained_cfg": SQUARE}, "config.json makes 3x56x56 (channels x height x width), and "
                                     "the model takes 3x8x8."),
        ({"pretrained_cfg": 4}, "config.json: "),
    ],
)  # fmt: skip
def test_what_lies_beside_and_does_not_fit_is_noted(
    document: Any, reason: str, tmp_path: Path
) -> None:
    """It is not used; the values stay guesses."""
    model = averaging(tmp_path / "m.onnx", (3, 8, 8))
    written(tmp_path, document, "config.json")
    image, text, notes = make(model)
    assert notes[0].startswith(f"What lies beside the model is not used: {reason}")
    assert PREPARED in notes
    assert image["size"] == [8, 8]
    assert "# guessed: check it against the training" in text


def test_several_that_lie_beside_are_told(tmp_path: Path) -> None:
    """One is read, and the others are named."""
    model = averaging(tmp_path / "m.onnx", (3, 56, 56))
    written(tmp_path, {"pretrained_cfg": SQUARE}, "config.json")
    written(tmp_path, "Compose(Resize(56) CenterCrop(56) ToTensor())", "transforms.txt")
    _, text, notes = make(model)
    assert "# from transforms.txt" in text
    assert (
        "transforms.txt was read. Beside it lies config.json, which --image-config can name in its "
        "place."
    ) in notes


def test_colours_for_a_model_of_grey_pictures(tmp_path: Path) -> None:
    """A description of colour pictures is told as such, whatever else is wrong with it."""
    model = averaging(tmp_path / "m.onnx", (1, 56, 56))
    written(tmp_path, {"pretrained_cfg": SQUARE}, "config.json")
    _, _, notes = make(model, labels=None, task="regression")
    assert notes[0].startswith(
        "What lies beside the model is not used: config.json is of colour pictures (mean has 3 "
        "numbers), and the model takes grey ones."
    )


@pytest.mark.parametrize(("channels", "size", "takes"), [
    (3, "56x56x1", "the model takes 3 channels; leave it out"),
    (1, "56x56x3", "the model takes 1 channel; leave it out"),
])  # fmt: skip
def test_channels_that_contradict_the_model(
    channels: int, size: str, takes: str, tmp_path: Path
) -> None:
    """--size with another number of channels than the model's is a mistake."""
    model = averaging(tmp_path / "m.onnx", (channels, 56, 56))
    with pytest.raises(InvalidInput) as caught:
        make(model, size=size)
    assert [(error.field, error.message) for error in caught.value.errors] == [("--size", takes)]


def test_a_named_file_counts_more(tmp_path: Path) -> None:
    """--image-config is read in place of what lies beside the model; its notes are passed on."""
    model = averaging(tmp_path / "m.onnx", (1, 8, 9))
    written(tmp_path, {"pretrained_cfg": CFG}, "config.json")
    other = written(tmp_path, "Compose(ToTensor() Normalize(mean=[0.5], std=[0.5]))", "other")
    image, _, notes = make(model, labels=None, task="regression", image_config=str(other))
    assert (image["size"], image["colour"], image["mean"]) == ([8, 9], "grey", [0.5])
    assert notes[0].startswith("The description does not resize")


@pytest.mark.parametrize(
    ("shape", "kind", "options", "error"),
    [
        (
            (3, 8, 8),
            FLOAT,
            {},
            (
                "--image-config",
                "file makes 3x56x56 (channels x height x width), and the model takes 3x8x8",
            ),
        ),
        (
            (3, "H", "W"),
            FLOAT,
            {"size": "9x8"},
            ("--image-config", "file makes 56x56, and --size is 9x8; leave one of them out"),
        ),
        (
            (3, 56, 56),
            UINT8,
            {},
            ("--image-config", "file scales the values, and the model takes whole numbers (uint8)"),
        ),
        (
            (3, 56, 56),
            FLOAT,
            {"features": "a,b"},
            ("--image-config", "is of images, and --text or --features of another input"),
        ),
    ],
)
def test_a_named_file_must_fit(
    shape: tuple[int | str, ...], kind: int, options: dict[str, str], error: tuple[str, str],
    tmp_path: Path,
) -> None:  # fmt: skip
    """What it says and the model, or another option, contradicts is a mistake."""
    model = averaging(tmp_path / "m.onnx", shape, kind)
    file = written(tmp_path, SQUARE)
    assert refused(model, image_config=str(file), **options) == [FieldError(*error)]
    assert not (tmp_path / "app").exists()


def test_a_model_of_features_takes_none(tmp_path: Path) -> None:
    """A description of pictures for a model of features is a mistake."""
    linear(tmp_path / "m.onnx")
    file = written(tmp_path, SQUARE)
    errors = refused(tmp_path / "m.onnx", image_config=str(file))
    assert errors == [FieldError("--image-config", "the model takes features; leave it out")]


def test_a_model_that_says_nothing_gets_what_is_described(tmp_path: Path) -> None:
    """A description says what a model takes that does not; without a size, --size is needed too."""
    sized = Hints.parse({"image_config": str(written(tmp_path, SQUARE))})
    expected = expected_from(sized, None)
    assert expected is not None
    assert (expected.shape, expected.dtype) == ((None, 3, 56, 56), np.dtype(np.float32))
    file = str(written(tmp_path, "Compose(Grayscale() ToTensor())"))
    assert expected_from(Hints.parse({"image_config": file}), None) is None
    both = expected_from(Hints.parse({"image_config": file, "size": "8x9x1"}), None)
    assert both is not None
    assert both.shape == (None, 1, 8, 9)


def test_a_made_application_opens(tmp_path: Path) -> None:
    """podium.toml with all that a description may say is read without a mistake."""
    model = averaging(tmp_path / "m.onnx", (3, 56, 56))
    file = written(tmp_path, {**SQUARE, "crop_mode": "border"})
    make(model, image_config=str(file))
    image = parse(tmp_path / "app").spec.image
    assert image == describe(file).image()
