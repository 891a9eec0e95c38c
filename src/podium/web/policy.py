"""What a browser may do with an answer, told in its headers."""

from __future__ import annotations

from typing import Final

from flask import Response

_OFF: Final = (
    "accelerometer", "clipboard-read", "display-capture", "geolocation", "gyroscope",
    "magnetometer", "microphone", "midi", "payment", "serial", "usb",
)  # fmt: skip

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'"
)
SECURITY_HEADERS: Final = [
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
]
"""Of every answer, /predict's too."""

PAGE_HEADERS: Final = {
    "Permissions-Policy": ", ".join(
        ["camera=(self)", "clipboard-write=(self)", *(f"{name}=()" for name in _OFF)]
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Of pages, which alone ask a browser for such things."""


def protect(response: Response) -> Response:
    """Say that no other site may show what is sent, and what a page may do."""
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if response.mimetype == "text/html":
        response.headers.update(PAGE_HEADERS)
    return response
