"""What importing Podium loads, and which layer may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import podium

SOURCE = Path(podium.__file__).parent
FRAMEWORKS = {
    "onnx", "onnxruntime", "sklearn", "skops", "joblib", "scipy", "torch", "tensorflow", "keras",
    "xgboost", "lightgbm", "transformers", "mlflow", "ai_edge_litert", "h5py", "safetensors",
    "pandas", "huggingface_hub", "skl2onnx", "tf2onnx", "onnxscript",
}  # fmt: skip
SERVERS = {"flask", "werkzeug", "gunicorn", "jinja2", "markdown_it"}


def loaded_by(statement: str) -> set[str]:
    """Return the names of the top packages that a statement loads in a fresh interpreter."""
    code = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_import_podium_loads_neither_framework_nor_server() -> None:
    """`import podium` is light: no framework, no web server, no numpy."""
    heavy = FRAMEWORKS | SERVERS | {"numpy", "PIL", "msgspec", "click", "rich"}
    assert loaded_by("import podium") & heavy == set()


def test_command_line_starts_light() -> None:
    """`import podium.cli` loads click, and none of what single commands need."""
    loaded = loaded_by("import podium.cli")
    assert loaded & (FRAMEWORKS | SERVERS | {"numpy", "PIL", "rich"}) == set()
    assert "click" in loaded


def test_loading_an_application_loads_no_framework() -> None:
    """An application's frameworks are imported with its models, not before.

    What works on data sets is imported by who works on one.
    """
    statement = (
        "from pathlib import Path; from podium.app import App; import podium.web.wsgi; "
        f"App(Path({str(SOURCE / 'demos/penguins')!r}))"
    )
    assert loaded_by(statement) & (FRAMEWORKS | {"duckdb", "sqlalchemy"}) == set()


MODULES = sorted(path for path in SOURCE.rglob("*.py") if "demos" not in path.parts)


def name_of(file: Path) -> str:
    """Return a source file's module name."""
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports_of(file: Path) -> set[str]:
    """Return the modules that a file imports anywhere, except for type checking."""
    tree = ast.parse(file.read_text("utf-8"))
    return {name for node in _running(tree) for name in _imported(node)}


def _running(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _running(child)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield node.module or ""
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def breaches(layer: str, forbidden: set[str]) -> list[str]:
    """Return "module imports other" for every import of a layer that is forbidden to it."""
    return [
        f"{name_of(file)} imports {imported}"
        for file in MODULES
        if _within(name_of(file), layer)
        for imported in imports_of(file)
        if any(_within(imported, one) for one in forbidden)
    ]


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


WEB = {"podium.web"}
COMMANDS = {"podium.cli", "podium.serve", "podium.check", "podium.init", "podium.predict",
            "podium.optimize", "podium.demo", "podium.calibrate", "podium.report",
            "podium.translate"}  # fmt: skip
INSIDE = {"podium.runtimes", "podium.pipeline", "podium.engines", "podium.app"}
BUT_MESSAGES = {name_of(file) for file in MODULES} - {"podium", "podium.messages"}


@pytest.mark.parametrize(
    ("layer", "forbidden"),
    [
        ("podium.messages", {"podium"}),
        ("podium.errors", BUT_MESSAGES - {"podium.errors"}),
        ("podium.catalogue", INSIDE | WEB | COMMANDS | SERVERS),
        ("podium.cpus", {"podium"}),
        ("podium.hosting", INSIDE | WEB | COMMANDS),
        ("podium.deploy", COMMANDS | FRAMEWORKS | {"podium.runtimes", "podium.pipeline"}),
        ("podium.strict", INSIDE | WEB | COMMANDS | {"podium.spec", "podium.signature"}),
        ("podium.spec", INSIDE | WEB | COMMANDS | {"podium.signature", "podium.options"}),
        ("podium.signature", INSIDE | WEB | COMMANDS),
        ("podium.prediction", INSIDE | WEB | COMMANDS),
        ("podium.charts", INSIDE | WEB | COMMANDS | SERVERS | FRAMEWORKS),
        ("podium.runtimes",
         WEB | COMMANDS | SERVERS | {"podium.pipeline", "podium.app", "podium.production"}),
        ("podium.pipeline", WEB | COMMANDS | SERVERS | FRAMEWORKS | {"podium.app"}),
        ("podium.engines",
         WEB | COMMANDS | SERVERS | FRAMEWORKS | {"podium.app", "podium.pipeline"}),
        ("podium.app", WEB | COMMANDS | SERVERS | FRAMEWORKS | {"podium.production"}),
        ("podium.web",
         COMMANDS | FRAMEWORKS | {"podium.runtimes", "podium.production", "gunicorn"}),
        ("podium.csvfile", INSIDE | WEB | COMMANDS | SERVERS | {"podium.datasets"}),
        ("podium.header", INSIDE | WEB | COMMANDS | {"podium.datasets"}),
        ("podium.datasets",
         WEB | COMMANDS | FRAMEWORKS | SERVERS | {"podium.production"}),
        ("podium.jobs", WEB | COMMANDS | SERVERS | FRAMEWORKS | {"podium.production"}),
        ("podium.production", WEB | INSIDE | COMMANDS | FRAMEWORKS),
        ("podium.bundle",
         WEB | COMMANDS | SERVERS | FRAMEWORKS | {"podium.container", "podium.deploy"}),
        ("podium.container", WEB | COMMANDS | SERVERS | FRAMEWORKS | {"podium.pipeline"}),
        ("podium.doctor", INSIDE | COMMANDS | SERVERS | FRAMEWORKS | {"podium.operate"}),
    ],
)  # fmt: skip
def test_layers(layer: str, forbidden: set[str]) -> None:
    """A layer imports nothing of the layers above it, nor a framework that is not its own."""
    assert any(_within(name_of(file), layer) for file in MODULES)
    assert breaches(layer, forbidden) == []


def test_frameworks_are_imported_by_runtimes_alone() -> None:
    """Only podium.runtimes imports a framework."""
    importers = {name_of(file) for file in MODULES
                 if {name.partition(".")[0] for name in imports_of(file)} & FRAMEWORKS}  # fmt: skip
    assert importers >= {"podium.runtimes.onnx", "podium.runtimes.sklearn"}
    assert {name for name in importers if not name.startswith("podium.runtimes.")} == set()


def test_a_framework_is_imported_only_inside_a_function() -> None:
    """Importing a runtime's module loads no framework."""
    names = [name_of(file) for file in MODULES if name_of(file).startswith("podium.runtimes.")]
    assert loaded_by(f"import {', '.join(names)}") & FRAMEWORKS == set()
