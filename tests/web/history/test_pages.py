"""Answers kept under links, in this process: shown as they were given, asked again, deleted."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image as pil
from werkzeug.test import Client, TestResponse

from podium.app import App
from podium.jobs import answers as module
from podium.jobs.answers import AnswerStore
from podium.jobs.state import StateFolder
from podium.web.history import desk
from podium.web.wsgi import create_wsgi
from tests.support.apps import write_colours, write_notes, write_weights
from tests.support.client import BROWSER, Upload, multipart
from tests.support.page import Page
from tests.support.pictures import BLUE, RED, encoded, plain, png, quartered
from tests.support.pseudo import accented, write_pseudo

HISTORY = '\n[history]\non = true\nkeep = "2 days"\n'
BEAM = {"length": "2.5", "count": "3", "wet": "true", "material": "pine"}
GONE = (404, "Unknown answer", (
    "No answer is kept under this link. It was deleted, or its time is over; the address may also "
    "be incomplete."
))  # fmt: skip


@dataclass(frozen=True)
class ClosingState(StateFolder):
    """A state folder that knows what was opened."""

    opened: list[AnswerStore] = field(default_factory=list)

    def answers(self) -> AnswerStore:
        """Open the database."""
        self.opened.append(super().answers())
        return self.opened[-1]


class Site:
    """An application that keeps its answers, and its client."""

    def __init__(self, folder: Path, write: Callable[[Path], Path], told: str = HISTORY) -> None:
        self.folder = write(folder / "app")
        with (self.folder / "podium.toml").open("a") as spec:
            spec.write(told)
        (folder / "state").mkdir()
        self.state = ClosingState(folder / "state")
        self.serve()

    def serve(self) -> None:
        """Start to serve the folder as it is now."""
        self.base = "/lab/weights" if "weights" in (self.folder / "podium.toml").read_text() else ""
        self.client = Client(create_wsgi(App(self.folder), self.state, threads=2))

    def send(
        self,
        path: str,
        fields: dict[str, str] | None = None,
        files: tuple[Upload, ...] = (),
        **headers: str,
    ) -> TestResponse:
        """Return the answer to a form that a browser sends."""
        body, content_type = multipart(list((fields or {}).items()), files)
        return self.client.post(
            self.base + path, data=body, content_type=content_type,
            headers={"Accept": BROWSER, "Host": "127.0.0.1", **headers},
        )  # fmt: skip

    def get(self, path: str, accept: str = BROWSER, method: str = "GET") -> TestResponse:
        """Return what is at an address below the application's."""
        headers = {"Accept": accept, "Host": "127.0.0.1"}
        return self.client.open(self.base + path, method=method, headers=headers)

    def kept(self) -> int:
        """Return how many answers are kept."""
        return self.state.opened[-1].held()[0] if self.state.opened else 0


Make = Callable[..., Site]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Return what makes a site of an application."""
    made: list[Site] = []

    def make_site(write: Callable[[Path], Path], told: str = HISTORY) -> Site:
        made.append(Site(tmp_path, write, told))
        return made[-1]

    yield make_site
    for site in made:
        for store in site.state.opened:
            store.close()


def link_of(answer: TestResponse, base: str = "") -> str:
    """Return the path, below the application's, of the link that an answer's page shows."""
    assert answer.status_code == 200, answer.text[:500]
    (address,) = (e.attributes["value"] for e in Page(answer.text).all("input", id="share-link"))
    found = re.fullmatch(rf"http://127\.0\.0\.1{base}(/answers/[0-9a-f]{{32}})", address)
    assert found is not None, address
    return found[1]


def shown(answer: TestResponse) -> str:
    """Return the words of an answer's panel, but for those of its link."""
    (panel,) = Page(answer.text).all("section", id="answer")
    (share,) = (one for one in panel.inside if one.attributes.get("class") == "share")
    kept = [one.text for one in panel.inside if one.attributes.get("class") == "kept"]
    text = panel.text.replace(share.text, "")
    for one in kept:
        text = text.replace(one, "")
    return " ".join(text.split())


def problem(answer: TestResponse) -> tuple[int, str, str]:
    """Return the status, title and detail of a problem document."""
    told = json.loads(answer.data)
    assert told["status"] == answer.status_code
    return answer.status_code, told["title"], told["detail"]


def write_exact_colours(folder: Path) -> Path:
    """Write an application that decodes images at their full size."""
    spec = write_colours(folder) / "podium.toml"
    spec.write_text(spec.read_text().replace("[image]", '[image]\ndecode = "exact"'))
    return folder


