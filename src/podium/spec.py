"""podium.toml as frozen structs; the descriptions below are the text of the reference."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, field

from podium.cells import check_cell
from podium.errors import Mistake
from podium.strict import Period, Size, Table

RESERVED: Final = ("model", "seed", "confidence_level", "top", "include", "map_ms")
"""Names of query parameters, which no feature may have."""

Value = str | int | float | bool
Text = Annotated[str, Meta(min_length=1)]
Layout = Literal["NCHW", "NHWC"]
Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
MAX_SIDE: Final = 4096
Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]
_CODE: Final = re.compile(r"\w+(\.\w+)*:\w+")


def doc(text: str) -> Meta:
    """Attach the reference's sentence to a key."""
    return Meta(description=text)


class Task(Table, frozen=True, kw_only=True):
    """[task]: what the models predict."""

    kind: Annotated[Literal["classification", "regression"], doc("What is predicted.")]
    target: Annotated[str | None, doc("The answer's name; its column in data sets.")] = None
    labels: Annotated[
        tuple[Text, ...] | str | None,
        doc("The classes in the model's order, or a file with one label a line."),
    ] = None
    unit: Annotated[str | None, doc("The unit of a regression's value.")] = None

    def check(self) -> Iterator[Mistake]:
        """Labels belong to a classification, a unit to a regression."""
        if self.kind == "regression" and self.labels is not None:
            yield Mistake("labels", 'belongs to kind = "classification"; remove it')
        if self.kind == "classification" and self.unit is not None:
            yield Mistake("unit", 'belongs to kind = "regression"; remove it')
        if isinstance(self.labels, tuple):
            yield from check_labels(self.labels)


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
        if self.kind == "category" and len(self.choices) < 2:
            yield Mistake("choices", "a category needs at least two choices")
        if self.kind != "category" and self.choices:
            yield Mistake("choices", 'belongs to kind = "category"')
        for choice in _repeated(self.choices):
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


class Code(Table, frozen=True, kw_only=True):
    """[pipeline]: the maker's own functions, in modules beside podium.toml."""

    preprocess: Annotated[str | None, doc('"module:function" from items to arrays.')] = None
    postprocess: Annotated[str | None, doc('"module:function" from outputs to scores.')] = None

    def check(self) -> Iterator[Mistake]:
        """A function is named as module:function."""
        for key in ("preprocess", "postprocess"):
            name = getattr(self, key)
            if name is not None and not _CODE.fullmatch(name):
                yield Mistake(key, f'expected "module:function", found {name!r}')


class ModelSpec(Table, frozen=True, kw_only=True):
    """[[models]]: one model to choose from; the first is the default."""

    name: Annotated[Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")],
                    doc("Its name in requests: letters, digits, dots, dashes.")]  # fmt: skip
    title: Annotated[str | None, doc("What the page calls it.")] = None
    file: Annotated[Text | None, doc("The model, a file or a folder inside of this one.")] = None
    files: Annotated[tuple[Text, ...], doc("Several files: an ensemble, one vote each.")] = ()
    python: Annotated[str | None, doc('The maker\'s own model, "module:function_or_class".')] = None
    runtime: Annotated[str | None, doc("Guessed from the file when left out.")] = None
    factory: Annotated[str | None, doc('"module:function" that builds what weights go in.')] = None
    samples: Annotated[
        Annotated[int, Meta(ge=2, le=10_000)] | None, doc("Stochastic passes for one answer.")
    ] = None
    noise: Annotated[str | None, doc("The graph's input that takes its noise.")] = None
    card: Annotated[str | None, doc("A Markdown file that describes the model.")] = None
    image: Annotated[
        Image | None, doc("Keys of [image] that are others for this model, such as size.")
    ] = None
    trust: Annotated[
        Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")] | None,
        doc("The sha256 of a model that is a program, for which the maker vouches."),
    ] = None

    def check(self) -> Iterator[Mistake]:
        """A model comes from exactly one place; noise and passes belong together."""
        given = [key for key in ("file", "files", "python") if getattr(self, key)]
        if len(given) != 1:
            found = " and ".join(given) or "none"
            yield Mistake("file", f"expected one of file, files and python; found {found}")
        if self.noise is not None and self.samples is None:
            yield Mistake("samples", "noise needs the number of passes, such as samples = 100")
        if self.files:
            yield Mistake("files", "is reserved for a later version; use file alone")
        for key in ("python", "factory"):
            name = getattr(self, key)
            if name is not None and not _CODE.fullmatch(name):
                yield Mistake(key, f'expected "module:name", found {name!r}')
        if self.factory is not None and self.file is None:
            yield Mistake("factory", "belongs to a file of weights; remove it")
        if self.samples is not None and self.noise is None:
            yield Mistake("noise", "samples needs the name of the input that takes the noise")


class Reference(Table, frozen=True, kw_only=True):
    """[[references]]: something worth reading or downloading beside the form."""

    title: Annotated[Text, doc("What the link says.")]
    file: Annotated[str | None, doc("A file of the folder, offered for download.")] = None
    url: Annotated[
        Annotated[str, Meta(pattern="^https?://")] | None, doc("An http or https address.")
    ] = None

    def check(self) -> Iterator[Mistake]:
        """A reference has one target."""
        if (self.file is None) == (self.url is None):
            yield Mistake("url", "expected either file or url")


