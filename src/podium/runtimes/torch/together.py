"""Several passes at once: PyTorch's vmap, each pass with draws of its own."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from podium.runtimes.torch.drawing import drawing, trial_batch

if TYPE_CHECKING:
    from podium.runtimes.torch import TorchModel

_DRAWN_AT_ONCE: Final = 1 << 21
"""How many numbers the passes made at once may draw: 8 MiB in single precision.

Of Bayesian networks of 39 thousand and of 1.3 million weights, some 50 and some 2 passes at once
took less time each than 100.
"""

Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Tensors in, tensors out, by their names."""


@dataclass(frozen=True)
class Together:
    """Makes `passes` passes, at most `chunk` of them at once.

    What comes before the first draw is computed once, unless `repeated`: then each pass gets
    inputs of its own, which layers that draw into what they are given need.
    """

    passes: int
    chunk: int
    repeated: bool = False

    def run(self, answer: Answer, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tensors that `answer` returns, each of shape (rows, passes, ...)."""
        import torch

        rows = len(next(iter(tensors.values())))

        def one_pass(_: Any, given: Mapping[str, Any]) -> dict[str, Any]:
            return {name: _with_rows(tensor, rows) for name, tensor in answer(given).items()}

        given = dict(tensors)
        if self.repeated:
            given = {name: one.expand(self.passes, *one.shape).clone()
                     for name, one in given.items()}  # fmt: skip
        vectorized = torch.vmap(
            one_pass, in_dims=(0, 0 if self.repeated else None), out_dims=1,
            randomness="different", chunk_size=min(self.chunk, self.passes),
        )  # fmt: skip
        # In inference mode vmap takes longer.
        with torch.no_grad():
            found: dict[str, Any] = vectorized(torch.empty(self.passes), given)
        return found


def find_together(model: TorchModel) -> Together | None:
    """Return how a model makes two passes at once, found by trying; None if it cannot."""
    import torch

    if not model.inputs or isinstance(model.module, torch.jit.ScriptModule):
        return None
    for repeated in (False, True):
        try:
            drawn = _drawn_a_pass(model, repeated)
        except Exception:  # noqa: S112  # nosec B112  # vmap raises whatever it meets
            continue
        if drawn:
            return Together(2, max(1, _DRAWN_AT_ONCE // drawn), repeated)
    return None


def _with_rows(tensor: Any, rows: int) -> Any:
    """Put back the axis of the rows, which a squeeze in a module drops for a single one."""
    return tensor[None] if rows == 1 and tensor.shape[:1] != (1,) else tensor


def _drawn_a_pass(model: TorchModel, repeated: bool) -> int:
    """Return how many numbers a pass draws; 0 unless each draws all of them itself.

    vmap lets a layer that it does not know, such as an LSTM with dropout, draw once for all
    passes unless its inputs differ. So it is counted: what is drawn once for all does not grow
    with the passes.
    """
    single = _tried(model)
    drawn = []
    for passes in (2, 3):
        found = _tried(replace(model, vectorized=Together(passes, passes, repeated)))
        if found.shapes != {
            name: (shape[0], passes, *shape[1:]) for name, shape in single.shapes.items()
        }:
            return 0
        drawn.append(found.drawn)
    alone = drawn[0] * 3 == drawn[1] * 2 and not single.elsewhere
    return drawn[0] // 2 if alone else 0


@dataclass
class _Trial:
    shapes: dict[str, tuple[int, ...]]
    drawn: int
    elsewhere: bool
    """Whether Python or numpy drew something, which no pass has for itself."""


def _tried(model: TorchModel) -> _Trial:
    counter = _counter()
    before = _elsewhere()
    with drawing(0), warnings.catch_warnings(), counter:
        warnings.simplefilter("ignore")
        # It then takes one pass after the other, which is no gain.
        warnings.filterwarnings("error", "There is a performance drop")
        found = model.predict(trial_batch(model.inputs))
    shapes = {name: array.shape for name, array in found.items()}
    return _Trial(shapes, counter.drawn, _elsewhere() != before)


def _elsewhere() -> tuple[Any, ...]:
    """Return the state of the generators of Python and numpy that anybody may draw from."""
    state: Any = np.random.get_state()
    return random.getstate(), state[1].tobytes(), state[2:]


def _counter() -> Any:
    """Return a context that counts the numbers that PyTorch draws within."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counter(TorchDispatchMode):  # type: ignore[misc]
        drawn = 0

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            found = func(*args, **(kwargs or {}))
            if torch.Tag.nondeterministic_seeded in func.tags:
                tensors = found if isinstance(found, tuple) else (found,)
                self.drawn += sum(tensor.numel() for tensor in tensors)
            return found

    return Counter()