def seen(site: Site, link: str) -> str:
    """Return the one colour of which the model saw anything, as the kept answer tells it."""
    (given,) = json.loads(site.get(link, "application/json").data)["answers"]
    shares = given["answer"]["predictions"][0]["probabilities"]
    (colour,) = (name for name in ("red", "green", "blue") if shares[name] > 0)
    return colour


def kept_line(answer: TestResponse) -> str:
    """Return what a kept answer's page says of it."""
    (line,) = (e for e in Page(answer.text).elements if e.attributes.get("class") == "kept")
    return line.inside[0].text


def test_kept_answer_is_shown_as_it_was_given(make: Make) -> None:
    """The link shows the filled form, the same answer, when it was given and by which model."""
    site = make(write_weights)
    given = site.send("/", {**BEAM, "model": "noisy"})
    answer = site.get(link_of(given, site.base))
    assert answer.status_code == 200
    assert shown(answer) == shown(given)
    assert "kg" in shown(answer)
    values = Page(answer.text).values()
    assert {name: values[name] for name in ("length", "count", "model")} == {
        "length": "2.5", "count": "3", "model": "noisy",
    }  # fmt: skip
    when = r"\d{1,2} [A-Z][a-z]+ 20\d\d, \d\d:\d\d UTC"
    assert re.fullmatch(rf"Answered on {when} by noisy, version [0-9a-f]{{6}}\.", kept_line(answer))


def test_kept_answer_is_private(make: Make) -> None:
    """No shared cache keeps a kept answer, and no search engine lists it."""
    site = make(write_notes)
    link = link_of(site.send("/", {"text": "a"}))
    for path, caching in ((link, "private, no-cache"), ("/answers/" + "0" * 32, "no-store")):
        headers = site.get(path).headers
        assert headers["Cache-Control"] == caching
        assert headers["X-Robots-Tag"] == "noindex"
        assert {"Accept", "HX-Request"} <= set(headers["Vary"].split(", "))
    assert site.get(link, method="HEAD").status_code == 200


def test_kept_answer_as_json(make: Make) -> None:
    """A program gets what was sent and what was answered."""
    site = make(write_notes)
    link = link_of(site.send("/", {"text": "a", "seed": "1", "model": "crc"}))
    told = json.loads(site.get(link, "application/json").data)
    (given,) = told["answers"]
    assert told["form"] == {"text": ["a"], "seed": ["1"], "model": ["crc"]}
    assert (told["id"], told["image"]) == (link.rpartition("/")[2], None)
    assert (given["model"], given["title"], given["problem"]) == ("crc", "crc", None)
    assert given["answer"]["predictions"][0]["value"] == 0xE8B7BE43  # the CRC-32 of "a"
    assert len(given["answer"]["version"]) == 6
    assert told["removed_at"] > told["created"]


def test_comparison_is_kept(make: Make) -> None:
    """What all models said is shown again, each with its version, and the picture with it."""
    site = make(write_colours)
    given = site.send("/", {"model": "*"}, (Upload("image", png(RED)),))
    answer = site.get(link_of(given))
    preview = Page(given.text).by_id("preview").attributes["src"]
    assert shown(answer) == shown(given)
    (asked,) = Page(answer.text).all("img", class_="asked")
    assert asked.attributes["src"] == preview
    assert re.search(r" by whole \(\w{6}\), topleft \(\w{6}\), topright \(\w{6}\)\.$",
                     kept_line(answer))  # fmt: skip


def test_small_picture_is_kept_as_it_is(make: Make) -> None:
    """A small picture is kept to the pixel, a large one as a JPEG of at most 1024 pixels.

    What the file tells beside the picture, such as where it was taken, is not kept.
    """
    site = make(write_exact_colours)
    small = encoded(plain(BLUE), "PNG")
    large = pil.new("RGB", (1600, 800), RED)
    exif = large.getexif()
    exif[0x010E] = "taken at home"
    files = [small, encoded(large, "JPEG", exif=exif)]
    links = [link_of(site.send("/", {}, (Upload("image", file),))) for file in files]
    kept = [site.get(f"{link}/image") for link in links]
    assert [one.content_type for one in kept] == ["image/png", "image/jpeg"]
    first, second = (pil.open(BytesIO(one.data)) for one in kept)
    assert first.tobytes() == pil.open(BytesIO(small)).tobytes()
    assert second.size == (1024, 512)
    assert (dict(second.getexif()), b"taken at home" in kept[1].data) == ({}, False)


