"""Items become the arrays that a model takes; how, is found out once when the model is loaded.

The rule for features: a category is the index of its value in `choices`, a boolean 0 or 1, a
missing value NaN; where the model takes text, values are text and a missing one is "".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.cells import Cell
from podium.errors import FieldError, InvalidInput, ModelError
from podium.messages import said, told_by
from podium.pipeline.columns import Columns
from podium.pipeline.decode import Items
from podium.pipeline.image import prepare
from podium.runtimes import Arrays, Model, TensorSpec
from podium.signature import Row, Signature, merged
from podium.spec import Feature, Image

Encoder = Callable[[Any], Arrays]
"""Items -> arrays, by the name of the model's input."""


def encoder(signature: Signature, model: Model, noise: str | None = None) -> Encoder:
    """Return the function that turns items into the arrays of `model`.

    Raises:
        ModelError: the model's inputs do not fit the signature.
    """
    inputs = [spec for spec in model.inputs if spec.name != noise]
    if signature.image is not None:
        return _image_encoder(signature, _single(inputs))
    if signature.text is not None:
        return _text_encoder(_single(inputs))
    if len(inputs) == 1 and not (len(signature.names) == 1 and len(inputs[0].shape) < 2):
        return _matrix_encoder(signature, model, inputs[0])
    return _column_encoder(signature, inputs)


def expected_input(signature: Signature) -> TensorSpec:
    """Return the array that items become where the model does not say what it takes.

    Features are a matrix of floats (batch, features), images (batch, channels, height, width) or
    with the channels last, texts (batch,).
    """
    if signature.image is not None:
        return TensorSpec("X", np.dtype(np.float32), (None, *_image_shape(signature.image)))
    if signature.text is not None:
        return TensorSpec("text", np.dtype(np.object_), (None,))
    return TensorSpec("X", np.dtype(np.float64), (None, len(signature.names)))


def custom_encoder(
    function: Callable[[Any], Any], signature: Signature, model: Model, noise: str | None = None
) -> Encoder:
    """Return an encoder that calls the maker's preprocess.

    It gets a list of dicts (features), of RGB images or of texts, and returns one array, or a
    dict of arrays by the name of the model's input. A ValueError it raises is the caller's mistake.
    """
    wanted = [spec.name for spec in model.inputs if spec.name != noise]

    def encode(items: Items) -> Arrays:
        try:
            made = function(_plain(items, signature))
        except ValueError as err:
            raise InvalidInput([FieldError("inputs", told_by(err))]) from err
        arrays = made if isinstance(made, dict) else {(wanted or ["X"])[0]: made}
        missing = [name for name in wanted if name not in arrays]
        if missing:
            raise ModelError(f"[pipeline] preprocess made no array for {', '.join(missing)}")
        return {name: np.asarray(arrays[name]) for name in wanted or arrays}

    return encode


def _plain(items: Items, signature: Signature) -> list[Any]:
    if signature.image is not None or signature.text is not None:
        return list(items)
    return [dict(zip(signature.names, row, strict=True)) for row in items]  # type: ignore[arg-type]


def _single(inputs: Sequence[TensorSpec]) -> TensorSpec:
    if len(inputs) != 1:
        names = ", ".join(spec.name for spec in inputs)
        raise ModelError(
            f"The model takes {len(inputs)} inputs ({names}); an image or a text fits one"
        )
    return inputs[0]


def _image_encoder(signature: Signature, spec: TensorSpec) -> Encoder:
    image = signature.image
    assert image is not None
    shape = _image_shape(image)
    fits = len(spec.shape) == 4 and all(
        want in (None, have) for want, have in zip(spec.shape[1:], shape, strict=True)
    )
    if not fits:
        raise ModelError(
            f"The model takes {_shape(spec.shape)}; [image] makes {_shape((None, *shape))}. "
            "Check size, colour and layout; a model may have its own [models.image]."
        )
    return lambda images: {spec.name: prepare(images, image)}


def _image_shape(image: Image) -> tuple[int, ...]:
    if image.layout == "NCHW":
        return (image.channels, *image.size)
    return (*image.size, image.channels)


def _text_encoder(spec: TensorSpec) -> Encoder:
    shape = (-1, 1) if len(spec.shape) == 2 else (-1,)
    if spec.dtype != np.object_ or len(spec.shape) > 2 or spec.shape[1:] not in ((), (1,), (None,)):
        raise ModelError(
            f"The model takes {_shape(spec.shape)} {spec.dtype}, and [text] makes texts. Keep the "
            "tokenizer beside the model (a Hugging Face folder), or write a [pipeline] preprocess."
        )
    return lambda texts: {spec.name: np.array(texts, np.object_).reshape(shape)}


