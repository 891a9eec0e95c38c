"""The environment of a site's servers, from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from podium.errors import ServeError
from podium.operate.variables import digest_of, read_variables, text_of
from tests.operate.sites import Commands, commands
from tests.support.visitors import write_offset


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Any value comes back as it was: quotes, spaces, lines, nothing, what a shell replaces."""
    variables = {"A": "plain", "B": "it's \"two\" words", "C": "two\nlines", "D": "$HOME `x` \\",
                 "E": "", "F": "#no comment", "G": "Grüß=Gott", "H": "a\rb\r\nc"}  # fmt: skip
    file = tmp_path / "variables"
    file.write_bytes(text_of(variables).encode())
    assert read_variables(file) == variables


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_file_as_somebody_writes_it(tmp_path: Path, ending: str) -> None:
    """Comments and empty lines may stand there, and values in either kind of quotes."""
    file = tmp_path / "variables"
    text = "# ours\nA=1\n\nB='two words'  # why\nC=\"two words\"\n"
    file.write_bytes(text.replace("\n", ending).encode())
    assert read_variables(file) == {"A": "1", "B": "two words", "C": "two words"}


@pytest.mark.parametrize("text", ["A=1\nsecret words\n", "1A=secret", "=secret", "A='secret"])
def test_anything_else_is_refused_without_its_value(tmp_path: Path, text: str) -> None:
    """What is wrong is told by its place: it may be a secret."""
    file = tmp_path / "variables"
    file.write_text(text)
    with pytest.raises(ServeError, match="NAME=VALUE") as wrong:
        read_variables(file)
    assert "secret" not in str(wrong.value)
    with pytest.raises(ServeError, match="nothing cannot be read: No such file"):
        read_variables(tmp_path / "nothing")


def test_digest_tells_a_change_alone() -> None:
    """It is the same in any order, and none for no variables."""
    assert (
        digest_of({"A": "1", "B": "2"}) == digest_of({"B": "2", "A": "1"}) != digest_of({"A": "1"})
    )
    assert digest_of({}) == ""


def test_servers_get_the_variables_of_a_file() -> None:
    """They are read again by each command; what has changed takes its turn, and is told by name."""
    with commands() as site:
        write_offset(site.app, 9)
        file = site.state.parent / "variables"
        file.write_text("PODIUM_RELEASE=first\nMORE='two words'\n")
        done = site.up("--env-file", file)
        assert (done.exit_code, done.stderr) == (0, "")
        assert release(site) == "first"
        assert environment(site)["MORE"] == "two words"
        assert "Nothing has changed" in site.run("reload").stdout
        file.write_text("PODIUM_RELEASE=second\n")
        done = site.run("reload")
        assert (done.exit_code, done.stderr) == (0, "")
        assert release(site) == "second"
        assert "MORE" not in environment(site)
        file.unlink()
        done = site.run("reload")
        assert (done.exit_code, release(site)) == (1, "second")
        assert "variables cannot be read: No such file or directory" in done.stderr


def release(site: Commands) -> str:
    """Return which release answers, as it calls itself."""
    return str(json.loads(site.get("/readyz?worker")[1])["release"])


def environment(site: Commands) -> dict[str, Any]:
    """Return the environment of the server that serves."""
    units = json.loads((site.site / "run" / "units.json").read_bytes())
    (told,) = [one["unit"]["environment"] for one in units
               if one["unit"]["name"] == site.status()["slot"]]  # fmt: skip
    return dict(told)
