"""Findings as one HTML file that opens anywhere: it holds all that it shows, and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from flask import current_app, has_app_context
from jinja2 import Environment, FileSystemLoader, Template

import podium
from podium.datasets.findings import Findings
from podium.web.datasets.numbers import numbers_of
from podium.web.datasets.view import by_reason, findings_view
from podium.web.language import let_templates_say, translated
from podium.web.words import without_keys

_WEB: Final = Path(__file__).parents[1]
_SCRIPTS: Final = ("vendor/vega.min.js", "vendor/vega-lite.min.js", "vendor/vega-embed.min.js",
                   "figures.js")  # fmt: skip
_STYLES: Final = ("page.css", "datasets.css", "report.css")
_MOST_COLUMNS: Final = 200
"""Of more columns the first are listed."""


def render_report(found: Findings) -> str:
    """Return a report as HTML; what comes from the data set is escaped, and runs nowhere."""
    now = datetime.now(UTC)
    return _template().render(
        found=found,
        language=current_app.jinja_env.globals["language"] if has_app_context() else "en",
        results=findings_view(found),
        columns=found.staged.columns[:_MOST_COLUMNS],
        when=f"{now:%Y-%m-%d %H:%M} UTC",
        version=podium.__version__,
        policy=_policy(),
        style=_style(),
        scripts=_scripts(),
    )


@cache
def _template() -> Template:
    env = Environment(loader=FileSystemLoader(_WEB / "templates"), autoescape=True,
                      trim_blocks=True, lstrip_blocks=True, finalize=translated,
                      extensions=["jinja2.ext.i18n"])  # fmt: skip
    let_templates_say(env)
    env.filters["without_keys"] = without_keys
    env.globals |= {"numbers_of": numbers_of, "by_reason": by_reason}
    return env.get_template("datasets/report.html")


@cache
def _scripts() -> tuple[str, ...]:
    return tuple(map(_read, _SCRIPTS))


@cache
def _style() -> str:
    return "\n".join(map(_read, _STYLES))


def _read(name: str) -> str:
    return (_WEB / "static" / name).read_text("utf-8")


@cache
def _policy() -> str:
    """Return a policy that lets nothing run or load but what the file itself brings, by hash."""
    scripts = " ".join(_source(script) for script in _scripts())
    return (f"default-src 'none'; script-src {scripts}; style-src {_source(_style())}; "
            "base-uri 'none'; form-action 'none'")  # fmt: skip


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
