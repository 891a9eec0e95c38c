"""An application with PyTorch, which comes from an index of builds for processors alone."""

from __future__ import annotations

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
import torch

from podium.errors import PYTORCH_INDEX
from tests.conformance.torch_cases import exported, seeded
from tests.container.engine import Engine
from tests.container.images import above_base, build

VERSION = torch.__version__


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index: PyTorch's, or one of the build that this host's pip would take."""
    wheels = tmp_path / "index" / "torch"
    wheels.mkdir(parents=True)
    asked = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
    subprocess.run([*asked, f"torch=={VERSION}"], capture_output=True, check=False)  # noqa: S603
    if not list(wheels.iterdir()):
        yield PYTORCH_INDEX
        return
    with served(wheels.parent) as address:
        yield address


class Quiet(SimpleHTTPRequestHandler):
    """Sends files, and writes no log of it."""

    def log_message(self, *_: object) -> None:
        """Write nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder to this host, each folder in it as a list of its files."""
    handler = partial(Quiet, directory=str(folder))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


def test_pytorch_for_processors(engine: Engine, tmp_path: Path, index: str) -> None:
    """From a model's file to an image whose PyTorch is the index's; the model answers there."""
    (tmp_path / "net.pt2").write_bytes(exported(seeded(lambda: torch.nn.Linear(3, 1))))
    engine.run("podium", "init", "net.pt2", "--output", "net", "--no-check", folder=tmp_path)
    image = build(engine, tmp_path / "net", PYTORCH_INDEX=index)
    print(f"\nAbove the base image: PyTorch {above_base(engine, image) / 1e6:.1f} MB")
    alone = ("docker", "run", "--rm", "--read-only", "--tmpfs", "/tmp", image.tag)  # noqa: S108
    assert "All is well." in engine.run(*alone, "podium", "check", "/app")
    look = "import torch; print(torch.__version__, torch.version.cuda)"
    assert engine.printed(*alone, "python", "-c", look) == f"{VERSION} None\n"
