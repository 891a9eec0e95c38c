"""The maker's modules: found beside podium.toml, run once, apart from all that is installed."""

from __future__ import annotations

import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import sklearn

from podium.usercode import (
    load_object,
    missing_requirement,
    missing_requirements,
    module_file,
    told,
)


def write(folder: Path, modules: dict[str, str]) -> Path:
    """Write modules into a folder, each by its path without the ending."""
    for name, text in modules.items():
        file = folder / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_a_module_is_run_once(tmp_path: Path) -> None:
    """Two names of one module come from one run of it, by however many threads they are asked."""
    text = (
        "runs = []\nruns.append(1)\n\ndef one():\n    return runs\n\ndef two():\n    return runs\n"
    )
    folder = write(tmp_path, {"nets": text})
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: load_object(folder, name), ["nets:one", "nets:two"] * 8))
    assert [function() for function in found] == [[1]] * 16
    assert len({id(function()) for function in found}) == 1


@pytest.mark.parametrize(
    "line",
    ["import layers", "from . import layers", "from .layers import *", "from layers import WIDTH"],
)
def test_a_sibling_is_imported_by_either_way(line: str, tmp_path: Path) -> None:
    """A module imports those beside it as a script does, or relatively."""
    name = "WIDTH" if "WIDTH" in line or "*" in line else "layers.WIDTH"
    nets = f"{line}\n\ndef width():\n    return {name}\n"
    folder = write(tmp_path, {"nets": nets, "layers": "WIDTH = 7\n"})
    assert load_object(folder, "nets:width")() == 7


def test_both_ways_lead_to_one_module(tmp_path: Path) -> None:
    """A module is the same by its plain name, relatively, and as the one that was asked for."""
    nets = (
        "import layers, pkg.deep\nfrom . import layers as near\nfrom .pkg import deep\n\n"
        "class Net:\n    pass\n\n"
        "def same():\n    import nets\n"
        "    return layers is near, pkg.deep is deep, nets.Net is Net\n"
    )
    folder = write(
        tmp_path, {"nets": nets, "layers": "import nets\n", "pkg/__init__": "", "pkg/deep": ""}
    )
    assert load_object(folder, "nets:same")() == (True, True, True)


def test_an_unpickled_object_finds_its_class(tmp_path: Path) -> None:
    """What a training script pickled under a module's plain name is of the module's own class."""
    nets = (
        "import pickle\n\nclass Net:\n    pass\n\n"
        "def loaded():\n    return isinstance(pickle.loads(b'cnets\\nNet\\n(tR.'), Net)\n"
    )
    assert load_object(write(tmp_path, {"nets": nets}), "nets:loaded")() is True


@pytest.mark.parametrize(
    ("modules", "name"),
    [
        ({"nets/__init__": "from .layers import width\n",
          "nets/layers": "def width():\n    return 7\n"}, "nets:width"),
        ({"nets/__init__": "", "nets/layers": "def width():\n    return 7\n"},
         "nets.layers:width"),
        ({"nets/layers": "def width():\n    return 7\n"}, "nets.layers:width"),
        ({"nets/__init__": "def width():\n    return 7\n", "nets": "1 / 0\n"}, "nets:width"),
    ],
    ids=["package", "module of a package", "module of a folder", "package before module"],
)  # fmt: skip
def test_packages(modules: dict[str, str], name: str, tmp_path: Path) -> None:
    """The maker's code may be a package, or lie in a folder."""
    assert load_object(write(tmp_path, modules), name)() == 7
    assert module_file(tmp_path, name).is_file()


@pytest.mark.parametrize("name", ["statistics", "sklearn", "podium", "sys", "colorsys"])
def test_a_module_called_as_an_installed_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maker's sklearn.py is found, and nobody else gets it for scikit-learn."""
    text = f"import {name}\n\ndef found():\n    return {name}, __file__\n"
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)  # one that is not imported yet
    module, file = load_object(write(tmp_path, {name: text}), f"{name}:found")()
    assert module is sys.modules[name]
    assert file == str(tmp_path / f"{name}.py")
    assert getattr(module, "__file__", None) != file
    assert statistics.mean([1, 3]) == 2
    assert sklearn.__version__


