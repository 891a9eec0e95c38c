"""[access]: who may ask, from where, and how often."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta

from podium.errors import Mistake
from podium.spec.words import doc, repeated
from podium.strict import Period, Table, shown

_ORIGIN: Final = re.compile(r"\*|https?://[a-z0-9.:\[\]-]+")
Way = Literal["key", "password", "header"]
_PERIODS_S: Final = {"s": 1.0, "min": 60.0}


class Rate(NamedTuple):
    """So many requests in a period of so many seconds: all at once, or one after the other."""

    requests: int
    period_s: float


class Access(Table, frozen=True, kw_only=True):
    """[access]: who may ask, from which other sites, and how often."""

    require: Annotated[
        tuple[Way, ...],
        doc('What lets a request in, any one of: a "key" of `podium keys`, the shared "password" '
            'of the page, the "header" of a proxy that knows its users. Everybody may ask when '
            "left out."),
    ] = ()  # fmt: skip
    header: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")],
        doc(
            "The header in which the proxy names the user; it has to overwrite what a client sends."
        ),
    ] = "X-Remote-User"
    session: Annotated[Period, doc("How long the password need not be given again.")] = Period(
        7 * 86400
    )
    cors: Annotated[
        tuple[str, ...],
        doc('Other sites whose scripts may call the API, as "https://example.org"; "*" for all.'),
    ] = ()
    rate: Annotated[
        Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}/(s|min)$")] | None,
        doc('How many requests that send something one client may make, such as "10/s" or '
            '"600/min".'),
    ] = None  # fmt: skip
    rate_store: Annotated[
        Annotated[str, Meta(pattern=r"^(rediss?|unix)://")] | None,
        doc("The Redis in which several hosts count together, redis://...; each host counts by "
            "itself when left out. PODIUM_RATE_STORE says so, too."),
    ] = None  # fmt: skip

    @property
    def most(self) -> Rate | None:
        """The rate as numbers."""
        if self.rate is None:
            return None
        requests, unit = self.rate.split("/")
        return Rate(int(requests), _PERIODS_S[unit])

    @property
    def takes_keys(self) -> bool:
        """Whether programs show keys."""
        return "key" in self.require

    @property
    def knows_clients(self) -> bool:
        """Whether clients are told apart by who they are, not by their addresses alone."""
        return bool({"key", "header"} & set(self.require))

    def check(self) -> Iterator[Mistake]:
        """No way twice, a session that lasts, and a store only where there is a rate."""
        for way in repeated(self.require or ()):
            yield Mistake("require", f"{way!r} stands there twice")
        if self.session is not None and self.session <= 0:
            yield Mistake("session", 'expected more than "0 s"')
        if self.rate_store and not self.rate:
            yield Mistake("rate_store", "needs rate, which says how much is too much")
        for index, origin in enumerate(self.cors or ()):
            if not _ORIGIN.fullmatch(origin):
                yield Mistake(f"cors[{index}]", 'expected a site such as "https://example.org", '
                              f"without a path; found {shown(origin)}")  # fmt: skip
        if "*" in (self.cors or ()) and len(self.cors) > 1:
            yield Mistake("cors", '"*" stands for all; expected it alone')
