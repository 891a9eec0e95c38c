"""What the API's description says of [access]."""

from __future__ import annotations

from typing import Any

from podium.spec import Access
from podium.web.access.gate import PROBES
from podium.web.problem import PROBLEM

_PROBLEM = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def with_access(description: dict[str, Any], access: Access) -> dict[str, Any]:
    """Return an OpenAPI description that says who may ask, and how often."""
    if access.takes_keys:
        told = "A key that the maker made with `podium keys add`."
        scheme = {"type": "http", "scheme": "bearer", "description": told}
        description["components"]["securitySchemes"] = {"key": scheme}
        description["security"] = [{"key": []}]
    for path, item in description["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            if path in PROBES and access.require:
                operation["security"] = []
            else:
                operation["responses"] |= _refusals(access, method)
    return description


def _refusals(access: Access, method: str) -> dict[str, Any]:
    """Return the answers to who may not ask, or not so often."""
    found = {}
    if access.takes_keys:
        found["401"] = {"description": "There is no key, or one that does not hold.",
                        "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
                        "content": _PROBLEM}  # fmt: skip
    if access.require:
        found["403"] = {"description": "Who asks is not let in.", "content": _PROBLEM}
    if access.rate and method != "get":
        found["429"] = {"description": f"That is more than {access.rate}.",
                        "headers": {"Retry-After": {"schema": {"type": "integer"}}},
                        "content": _PROBLEM}  # fmt: skip
    return found