def _matrix_encoder(signature: Signature, model: Model, spec: TensorSpec) -> Encoder:
    order = _column_order(signature, model)
    width = spec.shape[-1]
    if len(spec.shape) != 2 or width not in (None, len(order)):
        raise ModelError(
            f"The model takes {_shape(spec.shape)}; [[features]] lists {len(order)}: "
            f"{', '.join(signature.names)}. A [pipeline] preprocess may make other columns."
        )
    _check_kinds(signature.features, spec)
    features = [signature.features[index] for index in order]
    if spec.dtype == np.object_:
        return lambda rows: {spec.name: _texts(rows, order)}
    if all(f.kind in ("number", "integer") and not f.optional for f in features):
        # Plain numbers need no look at each cell.
        straight = order == sorted(order)
        columns = slice(None) if straight else order
        return lambda rows: {spec.name: _cast(rows, spec.dtype)[:, columns]}
    cells = [(_to_number(feature), index) for feature, index in zip(features, order, strict=True)]

    def numbers(rows: Any) -> Any:
        if isinstance(rows, Columns):
            return rows.matrix(order)
        return [[number(row[index]) for number, index in cells] for row in rows]

    return lambda rows: {spec.name: _cast(numbers(rows), spec.dtype)}


def _column_order(signature: Signature, model: Model) -> list[int]:
    """Return the features' indexes in the order of the model's columns, where it names them."""
    if set(model.features) == set(signature.names):
        return [signature.names.index(name) for name in model.features]
    if set(model.features) & set(signature.names):
        raise ModelError(
            f"The model was trained on {', '.join(model.features)}; "
            f"[[features]] lists {', '.join(signature.names)}"
        )
    return list(range(len(signature.names)))


def _column_encoder(signature: Signature, inputs: Sequence[TensorSpec]) -> Encoder:
    names = {spec.name for spec in inputs}
    if names != set(signature.names):
        raise ModelError(
            f"The model takes the inputs {', '.join(sorted(names))}; [[features]] lists "
            f"{', '.join(signature.names)}. Name them alike, or write a [pipeline] preprocess."
        )
    columns = [_column(signature, spec) for spec in inputs]
    return lambda rows: {spec.name: make(rows) for spec, make in zip(inputs, columns, strict=True)}


def _column(signature: Signature, spec: TensorSpec) -> Callable[[list[Row]], NDArray[Any]]:
    index = signature.names.index(spec.name)
    feature = signature.features[index]
    _check_kinds([feature], spec)
    convert = _text if spec.dtype == np.object_ else _to_number(feature)
    shape = (-1, 1) if len(spec.shape) == 2 else (-1,)

    def values(rows: Any) -> Any:
        if isinstance(rows, Columns) and convert is not _text:
            return rows.columns[index]
        return [convert(row[index]) for row in rows]

    return lambda rows: _cast(values(rows), spec.dtype).reshape(shape)


def _check_kinds(features: Sequence[Feature], spec: TensorSpec) -> None:
    """Refuse a model whose type would cut a value of a feature."""
    numbers = [feature.name for feature in features if feature.kind == "number"]
    if numbers and spec.dtype.kind not in "fO":
        raise ModelError(
            f"{spec.name!r} is {spec.dtype}, which would cut {', '.join(numbers)}; "
            'write kind = "integer" if they are whole numbers'
        )
    optional = [feature.name for feature in features if feature.optional]
    if optional and spec.dtype.kind not in "fO":
        raise ModelError(
            f"{spec.name!r} is {spec.dtype}, which cannot hold a missing value; "
            f"{', '.join(optional)} cannot be optional"
        )


def _cast(values: Sequence[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return values as the model's type.

    Raises:
        InvalidInput: naming the items with a number that the type cannot hold.
    """
    if dtype in (np.float32, np.float64) or dtype.kind not in "iuf":
        return np.asarray(values, dtype)  # a feature's number fits single precision
    wide = np.asarray(values, np.float64 if dtype.kind == "f" else np.int64)
    with np.errstate(over="ignore"):
        array = wide.astype(dtype)
    wrong = np.isinf(array) if dtype.kind == "f" else array != wide
    if wrong.any():
        items = np.flatnonzero(wrong.reshape(len(array), -1).any(axis=1))
        message = said("a number is too large for the model, which takes %(kind)s", kind=dtype)
        raise merged([FieldError(f"inputs[{index}]", message) for index in items])
    return array


def _to_number(feature: Feature) -> Callable[[Cell], float]:
    codes: dict[Cell, float] = {choice: float(i) for i, choice in enumerate(feature.choices)}
    codes[None] = np.nan
    return codes.__getitem__ if feature.choices else _number


def _number(cell: Cell) -> float:
    return np.nan if cell is None else cell  # type: ignore[return-value]


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell)


def _texts(rows: list[Row], order: list[int]) -> NDArray[Any]:
    return np.array([[_text(row[index]) for index in order] for row in rows], np.object_)


def _shape(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("n" if size is None else str(size) for size in shape) + "]"
