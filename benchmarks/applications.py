"""What is measured: applications with their models, and requests to them, made once."""

from __future__ import annotations

import io
import json
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from podium.cli import DEMOS
from podium.errors import KeysError
from podium.folder import parse
from podium.jobs.state import state_folder
from podium.keys import CredentialsFile

EIGHT: Final = 8
ROWS: Final = 1_000_000
"""The rows of the data set."""
FEATURES: Final = tuple(f"x{index}" for index in range(5))
BOUNDARY: Final = "benchmark"
KEY: Final = "benchmark"


class Disagreement(Exception):
    """Two contenders gave different answers to the same request."""


@dataclass(frozen=True)
class Case:
    """One application and the request it is sent.

    `item` is what stands in the request, `items` times: a JSON body, or a JPEG file. The
    probabilities of two servers may differ by `tolerance`. `passes` is how often a stochastic
    model is asked. `file` is a data set of `items` rows, which no server is sent.
    """

    name: str
    title: str
    folder: Path
    item: bytes
    body: bytes
    content_type: str
    connections: tuple[int, ...] = (1, 16)
    servers: tuple[str, ...] = ("hand-written", "Podium")
    items: int = 1
    tolerance: float = 1e-4
    passes: int = 1
    file: Path | None = None
    headers: tuple[tuple[str, str], ...] = ()


def make_cases(folder: Path) -> list[Case]:
    """Return the cases; what `folder` lacks of them is made."""
    photos = folder / "photos"
    _make_once(photos, _make_photos)
    return [_row_case(folder / "row"), _photo_case(photos), _phone_case(photos),
            _eight_case(photos), _passes_case(), _dataset_case(folder),
            _guarded_case(folder)]  # fmt: skip


def _row_case(folder: Path) -> Case:
    _make_once(folder, _make_row)
    row = {"x0": 1.0, "x1": 2.0, "x2": 3.0, "x3": 4.0, "x4": 5.0}
    body = json.dumps({"inputs": [row]}).encode()
    title = "(a) one JSON row to a small MLP"
    return Case("row", title, folder, body, body, "application/json")


def _guarded_case(folder: Path) -> Case:
    guarded = folder / "guarded"
    _make_once(guarded, partial(_make_guarded, folder / "row"))
    credentials = CredentialsFile(state_folder(guarded).path)
    with suppress(KeysError):  # that of the run before
        credentials.revoke(KEY)
    header = "Authorization", f"Bearer {credentials.add(KEY)}"
    title = "(g) the row of (a) with a key, a rate that is counted, metrics, and its log as JSON"
    return replace(_row_case(folder / "row"), name="guarded", title=title, folder=guarded,
                   headers=(header,))  # fmt: skip


def _photo_case(folder: Path) -> Case:
    jpeg = (folder / "photo.jpg").read_bytes()
    title = f"(b) a JPEG of {len(jpeg) / 1000:.0f} kB to EfficientNet-Lite0"
    servers = ("hand-written", "Podium", "nginx, Podium", "nginx with TLS, Podium")
    return replace(_form_case("photo", title, folder, jpeg), servers=servers)


def _phone_case(folder: Path) -> Case:
    jpeg = (folder / "phone.jpg").read_bytes()
    title = f"(c) a JPEG of 12 megapixels and {len(jpeg) / 1e6:.1f} MB to EfficientNet-Lite0"
    # Podium scales it while it decodes, the hand-written server afterwards.
    return replace(_form_case("phone", title, folder, jpeg), connections=(1,), tolerance=0.1)


def _eight_case(folder: Path) -> Case:
    jpeg = (folder / "photo.jpg").read_bytes()
    title = f"(d) {EIGHT} JPEGs of {len(jpeg) / 1000:.0f} kB, in one request and in {EIGHT}"
    case = _form_case("eight", title, folder, jpeg, EIGHT)
    return replace(case, connections=(1, EIGHT), servers=("Podium",), items=EIGHT)


