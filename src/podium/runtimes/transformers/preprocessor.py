"""What a Hugging Face image processor does to pictures, said as [image]."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from podium.spec import Image

Settings = Mapping[str, Any]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

KNOWN: Final = (
    "Beit", "Bit", "CLIP", "ConvNext", "DeiT", "EfficientNet", "Levit", "MobileNetV1",
    "MobileNetV2", "MobileViT", "PoolFormer", "Pvt", "Segformer", "Siglip", "ViT",
)  # fmt: skip
"""The image processors of which [image] makes the same pixels, by the beginning of their names."""

_INTERPOLATIONS: Final[Mapping[Any, Interpolation]] = {
    0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic",
}  # fmt: skip
_WARPED: Final = 384
"""From this side on ConvNeXT squeezes a picture to a square instead of cropping it."""


class Geometry(NamedTuple):
    """The size that the model takes, how pictures get it, and what [image] cannot say of it."""

    size: tuple[int, int]
    resize: Literal["exact", "shortest"] = "exact"
    crop: float = 1.0
    note: str = ""


def image_of(settings: Settings, channels: int) -> tuple[Image | None, tuple[str, ...]]:
    """Return [image] for a processor's settings, and what it cannot say, in sentences.

    `settings` are those of the processor's to_dict: defaults filled in, `size` a table.
    """
    geometry = _geometry(settings)
    if geometry is None:
        size = dict(settings.get("size") or {})
        return None, (f"The image processor's size is {size}: write [image] by hand.",)
    mean, std = _levels(settings)
    interpolation = _INTERPOLATIONS.get(settings.get("resample"))
    image = Image(
        size=geometry.size,
        resize=geometry.resize,
        crop=geometry.crop,
        interpolation=interpolation or "bilinear",
        colour=_colour(settings, channels),
        scale=float(settings["rescale_factor"]) if settings.get("do_rescale") else 1.0,
        mean=mean,
        std=std,
    )
    told = (_stranger(settings), geometry.note, _unresized(settings), _padded(settings),
            "" if interpolation else f"resample {settings.get('resample')} is none that [image] "
            "knows; bilinear is written instead.")  # fmt: skip
    return image, tuple(note for note in told if note)


def _name(settings: Settings) -> str:
    name = str(settings.get("image_processor_type", ""))
    return name.removesuffix("Fast").removesuffix("Pil").removesuffix("ImageProcessor")


def _geometry(settings: Settings) -> Geometry | None:
    size = settings.get("size") or {}
    crop = settings.get("crop_size") if settings.get("do_center_crop") else None
    kept = (int(crop["height"]), int(crop["width"])) if crop else None
    if edge := size.get("shortest_edge"):
        return _by_edge(settings, int(edge), kept)
    if not (size.get("height") and size.get("width")):
        return None
    whole = (int(size["height"]), int(size["width"]))
    if kept in (None, whole):
        return Geometry(whole)
    squeezed = _cropped(kept, min(whole))
    return squeezed._replace(
        note=f"Training squeezed pictures to {whole[0]} x {whole[1]} before the crop; [image] "
        "keeps their proportions, so that those that are not square look otherwise."
    )


def _by_edge(settings: Settings, edge: int, kept: tuple[int, int] | None) -> Geometry:
    """Return how pictures are prepared by the length of their shorter side."""
    name = _name(settings)
    if name == "ConvNext":
        if edge >= _WARPED:
            return Geometry((edge, edge))
        return _cropped((edge, edge), int(edge / settings["crop_pct"]))
    if name == "Levit":
        edge = int(256 / 224 * edge)
    if name == "PoolFormer" and settings.get("crop_pct"):
        edge = int(edge / settings["crop_pct"])
    if kept is None:
        note = "Training did not crop; [image] makes squares of the middle of the pictures."
        return Geometry((edge, edge), "shortest", 1.0, note)
    return _cropped(kept, edge)


def _cropped(kept: tuple[int, int], edge: int) -> Geometry:
    if kept[0] != kept[1] or kept[0] > edge:
        note = (f"Training cut {kept[0]} x {kept[1]} from pictures whose shorter side was {edge}; "
                "[image] scales them to that size.")  # fmt: skip
        return Geometry(kept, "shortest", 1.0, note)
    return Geometry(kept, "shortest", _ratio(kept[0], edge))


def _ratio(kept: int, edge: int) -> float:
    """Return the ratio of which int(kept / ratio) gives the edge back."""
    ratio = kept / edge
    while int(kept / ratio) < edge:
        ratio = math.nextafter(ratio, 0)
    return ratio


def _levels(settings: Settings) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return what is subtracted from the scaled values, and what then divides them."""
    mean, std = _numbers(settings.get("image_mean")), _numbers(settings.get("image_std"))
    again = _name(settings) == "EfficientNet" and settings.get("include_top")
    lower = 1.0 if settings.get("do_rescale") and settings.get("rescale_offset") else 0.0
    if not settings.get("do_normalize"):
        return ((lower,) if lower else ()), (std if again else ())
    return tuple(m + lower for m in mean), tuple(s * s if again else s for s in std)


def _numbers(found: float | Sequence[float] | None) -> tuple[float, ...]:
    if found is None:
        return ()
    return tuple(map(float, found)) if isinstance(found, Sequence) else (float(found),)


def _colour(settings: Settings, channels: int) -> Literal["rgb", "bgr", "grey"]:
    if channels == 1:
        return "grey"
    return "bgr" if settings.get("do_flip_channel_order") else "rgb"


def _stranger(settings: Settings) -> str:
    name = _name(settings)
    if name in KNOWN:
        return ""
    return f"Check [image] against the training: {name or 'the'} image processor may do more."


def _unresized(settings: Settings) -> str:
    if settings.get("do_resize"):
        return ""
    return "Training did not resize (do_resize is false); [image] does."


def _padded(settings: Settings) -> str:
    return "Training padded pictures (do_pad); [image] does not." if settings.get("do_pad") else ""
