"""POST /predict?include=map: where the model looked."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from podium.cli import DEMOS
from tests.http.conftest import BEAM, GENTOO
from tests.support.apps import write_colours
from tests.support.client import Client, Upload, assert_problem
from tests.support.page import Page
from tests.support.pictures import RED, encoded, png

QUERY_IMAGE = DEMOS / "digits" / "examples" / "query_image.jpg"


def picture() -> bytes:
    """Return a black picture of 320 x 160 whose top left quarter is white."""
    image = Image.new("RGB", (320, 160))
    image.paste("white", (0, 0, 160, 80))
    return encoded(image, "PNG")


def ask(client: Client, query: str, body: bytes = b"") -> dict[str, Any]:
    """Return the one prediction for a picture."""
    answer = client.post(f"/predict?{query}", body or picture(), "image/png")
    (found,) = answer.predictions
    return found


def test_map(colours: Client) -> None:
    """A model of the top left quarter looked there; the map is of its label and of all it saw."""
    found = ask(colours, "model=topleft&include=map")
    one = found["map"]
    values = np.array(one.pop("values"))
    assert one.pop("milliseconds") > 0
    assert one == {
        "label": found["label"], "rows": 14, "columns": 14, "patches": 196, "cut": False,
        "box": [pytest.approx(side, abs=0.003) for side in (0, 0, 1, 1)],
    }  # fmt: skip
    assert values.shape == (14, 14)
    assert values[1:5, 1:5].min() > 0.01
    assert np.abs(values[9:]).max() == np.abs(values[:, 9:]).max() == 0


def test_the_rest_of_the_answer_stays(colours: Client) -> None:
    """Without include=map there is no map; with it nothing else changes, and its numbers repeat."""
    plain = ask(colours, "model=topleft")
    assert "map" not in plain
    first, second = (ask(colours, "model=topleft&include=samples,map") for _ in range(2))
    assert first.pop("map")["values"] == second.pop("map")["values"]
    assert first == second == plain


def test_several_pictures(colours: Client) -> None:
    """Each picture has the map of its own answer."""
    files = [Upload("image", picture()), Upload("image", png(RED))]
    white, red = colours.submit("/predict?model=topleft&include=map", files=files).predictions
    assert max(map(max, white["map"]["values"])) > 0.01
    assert max(map(max, red["map"]["values"])) == 0  # one colour, covered with itself


def test_digits_demo(digits: Client) -> None:
    """Digits are cut to their strokes: the map has no box, and the strokes count."""
    body = QUERY_IMAGE.read_bytes()
    (found,) = digits.post("/predict?include=map&map_ms=2000", body, "image/jpeg").predictions
    values = np.array(found["map"]["values"])
    assert (found["label"], found["map"]["label"], found["map"]["box"]) == ("2", "2", None)
    assert values.max() > 0.5
    assert np.abs(values[[0, 0, -1], [0, -1, -1]]).max() < 0.05  # the ground of the corners


@pytest.mark.parametrize("app", ["penguins", "weights"])
def test_tables_have_no_map(app: str, request: pytest.FixtureRequest) -> None:
    """A map of a row is refused, and told to whom it belongs."""
    client: Client = request.getfixturevalue(app)
    answer = client.predict({"penguins": GENTOO, "weights": BEAM}[app], query="?include=map")
    errors = [("include", "map belongs to images; none are sent here")]
    assert_problem(answer, 422, "Invalid input", errors)


@pytest.mark.parametrize(
    ("query", "field", "message"),
    [
        ("map_ms=2001", "map_ms", "expected at most 2000 ([limits] map); found 2001"),
        ("map_ms=0", "map_ms", "expected a whole number from 1; found '0'"),
        ("map_ms=fast", "map_ms", "expected a whole number from 1; found 'fast'"),
    ],
)
def test_wrong_budget(colours: Client, query: str, field: str, message: str) -> None:
    """A budget that cannot be had is refused, with what can."""
    answer = colours.post(f"/predict?include=map&{query}", picture(), "image/png")
    assert_problem(answer, 422, "Invalid input", [(field, message)])


def test_description(colours: Client, penguins: Client) -> None:
    """The map and its budget are described where there are images; elsewhere none is offered."""
    api = colours.get("/openapi.json").json()
    told = {one["name"]: one["schema"] for one in api["paths"]["/predict"]["post"]["parameters"]}
    assert told["include"] == {"enum": ["samples", "map"]}
    assert told["map_ms"] == {"type": "integer", "minimum": 1, "default": 2000}
    described = api["components"]["schemas"]["OcclusionMap"]["properties"]
    assert set(described) == set(ask(colours, "include=map")["map"])
    api = penguins.get("/openapi.json").json()
    told = {one["name"]: one["schema"] for one in api["paths"]["/predict"]["post"]["parameters"]}
    assert told["include"] == {"enum": ["samples"]}


def test_page(colours: Client) -> None:
    """The page's form with its box ticked is answered with the picture, lit where it counts."""
    fields = [("model", "topleft"), ("include", "map")]
    page = Page(colours.submit("/", fields, [Upload("image", picture())]).text)
    (figure,) = page.all("figure", class_="looked")
    image, caption, notes = figure.inside
    assert image.attributes["alt"] == (
        "The picture with a map over it, which is strongest at the top left."
    )
    assert caption.text.startswith("Covering the highlighted places lowers the probability of ")
    assert notes.text.startswith("196 places were covered, one at a time, in ")
    head, _, data = image.attributes["src"].partition(",")
    assert head == "data:image/jpeg;base64"
    drawn = Image.open(BytesIO(base64.b64decode(data)))
    assert drawn.size == (480, 240)
    assert drawn.getpixel((120, 60)) == pytest.approx((255, 208, 102), abs=12)  # amber over white
    assert drawn.getpixel((420, 210)) == pytest.approx((0, 0, 0), abs=12)
    (box,) = page.all("input", type="checkbox")
    assert "checked" in box.attributes


def test_page_without_a_map(colours: Client, penguins: Client) -> None:
    """Without the tick there is no map; where there are no images it cannot be ticked."""
    page = Page(colours.submit("/", [("model", "topleft")], [Upload("image", picture())]).text)
    assert page.all("figure") == []
    (box,) = page.all("input", type="checkbox")
    assert (box.attributes["name"], box.attributes["value"]) == ("include", "map")
    assert "checked" not in box.attributes
    assert Page(penguins.get("/").text).all("input", type="checkbox") == []


def test_command_line(tmp_path: Path) -> None:
    """`podium predict` answers the same map."""
    file = tmp_path / "picture.png"
    file.write_bytes(picture())
    app = str(write_colours(tmp_path / "app"))
    done = subprocess.run(  # noqa: S603  this project's own command
        [sys.executable, "-m", "podium", "predict", app, str(file), "--model", "topleft",
         "--include", "map", "--map-ms", "2000"],
        capture_output=True, text=True, timeout=60, check=True, env=os.environ,
    )  # fmt: skip
    (found,) = json.loads(done.stdout)["predictions"]
    assert (found["map"]["rows"], found["map"]["columns"]) == (14, 14)
    assert np.array(found["map"]["values"])[1:5, 1:5].min() > 0.01