def test_two_applications_do_not_mix(tmp_path: Path) -> None:
    """Modules and siblings of the same names in two folders of one process stay apart."""
    nets = (
        "import layers\nfrom pkg.deep import DEPTH\n\n"
        "def found():\n    import layers as now\n    return layers.WIDTH, DEPTH, now.WIDTH\n"
    )
    one, two = (
        write(tmp_path / name, {"nets": nets, "layers": f"WIDTH = {size}\n", "pkg/__init__": "",
                                "pkg/deep": f"DEPTH = {size}\n"})
        for name, size in (("one", 1), ("two", 2))
    )  # fmt: skip
    first = load_object(one, "nets:found")
    assert first() == (1, 1, 1)
    assert load_object(two, "nets:found")() == (2, 2, 2)
    assert first()[:2] == (1, 1)
    assert load_object(one, "nets:found") is first
    assert first() == (1, 1, 1)


def test_the_search_path_of_others_stays(tmp_path: Path) -> None:
    """Loading the maker's code adds nothing to where Python looks for modules."""
    before = list(sys.path)
    load_object(write(tmp_path, {"nets": "def f():\n    pass\n"}), "nets:f")
    assert sys.path == before
    assert "nets" not in sys.modules


def test_a_module_that_raised_may_be_mended(tmp_path: Path) -> None:
    """A module that could not be run is run again when it is asked for again."""
    write(tmp_path, {"nets": "1 / 0\n"})
    with pytest.raises(ZeroDivisionError):
        load_object(tmp_path, "nets:width")
    write(tmp_path, {"nets": "def width():\n    return 7 + 0\n"})
    assert load_object(tmp_path, "nets:width")() == 7


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("none:f", "ImportError: there is no {folder}/none.py"),
        ("nets:wdth", "ImportError: nets.py has no 'wdth'. Did you mean 'width'?"),
        ("nets:WIDTH", "TypeError: 'WIDTH' is not callable"),
        ("exits:f", "ImportError: exits.py ends the program when it is imported. Put what is to "
                    'run as a script under: if __name__ == "__main__"'),
        ("broken:f", "ZeroDivisionError: division by zero (pkg/layers.py, line 2)"),
        ("text:f", "SyntaxError: invalid syntax (text.py, line 1)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(name: str, error: str, tmp_path: Path) -> None:
    """What the maker's code raises is told in one line, with the file and line where it did."""
    modules = {
        "nets": "def width():\n    pass\n\nWIDTH = 1\n", "exits": "raise SystemExit(2)\n",
        "broken": "import pkg.layers\n", "pkg/layers": "def f(x):\n    return 1 / x\n\nf(0)\n",
        "text": "a b\n",
    }  # fmt: skip
    folder = write(tmp_path, modules)
    with pytest.raises(Exception) as caught:
        load_object(folder, name)
    assert told(caught.value, folder) == error.format(folder=folder)


INSTALLED = msgspec.__version__


@pytest.mark.parametrize(
    ("requirement", "message"),
    [
        ("msgspec", ""),
        (f"MsgSpec=={INSTALLED}", ""),
        ("no-such-package>=1", "is not installed: pip install 'no-such-package>=1'"),
        ("msgspec<0.1", f"is not met by the installed {INSTALLED}: pip install 'msgspec<0.1'"),
        ("no-such-package; python_version < '3'", ""),
        ("no-such-package; python_version > '3'",
         "is not installed: pip install "
         """'no-such-package; python_version > '"'"'3'"'"''"""),
        ("flask[dotenv]", ""),
        ("flask[async,dotenv]>=3", "lacks asgiref: pip install 'flask[async,dotenv]>=3'"),
        ("two words", "is no requirement such as 'scipy>=1.14': Expected semicolon (after name "
                      "with no version specifier) or end two words ^"),
    ],
    ids=["any version", "this version", "not installed", "too new", "marker that does not hold",
         "marker that holds", "extra", "extra that lacks a package", "malformed"],
)  # fmt: skip
def test_each_requirement(requirement: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A requirement that is not met is told with the command that meets it, safe for a shell."""
    if "flask" in requirement:
        needs = ["click>=8", "click; extra == 'dotenv'", "asgiref>=3.2; extra == 'async'"]
        monkeypatch.setattr("importlib.metadata.requires", {"flask": needs}.get)
    assert missing_requirement(requirement) == message


def test_requirements_are_told_together() -> None:
    """Each requirement that is not met is told, by its place in the list."""
    found = missing_requirements(["msgspec", "no-such-package", "a b"])
    assert found.keys() == {1, 2}
    assert found[1] == "is not installed: pip install no-such-package"
