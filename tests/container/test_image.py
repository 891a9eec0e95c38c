"""The images: how large they are, what is in them, and what is built again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.container.engine import Engine
from tests.container.images import Image, above_base, build

ONNX_BYTES = 300_000_000
SKLEARN_BYTES = 190_000_000


def test_sizes_above_the_base_image(engine: Engine, digits: Image, penguins: Image) -> None:
    """Models of ONNX take little more than ONNX Runtime and a server, scikit-learn's its part."""
    onnx, sklearn = above_base(engine, digits), above_base(engine, penguins)
    print(f"\nAbove the base image: digits {onnx / 1e6:.1f} MB, penguins {sklearn / 1e6:.1f} MB")
    assert onnx <= ONNX_BYTES
    assert sklearn <= ONNX_BYTES + SKLEARN_BYTES
    assert f"of which {onnx / 1e6:.1f} MB above its base image" in digits.told


def test_changed_model_installs_nothing_again(engine: Engine, digits: Image, apps: Path) -> None:
    """Of all steps the one is carried out that copies the models, and what follows it."""
    models = apps / "digits" / "models"
    shutil.copy(models / "mlp.onnx", models / "vit.onnx")
    (wheel,) = (digits.folder / "wheels").iterdir()
    changed = build(engine, apps / "digits", "--podium-wheel", str(wheel))
    assert changed.made[0] == "COPY models/ /app/"
    assert all(step.startswith("WORKDIR") for step in changed.made[1:])


def test_image_has_neither_pip_nor_a_compiler(engine: Engine, digits: Image) -> None:
    """What only the build needs stays behind; the base image's own pip is for another Python."""
    look = "import importlib.util as u, shutil; print(u.find_spec('pip'), shutil.which('gcc'))"
    told = engine.printed("docker", "run", "--rm", digits.tag, "python", "-c", look)
    assert told.split() == ["None", "None"]


def test_locked_versions_are_installed(engine: Engine, digits: Image, lock: Path) -> None:
    """Each package has the version that the lock says, and but for Podium there is no other."""
    code = (
        "from importlib.metadata import distributions\n"
        "print(*(f'{one.name}=={one.version}' for one in distributions()))"
    )
    told = engine.printed("docker", "run", "--rm", digits.tag, "python", "-c", code).split()
    installed = {_normal(line) for line in told if not line.startswith("podium==")}
    pins = re.findall(r"^\S+==[^\s\\]+", lock.read_text(), re.M)
    assert installed == {_normal(pin) for pin in pins}


def _normal(pin: str) -> str:
    name, _, version = pin.partition("==")
    return f"{canonicalize_name(name)}=={version}"
