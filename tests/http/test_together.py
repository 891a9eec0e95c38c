"""Many clients at once: each gets its own answer, whatever the others send."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.client import Client, Upload
from tests.support.pictures import png

CLIENTS = 16
REQUESTS = 20


def ask(client: Client, seed: int) -> None:
    """Send images of colours of one's own, some of them broken, and check every answer."""
    chance = random.Random(seed)  # noqa: S311  nothing is secret here
    for _ in range(REQUESTS):
        colours = [
            tuple(chance.randrange(256) for _ in range(3)) for _ in range(chance.choice((1, 1, 2)))
        ]
        broken = chance.random() < 0.2
        files = [Upload("image", png((red, green, blue))) for red, green, blue in colours]
        files += [Upload("image", b"no image")] * broken
        query = chance.choice(("", "?top=4", "?model=topleft", "?include=map&map_ms=20"))
        answer = client.submit(f"/predict{query}", files=files)
        if broken:
            assert answer.status == 422
            assert [field for field, _ in answer.errors] == [f"image[{len(colours)}]"]
            continue
        assert answer.json()["model"] == ("topleft" if "topleft" in query else "whole")
        for prediction, colour in zip(answer.predictions, colours, strict=True):
            shares = [prediction["probabilities"][name] for name in ("red", "green", "blue")]
            assert shares == pytest.approx([value / 765 for value in colour], abs=1e-6)
            assert ("map" in prediction) == ("map" in query)


def test_each_client_gets_its_own_answers(colours: Client) -> None:
    """Images, options, maps and mistakes of many clients are never mixed up."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        for task in [pool.submit(ask, colours, seed) for seed in range(CLIENTS)]:
            task.result(60)
