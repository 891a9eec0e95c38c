"""What a model, its maker and labelled data tell, as a first guess of an application."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

import msgspec
import numpy as np

from podium.errors import InvalidInput
from podium.init.columns import features_of, matrix_of
from podium.init.described import Description, describe
from podium.init.guess import Findings, Guess
from podium.init.hints import Hints
from podium.init.table import LabelledTable
from podium.init.task import find_task
from podium.pipeline.preprocess import encoder, expected_input
from podium.pipeline.probe import probe_items
from podium.runtimes import Model, TensorSpec
from podium.signature import Signature
from podium.spec import Feature, Image, Layout, TextInput

CHANNELS: Final = (1, 3)
GUESSED_PIXELS: Final = 224
CHECK: Final = "check it against the training"
PREPARED: Final = (
    "The file does not say how pictures were prepared: check scale, mean and std under [image] "
    "against the training; an [[examples]] table with what is expected proves them."
)
_WAYS: Final = "--features a,b,c (or how many) or --data FILE.csv --target COLUMN"


def expected_from(hints: Hints, data: LabelledTable | None) -> TensorSpec | None:
    """Return the array that a model will get which does not say what it takes; None if unknown."""
    if hints.text:
        return expected_input(Guess(text=TextInput()).signature)
    if hints.image:
        return expected_input(Guess(image=hints.image).signature)
    names = hints.features or tuple(f"x{index}" for index in range(hints.columns or 0))
    names = names or (data.useful if data else ())
    features = tuple(Feature(name=name) for name in names)
    return expected_input(Guess(features=features).signature) if features else None


def untold(model: Model, hints: Hints, data: LabelledTable | None) -> str:
    """Return in words what is still to be said of the model's input, or ""."""
    if not model.inputs:
        return f"what it takes. Say it: {_WAYS}, --size 224 for images, --text for texts."
    matrix, told = matrix_of(model), hints.features or hints.columns or data
    if matrix and matrix.shape[1] is None and not (told or model.features or _is_text(model)):
        return f"how many columns {matrix.name!r} has. Say it: {_WAYS}."
    return ""


def inspect_model(
    title: str, model: Model, hints: Hints, data: LabelledTable | None = None
) -> Guess:
    """Return what can be guessed of an application.

    Raises:
        InvalidInput: naming all that the maker said and that does not fit the model.
        ModelError: it takes something else than features, an image or a text.
    """
    findings = Findings() if hints.title else Findings(why={"title": "from the file's name"})
    inputs = _inputs(model, hints, data, findings)
    outputs = () if findings.wrong else _outputs(model, inputs.signature)
    task = find_task(model, hints, data, outputs, findings)
    if findings.wrong:
        raise InvalidInput(findings.wrong)
    return replace(
        inputs, title=hints.title or title, kind=task.kind, labels=task.labels, unit=hints.unit,
        target=hints.target or (data.target.name if data else None),
        why=findings.why, sources=findings.sources, notes=tuple(findings.notes),
    )  # fmt: skip


def _inputs(model: Model, hints: Hints, data: LabelledTable | None, findings: Findings) -> Guess:
    """Return a guess of the inputs alone."""
    first, *others = model.inputs
    if _is_text(model) and not _is_category(first, hints, data):
        _refuse(findings, "texts", size=hints.size, image_config=hints.described,
                features=data is None and hints.features)  # fmt: skip
        return Guess(text=TextInput(), text_column=_text_column(first, hints, data, findings))
    if model.image or (len(first.shape) == 4 and not others):
        _refuse(findings, "images", text=hints.text, data=data,
                features=hints.features or hints.columns)  # fmt: skip
        return Guess(image=_image(first, model.image, hints, findings))
    _refuse(findings, "features", text=hints.text, size=hints.size,
            image_config=hints.described)  # fmt: skip
    return Guess(features=features_of(model, hints, data, findings))


def _refuse(findings: Findings, takes: str, **options: object) -> None:
    """Add a mistake for each option that was given and is of another kind of input."""
    for option, given in options.items():
        if given:
            findings.mistake(
                f"--{option.replace('_', '-')}", f"the model takes {takes}; leave it out"
            )


def _is_text(model: Model) -> bool:
    """Whether the only input is one text an item."""
    first, *others = model.inputs
    plain = first.shape[1:] in ((), (1,)) and not first.choices and not model.features
    return first.dtype == np.object_ and plain and not others


def _is_category(spec: TensorSpec, hints: Hints, data: LabelledTable | None) -> bool:
    """Whether the data show that the texts of an input are few values of a column of its name."""
    column = data.column(spec.name) if data and not hints.text else None
    return column is not None and column.kind == "text" and not column.identifies


def _text_column(
    spec: TensorSpec, hints: Hints, data: LabelledTable | None, findings: Findings
) -> str | None:
    """Return the column of the data that holds the texts."""
    if data is None:
        return None
    known = [column.name for column in data.columns]
    texts = [column.name for column in data.columns if column.kind == "text"]
    named = [name for name in (*hints.features, spec.name, "text") if name in known]
    if hints.features and hints.features[0] not in known:
        findings.mistake("--features", f"{data.file} has no column {hints.features[0]!r}")
    elif not named and len(texts) != 1:
        findings.mistake("--features", f"which column of {data.file.name} holds the text? One of: "
                         f"{', '.join(known)}")  # fmt: skip
    return next(iter([*named, *texts]), None)