class Example(Table, frozen=True, kw_only=True):
    """[[examples]]: an input shown on the page, and a self-test of `podium check`."""

    title: Annotated[Text, doc("What the page calls it.")]
    inputs: Annotated[dict[str, Value] | None, doc("The features' values.")] = None
    image: Annotated[str | None, doc("An image file of the folder.")] = None
    text: Annotated[str | None, doc("A text.")] = None
    expected: Annotated[Value | None, doc("The label or value that must come out.")] = None
    tolerance: Annotated[
        Annotated[float, Meta(ge=0)], doc("How far a regression's value may be off.")
    ] = 0.0

    def check(self) -> Iterator[Mistake]:
        """An example has one kind of input."""
        if sum(x is not None for x in (self.inputs, self.image, self.text)) != 1:
            yield Mistake("inputs", "expected exactly one of inputs, image and text")


class Limits(Table, frozen=True, kw_only=True):
    """[limits]: one source for the app, Gunicorn, nginx, the page and the platforms."""

    upload: Annotated[Size, doc("The largest body of one /predict request.")] = Size(20_000_000)
    dataset: Annotated[Size, doc("The largest /datasets upload.")] = Size(2_000_000_000)
    rows: Annotated[Annotated[int, Meta(ge=1)], doc("The most items in one request.")] = 10_000
    timeout: Annotated[Period, doc("How long one request may take.")] = Period(60)
    map: Annotated[
        Period, doc('How long the maps of one request may take; "0 s" turns them off.')
    ] = Period(2)
    concurrency: Annotated[
        Annotated[int, Meta(ge=1)], doc("Inferences at once in one worker, at most one a core.")
    ] = 8
    queue: Annotated[
        Annotated[int, Meta(ge=0)], doc("Requests of one worker that may wait for an inference.")
    ] = 64


class Server(Table, frozen=True, kw_only=True):
    """[server]: how the application is served."""

    workers: Annotated[
        Annotated[int, Meta(ge=1)] | None, doc("Web workers; one a core when left out.")
    ] = None
    threads: Annotated[Annotated[int, Meta(ge=1)], doc("Threads of one worker.")] = 4
    engine: Annotated[
        Literal["local", "gunicorn", "ray"], doc("Where inference runs; this version: local.")
    ] = "local"
    base_path: Annotated[
        Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)*$")],
        doc("The path prefix behind a proxy, such as /penguins."),
    ] = ""
    hosts: Annotated[tuple[str, ...], doc("The host names it answers to; all when left out.")] = ()

    def check(self) -> Iterator[Mistake]:
        """Only the local engine is there yet."""
        if self.engine != "local":
            yield Mistake("engine", f'{self.engine!r} is not served by this version; use "local"')


class History(Table, frozen=True, kw_only=True):
    """[history]: keeping past predictions."""

    on: Annotated[bool, doc("Whether predictions are kept.")] = False
    keep: Annotated[Period, doc("For how long.")] = Period(30 * 86400)

    def check(self) -> Iterator[Mistake]:
        """Nothing keeps predictions yet."""
        if self.on:
            yield Mistake("on", "this version keeps no history; leave it false")


class Theme(Table, frozen=True, kw_only=True):
    """[theme]: the page's look."""

    colour: Annotated[
        Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$")] | None,
        doc("The accent colour, such as #1f6f8b."),
    ] = None
    logo: Annotated[str | None, doc("An image file of the folder.")] = None
    font: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ,'-]+$")] | None,
        doc("A font family of the visitor's machine."),
    ] = None


class Spec(Table, frozen=True, kw_only=True):
    """podium.toml."""

    title: Annotated[Text, doc("The application's title.")]
    task: Task
    models: tuple[ModelSpec, ...]
    summary: Annotated[str, doc("One sentence below the title.")] = ""
    about: Annotated[str | None, doc("A Markdown file, the page's introduction.")] = None
    requirements: Annotated[tuple[str, ...], doc("Packages that the maker's own code needs.")] = ()
    features: tuple[Feature, ...] = ()
    image: Image | None = None
    text: TextInput | None = None
    pipeline: Code = Code()
    references: tuple[Reference, ...] = ()
    examples: tuple[Example, ...] = ()
    limits: Limits = Limits()
    server: Server = Server()
    history: History = History()
    theme: Theme = Theme()
    deploy: Annotated[dict[str, dict[str, Any]], doc("Settings of the hosting platforms.")] = field(
        default_factory=dict
    )

    def check(self) -> Iterator[Mistake]:
        """One kind of input, at least one model, no name twice, examples that fit."""
        if not self.models:
            yield Mistake("models", "expected at least one [[models]] table")
        inputs = [key for key in ("features", "image", "text") if getattr(self, key)]
        if len(inputs) != 1:
            found = " and ".join(inputs) or "none"
            yield Mistake(
                "features", f"expected one of [[features]], [image], [text]; found {found}"
            )
        for key in ("features", "models"):
            for name in _repeated(one.name for one in getattr(self, key) or () if one.name):
                yield Mistake(key, f"the name {name!r} stands there twice")
        for index, model in enumerate(self.models or ()):
            if model.image is not None and self.image is None:
                yield Mistake(
                    f"models[{index}].image", "needs [image], which says that images are sent"
                )
        for index, example in enumerate(self.examples):
            if example.image is None and self.image is not None:
                yield Mistake(f"examples[{index}].image", "is missing; expected an image file")
            if example.inputs is None and self.features:
                yield Mistake(f"examples[{index}].inputs", "is missing; expected the features")
            if example.text is None and self.text is not None:
                yield Mistake(f"examples[{index}].text", "is missing; expected a text")


def check_labels(labels: Iterable[str]) -> Iterator[Mistake]:
    """Yield what is wrong with a list of labels."""
    names = list(labels)
    if len(names) < 2:
        yield Mistake("labels", f"expected at least two labels, found {len(names)}")
    for name in _repeated(names):
        yield Mistake("labels", f"{name!r} stands there twice; labels must differ")


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
