"""Ready-made calls of the API: what the page, its docs and the terminal show."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import urlencode

from podium.cells import check_cell, parse_cell
from podium.messages import said
from podium.signature import Signature
from podium.spec import Feature, Value

KEY: Final = "YOUR_KEY"
"""Stands in a call for the key that it has to show."""
_TEXT: Final = "It works well, and I would buy it again."
_PHOTO: Final = "photo.jpg"


class Call(NamedTuple):
    """One way to call the API: the language's id and name, and the whole code."""

    id: str
    language: str
    code: str


def calls_with(
    signature: Signature, values: Mapping[str, str], address: str, query: Mapping[str, str],
    key: bool = False,
) -> list[Call]:  # fmt: skip
    """Return the calls that send what a form holds; examples stand in for what is empty or wrong.

    `values` are the texts of the form's fields, and of an image its file's name; `query` is what
    else is asked for, such as the model. With `key`, the calls show one.
    """
    url = f"{address.rstrip('/')}/predict" + (f"?{urlencode(query)}" if query else "")
    if signature.image is not None:
        code = _image_calls(values.get("image") or _PHOTO, url, key)
    else:
        code = _item_calls(_item(signature, values), url, key)
    languages = (("curl", "curl"), ("python", "Python"), ("javascript", "JavaScript"))
    return [Call(*language, text) for language, text in zip(languages, code, strict=True)]


def curl_calls(
    signature: Signature, address: str, image: str = "query_image.jpg"
) -> list[tuple[str, str]]:
    """Return (what it shows, command line) for each form of /predict; `image` is a file's path."""
    url = shlex.quote(f"{address.rstrip('/')}/predict")
    if signature.image is not None:
        return [
            (said("A file"), f"curl -X POST -F {shlex.quote(f'image=@{image}')} {url}"),
            (
                said("A raw body"),
                f'curl -H "Content-Type: image/jpeg" --data-binary {shlex.quote(f"@{image}")} '
                f"{url}",
            ),
        ]
    if signature.text is not None:
        return _text_calls(_TEXT[: signature.text.max_length], url)
    inputs = {feature.name: _example(feature) for feature in signature.features}
    body = json.dumps({"inputs": [inputs]}, ensure_ascii=False)
    fields = " ".join(
        f"-F {shlex.quote(f'{name}={field_text(value)}')}" for name, value in inputs.items()
    )
    return [
        ("JSON", f'curl -X POST -H "Content-Type: application/json" -d {shlex.quote(body)} {url}'),
        (said("A form"), f"curl -X POST {fields} {url}"),
    ]


def dataset_calls(signature: Signature, address: str, models: int) -> list[tuple[str, str]]:
    """Return (what it does, command line) of a data set's way; ID stands for its id."""
    url = f"{address.rstrip('/')}/datasets"
    file = "photos.zip" if signature.image is not None else "data.csv"
    send = shlex.quote(f"{url}?models=all" if models > 1 else url)
    return [
        (said("Send a file"), f"curl -F file=@{file} {send}"),
        (said("Follow it"), f"curl {shlex.quote(f'{url}/ID')}"),
        (said("Save the results"), f"curl -OJ {shlex.quote(f'{url}/ID/results.csv')}"),
        (said("Cancel or remove it"), f"curl -X DELETE {shlex.quote(f'{url}/ID')}"),
    ]


