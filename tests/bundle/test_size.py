"""How large packages will be, before they are installed."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from podium.bundle.packages import Packages
from podium.bundle.resolver import Found
from podium.bundle.size import Predicted, is_kept, predicted_size, wheels_size
from podium.bundle.target import Target
from tests.bundle.index import Index

HERE = Target.here()


def found(index: Index, name: str, version: str, file: str) -> Found:
    """Return a file of an index as the resolver tells of it."""
    return Found(name, version, "0" * 64, f"{index.url}/{name}/{file}", False, ())


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("numpy/linalg/_umath_linalg.cpython-311-x86_64-linux-gnu.so", True),
        ("numpy/testing/__init__.py", True),
        ("numpy/linalg/tests/test_linalg.py", False),
        ("numpy/_core/include/numpy/arrayobject.h", False),
        ("sklearn/tree/_tree.pyx", False),
        ("click/__pycache__/core.cpython-311.pyc", False),
        ("../../../bin/flask", False),
        ("tests.py", True),
    ],
)
def test_what_an_image_keeps(name: str, kept: bool) -> None:
    """Tests, what only compilers read, bytecode and scripts do not count."""
    assert is_kept(name) == kept


def test_packages_that_are_here_are_measured_here() -> None:
    """What is installed tells the size, with all that it requires; what is not is named."""
    told = predicted_size(Packages(HERE, (), ("flask>=3", "no-such-package==1.0")))
    names = ("flask", "blinker", "click", "itsdangerous", "jinja2", "markupsafe", "werkzeug")
    files = [file for name in names for file in metadata.files(name) or ()]
    expected = sum(file.size or 0 for file in files if is_kept(file.as_posix()))
    assert told == Predicted(expected, ("no-such-package",))


def test_other_wheels_are_read_where_they_are(tmp_path: Path) -> None:
    """The table of contents of a wheel tells the bytes that it will have, installed."""
    index = Index(tmp_path / "index")
    index.add("alpha", "1.0", files={"alpha/a.py": b"x" * 5000, "alpha/tests/b.py": b"x" * 7000})
    told = wheels_size([found(index, "alpha", "1.0", "alpha-1.0-py3-none-any.whl")], HERE)
    about = len("Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n")
    about += len("Wheel-Version: 1.0\nTag: py3-none-any\n")
    assert told == Predicted(5000 + about)


def test_a_large_table_of_contents_is_read_whole(tmp_path: Path) -> None:
    """A wheel of thousands of files is measured as well."""
    index = Index(tmp_path / "index")
    index.add("many", "1.0", files={f"many/{number:05}.py": b"x" for number in range(4000)})
    told = wheels_size([found(index, "many", "1.0", "many-1.0-py3-none-any.whl")], HERE)
    assert 4000 < told.bytes < 4100
    assert told.unknown == ()


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A wheel that is gone or no archive, and a source, are unknown rather than nothing."""
    index = Index(tmp_path / "index")
    (index.folder / "broken").mkdir()
    (index.folder / "broken" / "broken-1.0-py3-none-any.whl").write_bytes(b"no archive")
    told = wheels_size([
        found(index, "gone", "1.0", "gone-1.0-py3-none-any.whl"),
        found(index, "broken", "1.0", "broken-1.0-py3-none-any.whl"),
        found(index, "source", "1.0", "source-1.0.tar.gz"),
    ], HERE)  # fmt: skip
    assert told == Predicted(0, ("gone", "broken", "source"))
