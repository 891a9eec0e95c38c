"""[image] as the image processors of transformers mean it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import transformers

from podium.runtimes.transformers.preprocessor import DEFAULTS, completed, image_of
from podium.spec import Image

WITHOUT_EFFECT = ("do_reduce_labels", "do_convert_rgb")


def processor(name: str, **options: Any) -> Any:
    """Return an image processor that works with Pillow."""
    return getattr(transformers, f"{name}ImageProcessorPil")(**options)


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("file", [{}, {"size": 48}, {"size": [40, 48]}, {"crop_size": 32}])
def test_what_a_file_leaves_out_are_the_defaults(name: str, file: dict[str, Any]) -> None:
    """Defaults, and the meaning of a size in older forms, are those of transformers itself."""
    own = processor(name, **file).to_dict()
    found = completed({**file, "feature_extractor_type": f"{name}FeatureExtractor"})
    for key in set(found) | set(own):
        if key not in ("image_processor_type", "feature_extractor_type", *WITHOUT_EFFECT):
            left, right = (tuple(one) if isinstance(one, list) else one
                           for one in (found.get(key), own.get(key)))  # fmt: skip
            assert (key, left or None) == (key, right or None)


def test_a_file_that_names_no_processor() -> None:
    """It is taken as it stands: scaled, normalised where it has a mean, squeezed or cropped."""
    squeezed = {"size": 32, "image_mean": [0.5], "image_std": [0.5]}
    note = "Check [image] against the training: the image processor may do more."
    assert image_of(completed(squeezed), 3) == (
        Image(size=(32, 32), mean=(0.5,), std=(0.5,)), (note,)
    )  # fmt: skip
    cropped = {"size": 40, "crop_size": 32, "do_center_crop": True}
    assert image_of(completed(cropped), 3) == (
        Image(size=(32, 32), resize="shortest", resize_size=40, place="transformers"), (note,)
    )  # fmt: skip


def test_a_size_of_no_known_form() -> None:
    """A size that is neither a number, two of them nor a table is refused."""
    with pytest.raises(ValueError, match=r"size is 'big'; expected a number, \[height, width\]"):
        completed({"image_processor_type": "ViTImageProcessor", "size": "big"})


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("ViT", {"size": {"height": 48, "width": 40}}, {"size": (48, 40)}),
        ("DeiT", {}, {"size": (224, 224), "resize_size": 256, "place": "transformers"}),
        ("CLIP", {}, {"size": (224, 224), "resize": "shortest", "place": "transformers"}),
        ("Levit", {}, {"size": (224, 224), "resize": "shortest", "resize_size": 256,
                       "place": "transformers"}),
        ("ConvNext", {"size": 224}, {"size": (224, 224), "resize": "shortest", "crop": 0.875,
                                     "place": "transformers"}),
        ("ConvNext", {}, {"size": (384, 384)}),
        ("MobileViT", {}, {"size": (256, 256), "resize": "shortest", "resize_size": 224,
                           "place": "transformers"}),
    ],
)  # fmt: skip
def test_geometry(name: str, options: dict[str, Any], expected: dict[str, Any]) -> None:
    """Sizes, crops and the place of the cut are said as they are, without a note."""
    image, notes = image_of(processor(name, **options).to_dict(), 3)
    assert notes == ()
    plain = {"resize": "exact", "resize_size": None, "crop": 1.0, "place": "centre", "fill": ()}
    assert image is not None
    found = {key: getattr(image, key) for key in ("size", *plain)}
    assert found == {**plain, **expected}


@pytest.mark.parametrize(
    ("name", "options", "expected", "note"),
    [
        ("Bit", {"do_center_crop": False}, (224, "shortest", 1.0), "Training did not crop"),
        ("ViT", {"do_resize": False}, (224, "exact", 1.0), "did not resize .do_resize is false"),
        ("ViT", {"resample": 6}, (224, "exact", 1.0), "resample 6 .* bilinear"),
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
    """A size that the longer side bounds makes no [image]; the note tells what was found."""
    for size in ({"longest_edge": 80}, {"shortest_edge": 60, "longest_edge": 80}):
        own = processor("ViT").to_dict() | {"size": size}
        assert image_of(own, 3) == (
            None, (f"The image processor's size is {size}: write [image] by hand.",)
        )  # fmt: skip


def test_one_channel_is_grey() -> None:
    """A model of one channel takes grey pictures, with a mean and a deviation of their own."""
    own = processor("ViT", image_mean=[0.1], image_std=[0.3], size=28)
    expected = Image(size=(28, 28), colour="grey", mean=(0.1,), std=(0.3,))
    assert image_of(own.to_dict(), 1) == (expected, ())
