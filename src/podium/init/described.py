"""How pictures were prepared in training, as Hugging Face, timm or torchvision write it down."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from podium.init.transforms import Keys, keys_of, steps_of_json, steps_of_text
from podium.runtimes.transformers.preprocessor import completed, image_of
from podium.spec import Image, Layout
from podium.strict import read, shown

BESIDE: Final = ("preprocessor_config.json", "processor_config.json", "transforms.txt",
                 "transforms.json", "config.json")  # fmt: skip
"""The names under which a description is looked for beside a model, the first found counts."""
KINDS: Final = (
    "a preprocessor_config.json of Hugging Face, a config.json of timm (or what its "
    "resolve_model_data_config returns), and the text or JSON of torchvision's weights.transforms()"
    " or Compose"
)
COLOURS: Final = 3
_MAX_BYTES: Final = 10**6
_WRITTEN: Final = ("size", "resize", "interpolation", "scale")
"""Keys that are written into podium.toml although they have their default."""

_RESIZES: Final = {"center": "shortest", "squash": "exact", "border": "longest"}
"""What timm's crop_mode is in [image]."""
_TIMM: Final[Mapping[str, Any]] = {
    "input_size": (3, 224, 224), "interpolation": "bicubic", "crop_pct": 0.875,
    "crop_mode": "center", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225),
}  # fmt: skip
"""What timm's resolve_data_config takes where a model says nothing."""
_OBLONG: Final = (
    "timm resizes pictures for a size that is not square with bilinear interpolation, whatever its "
    "configuration names, and rounds their longer side; [image] cuts it to whole pixels."
)


@dataclass(frozen=True)
class Description:
    """What a file says of pictures: keys of [image], and in sentences what [image] cannot say.

    `keys` have no size where pictures were not resized.
    """

    file: str
    keys: Mapping[str, Any]
    notes: tuple[str, ...]

    def image(
        self, size: tuple[int, int] | None = None, grey: bool = False, layout: Layout = "NCHW"
    ) -> Image:
        """Return [image]; `size`, and that it is grey, count where the file does not say them.

        Raises:
            ValueError: naming every value that [image] does not admit.
        """
        colours = [key for key in ("mean", "std") if len(self.keys.get(key) or ()) == COLOURS]
        if grey and colours and "colour" not in self.keys:
            raise ValueError(f"{self.file} is of colour pictures ({colours[0]} has {COLOURS} "
                             "numbers), and the model takes grey ones")  # fmt: skip
        kept = {"colour": "grey"} if grey else {}
        image, wrong = read(Image, {"size": size, **kept, **self.keys, "layout": layout})
        if image is None or wrong:
            told = "; ".join(f"{one.key}: {one.message}" for one in wrong)
            raise ValueError(f"{self.file} makes no [image]: {told}")
        return image


def beside(model: Path) -> tuple[Path, ...]:
    """Return the files beside a model, or in its folder, that say how to prepare pictures."""
    folder = model if model.is_dir() else model.parent
    files = [folder / name for name in BESIDE if (folder / name).is_file()]
    timm = b'"pretrained_cfg"'  # another config.json is of no interest
    return tuple(one for one in files if one.name != "config.json" or timm in one.read_bytes())


def describe(file: Path) -> Description:
    """Return what a file says; its kind is told by its content.

    Raises:
        ValueError: naming the file, what was found and, where it is none, the kinds that are read.
    """
    try:
        keys, notes = _read(_text(file))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as err:
        reason = f"lacks {err}" if isinstance(err, KeyError) else str(err)
        raise ValueError(f"{file.name}: {reason}") from err
    description = Description(file.name, keys, notes)
    description.image((1, 1))  # what does not depend on the model is told here
    return description


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_MAX_BYTES + 1)
    except OSError as err:
        raise ValueError(f"cannot be read: {err.strerror}") from err
    if len(raw) > _MAX_BYTES:
        raise ValueError(f"is larger than {_MAX_BYTES // 10**6} MB, which no description is")
    return raw.decode()


def _read(text: str) -> tuple[Keys, tuple[str, ...]]:
    if not text.lstrip().startswith(("{", "[")):
        return keys_of(_parsed(steps_of_text, text, "transforms"))
    document = _parsed(json.loads, text, "JSON")
    if not isinstance(document, dict):
        return keys_of(steps_of_json(document))
    inner = document.get("image_processor", document)
    if isinstance(inner, dict) and any(
        key in inner for key in ("image_processor_type", "feature_extractor_type", "image_mean")
    ):
        return _hugging_face(inner)
    if "pretrained_cfg" in document or "input_size" in document:
        return _timm(document.get("pretrained_cfg", document))
    if len(document) == 1 or document.keys() & {"Compose", "transforms", "resize_size"}:
        return keys_of(steps_of_json(document))
    raise ValueError(f"is of no kind that is known: {shown(sorted(document))}. Read are {KINDS}")


def _parsed(parse: Callable[[str], Any], text: str, what: str) -> Any:
    try:
        return parse(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as err:
        raise ValueError(f"cannot be read as {what}: {err}. Read are {KINDS}") from err


def _hugging_face(settings: Mapping[str, Any]) -> tuple[Keys, tuple[str, ...]]:
    image, notes = image_of(completed(settings), 3)
    if image is None:
        raise ValueError(" ".join(notes).removesuffix("."))
    keys = msgspec.structs.asdict(image)
    defaults = msgspec.structs.asdict(Image(size=image.size))
    return {k: v for k, v in keys.items() if k in _WRITTEN or v != defaults[k]}, notes


def _timm(settings: Mapping[str, Any]) -> tuple[Keys, tuple[str, ...]]:
    """Return [image] for the keys that timm's transforms_imagenet_eval takes."""
    found = {**_TIMM, **{key: value for key, value in settings.items() if value}}
    mode, shape = found["crop_mode"], found["input_size"]
    if not isinstance(shape, (list, tuple)) or len(shape) != 3:
        raise ValueError(f"input_size is {shown(shape)}; expected [channels, height, width]")
    channels, *size = shape
    if mode not in _RESIZES:
        raise ValueError(f"crop_mode is {mode!r}; expected {', '.join(_RESIZES)}")
    keys = {
        "size": size, "resize": _RESIZES[mode], "crop": found["crop_pct"],
        "interpolation": found["interpolation"], "scale": 1 / 255,
        "mean": found["mean"], "std": found["std"],
    }  # fmt: skip
    if mode == "border":
        keys |= {"fill": [round(255 * level) for level in found["mean"]], "place": "torchvision"}
    if channels == 1:
        keys["colour"] = "grey"
    if mode == "center" and size[0] != size[-1]:
        return keys | {"interpolation": "bilinear"}, (_OBLONG,)
    return keys, ()
