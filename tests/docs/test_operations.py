"""docs/operations.md: from a model to https://localhost, as a reader goes, but on free ports."""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.production.site import MARGIN_S, STALLED_ELSEWHERE_S, STALLED_S
from tests.docs.test_commands import ROOT, TUTORIAL, blocks, lines, run
from tests.support.front import free_port
from tests.support.missing import program

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
WALK = PAGE.partition("## From a model")[2].partition("\n## ")[0]
HOWTO = (ROOT / "docs" / "howto" / "production.md").read_text("utf-8")


@pytest.fixture
def wine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a short path in which the tutorial's application is; nothing is left up."""
    program("nginx", "nginx-light")
    program("openssl", "openssl")
    with tempfile.TemporaryDirectory(prefix="podium-") as made:
        folder = Path(made)
        monkeypatch.setenv("PODIUM_STATE", str(folder / "state"))
        (folder / "train.py").write_text(blocks(TUTORIAL, "python")[0])
        run([sys.executable, "train.py"], folder)
        run([*shlex.split(lines(TUTORIAL, "podium init")[0]), "--no-check"], folder)
        (folder / "wine" / "podium.toml").write_text(blocks(TUTORIAL, "toml")[0])
        try:
            yield folder
        finally:
            if list((folder / "state").glob("*/site/site.json")):
                run(["podium", "down", "wine"], folder)


def test_from_a_model_to_https(wine: Path) -> None:
    """Each command of the page works after the one before, and the doctor finds nothing wrong."""
    ports = {"8080": str(free_port()), "8443": str(free_port())}
    told = {}
    for line in "".join(blocks(WALK, "console")).splitlines():
        command = re.sub("8080|8443", lambda port: ports[port[0]], line)
        told[line] = run(shlex.split(command), wine)
    up, status, doctor, _, reload, rollback, logs, _ = told.values()
    assert f"https://localhost:{ports['8443']}/" in up
    assert "wine is up: " in status
    assert " 1 warning, 0 wrong;" in doctor  # nobody vouches for the certificate
    assert re.search(r"Release [0-9a-f]{12} serves\.\n", reload)
    assert " serves again. " in rollback
    assert "/predict" in logs


def test_times_of_the_table() -> None:
    """The table of time-outs says what the settings are made from."""
    assert f"| T + {MARGIN_S} s | nginx |" in PAGE
    assert f"| {STALLED_ELSEWHERE_S} s | nginx |" in PAGE
    assert f"of a data set after {STALLED_S} s |" in PAGE


@pytest.mark.parametrize("page", ["operations.md", "howto/production.md"])
def test_links_lead_somewhere(page: str) -> None:
    """Each link to another page, and to a heading of it, is there."""
    file = ROOT / "docs" / page
    for link in re.findall(r"\]\(([^)]+)\)", file.read_text("utf-8")):
        name, _, heading = link.partition("#")
        if "://" in link:
            continue
        target = file.parent / name if name else file
        assert target.is_file(), link
        anchors = [
            anchor_of(one) for one in re.findall(r"^#+ (.*)", target.read_text("utf-8"), re.M)
        ]
        assert not heading or heading in anchors, link


def anchor_of(heading: str) -> str:
    """Return what a heading is linked by."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_howto_s_certbot_line_is_that_of_the_files() -> None:
    """The page has certbot's command as `podium up` writes it into certbot/README.txt."""
    from podium.production.certbot import certonly
    from podium.production.site import Site
    from podium.spec import Spec, Task

    (line,) = re.findall(r"sudo certbot certonly[^\n]*\\\n[^\n]*", HOWTO)
    spec = Spec(title="Penguins", task=Task(kind="regression"), models=())
    site = Site(name="penguins", folder=Path("STATE/site"), state=Path("STATE"), spec=spec,
                domain="penguins.example.org")  # fmt: skip
    assert line == certonly(site)
