"""/openapi.json and /docs: the description is valid, and true."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.http.conftest import BEAM, GENTOO
from tests.support.client import JSON, PROBLEM, Answer, Client
from tests.support.page import Page
from tests.support.pictures import RED, png

APPS = ("penguins", "colours", "weights", "notes")
SENT: dict[str, list[Any]] = {
    "penguins": [GENTOO], "weights": [BEAM], "notes": [{"text": "a note"}],
    "colours": [{"image": base64.b64encode(png(RED)).decode()}],
}  # fmt: skip


class Described:
    """An application and what /openapi.json says of it."""

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self.client = client
        self.api: dict[str, Any] = client.get("/openapi.json").json()
        self.operation: dict[str, Any] = self.api["paths"]["/predict"]["post"]
        self.models = [model["name"] for model in client.get("/models").json()["models"]]

    def mistakes(self, schema: dict[str, Any], value: object) -> list[str]:
        """Return what is wrong with a value by a schema of the description."""
        whole = {**schema, "components": self.api["components"]}
        return [error.message for error in Draft202012Validator(whole).iter_errors(value)]

    def request_mistakes(self, value: object) -> list[str]:
        """Return what is wrong with a JSON body."""
        return self.mistakes(self.operation["requestBody"]["content"][JSON]["schema"], value)

    def answer_mistakes(self, answer: Answer) -> list[str]:
        """Return what is wrong with an answer of /predict."""
        response = self.operation["responses"][str(answer.status)]
        return self.mistakes(response["content"][answer.content_type]["schema"], answer.json())


@pytest.fixture(params=APPS)
def app(request: pytest.FixtureRequest) -> Described:
    """Each application in turn."""
    return Described(request.param, request.getfixturevalue(request.param))


def test_valid(app: Described) -> None:
    """The description is valid OpenAPI 3.1."""
    answer = app.client.get("/openapi.json")
    assert (answer.status, answer.content_type) == (200, JSON)
    assert answer.json()["openapi"].startswith("3.1.")
    validate(answer.json())


def test_answers_are_as_described(app: Described) -> None:
    """Every model's answers, with samples and without, follow their schema."""
    for model in app.models:
        for more in ("", "&include=samples", "&top=1"):
            answer = app.client.predict(*SENT[app.name], query=f"?model={model}{more}")
            assert (answer.status, app.answer_mistakes(answer)) == (200, [])


def test_schemas_refuse_other_answers(app: Described) -> None:
    """The schema of an answer is no empty promise: one without a key is refused."""
    answer = app.client.predict(*SENT[app.name])
    schema = app.operation["responses"]["200"]["content"][JSON]["schema"]
    for key in answer.json():
        cut = {name: value for name, value in answer.json().items() if name != key}
        assert app.mistakes(schema, cut)
    for key in answer.predictions[0]:
        cut = answer.json()
        del cut["predictions"][0][key]
        assert app.mistakes(schema, cut), key


def test_what_is_unknown_is_never_left_out(app: Described) -> None:
    """The schema insists on every part of the uncertainty, null or not; samples are optional."""
    for key in app.client.predict(*SENT[app.name]).predictions[0]["uncertainty"]:
        cut = app.client.predict(*SENT[app.name]).json()
        del cut["predictions"][0]["uncertainty"][key]
        schema = app.operation["responses"]["200"]["content"][JSON]["schema"]
        assert app.mistakes(schema, cut), key


def test_problems_are_as_described(app: Described) -> None:
    """The problem document of each kind follows the schema of its status."""
    many = [SENT[app.name][0]] * (10_001 if app.name == "penguins" else 6)
    answers = [
        app.client.predict_json(b"{"),
        app.client.predict(*SENT[app.name], query="?model=none"),
        app.client.predict(*many),
        app.client.post("/predict", b"x", "text/csv"),
        app.client.predict({}),
        app.client.predict(*SENT[app.name], query="?top=0"),
    ]
    assert [answer.status for answer in answers] == [400, 404, 413, 415, 422, 422]
    for answer in answers:
        assert answer.content_type == PROBLEM
        assert app.answer_mistakes(answer) == []


def test_good_bodies_are_described(app: Described) -> None:
    """A body that is answered follows the schema of the request."""
    assert app.request_mistakes({"inputs": SENT[app.name]}) == []


