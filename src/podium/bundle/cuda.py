"""Packages that bring CUDA along, gigabytes of which a host without a GPU has no use for."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from podium.bundle.target import Target
from podium.errors import BundleError

_INSTEAD: Final = {
    "onnxruntime-gpu": "onnxruntime",
    "tensorflow-gpu": "tensorflow-cpu",
    "faiss-gpu": "faiss-cpu",
    "cupy": "numpy",
    "jax-cuda12-plugin": "jax",
    "paddlepaddle-gpu": "paddlepaddle",
}
_INSTEAD_ON_X86: Final = {"tensorflow": "tensorflow-cpu", "xgboost": "xgboost-cpu"}
"""Packages with a build for processors under another name, there alone."""
_NAMES: Final = (
    "nvidia-*", "cuda-*", "cupy-*", "*-cuda[0-9]*", "*-cu1[0-9]", "*-gpu", "triton", "tensorrt*",
    "torch-tensorrt", "pycuda", "numba-cuda", "flash-attn",
)  # fmt: skip
_EXTRAS: Final = ("*cuda*", "gpu", "nvidia")


def refuse_cuda(requirements: Mapping[str, Requirement], target: Target) -> None:
    """Raise BundleError if a requirement brings CUDA along; the keys tell where each stands."""
    found = {where: (one, _way_out(one, target)) for where, one in requirements.items()}
    wrong = [
        f"  {where}: '{one}' brings CUDA along. {way_out}"
        for where, (one, way_out) in found.items()
        if way_out
    ]
    if wrong:
        told = "\n".join(wrong)
        raise BundleError(f"The application is to run on processors alone, without a GPU:\n{told}")


def is_cuda(name: str, version: str = "") -> bool:
    """Whether a package, by canonical name and version, is a part of CUDA or built for it."""
    return name in _INSTEAD or _fits(name, _NAMES) or _is_build(version)


def _way_out(wanted: Requirement, target: Target) -> str:
    """Return what to write in place of a requirement that brings CUDA along, or ""."""
    name = canonicalize_name(wanted.name)
    instead = _INSTEAD.get(name)
    if target.machine == "x86_64":
        instead = instead or _INSTEAD_ON_X86.get(name)
    if instead:
        return f"Write {instead}."
    if any(_fits(extra, _EXTRAS) for extra in wanted.extras):
        return f"Write {name} without [{','.join(sorted(wanted.extras))}]."
    if any(_is_build(one.version) for one in wanted.specifier):
        return f"Leave out the +cu... of its version, or write {name}."
    return "Leave it out." if is_cuda(name) else ""


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name.lower(), pattern) for pattern in patterns)


def _is_build(version: str) -> bool:
    """Whether a version such as 2.8.0+cu126 is that of a build for CUDA."""
    return version.partition("+")[2].startswith("cu")
