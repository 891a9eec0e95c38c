"""docs/howto/wsgi.md, done as a reader would."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.docs.test_commands import ROOT, blocks
from tests.support.apps import write_notes
from tests.support.client import Client
from tests.support.front import free_port
from tests.support.waiting import until

PAGE = (ROOT / "docs" / "howto" / "wsgi.md").read_text("utf-8")


def is_there(client: Client) -> bool:
    """Whether the server listens."""
    with suppress(OSError):
        return client.get("/readyz").status == 200
    return False


def test_the_file_and_the_server_of_the_page(tmp_path: Path) -> None:
    """The example file, with the settings before it, is served by the line that tries it."""
    folder, port = write_notes(tmp_path / "penguins"), free_port()
    example, settings = blocks(PAGE, "python")
    told = settings.replace("8 MB", "50 kB") + example.replace("/home/ada/penguins", str(folder))
    (tmp_path / "wsgi.py").write_text(told)
    (line,) = blocks(PAGE, "sh")
    code = line.partition('"')[2].rpartition('"')[0].replace("8000", str(port))
    with subprocess.Popen(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.DEVNULL,
        env={**os.environ, "PODIUM_STATE": str(tmp_path)},
    ) as process:  # fmt: skip
        client = Client(port)
        try:
            until(lambda: is_there(client), 60)
            limits = client.get("/openapi.json").json()["x-podium-limits"]
            answer = client.predict({"text": "a"})
        finally:
            process.terminate()
    assert limits == {"upload": 50_000, "rows": 5, "timeout": 60}
    assert answer.predictions[0]["value"] == 3904355907
