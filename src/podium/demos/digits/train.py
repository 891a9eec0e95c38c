"""Train the two models of the digits demo, write their files, and the figures on their cards.

    pip install podium numpy==2.4.6 pillow==13.0.0 torch==2.13.0 onnx==1.23.2 \
        onnxscript==0.7.2 onnxruntime==1.32.0 scikit-learn==1.9.1
    python train.py              # about ten minutes on two cores
    python train.py --validate   # what the settings were chosen by

The first 1,500 of scikit-learn's digits are learnt from, as scans and photos drawn of them in
many ways and brought back by Podium's own `light_on_dark` and `trim`, so that the models see in
training what they are served. The other 297 are held out, and only measured on. With --validate
the models learn from 1,250, and the next 250 are measured; nothing is written. Every figure is
measured on the file as written, loaded again. Python 3.11 or newer.
"""

import argparse
import io
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from podium.pipeline.ink import light_on_dark, trim

HERE = Path(__file__).parent
SEED = 1998
LEARNT = 1500
VALIDATED_FROM = 1250
SIZE = 20  # pixels of the models' input, as in podium.toml
PATCH = 4  # pixels between the places that the Transformer's tokens stand for
COPIES = 16  # drawn photos of each digit
EPOCHS = {"vit": 14, "mlp": 30}
BATCH = 64
PEAK_RATE = 1e-3
BINS = 10  # of the calibration error

RESAMPLINGS = [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.HAMMING]
SECTION = re.compile(r"(?<=## How well it does\n\n).*?(?=\n\n## )", re.DOTALL)

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Digits:
    """Images as they are served, (n, 1, SIZE, SIZE) from 0 to 1, and what they show, (n,)."""

    images: Tensor
    targets: Tensor


def draw_photo(digit: Plane, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a grey photo of a digit of (8, 8) values from 0 to 16."""
    stroke = _stroke(_upscale(digit, rng), rng)
    canvas = _on_canvas(_turn(stroke, rng), rng)
    ground, ink = _two_greys(rng)
    lit = (ground + (ink - ground) * canvas) * _illumination(canvas.shape, rng)
    return _take(lit, abs(ink - ground), rng)


def draw_plain(digit: Plane) -> NDArray[np.uint8]:
    """Return the digit itself, eight pixels by eight, light on dark."""
    return np.round(digit / 16 * 255).astype(np.uint8)


def _upscale(digit: Plane, rng: np.random.Generator) -> Plane:
    side = round(math.exp(rng.uniform(math.log(24), math.log(200))))
    resampling = RESAMPLINGS[rng.integers(len(RESAMPLINGS))]
    # Four cells of margin around the eight leave room to turn the digit.
    large = Image.fromarray(np.pad(digit, 4)).resize((2 * side, 2 * side), resampling)
    return np.clip(np.asarray(large) / 16, 0, 1)


def _stroke(coverage: Plane, rng: np.random.Generator) -> Plane:
    """Return the strokes thinner or bolder, sharper or softer."""
    if rng.random() < 0.25:
        return coverage
    middle, half_width = rng.uniform(0.25, 0.65), rng.uniform(0.05, 0.35)
    return np.clip((coverage - middle) / (2 * half_width) + 0.5, 0, 1)


def _turn(stroke: Plane, rng: np.random.Generator) -> Plane:
    side = stroke.shape[0]
    angle, slant = math.radians(rng.uniform(-12, 12)), rng.uniform(-0.2, 0.2)
    across, down = np.exp(rng.uniform(-0.15, 0.15, 2))
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    linear = turn @ np.array([[across, slant], [0, down]])
    shift = side / 2 - linear @ np.full(2, side / 2)
    rows = (*linear[0], shift[0], *linear[1], shift[1])
    turned = Image.fromarray(stroke).transform(
        (side, side), Image.Transform.AFFINE, rows, Image.Resampling.BILINEAR
    )
    inside = np.asarray(turned)
    used = np.flatnonzero(inside.max(axis=1) > 0.05), np.flatnonzero(inside.max(axis=0) > 0.05)
    return inside[used[0][0] : used[0][-1] + 1, used[1][0] : used[1][-1] + 1]


def _on_canvas(stroke: Plane, rng: np.random.Generator) -> Plane:
    """Return the digit somewhere on a larger empty canvas; now and then it nearly fills it."""
    free = rng.exponential(0.5, (2, 2)) * max(stroke.shape)
    (top, bottom), (left, right) = np.minimum(free, 2 * max(stroke.shape)).astype(int) + 1
    return np.pad(stroke, ((top, bottom), (left, right)))


def _two_greys(rng: np.random.Generator) -> tuple[float, float]:
    contrast = rng.uniform(40, 220)
    darker = rng.uniform(5, 250 - contrast)
    greys = darker, darker + contrast
    return greys if rng.random() < 0.5 else greys[::-1]


def _illumination(shape: tuple[int, ...], rng: np.random.Generator) -> Plane:
    """Return a slow wave of light, now and then with a blurred shadow over a part."""
    down, across = (np.linspace(0, 1, length, dtype=np.float32) for length in shape)
    waves = rng.uniform(-2, 2, 2)
    phase = (down[:, None] * waves[0] + across * waves[1]) + rng.uniform(0, 2 * math.pi)
    light = 1 - rng.uniform(0, 0.35) * (1 + np.sin(phase))
    if rng.random() < 0.3:
        place, width = rng.uniform(0.1, 0.9), rng.uniform(0.08, 0.25)
        along = across if rng.random() < 0.5 else down[:, None]
        light *= 1 - rng.uniform(0.1, 0.35) * np.clip((along - place) / width, 0, 1)
    return np.asarray(light / light.max(), dtype=np.float32)


def _take(lit: Plane, contrast: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return the picture a camera takes: out of focus, grainy, compressed."""
    grain = rng.uniform(0, 0.12) * contrast * rng.standard_normal(lit.shape, dtype=np.float32)
    picture = Image.fromarray(np.clip(lit + grain, 0, 255).astype(np.uint8))
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.012) * max(lit.shape)))
    if rng.random() < 0.5:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=int(rng.integers(30, 95)))
        picture = Image.open(stream)
    return np.asarray(picture)


