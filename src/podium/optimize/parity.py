"""Whether two models of an application answer the same: on its examples and on made-up inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pil
from PIL.Image import Image

from podium.app import App, Served
from podium.cells import Cell
from podium.check import example_items
from podium.errors import ModelError
from podium.pipeline.probe import IMAGES, probe_items
from podium.signature import Row, Signature
from podium.spec import Feature

SEEDS: Final = range(1, 7)
AT_ONCE: Final = 16
ALONE: Final = 3
"""How many inputs are also asked one by one."""

_BLOTCHES: Final = 4


class Probe(NamedTuple):
    """An input and what a message calls it."""

    name: str
    item: Row | Image | str


class Parity(NamedTuple):
    """How far two models are apart.

    `answers` is the greatest difference of a probability, or of a value as a part of the spread of
    all values; `outputs` that of the raw outputs as a part of each one's spread, None where theirs
    are not alike. `worst` is the input with the greatest of all.
    """

    inputs: int
    answers: float
    outputs: float | None
    worst: str

    @property
    def greatest(self) -> float:
        """The greatest difference of all."""
        return max(self.answers, self.outputs or 0.0)


class _Said(NamedTuple):
    """What a model makes of one input; its form, scores and raw outputs, or why it has none."""

    form: str
    scores: NDArray[Any]
    raw: tuple[NDArray[Any], ...]


def compare(app: App, old: Served, new: Served) -> Parity:
    """Return how far two models of an application are apart on all its probes.

    Raises:
        ModelError: they answer in different forms, or one answers where the other does not.
    """
    asked = probes(app, old)
    batches = [[probe] for probe in asked[:ALONE]]
    batches += [asked[start : start + AT_ONCE] for start in range(0, len(asked), AT_ONCE)]
    names: list[str] = []
    pairs: list[tuple[_Said, _Said]] = []
    for batch in batches:
        items = [probe.item for probe in batch]
        for probe, one, other in zip(batch, _ask(old, items), _ask(new, items), strict=True):
            if _same_form(probe, one, other):
                names.append(probe.name)
                pairs.append((one, other))
    return _parity(app, names, pairs)


def probes(app: App, served: Served) -> list[Probe]:
    """Return an application's examples and inputs made up for a model of it.

    Rows are random, rounded, and at the edges: each choice, each end of a range, each value missing
    that may be. Pictures are noise, and smooth.
    """
    return [*_examples(app, served.spec.name), *_made_up(served.pipeline.signature)]


def _parity(app: App, names: list[str], pairs: list[tuple[_Said, _Said]]) -> Parity:
    if not pairs:
        raise ModelError("The model answers none of the examples and of the made-up inputs")
    scale = None if app.signature.kind == "regression" else 1.0
    answers = _differences([(one.scores, other.scores) for one, other in pairs], scale)
    first, second = pairs[0]
    alike = [array.shape for array in first.raw] == [array.shape for array in second.raw]
    raw = [_differences([(one.raw[i], other.raw[i]) for one, other in pairs])
           for i in range(len(first.raw) if alike else 0)]  # fmt: skip
    worst = int(np.argmax(np.max([answers, *raw], axis=0)))
    outputs = float(np.max(raw)) if raw else None
    return Parity(len(set(names)), float(answers.max()), outputs, names[worst])


def _differences(
    pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]], scale: float | None = None
) -> NDArray[np.float64]:
    """Return each pair's greatest difference, as a part of `scale` or of the first ones' spread."""
    first, second = (np.stack([pair[side] for pair in pairs]).astype(np.float64)
                     for side in (0, 1))  # fmt: skip
    with np.errstate(invalid="ignore"):
        gap = np.where((first == second) | (np.isnan(first) & np.isnan(second)), 0, first - second)
    known = first[np.isfinite(first)]
    spread = scale or (float(np.ptp(known)) if known.size else 0.0) or 1.0
    apart = np.nan_to_num(np.abs(gap), nan=np.inf).reshape(len(pairs), -1)
    return np.asarray(apart.max(axis=1) / spread)


def _ask(served: Served, items: list[Any]) -> Iterator[_Said]:
    (member,) = served.pipeline.members
    try:
        outputs = member.engine.infer(member.model, member.encode(items))
        scores = member.postprocess(outputs)
    except Exception as err:  # also what a postprocess of the maker raises
        if len(items) == 1:
            yield _Said(f"gives no answer ({err})", np.empty(0), ())
            return
        for item in items:
            yield from _ask(served, [item])
        return
    what = "scores" if scores.graded else "a label without scores"
    raw = [array for array in outputs.values() if array.dtype.kind == "f"]
    for index, values in enumerate(scores.values):
        form = f"gives {what} of shape {list(values.shape)}"
        yield _Said(form, values, tuple(array[index] for array in raw))


def _same_form(probe: Probe, one: _Said, other: _Said) -> bool:
    """Whether both answered; an input that neither model answers proves nothing."""
    if one.scores.size == other.scores.size == 0:
        return False
    if one.form != other.form:
        raise ModelError(f"For {probe.name} the model {one.form}, and its ONNX graph {other.form}")
    return True


def _examples(app: App, model: str) -> Iterator[Probe]:
    for example in app.spec.examples:
        yield Probe(f"the example {example.title!r}", example_items(app, example, model)[0])


def _made_up(signature: Signature) -> Iterator[Probe]:
    items = [item for seed in SEEDS for item in probe_items(signature, seed)]
    if signature.features:
        rows: list[Row] = items  # type: ignore[assignment]
        corners = _corners(signature.features, rows[0])
        yield from (Probe(_told(signature, row), row) for row in (*rows, *map(_typed, rows)))
        yield from (Probe(_told(signature, row), row) for row in corners)
    elif signature.text is not None:
        yield from (Probe(repr(text), text) for text in dict.fromkeys(items))
    else:
        assert signature.image is not None
        smooth = _smooth_pictures(*signature.image.size)
        yield from (Probe(f"random picture {n}", item) for n, item in enumerate(items, 1))
        yield from (Probe(f"smooth picture {n}", item) for n, item in enumerate(smooth, 1))


def _typed(row: Row) -> Row:
    """Return a row with short numbers, as people type them, on which a tree's limits may fall."""
    return tuple(float(f"{cell:.2g}") if isinstance(cell, float) else cell for cell in row)


def _corners(features: Sequence[Feature], row: Row) -> Iterator[Row]:
    """Yield `row` with each choice, each end of a range, and each value missing that may be."""
    for index, feature in enumerate(features):
        cells: Iterable[Cell] = feature.choices or (False, True)
        if feature.kind in ("number", "integer"):
            kind = int if feature.kind == "integer" else float
            cells = map(kind, feature.range or (0,))
        for cell in (*cells, *((None,) if feature.optional else ())):
            yield (*row[:index], cell, *row[index + 1 :])


def _smooth_pictures(height: int, width: int) -> Iterator[Image]:
    """Yield pictures of soft blotches: to a network, noise is grey."""
    rng = np.random.default_rng(0)
    for _ in range(2 * IMAGES):
        blotches = rng.integers(0, 256, (_BLOTCHES, _BLOTCHES, 3), np.uint8)
        yield pil.fromarray(blotches).resize((width, height), pil.Resampling.BICUBIC)


def _told(signature: Signature, row: Row) -> str:
    pairs = zip(signature.names, row, strict=True)
    return ", ".join(f"{name} = {'missing' if cell is None else cell}" for name, cell in pairs)
