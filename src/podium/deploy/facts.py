"""What is known of the platforms: data with source and date, against which applications are held.

`facts.toml` has it. What could not be confirmed says so in `told`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from podium.spec import Limits
from podium.strict import Period, Size

FILE: Final = Path(__file__).with_name("facts.toml")
_STEP: Final = 100_000
"""Limits are told in tenths of a MB, rounded down."""
V = TypeVar("V", bool, int, str)


class Fact(Struct, Generic[V], frozen=True):
    """One fact: bytes, seconds, or whether something is there; in words; where it stands, when."""

    value: V
    told: str
    source: str
    date: str


class Facts(Struct, frozen=True, kw_only=True):
    """One platform. A limit that it does not have is left out.

    `upload` is the largest body of a request and `bundle` the largest of what is sent to the
    platform, in bytes; `timeout` the longest that a request, `start` that a start may take, in
    seconds; `port` the one that is asked when nothing is set. `disk` says whether what is written
    stays, `background` whether work goes on outside of requests, `several` whether there can be
    several instances, `threads` whether the application may start threads. `memory` is what a
    process may hold, in bytes, where the platform starts as many as it wants. `architecture` is
    the only one that runs there; `reserved` says whether the platform answers some addresses itself
    whose names end in z, as /readyz.
    """

    disk: Fact[bool]
    background: Fact[bool]
    several: Fact[bool]
    threads: Fact[bool] | None = None
    memory: Fact[int] | None = None
    upload: Fact[int] | None = None
    bundle: Fact[int] | None = None
    timeout: Fact[int] | None = None
    start: Fact[int] | None = None
    port: Fact[int] | None = None
    architecture: Fact[str] | None = None
    reserved: Fact[bool] | None = None

    @property
    def datasets(self) -> bool:
        """Whether data sets are worked on: they lie on a disk, and outlast the request."""
        return self.disk.value and self.background.value

    def lowered(self, limits: Limits) -> dict[str, str]:
        """Return those of [limits] that the platform sets lower, as podium.toml writes them."""
        found = {}
        if self.upload is not None:
            size = Size(self.upload.value // _STEP * _STEP)
            told = {"upload": limits.upload}
            if self.datasets:
                told["dataset"] = limits.dataset
            found.update({key: str(size) for key, own in told.items() if own > size})
        if self.timeout is not None and limits.timeout > self.timeout.value:
            found["timeout"] = str(Period(self.timeout.value))
        return found

    def stated(self) -> Iterator[tuple[str, Fact[Any]]]:
        """Yield each fact with its name."""
        for name in self.__struct_fields__:
            fact = getattr(self, name)
            if fact is not None:
                yield name, fact


@cache
def facts_of(target: str) -> Facts:
    """Return what is known of a platform."""
    return msgspec.convert(tomllib.loads(FILE.read_text("utf-8"))[target], Facts)
