"""What a Hugging Face image processor does to pictures, said as [image]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from podium.spec import Image, Interpolation

Settings = Mapping[str, Any]

_HALF: Final = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP: Final = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))


def _defaults(
    size: int, levels: tuple[tuple[float, ...], tuple[float, ...]], *, square: bool, **others: Any
) -> Settings:
    """Return what a processor does where its file does not say; `square` is of one number."""
    return {
        "do_resize": True, "size": size, "square": square, "resample": 3, "do_rescale": True,
        "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": levels[0],
        "image_std": levels[1], "do_center_crop": "crop_size" in others, **others,
    }  # fmt: skip


DEFAULTS: Final[Mapping[str, Settings]] = {
    "Beit": _defaults(224, _HALF, square=True, crop_size=224, do_center_crop=False),
    "Bit": _defaults(224, _CLIP, square=False, crop_size=224),
    "Blip": _defaults(384, _CLIP, square=True),
    "CLIP": _defaults(224, _CLIP, square=False, crop_size=224),
    "ChineseCLIP": _defaults(224, _CLIP, square=False, crop_size=224),
    "ConvNext": _defaults(384, _HALF, square=False, crop_pct=224 / 256),
    "DeiT": _defaults(256, _HALF, square=True, crop_size=224),
    "EfficientNet": _defaults(346, _HALF, square=True, crop_size=289, do_center_crop=False,
                              rescale_offset=False, include_top=True),
    "Levit": _defaults(224, _IMAGENET, square=False, crop_size=224),
    "MobileNetV1": _defaults(256, _HALF, square=False, crop_size=224, resample=2),
    "MobileNetV2": _defaults(256, _HALF, square=False, crop_size=224, resample=2),
    "MobileViT": _defaults(224, _HALF, square=False, crop_size=256, do_normalize=False,
                           do_flip_channel_order=True),
    "PoolFormer": _defaults(224, _IMAGENET, square=False, crop_size=224, crop_pct=0.9),
    "Pvt": _defaults(224, _IMAGENET, square=True),
    "Segformer": _defaults(512, _IMAGENET, square=True, resample=2),
    "Siglip": {**_defaults(224, _HALF, square=False), "size": {"height": 224, "width": 224}},
    "ViT": _defaults(224, _HALF, square=True, resample=2),
}  # fmt: skip
"""What the image processors do of which [image] makes the same pixels, as of transformers 5.23;
by the beginning of their names."""

_INTERPOLATIONS: Final[Mapping[Any, Interpolation]] = {
    0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming",
}  # fmt: skip
_WARPED: Final = 384
"""From this side on ConvNeXT squeezes a picture to a square instead of cropping it."""


class Geometry(NamedTuple):
    """The size that the model takes, how pictures get it, and what [image] cannot say of it."""

    size: tuple[int, int]
    resize: Literal["exact", "shortest"] = "exact"
    resize_size: int | tuple[int, int] | None = None
    crop: float = 1.0
    note: str = ""


def completed(file: Settings) -> Settings:
    """Return the settings of a preprocessor_config.json as `image_of` takes them.

    Sizes in one number or a list, as older files have them, become tables; what the file leaves
    out are the named processor's defaults, and without a known name those of most.

    Raises:
        ValueError: the size is neither a number, a list of two nor a table.
    """
    given = {key: value for key, value in file.items() if value is not None}
    usual = {"do_resize": True, "do_rescale": True, "rescale_factor": 1 / 255, "resample": 2,
             "do_normalize": "image_mean" in given, "square": "crop_size" not in given}  # fmt: skip
    settings: dict[str, Any] = {**DEFAULTS.get(_name(given), usual), **given}
    square = settings.pop("square")
    for key, one in (("size", square), ("crop_size", True)):
        if key in settings:
            settings[key] = _table(key, settings[key], square=one)
    return settings


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
    cut = geometry.resize == "shortest" or geometry.resize_size is not None
    image = Image(
        size=geometry.size,
        resize=geometry.resize,
        resize_size=geometry.resize_size,
        crop=geometry.crop,
        place="transformers" if cut else "centre",
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


def _table(key: str, size: Any, *, square: bool) -> Mapping[str, int]:
    if isinstance(size, Mapping):
        return size
    if isinstance(size, int):
        return {"height": size, "width": size} if square else {"shortest_edge": size}
    if not (isinstance(size, list) and len(size) == 2):
        raise ValueError(f"{key} is {size!r}; expected a number, [height, width] or a table")
    return {"height": size[0], "width": size[1]}


def _name(settings: Settings) -> str:
    name = settings.get("image_processor_type") or settings.get("feature_extractor_type") or ""
    name = str(name).removesuffix("Fast").removesuffix("Pil")
    return name.removesuffix("ImageProcessor").removesuffix("FeatureExtractor")


def _geometry(settings: Settings) -> Geometry | None:
    size = settings.get("size") or {}
    crop = settings.get("crop_size") if settings.get("do_center_crop") else None
    kept = (int(crop["height"]), int(crop["width"])) if crop else None
    if size.get("shortest_edge") and not size.get("longest_edge"):
        return _by_edge(settings, int(size["shortest_edge"]), kept)
    if not (size.get("height") and size.get("width")):
        return None
    whole = (int(size["height"]), int(size["width"]))
    if _name(settings) == "PoolFormer" and whole[0] == whole[1]:
        return _by_edge(settings, whole[0], kept)
    if kept in (None, whole):
        return Geometry(whole)
    return Geometry(kept, "exact", whole[0] if whole[0] == whole[1] else whole)


def _by_edge(settings: Settings, edge: int, kept: tuple[int, int] | None) -> Geometry:
    """Return how pictures are prepared by the length of their shorter side."""
    name, part = _name(settings), settings.get("crop_pct")
    if name == "ConvNext":
        if edge >= _WARPED:
            return Geometry((edge, edge))
        return Geometry((edge, edge), "shortest", crop=settings["crop_pct"])
    if name == "Levit":
        edge = int(256 / 224 * edge)
    if name == "PoolFormer" and part:
        edge = int(edge / part)
    if kept is None:
        note = "Training did not crop; [image] makes squares of the middle of the pictures."
        return Geometry((edge, edge), "shortest", note=note)
    return Geometry(kept, "shortest", edge if kept != (edge, edge) else None)


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
    if name in DEFAULTS:
        return ""
    return f"Check [image] against the training: {name or 'the'} image processor may do more."


def _unresized(settings: Settings) -> str:
    if settings.get("do_resize"):
        return ""
    return "Training did not resize (do_resize is false); [image] does."


def _padded(settings: Settings) -> str:
    return "Training padded pictures (do_pad); [image] does not." if settings.get("do_pad") else ""
