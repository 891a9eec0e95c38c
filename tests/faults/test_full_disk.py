"""No byte can be written any more: what needs no disk goes on, all else is told in words."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from podium.production.site import Site
from tests.support.client import BROWSER, PROBLEM
from tests.support.faults import write_faults
from tests.support.front import Served, ask, fronted, serving_at, site_of
from tests.support.load import load
from tests.support.server import children

TABLE = ("-H", "Content-Type: text/csv", "--data-binary", "x\n1\n2\n")
MORE = '[access]\nrate = "100000/min"\n[history]\non = true\n'


class Full(NamedTuple):
    """A server that cannot write to any file, and nginx before it."""

    server: Served
    site: Site


@pytest.fixture
def full(folder: Path) -> Iterator[Full]:
    """Serve an application that limits rates and keeps answers, on a disk that is full by now."""
    app = write_faults(folder / "app")
    with (app / "podium.toml").open("a") as toml:
        toml.write(MORE)
    site = site_of(app, folder / "site")
    with serving_at(app, folder) as server, fronted(site, server.socket):
        assert load(site.http_port, iter([-1.0]), 1).answered == 1
        assert ask(site, "/datasets", *TABLE).status == 202
        for pid in (server.pid, *children(server.pid)):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, 0))
        yield Full(server, site)


def test_predictions_go_on_and_uploads_are_refused_in_words(full: Full) -> None:
    """Requests are answered though none can be logged or kept; data sets are told of the disk."""
    server, site = full
    told = load(site.http_port, iter([-float(number) for number in range(500)]), 8)
    assert (told.statuses, told.wrong, told.broken) == ({200: 500}, [], 0)
    assert server.get("/readyz") == '{"status":"ready"}'
    assert 'podium_requests_total{code="200"' in server.get("/metrics")
    page = ask(site, "/", "-H", f"Accept: {BROWSER}", "-d", "x=-1")
    assert (page.status, b"No link could be made for this answer" in page.body) == (200, True)
    refused = ask(site, "/datasets", *TABLE)
    assert (refused.status, refused.headers["Content-Type"]) == (507, PROBLEM)
    assert json.loads(refused.body)["detail"].startswith(
        "The server's disk has no room for this data set; nothing of it was kept."
    )
