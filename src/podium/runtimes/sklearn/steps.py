"""The fitted steps of a scikit-learn estimator, followed to learn what its columns hold.

Encoders know their categories, imputers what stands for a missing value, a column transformer
which column goes where.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from podium.runtimes.sklearn.columns import Column, Table, is_missing, is_text

VECTORIZERS: Final = frozenset(("CountVectorizer", "HashingVectorizer"))
_WRAPPERS: Final = frozenset(
    ("FixedThresholdClassifier", "SelfTrainingClassifier", "TunedThresholdClassifierCV")
)
_ENSEMBLES: Final = frozenset(
    ("StackingClassifier", "StackingRegressor", "VotingClassifier", "VotingRegressor",
     "OneVsRestClassifier")
)  # fmt: skip


class Flow(NamedTuple):
    """A column on its way: whether its values are as they were given, and may still be missing."""

    column: Column
    raw: bool = True
    gaps: bool = True


Flows = Sequence[Flow | None]
"""The columns that a step gets; None, or an end too early, where nobody knows."""


def table_of(estimator: Any) -> Table | None:
    """Return the table that a fitted estimator takes; None where a matrix of numbers will do."""
    names = [str(name) for name in getattr(estimator, "feature_names_in_", ())]
    columns = tuple(map(Column, names or (f"x{i}" for i in range(estimator.n_features_in_))))
    walk = _Walk()
    walk.visit(estimator, [Flow(column) for column in columns])
    texts = any(column.text or is_text(column.known) for column in columns)
    by_name = walk.by_name or any(column.known for column in columns)
    return Table(columns, named=bool(names)) if texts or (names and by_name) else None


def kinds_of(step: Any) -> set[str]:
    """Return the names of a step's class and of those that it derives from.

    Comparing names spares the imports of modules that the estimator has nothing of.
    """
    return {kind.__name__ for kind in type(step).__mro__}


def vectorizer_of(estimator: Any) -> Any:
    """Return what makes numbers of texts in an estimator that takes texts, else None."""
    first = estimator
    while True:
        kinds = kinds_of(first)
        if "Pipeline" in kinds:
            first = first.steps[0][1]
        elif "FeatureUnion" in kinds:
            first = first.transformer_list[0][1]
        elif members(first):
            first = members(first)[0]
        else:
            return first if kinds & VECTORIZERS else None


def members(step: Any) -> list[Any]:
    """Return the fitted estimators that an estimator gives its own input to."""
    kinds = kinds_of(step)
    if kinds & _WRAPPERS:
        return [step.estimator_]
    if kinds & _ENSEMBLES:
        return list(step.estimators_)
    if "TransformedTargetRegressor" in kinds:
        return [step.regressor_]
    if "CalibratedClassifierCV" in kinds:
        return [one.estimator for one in step.calibrated_classifiers_]
    return []


class _Walk:
    """Follows columns through steps; `by_name` when one of them picks columns by their names."""

    def __init__(self) -> None:
        self.by_name = False

    def visit(self, step: Any, flows: Flows) -> Flows:
        """Let a step tell what it knows of its columns; return what leaves it."""
        kinds = kinds_of(step)
        if "Pipeline" in kinds:
            for _, part in step.steps:
                flows = self.visit(part, flows)
            return flows
        if "ColumnTransformer" in kinds:
            return self._columns(step, flows)
        union = "FeatureUnion" in kinds
        parts = [part for _, part in step.transformer_list] if union else members(step)
        for part in parts:
            _end(self.visit(part, flows), able=False)
        return [] if parts else _leaf(step, flows)

    def _columns(self, step: Any, flows: Flows) -> Flows:
        self.by_name |= any(flow.raw for flow in _known(flows))
        width = max((place.stop for place in step.output_indices_.values()), default=0)
        out: list[Flow | None] = [None] * width
        for name, part, _ in step.transformers_:
            indices = step._transformer_to_input_indices.get(name, ())
            taken = [flows[index] if index < len(flows) else None for index in indices]
            left, place = self.visit(part, taken), step.output_indices_.get(name, slice(0, 0))
            if len(left) == place.stop - place.start:
                out[place] = left
        return out


def _leaf(step: Any, flows: Flows) -> Flows:
    if isinstance(step, str) and step == "drop":
        return []
    for flow in _known(flows):
        flow.column.used = True
    if step is None or isinstance(step, str):  # passthrough
        return flows
    if hasattr(step, "categories_"):
        return _encode(step, flows)
    if hasattr(step, "missing_values"):
        return _impute(step, flows)
    if vectorizer_of(step) is not None:
        for flow in _known(flows):
            flow.column.text = True
        return []
    return _pass(step, flows)


def _encode(step: Any, flows: Flows) -> Flows:
    """An encoder knows its categories; a missing value may be one, or stay missing."""
    out: list[Flow | None] = []
    for flow, categories in zip(flows, step.categories_, strict=False):
        markers = [one for one in categories if is_missing(one)]
        code = getattr(step, "encoded_missing_value" if markers else "unknown_value", None)
        stays = isinstance(code, float) and np.isnan(code)
        if flow and flow.raw:
            flow.column.learn(
                np.asarray(categories), getattr(step, "handle_unknown", "") == "error"
            )
        if flow and flow.gaps:
            flow.column.tolerate(markers[0] if markers else np.nan, bool(markers) or stays)
        out.append(flow and Flow(flow.column, raw=False, gaps=flow.gaps and stays))
    return out if "OrdinalEncoder" in kinds_of(step) else []


def _impute(step: Any, flows: Flows) -> Flows:
    """An imputer says what a missing value is, and that it may come."""
    out: list[Flow | None] = []
    statistics = list(getattr(step, "statistics_", ())) or [0.0] * len(flows)
    for flow, statistic in zip(flows, statistics, strict=False):
        if flow and flow.raw:
            flow.column.text |= isinstance(statistic, str)
        if flow and flow.gaps:
            flow.column.tolerate(step.missing_values, able=True)
        if flow and getattr(step, "strategy", "") == "constant":
            flow.column.filled.append(statistic)
        out.append(flow and flow._replace(gaps=False))
    changed = getattr(step, "add_indicator", True) or any(map(is_missing, statistics))
    return [] if changed else out


def _pass(step: Any, flows: Flows) -> Flows:
    """A transformer may pass columns on, changed; at an estimator they end."""
    kinds = kinds_of(step)
    if hasattr(step, "get_support"):
        return [flow for flow, kept in zip(flows, step.get_support(), strict=False) if kept]
    able = _allows_gaps(step)
    one_to_one = "OneToOneFeatureMixin" in kinds
    if "FunctionTransformer" in kinds:
        if step.func is None:
            return flows
        able = not step.validate
        one_to_one = isinstance(step.func, np.ufunc) or step.feature_names_out == "one-to-one"
    if one_to_one and able:
        return [flow and flow._replace(raw=False) for flow in flows]
    _encode_own(step, flows)
    _end(flows, able and hasattr(step, "predict"))
    return []


def _allows_gaps(step: Any) -> bool:
    from sklearn.utils import get_tags

    try:
        return bool(get_tags(step).input_tags.allow_nan)
    except AttributeError:  # a step of the maker's own that is no BaseEstimator
        return False


def _encode_own(step: Any, flows: Flows) -> None:
    """Let a HistGradientBoosting that encodes its categories itself tell them."""
    own = getattr(step, "_preprocessor", None)
    if own is not None and len(flows) == step.n_features_in_:
        encoded = own._transformer_to_input_indices["encoder"]
        _encode(own.named_transformers_["encoder"], [flows[index] for index in encoded])


def _end(flows: Flows, able: bool) -> None:
    for flow in _known(flows):
        if flow.gaps:
            flow.column.tolerate(np.nan, able)


def _known(flows: Flows) -> Iterator[Flow]:
    return (flow for flow in flows if flow is not None)
