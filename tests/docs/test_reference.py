"""The reference and the code say the same."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from podium.pipeline.files import FORMATS
from podium.pipeline.photo import MAX_PIXELS
from podium.spec import RESERVED
from podium.web.openapi import ERRORS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

generated: dict[Path, str] = runpy.run_path(str(DOCS / "generate.py"))["pages"]()


@pytest.mark.parametrize("path", generated, ids=lambda path: path.name)
def test_a_generated_page_is_what_the_code_says(path: Path) -> None:
    """`make docs` would change nothing."""
    assert path.read_text("utf-8") == generated[path]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    """Every relative link and picture is a file that is there."""
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    inside = [target for target in targets if "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []


def test_the_http_reference_names_every_parameter_status_and_format() -> None:
    """What /predict takes and answers stands in its reference."""
    text = (DOCS / "reference" / "http.md").read_text("utf-8")
    missing = [name for name in RESERVED if f"| `{name}` |" not in text]
    missing += [str(code) for code in ERRORS if f"| {code} |" not in text]
    missing += [name for name in FORMATS if name.lower() not in text.lower()]
    assert missing == []
    assert f"{MAX_PIXELS // 10**6} megapixels" in text
