"""The report: one file that holds all it shows, whatever the data set is called."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from msgspec import structs

from podium import __version__
from podium.cli import main
from podium.messages import said
from podium.web.datasets.report import render_report
from tests.support.findings import EVIL, evil_findings
from tests.support.pseudo import LANGUAGE, accented, write_pseudo

DEMO = Path(__file__).parents[3] / "src/podium/demos/penguins"


class Parsed(HTMLParser):
    """What a browser would see: texts, scripts by their type, styles, attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.scripts: list[tuple[str, str]] = []
        self.styles: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep attributes, and what is open."""
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "script":
            self.scripts.append((dict(attrs).get("type") or "", ""))
        self._open = [tag] if tag in ("script", "style") else []

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  named by the base class
        """Nothing is open behind a script."""
        self._open = []

    def handle_data(self, data: str) -> None:
        """Keep a text where it belongs."""
        if self._open == ["script"]:
            kind, text = self.scripts[-1]
            self.scripts[-1] = (kind, text + data)
        elif self._open == ["style"]:
            self.styles.append(data)
        else:
            self.texts.append(data.strip())

    def all(self, name: str) -> list[str]:
        """Return the values of an attribute."""
        return [value for _, one, value in self.attributes if one == name]


@pytest.fixture(scope="module")
def evil() -> Parsed:
    """A report of hostile findings, parsed."""
    return Parsed(render_report(evil_findings()))


def test_what_a_maker_may_set_is_not_told_to_visitors() -> None:
    """A note of the findings names a key of podium.toml for programs alone."""
    note = said("Rows may be known ([task] training = %(name)s has this checked).", name="'a.csv'")
    found = structs.replace(evil_findings(), notes=(note,))
    assert "Rows may be known." in Parsed(render_report(found)).texts


def test_hostile_names_are_text(evil: Parsed) -> None:
    """Names that would end a script or begin a tag stand there as they are written."""
    told = "\n".join(evil.texts)
    for name in EVIL:
        assert name in told
    assert {tag for tag, *_ in evil.attributes} & {"img", "iframe", "object", "form"} == set()
    assert [one for _, one, _ in evil.attributes if one.startswith("on")] == []


def test_figures_are_data_that_round_trips(evil: Parsed) -> None:
    """Each figure stands in a script that does not run, and is what it was, letter by letter."""
    specs = [json.loads(text) for kind, text in evil.scripts if kind == "application/json"]
    findings = evil_findings()
    assert specs == [one.spec for model in findings.models for one in model.figures]
    assert specs


def test_only_podium_s_own_scripts_run(evil: Parsed) -> None:
    """The policy names the four scripts and the style by their hashes, and lets nothing load."""
    running = [text for kind, text in evil.scripts if not kind]

    def source(text: str) -> str:
        digest = hashlib.sha256(text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    (policy,) = [value for value in evil.all("content") if "default-src" in value]
    assert len(running) == 4
    assert policy == (
        f"default-src 'none'; script-src {' '.join(map(source, running))}; "
        f"style-src {source(''.join(evil.styles))}; base-uri 'none'; form-action 'none'"
    )


def test_nothing_is_loaded(evil: Parsed) -> None:
    """No attribute names another file or address, and no style does."""
    assert evil.all("src") == evil.all("href") == evil.all("style") == []
    assert "url(" not in "".join(evil.styles)
    assert "@import" not in "".join(evil.styles)


def test_words_and_tables_stand_without_scripts(evil: Parsed) -> None:
    """Rows, models, metrics with intervals, comparison, problems and origin are plain HTML."""
    told = [text for text in evil.texts if text]
    for text in ("41 of 42 rows scored. By 2 models, judged on 40 rows by the column "
                 f"{EVIL[0]}.", "91.2%", "81.0% to 97.0%", f"{EVIL[0]} is better.", EVIL[2],
                 "Model m0, version abc123: 41 rows answered, 40 of them judged.",
                 "the true answers", "row 7"):  # fmt: skip
        assert text in told
    footer = " ".join(told[-1].split())
    assert footer.startswith(f"Made with Podium {__version__}, ")
    assert "seed 5. Sets and intervals have the confidence level 0.8." in footer


def test_it_is_said_where_figures_need_a_script(evil: Parsed) -> None:
    """A note says where no script runs that the numbers of the figures stand in tables."""
    assert any(text.startswith("Figures are drawn with JavaScript") for text in evil.texts)


def test_many_columns_are_counted() -> None:
    """Of ten thousand columns the first are listed, and the rest counted."""
    found = evil_findings()
    staged = structs.replace(found.staged, columns=found.staged.columns * 2000)
    told = Parsed(render_report(structs.replace(found, staged=staged))).texts
    assert "And 9,800 more." in told


def report(*arguments: object, folder: Path = DEMO) -> tuple[int, str]:
    """Return exit code and output of `podium report` on the penguins."""
    done = CliRunner().invoke(main, ["report", str(folder), *map(str, arguments)])
    return done.exit_code, done.output


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The first forty rows of the penguins."""
    lines = (DEMO / "data/held_out.csv").read_text().splitlines()[:41]
    file = tmp_path / "some rows.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_command_writes_one_file(data: Path, tmp_path: Path) -> None:
    """The report of two models replaces the file that was there, and nothing else is left."""
    output = tmp_path / "out" / "report.html"
    output.parent.mkdir()
    output.write_text("old")
    code, said = report(data, "-o", output, "--model", "tree", "--model", "bayes")
    assert (code, said) == (0, f"Wrote {output}\n")
    page = Parsed(output.read_text("utf-8"))
    figures: list[dict[str, Any]] = [json.loads(text) for kind, text in page.scripts if kind]
    assert "some rows.csv" in page.texts
    assert {"Decision tree", "Naive Bayes"} <= set(page.texts)
    assert len(figures) == 2 + 2 * 7
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]
    assert output.stat().st_size < 1_500_000


