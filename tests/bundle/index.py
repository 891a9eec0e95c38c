"""A package index of a few made-up packages, as files in a folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

_BUILD = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
_BACKEND = """\
from pathlib import Path
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = Path(folder) / {info!r}
    info.mkdir()
    (info / "METADATA").write_text({told!r})
    return info.name
def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise NotImplementedError
"""


class Index:
    """An index in a folder, which pip reads by its `url`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    @property
    def url(self) -> str:
        """The address to give as --index-url."""
        return self.folder.as_uri()

    def add(
        self, name: str, version: str, requires: Sequence[str] = (), tag: str = "py3-none-any",
        files: dict[str, bytes] | None = None,
    ) -> str:  # fmt: skip
        """Add a wheel with one module, or with `files`; return its sha256."""
        plain = name.replace("-", "_")
        info = f"{plain}-{version}.dist-info"
        told = "".join(f"Requires-Dist: {line}\n" for line in requires)
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for path, content in (files or {f"{plain}.py": b"x = 1\n"}).items():
                archive.writestr(path, content)
            archive.writestr(
                f"{info}/METADATA",
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{told}",
            )
            archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
            archive.writestr(f"{info}/RECORD", "")
        return self._put(name, f"{plain}-{version}-{tag}.whl", written.getvalue())

    def add_source(self, name: str, version: str) -> str:
        """Add a package of which there is no wheel; return its sha256."""
        top = f"{name.replace('-', '_')}-{version}"
        told = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        files = {"PKG-INFO": told, "pyproject.toml": _BUILD,
                 "backend.py": _BACKEND.format(info=f"{top}.dist-info", told=told)}  # fmt: skip
        written = io.BytesIO()
        with tarfile.open(fileobj=written, mode="w:gz") as archive:
            for path, text in files.items():
                entry = tarfile.TarInfo(f"{top}/{path}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        return self._put(name, f"{top}.tar.gz", written.getvalue())

    def _put(self, name: str, file: str, content: bytes) -> str:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        (folder / file).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        with (folder / "index.html").open("a") as page:
            page.write(f'<a href="{file}#sha256={digest}">{file}</a>\n')
        return digest
