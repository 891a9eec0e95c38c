"""The API's description, made from the same structs that decode and encode."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from podium import __version__
from podium.app import App
from podium.cells import FALSE, MAX_INTEGER, MAX_NUMBER, TRUE
from podium.messages import Message
from podium.options import INCLUDES
from podium.pipeline.decode import body_type
from podium.prediction import ClassAnswer, ValueAnswer
from podium.spec import Feature, TextInput
from podium.spec.serving import told_limits
from podium.web.access.gate import PROBES
from podium.web.access.openapi import with_access
from podium.web.body import TEXT
from podium.web.datasets.openapi import STRUCTS, Schemas, dataset_paths
from podium.web.fetched import FIELD
from podium.web.form import MULTIPART, URLENCODED
from podium.web.http import JSON
from podium.web.problem import PROBLEM, Problem

_REFERENCE: Final = "#/components/schemas/{name}"
ERRORS: Final = {
    400: "The request cannot be read.",
    404: "There is no such model.",
    413: "The request is larger than the limit.",
    415: "The content type is not read.",
    422: "Values are wrong; each is named.",
    500: "The model fails; the server's log says why.",
    503: "No room now; try again after Retry-After seconds.",
    504: "The answer took longer than [limits] timeout.",
}


def openapi(app: App) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of an application."""
    signature = app.signature
    inputs = body_type(signature)
    answer = ClassAnswer if signature.kind == "classification" else ValueAnswer
    schemas, components = msgspec.json.schema_components(
        [inputs, answer, Problem, *STRUCTS], schema_hook=_of_text, ref_template=_REFERENCE
    )
    told = Schemas(schemas[3], schemas[4], schemas[2])
    datasets = dataset_paths(app, told) if app.takes_datasets else {}
    _require_all(components)
    components["Inputs"]["properties"]["inputs"] |= _counted(app)
    if signature.image is not None:
        picture = {"contentMediaType": "image/*", "minLength": 1}
        components["Item"]["properties"]["image"] |= picture
    form: dict[str, Any] = {"schema": _with_options(_form_schema(app), _parameters(app))}
    body = {JSON: {"schema": schemas[0]}, MULTIPART: form}
    if signature.image is None or signature.image.url:
        body[URLENCODED] = form
    if signature.image is not None:
        body["image/*"] = {"schema": {}}
        body[MULTIPART] = {**form, "encoding": {"image": {"contentType": "image/*"}}}
    if signature.text is not None:
        body[TEXT] = {"schema": _text_schema(signature.text)}
    problem = {"content": {PROBLEM: {"schema": schemas[2]}}}
    operation = {
        "operationId": "predict",
        "summary": f"Predict {signature.target}",
        "parameters": _parameters(app),
        "requestBody": {"required": True, "content": body},
        "responses": {
            "200": {"description": "The answer.", "content": {JSON: {"schema": schemas[1]}}},
            **{str(code): {"description": text, **problem} for code, text in ERRORS.items()},
        },
    }
    description: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": app.spec.title, "summary": app.spec.summary, "version": __version__},
        "servers": [{"url": app.spec.server.base_path or "/"}],
        "x-podium-limits": _limits(app),
        "paths": {"/predict": {"post": operation}, **datasets, **_descriptions()},
        "components": {"schemas": components},
    }
    if app.spec.server.hosts:
        _refuse_hosts(description, problem)
    return with_access(description, app.spec.access)


def _limits(app: App) -> dict[str, float]:
    limits = told_limits(app.spec.limits)
    if not app.takes_datasets:
        del limits["dataset"]
    return limits


def _refuse_hosts(description: dict[str, Any], problem: dict[str, Any]) -> None:
    """Say of each address but the probes' that it is there for the hosts of [server] alone."""
    refused = {"421": {"description": "The server does not answer to that host name.", **problem}}
    for path in description["paths"].keys() - set(PROBES):
        item = description["paths"][path]
        for method in item.keys() - {"parameters"}:
            item[method]["responses"] |= refused


