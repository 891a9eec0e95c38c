"""`podium lock`: versions that go together, pinned with their hashes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from podium.bundle import lock as locking
from podium.bundle import resolver
from podium.bundle.lock import Wishes, lock_application, make_lock, read_lock
from podium.bundle.packages import Packages, packages_of
from podium.bundle.resolver import Found, Indexes, resolve
from podium.bundle.target import Target
from podium.cli import main
from podium.errors import BundleError
from tests.bundle.folders import oldest, write
from tests.bundle.index import Index

HERE = Target.here()
ELSEWHERE = Target("3.13", "aarch64" if HERE.machine == "x86_64" else "x86_64")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """Return an empty index, beside which pip knows no other."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return Index(tmp_path / "index")


def wanted(*lines: str, target: Target = HERE) -> Packages:
    """Return packages of an application that needs nothing else."""
    return Packages(target, (), lines)


def pins(packages: Packages, index: Index, **options: str) -> dict[str, str]:
    """Return the versions that are found for packages."""
    return {one.name: one.version for one in resolve(packages, Indexes(index.url, **options))}  # type: ignore[arg-type]


def test_a_lock_pins_all_with_hashes(index: Index) -> None:
    """Each package that is brought along stands in it once, by name, with its file's sha256."""
    beta = index.add("beta-x", "2.0")
    index.add("alpha", "1.0")
    alpha = index.add("alpha", "1.2", ["Beta.X>=1", "never; sys_platform == 'win32'"])
    lock = make_lock(wanted("alpha<2"), Indexes(index.url))
    head, _, rest = lock.text.partition("# Installed size: ")
    assert head.startswith("# Made by podium lock from sha256:")
    assert rest.partition("\n")[2] == (
        f"alpha==1.2 \\\n    --hash=sha256:{alpha}\nbeta-x==2.0 \\\n    --hash=sha256:{beta}\n"
    )
    assert lock.pins == {"alpha": "1.2", "beta-x": "2.0"}
    assert lock.size == int(rest.partition("\n")[0]) > 0
    assert index.url not in lock.text


def test_wheels_are_those_of_the_target(index: Index) -> None:
    """For another Python and machine, its wheels are chosen and its markers read."""
    index.add("alpha", "1.0", [
        f"gamma; platform_machine == '{ELSEWHERE.machine}' and python_version == '3.13'",
        f"delta; platform_machine == '{HERE.machine}'",
    ])  # fmt: skip
    index.add("gamma", "1.0", ["epsilon"], tag=f"cp313-cp313-manylinux_2_28_{ELSEWHERE.machine}")
    index.add("gamma", "2.0", tag=f"cp313-cp313-manylinux_2_28_{HERE.machine}")
    index.add("gamma", "3.0", tag=f"cp313-cp313-manylinux_2_39_{ELSEWHERE.machine}")
    index.add("delta", "1.0")
    index.add("epsilon", "1.0")
    assert pins(wanted("alpha", target=ELSEWHERE), index) == {
        "alpha": "1.0", "epsilon": "1.0", "gamma": "1.0",
    }  # fmt: skip


def test_what_only_a_source_is_there_of_can_be_locked_for_elsewhere(index: Index) -> None:
    """Podium's parser has no wheels for Linux; its source is pinned where all else are wheels."""
    source = index.add_source("gunicorn-h1c", "0.6.9")
    index.add("alpha", "1.0")
    found = resolve(wanted("alpha", "gunicorn-h1c>=0.6", target=ELSEWHERE), Indexes(index.url))
    assert [(one.line, one.sha256 == source) for one in found] == [
        ("alpha==1.0", False), ("gunicorn-h1c==0.6.9", True),
    ]  # fmt: skip


def test_pytorch_comes_from_its_own_index(index: Index, tmp_path: Path) -> None:
    """A newer version elsewhere, with CUDA, is not taken; what it requires comes from both."""
    index.add("torch", "2.15.0", ["nvidia-cublas"])
    index.add("nvidia-cublas", "13.0")
    index.add("sympy", "1.14")
    own = Index(tmp_path / "pytorch")
    own.add("torch", "2.13.0+cpu", ["sympy"])
    own.add("sympy", "1.13")
    assert pins(wanted("torch>=2.8"), index, pytorch=own.url) == {
        "torch": "2.13.0+cpu", "sympy": "1.14",
    }  # fmt: skip


