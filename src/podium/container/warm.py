"""Bytecode of what a server imports, made once while an image is built.

`python -m podium.container.warm EXTRA...` imports all of Podium, what its server needs, and the
frameworks of the extras; Python keeps the bytecode under PYTHONPYCACHEPREFIX. The image then starts
quickly on a root that nobody can write to, and is free of what nothing imports.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages
from typing import Final

import podium

SERVER: Final = (
    "PIL.BmpImagePlugin", "PIL.GifImagePlugin", "PIL.JpegImagePlugin", "PIL.PngImagePlugin",
    "PIL.PpmImagePlugin", "PIL.TiffImagePlugin", "PIL.WebPImagePlugin", "duckdb", "encodings.idna",
    "gunicorn.app.base", "gunicorn.arbiter", "gunicorn.dirty", "gunicorn.http.wsgi",
    "gunicorn.workers.gthread", "gunicorn_h1c", "jinja2.ext", "numpy.ma", "numpy.random",
    "onnxruntime", "sqlalchemy.dialects.sqlite", "wsgiref.handlers",
)  # fmt: skip
"""What is imported only once a server runs."""
FRAMEWORKS: Final = {
    "sklearn": ("pandas", "skops.io", "sklearn.calibration", "sklearn.compose", "sklearn.ensemble",
                "sklearn.gaussian_process", "sklearn.neural_network", "sklearn.pipeline"),
    "torch": ("safetensors.torch", "torch", "torch.export"),
    "keras": ("h5py",),
    "tensorflow": ("tensorflow", "keras"),
    "tflite": ("ai_edge_litert.interpreter",),
    "transformers": ("transformers", "tokenizers"),
    "mlflow": ("mlflow", "pandas"),
    "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",),
    "postgresql": ("psycopg", "sqlalchemy.dialects.postgresql"),
    "redis": ("redis",),
    "heic": ("pillow_heif",),
}  # fmt: skip
"""What the extras bring that is imported with a model."""


def warm(extras: Iterable[str]) -> None:
    """Import all that a server with these extras imports."""
    for one in walk_packages(podium.__path__, "podium."):
        # What makes bundles and exports models needs more than is installed where one serves.
        if not one.name.endswith("__main__") and not one.name.startswith("podium.demos"):
            with suppress(ModuleNotFoundError):
                import_module(one.name)
    for name in (*SERVER, *(name for extra in extras for name in FRAMEWORKS.get(extra, ()))):
        import_module(name)


if __name__ == "__main__":
    warm(sys.argv[1:])