def test_map_is_kept(make: Make) -> None:
    """Where the model looked is shown again over the kept picture."""
    site = make(write_colours)
    given = site.send("/", {"include": "map"}, (Upload("image", png(RED)),))
    answer = site.get(link_of(given))
    pictures = [e.attributes["alt"] for e in Page(answer.text).all("img") if
                e.attributes.get("alt", "").startswith("The picture with a map")]  # fmt: skip
    assert len(pictures) == 1
    assert shown(answer) == shown(given)


def test_changed_model_is_told(make: Make) -> None:
    """The answer stays as it was given; that its model is another now is said."""
    site = make(write_colours)
    given = site.send("/", {"model": "topleft"}, (Upload("image", encoded(quartered(), "PNG")),))
    link = link_of(given)
    models = site.folder / "models"
    (models / "topright.onnx").replace(models / "topleft.onnx")
    (models / "topright.onnx").write_bytes((models / "whole.onnx").read_bytes())
    site.serve()
    answer = site.get(link)
    version = App(site.folder).version("topleft")
    assert shown(answer) == shown(given)
    assert kept_line(answer).endswith(
        f". The model has changed since: its version is now {version}."
    )
    again = site.send(f"{link}/again")
    assert [seen(site, one) for one in (link, link_of(again))] == ["red", "green"]
    assert f"version {version}" in shown(again)
    assert (Page(again.text).all("div", class_="kept"), link_of(again) == link) == ([], False)


def test_removed_model_is_told(make: Make) -> None:
    """The answer of a model that is no longer offered is shown; asking again asks the default."""
    site = make(write_colours)
    given = site.send("/", {"model": "topleft"}, (Upload("image", png(RED)),))
    link = link_of(given)
    spec = site.folder / "podium.toml"
    listed = '[[models]]\nname = "topleft"\nfile = "models/topleft.onnx"\n'
    spec.write_text(spec.read_text().replace(listed, ""))
    site.serve()
    answer = site.get(link)
    assert shown(answer) == shown(given)
    assert kept_line(answer).endswith(". No longer offered: topleft.")
    again = site.send(f"{link}/again")
    assert (again.status_code, "whole, version" in again.text) == (200, True)


def test_deleted_answer_is_gone(make: Make) -> None:
    """A form or DELETE removes an answer for everybody; a second time there is none."""
    site = make(write_notes)
    links = [link_of(site.send("/", {"text": text})) for text in "ab"]
    deleted = site.send(f"{links[0]}/delete")
    assert (deleted.status_code, "no longer on the server" in deleted.text) == (200, True)
    assert site.get(links[1], method="DELETE").status_code == 204
    assert site.kept() == 0
    for link in links:
        assert problem(site.get(link, "application/json")) == GONE
        assert problem(site.get(link, "application/json", "DELETE")) == GONE
        page = site.get(link)
        assert (page.status_code, "This answer is not here" in page.text) == (404, True)