def prepare(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a photo as `[image]` in podium.toml has it prepared, (SIZE, SIZE)."""
    ink = Image.fromarray(trim(light_on_dark(photo)))
    return np.asarray(ink.resize((SIZE, SIZE), Image.Resampling.BILINEAR))


def draw_copies(task: tuple[Plane, int, int]) -> NDArray[np.uint8]:
    """Return the copies of one digit, prepared: plain first, then photos."""
    digit, number, copies = task
    rng = np.random.default_rng([SEED, number])
    photos = [draw_photo(digit, rng) for _ in range(copies)]
    return np.stack([prepare(photo) for photo in [draw_plain(digit), *photos]])


def draw_all(numbers: range, copies: int) -> NDArray[np.uint8]:
    """Return prepared images of these digits, (digits, 1 + copies, SIZE, SIZE)."""
    images = load_digits().images.astype(np.float32)
    tasks = [(images[number], number, copies) for number in numbers]
    # More threads for the small matrices of `light_on_dark` would only stand in each other's way.
    with get_context("spawn").Pool(2, threadpool_limits, (1,)) as pool:
        return np.stack(pool.map(draw_copies, tasks, chunksize=50))


def as_digits(images: NDArray[np.uint8], numbers: range) -> Digits:
    """Return (digits, copies, SIZE, SIZE) images as one batch."""
    pixels = torch.from_numpy(images.reshape(-1, 1, SIZE, SIZE)).float() / 255
    targets = torch.from_numpy(load_digits().target[numbers.start : numbers.stop]).long()
    return Digits(pixels, targets.repeat_interleave(images.shape[1]))


def build_mlp() -> nn.Module:
    """Return a multilayer perceptron with two hidden layers."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(SIZE * SIZE, 192),
        nn.GELU(),
        nn.Dropout(0.2),
        nn.Linear(192, 96),
        nn.GELU(),
        nn.Dropout(0.2),
        nn.Linear(96, 10),
    )


