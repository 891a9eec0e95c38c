"""The cases of Hugging Face: small models with random weights, saved by save_pretrained."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

from tests.conformance.cases import LABELS, Case, Inputs, Oracle
from tests.conformance.graphs import softmax

FOLDER = "models/m"
SIDE = 16
WORDS = ("good", "bad", "very", "not", "film", "plot", "actor", "dull", "bright", "the", "a")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LIMIT = 24
"""Tokens that the text models take; some inputs are longer."""

# What the tests themselves save is no news.
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()

_NAMES = {"id2label": dict(enumerate(LABELS)), "label2id": {x: i for i, x in enumerate(LABELS)}}
_SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    # Wide enough for answers that differ.
    "initializer_range": 0.6,
}  # fmt: skip
_BERT = {**_SMALL, "vocab_size": len(SPECIAL) + len(WORDS), "max_position_embeddings": LIMIT}
_RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
_CONVNEXT = {
    "hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2, "patch_size": 4,
    "initializer_range": 0.6, "layer_scale_init_value": 1.0,
}  # fmt: skip


def vit(**options: Any) -> Any:
    """Return a small ViT for pictures of SIDE x SIDE."""
    given = {**_SMALL, **_NAMES, "image_size": SIDE, "patch_size": 8, **options}
    return made(transformers.ViTForImageClassification, transformers.ViTConfig(**given))


def bert(**options: Any) -> Any:
    """Return a small BERT with a head."""
    given = {**_BERT, **_NAMES, **options}
    return made(transformers.BertForSequenceClassification, transformers.BertConfig(**given))


def regressor() -> Any:
    """Return a small BERT that answers one value."""
    names = {"id2label": {0: "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    return bert(**names, problem_type="regression", initializer_range=0.3)


def made(kind: Any, config: Any) -> Any:
    """Return a module with random weights, the same at every call."""
    torch.manual_seed(0)
    return kind(config).eval()


def wordpiece(kind: Any = transformers.BertTokenizer, **options: Any) -> Any:
    """Return a WordPiece tokenizer of a few words."""
    vocabulary = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
    return kind(vocab=vocabulary, **{"model_max_length": LIMIT, **options})


def processor(**options: Any) -> Any:
    """Return an image processor that does not resize pictures of SIDE x SIDE."""
    size = {"height": SIDE, "width": SIDE}
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    given = {"size": size, "image_mean": mean, "image_std": std, **options}
    return transformers.ViTImageProcessorPil(**given)


def save(folder: Path, module: Any, beside: Any = None, **options: Any) -> Path:
    """Write a module, and its processor or tokenizer, to models/m."""
    target = folder / FOLDER
    module.save_pretrained(target, **options)
    if beside is not None:
        beside.save_pretrained(target)
    return target


def changed(file: Path, **settings: Any) -> None:
    """Change settings in a JSON file, which need not be there."""
    found = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**found, **settings}))


def texts(count: int) -> list[dict[str, object]]:
    """Return texts of 1 to 40 words."""
    rng = np.random.default_rng(4)
    return [{"text": " ".join(rng.choice(WORDS, int(rng.integers(1, 41))))} for _ in range(count)]


def pictures(count: int) -> list[dict[str, object]]:
    """Return PNG files in base64, of SIDE x SIDE."""
    return [{"image": base64.b64encode(_png(seed)).decode()} for seed in range(count)]


def _png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels // (1 + seed % 3)).save(buffer, "PNG")
    return buffer.getvalue()


def _opened(one: object) -> Image.Image:
    with Image.open(BytesIO(base64.b64decode(str(one)))) as picture:
        return picture.convert("RGB")


def image_case(module: Any, **options: Any) -> Callable[[Path], Oracle]:
    """Save an image classifier; its own processor and module answer."""

    def write(folder: Path) -> Oracle:
        save(folder, module, processor(), **options)

        def oracle(inputs: Inputs) -> NDArray[Any]:
            pixels = processor()([_opened(one["image"]) for one in inputs], return_tensors="pt")
            with torch.inference_mode():
                return softmax(module(**pixels).logits.double().numpy())

        return oracle

    return write


def text_case(module: Any, tokenizer: Any) -> Callable[[Path], Oracle]:
    """Save a text model; the framework's pipeline answers."""

    def write(folder: Path) -> Oracle:
        save(folder, module, tokenizer)
        pipeline = transformers.pipeline("text-classification", model=module, tokenizer=tokenizer)

        def oracle(inputs: Inputs) -> NDArray[Any]:
            found = pipeline([str(one["text"]) for one in inputs], top_k=None, truncation=True,
                             function_to_apply="none", batch_size=64)  # fmt: skip
            scores = np.array([[row[label] for label in module.config.id2label.values()]
                               for row in map(_by_label, found)])  # fmt: skip
            return softmax(scores) if scores.shape[1] > 1 else scores[:, 0]

        return oracle

    return write


def _by_label(row: list[dict[str, Any]]) -> dict[str, float]:
    return {one["label"]: one["score"] for one in row}


IMAGE = f"""
[image]
size = [{SIDE}, {SIDE}]
mean = [0.4, 0.5, 0.6]
std = [0.2, 0.25, 0.3]
"""
TEXT = "[text]\n"


def _case(name: str, write: Callable[[Path], Oracle], **options: Any) -> Case:
    given = {"inputs": texts, "inputs_toml": TEXT, "names_labels": True, **options}
    return Case(f"transformers-{name}", FOLDER, write, **given)


def _pictures(name: str, write: Callable[[Path], Oracle]) -> Case:
    return _case(name, write, inputs=pictures, inputs_toml=IMAGE)


def _resnet() -> Any:
    config = transformers.ResNetConfig(**_RESNET, **_NAMES)
    return made(transformers.ResNetForImageClassification, config)


def _convnext() -> Any:
    config = transformers.ConvNextConfig(**_CONVNEXT, **_NAMES)
    return made(transformers.ConvNextForImageClassification, config)


def _distilbert() -> Any:
    config = transformers.DistilBertConfig(
        dim=16, n_layers=2, n_heads=2, hidden_dim=32, initializer_range=0.6,
        vocab_size=_BERT["vocab_size"], max_position_embeddings=LIMIT, **_NAMES,
    )  # fmt: skip
    return made(transformers.DistilBertForSequenceClassification, config)


CASES = (
    _pictures("vit", image_case(vit())),
    _pictures("vit-shards", image_case(vit(), max_shard_size="8KB")),
    _pictures("resnet", image_case(_resnet())),
    _pictures("convnext", image_case(_convnext())),
    _case("bert", text_case(bert(), wordpiece())),
    _case("distilbert", text_case(_distilbert(), wordpiece(transformers.DistilBertTokenizer))),
    _case("bert-regression", text_case(regressor(), wordpiece()),
          kind="regression", labels=(), names_labels=False),
)  # fmt: skip