def _require_all(components: dict[str, Any]) -> None:
    """Say that what is unknown is null and never left out, but for samples not asked for."""
    for name in ("ClassUncertainty", "ValueUncertainty"):
        if name in components:
            parts = components[name]["properties"]
            components[name]["required"] = [p for p in parts if not p.startswith("sample_")]


def _of_text(kind: type) -> dict[str, Any]:
    """Return the schema of a Message, which JSON tells as its text: msgspec's `schema_hook`."""
    if kind is not Message:
        raise NotImplementedError(kind)
    return {"type": "string"}


def _parameters(app: App) -> list[dict[str, Any]]:
    names = list(app.names)
    map_ms = max(1, round(app.spec.limits.map * 1000))
    known: list[tuple[str, str, dict[str, Any]]] = [
        ("model", "Which model answers.", {"enum": names, "default": names[0]}),
        ("seed", "Decides what a stochastic model draws.",
         {"type": "integer", "minimum": 0, "default": 0}),
        ("confidence_level",
         "The level of intervals and prediction sets; left out, the calibration's, or 0.9.",
         {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        ("top", "How many labels are returned.", {"type": "integer", "minimum": 1}),
        ("include", "What is added to the answer, separated by commas.",
         {"enum": [name for name in INCLUDES if name != "map" or app.makes_maps]}),
        ("map_ms", f"Milliseconds that the maps of a request's images may take, at most {map_ms}.",
         {"type": "integer", "minimum": 1, "default": map_ms}),
    ]  # fmt: skip
    return [{"name": name, "in": "query", "description": about, "schema": schema}
            for name, about, schema in known]  # fmt: skip


def _form_schema(app: App) -> dict[str, Any]:
    signature = app.signature
    if signature.image is not None:
        many = _repeated({"type": "string", "format": "binary"}, app)
        form = _single_field("image", many)
        return _with_address(form) if signature.image.url else form
    if signature.text is not None:
        text = _text_schema(signature.text)
        # A field that stands there once is no list yet to whoever reads a form.
        return _single_field("text", {"anyOf": [text, _repeated(text, app)]})
    required = [feature.name for feature in signature.features if not feature.optional]
    fields = {feature.name: _field_schema(feature) for feature in signature.features}
    return {"type": "object", "properties": fields, "required": required}


def _repeated(one: dict[str, Any], app: App) -> dict[str, Any]:
    return {"type": "array", "items": one, **_counted(app)}


def _counted(app: App) -> dict[str, int]:
    """Return how many items one request has."""
    return {"minItems": 1, "maxItems": app.spec.limits.rows}


def _single_field(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: schema}, "required": [name]}


def _with_options(form: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a form among whose fields the options may stand, and nothing else."""
    options = {one["name"]: one["schema"] for one in parameters}
    return {**form, "properties": form["properties"] | options, "additionalProperties": False}


def _with_address(form: dict[str, Any]) -> dict[str, Any]:
    """Return an image's form that takes the image's address in place of the file."""
    address = {"type": "string", "format": "uri"}
    either = [{"required": form["required"]}, {"required": [FIELD]}]
    properties = {**form["properties"], FIELD: address}
    return {"type": "object", "properties": properties, "oneOf": either}


def _text_schema(text: TextInput) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": text.max_length}


def _field_schema(feature: Feature) -> dict[str, Any]:
    if feature.choices:
        return {"type": "string", "enum": list(feature.choices)}
    if feature.kind == "boolean":
        return {"type": "string", "enum": [*TRUE, *FALSE]}
    most = MAX_INTEGER if feature.kind == "integer" else MAX_NUMBER
    return {"type": feature.kind, "minimum": -most, "maximum": most}


def _descriptions() -> dict[str, Any]:
    """Return the addresses beside /predict."""
    told = {
        "/models": "The models to choose from.",
        "/healthz": "Whether the process is alive.",
        "/readyz": "Whether every model is loaded and warm.",
    }
    return {
        path: {"get": {"operationId": path[1:], "summary": summary, "responses": {
            "200": {"description": summary, "content": {JSON: {"schema": {"type": "object"}}}},
            **({"503": {"description": "Not ready yet."}} if path == "/readyz" else {}),
        }}}
        for path, summary in told.items()
    }  # fmt: skip
