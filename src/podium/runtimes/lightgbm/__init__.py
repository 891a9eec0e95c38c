"""LightGBM models in its own text format: audited before LightGBM reads them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.base import Model, Source, Task, needs
from podium.runtimes.boosters import (
    BROKEN,
    FORGED,
    BoostedModel,
    Matrix,
    UnservedError,
    check_answer,
    codes_note,
    columns_of,
    inputs_of,
    output_of,
    reason,
    two_classes,
)
from podium.runtimes.lightgbm.skops import read_wrapper
from podium.runtimes.lightgbm.text import Text, audit, read

if TYPE_CHECKING:
    from lightgbm import Booster

_RANKING: Final = ("lambdarank", "rank_xendcg")
_CLASSES: Final = ("binary", "multiclass", "multiclassova")
_MANY: Final = 1000
"""From how many rows on more threads than one are worth their waiting for each other."""
_RAW: Final = (
    "was trained with an objective of the maker's own, which the file does not hold: its answers "
    "are the trees' sums as they are. A [pipeline] postprocess can turn them."
)


def load(source: Source) -> Model:
    """Load a Booster from a .txt or .lgb file, or a scikit-learn wrapper that skops saved.

    Raises:
        MissingExtra: LightGBM is not installed.
        UntrustedModel: its trees lead outside of themselves.
        ModelError: it is no LightGBM model, is damaged, or ranks.
    """
    with needs(source.file, "LightGBM model", "lightgbm"):
        import lightgbm  # noqa: F401  what is missing is said before anything else
    text, labels = _read(source.file)
    if text.objective in _RANKING:
        raise ModelError(
            f"{source.file.name} ranks ({text.objective}): its score only compares the items of "
            "one query. Podium serves classes and values."
        )
    try:
        return _adapt(source, text, labels, _booster(text))
    except Exception as err:  # LightGBM passes on whatever a damaged file causes
        raise ModelError(f"{source.file.name}: LightGBM cannot load it: {err}") from err


def files(file: Path) -> tuple[Path, ...]:
    """Return the file alone."""
    return (file,)


def _read(file: Path) -> tuple[Text, tuple[str, ...]]:
    """Return the audited model, and its classes where the file names them."""
    try:
        if zipfile.is_zipfile(file):
            data, labels, rounds = read_wrapper(file)
        else:
            data, labels, rounds = file.read_bytes(), (), 0
        text = read(data)
    except BROKEN as err:
        raise ModelError(f"{file.name} is no LightGBM model, or damaged: {reason(err)}") from err
    try:
        audit(text)
    except UnservedError as err:
        raise ModelError(f"{file.name}: {err}.") from err
    except BROKEN as err:
        raise UntrustedModel(f"{file.name}: {reason(err)}. {FORGED}") from err
    return (replace(text, trees=text.trees[: rounds * text.groups]) if rounds else text), labels


def _booster(text: Text) -> Booster:
    import lightgbm

    return lightgbm.Booster(model_str=text.written())


def _adapt(source: Source, text: Text, labels: tuple[str, ...], booster: Booster) -> Model:
    named = any(name != f"Column_{index}" for index, name in enumerate(text.names))
    columns = columns_of(text.names, text.categories)
    output, task = _meaning(text.objective)
    model = BoostedModel(
        platform="lightgbm",
        inputs=inputs_of(columns),
        outputs=(output_of(output, text.groups),),
        task=task,
        labels=labels,
        features=tuple(text.names) if named else (),
        notes=(
            *(() if text.objective else (f"{source.file.name} {_RAW}",)),
            *codes_note(source.file, columns, text.coded),
        ),
        columns=columns,
        output=output,
        answer=_answer(text.objective, booster, source.threads),
    )
    check_answer(model)
    return model


def _meaning(objective: str) -> tuple[str, Task | None]:
    if objective in _CLASSES:
        return "probabilities", "classification"
    return ("value", "regression") if objective else ("sums", None)


def _answer(objective: str, booster: Booster, threads: int) -> Callable[[Matrix], NDArray[Any]]:
    def run(x: Matrix) -> NDArray[Any]:
        return np.asarray(booster.predict(x, num_threads=threads if len(x) >= _MANY else 1))

    if objective == "binary":
        return lambda x: two_classes(run(x))
    if objective == "multiclassova":  # one against all others each: they need not sum to 1
        return lambda x: _shares(run(x))
    return run


def _shares(scores: Matrix) -> Matrix:
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))