class Attention(nn.Module):
    """Self-attention with several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project_in = nn.Linear(width, 3 * width)
        self.project_out = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens, shape (batch, tokens, width), that have looked at each other."""
        parts = self.project_in(tokens).unflatten(2, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        likeness = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        mixed = likeness.softmax(dim=-1) @ value
        return self.project_out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A layer of the Transformer: attention, then a small perceptron, both with a way around."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, heads), nn.Dropout(0.1))
        self.think = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
            nn.Dropout(0.1),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens, shape (batch, tokens, width)."""
        tokens = tokens + self.attend(tokens)
        return tokens + self.think(tokens)


class VisionTransformer(nn.Module):
    """Cuts the image into patches, reads them as tokens, and answers from a class token."""

    def __init__(self, width: int = 64, heads: int = 4, depth: int = 3) -> None:
        super().__init__()
        # Three small convolutions embed a patch better than one large one when digits are few.
        self.embed = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(32, width, 3, stride=2, padding=1),
        )
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.places = nn.Parameter(torch.randn(1, (SIZE // PATCH) ** 2 + 1, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 10))

    def forward(self, image: Tensor) -> Tensor:
        """Return logits, shape (batch, 10), of images, shape (batch, 1, SIZE, SIZE)."""
        patches = self.embed(image).flatten(2).transpose(1, 2)
        first = self.class_token.expand(patches.shape[0], -1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.places
        return self.head(self.blocks(tokens)[:, 0])


BUILDERS: dict[str, Callable[[], nn.Module]] = {"vit": VisionTransformer, "mlp": build_mlp}


def train(name: str, learnt: Digits) -> nn.Module:
    """Return the trained model: the running average of its weights, ready for inference."""
    torch.manual_seed(SEED)
    model = BUILDERS[name]()
    steps = EPOCHS[name] * math.ceil(len(learnt.targets) / BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_RATE, total_steps=steps, pct_start=0.1
    )
    average = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    )
    for images, targets in batches(learnt, EPOCHS[name]):
        logits = model(distort(images))
        loss = functional.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update_parameters(model)
    trained: nn.Module = average.module
    return trained.eval()


def batches(learnt: Digits, epochs: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches."""
    for _ in range(epochs):
        for chosen in torch.randperm(len(learnt.targets)).split(BATCH):
            yield learnt.images[chosen], learnt.targets[chosen]


def distort(images: Tensor) -> Tensor:
    """Return the images bent, shifted and scaled a little, each in its own way."""
    count = len(images)
    linear = torch.eye(2) + torch.randn(count, 2, 2) * 0.07
    shift = torch.randn(count, 2, 1) * 0.05
    grid = functional.affine_grid(
        torch.cat([linear, shift], dim=2), list(images.shape), align_corners=False
    )
    bends = torch.randn(count, 2, 5, 5) * 0.06
    field = functional.interpolate(bends, (SIZE, SIZE), mode="bicubic", align_corners=True)
    bent = functional.grid_sample(images, grid + field.permute(0, 2, 3, 1), align_corners=False)
    strength = torch.exp(torch.randn(count, 1, 1, 1) * 0.25)
    return bent.clamp(0, 1) ** strength + torch.randn_like(bent) * 0.02


def export(model: nn.Module, path: Path) -> None:
    """Write the model as one ONNX file: image in, logits out, batch first."""
    example = torch.zeros(2, 1, SIZE, SIZE)
    batch = torch.export.Dim("batch", min=1, max=65536)
    program = torch.onnx.export(
        model,
        (example,),
        input_names=["image"],
        output_names=["logits"],
        dynamic_shapes=({0: batch},),
        opset_version=18,
        dynamo=True,
        verbose=False,
    )
    onnx.save(_without_traces(program.model_proto), path)


def _without_traces(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without the exporter's notes, which hold paths of the machine it ran on."""
    for noted in [proto.graph, *proto.graph.node, *proto.graph.value_info]:
        noted.ClearField("metadata_props")
        noted.ClearField("doc_string")
    proto.graph.ClearField("value_info")
    return proto


def measure(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> dict[str, float]:
    """Return accuracy, log loss in nats and expected calibration error."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    right = log_probabilities.argmax(axis=1) == targets
    confidence = np.exp(log_probabilities.max(axis=1))
    which = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [abs((right[which == each] - confidence[which == each]).sum()) for each in range(BINS)]
    return {
        "Accuracy": float(right.mean()),
        "Log loss, in nats": float(-log_probabilities[np.arange(len(targets)), targets].mean()),
        "Expected calibration error, 10 bins": float(sum(gaps) / len(targets)),
    }


def measure_file(path: Path, images: NDArray[np.uint8], numbers: range) -> dict[str, float]:
    """Return the figures of a model file on images, (digits, copies, SIZE, SIZE)."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    digits = as_digits(images, numbers)
    (logits,) = session.run(["logits"], {"image": digits.images.numpy()})
    return measure(logits, digits.targets.numpy())


def write_card(path: Path, plain: dict[str, float], photos: dict[str, float]) -> None:
    """Write the figures into the card's section that holds them."""
    rows = [f"| {name} | {plain[name]:.3f} | {photos[name]:.3f} |" for name in plain]
    table = "\n".join(["| Figure | Plain, 8 by 8 | As photos |", "| --- | --- | --- |", *rows])
    path.write_text(SECTION.sub(lambda _: FIGURES.format(table=table), path.read_text()))


FIGURES = """Trained on the first 1,500 digits and measured on the other 297: once as they are, once
as photos drawn of them, three each.

{table}"""


def main() -> None:
    """Train both models; write them and their figures, or only show figures on learnt digits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--validate", action="store_true", help="hold out 250 of the 1,500 too")
    validate = parser.parse_args().validate
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    end = VALIDATED_FROM if validate else LEARNT
    held_out = range(end, LEARNT if validate else len(load_digits().target))
    learnt = as_digits(draw_all(range(end), COPIES), range(end))
    measured = draw_all(held_out, 3)
    for name in BUILDERS:
        path = HERE / "models" / f"{name}{'.validated' if validate else ''}.onnx"
        export(train(name, learnt), path)
        plain = measure_file(path, measured[:, :1], held_out)
        photos = measure_file(path, measured[:, 1:], held_out)
        print(name, "plain", plain, "photos", photos)
        if validate:
            path.unlink()
        else:
            write_card(path.with_suffix(".md"), plain, photos)


if __name__ == "__main__":
    main()
