"""Models by their name on the Hugging Face hub, such as "org/name"."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from podium.errors import ModelError
from podium.runtimes.base import needs

_NAME: Final = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_DATA: Final = ("*.json", "*.txt", "*.model", "*.safetensors")


def download(name: str, folder: Path) -> Path:
    """Put the files of the hub's model `name` into `folder`, which is new or empty; return it.

    Taken are weights in safetensors, settings and vocabularies, as real files; never a pickle or
    code.

    Raises:
        MissingExtra: huggingface_hub is not installed.
        ModelError: there is no such model, or no way to the hub.
    """
    if not _NAME.fullmatch(name):
        raise ModelError(
            f'{name!r} is no name of a model on the Hugging Face hub, such as "org/name"'
        )
    with needs(Path(name), "model of the Hugging Face hub", "transformers"):
        import huggingface_hub
    if folder.is_dir() and any(folder.iterdir()):
        raise ModelError(f"{folder} is not empty; a model is downloaded into a new folder.")
    try:
        huggingface_hub.snapshot_download(  # nosec B615  # data alone
            name,
            local_dir=folder,
            allow_patterns=list(_DATA),
            ignore_patterns=["*/*"],  # copies in other formats, and checkpoints of the training
        )
    except Exception as err:  # the hub's client passes on whatever a network causes
        raise ModelError(_refusal(name, err)) from err
    finally:
        shutil.rmtree(folder / ".cache", ignore_errors=True)
    return folder


def _refusal(name: str, err: Exception) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import RepositoryNotFoundError

    if isinstance(err, RepositoryNotFoundError):
        return (
            f"There is no model {name!r} on the Hugging Face hub, or it is private or gated: check "
            "its name, or log in with: hf auth login"
        )
    why = ("HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE
           else (str(err).strip() or repr(err)).splitlines()[0])  # fmt: skip
    return (
        f"{name!r} cannot be downloaded from the Hugging Face hub: {why}. Where there is a way to "
        f"it: hf download {name} --local-dir model; then give that folder instead of the name."
    )