def with_key(calls: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (what it does, command line) of calls of curl that show a key."""
    shown = f'curl -H "Authorization: Bearer {KEY}" '
    return [(told, command.replace("curl ", shown, 1)) for told, command in calls]


def _text_calls(text: str, url: str) -> list[tuple[str, str]]:
    body = shlex.quote(json.dumps({"inputs": [{"text": text}]}))
    return [
        ("JSON", f'curl -X POST -H "Content-Type: application/json" -d {body} {url}'),
        (said("A form"), f"curl -X POST --data-urlencode {shlex.quote(f'text={text}')} {url}"),
        (said("A file"), f'curl -H "Content-Type: text/plain" --data-binary @query.txt {url}'),
    ]


def _example(feature: Feature) -> Value:
    """Return the maker's example of a feature, or a value that it would take."""
    if feature.example is not None:
        return feature.example
    if feature.choices:
        return feature.choices[0]
    if feature.kind == "boolean":
        return True
    middle = sum(feature.range) / 2 if feature.range else 1.0
    return round(middle) if feature.kind == "integer" else round(middle, 3)


def field_text(value: Value) -> str:
    """Return a value as a form's field holds it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _item(signature: Signature, values: Mapping[str, str]) -> dict[str, Value]:
    if signature.text is not None:
        text = values.get("text", "")
        return {"text": text if text.strip() else _TEXT[: signature.text.max_length]}
    some = any(values.get(name, "").strip() for name in signature.names)
    found = {feature.name: _read(feature, values.get(feature.name, ""), some)
             for feature in signature.features}  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def _read(feature: Feature, text: str, some: bool) -> Value | None:
    """Return a field's value; None if it is left open in a form that holds some values."""
    try:
        value = check_cell(feature, parse_cell(feature, text))
    except ValueError:
        return _example(feature)
    if value is None:
        return None if some else _example(feature)
    return (
        int(value)
        if isinstance(value, float) and abs(value) < 1e15 and value == int(value)
        else value
    )


def _item_calls(item: Mapping[str, Value], url: str, key: bool) -> tuple[str, str, str]:
    body = json.dumps({"inputs": [item]}, ensure_ascii=False)
    shown = _shown(key)
    return (
        f"curl {shlex.quote(url)} \\\n"
        f"{shown.curl}"
        '  -H "Content-Type: application/json" \\\n'
        f"  -d {shlex.quote(body)}",
        "import requests\n\n"
        f"item = {_literal(item, python=True)}\n"
        f'answer = requests.post({_string(url)}, json={{"inputs": [item]}}, '
        f"{shown.python}timeout=60)\n"
        "answer.raise_for_status()\n"
        'print(answer.json()["predictions"][0])',
        f"const item = {_literal(item)};\n"
        f"const answer = await fetch({_string(url)}, {{\n"
        '  method: "POST",\n'
        f'  headers: {{ {shown.javascript}"Content-Type": "application/json" }},\n'
        "  body: JSON.stringify({ inputs: [item] }),\n"
        "});\n"
        "if (!answer.ok) throw new Error(await answer.text());\n"
        "console.log((await answer.json()).predictions[0]);",
    )


def _image_calls(file: str, url: str, key: bool) -> tuple[str, str, str]:
    shown = _shown(key)
    headers = f"headers: {{ {shown.javascript[:-2]} }}, " if key else ""
    return (
        f"curl {shlex.quote(url)} \\\n{shown.curl}  -F {shlex.quote(f'image=@{_curl_path(file)}')}",
        "import requests\n\n"
        f'with open({_string(file)}, "rb") as image:\n'
        f'    answer = requests.post({_string(url)}, files={{"image": image}}, '
        f"{shown.python}timeout=60)\n"
        "answer.raise_for_status()\n"
        'print(answer.json()["predictions"][0])',
        'import { readFile } from "node:fs/promises";\n\n'
        "const form = new FormData();\n"
        f'form.append("image", new Blob([await readFile({_string(file)})]), "image");\n'
        f'const answer = await fetch({_string(url)}, {{ method: "POST", {headers}body: form }});\n'
        "if (!answer.ok) throw new Error(await answer.text());\n"
        "console.log((await answer.json()).predictions[0]);",
    )


class _Shown(NamedTuple):
    """How a key stands in a call: a line, an argument, a header and its comma."""

    curl: str = ""
    python: str = ""
    javascript: str = ""


def _shown(key: bool) -> _Shown:
    if not key:
        return _Shown()
    name, value = "Authorization", f"Bearer {KEY}"
    return _Shown(
        f'  -H "{name}: {value}" \\\n', f'headers={{"{name}": "{value}"}}, ',
        f'"{name}": "{value}", ',
    )  # fmt: skip


def _curl_path(file: str) -> str:
    """Return a file's name as curl -F reads it, which takes ; and , as its own."""
    if not re.search(r'[;,"]', file):
        return file
    escaped = file.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _literal(item: Mapping[str, Value], *, python: bool = False) -> str:
    """Return an item as source code of Python or JavaScript, a line for each of its values."""
    indent = "    " if python else "  "
    lines = [
        f"{indent}{_string(name)}: {_value(value, python=python)},\n"
        for name, value in item.items()
    ]
    return f"{{\n{''.join(lines)}}}"


def _value(value: Value, *, python: bool) -> str:
    if isinstance(value, str):
        return _string(value)
    return repr(value) if python else field_text(value)


def _string(text: str) -> str:
    """Return a text in quotes; those of JSON are read alike by Python and JavaScript."""
    return json.dumps(text, ensure_ascii=False)
