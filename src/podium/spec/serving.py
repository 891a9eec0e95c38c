"""How an application is served: [limits], [server], [history], [theme]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from podium.errors import Mistake
from podium.spec.words import doc
from podium.strict import Period, Size, Table


class Limits(Table, frozen=True, kw_only=True):
    """[limits]: one source for the app, Gunicorn, nginx, the page and the platforms."""

    upload: Annotated[Size, doc("The largest body of one /predict request.")] = Size(20_000_000)
    dataset: Annotated[Size, doc("The largest /datasets upload.")] = Size(2_000_000_000)
    dataset_keep: Annotated[
        Period, doc("How long a data set and its results are kept after it has ended.")
    ] = Period(86400)
    spreadsheet: Annotated[Size, doc("The largest .xlsx data set.")] = Size(50_000_000)
    rows: Annotated[Annotated[int, Meta(ge=1)], doc("The most items in one request.")] = 10_000
    timeout: Annotated[Period, doc("How long one request may take.")] = Period(60)
    map: Annotated[
        Period, doc('How long the maps of one request may take; "0 s" turns them off.')
    ] = Period(2)
    concurrency: Annotated[
        Annotated[int, Meta(ge=1)], doc("Inferences at once in one worker, at most one a core.")
    ] = 8
    queue: Annotated[
        Annotated[int, Meta(ge=0)], doc("Requests of one worker that may wait for an inference.")
    ] = 64


class Server(Table, frozen=True, kw_only=True):
    """[server]: how the application is served."""

    workers: Annotated[
        Annotated[int, Meta(ge=1)] | None, doc("Web workers; one a core when left out.")
    ] = None
    threads: Annotated[Annotated[int, Meta(ge=1)], doc("Threads of one worker.")] = 8
    engine: Annotated[
        Literal["local", "gunicorn", "ray"], doc("Where inference runs; this version: local.")
    ] = "local"
    base_path: Annotated[
        Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)*$")],
        doc("The path prefix behind a proxy, such as /penguins."),
    ] = ""
    hosts: Annotated[tuple[str, ...], doc("The host names it answers to; all when left out.")] = ()

    def check(self) -> Iterator[Mistake]:
        """Only the local engine is there yet."""
        if self.engine != "local":
            yield Mistake("engine", f'{self.engine!r} is not served by this version; use "local"')


class History(Table, frozen=True, kw_only=True):
    """[history]: keeping past predictions."""

    on: Annotated[bool, doc("Whether predictions are kept.")] = False
    keep: Annotated[Period, doc("For how long.")] = Period(30 * 86400)

    def check(self) -> Iterator[Mistake]:
        """Nothing keeps predictions yet."""
        if self.on:
            yield Mistake("on", "this version keeps no history; leave it false")


class Theme(Table, frozen=True, kw_only=True):
    """[theme]: the page's look."""

    colour: Annotated[
        Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$")] | None,
        doc("The accent colour, such as #1f6f8b."),
    ] = None
    logo: Annotated[str | None, doc("An image file of the folder.")] = None
    font: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ,'-]+$")] | None,
        doc("A font family of the visitor's machine."),
    ] = None
