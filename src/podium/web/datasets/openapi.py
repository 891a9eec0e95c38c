"""The description of the data sets' addresses."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from podium.app import App
from podium.cells import FALSE, TRUE
from podium.web.datasets.answer import AcceptedAnswer, DatasetAnswer
from podium.web.datasets.upload import FIELD
from podium.web.datasets.wanted import VIEWS
from podium.web.datasets.wishes import WISHES
from podium.web.form import MULTIPART
from podium.web.http import CSV, JSON, PARQUET
from podium.web.problem import PROBLEM

STRUCTS: Final = (DatasetAnswer, AcceptedAnswer)
Described = dict[str, Any]

_ERRORS: Final = {
    400: "The body cannot be read, or ended early; nothing is kept.",
    404: "There is no data set of this id, or no such model or figure.",
    409: "The data set is not in the state in which this can be asked of it.",
    413: "The body is larger than the limit; nothing is kept.",
    415: "The content type is not read.",
    422: "The file is missing or empty, or a parameter is wrong; each is named.",
    500: "The database of data sets is damaged; the server's log says more.",
    503: "No room now; try again after Retry-After seconds.",
    507: "The server's disk is full; nothing is kept.",
}
_TABLES: Final = (CSV, "text/tab-separated-values", PARQUET,
                  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")  # fmt: skip


class Schemas(NamedTuple):
    """The schemas of what is answered: those of STRUCTS, and that of a problem."""

    told: Described
    accepted: Described
    problem: Described


def dataset_paths(app: App, schemas: Schemas) -> Described:
    """Return the addresses of data sets by path."""
    known = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    errors = _errors(schemas, 404, 409, 500, 503)
    under: dict[str, Described] = {
        "": {"get": _following(schemas), "delete": _ending(schemas)},
        "/start": {"post": _starting(app, schemas)},
        "/results.csv": {"get": _file("results_csv", "The results as CSV.", CSV, errors)},
        "/results.parquet": {
            "get": _file("results_parquet", "The results as Parquet.", PARQUET, errors)
        },
        "/rows.csv": {"get": _rows(errors)},
        "/report.html": {
            "get": _file("report", "The report, one page to keep.", "text/html", errors)
        },
        "/figures/{name}.json": {"get": _figure(schemas)},
    }
    items = {f"/datasets/{{id}}{more}": {"parameters": [known], **item}
             for more, item in under.items()}  # fmt: skip
    return {
        "/datasets": {"get": _accepting(schemas), "post": _sending(app, schemas)},
        "/datasets/template.csv": {
            "get": _file("template", "An empty table with the columns.", CSV, {})
        },
        **items,
    }


def _accepting(schemas: Schemas) -> Described:
    taken = _answers("What is taken.", schemas.accepted)
    return _operation("datasets", "What is taken as a data set.", {"200": taken})


def _sending(app: App, schemas: Schemas) -> Described:
    image = app.signature.image is not None
    kinds = ("application/zip",) if image else _TABLES
    wishes = _parameters(app)
    form = {
        "type": "object",
        "required": [FIELD],
        "additionalProperties": False,
        "properties": {
            FIELD: {"type": "string", "format": "binary"},
            **{one["name"]: one["schema"] for one in wishes},
        },
    }
    raw: Described = {kind: {"schema": {}} for kind in (*kinds, "application/octet-stream")}
    responses = {
        "202": {
            **_answers("It is taken; Location is where to follow it.", schemas.told),
            "headers": {"Location": {"schema": {"type": "string"}}},
        },
        **_errors(schemas, 400, 404, 413, 415, 422, 500, 503, 507),
    }
    summary = "Send a data set to be scored."
    return {
        **_operation("send_dataset", summary, responses, wishes),
        "requestBody": {
            "required": True,
            "content": {
                MULTIPART: {"schema": form, "encoding": {FIELD: {"contentType": ", ".join(kinds)}}},
                **raw,
            },
        },
    }


def _following(schemas: Schemas) -> Described:
    responses = {
        "200": _answers("The data set, with an ETag.", schemas.told),
        "304": {"description": "Nothing has changed since the ETag in If-None-Match."},
        **_errors(schemas, 404, 500, 503),
    }
    return _operation("dataset", "Where a data set stands; then what was found.", responses)


def _ending(schemas: Schemas) -> Described:
    responses = {
        "200": _answers("It is cancelled.", schemas.told),
        "204": {"description": "It is removed."},
        **_errors(schemas, 404, 409, 500, 503),
    }
    return _operation("end_dataset", "Cancel one that has not ended; remove one that has.",
                      responses)  # fmt: skip


def _starting(app: App, schemas: Schemas) -> Described:
    wishes = [one for one in _parameters(app) if one["name"] in WISHES]
    responses = {
        "202": _answers("It is queued.", schemas.told),
        **_errors(schemas, 404, 409, 422, 500, 503),
    }
    summary = "Start one that is ready; go on with one that failed."
    return _operation("start_dataset", summary, responses, wishes)


def _file(name: str, summary: str, kind: str, errors: Described) -> Described:
    responses = {"200": {"description": "The file.", "content": {kind: {"schema": {}}}}, **errors}
    return _operation(f"dataset_{name}", summary, responses)


def _rows(errors: Described) -> Described:
    known: list[tuple[str, str, Described]] = [
        ("rows", "Which rows; with a true answer known, the wrong ones or the largest errors.",
         {"type": "string", "enum": list(VIEWS), "default": VIEWS[0]}),
        ("model", "Whose answers count; left out, the first model's.", {"type": "string"}),
        ("sort", "A column to sort by: one of the model's (probability), the file's by its "
         "place (c0), or row; after a hyphen the largest first.", {"type": "string"}),
    ]  # fmt: skip
    parameters = [{"name": name, "in": "query", "description": about, "schema": schema}
                  for name, about, schema in known]  # fmt: skip
    told = _file("rows_csv", "Some rows of the results, in an order.", CSV, errors)
    return {**told, "parameters": parameters}


def _figure(schemas: Schemas) -> Described:
    parameters: list[Described] = [
        {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "model", "in": "query", "description": "For a figure of a single model.",
         "schema": {"type": "string"}},
    ]  # fmt: skip
    responses = {
        "200": _answers("The specification.", {"type": "object"}),
        **_errors(schemas, 404, 409, 500, 503),
    }
    summary = "A figure as a Vega-Lite specification."
    return _operation("dataset_figure", summary, responses, parameters)


def _parameters(app: App) -> list[Described]:
    names = list(app.names)
    known: list[tuple[str, str, Described]] = [
        ("models", 'Which models score it, separated by commas; "all" for all of them.',
         {"type": "string", "default": names[0], "examples": [",".join(names), "all"]}),
        ("target", "The column with the true answers; left out, the application's.",
         {"type": "string"}),
        ("confidence_level",
         "The level of intervals and prediction sets; left out, the calibration's, or 0.9.",
         {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        ("seed", "Decides what a stochastic model draws.",
         {"type": "integer", "minimum": 0, "default": 0}),
        ("start", "false: its columns are looked at, and it waits to be started.",
         {"type": "string", "enum": [*TRUE, *FALSE], "default": TRUE[0]}),
        ("name", "The file's name, where it is sent alone.", {"type": "string"}),
    ]  # fmt: skip
    return [{"name": name, "in": "query", "description": about, "schema": schema}
            for name, about, schema in known]  # fmt: skip


def _operation(
    name: str, summary: str, responses: Described, parameters: list[Described] | None = None
) -> Described:
    made: Described = {"operationId": name, "summary": summary, "responses": responses}
    return {**made, "parameters": parameters} if parameters else made


def _answers(about: str, schema: Described) -> Described:
    return {"description": about, "content": {JSON: {"schema": schema}}}


def _errors(schemas: Schemas, *codes: int) -> Described:
    content = {PROBLEM: {"schema": schemas.problem}}
    return {str(code): {"description": _ERRORS[code], "content": content} for code in codes}
