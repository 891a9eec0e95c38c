"""The page for people, as it works without JavaScript."""

from __future__ import annotations

import base64
from io import BytesIO

import pytest
from PIL import Image as pil

from podium.pipeline.files import readable
from tests.http.conftest import GENTOO
from tests.support.client import PROBLEM, Answer, Client, Upload, assert_problem
from tests.support.page import Page
from tests.support.pictures import BLUE, png

FIELDS = [*((name, str(value)) for name, value in GENTOO.items()), ("model", "tree")]
HTML = "text/html; charset=utf-8"


def page_of(answer: Answer, status: int = 200) -> Page:
    """Return an answer's page."""
    assert (answer.status, answer.content_type) == (status, HTML), answer.body[:300]
    return Page(answer.text)


def test_page(penguins: Client) -> None:
    """The page shows the title, a labelled control for each feature, and all models."""
    page = page_of(penguins.get("/"))
    (form,) = page.all("form", method="post", action="/", enctype="multipart/form-data")
    labels = {e.attributes["for"]: e.text for e in page.all("label") if "for" in e.attributes}
    controls = [e.attributes["name"] for e in form.inside
                if e.tag in ("input", "select") and "name" in e.attributes]  # fmt: skip
    assert [title.text for title in page.all("h1")] == ["Penguin species"]
    assert list(dict.fromkeys(controls)) == [*(f"field.{name}" for name in GENTOO), "model"]
    assert labels["field-bill_length_mm"] == "Bill length mm"
    typed = {f"field-{name}" for name in GENTOO if name not in ("island", "sex")}
    assert labels.keys() == typed | {"model"}
    assert [e.text for e in page.all("legend")] == ["Island", "Sex optional"]
    assert [e.text for e in page.by_id("field-island").inside if e.tag == "label"] == [
        "Biscoe", "Dream", "Torgersen",
    ]  # fmt: skip
    assert [e.attributes["value"] for e in page.by_id("model").inside] == [
        "bnn", "forest", "tree", "bayes",
    ]  # fmt: skip


def test_only_required_fields_are_required(penguins: Client) -> None:
    """A browser insists on every feature but those that are optional."""
    page = page_of(penguins.get("/"))
    required = {e.attributes["name"] for e in page.elements if "required" in e.attributes}
    assert required == {f"field.{name}" for name in GENTOO if name != "sex"}


def test_examples_fill_the_form(penguins: Client) -> None:
    """Each example is a link that fills the form with its values."""
    links = page_of(penguins.get("/")).all("a", class_="chip")
    (typical,) = (link for link in links if link.text == "A typical Gentoo")
    page = page_of(penguins.get(typical.attributes["href"]))
    values = {name: str(value) for name, value in GENTOO.items()}
    assert page.values() == {**values, "model": "bnn"}


def test_answer(penguins: Client) -> None:
    """A posted form is answered on the page, the form as it was."""
    page = page_of(penguins.submit("/", FIELDS))
    assert page.values() == dict(FIELDS)
    (headline,) = page.all("p", class_="label")
    assert headline.text == "Gentoo"
    assert {row.text for row in page.all("th", scope="row")} == {"Adelie", "Chinstrap", "Gentoo"}
    unknown = [e for e in page.by_id("answer").inside if (e.tag, e.text) == ("dd", "not known")]
    assert len(unknown) == 2
    assert page.field_errors() == {}


def test_urlencoded_form(penguins: Client) -> None:
    """The page takes either encoding of a form."""
    (headline,) = page_of(penguins.submit_urlencoded("/", FIELDS)).all("p", class_="label")
    assert headline.text == "Gentoo"


def test_warning(penguins: Client) -> None:
    """A value outside the training range is answered, with a warning that names it."""
    fields = [(name, "9000" if name == "body_mass_g" else value) for name, value in FIELDS]
    (warning,) = page_of(penguins.submit("/", fields)).all("div", class_="unsure")
    assert warning.text.endswith("Body mass 9000 is outside the training range, 2700 to 6050")


def test_errors_beside_their_fields(penguins: Client) -> None:
    """Each mistake stands beside its field, and every value is kept."""
    sent = [("bill_length_mm", "long"), ("bill_depth_mm", ""), ("flipper_length_mm", "218"),
            ("body_mass_g", "inf"), ("island", ""), ("sex", "male"),
            ("model", "forest")]  # fmt: skip
    page = page_of(penguins.submit("/", sent), 422)
    assert page.values() == dict(sent)
    assert page.field_errors() == {
        "bill_length_mm": "Expected a number in mm; found 'long'.",
        "bill_depth_mm": "Enter a number in mm.",
        "body_mass_g": "Expected a number in g; found 'inf'.",
        "island": "Choose one.",
    }
    (told,) = page.all("div", role="alert")
    assert told.text.startswith("Look at the marked fields Bill length")