def test_cuda_is_refused_when_it_was_found(index: Index) -> None:
    """What only the resolver sees is refused, too, with who asks for it and the way out."""
    index.add("torch", "2.15.0", ["nvidia-cublas", "triton; sys_platform == 'linux'"])
    index.add("nvidia-cublas", "13.0")
    index.add("triton", "3.9")
    with pytest.raises(BundleError) as caught:
        make_lock(wanted("torch"), Indexes(index.url, pytorch=""))
    assert str(caught.value) == (
        "CUDA would come along, which no processor has a use for: nvidia-cublas 13.0, triton 3.9, "
        "required by torch 2.15.0. Builds of PyTorch for processors have an index of their own: "
        "--pytorch-index."
    )


def test_versions_that_do_not_go_together_are_told(index: Index) -> None:
    """The resolver's own words come along, and what may be changed."""
    index.add("alpha", "1.0", ["beta<2"])
    index.add("beta", "2.0")
    with pytest.raises(BundleError) as caught:
        resolve(wanted("alpha"), Indexes(index.url))
    assert "No matching distribution found for beta<2" in str(caught.value)
    assert str(caught.value).splitlines()[-1] == (
        "Change requirements in podium.toml, or name another index with --index-url or "
        "--extra-index-url."
    )


def test_a_file_of_this_machine_cannot_be_pinned(index: Index) -> None:
    """A path means nothing where the image is built."""
    index.add("alpha", "1.0")
    file = next((index.folder / "alpha").glob("*.whl"))
    with pytest.raises(BundleError, match=r"^alpha comes from file:.*, which a lock cannot pin\."):
        resolve(wanted(f"alpha @ {file.as_uri()}"), Indexes(index.url))


def test_wheels_of_a_newer_system_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine would take and an image would not is told by its file's name."""
    file = "alpha-1.0%2Bcpu-cp311-cp311-manylinux_2_39_x86_64.whl"
    found = Found("alpha", "1.0+cpu", "0" * 64, f"https://example.invalid/{file}", False, ())
    monkeypatch.setattr(resolver, "_ask", lambda *_: {"alpha": found})
    with pytest.raises(BundleError) as caught:
        resolve(wanted("alpha"), Indexes())
    assert str(caught.value) == (
        "alpha-1.0+cpu-cp311-cp311-manylinux_2_39_x86_64.whl is for a newer Linux than an image's, "
        "Debian bookworm. Ask for an older alpha in requirements."
    )


def test_a_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that has no place is an error in one line."""
    write(tmp_path, ("net.onnx",))
    (tmp_path / "requirements.lock").mkdir()
    monkeypatch.setattr(locking, "resolve", lambda *_: ())
    with pytest.raises(BundleError, match=r"requirements\.lock cannot be written: Is a directory$"):
        lock_application(tmp_path, Wishes(), lambda _: None)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a lock pin each line of its packages at the oldest version, without asking pip."""
    monkeypatch.setattr(locking, "resolve", oldest)


@pytest.mark.usefixtures("quick")
def test_a_lock_that_is_read_is_the_one_that_was_written(tmp_path: Path) -> None:
    """The file tells its target, what was asked for, its pins and its size."""
    parsed = write(tmp_path, ("net.onnx",))
    wishes = Wishes(python="3.12", machine="aarch64", extra=("postgresql",))
    lines: list[str] = []
    lock_application(tmp_path, wishes, lines.append)
    lock = read_lock(tmp_path, parsed)
    assert lock is not None
    assert lock.packages == packages_of(
        parsed, tmp_path, Target("3.12", "aarch64"), ("postgresql",)
    )
    assert lock.pins["psycopg"] == "3.2"
    assert lock.text == (tmp_path / "requirements.lock").read_text()
    assert [path.name for path in tmp_path.glob(".*")] == []
    assert lines == [
        "Finding versions for Python 3.12 on Linux aarch64 ...",
        f"Wrote {tmp_path / 'requirements.lock'}: {len(lock.pins)} packages",
    ]


def test_without_a_lock_there_is_none(tmp_path: Path) -> None:
    """An application need not have one."""
    assert read_lock(tmp_path, write(tmp_path)) is None


