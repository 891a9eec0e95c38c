"""What Compose brings up: the page and predictions over TLS, and what a container may not do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from podium.cli import DEMOS
from tests.container.site import Composed
from tests.http.test_datasets import followed, sent
from tests.support.client import BROWSER, Upload
from tests.support.page import Page

DATA = DEMOS / "penguins" / "data" / "penguins.csv"
BIRD = {"bill_length_mm": 39.7, "bill_depth_mm": 18.4, "flipper_length_mm": 190,
        "body_mass_g": 3900, "island": "Torgersen", "sex": "male"}  # fmt: skip


def test_page_over_tls(penguins_site: Composed) -> None:
    """The page and its files come, compressed and kept for as long as they are the same."""
    client = penguins_site.client
    page = client.get("/", Accept=BROWSER)
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert [title.text for title in Page(page.text).all("h1")] == ["Penguin species"]
    style = re.findall(r'href="([^"]+\.css[^"]*)"', page.text)[0]
    answer = client.get(style, **{"Accept-Encoding": "gzip"})
    assert (answer.status, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("model", ["bnn", "forest"])
def test_prediction_over_tls(penguins_site: Composed, model: str) -> None:
    """A bird is told by each kind of model."""
    (told,) = penguins_site.client.predict(BIRD, query=f"?model={model}").predictions
    assert told["label"] == "Adelie"


def test_plain_http_leads_to_the_port_of_https(penguins_site: Composed) -> None:
    """Whatever port that is published at."""
    told = penguins_site.engine.run(
        "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}",
        f"http://localhost:{penguins_site.http_port}/about",
    )  # fmt: skip
    assert told == f"308 https://localhost:{penguins_site.https_port}/about"


@pytest.mark.parametrize("service", ["app", "worker", "nginx"])
def test_process_has_no_rights(penguins_site: Composed, service: str) -> None:
    """It is a numbered user without capabilities, gets none, and cannot write to its root."""
    status = penguins_site.inside(service, "cat", "/proc/1/status")
    told = dict(line.split(":\t", 1) for line in status.splitlines())
    assert told["Uid"].split() == told["Gid"].split() == ["10001"] * 4
    assert {told[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"0" * 16}
    assert told["NoNewPrivs"] == "1"
    look = (
        "for place in / /app /etc; do touch $place/x 2>/dev/null && echo $place; done; touch /tmp/x"
    )
    assert penguins_site.inside(service, "sh", "-c", look) == ""


def test_data_set_is_scored_by_the_worker(penguins_site: Composed, tmp_path: Path) -> None:
    """What it makes is byte for byte what `podium score` makes outside of a container."""
    client = penguins_site.client
    file = Upload("file", DATA.read_bytes(), DATA.name, "text/csv")
    path = sent(client.submit("/datasets?models=bnn&models=forest&seed=1", files=[file]))
    told = followed(client, path)
    results = client.get(told["results"]["csv"]).body
    output = tmp_path / "results.csv"
    penguins_site.engine.run(
        "podium", "score", str(DEMOS / "penguins"), str(DATA), "-o", str(output),
        "--seed", "1", "--model", "bnn", "--model", "forest",
    )  # fmt: skip
    assert results == output.read_bytes()
    assert results.count(b"\n") == 345
