"""What packages are installed for."""

from __future__ import annotations

from packaging.requirements import Requirement

from podium.bundle.target import Target

X86 = Target("3.12", "x86_64")


def test_wheels_of_older_systems_fit() -> None:
    """Debian bookworm takes wheels for its own C library and for older ones, under all names."""
    assert X86.platforms[0] == "manylinux_2_36_x86_64"
    assert {"manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64",
            "linux_x86_64"} <= set(X86.platforms)  # fmt: skip
    arm = Target("3.11", "aarch64").platforms
    assert {one for one in arm if not one.endswith("_aarch64")} == set()
    assert "manylinux1_aarch64" not in arm


def test_markers_are_read_for_the_target() -> None:
    """Neither the running Python nor this machine decides which requirements count."""
    for marker, holds in {
        "python_version == '3.12'": True,
        "python_full_version >= '3.12.4'": True,
        "python_version < '3.12'": False,
        "sys_platform == 'win32'": False,
        "platform_system == 'Linux' and platform_machine == 'x86_64'": True,
        "extra == 'fast'": False,
    }.items():
        assert X86.applies(Requirement(f"numpy; {marker}")) == holds, marker
    assert X86.applies(Requirement("numpy; extra == 'fast'"), ["fast"])
    assert X86.applies(Requirement("numpy"))


def test_a_closure_follows_extras_and_ends() -> None:
    """What requirements bring along counts once, by extras that are asked for anywhere."""
    known = {
        "a": ["B[fast]", "never; sys_platform == 'win32'"],
        "b": ["c; extra == 'fast'", "d; extra == 'slow'", "a"],
        "c": ["b[slow]"],
    }
    found = X86.closure(["A>=1"], lambda name: known.get(name, ()))
    assert {name: str(one) for name, one in found.items()} == {
        "a": "A>=1", "b": "B[fast]", "c": 'c; extra == "fast"', "d": 'd; extra == "slow"',
    }  # fmt: skip
