"""Hugging Face models in the folder that save_pretrained writes: images and texts, classified."""

from __future__ import annotations

import inspect
import logging
import os
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from podium.errors import ModelError, PodiumError
from podium.runtimes.base import Arrays, Model, Source, TensorSpec, folder_files, needs
from podium.runtimes.torch.drawing import drawing, keep_drawing
from podium.runtimes.transformers.preprocessor import image_of
from podium.runtimes.transformers.pretrained import CONFIG, PROCESSORS, audit, staged
from podium.runtimes.versions import installed_version, mismatch
from podium.spec import Image

Kind = Literal["image", "text"]
Encode = Callable[[NDArray[Any]], Mapping[str, Any]]
"""Items -> the tensors that a model's forward takes, by name."""

_HEADS: Final[Mapping[str, Kind]] = {
    "ForImageClassification": "image",
    "ForSequenceClassification": "text",
}
_ROWS: Final = 16
"""How many items go through the model at once, for the memory of their activations."""
_VOCABULARIES: Final = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")


def load(source: Source) -> Model:
    """Load a folder without running code of it and without asking a hub for anything.

    Raises:
        MissingExtra: PyTorch, transformers or safetensors is not installed.
        UntrustedModel: the folder needs code of its own, or its weights are a pickle.
        ModelError: it is no image or text classifier or regressor, or cannot be read.
    """
    folder = source.file
    with needs(folder, "Hugging Face model folder", "transformers"):
        import safetensors  # noqa: F401
        import torch
        import transformers
    config = audit(folder)
    kind = _kind(folder, config)
    _keep_quiet(transformers)
    torch.set_num_threads(source.threads)
    saved = str(config.get("transformers_version") or "")
    other = mismatch(folder.name, saved, "transformers")
    with staged(folder) as stage, _in_words(folder, stage, other):
        _check_known(folder, config)
        module = _module(folder, stage, kind)
        make = _image_model if kind == "image" else _text_model
        model = make(folder, stage, module)
        if source.random:
            model.notes += keep_drawing(folder.name, model, module)
    model.notes = tuple(note for note in (other, *model.notes) if note)
    return model


def files(file: Path) -> tuple[Path, ...]:
    """Return all files of the folder."""
    return folder_files(file)


@dataclass(kw_only=True)
class PretrainedModel(Model):
    """A module with a head for one class of many, or for one value: the output "logits".

    `encode` makes the module's tensors of at most `rows` items.
    """

    module: Any
    encode: Encode
    rows: int = _ROWS

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return logits, shape (batch, classes), or values, shape (batch, 1)."""
        import torch

        items = inputs[self.inputs[0].name]
        with torch.inference_mode():
            parts = [
                self.module(**self.encode(items[start : start + self.rows])).logits.numpy()
                for start in range(0, len(items), self.rows)
            ]
        return {"logits": np.concatenate(parts)}

    def drawing(self, seed: int) -> AbstractContextManager[None]:
        """Within, what the module draws from PyTorch's generator hangs on `seed`."""
        return drawing(seed)


def _kind(folder: Path, config: Mapping[str, Any]) -> Kind:
    named = config.get("architectures")
    found = str(named[0]) if isinstance(named, list) and named else "no architecture"
    kinds = [kind for head, kind in _HEADS.items() if head in found]
    if not kinds or found.startswith("TimmWrapper"):
        from podium.runtimes import named_in

        raise ModelError(
            f"{folder.name}: {CONFIG} names {found}. Served are models for image classification "
            "(...ForImageClassification) and text classification (...ForSequenceClassification); "
            f"export another one to ONNX.{named_in(folder)}"
        )
    if config.get("problem_type") == "multi_label_classification":
        raise ModelError(
            f"{folder.name} tells several labels at once (problem_type "
            '"multi_label_classification"). Podium serves one class of many, or one number.'
        )
    return kinds[0]


def _keep_quiet(transformers: Any) -> None:
    """Keep the framework's bars and log off the terminal, and its tokenizers to their thread."""
    transformers.utils.logging.set_verbosity(logging.CRITICAL)
    transformers.utils.logging.disable_progress_bar()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@contextmanager