def test_answer_is_over_after_its_time(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer whose time is over is gone, also before it is swept."""
    site = make(write_notes)
    link = link_of(site.send("/", {"text": "a"}))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 86400 - 10)
    assert site.get(link).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + 2 * 86400 + 10)
    assert problem(site.get(link, "application/json")) == GONE


def test_foreign_form_is_refused(make: Make) -> None:
    """Another site's page can neither delete an answer nor ask again."""
    site = make(write_notes)
    link = link_of(site.send("/", {"text": "a"}))
    for what in ("again", "delete"):
        refused = site.send(f"{link}/{what}", Origin="https://evil.example")
        assert refused.status_code == 403
    assert (site.kept(), site.get(link).status_code) == (1, 200)


def test_impossible_ids_are_unknown(make: Make) -> None:
    """What is no id is answered as an id that there is not."""
    site = make(write_notes)
    for name in ("x", "0" * 31, "A" * 32, "0" * 32, "%2e%2e"):
        assert problem(site.get(f"/answers/{name}", "application/json")) == GONE
    assert site.get("/answers/" + "0" * 32 + "/image").status_code == 404


def test_only_known_fields_are_kept(make: Make) -> None:
    """A form with mistakes is not kept, nor is what programs ask of /predict."""
    site = make(write_notes)
    assert site.send("/", {"text": ""}).status_code in (200, 422)
    before = site.kept()
    asked = site.client.post("/predict", json={"inputs": [{"text": "a"}]})
    assert (asked.status_code, site.kept()) == (200, before)
    assert site.send("/", {"text": "a", "model": "none"}).status_code == 404
    assert site.kept() == before


def test_only_what_was_understood_is_kept(make: Make) -> None:
    """What a visitor adds to a form that means nothing takes no room from others' answers."""
    site = make(write_weights)
    padding = " " * 2000
    sent = {"length": "2.5" + padding, "seed": "1"}
    link = link_of(site.send("/", {**BEAM, **sent, "model": "noisy"}), site.base)
    told = json.loads(site.get(link, "application/json").data)
    assert told["form"] == {
        **{name: [text] for name, text in BEAM.items()}, "model": ["noisy"], "seed": ["1"],
    }  # fmt: skip


def test_unknown_model_beside_a_comparison_is_not_kept(make: Make) -> None:
    """Of the models that a form names the known ones are kept."""
    site = make(write_notes)
    body, content_type = multipart([("text", "a"), ("model", "A" * 20_000), ("model", "*")])
    given = site.client.post("/", data=body, content_type=content_type,
                             headers={"Accept": BROWSER, "Host": "127.0.0.1"})  # fmt: skip
    told = json.loads(site.get(link_of(given), "application/json").data)
    assert told["form"] == {"text": ["a"], "model": ["*"]}


def test_too_large_answer_is_not_kept(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown with a word that there is no link; a long text does not count."""
    site = make(write_notes)
    monkeypatch.setattr(desk, "MOST_OF_ONE", 1000)
    link_of(site.send("/", {"text": "a" * 50}))
    monkeypatch.setattr(desk, "MOST_OF_ONE", 10)
    page = Page(site.send("/", {"text": "a"}).text)
    assert "No link could be made for this answer: it is too large" in page.by_id("answer").text
    monkeypatch.setattr(desk, "MOST_OF_ONE", 1000)
    link_of(site.send("/", {"text": "a"}))  # nothing rests


def test_locked_database_is_asked_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While it rests after a failure, who asks for an answer or deletes it need not wait for it."""
    monkeypatch.setattr(module, "BUSY_S", 0.1)
    monkeypatch.setattr(desk, "REST_S", 60.0)
    site = make(write_notes)
    link = link_of(site.send("/", {"text": "a"}))
    other = sqlite3.connect(site.state.path / "jobs.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    told = [problem(site.get(link, "application/json", method))
            for method in ("GET", "GET", "DELETE")]  # fmt: skip
    other.close()
    assert told == 3 * [(503, "Try again later",
        "The kept answers cannot be reached at this moment. Try again soon.")]  # fmt: skip
    assert caplog.text.count("Kept answers cannot be reached: ") == 1


def test_changed_meaning_is_told(make: Make) -> None:
    """Where podium.toml gives the same model's answers another meaning, the page says so."""
    site = make(write_colours)
    link = link_of(site.send("/", {}, (Upload("image", png(RED)),)))
    assert "another meaning" not in kept_line(site.get(link))
    spec = site.folder / "podium.toml"
    spec.write_text(spec.read_text().replace('"red", "green"', '"green", "red"'))
    site.serve()
    assert kept_line(site.get(link)).endswith(
        ". Since then its answers have been given another meaning: the labels, the target or the "
        "unit."
    )  # fmt: skip


def test_kept_answer_stands_before_what_was_entered(make: Make) -> None:
    """The answer comes first, with its picture; the form is folded below it."""
    site = make(write_colours)
    for model in ("whole", "*"):
        link = link_of(site.send("/", {"model": model}, (Upload("image", png(RED)),)))
        text = site.get(link).text
        assert text.index('id="answer"') < text.index('<details class="entered"')
        assert text.index('<details class="entered"') < text.index('id="form"')
        (picture,) = Page(text).all("img", alt="The image that was answered")
        assert picture.attributes["src"].startswith("data:image/png;base64,")


FAR = {**BEAM, "length": "5000", "model": "noisy"}


def write_accents(folder: Path) -> Path:
    """Write the weights, of which the page speaks the language of accents."""
    write_pseudo(write_weights(folder))
    return folder


def warned(answer: TestResponse) -> tuple[str, list[str]]:
    """Return what an answer's page warns of, and in which languages other than its own."""
    (warning,) = Page(answer.text).all("div", class_="unsure")
    return warning.text, [one.attributes["lang"] for one in warning.inside
                          if "lang" in one.attributes]  # fmt: skip


def test_kept_words_of_the_core_are_translated(make: Make) -> None:
    """They are kept with all that it takes; programs get them in English."""
    site = make(write_accents)
    given = site.send("/", FAR)
    link = link_of(given, site.base)
    for answer in (given, site.get(link)):
        text, marked = warned(answer)
        assert (accented("is outside the training range") in text, marked) == (True, [])
    (told,) = json.loads(site.get(link, "application/json").data)["answers"]
    assert told["answer"]["predictions"][0]["warnings"] == [{
        "field": "length", "code": "outside_training_range",
        "message": "5000 is outside the training range, 0 to 10",
    }]  # fmt: skip


def test_kept_words_of_an_earlier_version_are_marked_as_english(make: Make) -> None:
    """It kept nothing but their English."""
    site = make(write_accents)
    link = link_of(site.send("/", FAR), site.base)
    plain_text = "5000 is outside the training range, 0 to 10"
    con = sqlite3.connect(site.state.path / "jobs.sqlite")
    (kept,) = con.execute("SELECT answers FROM podium_answers").fetchone()
    found = json.loads(kept)
    found[0]["answer"]["predictions"][0]["warnings"][0]["message"] = plain_text
    con.execute("UPDATE podium_answers SET answers = ?", [json.dumps(found)])
    con.commit()
    con.close()
    text, marked = warned(site.get(link))
    assert (plain_text in text, marked) == (True, ["en"])


def test_locked_database_leaves_the_answer(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing can be kept the answer is shown all the same, with a word on the link."""
    monkeypatch.setattr(module, "BUSY_S", 0.1)
    monkeypatch.setattr(desk, "REST_S", 60.0)
    site = make(write_notes)
    link_of(site.send("/", {"text": "a"}))
    other = sqlite3.connect(site.state.path / "jobs.sqlite")
    other.execute("BEGIN IMMEDIATE")
    answers = [site.send("/", {"text": "a"}) for _ in range(2)]
    other.close()
    for answer in answers:
        page = Page(answer.text)
        assert (answer.status_code, page.all("input", id="share-link")) == (200, [])
        assert "No link could be made for this answer." in page.by_id("answer").text
        assert "3,904,355,907" in page.by_id("answer").text
    # The second one did not wait for the database at all.
    assert caplog.text.count("An answer could not be kept, and has no link") == 1


def test_unusable_database_leaves_the_answer(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is wrong with the database is logged; once it is well, answers are kept again."""
    monkeypatch.setattr(desk, "REST_S", 0.0)
    site = make(write_notes)
    file = site.state.path / "jobs.sqlite"
    file.mkdir()
    answer = site.send("/", {"text": "a"})
    assert (answer.status_code, "No link could be made" in answer.text) == (200, True)
    assert f"The database of jobs, {file}, cannot be used" in caplog.text
    told = (
        503,
        "Try again later",
        "The kept answers cannot be reached at this moment. Try again soon.",
    )
    assert problem(site.get("/answers/" + "0" * 32, "application/json")) == told
    file.rmdir()
    assert site.get(link_of(site.send("/", {"text": "a"}))).status_code == 200


def test_without_history_nothing_is_kept(make: Make) -> None:
    """Where the maker has not turned it on there are no links, and no database."""
    site = make(write_notes, "")
    answer = site.send("/", {"text": "a"})
    assert answer.status_code == 200
    assert "share-link" not in answer.text
    assert "kept for" not in site.get("/").text
    assert site.get("/answers/" + "0" * 32).status_code == 404
    assert [*site.state.path.iterdir()] == []


def test_visitors_are_told_before(make: Make) -> None:
    """The page says for how long answers are kept before one is sent."""
    site = make(write_notes)
    told = "Answers are kept for 2 days, under a link that only you get and can delete."
    assert told in Page(site.get("/").text).by_id("answer").text


def test_address_after_asking_again_leads_to_the_answer(make: Make) -> None:
    """Who is sent the address of an answer that was asked again gets to the answer."""
    site = make(write_notes)
    link = link_of(site.send("/", {"text": "a"}))
    led = site.get(f"{link}/again")
    assert (led.status_code, led.headers["Location"]) == (302, link)


def test_the_log_tells_no_whole_id(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    """Who reads the log cannot open the answers of others."""
    site = make(write_notes)
    link = link_of(site.send("/", {"text": "a"}))
    site.get(link)
    logged = capsys.readouterr().err
    assert f'"path":"{link[:17]}..."' in logged
    assert link not in logged