@pytest.mark.usefixtures("quick")
def test_an_outdated_lock_is_refused(tmp_path: Path) -> None:
    """New requirements make a lock useless; the message names them and the same command again."""
    write(tmp_path, ("net.onnx",))
    lock_application(tmp_path, Wishes(python="3.12", extra=("redis",)), lambda _: None)
    parsed = write(tmp_path, ("net.onnx",), 'requirements = ["shapely>=2"]')
    with pytest.raises(BundleError) as caught:
        read_lock(tmp_path, parsed)
    told = str(caught.value)
    assert told.startswith(
        f"{tmp_path / 'requirements.lock'} was made from other packages than the application and "
        "this Podium need now, such as "
    )
    assert "shapely>=2" in told
    assert told.endswith(f"Renew it: podium lock {tmp_path} --extra redis --python 3.12")


@pytest.mark.usefixtures("quick")
def test_a_lock_without_what_is_asked_for_is_refused(tmp_path: Path) -> None:
    """A build with one more extra needs a lock with it."""
    parsed = write(tmp_path, ("net.onnx",))
    lock_application(tmp_path, Wishes(), lambda _: None)
    with pytest.raises(BundleError, match=r"Renew it: podium lock .* --extra heic$"):
        read_lock(tmp_path, parsed, ("heic",))


@pytest.mark.parametrize("content", [b"flask==3.1.0\n", b"\xff\xfe"], ids=["text", "bytes"])
def test_another_programs_file_is_no_lock(content: bytes, tmp_path: Path) -> None:
    """A file of the same name that Podium did not write is not taken for one."""
    parsed = write(tmp_path)
    (tmp_path / "requirements.lock").write_bytes(content)
    with pytest.raises(BundleError, match=r"requirements\.lock was not made by podium lock\."):
        read_lock(tmp_path, parsed)


@pytest.mark.usefixtures("quick")
def test_a_lock_that_was_cut_is_refused(tmp_path: Path) -> None:
    """What has gone from the file, as after a merge, is named."""
    parsed = write(tmp_path, ("net.onnx",))
    lock_application(tmp_path, Wishes(), lambda _: None)
    file = tmp_path / "requirements.lock"
    lines = file.read_text().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if line.startswith("duckdb=="))
    file.write_text("".join(lines[:at] + lines[at + 2 :]))
    with pytest.raises(BundleError, match=r"need now, such as duckdb>=[\d.]+\. Renew it: "):
        read_lock(tmp_path, parsed)


@pytest.mark.usefixtures("quick")
def test_a_lock_for_another_python_does_not_fit_the_one_that_is_asked_for(tmp_path: Path) -> None:
    """--check with --python tells which one the lock is for."""
    write(tmp_path, ("net.onnx",))
    lock_application(tmp_path, Wishes(python="3.12"), lambda _: None)
    asked = ["lock", str(tmp_path), "--check", "--python", "3.13"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 1
    assert "is for Python 3.12 on Linux" in done.stderr
    assert f"podium lock {tmp_path} --python 3.13\n" in done.stderr


@pytest.mark.usefixtures("quick")
def test_check_tells_whether_a_lock_fits(tmp_path: Path) -> None:
    """`podium lock --check` writes nothing and leaves with 1 where there is no lock that fits."""
    write(tmp_path, ("net.onnx",))
    missing = CliRunner().invoke(main, ["lock", str(tmp_path), "--check"])
    assert (missing.exit_code, missing.stderr) == (
        1, f"podium: There is no {tmp_path / 'requirements.lock'}. Make it: "
        f"podium lock {tmp_path}\n",
    )  # fmt: skip
    assert CliRunner().invoke(main, ["lock", str(tmp_path)]).exit_code == 0
    fits = CliRunner().invoke(main, ["lock", str(tmp_path), "--check"])
    assert (fits.exit_code, fits.stdout) == (
        0, f"{tmp_path / 'requirements.lock'} fits: 19 packages for {HERE.words}\n",
    )  # fmt: skip


def test_a_python_is_named_by_two_numbers(tmp_path: Path) -> None:
    """Images of Python are chosen by minor version; more or less is told before work begins."""
    told = CliRunner().invoke(main, ["lock", str(tmp_path), "--python", "3.12.4"])
    assert told.exit_code == 2
    assert "'3.12.4' is no version such as 3.12" in told.stderr