def _passes_case() -> Case:
    folder = DEMOS / "penguins"
    (example, *_) = parse(folder).spec.examples
    body = json.dumps({"inputs": [example.inputs]}).encode()
    title = "(e) a row of the penguins to their Bayesian network, 100 passes"
    return Case("passes", title, folder, body, body, "application/json", (1,), ("Podium",),
                passes=100)  # fmt: skip


def _dataset_case(folder: Path) -> Case:
    _make_once(folder / "dataset", _make_dataset)
    title = f"(f) a CSV file of {ROWS:,} rows of five numbers to the small MLP, results as CSV"
    return Case("dataset", title, folder / "row", b"", b"", "text/csv", (1,), (), ROWS,
                file=folder / "dataset/rows.csv")  # fmt: skip


def _form_case(name: str, title: str, folder: Path, jpeg: bytes, count: int = 1) -> Case:
    body = form([jpeg] * count)
    return Case(name, title, folder, jpeg, body, f"multipart/form-data; boundary={BOUNDARY}")


def form(jpegs: Sequence[bytes]) -> bytes:
    """Return the body of a form with image files."""
    head = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="image"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    parts = [head.encode() + jpeg + b"\r\n" for jpeg in jpegs]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


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
    features = "".join(f'\n[[features]]\nname = "{name}"\n' for name in FEATURES)
    _describe(folder, "Row", ["0", "1", "2", "3"], features)


def _make_guarded(row: Path, folder: Path) -> None:
    shutil.copytree(row, folder, dirs_exist_ok=True)
    with (folder / "podium.toml").open("a") as toml:
        toml.write('\n[access]\nrequire = ["key"]\nrate = "999999/s"\n')


def _make_dataset(folder: Path) -> None:
    import numpy as np

    rows = np.random.default_rng(1).normal(size=(ROWS, len(FEATURES)))
    header = ",".join(FEATURES)
    np.savetxt(folder / "rows.csv", rows, "%.4f", delimiter=",", header=header, comments="")


def labels_of(folder: Path) -> list[str]:
    """Return the labels of an application, in their order."""
    return (folder / "labels.txt").read_text().split("\n")


def _make_photos(folder: Path) -> None:
    from podium.demos.photos.make import export, weights_of

    export("lite0", weights_of("lite0"), folder / "model.onnx")
    (folder / "photo.jpg").write_bytes(_jpeg((480, 320), 35_000))
    (folder / "phone.jpg").write_bytes(_jpeg((4032, 3024), 3_000_000, noise=4))
    image = "[image]\nsize = [224, 224]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n"
    _describe(folder, "Photo", [f"class {index}" for index in range(1000)], "\n" + image)


def _jpeg(size: tuple[int, int], most: int, noise: float = 0.0) -> bytes:
    """Return a real photograph in `size`, as the JPEG of best quality of at most `most` bytes.

    `noise` is the standard deviation of what is added to each value, as a sensor does; without it
    an enlarged photograph would be smoother than one of that size.
    """
    import numpy as np
    from PIL import Image, ImageOps
    from sklearn.datasets import load_sample_image

    photo = Image.fromarray(load_sample_image("china.jpg"))
    photo = ImageOps.fit(photo, size, Image.Resampling.LANCZOS)
    grain = noise * np.random.default_rng(0).standard_normal((*size[::-1], 3), np.float32)
    photo = Image.fromarray((np.asarray(photo) + grain).clip(0, 255).astype(np.uint8))
    for quality in range(95, 0, -1):
        file = io.BytesIO()
        photo.save(file, "JPEG", quality=quality)
        if file.tell() <= most:
            return file.getvalue()
    raise ValueError(f"No quality makes a JPEG of {most} bytes")


def _describe(folder: Path, title: str, labels: list[str], inputs: str) -> None:
    (folder / "labels.txt").write_text("\n".join(labels))
    (folder / "podium.toml").write_text(
        f'title = "{title}"\n\n[task]\nkind = "classification"\nlabels = "labels.txt"\n'
        f'{inputs}\n[[models]]\nname = "model"\nfile = "model.onnx"\n'
    )
