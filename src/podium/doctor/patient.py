"""Who is examined: the address, what it publishes, and what a folder says of it."""

from __future__ import annotations

import base64
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from podium.doctor.visitor import Told, Visitor
from podium.production.site import MARGIN_S
from podium.spec import Spec
from podium.spec.serving import told_limits

PUBLISHED: Final = "x-podium-limits"
"""Where /openapi.json tells the [limits] that who sends something has to know."""
JSON: Final = {"Content-Type": "application/json"}


class Patient(Struct, frozen=True, kw_only=True):
    """A live address.

    `home` is the page as everybody gets it, `api` what /openapi.json says, {} where it cannot be
    read; `spec` is podium.toml's, where a folder was named, and `logs` where its server writes.
    With `full`, all is sent and awaited that the limits allow.
    """

    visitor: Visitor
    page: Told
    api: Mapping[str, Any]
    spec: Spec | None = None
    logs: Path | None = None
    http_port: int | None = None
    full: bool = False
    insecure: bool = False

    @property
    def limits(self) -> Mapping[str, float]:
        """The [limits] that are published, or podium.toml's; {} where neither is known."""
        published: Mapping[str, float] = self.api.get(PUBLISHED, {})
        return published or (told_limits(self.spec.limits) if self.spec else {})

    @property
    def patience_s(self) -> int | None:
        """How long a proxy should wait for an answer."""
        timeout = self.limits.get("timeout")
        return None if timeout is None else math.ceil(timeout) + MARGIN_S

    @property
    def is_open(self) -> bool:
        """Whether the page is for everybody."""
        return self.page.status == 200 and "/login" not in self.page.headers.get("Location", "")

    def question(self, count: int = 1) -> bytes | None:
        """Return a request to /predict in JSON, made from the API's description."""
        return question_of(self.api, count)


def question_of(api: Mapping[str, Any], count: int = 1) -> bytes | None:
    """Return a request to /predict with so many items; None where the description has no form."""
    try:
        body = api["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
        inputs = _whole(api, body["schema"])["properties"]["inputs"]
        item = _value(api, inputs["items"])
    except (KeyError, TypeError):
        return None
    return json.dumps({"inputs": [item] * count}).encode()


def _value(api: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    """Return a value that a schema admits."""
    schema = _whole(api, schema)
    if schema.get("examples"):
        return schema["examples"][0]
    if "anyOf" in schema:
        return _value(api, schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "object":
        wanted = schema.get("required", [])
        return {name: _value(api, one) for name, one in schema["properties"].items()
                if name in wanted}  # fmt: skip
    if schema.get("contentEncoding") == "base64":
        return base64.b64encode(_picture()).decode()
    return {"string": "Hello", "boolean": True}.get(schema["type"], 1)


def _whole(api: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema itself in place of a reference to it."""
    while "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _picture() -> bytes:
    from PIL import Image

    drawn = io.BytesIO()
    Image.linear_gradient("L").resize((64, 64)).save(drawn, "PNG")
    return drawn.getvalue()
