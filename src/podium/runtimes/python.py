"""The maker's own model: a Python function or class, arrays in, arrays out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

    Raises:
        ModelError: it cannot be imported or made.
    """
    if source.code is None:
        raise ModelError(f'{source.file.name}: write python = "module:name" instead of file')
    try:
        found = load_object(source.root, source.code)
        answer = _answer(found() if inspect.isclass(found) else found)
    except Exception as err:  # whatever the maker's code raises
        why = told(err, source.root)
        raise ModelError(f"{source.code!r} in {source.file.name} cannot be loaded: {why}") from err
    inputs = () if source.expects is None else (source.expects,)
    return PythonModel(
        platform="python", inputs=inputs, answer=answer, code=source.code, root=source.root
    )


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
    """A function of the maker."""

    answer: Callable[[Any], Any]
    code: str
    root: Path

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


def _answer(made: Any) -> Callable[[Any], Any]:
    answer = getattr(made, "predict", made)
    if not callable(answer):
        raise TypeError(f"a {type(made).__name__} has no predict and cannot be called")
    return answer  # type: ignore[no-any-return]
