"""The features of a model: from its inputs, from what the maker says, and from labelled data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from podium.cells import listed
from podium.errors import ModelError, nearest
from podium.init.guess import Findings
from podium.init.hints import Hints
from podium.init.table import Column, LabelledTable
from podium.runtimes import Model, TensorSpec
from podium.spec import RESERVED, Feature

NO_NAMES: Final = "The file names no features: write their names, units and ranges."
_KINDS: Final[dict[str, Any]] = {"i": "integer", "u": "integer", "b": "boolean"}


def matrix_of(model: Model) -> TensorSpec | None:
    """Return the input if it is the only one and has a row an item, or None."""
    first, *others = model.inputs
    return None if others or len(first.shape) != 2 else first


def features_of(
    model: Model, hints: Hints, data: LabelledTable | None, findings: Findings
) -> tuple[Feature, ...]:
    """Return the features, in the model's order where it has one.

    Raises:
        ModelError: an input is not one value an item.
    """
    matrix = matrix_of(model)
    if matrix is None:
        for spec in model.inputs:
            _check_shape(spec)
    names = _names(model, hints, data, findings)
    _check_names(names, "MODEL" if _own_names(model) or not data else "--data", findings)
    if data:
        _check_columns(names, data, findings)
    else:
        _check_told(model, names, findings)
    specs = {spec.name: spec for spec in model.inputs}
    return tuple(
        _feature(name, matrix or specs[name], data.column(name) if data else None,
                 f"features[{index}]", findings)
        for index, name in enumerate(names)
    )  # fmt: skip


def _check_shape(spec: TensorSpec) -> None:
    if len(spec.shape) > 2 or spec.shape[1:] not in ((), (1,), (None,)):
        raise ModelError(
            f"The input {spec.name!r} of shape {list(spec.shape)} is neither a feature nor an "
            "image. Write podium.toml by hand: a [pipeline] preprocess makes it, or noise names "
            "the input that takes noise."
        )


def _names(
    model: Model, hints: Hints, data: LabelledTable | None, findings: Findings
) -> tuple[str, ...]:
    own = _own_names(model)
    if own:
        if hints.features and set(hints.features) != set(own):
            findings.mistake("--features", f"the model itself names its columns: {', '.join(own)}")
        return own
    names = hints.features or _guessed_names(model.inputs[0], hints, data, findings)
    _check_width(names, model.inputs[0].shape[1], hints, findings)
    return names


def _check_width(names: Sequence[str], width: int | None, hints: Hints, findings: Findings) -> None:
    wanted = width or hints.columns
    if hints.columns not in (None, wanted):
        message = f"the model takes {wanted} columns; found {hints.columns}"
        findings.mistake("--features", message)
    elif wanted not in (None, len(names)):
        option, way = "--data", ". Name those that it takes with --features"
        if hints.features:
            option, way = "--features", ""
        message = f"the model takes {wanted} columns; found {len(names)}: {', '.join(names)}{way}"
        findings.mistake(option, message)


def _own_names(model: Model) -> tuple[str, ...]:
    """Return the columns that the file names; () for a matrix without names."""
    return model.features if matrix_of(model) else tuple(spec.name for spec in model.inputs)


def _guessed_names(
    matrix: TensorSpec, hints: Hints, data: LabelledTable | None, findings: Findings
) -> tuple[str, ...]:
    width = hints.columns or matrix.shape[1]
    if data:
        names, why = _data_names(data, width), f"the columns of {data.file.name} in their order"
    else:
        names = (matrix.name,) if width == 1 else tuple(f"x{index}" for index in range(width or 0))
        why = "the file names no columns"
        findings.notes.append(NO_NAMES)
    findings.why |= {f"features[{index}].name": why for index in range(len(names))}
    return names


def _data_names(data: LabelledTable, width: int | None) -> tuple[str, ...]:
    """Return the columns, without those that only name the rows, unless the width wants them."""
    names = tuple(column.name for column in data.columns)
    return names if width == len(names) else data.useful


def _check_names(names: Sequence[str], option: str, findings: Findings) -> None:
    for name in sorted(set(names) & set(RESERVED)):
        findings.mistake(option, f"its column {name!r} has the name of a query parameter, which no "
                         "feature may have. Rename it, before the training where the model names "
                         "its columns, or make it in a [pipeline] preprocess.")  # fmt: skip
    for name in sorted({name for name in names if names.count(name) > 1}):
        findings.mistake(option, f"it names the column {name!r} twice; columns must differ")


def _check_told(model: Model, names: Sequence[str], findings: Findings) -> None:
    """Add a mistake for columns of texts whose values nobody tells."""
    texts = {spec.name for spec in model.inputs if spec.dtype == np.object_ and not spec.choices}
    untold = [name for name in names if name in texts or (matrix_of(model) and texts)]
    if untold:
        findings.mistake("--data", f"is needed: {', '.join(untold)} may be texts, and the file "
                         "does not say which; a labelled CSV file does")  # fmt: skip


def _check_columns(names: Sequence[str], data: LabelledTable, findings: Findings) -> None:
    known = [column.name for column in data.columns]
    for name in names:
        if name == data.target.name:
            findings.mistake("--target", f"{name!r} is a column that the model takes; "
                             "the target is what it predicts")  # fmt: skip
        elif name not in known:
            hint = nearest(name, known) or f" Columns: {listed(known)}."
            findings.mistake("--data", f"{data.file} has no column {name!r}.{hint}")
    rest = [name for name in known if name not in names]
    if rest:
        findings.notes.append(f"Columns of {data.file.name} that are left out: {listed(rest)}.")


def _feature(
    name: str, spec: TensorSpec, column: Column | None, key: str, findings: Findings
) -> Feature:
    """Return one feature, by the type of its input and what stands in the data."""
    told: dict[str, Any] = {}
    if spec.choices:
        told = {"kind": "category", "choices": spec.choices}
    elif column is not None:
        told = _told_by(column, spec, key, findings)
    else:
        told = {"kind": _KINDS.get(spec.dtype.kind, "number")}
    optional = spec.optional or (column is not None and column.missing > 0)
    return Feature(name=name, optional=optional, **told)


def _told_by(column: Column, spec: TensorSpec, key: str, findings: Findings) -> dict[str, Any]:
    takes_texts = spec.dtype == np.object_
    # As a text, true is "True".
    spelt = takes_texts and column.kind == "boolean" and column.values != ("False", "True")
    if column.kind == "text" or spelt:
        if len(column.values) < 2:
            found = "one value alone" if column.values else "too many different texts"
            findings.mistake("--data", f"the column {column.name!r} holds {found}; a category has "
                             "two or more. Name the other columns with --features.")  # fmt: skip
        if not takes_texts:
            findings.why[f"{key}.choices"] = "the model gets a value's index; check the order"
        return {"kind": "category", "choices": column.values}
    if spec.dtype.kind == "b" or column.kind == "boolean":
        return {"kind": "boolean"}
    if column.kind == "integer" and spec.dtype.kind not in "iu":
        findings.why[f"{key}.kind"] = "all its values are whole"
    assert column.range is not None
    rises = column.range[0] < column.range[1]
    return {"kind": column.kind, "range": column.range if rises else None}
