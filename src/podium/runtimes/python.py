"""The maker's own model: a Python function or class, arrays in, arrays out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError
from podium.runtimes.base import Arrays, Model, Source
from podium.usercode import load_object


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
        raise ModelError(f"{source.code!r} cannot be loaded: {err!r}") from err
    inputs = () if source.expects is None else (source.expects,)
    return PythonModel(platform="python", inputs=inputs, answer=answer)


def files(file: Path) -> tuple[Path, ...]:
    """Return the module alone."""
    return (file,)


@dataclass(kw_only=True)
class PythonModel(Model):
    """A function of the maker."""

    answer: Callable[[Any], Any]

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return what the function makes of the batch; more than one input come as a dict."""
        given = next(iter(inputs.values())) if len(inputs) == 1 else dict(inputs)
        found = self.answer(given)
        named = found if isinstance(found, dict) else {"output": found}
        return {name: np.asarray(array) for name, array in named.items()}


def _answer(made: Any) -> Callable[[Any], Any]:
    answer = getattr(made, "predict", made)
    if not callable(answer):
        raise TypeError(f"a {type(made).__name__} has no predict and cannot be called")
    return answer  # type: ignore[no-any-return]
