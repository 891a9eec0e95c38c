"""Pictures inside of a page."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

from PIL.Image import Image


def data_url(image: Image, form: str, **options: Any) -> str:
    """Return an image as a data: URL; `form` is Pillow's name of the format."""
    file = encoded(image, form, **options)
    return f"data:image/{form.lower()};base64," + base64.b64encode(file).decode()


def encoded(image: Image, form: str, **options: Any) -> bytes:
    """Return an image as a file, without metadata; `form` is Pillow's name of the format."""
    buffer = BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()