def test_a_report_speaks_the_application_s_language(data: Path, tmp_path: Path) -> None:
    """Its page, its metrics and its figures do; the terminal says in English what is done."""
    folder, output = tmp_path / "penguins", tmp_path / "report.html"
    shutil.copytree(DEMO, folder)
    write_pseudo(folder)
    said = report(data, "-o", output, "--model", "tree", "--model", "bayes", folder=folder)
    assert said == (0, f"Wrote {output}\n")
    page = Parsed(output.read_text("utf-8"))
    assert page.all("lang") == [LANGUAGE]
    told = ("Right or wrong", "Balanced accuracy", "Are the differences real?", "Confusion matrix",
            "Mean probability")  # fmt: skip
    english = [one for one in told if one in page.texts]
    assert (english, accented("Confusion matrix") in page.texts) == ([], True)
    specs = [json.loads(text) for kind, text in page.scripts if kind]
    matrix = next(one for one in specs if accented("Confusion matrix") in one["description"])
    assert matrix["layer"][0]["encoding"]["x"]["title"] == f"{accented('Predicted')} species"


def test_a_report_that_fails_leaves_the_old_one(data: Path, tmp_path: Path) -> None:
    """What is wrong with the data is told, and the file stays as it was."""
    output = tmp_path / "report.html"
    output.write_text("old")
    data.write_text("a,b\n1,2\n")
    code, said = report(data, "-o", output)
    assert code == 1
    assert "bill_length_mm: there is no such column." in said
    assert output.read_text() == "old"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("nowhere/report.html", "There is no folder {tmp}/nowhere to write report.html into; make "
                                "it first."),
        ("", "{tmp} is a folder; name a file in it."),
        ("some rows.csv", "{tmp}/some rows.csv is the data set itself; name another file."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_told_first(
    data: Path, tmp_path: Path, output: str, message: str
) -> None:
    """Where the report cannot go is said before anything is scored."""
    code, said = report(data, "-o", tmp_path / output)
    assert (code, said) == (1, f"podium: {message.format(tmp=tmp_path)}\n")
