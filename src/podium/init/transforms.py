"""The evaluation transforms of torchvision, as their text or as JSON, said as [image]."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from podium.strict import shown

Keys = dict[str, Any]
"""Keys of [image]; without size where a description does not resize."""

_GAP: Final = re.compile(r"(?<=[\w\])'\".])\s+(?=[A-Za-z_][\w.]*[=(])")
"""Between two arguments of a repr, which has no comma there."""
_POSITIONAL: Final[Mapping[str, tuple[str, ...]]] = {
    "Resize": ("size", "interpolation"), "CenterCrop": ("size",), "Pad": ("padding", "fill"),
    "Grayscale": ("num_output_channels",), "Normalize": ("mean", "std"),
    "ConvertImageDtype": ("dtype",), "ToDtype": ("dtype", "scale"),
}  # fmt: skip
_IDLE: Final = ("Identity", "PILToTensor", "RGB", "ToImage", "ToPILImage", "ToPureTensor")
"""Transforms that change no value of an RGB picture of 8 bits."""
_SIZED: Final = ("RandomCrop", "RandomResizedCrop", "RandomResizedCropAndInterpolation")
_TRAINED: Final = ("AugMix", "AutoAugment", "ColorJitter", "RandAugment", "TrivialAugmentWide")
_EVALUATED: Final = "describe what evaluation did"
_UNRESIZED: Final = (
    "The description does not resize, so that pictures are squeezed to the model's size."
)
_UNCROPPED: Final = (
    "The description does not crop; [image] makes squares of the middle of the pictures."
)
_TENSORS: Final = (
    "Training resized tensors; the pixels of Pillow, which Podium resizes with, may differ."
)
_LATE_GREY: Final = (
    "Training made pictures grey after it resized them; [image] does it before, which may differ "
    "by 1 of 255."
)


class Step(NamedTuple):
    """One transform and its arguments by their names."""

    name: str
    given: Mapping[str, Any]


def steps_of_text(text: str) -> list[Step]:
    """Return the transforms that a repr, or an expression in Python, lists; nothing is run.

    Raises:
        SyntaxError: it is neither.
        ValueError: it holds something that is no transform.
    """
    tree = ast.parse(_GAP.sub(", ", text.strip()), mode="eval")
    return list(_flat(_value(tree.body)))


def steps_of_json(document: Any) -> list[Step]:
    """Return the transforms that JSON lists.

    A step is {"Resize": {"size": 256}}, {"name": "Resize", "size": 256} or "ToTensor".

    Raises:
        ValueError: a step is none of these.
    """
    if isinstance(document, list):
        return [step for one in document for step in steps_of_json(one)]
    if isinstance(document, str):
        return [Step(document, {})]
    if not isinstance(document, dict):
        raise ValueError(f"{shown(document)} is no transform")
    for key in ("Compose", "transforms"):
        if key in document:
            return steps_of_json(document[key])
    if "resize_size" in document:
        return list(_flat(Step("ImageClassification", document)))
    for key in ("name", "type"):
        if key in document:
            return list(_flat(Step(str(document[key]), document)))
    ((name, given),) = document.items() if len(document) == 1 else [("", None)]
    if not isinstance(given, dict):
        raise ValueError(f"{shown(document)} is no transform")
    return list(_flat(Step(name, given)))


def keys_of(steps: Sequence[Step]) -> tuple[Keys, tuple[str, ...]]:
    """Return the keys of [image] for transforms in their order, and what it cannot say.

    Raises:
        ValueError: naming a transform, or an order of them, that [image] cannot say.
    """
    keys: Keys = {"scale": 1.0}
    notes: list[str] = []
    for name, given in steps:
        if name in _IDLE:
            keys["tensor"] = keys.get("tensor", False) or name in ("ToImage", "PILToTensor")
        elif name in _SIZED:
            raise ValueError(f"{name} belongs to training; {_EVALUATED}")
        elif name.startswith("Random") or name in _TRAINED:
            notes.append(f"{name} belongs to training and is left out.")
        elif name in _STEPS:
            _STEPS[name](keys, given, notes)
        else:
            known = ", ".join(sorted([*_STEPS, *_IDLE]))
            raise ValueError(f"[image] cannot say {name!r}; it can say {known}")
    return _finished(keys, notes), tuple(notes)


def _finished(keys: Keys, notes: list[str]) -> Keys:
    """Return keys with their size, and without what only the order of the steps needed."""
    keys.pop("tensor", None)
    if "resize" not in keys:
        notes.append(_UNRESIZED)
        return keys
    resized: tuple[int, int] = keys["resize_size"]
    if keys["resize"] == "shortest" and "size" not in keys:
        notes.append(_UNCROPPED)
    size: tuple[int, int] = keys.setdefault("size", resized)
    if resized == size:
        del keys["resize_size"]
    elif any(have < want for have, want in zip(resized, size, strict=True)):
        keys["place"] = "torchvision"
    if "resize_size" in keys and resized[0] == resized[1]:
        keys["resize_size"] = resized[0]
    return keys


def _resize(keys: Keys, given: Mapping[str, Any], notes: list[str]) -> None:
    if "resize" in keys or "size" in keys:
        raise ValueError("[image] resizes once, before it crops; another Resize it cannot say")
    if given.get("max_size") is not None:
        raise ValueError(f"[image] cannot say Resize with max_size={given['max_size']}")
    if keys.get("tensor"):
        notes.append(_TENSORS)
    found = _whole("Resize", given, "size")
    keys["resize"] = "shortest" if len(found) == 1 else "exact"
    keys["resize_size"] = _pair(found)
    way = given.get("interpolation", "bilinear")
    keys["interpolation"] = re.sub("[_-]exact$", "", way) if isinstance(way, str) else way


def _crop(keys: Keys, given: Mapping[str, Any], _: list[str]) -> None:
    if "resize" not in keys or "size" in keys:
        raise ValueError("[image] crops once, after it resized; this CenterCrop it cannot say")
    keys["size"] = _pair(_whole("CenterCrop", given, "size"))


def _pad(keys: Keys, given: Mapping[str, Any], _: list[str]) -> None:
    if keys.get("resize") != "exact" or "size" in keys:
        raise ValueError("[image] can say Pad only after a Resize to height and width")
    if given.get("padding_mode", "constant") != "constant":
        raise ValueError(f"[image] cannot say Pad with padding_mode={given['padding_mode']}")
    found = _whole("Pad", given, "padding")
    width, height = _pair(found[:2])
    if len(found) == 4 and found[:2] != found[2:]:
        raise ValueError(f"[image] pads both sides alike, and this Pad does not: {found}")
    tall, wide = keys["resize_size"]
    keys["size"] = (tall + 2 * height, wide + 2 * width)
    if fill := given.get("fill"):
        keys["fill"] = fill if isinstance(fill, list) else [fill]


def _grey(keys: Keys, given: Mapping[str, Any], notes: list[str]) -> None:
    channels = given.get("num_output_channels", 1)
    if channels != 1:
        raise ValueError(f"[image] makes grey pictures of one channel, and Grayscale of {channels};"
                         " write a [pipeline] preprocess")  # fmt: skip
    if "resize" in keys:
        notes.append(_LATE_GREY)
    keys["colour"] = "grey"


def _to_unit(keys: Keys, _: Mapping[str, Any], __: list[str]) -> None:
    keys.update(scale=1 / 255, tensor=True)


def _to_dtype(keys: Keys, given: Mapping[str, Any], _: list[str]) -> None:
    keys.update({"scale": 1 / 255} if given.get("scale") else {}, tensor=True)


def _normalise(keys: Keys, given: Mapping[str, Any], _: list[str]) -> None:
    if "mean" in keys:
        raise ValueError("[image] normalises once; another Normalize it cannot say")
    for key in ("mean", "std"):
        if key not in given:
            raise ValueError(f"Normalize lacks {key}")
        keys[key] = given[key] if isinstance(given[key], list) else [given[key]]


_STEPS: Final[Mapping[str, Callable[[Keys, Mapping[str, Any], list[str]], None]]] = {
    "Resize": _resize, "CenterCrop": _crop, "Pad": _pad, "Grayscale": _grey,
    "ToTensor": _to_unit, "MaybeToTensor": _to_unit, "ConvertImageDtype": _to_unit,
    "ToDtype": _to_dtype, "Normalize": _normalise,
}  # fmt: skip


def _whole(name: str, given: Mapping[str, Any], key: str) -> list[int]:
    """Return an argument that is one whole number, or a list of 1, 2 or 4."""
    found: Any = given.get(key)
    sides = found if isinstance(found, list) else [found]
    if len(sides) not in (1, 2, 4) or not all(type(side) is int for side in sides):
        raise ValueError(f"{name} has {key}={shown(found)}; expected whole numbers")
    return sides


def _pair(sides: Sequence[int]) -> tuple[int, int]:
    return sides[0], sides[-1]


def _flat(step: Any) -> Iterator[Step]:
    """Yield the transforms of a step, which may be a list of others or a torchvision preset."""
    if isinstance(step, list):
        for one in step:
            yield from _flat(one)
    elif not isinstance(step, Step):
        raise ValueError(f"{shown(step)} is no transform")
    elif step.name in ("Compose", "Sequential"):
        yield from _flat(list(step.given.values()))
    elif step.name == "ImageClassification":
        given = step.given
        yield Step(
            "Resize", {"interpolation": "bilinear", **given, "size": given.get("resize_size")}
        )
        yield Step("CenterCrop", {"size": given.get("crop_size")})
        yield Step("ToTensor", {})
        yield Step("Normalize", given)
    else:
        yield step


def _value(node: ast.expr) -> Any:
    """Return what stands in a text: a number, a word in small letters, a list, or a Step."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(one) for one in node.elts]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, (ast.Attribute, ast.Name)):
        return _word(node).lower()
    if isinstance(node, ast.Call):
        name = _word(node.func)
        if name == "tensor" and node.args:
            return _value(node.args[0])
        names = _POSITIONAL.get(name, ())
        places = [*names, *map(str, range(len(names), len(node.args)))]
        given = {key: _value(one) for key, one in zip(places, node.args, strict=False)}
        return Step(name, given | {one.arg or "": _value(one.value) for one in node.keywords})
    raise ValueError(f"{ast.unparse(node)!r} is no transform")


def _word(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)