@pytest.mark.parametrize(
    "row",
    [
        {}, {**GENTOO, "island": "Dreem"}, {**GENTOO, "bill_length_mm": "x"}, {**GENTOO, "more": 1},
        {**GENTOO, "bill_length_mm": None}, 7,
    ],
    ids=["empty", "category", "type", "unknown", "null", "no object"],
)  # fmt: skip
def test_bad_bodies_are_not_described(penguins: Client, row: object) -> None:
    """What the server refuses, the schema of the request refuses as well."""
    described = Described("penguins", penguins)
    assert penguins.predict(row).status == 422
    assert described.request_mistakes({"inputs": [row]})


def test_optional_feature_is_described(penguins: Client) -> None:
    """An optional feature may be null or left out by the schema too."""
    described = Described("penguins", penguins)
    bare = {name: value for name, value in GENTOO.items() if name != "sex"}
    assert described.request_mistakes({"inputs": [bare, {**bare, "sex": None}]}) == []


def test_every_parameter_is_accepted(app: Described) -> None:
    """Every query parameter takes each value that its description allows."""
    for parameter in app.operation["parameters"]:
        assert parameter["in"] == "query"
        schema = parameter["schema"]
        values = schema.get("enum") or [schema.get("default", schema.get("minimum", 1)), 0.5]
        for value in values:
            if app.mistakes(schema, value):
                continue
            query = f"?{parameter['name']}={value}"
            assert app.client.predict(*SENT[app.name], query=query).status == 200, query


def test_every_parameter_is_described(app: Described) -> None:
    """The parameters that the server says it knows are those of the description."""
    ((_, message),) = app.client.predict(*SENT[app.name], query="?xyz=1").errors
    known = message.partition("Known: ")[2].rstrip(".").split(", ")
    assert [parameter["name"] for parameter in app.operation["parameters"]] == known


def test_parameters_name_the_models(app: Described) -> None:
    """The models to choose from are those that /models lists, the first by default."""
    (model,) = (one for one in app.operation["parameters"] if one["name"] == "model")
    assert model["schema"]["enum"] == app.models
    assert model["schema"]["default"] == app.models[0]


def test_content_types(app: Described) -> None:
    """Every content type that is read is described."""
    content = app.operation["requestBody"]["content"]
    wanted = {JSON, "multipart/form-data"}
    wanted |= {"image/*"} if app.name == "colours" else {"application/x-www-form-urlencoded"}
    wanted |= {"text/plain"} if app.name == "notes" else set()
    assert wanted == content.keys()


def test_statuses(app: Described) -> None:
    """Each status that the contract gives /predict is described."""
    assert app.operation["responses"].keys() >= {"200", "400", "404", "413", "415", "422", "503"}


def test_paths(app: Described) -> None:
    """Every described address is there, under the server that the description names."""
    (server,) = app.api["servers"]
    assert server["url"].rstrip("/") == app.client.base
    for path, item in app.api["paths"].items():
        if "get" in item and "{" not in path and JSON in item["get"]["responses"]["200"]["content"]:
            answer = app.client.get(path)
            assert (answer.status, answer.content_type) == (200, JSON)
            schema = item["get"]["responses"]["200"]["content"][JSON]["schema"]
            assert app.mistakes(schema, answer.json()) == []


def test_docs(app: Described) -> None:
    """/docs shows a call for a terminal, every parameter, feature and status."""
    answer = app.client.get("/docs")
    assert (answer.status, answer.content_type) == (200, "text/html; charset=utf-8")
    page = Page(answer.text)
    texts = {e.text for e in page.elements}
    calls = [e.text for e in page.all("code") if e.text.startswith("curl ")]
    address = f"http://127.0.0.1:{app.client.port}{app.client.base}"
    send = "/datasets?models=all" if len(app.models) > 1 else "/datasets"
    shown = {call.partition(address)[2].rstrip("'") for call in calls}
    assert shown == {"/predict", send, "/datasets/ID", "/datasets/ID/results.csv"}
    for path, item in app.api["paths"].items():
        wanted = {f"{method.upper()} {path}" for method in item if method in ("get", "delete")}
        assert wanted <= texts
    assert {parameter["name"] for parameter in app.operation["parameters"]} <= texts
    assert app.operation["responses"].keys() <= texts
    if app.name != "colours":
        assert SENT[app.name][0].keys() <= texts


@pytest.mark.parametrize("name", ["penguins", "weights", "notes"])
def test_shown_call_works(name: str, request: pytest.FixtureRequest) -> None:
    """The JSON in the shown call is one that the server answers."""
    described = Described(name, request.getfixturevalue(name))
    page = Page(described.client.get("/docs").text)
    (call,) = (e.text for e in page.all("code") if "application/json" in e.text)
    body = call[call.index("'{") + 1 : call.rindex("}'") + 1]
    assert json.loads(body)["inputs"]
    assert described.client.predict_json(body.encode()).status == 200
