"""`podium init`: a model becomes an application folder."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from podium.app import sources_of
from podium.cells import listed
from podium.cpus import available_cpus
from podium.errors import (
    FieldError,
    InvalidInput,
    ModelError,
    PodiumError,
    SpecError,
    UntrustedModel,
)
from podium.folder import FILE
from podium.init.bring import Origin, bring
from podium.init.described import beside
from podium.init.draft import draft
from podium.init.examples import with_examples
from podium.init.guess import Guess
from podium.init.hints import Hints
from podium.init.inspect import expected_from, inspect_model, untold
from podium.init.table import LabelledTable, read_header, read_table
from podium.runtimes import Model, TensorSpec, load, model_files
from podium.runtimes.trust import sha256
from podium.spec import ModelSpec, Reference, Spec
from podium.strict import read


class Ask(Protocol):
    """Whoever can be asked; each answer is what an option would be."""

    def target(self, columns: Sequence[str]) -> str:
        """Return the column of the answers."""

    def inputs(self, missing: str, hints: Hints) -> Hints:
        """Return the hints with what the model takes, which its file does not say."""

    def correct(self, hints: Hints, look: Look) -> Hints:
        """Return the hints with all that is better than the guess that `look` makes of them."""


@dataclass(frozen=True)
class Order:
    """What `podium init` is asked for.

    With `trust` the maker vouches for this very model, if it is a program. With `offer_data` the
    data are copied too, and offered for download.
    """

    origin: Origin
    hints: Hints = field(default_factory=Hints)
    data: Path | None = None
    offer_data: bool = False
    trust: bool = False

    @classmethod
    def parse(cls, model: str | None, options: Mapping[str, Any]) -> Order:
        """Return what the command line says.

        Raises:
            InvalidInput: naming every option that is wrong.
        """
        texts = dict(options)
        text, trust, offer = (texts.pop(key, False) for key in ("text", "trust", "offer_data"))
        data = texts.pop("data", None)
        code = {key: texts.pop(key, None) for key in ("python", "factory", "runtime", "name")}
        origin = Origin.parse(model, **code)
        wrong, hints = [*origin.mistakes()], Hints()
        try:
            hints = Hints.parse(texts, bool(text))
        except InvalidInput as err:
            wrong += err.errors
        order = cls(origin, hints, data, bool(offer), bool(trust))
        wrong += order._mistakes()
        if wrong:
            raise InvalidInput(wrong)
        return order

    @property
    def folder(self) -> Path:
        """The folder to make when no other is named."""
        kept = self.origin.path is not None and self.origin.path.is_dir()
        return Path(f"{self.origin.stem}-app" if kept else self.origin.stem)

    def _mistakes(self) -> Iterator[FieldError]:
        if self.offer_data and self.data is None:
            yield FieldError("--offer-data", "needs --data FILE.csv")
        if self.trust and self.origin.python:
            yield FieldError("--trust", "your own code needs none; leave it out")
        if self.data and not self.data.is_file():
            yield FieldError("--data", f"there is no file {str(self.data)!r}")


class Look:
    """A model that is looked at with what is known so far; it is loaded again only if it must."""

    def __init__(self, folder: Path, spec: ModelSpec, order: Order, data: LabelledTable | None):
        self.folder, self.spec, self.data, self.trust = folder, spec, data, order.trust
        self.title = order.origin.stem.replace("_", " ").replace("-", " ").capitalize()
        self._model: Model | None = None
        self._expects: TensorSpec | None = None

    def __call__(self, hints: Hints) -> Guess:
        """Return what can be guessed.

        Raises:
            ModelError: the model cannot be loaded, or what it takes is not known.
            InvalidInput: what the maker says does not fit it.
        """
        missing = self.missing(hints)
        if missing:
            raise ModelError(f"{self.spec.file or self.spec.python} does not say {missing}")
        return inspect_model(self.title, self.model(hints), hints, self.data)

    def missing(self, hints: Hints) -> str:
        """Return in words what is still to be said of the model's input, or ""."""
        return untold(self.model(hints), hints, self.data)

    def model(self, hints: Hints) -> Model:
        """Return the model, loaded for what the hints say that it takes."""
        expects = expected_from(hints, self.data)
        if self._model is None or expects != self._expects:
            self._model, self._expects = self._load(expects), expects
        return self._model

    def _load(self, expects: TensorSpec | None) -> Model:
        source = sources_of(self.folder, self.spec, threads=available_cpus(), expects=expects)[0]
        try:
            return load(source)
        except UntrustedModel as err:
            digest = sha256(source.file, model_files(source.file, source.runtime))
            if digest not in str(err) or self.spec.trust:
                raise  # vouching would not help
            if not self.trust:
                way = "`podium init MODEL --trust` writes that line."
                raise UntrustedModel(f"{err} {way}") from err
            self.spec = msgspec.structs.replace(self.spec, trust=digest)
            return self._load(expects)
        except ModelError as err:
            code = self.spec.python
            if code is None or not isinstance(err.__cause__, FileNotFoundError):
                raise
            way = f"Name what it reads as MODEL: podium init FILE --python {code}"
            raise ModelError(f"{err}. {way}") from err


