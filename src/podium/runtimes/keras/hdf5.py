"""HDF5 files are looked at before their arrays are read: they may lead to other files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.archive import FREE_BYTES, MAX_RATIO

MAGIC: Final = b"\x89HDF\r\n\x1a\n"
_FILTERS: Final = range(1, 7)
"""Filters that are part of HDF5 itself; any other is a library that it would look for and load."""
_KINDS: Final = "biufcV"
"""Numbers; bfloat16 is two bytes of no kind that HDF5 knows."""


def audit(name: str, file: Path | BinaryIO, size: int) -> dict[str, str]:
    """Return the texts among an HDF5 file's own attributes, if it holds arrays and nothing else.

    `name` is what errors call the file, `size` its length in bytes.

    Raises:
        UntrustedModel: something in it leads outside of it, or unpacks to far more than it holds.
        ModelError: it is damaged.
    """
    import h5py

    try:
        with h5py.File(file, "r") as root:
            declared = sum(_checked(name, dataset) for dataset in _datasets(name, root))
            attributes = {key: _text(root.attrs[key]) for key in root.attrs}
    except UntrustedModel:
        raise
    except Exception as err:  # h5py passes on whatever a damaged file causes
        raise ModelError(f"{name} is damaged: HDF5 cannot read it ({err})") from err
    if declared > max(FREE_BYTES, MAX_RATIO * size):
        raise UntrustedModel(
            f"{name} would unpack to {declared / 1e6:,.0f} MB, over {MAX_RATIO} times its size: "
            "a bomb. Save the model again."
        )
    return {key: text for key, text in attributes.items() if text}


def _datasets(name: str, root: Any) -> Iterator[Any]:
    """Yield each dataset once; groups may hold one another."""
    import h5py

    groups, seen = [root], set()
    while groups:
        group = groups.pop()
        for key in group:
            kind = group.get(key, getclass=True, getlink=True)
            if kind is not h5py.HardLink:
                raise UntrustedModel(f"{name}: {key!r} in it leads elsewhere ({kind.__name__})")
            child = group[key]
            address = h5py.h5o.get_info(child.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(child, h5py.Group):
                groups.append(child)
            elif isinstance(child, h5py.Dataset):
                yield child


def _checked(name: str, dataset: Any) -> int:
    """Return the bytes that a dataset unpacks to."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(index)[0] for index in range(properties.get_nfilters())]
    wrong = (
        "keeps its values in another file" if dataset.external or dataset.is_virtual
        else "needs a filter that is no part of HDF5" if set(filters) - set(_FILTERS)
        else f"holds {dataset.dtype}, not numbers" if dataset.dtype.kind not in _KINDS
        else ""
    )  # fmt: skip
    if wrong:
        raise UntrustedModel(f"{name}: {dataset.name!r} in it {wrong}. Save the model again.")
    return int(math.prod(dataset.shape or (0,)) * dataset.dtype.itemsize)


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value if isinstance(value, str) else ""
