"""Collect every text of the page into its catalogue: `make texts`."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import write_po

from podium.catalogue import TEMPLATE

SOURCE: Final = Path(__file__).parents[1] / "src" / "podium"
_PYTHON: Final = {
    "_": None, "gettext": None, "ngettext": (1, 2), "said": None, "said_of": (2, 3),
}  # fmt: skip
_SCRIPTS: Final = {"t": None}
_JINJA: Final = {"trimmed": "true", "silent": "false"}


def catalogue() -> Catalog:
    """Return every text in the source, with the files it stands in, in their order."""
    found = Catalog(project="Podium", charset="utf-8")
    for file in sorted(SOURCE.rglob("*.py")):
        _add(found, file, "python", _PYTHON)
    for file in sorted((SOURCE / "web" / "templates").rglob("*.html")):
        _add(found, file, "jinja2.ext:babel_extract", _PYTHON, _JINJA)
    for file in sorted((SOURCE / "web" / "static").glob("*.js")):
        _add(found, file, "javascript", _SCRIPTS)
    return found


def written(texts: Catalog) -> bytes:
    """Return a catalogue as a file; without dates and line numbers, which change by themselves."""
    file = BytesIO()
    write_po(file, texts, width=100, omit_header=True, include_lineno=False, sort_by_file=True)
    return file.getvalue()


def _add(
    found: Catalog,
    file: Path,
    method: str,
    keywords: Mapping[str, tuple[int, ...] | None],
    options: Mapping[str, str] | None = None,
) -> None:
    told = extract_from_file(method, file, keywords=keywords, options=options)
    for _, text, _, _ in told:
        found.add(text, locations=[(file.relative_to(SOURCE).as_posix(), 1)])


if __name__ == "__main__":
    TEMPLATE.parent.mkdir(exist_ok=True)
    TEMPLATE.write_bytes(written(catalogue()))
