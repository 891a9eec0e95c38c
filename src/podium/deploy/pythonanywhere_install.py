"""Makes a virtual environment at PythonAnywhere, in a console there; needs nothing but Python.

    python3.11 ~/podium/penguins/install.py 3.11-0a1b2c3d4e5f

Beside it, environments/NAME.txt says what is installed. NAME.whole tells that all of it is, and
NAME.failed why it is not. Once more is safe.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TEST_FOLDERS = ("tests", "joblib/test", "sqlalchemy/testing", "torch/test")
SOURCE_ENDINGS = (
    ".a", ".c", ".cc", ".cpp", ".cu", ".cuh", ".h", ".hpp", ".pxd", ".pxi", ".pyx", ".tp",
)  # fmt: skip
C_LIBRARIES = ("libonnxruntime.so*",)
"""What an image does without too, as `podium.bundle.size` has it."""
AT_ONCE = 5
"""So few packages at once: what pip downloads counts against the quota until they are installed."""
FULL = re.compile(r"quota|No space left", re.IGNORECASE)


class Failed(Exception):
    """A program has failed; with the line that tells why."""


def main(place: Path, name: str) -> None:
    """Make the environment of this name, unless it is there; one at a time.

    Raises:
        Failed: as said.
    """
    folder = place / "environments"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        whole, failed = folder / f"{name}.whole", folder / f"{name}.failed"
        failed.unlink(missing_ok=True)
        if not whole.exists():
            try:
                make(folder / name, (folder / f"{name}.txt").read_text("utf-8"))
            except (Failed, OSError) as err:
                failed.write_text(f"{err}\n", "utf-8")
                raise
            whole.touch()


def make(environment: Path, requirements: str) -> None:
    """Make the environment anew, and install what a requirements file lists."""
    shutil.rmtree(environment, ignore_errors=True)
    run(sys.executable, "-m", "venv", str(environment))
    file = environment / "requirements.txt"
    for part in parts(requirements):
        file.write_text(part, "utf-8")
        run(str(environment / "bin/python"), "-m", "pip", "install", "--no-cache-dir",
            "--no-compile", "--no-input", "--disable-pip-version-check", "--progress-bar", "off",
            "-r", str(file))  # fmt: skip
        slim(environment / "lib")


def parts(requirements: str) -> Iterator[str]:
    """Yield a requirements file in parts, each with its options; a requirement keeps its hashes."""
    lines = re.findall(r"(?:.*\\\n)*.*\n", requirements)
    options = [line for line in lines if line.startswith("--")]
    wanted = [line for line in lines if not line.startswith(("-", "#", "\n"))]
    for start in range(0, len(wanted), AT_ONCE):
        yield "".join([*options, *wanted[start : start + AT_ONCE]])


def slim(library: Path) -> None:
    """Remove what nobody needs who only runs the packages."""
    for path in list(library.rglob("*")):
        if path.is_dir() and any(path.match(name) for name in TEST_FOLDERS):
            shutil.rmtree(path)
        elif path.is_file() and (
            path.suffix in SOURCE_ENDINGS or any(path.match(name) for name in C_LIBRARIES)
        ):
            path.unlink()


def run(*command: str) -> None:
    """Run a program and show what it says.

    Raises:
        Failed: it fails; with its line about a full disk, else its last.
    """
    said = [""]
    with subprocess.Popen(  # noqa: S603  a list, not a shell's text
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            said.append(line.strip() or said[-1])
    if process.returncode:
        raise Failed(next((line for line in said if FULL.search(line)), said[-1]))


if __name__ == "__main__":
    try:
        main(Path(__file__).resolve().parent, sys.argv[1])
    except Failed as err:
        sys.exit(f"The packages could not be installed: {err}")
    sys.stdout.write("The packages are installed. `podium deploy` goes on.\n")
