"""The digits demo reads photos of digits that neither of its models has seen."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from podium.folder import parse
from podium.pipeline.image import prepare
from podium.pipeline.photo import open_image
from tests.demos.digit_photos import photograph

DEMO = Path(str(files("podium"))) / "demos" / "digits"
FIRST_HELD_OUT = 1500

datasets = pytest.importorskip("sklearn.datasets", reason="the digits come with scikit-learn")


@cache
def held_out() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the 297 digits, (297, 8, 8) from 0 to 16, and which they are."""
    digits = datasets.load_digits()
    return digits.images[FIRST_HELD_OUT:], digits.target[FIRST_HELD_OUT:]


@cache
def photos() -> NDArray[np.float32]:
    """Return the held-out digits as photos, read and prepared as they are when served."""
    image = parse(DEMO).spec.image
    assert image is not None
    return np.concatenate(
        [
            prepare([open_image(photograph(digit, number))], image)
            for number, digit in enumerate(held_out()[0], start=FIRST_HELD_OUT)
        ]
    )


def read(model: str, images: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the digits that a model reads."""
    path = DEMO / "models" / f"{model}.onnx"
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"image": images})
    return np.asarray(np.argmax(logits, axis=1), np.int64)


@pytest.mark.parametrize(("model", "at_least"), [("vit", 0.93), ("mlp", 0.90)])
def test_models_read_photos_of_digits_they_have_not_seen(model: str, at_least: float) -> None:
    """The Transformer reads 93% of the held-out digits as photos rightly, the perceptron 90%."""
    right = read(model, photos()) == held_out()[1]
    wrong = FIRST_HELD_OUT + np.flatnonzero(~right)
    assert right.mean() >= at_least, f"{right.mean():.3f} right; wrong: {wrong.tolist()}"


@pytest.mark.parametrize("model", ["vit", "mlp"])
def test_models_take_any_batch(model: str) -> None:
    """An image's answer is the same alone and in a batch."""
    alone, together = read(model, photos()[:1]), read(model, photos()[:7])
    assert alone[0] == together[0]


def test_model_files_are_small_and_whole() -> None:
    """Each model is one file below 600 kB, without external data."""
    sizes = {path.name: path.stat().st_size for path in (DEMO / "models").glob("*.onnx*")}
    assert sizes.keys() == {"vit.onnx", "mlp.onnx"}
    assert max(sizes.values()) < 600_000


def examples() -> list[dict[str, Any]]:
    """Return the examples of podium.toml."""
    return list(tomllib.loads((DEMO / "podium.toml").read_text("utf-8"))["examples"])


@pytest.mark.parametrize("example", examples(), ids=lambda example: str(example["title"]))
def test_examples_are_small_and_read_rightly(example: dict[str, Any]) -> None:
    """Each example is a file below 40 kB, in which both models find the expected digit."""
    image = parse(DEMO).spec.image
    assert image is not None
    body = (DEMO / example["image"]).read_bytes()
    assert len(body) < 40_000
    pixels = prepare([open_image(body)], image)
    assert [int(read(model, pixels)[0]) for model in ("vit", "mlp")] == [
        int(example["expected"])
    ] * 2
