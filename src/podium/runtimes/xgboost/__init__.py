"""XGBoost models in its own formats, JSON and UBJSON: audited before XGBoost reads them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from itertools import pairwise
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
    softmax,
    two_classes,
)
from podium.runtimes.versions import mismatch
from podium.runtimes.xgboost.audit import Document, audit, groups_of, tree_model, whole
from podium.runtimes.xgboost.ubjson import read

if TYPE_CHECKING:
    from xgboost import Booster

_OLD: Final = (
    "it does not begin with '{' as its JSON and UBJSON do. A file in its old binary format must "
    "be saved again by the XGBoost that wrote it: booster.save_model('model.ubj')"
)
_PLACE: Final = re.compile(r"^\[[\d:]+\] \S+: ")
"""Time and source line, with which XGBoost begins its messages."""


def load(source: Source) -> Model:
    """Load a Booster from a .ubj, .json or .xgb file.

    It answers as the scikit-learn wrapper of XGBoost does: up to the best iteration, if the
    training was stopped early.

    Raises:
        MissingExtra: XGBoost is not installed.
        UntrustedModel: its trees lead outside of themselves.
        ModelError: it is no XGBoost model, is damaged, or ranks.
    """
    with needs(source.file, "XGBoost model", "xgboost"):
        import xgboost  # noqa: F401  what is missing is said before anything else
    data = source.file.read_bytes()
    learner, version = _read(source.file, data)
    task = _task(source.file, learner)
    told = mismatch(source.file.name, version, "xgboost", "xgboost-cpu")
    try:
        model = _adapt(source.file, learner, _booster(data), task)
    except Exception as err:  # XGBoost passes on whatever a damaged file causes
        why = _PLACE.sub("", str(err).strip().partition("\n")[0]).rstrip(" :")
        raise ModelError(
            f"{source.file.name}: XGBoost cannot load it: {why}. {told}".strip()
        ) from err
    model.notes = (*([told] if told else []), *model.notes)
    return model


def files(file: Path) -> tuple[Path, ...]:
    """Return the file alone."""
    return (file,)


def _read(file: Path, data: bytes) -> tuple[Document, str]:
    """Return the audited model and the version of the XGBoost that saved it."""
    if data[:1].strip() and data[:1] != b"{":
        raise ModelError(f"{file.name} is no XGBoost model: {_OLD}")
    try:
        document = read(data)
    except BROKEN as err:
        raise ModelError(f"{file.name} is damaged: it is no JSON or UBJSON: {err}") from err
    if not isinstance(document, dict) or not isinstance(document.get("learner"), dict):
        raise ModelError(f"{file.name} is no XGBoost model: it has no 'learner'")
    try:
        audit(document["learner"])
        return document["learner"], ".".join(str(part) for part in document["version"])
    except UnservedError as err:
        raise ModelError(f"{file.name}: {err}.") from err
    except BROKEN as err:
        raise UntrustedModel(f"{file.name}: {reason(err)}. {FORGED}") from err


def _task(file: Path, learner: Document) -> Task:
    objective = learner["objective"]["name"]
    if objective.startswith("rank:"):
        raise ModelError(
            f"{file.name} ranks ({objective}): its score only compares the items of one query. "
            "Podium serves classes and values."
        )
    if not objective.startswith(("binary:", "multi:")):
        return "regression"
    if whole(learner, "num_target", "1") > 1:
        raise ModelError(
            f"{file.name} tells {groups_of(learner)} labels at once ({objective}), shape "
            f"[n, {groups_of(learner)}]. A classification has one label an item: train one model "
            "a label."
        )
    return "classification"


def _booster(data: bytes) -> Booster:
    import xgboost

    # Nothing below an error is for the operator's log, such as a hint at another way to save.
    with xgboost.config_context(verbosity=0):
        # Its threads spin while they wait for each other: on a busy machine two of them answer
        # a row in 60 ms and a thousand in 66 ms, where one needs 0.2 ms and 7 ms.
        booster = xgboost.Booster({"nthread": 1, "verbosity": 0})
        booster.load_model(bytearray(data))
    return booster


def _adapt(file: Path, learner: Document, booster: Booster, task: Task) -> Model:
    names = tuple(map(str, learner.get("feature_names", ())))
    width = whole(learner, "num_feature")
    if len(names) not in (0, width):
        raise ValueError(f"it names {len(names)} of {width} columns")
    columns = columns_of(names or [f"x{index}" for index in range(width)], _categories(learner))
    kinds = learner.get("feature_types", ())
    coded = [index for index, kind in enumerate(kinds[:width]) if kind == "c"]
    output, answer = _answer(booster, learner)
    model = BoostedModel(
        platform="xgboost",
        inputs=inputs_of(columns),
        outputs=(output_of(output, groups_of(learner)),),
        task=task,
        features=names,
        notes=codes_note(file, columns, coded),
        columns=columns,
        output=output,
        answer=answer,
    )
    check_answer(model)
    return model


def _categories(learner: Document) -> dict[int, tuple[Any, ...]]:
    """Return the categories by the column's index, in the order of their codes.

    XGBoost stores them since version 3.1.
    """
    if learner["gradient_booster"]["name"] == "gblinear":
        return {}
    encodings = tree_model(learner).get("cats", {}).get("enc", ())
    found = {index: _values(encoding) for index, encoding in enumerate(encodings)}
    for values in found.values():
        if len(set(values)) != len(values):
            raise ValueError("a category stands there twice")
    return {index: values for index, values in found.items() if values}


def _values(encoding: Document) -> tuple[Any, ...]:
    values = np.asarray(encoding["values"])
    if "offsets" not in encoding:
        return tuple(values.tolist())
    text, offsets = values.astype(np.uint8).tobytes(), np.asarray(encoding["offsets"]).tolist()
    return tuple(text[start:end].decode() for start, end in pairwise(offsets))


def _answer(booster: Booster, learner: Document) -> tuple[str, Callable[[Matrix], NDArray[Any]]]:
    """Return the output's name and what makes it."""
    objective = learner["objective"]["name"]
    run = _runner(booster, learner, margin=objective == "multi:softmax")
    if objective == "binary:hinge":
        return "label", lambda x: run(x).astype(np.int64)
    if objective == "multi:softmax":
        return "probabilities", lambda x: softmax(run(x))
    if objective == "binary:logitraw":
        return "probabilities", lambda x: two_classes(1 / (1 + np.exp(-run(x))))
    if objective.startswith("binary:"):
        return "probabilities", lambda x: two_classes(run(x))
    return "probabilities" if objective.startswith("multi:") else "value", run


def _runner(booster: Booster, learner: Document, margin: bool) -> Callable[[Matrix], NDArray[Any]]:
    """Return what runs the trees, or the linear model, which is not safe in many threads."""
    import xgboost

    if learner["gradient_booster"]["name"] != "gblinear":
        best = learner.get("attributes", {}).get("best_iteration")
        rounds = (0, 0) if best is None else (0, int(best) + 1)
        kind = "margin" if margin else "value"
        return lambda x: np.asarray(
            booster.inplace_predict(x, iteration_range=rounds, predict_type=kind), np.float64
        )
    lock = threading.Lock()

    def run(x: Matrix) -> NDArray[Any]:
        with lock:
            found = booster.predict(
                xgboost.DMatrix(x, nthread=1), output_margin=margin, validate_features=False
            )
        return np.asarray(found, np.float64)

    return run
