"""[[models]] and the maker's own code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated

from msgspec import Meta

from podium.errors import Mistake
from podium.spec.inputs import Image
from podium.spec.words import CODE, Text, doc
from podium.strict import Period, Table


class Code(Table, frozen=True, kw_only=True):
    """[pipeline]: the maker's own functions, in modules beside podium.toml."""

    preprocess: Annotated[str | None, doc('"module:function" from items to arrays.')] = None
    postprocess: Annotated[str | None, doc('"module:function" from outputs to scores.')] = None

    def check(self) -> Iterator[Mistake]:
        """A function is named as module:function."""
        for key in ("preprocess", "postprocess"):
            name = getattr(self, key)
            if name is not None and not CODE.fullmatch(name):
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
    noise: Annotated[
        str | None,
        doc("The graph's input that takes its noise; left out, dropout and the like draw it."),
    ] = None
    sampling_time: Annotated[
        Period | None, doc("After this time one input's passes end early, however many there are.")
    ] = None
    sampling_width: Annotated[
        Annotated[float, Meta(gt=0)] | None,
        doc("One input's passes end early when their mean is known as narrowly as this: the width "
            "of its 95% interval, as a probability or in the value's unit."),
    ] = None  # fmt: skip
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
        if len(self.files) == 1:
            yield Mistake("files", "an ensemble needs at least two; use file for one")
        paths = [PurePosixPath(name) for name in self.files]
        for index, path in enumerate(paths):
            if path in paths[:index]:
                yield Mistake(f"files[{index}]", f"{str(path)!r} is named twice; it has one vote")
        if self.files and self.trust is not None:
            yield Mistake("trust", "vouches for one file; save the members of an ensemble as data")
        for key in ("python", "factory"):
            name = getattr(self, key)
            if name is not None and not CODE.fullmatch(name):
                yield Mistake(key, f'expected "module:name", found {name!r}')
        if self.factory is not None and not (self.file or self.files):
            yield Mistake("factory", "belongs to a file of weights; remove it")
        for key in ("sampling_time", "sampling_width"):
            if getattr(self, key) is not None and self.samples is None:
                yield Mistake("samples", f"{key} needs the most passes, such as samples = 100")
