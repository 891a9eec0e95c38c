"""A folder that save_pretrained wrote: what in it is data, and what would run or lead elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from podium.errors import ModelError, UntrustedModel

CONFIG: Final = "config.json"
PROCESSORS: Final = ("preprocessor_config.json", "processor_config.json")

_TOKENIZERS: Final = ("tokenizer_config.json", "special_tokens_map.json")
_ADAPTER: Final = "adapter_config.json"
_WEIGHTS: Final = "model.safetensors"
_INDEX: Final = "model.safetensors.index.json"
_PICKLES: Final = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_DATA: Final = (".json", ".txt", ".model")
"""What else is handed to the framework: vocabularies and their like, which are parsed."""

_CLASSES: Final = ("tokenizer_class", "image_processor_type", "feature_extractor_type")
_CLASS: Final = re.compile(
    r"\w*(Tokenizer(Fast)?|TokenizersBackend|ImageProcessor(Fast|Pil)?|FeatureExtractor)"
)
_TOKENIZER_TEXTS: Final = ("tokenizer_class", "padding_side", "truncation_side", "errors")
_TOKENIZER_TABLES: Final = ("added_tokens_decoder", "model_input_names")


def audit(folder: Path) -> dict[str, Any]:
    """Return config.json of a folder that is data alone.

    Raises:
        UntrustedModel: the folder needs code of its own, or holds its weights as a pickle.
        ModelError: it is no model's folder, or one that needs more than transformers.
    """
    if (folder / _ADAPTER).is_file():
        base = (_read(folder, _ADAPTER) or {}).get("base_model_name_or_path")
        raise ModelError(
            f"{folder.name} is an adapter (PEFT) to {base!r} and no whole model. Merge the two "
            "and save the result: model.merge_and_unload().save_pretrained(folder)"
        )
    config = _read(folder, CONFIG)
    if config is None:
        raise ModelError(f"{folder.name} holds no {CONFIG}: model.save_pretrained(folder)")
    for name in (CONFIG, *_TOKENIZERS, *PROCESSORS):
        if (_read(folder, name) or {}).get("auto_map"):
            raise UntrustedModel(
                f"{folder.name} needs code of its own (auto_map in {name}), and Podium runs none "
                "that a model's folder brings. Export the model to ONNX, or load it in a module "
                'beside podium.toml that you have read: python = "module:function"'
            )
    if config.get("quantization_config"):
        raise ModelError(
            f"{folder.name} is quantized (quantization_config in {CONFIG}), which needs packages "
            "beyond transformers. Save the model as it was before."
        )
    return config


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield a folder that is safe to hand to the framework.

    It holds links to the weights and vocabularies, and settings without what could make the
    framework run code, fetch something, or read a file elsewhere: an attention kernel of the hub,
    a vocabulary by its path.

    Raises:
        UntrustedModel: the weights are a pickle.
        ModelError: the weights are missing.
    """
    weights = _weights(folder)
    with TemporaryDirectory(prefix="podium-") as name:
        stage = Path(name)
        for file in folder.iterdir():
            if file.name in (CONFIG, *PROCESSORS, *_TOKENIZERS):
                kept = _read(folder, file.name) or {}
                kept = _tokenizer_settings(kept) if file.name in _TOKENIZERS else kept
                (stage / file.name).write_text(json.dumps(kept), "utf-8")
            elif file.name in weights or file.suffix in _DATA:
                (stage / file.name).symlink_to(file.resolve())
        yield stage


def _read(folder: Path, name: str) -> dict[str, Any] | None:
    """Return a JSON table of the folder, or None when there is no such file."""
    try:
        found = json.loads((folder / name).read_text("utf-8"), object_hook=_settings)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as err:
        raise ModelError(f"{folder.name}: {name} is damaged: {err}") from err
    if not isinstance(found, dict):
        raise ModelError(f"{folder.name}: {name} is damaged: expected a JSON object")
    return found


def _settings(table: dict[str, Any]) -> dict[str, Any]:
    """Return settings without what names an implementation, other weights, or any odd class."""
    return {
        key: value
        for key, value in table.items()
        if "_implementation" not in key
        and key not in ("transformers_weights", "fusion_config")
        and not (key in _CLASSES and not _CLASS.fullmatch(str(value)))
    }


def _tokenizer_settings(table: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that are switches, numbers and tokens; paths are among the others."""
    return {
        key: value
        for key, value in table.items()
        if value is None
        or isinstance(value, (bool, int, float))
        or key.endswith(("_token", "_tokens"))
        or key in (*_TOKENIZER_TEXTS, *_TOKENIZER_TABLES)
    }


def _weights(folder: Path) -> set[str]:
    """Return the names of the files that hold the weights."""
    found = {file.name for file in folder.glob("*.safetensors")}
    if _WEIGHTS in found:
        return {_WEIGHTS}
    index = _read(folder, _INDEX)
    if index is None:
        raise _without_weights(folder, found)
    shards = index.get("weight_map")
    named = {str(name) for name in shards.values()} if isinstance(shards, dict) else set()
    strange = sorted(named - found)
    if strange or not named:
        raise ModelError(
            f"{folder.name}: {_INDEX} names {', '.join(strange) or 'no file'}, and the folder "
            f"holds {', '.join(sorted(found)) or 'no .safetensors file'}. Save the model again."
        )
    return named


def _without_weights(folder: Path, found: set[str]) -> ModelError:
    save = "model.save_pretrained(folder, safe_serialization=True)"
    pickles = sorted(file.name for pattern in _PICKLES for file in folder.glob(pattern))
    if pickles:
        return UntrustedModel(
            f"{folder.name} holds its weights as a pickle ({pickles[0]}), which runs code when it "
            f"is loaded. Load it where it was trained and save it as safetensors: {save}"
        )
    others = f" It holds {', '.join(sorted(found))}, which is not that model." if found else ""
    return ModelError(f"{folder.name} holds no {_WEIGHTS}.{others} Save the model: {save}")
