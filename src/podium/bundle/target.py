"""What packages are installed for: Linux, one Python, one kind of processor."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MACHINES: Final = ("x86_64", "aarch64")
_GLIBC: Final = range(36, 4, -1)
"""Minor versions of the C library that wheels may ask for: Debian bookworm has 2.36."""
_LEGACY: Final = {"x86_64": ("manylinux2014", "manylinux2010", "manylinux1"),
                  "aarch64": ("manylinux2014",)}  # fmt: skip


class Target(NamedTuple):
    """A Python such as "3.11" on Linux, and its machine: x86_64 or aarch64."""

    python: str
    machine: str

    @classmethod
    def here(cls) -> Target:
        """Return this Python and this machine, on Linux."""
        machine = "aarch64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
        return cls(".".join(platform.python_version_tuple()[:2]), machine)

    @property
    def words(self) -> str:
        """The target as messages name it."""
        return f"Python {self.python} on Linux {self.machine}"

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platform tags of the wheels that fit, as pip takes them."""
        prefixes = (*(f"manylinux_2_{minor}" for minor in _GLIBC), *_LEGACY[self.machine], "linux")
        return tuple(f"{prefix}_{self.machine}" for prefix in prefixes)

    @property
    def environment(self) -> dict[str, str]:
        """The values of a requirement's markers (PEP 508) there."""
        # Official images have the last patch release; markers that ask for a later one are met.
        full = f"{self.python}.99"
        return {
            "implementation_name": "cpython", "implementation_version": full, "os_name": "posix",
            "platform_machine": self.machine, "platform_python_implementation": "CPython",
            "platform_release": "", "platform_system": "Linux", "platform_version": "",
            "python_full_version": full, "python_version": self.python, "sys_platform": "linux",
        }  # fmt: skip

    def applies(self, requirement: Requirement, extras: Iterable[str] = ()) -> bool:
        """Whether a requirement's marker holds there, for a package asked for with `extras`."""
        marker = requirement.marker
        return marker is None or any(
            marker.evaluate({**self.environment, "extra": extra}) for extra in ("", *extras)
        )

    def closure(
        self, lines: Iterable[str], requires: Callable[[str], Sequence[str]]
    ) -> dict[str, Requirement]:
        """Return what requirements bring along, themselves included, by their canonical names.

        `requires` returns the requirements of a package, with their markers; its value is asked
        for once a package and set of extras. The requirement in the result is the first met.
        """
        found: dict[str, Requirement] = {}
        seen: set[tuple[str, str]] = set()
        waiting = [Requirement(line) for line in lines]
        while waiting:
            wanted = waiting.pop()
            name = canonicalize_name(wanted.name)
            found.setdefault(name, wanted)
            new = {extra for extra in ("", *wanted.extras) if (name, extra) not in seen}
            seen |= {(name, extra) for extra in new}
            if new:
                below = [Requirement(line) for line in requires(name)]
                waiting += [one for one in below if self.applies(one, new)]
        return found
