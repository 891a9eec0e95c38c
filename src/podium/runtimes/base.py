"""What every runtime gives: a Model, made by a module with a `load` function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from podium.errors import MissingExtra, ModelError, UntrustedModel
from podium.spec import Image

Arrays = Mapping[str, NDArray[Any]]
"""Arrays by the name of a model's input or output; the first axis is the batch."""

Task = Literal["classification", "regression"]


class TensorSpec(NamedTuple):
    """One input or output of a model. A None in `shape` may have any length.

    An input of texts (dtype object) may name its `choices`; "" stands for a missing one.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]
    choices: tuple[str, ...] = ()
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """What a runtime loads: a file or a folder, and what podium.toml says of it.

    Nothing outside `root`, the application folder, is read. `code` is the maker's
    "module:name", found in `root`: what builds the module that weights go into, or the model
    itself. `random` asks for a model that keeps on drawing at random as it did in training, such as
    by its dropout layers, while its statistics, such as those of batch-norm, stay as they are.
    `expects` is what the application makes of its items, for a model that does not say
    what it takes; None where a [pipeline] preprocess makes it. `trust` is the sha256 that the
    maker vouches for.
    """

    file: Path
    root: Path
    runtime: str | None = None
    threads: int = 1
    code: str | None = None
    trust: str | None = None
    expects: TensorSpec | None = None
    random: bool = False

    @classmethod
    def alone(cls, file: Path, **options: Any) -> Source:
        """Return a model without an application; nothing outside of its own folder is read."""
        return cls(file=file, root=file if file.is_dir() else file.parent, **options)


@dataclass(kw_only=True)
class Model(ABC):
    """A loaded model: arrays in, arrays out, batch first; safe to call from many threads.

    `platform` is the format's name, such as "onnx". A model without `inputs` takes whatever the
    maker's preprocess makes. The others are what the file says of itself, and empty when it does
    not say: `outputs`; `task`; `labels`, the classes in the order of its
    scores; `features`, the names of the columns of a single matrix; `image`, how pictures are
    prepared. `notes` are sentences that the maker should read, such as one about a file that
    another version of the framework saved.

    An output named "votes", of shape (batch, members, ...), holds what the members of an
    ensemble say one by one; their mean is the answer.
    """

    platform: str
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    task: Task | None = None
    labels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    image: Image | None = None
    notes: tuple[str, ...] = ()

    @abstractmethod
    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return the outputs for a batch."""

    def drawing(self, seed: int) -> AbstractContextManager[None]:  # noqa: ARG002
        """Within, what `predict` draws at random hangs on `seed`; here nothing does.

        A model that shares the state it draws from keeps other threads out meanwhile.
        """
        return nullcontext()

    def stop(self, thread: int) -> None:  # noqa: B027
        """End what `predict` does in a thread, with an exception there; a framework may not."""

    def together(self, passes: int) -> Model | None:  # noqa: ARG002
        """Return a model that makes `passes` passes at once, each drawing all that it draws anew.

        Its outputs have shape (batch, passes, ...). None when the framework has no such way.
        """
        return None


@contextmanager
def needs(file: Path, what: str, extra: str) -> Iterator[None]:
    """Turn the ImportError of a framework that is not installed into MissingExtra.

    `what` is the format in words, such as "torch.export program".
    """
    try:
        yield
    except ModuleNotFoundError as err:
        raise MissingExtra(f"{file.name} ({what})", extra) from err
    except ImportError as err:
        raise ModelError(f"{file.name} ({what}): its framework cannot be imported: {err}") from err


def folder_files(folder: Path) -> tuple[Path, ...]:
    """Return all files of a folder that is a model, sorted by name.

    Raises:
        UntrustedModel: it holds a link to a folder, whose files would not be among them.
    """
    paths = sorted(folder.rglob("*"))
    for path in paths:
        if path.is_symlink() and path.is_dir():
            raise UntrustedModel(
                f"{folder.name}: {path.name} is a link to a folder. Put the folder itself there."
            )
    return tuple(path for path in paths if not path.is_dir())
