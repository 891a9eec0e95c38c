"""A scikit-learn estimator as an ONNX graph, by skl2onnx."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np

from podium.errors import ModelError
from podium.runtimes.sklearn import SklearnModel
from podium.runtimes.sklearn.audit import reachable
from podium.runtimes.sklearn.columns import Column, is_missing, is_text

_CASTS: Final = {np.dtype(np.object_): 8, np.dtype(np.bool_): 9}
"""Texts and booleans, as TensorProto in onnx.proto numbers them."""


def write_graph(source: Path, model: SklearnModel, file: Path) -> None:
    """Write a graph with the model's inputs, one a column where it has a table.

    It computes in double precision where ONNX Runtime can, else in single precision. A missing
    text is "" in it. A number that is a category comes as text and is made a number there.

    Raises:
        ModelError: saying what cannot be said in ONNX.
    """
    import skl2onnx
    from onnxruntime import InferenceSession, SessionOptions
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    _check(source, model)
    estimator = _simplified(model.estimator)
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    outputs = model.answer.outputs
    options = {id(last): {"zipmap": False}} if "probabilities" in outputs else None
    quiet = SessionOptions()
    quiet.log_severity_level = 4
    reason = ""
    for number in (DoubleTensorType, FloatTensorType):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                graph = skl2onnx.convert_sklearn(
                    estimator, initial_types=_types(model, number), options=options
                )
            _finish(graph.graph, model)
            InferenceSession(graph.SerializeToString(), quiet, ["CPUExecutionProvider"])
        except Exception as err:  # skl2onnx and ONNX Runtime raise whatever they meet
            reason = str(err).strip().partition("\n")[0][:200]
            continue
        file.write_bytes(graph.SerializeToString())
        return
    name = type(last).__name__
    raise ModelError(f"{source.name}: the {name} cannot be exported to ONNX: {reason}")


def _check(source: Path, model: SklearnModel) -> None:
    if "votes" in model.answer.outputs:
        raise ModelError(
            f"{source.name}: an ONNX graph tells the mean of members, such as a forest's trees, "
            "alone; their votes, and with them how sure it is, would be lost"
        )
    if "epistemic_variance" in model.answer.outputs:
        raise ModelError(
            f"{source.name}: an ONNX graph tells its value alone; the variances, and with them how "
            "sure it is, would be lost"
        )
    if model.inputs[0].name == "text":
        raise ModelError(
            f"{source.name}: ONNX parts texts into words by other rules than scikit-learn; the "
            "answers would differ"
        )
    if model.table is not None and not model.table.named:
        raise ModelError(
            f"{source.name}: its columns have no names, and texts and numbers cannot share a "
            "matrix in ONNX. Train it on a DataFrame."
        )

    trees = (part.tree_ for part in reachable(model.estimator) if hasattr(part, "tree_"))
    if not all(np.isfinite(tree.threshold).all() for tree in trees):  # skl2onnx would never end
        raise ModelError(
            f"{source.name}: its trees tell missing values from all others, which skl2onnx cannot "
            "write"
        )


def _types(model: SklearnModel, number: Any) -> list[tuple[str, Any]]:
    """Return the types that skl2onnx wants: all columns, also those that are dropped."""
    if model.table is None:
        return [("X", number([None, *model.inputs[0].shape[1:]]))]
    return [(column.name, _type(column, number)) for column in model.table.columns]


def _type(column: Column, number: Any) -> Any:
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    whole = column.numeric and all(float(one).is_integer() for one in column.known)
    if column.spec.dtype == np.bool_ or (whole and not column.optional):
        return Int64TensorType([None, 1])
    text = column.spec.dtype == np.object_ and not column.numeric
    return StringTensorType([None, 1]) if text else number([None, 1])


def _simplified(estimator: Any) -> Any:
    """Return a copy whose categories are texts and numbers, a missing text being ""."""
    changed = copy.deepcopy(estimator)
    for part in reachable(changed):
        if hasattr(part, "categories_"):
            part.categories_ = [_plain(known) for known in part.categories_]
        if hasattr(part, "missing_values") and is_text(getattr(part, "statistics_", ())):
            part.missing_values = "" if is_missing(part.missing_values) else part.missing_values
    return changed


def _plain(known: Any) -> Any:
    if known.dtype == np.bool_:
        return known.astype(np.int64)
    if known.dtype != np.object_:
        return known
    return np.array(["" if is_missing(one) else str(one) for one in known], np.object_)


def _finish(graph: Any, model: SklearnModel) -> None:
    """Take columns that nothing reads out of a graph, and scores that are no probabilities."""
    if "label" in model.answer.outputs:
        del graph.output[1:]
    read = {name for node in graph.node for name in node.input}
    for unread in [one for one in graph.input if one.name not in read]:
        graph.input.remove(unread)
    given = {spec.name: spec.dtype for spec in model.inputs}
    for one in graph.input:
        if given[one.name] in _CASTS:
            _cast(graph, one, _CASTS[given[one.name]])


def _cast(graph: Any, given: Any, elements: int) -> None:
    """Let an input come as elements of another type, as Podium gives it."""
    from onnx import helper

    inner, tensor = f"{given.name} as a number", given.type.tensor_type
    if tensor.elem_type == elements:
        return
    for node in graph.node:
        node.input[:] = [inner if name == given.name else name for name in node.input]
    cast = helper.make_node("Cast", [given.name], [inner], to=tensor.elem_type)
    graph.node.insert(0, cast)
    tensor.elem_type = elements
