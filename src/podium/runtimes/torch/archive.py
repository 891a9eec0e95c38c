"""The archive of a torch.export program (.pt2): JSON, raw weights and pickles, read as data."""

from __future__ import annotations

import io
import json
import pickle  # nosec B403  # its errors alone
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from zipfile import ZipFile

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.archive import open_archive
from podium.runtimes.torch.file import EXPORT, ZIP, load_weights, within
from podium.runtimes.torch.graph import dtype_of
from podium.runtimes.torch.operators import Json

_BODY: Final = re.compile(r"models/.+\.json|serialized_exported_program\.json")
_TENSORS: Final = re.compile(r"(data/(?:weights|constants))/.+\.json")
_PICKLED_TENSORS: Final = re.compile(
    r"data/(weights|constants)/.+\.pt|serialized_(state_dict|constants)\.pt"
)
"""Where PyTorch 2.8 and those before it put what is raw today."""

_MACHINE_CODE: Final = "data/aotinductor/"


@dataclass
class ProgramArchive:
    """The members of an archive; `names` are their full names by those within its top folder."""

    archive: ZipFile
    names: dict[str, str]

    @classmethod
    def of(cls, archive: ZipFile) -> ProgramArchive:
        """Return the members of an archive that has been looked at."""
        return cls(archive, within(archive.namelist()))

    def body(self) -> Json:
        """Return the JSON of the program.

        Raises:
            UntrustedModel: it comes as machine code.
            ModelError: there is none, or there are several.
        """
        if any(name.startswith(_MACHINE_CODE) for name in self.names):
            raise UntrustedModel(f"it holds machine code, compiled by AOTInductor. {EXPORT}")
        found = [name for name in self.names if _BODY.fullmatch(name)]
        if len(found) != 1:
            held = ", ".join(found) or "none"
            raise ModelError(f"a file holds one program; in this one there is: {held}")
        body: Json = json.loads(self._read(found[0]))
        return body

    def state(self) -> dict[str, Any]:
        """Return the parameters, buffers and constants by their names.

        Raises:
            UntrustedModel: a member, whether it is needed or not, is a pickle that could run code.
        """
        state: dict[str, Any] = {}
        for name in self.names:
            if name.endswith(".pt"):
                pickled = self._pickled(name)
                state |= pickled if _PICKLED_TENSORS.fullmatch(name) and pickled else {}
            elif match := _TENSORS.fullmatch(name):
                state |= self._tensors(match[1], json.loads(self._read(name))["config"])
        return state

    def _read(self, name: str) -> bytes:
        return self.archive.read(self.names[name])

    def _pickled(self, name: str) -> Any:
        body = self._read(name)
        if body.startswith(ZIP):
            open_archive(io.BytesIO(body), name).close()
        try:
            return load_weights(io.BytesIO(body), name) if body else None
        except pickle.UnpicklingError as err:
            raise UntrustedModel(f"{name} in it {err}. {EXPORT}") from err

    def _tensors(self, folder: str, entries: Json) -> Iterator[tuple[str, Any]]:
        """Yield tensors by their names; those of one member share its memory."""
        import torch

        raw: dict[str, bytearray] = {}
        for name, entry in entries.items():
            path, meta = f"{folder}/{entry['path_name']}", entry["tensor_meta"]
            if entry["use_pickle"]:
                raise UntrustedModel(f"{path} in it is a pickle, which could run code. {EXPORT}")
            dtype = dtype_of(meta["dtype"])
            if path not in raw:
                raw[path] = bytearray(self._read(path))
            flat = torch.frombuffer(raw[path] or bytearray(16), dtype=dtype)
            flat = flat if raw[path] else flat[:0]
            sizes, strides = ([one["as_int"] for one in meta[key]] for key in ("sizes", "strides"))
            yield name, torch.as_strided(flat, sizes, strides, meta["storage_offset"]["as_int"])