def _image(spec: TensorSpec, told: Image | None, hints: Hints, findings: Findings) -> Image:
    """Return the image that fits an input of four axes, as far as anything tells it."""
    described = _described(spec, told, hints, findings)
    if described or (told and len(spec.shape) != 4):
        return described or told  # type: ignore[return-value]
    layout, channels, sides = _axes(spec)
    wanted = hints.size[:2] or (told.size if told else (GUESSED_PIXELS, GUESSED_PIXELS))
    size = (sides[0] or wanted[0], sides[1] or wanted[1])
    if hints.size and size != hints.size[:2]:
        findings.mistake("--size", f"the model takes {size[0]}x{size[1]}; leave it out")
    elif len(hints.size) > 2 and channels not in (None, hints.size[2]):
        takes = f"{channels} channel" + ("s" if channels != 1 else "")
        findings.mistake("--size", f"the model takes {takes}; leave it out")
    if told:
        return msgspec.structs.replace(told, size=size)
    if None in sides and not hints.size:
        findings.why["image.size"] = "the file leaves it open"
    colour: Literal["grey", "rgb"] = "grey" if channels == 1 else "rgb"
    for key in ("resize", "interpolation", "colour", "scale", "mean", "std"):
        findings.why[f"image.{key}"] = CHECK
    findings.notes.append(PREPARED)
    if spec.dtype.kind in "iu":  # bytes as they are; scaled to 1 all would be 0
        return Image(size=size, colour=colour, layout=layout, scale=1.0)
    return Image(size=size, colour=colour, layout=layout)


def _axes(spec: TensorSpec) -> tuple[Layout, int | None, tuple[int | None, ...]]:
    """Return the layout of an input of four axes, its channels, and its height and width."""
    _, *rest = spec.shape
    if rest[2] in CHANNELS and rest[0] not in CHANNELS:
        return "NHWC", rest[2], tuple(rest[:2])
    return "NCHW", rest[0], tuple(rest[1:])


def _described(
    spec: TensorSpec, told: Image | None, hints: Hints, findings: Findings
) -> Image | None:
    """Return the image of the description that the maker named, or that lies beside the model.

    The named one must fit; of another one that does not, a note tells. What the model itself says
    counts more than what lies beside it.
    """
    files = () if told else hints.beside
    if hints.described is None and not files:
        return None
    try:
        description = hints.described or describe(files[0])
        image = _fitted(description, spec, hints)
    except ValueError as err:
        if hints.described:
            findings.mistake("--image-config", str(err))
        else:
            findings.notes.append(f"What lies beside the model is not used: {err}.")
        return None
    findings.notes += description.notes
    if not hints.described and files[1:]:
        others = ", ".join(file.name for file in files[1:])
        findings.notes.append(f"{description.file} was read. Beside it lies {others}, which "
                              "--image-config can name in its place.")  # fmt: skip
    keys = {**description.keys, "size": (), **({"colour": ()} if image.colour == "grey" else {})}
    findings.sources |= {f"image.{key}": description.file for key in keys}
    return image


def _fitted(description: Description, spec: TensorSpec, hints: Hints) -> Image:
    """Return what a description says, with the model's layout and what it leaves to the model.

    Raises:
        ValueError: it describes another input than the model's.
    """
    if len(spec.shape) != 4:
        raise ValueError(f"{description.file} is of pictures as (channels, height, width), and the "
                         f"model takes {list(spec.shape[1:])}")  # fmt: skip
    layout, channels, sides = _axes(spec)
    given = hints.size[:2] or (GUESSED_PIXELS, GUESSED_PIXELS)
    own = (sides[0] or given[0], sides[1] or given[1])
    image = description.image(own, grey=channels == 1, layout=layout)
    made = (image.channels, *image.size)
    if any(want not in (None, have) for have, want in zip(made, (channels, *sides), strict=True)):
        wanted = "x".join("any" if one is None else str(one) for one in (channels, *sides))
        raise ValueError(f"{description.file} makes {'x'.join(map(str, made))} (channels x height x"
                         f" width), and the model takes {wanted}")  # fmt: skip
    if hints.size and image.size != hints.size[:2]:
        raise ValueError(f"{description.file} makes {image.size[0]}x{image.size[1]}, and --size is "
                         f"{hints.size[0]}x{hints.size[1]}; leave one of them out")  # fmt: skip
    if spec.dtype.kind in "iu" and (image.scale != 1 or image.mean or image.std):
        raise ValueError(f"{description.file} scales the values, and the model takes whole numbers "
                         f"({spec.dtype})")  # fmt: skip
    return image


def _outputs(model: Model, signature: Signature) -> Sequence[TensorSpec]:
    """Return the outputs as the file tells them, or as a probe batch shows them."""
    if model.outputs and not any(None in spec.shape[1:] for spec in model.outputs):
        return model.outputs
    try:
        made = model.predict(encoder(signature, model)(probe_items(signature)))
    except Exception:
        return model.outputs
    return [
        TensorSpec(name, array.dtype, (None, *array.shape[1 + (name == "votes") :]))
        for name, array in made.items()
    ]