def _in_words(folder: Path, stage: Path, other: str) -> Iterator[None]:
    """Turn whatever the framework raises into a ModelError that names the folder."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except PodiumError:
        raise
    except Exception as err:  # transformers passes on whatever damaged files cause
        reason = _first_line(err).replace(str(stage), folder.name)
        told = f"{folder.name}: transformers cannot load it: {reason}"
        raise ModelError(f"{told}. {other}".removesuffix(". ")) from err


def _first_line(err: Exception) -> str:
    return (str(err).strip() or repr(err)).splitlines()[0]


def _module(folder: Path, stage: Path, kind: Kind) -> Any:
    import torch
    import transformers

    auto = (transformers.AutoModelForImageClassification if kind == "image"
            else transformers.AutoModelForSequenceClassification)  # fmt: skip
    module, told = auto.from_pretrained(
        stage,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=torch.float32,
        ignore_mismatched_sizes=True,  # they are told below, with their names
        output_loading_info=True,
    )
    _check_complete(folder, told)
    return module.eval()


def _check_known(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a type of model that the installed transformers has no class for."""
    from transformers import CONFIG_MAPPING

    found = str(config.get("model_type"))
    if found not in CONFIG_MAPPING:
        saved = config.get("transformers_version", "an unknown version")
        raise ModelError(
            f"{folder.name}: transformers {installed_version('transformers')} has no model type "
            f"{found!r}; the folder was saved with {saved}. pip install --upgrade transformers"
        )


def _check_complete(folder: Path, told: Mapping[str, Any]) -> None:
    """Refuse weights that leave parameters at random, which would answer anything."""
    missing = sorted(told["missing_keys"])
    if missing:
        raise ModelError(
            f"{folder.name}: its weights lack {len(missing)} parameters such as {missing[0]!r}; "
            "the model would answer at random. Save the trained model: "
            "model.save_pretrained(folder)"
        )
    for name, saved, wanted in sorted(told["mismatched_keys"]):
        raise ModelError(
            f"{folder.name}: {name!r} has the shape {list(saved)} in the weights and "
            f"{list(wanted)} by {CONFIG}. Save both again: model.save_pretrained(folder)"
        )


def _image_model(folder: Path, stage: Path, module: Any) -> PretrainedModel:
    import torch

    if module.main_input_name != "pixel_values":
        raise ModelError(f"{folder.name}: {type(module).__name__} takes {module.main_input_name} "
                         "and no pixels. Export it to ONNX.")  # fmt: skip
    channels = int(getattr(module.config, "num_channels", 3))
    image, notes = _image(folder, stage, channels)
    spec = TensorSpec("pixel_values", np.dtype(np.float32), (None, channels, *_sides(module)))
    return PretrainedModel(
        **_described(module.config),
        inputs=(spec,),
        image=image,
        notes=notes,
        module=module,
        encode=lambda pixels: {
            "pixel_values": torch.from_numpy(np.ascontiguousarray(pixels, np.float32))
        },
    )


def _image(folder: Path, stage: Path, channels: int) -> tuple[Image | None, tuple[str, ...]]:
    """Return [image] as the folder's image processor says it, and notes."""
    from transformers import AutoImageProcessor, BaseImageProcessor

    if not any((stage / name).is_file() for name in PROCESSORS):
        return None, (f"{folder.name} holds no {PROCESSORS[0]}: [image] is not known from it.",)
    try:
        processor = AutoImageProcessor.from_pretrained(  # nosec B615  # of this folder
            stage, backend="pil", local_files_only=True, trust_remote_code=False
        )
        settings = processor.to_dict() if isinstance(processor, BaseImageProcessor) else {}
        return image_of(settings, channels)
    except Exception as err:  # pixels are Podium's own work; [image] may be written by hand
        return None, (
            f"{PROCESSORS[0]} cannot be read: {_first_line(err)}. Write [image] by hand.",
        )


