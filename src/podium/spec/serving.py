"""How an application is served: [limits], [server], [history], [theme]."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec import Meta

from podium.errors import Mistake
from podium.spec.words import doc
from podium.strict import Period, Size, Table

BASE_PATH: Final = r"^(/[A-Za-z0-9._~-]+)*$"
Colour = Annotated[str, Meta(pattern=r"^#[0-9a-fA-F]{6}$")]


def is_base_path(text: str) -> bool:
    """Whether a text is a path prefix: "/penguins", or "" for none."""
    return re.fullmatch(BASE_PATH, text) is not None


class Limits(Table, frozen=True, kw_only=True):
    """[limits]: one source for the app, Gunicorn, nginx, the page and the platforms."""

    upload: Annotated[Size, doc("The largest body of one /predict request.")] = Size(20_000_000)
    dataset: Annotated[Size, doc("The largest /datasets upload.")] = Size(2_000_000_000)
    dataset_keep: Annotated[
        Period, doc("How long a data set and its results are kept after it has ended.")
    ] = Period(86400)
    spreadsheet: Annotated[Size, doc("The largest .xlsx data set.")] = Size(50_000_000)
    rows: Annotated[Annotated[int, Meta(ge=1)], doc("The most items in one request.")] = 10_000
    timeout: Annotated[
        Period, doc("How long one request may take, from when it has arrived whole.")
    ] = Period(60)
    map: Annotated[
        Period, doc('How long the maps of one request may take; "0 s" turns them off.')
    ] = Period(2)
    concurrency: Annotated[
        Annotated[int, Meta(ge=1)], doc("Inferences at once in one worker, at most one a core.")
    ] = 8
    queue: Annotated[
        Annotated[int, Meta(ge=0)], doc("Requests of one worker that may wait for an inference.")
    ] = 64
    memory: Annotated[
        Size | None,
        doc("A worker that has grown beyond this is replaced without losing a request, such as "
            "where model code leaks; never when left out."),
    ] = None  # fmt: skip


def told_limits(limits: Limits) -> dict[str, float]:
    """Return the limits that who sends something has to know: bytes, items, seconds."""
    return {"upload": int(limits.upload), "dataset": int(limits.dataset), "rows": limits.rows,
            "timeout": float(limits.timeout)}  # fmt: skip


class Server(Table, frozen=True, kw_only=True):
    """[server]: how the application is served."""

    workers: Annotated[
        Annotated[int, Meta(ge=1)] | None, doc("Web workers; one a core when left out.")
    ] = None
    threads: Annotated[Annotated[int, Meta(ge=1)], doc("Threads of one worker.")] = 8
    engine: Annotated[
        Literal["local", "gunicorn", "ray"],
        doc("Where inference runs: in each web worker (local), or in model workers (gunicorn)."),
    ] = "local"
    model_workers: Annotated[
        Annotated[int, Meta(ge=1)], doc('Model workers, with engine = "gunicorn".')
    ] = 1
    proxies: Annotated[
        Annotated[int, Meta(ge=0)],
        doc("How many proxies that add to X-Forwarded-For stand before Podium's own server."),
    ] = 0
    base_path: Annotated[
        Annotated[str, Meta(pattern=BASE_PATH)],
        doc("The path prefix behind a proxy, such as /penguins."),
    ] = ""
    hosts: Annotated[tuple[str, ...], doc("The host names it answers to; all when left out.")] = ()

    def check(self) -> Iterator[Mistake]:
        """Ray is not there yet."""
        if self.engine == "ray":
            told = '"ray" is not served by this version; use "local" or "gunicorn"'
            yield Mistake("engine", told)


class History(Table, frozen=True, kw_only=True):
    """[history]: links to answers that were given on the page."""

    on: Annotated[
        bool, doc("Whether an answer on the page is kept, and gets a link that can be sent.")
    ] = False
    keep: Annotated[
        Period, doc("For how long; data sets are then kept as long, too, if not longer.")
    ] = Period(30 * 86400)

    def check(self) -> Iterator[Mistake]:
        """What is kept is kept for some time."""
        if self.on and self.keep <= 0:
            yield Mistake("keep", 'expected more than "0 s"; to keep nothing, leave on = false')


class Theme(Table, frozen=True, kw_only=True):
    """[theme]: the page's look."""

    colour: Annotated[Colour | None, doc("The accent colour, such as #1f6f8b.")] = None
    colour_dark: Annotated[
        Colour | None, doc("The accent colour on dark screens; left out, shades of `colour`.")
    ] = None
    logo: Annotated[
        str | None, doc("An image file of the folder, beside the title and as the page's icon.")
    ] = None
    logo_dark: Annotated[str | None, doc("The logo on dark screens.")] = None
    font: Annotated[
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ,'-]+$")] | None,
        doc("A font family of the visitor's machine."),
    ] = None
    font_file: Annotated[
        str | None, doc("A font file of the folder: .woff2, .woff, .ttf or .otf.")
    ] = None

    def check(self) -> Iterator[Mistake]:
        """A dark logo stands in for one."""
        if self.logo_dark and not self.logo:
            yield Mistake("logo_dark", "needs logo, which light screens show")
