"""Estimators saved by skops: their types are audited before anything is made, their data after."""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.archive import FREE_BYTES, MAX_RATIO, open_archive
from podium.runtimes.sklearn.audit import faults
from podium.runtimes.sklearn.trees import HISTOGRAM_TREE, TREE
from podium.runtimes.versions import mismatch

_SCHEMA: Final = "schema.json"
_VERSION: Final = re.compile(r'"_sklearn_version":\s*\{[^{}]*?"content":\s*"\\"([^"\\]+)\\""')
_SKOPS_VERSION: Final = re.compile(r'"_skops_version":\s*"([^"\\]+)"')

_KERNELS: Final = (
    "CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared", "Exponentiation", "Matern",
    "Product", "RBF", "RationalQuadratic", "Sum", "WhiteKernel",
)  # fmt: skip
_METRICS: Final = ("Chebyshev", "Euclidean", "Haversine", "Manhattan", "Minkowski")
_SPLITS: Final = (
    "GroupKFold", "GroupShuffleSplit", "KFold", "LeaveOneGroupOut", "LeaveOneOut",
    "PredefinedSplit", "RepeatedKFold", "RepeatedStratifiedKFold", "ShuffleSplit",
    "StratifiedGroupKFold", "StratifiedKFold", "StratifiedShuffleSplit", "TimeSeriesSplit",
)  # fmt: skip
_SCORES: Final = ("chi2", "f_classif", "f_oneway", "f_regression", "r_regression")
_TRUSTED: Final = (
    TREE,
    HISTOGRAM_TREE,
    "functools.partial",
    "numpy.dtype",
    "scipy.sparse._csr.csr_array",
    "scipy.sparse._csr.csr_matrix",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.impute._iterative.IterativeImputer",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.metrics._scorer._CurveScorer",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._search_successive_halving.HalvingGridSearchCV",
    "sklearn.model_selection._search_successive_halving.HalvingRandomSearchCV",
    "sklearn.multiclass._ConstantPredictor",
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
    "sklearn.utils.validation.check_array",
    *(f"sklearn.gaussian_process.kernels.{name}" for name in _KERNELS),
    *(f"sklearn.metrics._dist_metrics.{name}Distance64" for name in _METRICS),
    *(f"sklearn.model_selection._split.{name}" for name in _SPLITS),
    *(f"sklearn.feature_selection._univariate_selection.{name}" for name in _SCORES),
    "sklearn.feature_selection._mutual_info.mutual_info_classif",
    "sklearn.feature_selection._mutual_info.mutual_info_regression",
)
"""Types beyond skops' own list, and functions that only compute: neither runs what a file says.

What compiled code reads of them is audited after loading. Not here, and why: the distributions
of scipy.stats, which run Python text when they are loaded; splines, whose knots compiled code
trusts.
"""


def load_skops(file: Path) -> tuple[Any, tuple[str, ...]]:
    """Return the estimator in a skops archive, and notes on its version.

    Raises:
        UntrustedModel: it holds other types than skops' safe ones and _TRUSTED, its data leads
            outside of itself, or the archive is a bomb or leads outside.
        ModelError: it cannot be read.
    """
    import skops.io

    schema = _schema(file)
    told = mismatch(file.name, _found(_VERSION, schema), "scikit-learn")
    trusted = [*_TRUSTED, *_score_functions()]
    try:
        untrusted = set(skops.io.get_untrusted_types(file=file)) - set(trusted)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another version; said in a note instead
            estimator = None if untrusted else skops.io.load(file, trusted=trusted)
        wrong = faults(estimator)
    except Exception as err:  # skops passes on whatever a damaged archive causes
        also = mismatch(file.name, _found(_SKOPS_VERSION, schema), "skops")
        told = " ".join(filter(None, (told, also)))
        raise ModelError(f"{file.name}: skops cannot read it: {err!r} {told}".rstrip()) from err
    if untrusted:
        raise UntrustedModel(
            f"{file.name} holds types that could run code: {', '.join(sorted(untrusted))}. "
            "Save a model of scikit-learn's own classes with skops.io.dump, and of a search its "
            f"best_estimator_. {told}".rstrip()
        )
    if wrong:
        raise UntrustedModel(
            f"{file.name}: {'; '.join(wrong[:3])}. The file is damaged or forged: save the model "
            "again."
        )
    return estimator, (told,) if told else ()


def _schema(file: Path) -> str:
    """Return what the archive says is in it, after a look at all that it would unpack to."""
    with open_archive(file, file.name) as archive:
        names = archive.namelist()
        if _SCHEMA not in names:
            raise ModelError(f"{file.name} is no skops archive: there is no {_SCHEMA} in it")
        try:
            inner = sum(_unpacked(archive, name, file.name) for name in names)
            schema = archive.read(_SCHEMA).decode("utf-8", "replace")
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError) as err:
            raise ModelError(f"{file.name} is damaged: {err}") from err
    if inner > max(FREE_BYTES, MAX_RATIO * file.stat().st_size):
        raise UntrustedModel(f"{file.name} holds a zip bomb. Save the model again.")
    return schema


def _unpacked(archive: zipfile.ZipFile, name: str, file: str) -> int:
    """Return the bytes that a member unpacks to if it is an archive itself, as a sparse matrix."""
    with archive.open(name) as member:
        if not zipfile.is_zipfile(member):
            return 0
        with open_archive(member, f"{file}: {name}") as inner:
            return sum(one.file_size for one in inner.infolist())


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None


@cache
def _score_functions() -> tuple[str, ...]:
    """Return the names of what computes the scores of a search or of a threshold's choice."""
    from sklearn.metrics import get_scorer, get_scorer_names

    functions = (get_scorer(name)._score_func for name in get_scorer_names())
    return tuple({f"{one.__module__}.{one.__name__}" for one in functions})
