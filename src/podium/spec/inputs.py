"""What a visitor sends: [[features]], [image] or [text]."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec import Meta

from podium.cells import check_cell
from podium.errors import Mistake
from podium.spec.words import Text, Value, doc, repeated
from podium.strict import Table

RESERVED: Final = ("model", "seed", "confidence_level", "top", "include", "map_ms")
"""Names of query parameters, which no feature may have."""

Layout = Literal["NCHW", "NHWC"]
Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
MAX_SIDE: Final = 4096
Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]


class Feature(Table, frozen=True, kw_only=True):
    """[[features]]: one tabular input."""

    name: Annotated[Text, doc("The key in JSON and forms, and the column in data sets.")]
    label: Annotated[str | None, doc("What the page calls it; the name when left out.")] = None
    unit: Annotated[str | None, doc("The unit, shown beside the field.")] = None
    help: Annotated[str | None, doc("One sentence for the visitor.")] = None
    kind: Annotated[
        Literal["number", "integer", "category", "boolean"], doc("What values it takes.")
    ] = "number"
    choices: Annotated[
        tuple[Text, ...], doc("The values of a category; a model's matrix gets their index.")
    ] = ()
    range: Annotated[
        tuple[float, float] | None,
        doc("Least and greatest value in the training data; outside it, a warning."),
    ] = None
    optional: Annotated[bool, doc("Whether it may be missing.")] = False
    example: Annotated[Value | None, doc("A value the form is filled with on request.")] = None

    def check(self) -> Iterator[Mistake]:
        """A category has choices, a range runs upwards, an example fits."""
        if self.name in RESERVED:
            yield Mistake("name", f"{self.name!r} is a query parameter; choose another name")
        if {'"', "\\"} & set(self.name or ""):
            yield Mistake("name", f'{self.name!r} holds a " or \\; write it in label alone')
        if self.kind == "category" and len(self.choices) < 2:
            yield Mistake("choices", "a category needs at least two choices")
        if self.kind != "category" and self.choices:
            yield Mistake("choices", 'belongs to kind = "category"')
        for choice in repeated(self.choices):
            yield Mistake("choices", f"{choice!r} stands there twice")
        if self.range is not None and self.kind not in ("number", "integer"):
            yield Mistake("range", "belongs to a number or an integer")
        elif self.range is not None and not -math.inf < self.range[0] < self.range[1] < math.inf:
            yield Mistake("range", f"expected [least, greatest], found {list(self.range)}")
        if self.example is not None and self.kind is not None:
            yield from self._check_example()

    def _check_example(self) -> Iterator[Mistake]:
        try:
            check_cell(self, self.example)
        except ValueError as err:
            yield Mistake("example", str(err))


class Image(Table, frozen=True, kw_only=True):
    """[image]: image input, prepared as it was when the model was trained."""

    size: Annotated[tuple[Side, Side], doc("Height and width that the model takes, in pixels.")]
    resize: Annotated[
        Literal["exact", "shortest", "longest"],
        doc("exact: squeezed to size; shortest: by the shorter side, the rest is cut off; longest: "
            "by the longer side, the rest is padded."),
    ] = "exact"  # fmt: skip
    resize_size: Annotated[
        int | tuple[int, int] | None,  # msgspec 0.22 crashes when such a union has bounds
        doc("The side, or height and width, to resize to before the cut to size, such as 256."),
    ] = None
    crop: Annotated[
        Annotated[float, Meta(gt=0, le=1)],
        doc("In place of resize_size: the part of the sides that is kept, such as 0.875."),
    ] = 1.0
    place: Annotated[
        Literal["centre", "torchvision", "transformers", "corner"],
        doc("Where to cut or to pad: in the centre, with half a pixel where Pillow, torchvision "
            "or transformers puts it; or from the top left corner."),
    ] = "centre"  # fmt: skip
    fill: Annotated[
        tuple[Annotated[int, Meta(ge=0, le=255)], ...],
        doc("The colour of the padding, one number or one a channel; black when left out."),
    ] = ()
    interpolation: Annotated[Interpolation, doc("How pixels are resampled.")] = "bilinear"
    colour: Annotated[Literal["rgb", "bgr", "grey"], doc("The channels and their order.")] = "rgb"
    scale: Annotated[float, doc("Multiplies the 8-bit values.")] = 1 / 255
    mean: Annotated[tuple[float, ...], doc("Then subtracted, one for all or one a channel.")] = ()
    std: Annotated[
        tuple[Annotated[float, Meta(gt=0)], ...], doc("Then divides, one for all or one a channel.")
    ] = ()
    layout: Annotated[Layout, doc("The order of the model's axes.")] = "NCHW"
    polarity: Annotated[
        Literal["as_is", "any"],
        doc("any: strokes may be darker or lighter than their ground; made light on dark."),
    ] = "as_is"
    trim: Annotated[bool, doc("Cut to the strokes and centre them before resizing.")] = False
    decode: Annotated[
        Literal["fast", "exact"],
        doc("fast: a picture far above the model's size may be scaled down while it is decoded; "
            "exact: never."),
    ] = "fast"  # fmt: skip
    draw: Annotated[bool, doc("Offer an area to draw in on the page.")] = False
    url: Annotated[
        bool,
        doc("Take the address of an image too, on the page and as image_url in forms; the server "
            "fetches it, from public hosts alone."),
    ] = False  # fmt: skip

    @property
    def channels(self) -> int:
        """The number of channels of the model's input."""
        return 1 if self.colour == "grey" else 3

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width to which pictures are squeezed, which they cover, or fit into."""
        if isinstance(self.resize_size, int):
            return self.resize_size, self.resize_size
        height, width = self.size or (1, 1)  # of a file with mistakes
        return self.resize_size or (int(height / self.crop), int(width / self.crop))  # as timm

    def check(self) -> Iterator[Mistake]:
        """Numbers are one, or one a channel; one key says how far to resize; strokes are grey."""
        for key in ("mean", "std", "fill"):
            if len(getattr(self, key)) not in (0, 1, self.channels):
                many = "1 number" if self.channels == 1 else f"1 or {self.channels} numbers"
                yield Mistake(key, f"expected {many} for {self.colour!r}")
        if not all(1 <= side <= MAX_SIDE for side in self.resized):
            key = "crop" if self.resize_size is None else "resize_size"
            yield Mistake(key, f"resizes to {self.resized}; expected 1 to {MAX_SIDE} pixels")
        if self.crop < 1 and self.resize_size is not None:
            yield Mistake("crop", "resize_size says it already; leave one of the two out")
        if self.fill and self.resize == "exact" and self.resize_size is None:
            yield Mistake("fill", 'nothing is padded; it belongs to resize = "longest"')
        for key, wanted in (("polarity", self.polarity == "any"), ("trim", self.trim)):
            if wanted and self.colour != "grey":
                yield Mistake(key, 'needs colour = "grey"')


class TextInput(Table, frozen=True, kw_only=True):
    """[text]: text input."""

    max_length: Annotated[Annotated[int, Meta(ge=1)], doc("The most characters.")] = 10_000
