"""The maker's own model: a Python function or class, arrays in, arrays out."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes.base import Arrays, Model, Source
from podium.strict import shown
from podium.usercode import load_object, told


def load(source: Source) -> Model:
    """Return the model that `source.code`, "module:function_or_class", names.

    A class is made once, without arguments, where the weights may be read; its object then has
    `predict` or is called. It gets one array, the batch, and returns an array or a dict of them.
    If the object has a method `seed(value)`, it is called before a prediction that is to hang on
    a seed, a whole number below 2**32.

    Raises:
        ModelError: it cannot be imported or made.
    """
    if source.code is None:
        raise ModelError(f'{source.file.name}: write python = "module:name" instead of file')
    try:
        found = load_object(source.root, source.code)
        made = found() if inspect.isclass(found) else found
        answer, seed = _answer(made), _seed(made)
    except Exception as err:  # whatever the maker's code raises
        why = told(err, source.root)
        raise ModelError(f"{source.code!r} in {source.file.name} cannot be loaded: {why}") from err
    inputs = () if source.expects is None else (source.expects,)
    return PythonModel(
        platform="python", inputs=inputs, answer=answer, seed=seed, code=source.code,
        root=source.root,
    )  # fmt: skip


def files(file: Path) -> tuple[Path, ...]:
    """Return the module; of a package, all its modules.

    Raises:
        ModelError: there is no such module.
    """
    if not file.is_file():
        raise ModelError(f"there is no {file.name} in {file.parent.name}/")
    if file.name != "__init__.py":
        return (file,)
    return (file, *sorted(path for path in file.parent.rglob("*.py") if path != file))


@dataclass(kw_only=True)
class PythonModel(Model):
    """A function of the maker, and the one that seeds what it draws at random, if there is one."""

    answer: Callable[[Any], Any]
    seed: Callable[[int], Any] | None
    code: str
    root: Path
    lock: AbstractContextManager[Any] = field(default_factory=threading.Lock)

    @contextmanager
    def drawing(self, seed: int) -> Iterator[None]:
        """Within, what the maker's model draws hangs on `seed`; one thread at a time."""
        if self.seed is None:
            yield
            return
        with self.lock:
            self.seed(seed)
            yield

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return what the function makes of the batch; more than one input come as a dict.

        Raises:
            ModelError: it raised something, or returned something else than one row an item.
        """
        rows = len(next(iter(inputs.values())))
        try:
            found = self.answer(next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs))
        except Exception as err:  # whatever the maker's code raises
            raise ModelError(f"{self.code!r} raises {told(err, self.root)}") from err
        named = found if isinstance(found, Mapping) else {"output": found}
        return {str(name): self._array(value, rows) for name, value in named.items()}

    def _array(self, value: Any, rows: int) -> NDArray[Any]:
        # A tensor of PyTorch that keeps its gradient refuses to become an array.
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
        if array.ndim == 0 or len(array) != rows:
            what = f"{type(value).__name__} {list(array.shape)}" if array.ndim else shown(value)
            raise ModelError(
                f"{self.code!r} returned {what} for {rows} items; expected [{rows}, ...], one "
                "answer an item in their order"
            )
        return array


def _seed(made: Any) -> Callable[[int], Any] | None:
    seed = getattr(made, "seed", None)
    return seed if callable(seed) else None


def _answer(made: Any) -> Callable[[Any], Any]:
    answer = getattr(made, "predict", made)
    if not callable(answer):
        raise TypeError(f"a {type(made).__name__} has no predict and cannot be called")
    return answer  # type: ignore[no-any-return]