def create_application(order: Order, folder: Path, ask: Ask | None = None) -> tuple[str, ...]:
    """Make `folder` with the model copied in and a first podium.toml; return notes on it.

    When that fails, nothing is left behind.

    Raises:
        PodiumError: the folder holds something already; nothing is overwritten.
        ModelError: the model cannot be loaded or described.
        InvalidInput: an option does not fit the model or the data.
        SpecError: what the model says of itself makes no application.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PodiumError(f"{folder} exists and is not empty. Choose another with --output.")
    model = order.origin.path
    if model and model.is_dir() and folder.resolve().is_relative_to(model):
        raise PodiumError(f"{folder} lies in the model itself. Choose another with --output.")
    with _emptied_on_failure(folder):
        data, hints = _read_data(order, ask)
        hints = replace(hints, beside=beside(model) if model else ())
        look = Look(folder, bring(order.origin, folder), order, data)
        guess = _guess(look, hints, ask)
        if data:
            guess = with_examples(guess, look.model(hints), data)
        _write(folder, _draft(guess, look.spec, _offered(order, folder)))
        spare = order.trust and look.spec.trust is None
        return (*guess.notes, *(["--trust was not needed: the model is data."] if spare else []))


def _read_data(order: Order, ask: Ask | None) -> tuple[LabelledTable | None, Hints]:
    if order.data is None:
        return None, order.hints
    target = order.hints.target or _ask_target(order.data, ask)
    return read_table(order.data, target), replace(order.hints, target=target)


def _ask_target(data: Path, ask: Ask | None) -> str:
    columns = read_header(data)
    if ask is None:
        message = f"is missing: which column of {data} holds the answers? {listed(columns)}"
        raise InvalidInput([FieldError("--target", message)])
    return ask.target(columns)


def _guess(look: Look, hints: Hints, ask: Ask | None) -> Guess:
    if ask is None:
        return look(hints)
    while missing := look.missing(hints):
        hints = ask.inputs(missing, hints)
    return look(ask.correct(hints, look))


def _draft(guess: Guess, model: ModelSpec, data: str | None) -> dict[str, str]:
    """Return the text files of the folder; `data` is the file that is offered in it."""
    if data is None:
        return draft(guess, model)
    reason = "the data you gave; remove the line if no model was trained on them"
    why = {**guess.why, "task.training": reason}
    offered = Reference(title="The data set", file=data)
    return draft(replace(guess, why=why), model, [offered], training=data)


def _offered(order: Order, folder: Path) -> str | None:
    """Copy the data if they are offered; return the file's name in the folder."""
    if order.data is None or not order.offer_data:
        return None
    (folder / "data").mkdir(exist_ok=True)
    shutil.copy2(order.data, folder / "data")
    return f"data/{order.data.name}"


def _write(folder: Path, files: Mapping[str, str]) -> None:
    _, mistakes = read(Spec, tomllib.loads(files[FILE]))
    if mistakes:
        raise SpecError(folder / FILE, mistakes)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")


@contextmanager
def _emptied_on_failure(folder: Path) -> Iterator[None]:
    """Make a folder; take it and all in it away again when what follows fails."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as err:
        for path in folder.iterdir() if folder.is_dir() else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in filter(Path.is_dir, made):
            path.rmdir()
        if isinstance(err, OSError):
            raise PodiumError(f"{folder} cannot be made: {err}") from err
        raise
