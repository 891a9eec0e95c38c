"""What a file of PyTorch is: told from its content, whatever its name says."""

from __future__ import annotations

import pickle  # nosec B403  # its errors alone
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final, Literal

from podium.errors import ModelError
from podium.runtimes.archive import archive_names

Kind = Literal["program", "torchscript", "saved", "safetensors"]
"""What torch.export.save, torch.jit.save, torch.save and safetensors wrote."""

EXPORT: Final = (
    "Export the model instead: torch.export.save(torch.export.export(model.eval(), (example,), "
    'dynamic_shapes=({0: torch.export.Dim("batch")},)), "model.pt2"), with an example of two rows.'
)
ZIP: Final = b"PK\x03\x04"
_PICKLE: Final = b"\x80"
_HEADER_BYTES: Final = 8


def kind_of(file: Path) -> Kind:
    """Return what a file is.

    Raises:
        UntrustedModel: it is a zip bomb, or an archive that leads outside of itself.
        ModelError: it is nothing that PyTorch or safetensors wrote.
    """
    with file.open("rb") as stream:
        head = stream.read(_HEADER_BYTES + 1)
    if head.startswith(ZIP):
        return _kind_of_archive(file)
    # Before pickles: the length of the header may begin with their first byte.
    length = int.from_bytes(head[:_HEADER_BYTES], "little")
    if head[_HEADER_BYTES:] == b"{" and length <= file.stat().st_size - _HEADER_BYTES:
        return "safetensors"
    if head.startswith(_PICKLE):
        return "saved"
    raise ModelError(
        f"{file.name} is damaged, or no model of PyTorch: it is no torch.export program, no "
        "weights of torch.save or safetensors, and no TorchScript"
    )


def within(names: Sequence[str]) -> dict[str, str]:
    """Return the full names in an archive of PyTorch by those within its one top folder."""
    root = names[0].partition("/")[0] + "/" if names else ""
    shared = all(name.startswith(root) for name in names)
    return {name.removeprefix(root) if shared else name: name for name in names}


def load_weights(stream: IO[bytes], name: str) -> Any:
    """Return what torch.save wrote, if that is tensors and plain values in lists and dicts.

    `name` is what messages call it.

    Raises:
        UnpicklingError: saying what the pickle holds; nothing of it was made.
        ModelError: it is damaged.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(stream, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as err:
        found = re.search(r"GLOBAL (\S+)", str(err))
        held = f"{found[1]}, which" if found else "more than weights, and"
        raise pickle.UnpicklingError(
            f"is a pickle that holds {held} could run code when it is loaded"
        ) from err
    except Exception as err:  # torch passes on whatever a damaged file causes
        raise ModelError(f"{name} is damaged: {reason(err)}") from err


def reason(err: BaseException) -> str:
    """Return an error of a framework as one line."""
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return lines[0] if lines else type(err).__name__


def _kind_of_archive(file: Path) -> Kind:
    names = within(archive_names(file))
    if "archive_format" in names or "serialized_exported_program.json" in names:
        return "program"
    if "constants.pkl" in names:
        return "torchscript"
    if "data.pkl" in names:
        return "saved"
    held = ", ".join(list(names)[:3])
    raise ModelError(f"{file.name} is a zip archive, but none of PyTorch: it holds {held}")
