"""The examples' small pictures."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

from tests.support.apps import write_colours
from tests.support.pages import client_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an application with a large picture as its example, and another picture."""
    folder = write_colours(tmp_path / "app")
    picture = Image.new("RGB", (1200, 600), "#c00000")
    exif = Image.Exif()
    exif[274] = 6  # to be turned by a quarter
    picture.save(folder / "red.jpg", exif=exif)
    picture.save(folder / "other.jpg")
    with (folder / "podium.toml").open("a") as file:
        file.write('[[examples]]\ntitle = "Red"\nimage = "red.jpg"\n')
    return folder


@pytest.fixture
def client(folder: Path) -> FlaskClient:
    """Return a client of its pages."""
    return client_of(folder)


def test_an_example_is_shown_small(client: FlaskClient) -> None:
    """An example comes upright and small, with its colour and a tag, and is kept for a minute."""
    answer = client.get("/thumbnails/red.jpg")
    small = Image.open(io.BytesIO(answer.data))
    assert (answer.content_type, small.size) == ("image/webp", (144, 288))
    red, green, blue = small.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]
    assert (abs(red - 0xC0) < 8, green < 8, blue < 8) == (True, True, True)
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    again = client.get("/thumbnails/red.jpg", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_page_shows_the_small_one_and_leads_to_the_large(client: FlaskClient) -> None:
    """The page loads the small picture; what is asked about is the example as it is."""
    page = client.get("/").text
    assert 'src="/thumbnails/red.jpg"' in page
    assert 'href="/files/red.jpg"' in page
    assert 'src="/files/red.jpg"' not in page


def test_a_changed_example_is_shown_as_it_is_now(client: FlaskClient, folder: Path) -> None:
    """A picture that was put in an example's place is the one that is seen."""
    first = client.get("/thumbnails/red.jpg")
    Image.new("RGB", (600, 600), "blue").save(folder / "red.jpg")
    os.utime(folder / "red.jpg", (1, 1))
    second = client.get("/thumbnails/red.jpg")
    assert Image.open(io.BytesIO(second.data)).size == (288, 288)
    assert second.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("name", ["other.jpg", "podium.toml", "../app/red.jpg", "nothing.jpg"])
def test_only_examples_are_shown(client: FlaskClient, name: str) -> None:
    """No other file is read, be it a picture or not."""
    assert client.get(f"/thumbnails/{name}").status_code == 404
