"""The maker's Markdown as HTML: raw HTML stays text, pictures lead to the folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.web.markdown import render

NAMES = {"plot.png", "data/table.csv", "größe.png", "my plot.png"}


def rendered(text: str, folder: Path) -> tuple[str, set[str]]:
    """Return a text as HTML, and the files that it leads to."""
    (folder / "about.md").write_text(text, "utf-8")
    return render(folder / "about.md", NAMES.__contains__, "files/")


def test_headings_stand_below_the_pages_own(tmp_path: Path) -> None:
    """A first heading is the page's second; a level that is left out is not left out there."""
    html, _ = rendered("# One\n\n## Two\n\n###### Six\n\n## Three\n", tmp_path)
    assert html == "<h2>One</h2>\n<h3>Two</h3>\n<h4>Six</h4>\n<h3>Three</h3>\n"
    html, _ = rendered("### Three\n\n# One\n", tmp_path)
    assert html == "<h2>Three</h2>\n<h2>One</h2>\n"


def test_a_cards_title_is_the_pages(tmp_path: Path) -> None:
    """Where the text is the page, its first level is the page's first."""
    (tmp_path / "card.md").write_text("# Title\n\n## Part\n")
    html, _ = render(tmp_path / "card.md", NAMES.__contains__, "", top=1)
    assert html == "<h1>Title</h1>\n<h2>Part</h2>\n"


@pytest.mark.parametrize(
    "text",
    ["<script>alert(1)</script>", "a <img src=x onerror=alert(1)> b", "<div onclick='x'>y</div>"],
)
def test_raw_html_stays_text(text: str, tmp_path: Path) -> None:
    """HTML in the maker's text is shown, not run."""
    html, _ = rendered(text, tmp_path)
    assert "&lt;" in html
    assert not any(tag in html for tag in ("<script", "<img", "<div"))


@pytest.mark.parametrize("target", ["javascript:alert(1)", "data:text/html,<b>", "vbscript:x"])
def test_links_that_would_run_are_no_links(target: str, tmp_path: Path) -> None:
    """A link that would run something stays text."""
    assert "href" not in rendered(f"[x]({target})", tmp_path)[0]


def test_pictures_and_links_lead_to_the_folder(tmp_path: Path) -> None:
    """What is offered gets the prefix and is named; a leading ./ does not count."""
    html, used = rendered("![A](plot.png) [B](./data/table.csv)", tmp_path)
    assert html == (
        '<p><img src="files/plot.png" alt="A" loading="lazy" /> '
        '<a href="files/data/table.csv">B</a></p>\n'
    )
    assert used == {"plot.png", "data/table.csv"}


@pytest.mark.parametrize(
    ("text", "name"), [("größe.png", "größe.png"), ("<my plot.png>", "my plot.png")]
)
def test_names_with_letters_of_any_kind(text: str, name: str, tmp_path: Path) -> None:
    """A file's name may have spaces and letters beyond ASCII."""
    html, used = rendered(f"![A]({text})", tmp_path)
    assert used == {name}
    assert 'src="files/' in html


@pytest.mark.parametrize("target", ["secret.txt", "https://example.org/plot.png", "#part", "/x"])
def test_other_links_stay_as_they_are(target: str, tmp_path: Path) -> None:
    """What is not offered gets no prefix."""
    html, used = rendered(f"[A]({target})", tmp_path)
    assert html == f'<p><a href="{target}">A</a></p>\n'
    assert used == set()


def test_tables(tmp_path: Path) -> None:
    """Tables are tables, in a place that scrolls and that the keyboard reaches."""
    html, _ = rendered("|a|b|\n|-|-|\n|1|2|\n", tmp_path)
    assert html.startswith('<div class="scroll" tabindex="0"><table>\n')
    assert html.endswith("</table></div>\n")
    assert "<td>2</td>" in html


def test_alignment_is_a_class(tmp_path: Path) -> None:
    """A column's alignment is no inline style, which the pages' Content-Security-Policy forbids."""
    html, _ = rendered("|a|b|c|\n|-:|:-:|-|\n|1|2|3|\n", tmp_path)
    assert "style" not in html
    cells = ['<td class="align-right">1</td>', '<td class="align-center">2</td>', "<td>3</td>"]
    assert "\n".join(cells) in html
