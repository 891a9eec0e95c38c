"""Ready-made calls of the API: what the docs page and the terminal show."""

from __future__ import annotations

import json
import shlex
from typing import Final

from podium.signature import Signature
from podium.spec import Feature, Value

_TEXT: Final = "It works well, and I would buy it again."


def curl_calls(
    signature: Signature, address: str, image: str = "query_image.jpg"
) -> list[tuple[str, str]]:
    """Return (what it shows, command line) for each form of /predict; `image` is a file's path."""
    url = f"{address.rstrip('/')}/predict"
    if signature.image is not None:
        return [
            ("A file", f"curl -X POST -F {shlex.quote(f'image=@{image}')} {url}"),
            (
                "A raw body",
                f'curl -H "Content-Type: image/jpeg" --data-binary {shlex.quote(f"@{image}")} '
                f"{url}",
            ),
        ]
    if signature.text is not None:
        return _text_calls(_TEXT[: signature.text.max_length], url)
    inputs = {feature.name: _example(feature) for feature in signature.features}
    body = json.dumps({"inputs": [inputs]}, ensure_ascii=False)
    fields = " ".join(
        f"-F {shlex.quote(f'{name}={_text(value)}')}" for name, value in inputs.items()
    )
    return [
        ("JSON", f'curl -X POST -H "Content-Type: application/json" -d {shlex.quote(body)} {url}'),
        ("A form", f"curl -X POST {fields} {url}"),
    ]


def dataset_calls(signature: Signature, address: str, models: int) -> list[tuple[str, str]]:
    """Return (what it does, command line) of a data set's way; ID stands for its id."""
    url = f"{address.rstrip('/')}/datasets"
    file = "photos.zip" if signature.image is not None else "data.csv"
    send = shlex.quote(f"{url}?models=all") if models > 1 else url
    return [
        ("Send a file", f"curl -F file=@{file} {send}"),
        ("Follow it", f"curl {url}/ID"),
        ("Save the results", f"curl -OJ {url}/ID/results.csv"),
        ("Cancel or remove it", f"curl -X DELETE {url}/ID"),
    ]


def _text_calls(text: str, url: str) -> list[tuple[str, str]]:
    body = shlex.quote(json.dumps({"inputs": [{"text": text}]}))
    return [
        ("JSON", f'curl -X POST -H "Content-Type: application/json" -d {body} {url}'),
        ("A form", f"curl -X POST --data-urlencode {shlex.quote(f'text={text}')} {url}"),
        ("A file", f'curl -H "Content-Type: text/plain" --data-binary @query.txt {url}'),
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


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