def test_every_wrong_field_is_marked(penguins: Client) -> None:
    """Assistive technology is told of each wrong field, number or choice."""
    page = page_of(penguins.submit("/"), 422)
    assert page.field_errors().keys() == GENTOO.keys() - {"sex"}


def test_markup_stays_text(penguins: Client) -> None:
    """What a visitor sends comes back as text, never as markup."""
    attack = '"><script>alert(1)</script>'
    fields = [(name, attack) for name in GENTOO] + [(attack, attack), ("model", attack)]
    for answer in (penguins.submit("/", fields), penguins.get(f"/?bill_length_mm={'%22%3E%3Cb'}")):
        assert b"<script>alert" not in answer.body
        assert b'"><b' not in answer.body
    assert page_of(penguins.submit("/", fields), 422).values()["bill_length_mm"] == attack


def test_unknown_model(penguins: Client) -> None:
    """An unknown model is told on the page, the values kept."""
    page = page_of(penguins.submit("/", [*FIELDS[:-1], ("model", "forrest")]), 404)
    (told,) = page.all("div", role="alert")
    assert "There is no model 'forrest'. Did you mean 'forest'?" in told.text
    assert page.values() == {**dict(FIELDS), "model": "bnn"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://[broken"},
        {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)  # fmt: skip
def test_form_of_another_site(penguins: Client, headers: dict[str, str]) -> None:
    """A form that another site's page sends is refused."""
    detail = "The form was sent from another site. Open this page itself and send it again."
    assert_problem(penguins.submit("/", FIELDS, headers=headers), 403, "Forbidden", [], detail)


def test_form_of_this_site(penguins: Client) -> None:
    """A form that a browser sends from this page is answered."""
    own = {"Origin": f"http://127.0.0.1:{penguins.port}", "Sec-Fetch-Site": "same-origin"}
    (headline,) = page_of(penguins.submit("/", FIELDS, headers=own)).all("p", class_="label")
    assert headline.text == "Gentoo"


def test_api_needs_no_token(penguins: Client) -> None:
    """The API answers programs on any site: it has no cookie that could be abused."""
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    (found,) = penguins.submit("/predict", FIELDS, headers=foreign).predictions
    assert found["label"] == "Gentoo"


def test_image_page(colours: Client) -> None:
    """A dropped image is answered, and shown beside its answer."""
    page = page_of(colours.submit("/", [("model", "whole")], [Upload("image", png(BLUE))]))
    (headline,) = page.all("p", class_="label")
    kind, _, data = page.by_id("preview").attributes["src"].partition(",")
    assert headline.text == "rest"
    assert kind == "data:image/png;base64"
    preview = pil.open(BytesIO(base64.b64decode(data))).convert("RGB")
    assert preview.getpixel((0, 0)) == BLUE


@pytest.mark.parametrize(
    ("upload", "message"),
    [
        (Upload("image", b"", ""), "There is no image yet. Choose one first."),
        (Upload("image", b""), "is empty (0 bytes); expected an image file"),
        (Upload("image", b"text"),
         f"is not an image file of a known format: {', '.join(readable())}"),
    ],
    ids=["none", "empty", "text"],
)  # fmt: skip
def test_bad_image_on_the_page(colours: Client, upload: Upload, message: str) -> None:
    """A bad image is told beside its field, the chosen model kept."""
    page = page_of(colours.submit("/", [("model", "topleft")], [upload]), 422)
    assert page.field_errors() == {"image": message}
    assert page.values() == {"model": "topleft"}


def test_no_script_is_needed(penguins: Client, colours: Client) -> None:
    """Everything the page loads comes from this server, and is there."""
    for client in (penguins, colours):
        page = page_of(client.get("/"))
        sources = [e.attributes.get("href", e.attributes.get("src", ""))
                   for e in page.elements if e.tag in ("link", "script", "img")]  # fmt: skip
        assert not [e for e in page.all("script") if "src" not in e.attributes]
        assert not [e for e in page.elements if "style" in e.attributes]
        for source in filter(None, sources):
            assert client.get(source).status == 200, source


def test_downloads_are_there(penguins: Client) -> None:
    """Every file that the page refers to can be had."""
    links = page_of(penguins.get("/")).all("a", download="")
    assert [link.text for link in links] == ["Available data set"]
    answer = penguins.get(links[0].attributes["href"])
    assert (answer.status, answer.content_type) == (200, "text/csv; charset=utf-8")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_wrong_method(penguins: Client, method: str) -> None:
    """The page is got and posted to, nothing else."""
    answer = penguins.send(method, "/")
    assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "HEAD", "OPTIONS", "POST"]
    assert (answer.status, answer.content_type) == (405, PROBLEM)
