"""What a hosting platform says otherwise than podium.toml, by its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from msgspec import structs

from podium.errors import ServeError, nearest
from podium.spec import Limits, Spec
from podium.strict import Period, Size

RELEASE: Final = "PODIUM_RELEASE"
"""Which version runs; /readyz?worker tells it."""
STATE: Final = "PODIUM_STATE"
"""The folder of what outlives a server."""
LIMITS: Final = "PODIUM_LIMITS"
"""Limits that are lower there than in podium.toml: "upload=32 MB; timeout=240 s"."""
DATASETS: Final = "PODIUM_DATASETS"
"""Whether whole data sets are worked on there: "on", or "off"."""
_KINDS: Final[dict[str, type[Size] | type[Period]]] = {
    "upload": Size, "dataset": Size, "timeout": Period,
}  # fmt: skip


def as_hosted(spec: Spec, environment: Mapping[str, str] = os.environ) -> Spec:
    """Return an application with [limits] lowered as PODIUM_LIMITS says; it raises none.

    Raises:
        ServeError: it cannot be read.
    """
    told = dict(_read(one) for one in environment.get(LIMITS, "").split(";") if one.strip())
    lowered = {key: least for key, least in told.items() if least < getattr(spec.limits, key)}
    limits: Limits = structs.replace(spec.limits, **lowered)
    return structs.replace(spec, limits=limits)


def takes_datasets(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether PODIUM_DATASETS lets whole data sets be worked on.

    Raises:
        ServeError: it is neither "on" nor "off".
    """
    told = environment.get(DATASETS) or "on"
    if told not in ("on", "off"):
        raise ServeError(f'{DATASETS} is {told!r}; expected "on" or "off".')
    return told == "on"


def _read(pair: str) -> tuple[str, Any]:
    key, _, text = (part.strip() for part in pair.partition("="))
    kind = _KINDS.get(key)
    if kind is None:
        hint = nearest(key, _KINDS) or f" Known: {', '.join(_KINDS)}."
        raise ServeError(f"{LIMITS} names {key!r}, which is no limit that is lowered.{hint}")
    try:
        return key, kind.parse(text)
    except ValueError as err:
        raise ServeError(f"{LIMITS}: {key} is {text!r}; expected {err}") from err
