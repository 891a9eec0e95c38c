"""Ready-made calls: they run as they stand, whatever the form holds."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from podium.signature import Signature
from podium.spec import Feature, Image, TextInput
from podium.web.calls import calls_with, curl_calls, dataset_calls, with_key
from tests.support.echo import Echo, echoing
from tests.support.missing import program

NASTY = (
    'It\'s "good" & $HOME `id` \\n %s {x} ${y}\n\n'
    "caf\u00e9 \U0001f600 \u2028 \u0645\u0631 \x01 </pre>"
)
"""What shells, Python and JavaScript take as their own."""

FEATURES = (
    Feature(name="length", range=(0.0, 10.0)),
    Feature(name="count", kind="integer", example=3),
    Feature(name="wet", kind="boolean"),
    Feature(name=f"a'b $c {NASTY[:8]}".replace('"', ""), kind="category", choices=(NASTY, "pine")),
    Feature(name="age", optional=True, example=7.5),
)
TABLE = Signature("regression", "weight", "kg", (), FEATURES)
NOTES = Signature("regression", "value", None, (), (), text=TextInput(max_length=10_000))
PHOTOS = Signature("classification", "class", None, ("a", "b"), (), image=Image(size=(8, 8)))
LAST = FEATURES[3].name


class Ran(NamedTuple):
    """What a call sent."""

    path: str
    content_type: str
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def run(language: str, code: str, folder: Path, echo: Echo) -> Ran:
    """Run a call in a folder, as a visitor would who copied it, and return what it sent."""
    if language == "curl":
        program("curl", "curl")
        command = [program("bash", "bash"), "-c", code]
    elif language == "python":
        command = [sys.executable, "-c", code]
    else:
        (folder / "call.mjs").write_text(code, "utf-8")
        command = [program("node", "nodejs"), "call.mjs"]
    done = subprocess.run(  # noqa: S603  the code is what is tested
        command, cwd=folder, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert "fine" in done.stdout.decode()
    return Ran(*echo.requests.pop())


@pytest.fixture(scope="module")
def echo() -> Any:
    """A server that keeps what it is sent."""
    with echoing() as server:
        yield server


LANGUAGES = ("curl", "python", "javascript")


def code_of(signature: Signature, language: str, echo: Echo, values: dict[str, str]) -> str:
    """Return the call in one language, under a path prefix and with a model."""
    found = calls_with(signature, values, f"{echo.url}/lab/", {"model": "a b&c"})
    return next(call.code for call in found if call.id == language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_features_arrive_as_typed(language: str, tmp_path: Path, echo: Echo) -> None:
    """Run as it stands, each call sends the form's values with their types, and the model."""
    values = {"length": "47.5", "count": "12", "wet": "yes", LAST: NASTY, "age": ""}
    code = code_of(TABLE, language, echo, values)
    sent = run(language, code, tmp_path, echo)
    assert sent.path == "/lab/predict?model=a+b%26c"
    assert sent.content_type == "application/json"
    item = {"length": 47.5, "count": 12, "wet": True, LAST: NASTY}
    assert sent.json == {"inputs": [item]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_arrives_to_the_last_letter(language: str, tmp_path: Path, echo: Echo) -> None:
    """Quotes, line breaks, dollars, emoji and control characters come through."""
    code = code_of(NOTES, language, echo, {"text": NASTY})
    assert run(language, code, tmp_path, echo).json == {"inputs": [{"text": NASTY}]}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["photo.jpg", 'my "cat"; $x, it\'s \u00e9.jpg'])
def test_an_image_is_sent(language: str, name: str, tmp_path: Path, echo: Echo) -> None:
    """The chosen file is sent as the form's field, whatever its name."""
    (tmp_path / name).write_bytes(b"\xff\xd8picture")
    sent = run(language, code_of(PHOTOS, language, echo, {"image": name}), tmp_path, echo)
    assert sent.content_type.startswith("multipart/form-data; boundary=")
    assert b'name="image"' in sent.body
    assert b"\r\n\r\n\xff\xd8picture\r\n" in sent.body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("signature", [TABLE, PHOTOS])
@pytest.mark.parametrize(("key", "sent"), [(True, "Bearer YOUR_KEY"), (False, None)])
def test_a_key_is_shown_where_one_is_needed(
    language: str, signature: Signature, key: bool, sent: str | None, tmp_path: Path, echo: Echo
) -> None:
    """A visitor has to put his own into its place, and nothing else."""
    (tmp_path / "photo.jpg").write_bytes(b"picture")
    found = calls_with(signature, {}, echo.url, {}, key)
    run(language, next(call.code for call in found if call.id == language), tmp_path, echo)
    assert echo.key == sent


def test_lines_of_curl_show_a_key(tmp_path: Path, echo: Echo) -> None:
    """All that the docs show, and what `podium serve` prints."""
    for _, line in with_key(curl_calls(TABLE, echo.url)):
        run("curl", line, tmp_path, echo)
        assert echo.key == "Bearer YOUR_KEY"


def item_of(signature: Signature, values: dict[str, str]) -> Any:
    """Return the item in the curl call of a form."""
    (call, *_) = calls_with(signature, values, "http://host", {})
    return json.loads(shlex.split(call.code)[-1])["inputs"][0]


def test_an_empty_form_gives_examples() -> None:
    """The maker's example, the middle of the range, the first choice stand for what is empty."""
    expected = {"length": 5, "count": 3, "wet": True, LAST: NASTY, "age": 7.5}
    assert item_of(TABLE, {}) == expected


def test_what_is_wrong_gives_way_to_an_example() -> None:
    """A value that would be refused stands in no call."""
    item = item_of(TABLE, {"length": "1,5", "count": "2.5", "wet": "maybe", LAST: "oak"})
    assert item == {"length": 5, "count": 3, "wet": True, LAST: NASTY}


def test_a_text_that_is_empty_gives_an_example() -> None:
    """The call of an empty area sends a sentence, within the limit."""
    assert item_of(NOTES, {"text": " \n"}) == {"text": "It works well, and I would buy it again."}
    short = Signature("regression", "value", None, (), (), text=TextInput(max_length=8))
    assert item_of(short, {}) == {"text": "It works"}


def test_addresses_are_quoted() -> None:
    """A host of IPv6 holds what shells take as their own."""
    found = curl_calls(TABLE, "http://[::1]/") + dataset_calls(NOTES, "http://[::1]/", 1)
    assert [shlex.split(line)[-1] for _, line in found] == [
        "http://[::1]/predict", "http://[::1]/predict", "http://[::1]/datasets",
        *(f"http://[::1]/datasets/ID{end}" for end in ("", "/results.csv", "")),
    ]  # fmt: skip
    assert all("'http://[::1]/" in line for _, line in found)


def test_languages() -> None:
    """There are three, with the ids by which the page shows them."""
    found = calls_with(PHOTOS, {}, "http://host:5000", {})
    assert [(call.id, call.language) for call in found] == [
        ("curl", "curl"), ("python", "Python"), ("javascript", "JavaScript"),
    ]  # fmt: skip
    assert found[0].code == "curl http://host:5000/predict \\\n  -F image=@photo.jpg"