def _sides(module: Any) -> tuple[int | None, int | None]:
    """Return the height and width of a model whose positions are learned, else None."""
    side = getattr(module.config, "image_size", None)
    fixed = "interpolate_pos_encoding" in inspect.signature(module.forward).parameters
    if side is None or not fixed:
        return None, None
    height, width = (side, side) if isinstance(side, int) else side
    return int(height), int(width)


def _text_model(folder: Path, stage: Path, module: Any) -> PretrainedModel:
    tokenizer = _tokenizer(folder, stage, module)
    limit = _tokens(tokenizer, module)
    notes = () if limit is None else (f"Texts are cut after {limit} tokens, the model's limit.",)
    # Without a token to fill up shorter texts, each goes through the model alone.
    padded = tokenizer.pad_token is not None and module.config.pad_token_id is not None
    return PretrainedModel(
        **_described(module.config),
        inputs=(TensorSpec("text", np.dtype(np.object_), (None,)),),
        notes=notes,
        module=module,
        encode=_encoder(tokenizer, limit, padded),
        rows=_ROWS if padded else 1,
    )


def _encoder(tokenizer: Any, limit: int | None, padded: bool) -> Encode:
    """Return what makes tensors of texts, padded to the longest of the batch."""
    # A call sets the tokenizer's padding and truncation, which another thread may be reading.
    lock = threading.Lock()

    def encode(texts: NDArray[Any]) -> Mapping[str, Any]:
        with lock:
            found: Mapping[str, Any] = tokenizer(
                texts.reshape(-1).tolist(),
                padding=padded,
                truncation=limit is not None,
                max_length=limit,
                return_tensors="pt",
            )
        return found

    return encode


def _tokenizer(folder: Path, stage: Path, module: Any) -> Any:
    from transformers import AutoTokenizer

    if not any(file for pattern in _VOCABULARIES for file in stage.glob(pattern)):
        raise ModelError(f"{folder.name} holds no tokenizer. Save the one of the training beside "
                         "the weights: tokenizer.save_pretrained(folder)")  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(  # nosec B615  # of this folder
        stage, config=module.config, local_files_only=True, trust_remote_code=False
    )
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            f"{folder.name}: {type(tokenizer).__name__} is no fast tokenizer (tokenizer.json). "
            'Write a [pipeline] preprocess, or serve it by python = "module:function"'
        )
    known = module.get_input_embeddings().num_embeddings
    if len(tokenizer) > known:
        raise ModelError(
            f"{folder.name}: the tokenizer has {len(tokenizer)} tokens; the model knows {known}. "
            "Save the one that it was trained with: tokenizer.save_pretrained(folder)"
        )
    return tokenizer


def _tokens(tokenizer: Any, module: Any) -> int | None:
    """Return how many tokens the model takes of a text; None when nothing bounds them."""
    positions = getattr(module.config, "max_position_embeddings", None)
    for name, part in module.named_modules():
        # RoBERTa and its kin count positions from behind the padding's.
        if name.endswith("position_embeddings") and getattr(part, "padding_idx", None) is not None:
            positions = part.num_embeddings - part.padding_idx - 1
    bounds = [int(bound) for bound in (tokenizer.model_max_length, positions) if bound]
    least = min(bounds, default=0)
    return least if 0 < least < 10**9 else None


def _described(config: Any) -> dict[str, Any]:
    """Return what the config tells of the answers."""
    count = int(config.num_labels)
    regression = count == 1 or config.problem_type == "regression"
    return {
        "platform": "transformers",
        "outputs": (TensorSpec("logits", np.dtype(np.float32), (None, count)),),
        "task": "regression" if regression else "classification",
        "labels": () if regression else _labels(config.id2label),
    }


def _labels(names: Mapping[int, Any]) -> tuple[str, ...]:
    """Return the classes in order, or () for mere numbers; one that stands twice gets its index."""
    labels = [str(names.get(index, "")) for index in range(len(names))]
    if any(label in ("", f"LABEL_{index}") for index, label in enumerate(labels)):
        return ()
    counts = Counter(labels)
    return tuple(f"{label} ({index})" if counts[label] > 1 else label
                 for index, label in enumerate(labels))  # fmt: skip
