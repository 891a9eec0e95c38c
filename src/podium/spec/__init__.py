"""podium.toml as frozen structs; the descriptions below are the text of the reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from msgspec import Meta

from podium.errors import Mistake
from podium.spec.access import Access
from podium.spec.deploy import Deploy
from podium.spec.inputs import (
    MAX_SIDE,
    RESERVED,
    Feature,
    Image,
    Interpolation,
    Layout,
    TextInput,
)
from podium.spec.model import Code, ModelSpec
from podium.spec.serving import History, Limits, Server, Theme
from podium.spec.words import LANGUAGE, Text, Value, doc, repeated
from podium.strict import Period, Table

__all__ = [
    "LANGUAGE", "MAX_SIDE", "RESERVED", "Access", "Code", "Deploy", "Example", "Feature", "History",
    "Image", "Interpolation", "Layout", "Limits", "ModelSpec", "Reference", "Server", "Spec",
    "Task", "TextInput", "Theme", "Value", "check_labels", "doc",
]  # fmt: skip


class Task(Table, frozen=True, kw_only=True):
    """[task]: what the models predict."""

    kind: Annotated[Literal["classification", "regression"], doc("What is predicted.")]
    target: Annotated[str | None, doc("The answer's name; its column in data sets.")] = None
    labels: Annotated[
        tuple[Text, ...] | str | None,
        doc("The classes in the model's order, or a file with one label a line."),
    ] = None
    unit: Annotated[str | None, doc("The unit of a regression's value.")] = None
    training: Annotated[
        str | None,
        doc("The labelled file the models were trained on, on which nobody should calibrate."),
    ] = None

    def check(self) -> Iterator[Mistake]:
        """Labels belong to a classification, a unit to a regression."""
        if self.kind == "regression" and self.labels is not None:
            yield Mistake("labels", 'belongs to kind = "classification"; remove it')
        if self.kind == "classification" and self.unit is not None:
            yield Mistake("unit", 'belongs to kind = "regression"; remove it')
        if isinstance(self.labels, tuple):
            yield from check_labels(self.labels)


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


class Spec(Table, frozen=True, kw_only=True):
    """podium.toml."""

    title: Annotated[Text, doc("The application's title.")]
    task: Task
    models: tuple[ModelSpec, ...]
    summary: Annotated[str, doc("One sentence below the title.")] = ""
    language: Annotated[
        Annotated[str, Meta(pattern=LANGUAGE)],
        doc('The page\'s language: a tag such as "de" or "pt-BR", whose texts stand in '
            'translations/de.po, as `podium translate` makes it.'),
    ] = "en"  # fmt: skip
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
    access: Access = Access()
    history: History = History()
    theme: Theme = Theme()
    deploy: Deploy = Deploy()

    @property
    def dataset_keep(self) -> Period:
        """How long a data set is kept after it has ended, if need be for its link."""
        own = self.limits.dataset_keep
        return max(own, self.history.keep) if self.history.on else own

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
            for name in repeated(one.name for one in getattr(self, key) or () if one.name):
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
    for name in repeated(names):
        yield Mistake("labels", f"{name!r} stands there twice; labels must differ")
