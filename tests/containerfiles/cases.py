"""Applications in containers, and the files that are to be made of them.

`python -m tests.containerfiles.cases` writes those files again; read what has changed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from msgspec import structs

from podium.bundle.lock import Lock
from podium.bundle.packages import Packages
from podium.bundle.target import Target
from podium.container.compose import compose
from podium.container.dockerfile import dockerfile
from podium.container.facts import Container
from podium.spec import Server, Spec
from tests.production.test_gunicorn import spec

GOLDEN: Final = Path(__file__).parent / "golden"
TARGET: Final = Target("3.11", "x86_64")
_PODIUM: Final = ("flask>=3.1", "onnxruntime>=1.23")


def container(
    extras: tuple[str, ...] = (), lines: tuple[str, ...] = (), locked: bool = False,
    of: Spec | None = None, **facts: Any,
) -> Container:  # fmt: skip
    """Return the facts of an application called "birds"."""
    packages = Packages(TARGET, extras, (*_PODIUM, *lines))
    lock = Lock("flask==3.1.3 --hash=sha256:0\n", packages, {}, 300_000_000) if locked else None
    told = {"name": "birds", "tag": "birds", "wheel": "podium-0.1.0-py3-none-any.whl", **facts}
    return Container(spec=of or spec(), packages=packages, lock=lock, **told)


ELSEWHERE: Final = structs.replace(
    spec(), server=Server(hosts=("birds.example.org",), base_path="/birds", proxies=1)
)
CASES: Final = {
    "onnx": container(),
    "sklearn": container(("sklearn",), ("pandas>=2.2", "scikit-learn>=1.7", "skops>=0.16")),
    "torch": container(("torch",), ("safetensors>=0.7", "torch>=2.8")),
    "tensorflow": container(
        ("keras", "tensorflow"), ("h5py>=3.12", "keras>=3.13.1", "tensorflow-cpu>=2.20")
    ),
    "locked": container(("torch",), ("torch>=2.8",), locked=True),
    "elsewhere": container(of=ELSEWHERE, tag="registry.example.org/team/birds:2"),
}


def texts(container: Container) -> dict[str, str]:
    """Return the files that differ from one application to the other."""
    return {"Dockerfile": dockerfile(container), "compose.yaml": compose(container)}


def main() -> None:
    """Write all golden files."""
    for name, one in CASES.items():
        for file, text in texts(one).items():
            path = GOLDEN / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
