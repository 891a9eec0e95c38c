"""`podium check` loads every model, runs every example and tells how it went."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium import app, check
from podium.check import ExampleReport, ModelReport, Report, check_application, render_report
from podium.errors import SpecError
from podium.runtimes import Model, Source, load
from tests.conformance.cases import build
from tests.conformance.graphs import SINGLE, WEIGHTS, linear
from tests.conformance.onnx_cases import CASES as ONNX
from tests.support.apps import write_notes

CASES = {case.name: case for case in ONNX}
PLAIN = CASES["onnx-logits"]
REGRESSION = CASES["onnx-regressor-one-at-a-time"]
EXAMPLE = """
[[examples]]
title = "{}"
inputs = {{ a = {}, b = 0, c = 0 }}
"""


def application(folder: Path, more: str, case: str = "onnx-logits") -> Path:
    """Write an application with more in its podium.toml."""
    build(CASES[case], folder)
    (folder / "podium.toml").write_text(CASES[case].toml + more)
    return folder


def test_report_of_an_application_that_is_well(tmp_path: Path) -> None:
    """Each model's format, version and times, each example's answer; all is well."""
    folder = application(tmp_path, EXAMPLE.format("Left", 5) + 'expected = "left"\n')
    report = check_application(folder)
    assert (report.folder, report.title, report.passed) == (folder, "onnx-logits", True)
    (model,) = report.models
    assert (model.name, model.platform, len(model.version), model.error) == ("m", "onnx", 6, "")
    assert 0 < model.latency_ms < 2000
    assert 0 < model.load_s < 10
    (example,) = report.examples
    assert (example.title, example.model, example.expected) == ("Left", "m", "left")
    assert example.found.startswith("left (")
    assert example.found.endswith("%)")
    assert (example.passed, example.counts) == (True, True)


def test_wrong_answer_fails_the_check(tmp_path: Path) -> None:
    """A default model that answers otherwise than expected fails the check."""
    folder = application(tmp_path, EXAMPLE.format("Left", 5) + 'expected = "right"\n')
    report = check_application(folder)
    assert (report.examples[0].passed, report.passed) == (False, False)


def test_example_without_expectation_passes(tmp_path: Path) -> None:
    """An example that expects nothing need only be answered."""
    report = check_application(application(tmp_path, EXAMPLE.format("Any", 5)))
    assert (report.examples[0].expected, report.examples[0].passed) == ("", True)
    assert report.passed


def test_other_models_may_answer_otherwise(tmp_path: Path) -> None:
    """A miss of another model than the default one is told and does not count."""
    more = EXAMPLE.format("Left", 5) + 'expected = "left"\n'
    more += '[[models]]\nname = "other"\nfile = "models/other.onnx"\n'
    linear(tmp_path / "models/other.onnx", weights=-WEIGHTS)
    report = check_application(application(tmp_path, more))
    assert [(one.model, one.passed, one.counts) for one in report.examples] == [
        ("m", True, True), ("other", False, False),
    ]  # fmt: skip
    assert report.passed


def test_model_that_cannot_be_loaded_fails_the_check(tmp_path: Path) -> None:
    """A damaged model is told, runs no example, and fails the check."""
    more = EXAMPLE.format("Left", 5) + '[[models]]\nname = "bad"\nfile = "models/bad.onnx"\n'
    application(tmp_path, "")
    (tmp_path / "models/bad.onnx").write_bytes(b"bad")
    (tmp_path / "podium.toml").write_text(PLAIN.toml + more)
    report = check_application(tmp_path)
    assert [bool(model.error) for model in report.models] == [False, True]
    assert "bad.onnx" in report.models[1].error
    assert [example.model for example in report.examples] == ["m"]
    assert not report.passed


@pytest.mark.parametrize(
    ("expected", "tolerance", "passed"),
    [("0.1", "", False), ("4.6", "tolerance = 0.01", True), ("4.63", "tolerance = 0.01", False)],
)
def test_value_within_its_tolerance(
    expected: str, tolerance: str, passed: bool, tmp_path: Path
) -> None:
    """A regression's example passes within its tolerance: here 5 x 0.9 + 0.1."""
    assert SINGLE[0, 0] == 0.9
    more = EXAMPLE.format("Value", 5) + f"expected = {expected}\n{tolerance}\n"
    report = check_application(application(tmp_path, more, REGRESSION.name))
    assert (report.examples[0].found, report.examples[0].passed) == ("4.6", passed)
    assert report.passed is passed


def test_example_that_does_not_fit_fails_the_check(tmp_path: Path) -> None:
    """An example whose inputs are wrong fails, with the reason as its answer."""
    more = '[[examples]]\ntitle = "Odd"\ninputs = { a = 1, b = "x" }\n'
    report = check_application(application(tmp_path, more))
    assert report.examples[0].found == (
        "b: expected a number; found 'x'.; c: is missing; expected a number"
    )
    assert not report.passed


def test_expected_text_of_a_regression_is_no_crash(tmp_path: Path) -> None:
    """A regression's example that expects a text is a mistake in words."""
    more = EXAMPLE.format("Value", 5) + 'expected = "much"\n'
    application(tmp_path, "", REGRESSION.name)
    (tmp_path / "podium.toml").write_text(REGRESSION.toml + more)
    with pytest.raises(SpecError, match=r"examples\[0\]\.expected"):
        check_application(tmp_path)


def test_example_of_an_image(tmp_path: Path) -> None:
    """An image's example is read from the folder."""
    from PIL import Image

    Image.new("RGB", (6, 6), "red").save(tmp_path / "red.png")
    more = '[[examples]]\ntitle = "Red"\nimage = "red.png"\nexpected = "left"\n'
    report = check_application(application(tmp_path, more, "onnx-image-nchw"))
    assert report.examples[0].passed
    assert report.examples[0].found.startswith("left (")


def test_example_of_a_text(tmp_path: Path) -> None:
    """A text's example is answered, and one that is no text fails the check."""
    folder = write_notes(tmp_path / "app")
    report = check_application(folder)
    assert [(one.title, one.passed) for one in report.examples] == [("Short", True), ("Long", True)]
    assert report.passed
    with (folder / "podium.toml").open("a") as file:
        file.write('[[examples]]\ntitle = "Empty"\ntext = " "\n')
    report = check_application(folder)
    assert report.examples[2].found == "text: is empty; expected a text"
    assert not report.passed


def printed(
    report: Report, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Return what a report looks like on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "300")
    render_report(report)
    return capsys.readouterr().out


MODEL = ModelReport("m", "onnx", "abc123", 0.25, 1.5)


def test_printed_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report shows models, examples and the verdict."""
    examples = (
        ExampleReport("One", "m", "left", "left (90.0%)", True, True),
        ExampleReport("Two", "m", "left", "right (60.0%)", False, True),
        ExampleReport("Two", "n", "left", "right (60.0%)", False, False),
    )
    text = printed(Report(Path("app"), "Title", (MODEL,), examples), capsys, monkeypatch)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines()]
    assert ["m", "onnx", "abc123", "0.25 s", "1.5 ms", "ok"] in rows
    assert ["One", "m", "left", "left (90.0%)", "ok"] in rows
    assert ["Two", "m", "left", "right (60.0%)", "wrong"] in rows
    assert ["Two", "n", "left", "right (60.0%)", "differs"] in rows
    assert "Something is wrong; see above." in text


def test_printed_report_of_an_application_that_is_well(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without examples there is one table, and all is well."""
    text = printed(Report(Path("app"), "Title", (MODEL,), ()), capsys, monkeypatch)
    assert "All is well." in text
    assert "Example" not in text


@pytest.mark.parametrize("words", ["takes [n, 3]; [task] lists 3", "there is no [/x]", "[red]"])
def test_brackets_are_printed_as_they_are(
    words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Square brackets in a title, a name or an error are text, not the terminal's markup."""
    models = (ModelReport("m", error=f"error {words}"),)
    examples = (ExampleReport(f"title {words}", "m", "x", f"found {words}", False, True),)
    text = printed(Report(Path("app"), f"head {words}", models, examples), capsys, monkeypatch)
    for word in ("error", "title", "found", "head"):
        assert f"{word} {words}" in text


def test_notes_of_a_model_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a model tells besides its answers stands below the table of models."""

    def load_noted(source: Source) -> Model:
        model = load(source)
        model.notes = ("It was saved [bold] with 1.0.",)
        return model

    monkeypatch.setattr(app, "load", load_noted)
    report = check_application(application(tmp_path, ""))
    assert (report.models[0].notes, report.passed) == (("It was saved [bold] with 1.0.",), True)
    render_report(report)
    assert capsys.readouterr().out.endswith(
        "\nm: It was saved [bold] with 1.0.\nAll is well, but for 1 note above.\n"
    )


def test_notes_are_counted_in_the_verdict() -> None:
    """A check with notes passes and counts them; one that fails says that it does."""
    noted = ModelReport("m", notes=("One.", "Two."))
    report = Report(Path("app"), "Title", (noted, noted), ())
    assert (report.passed, report.verdict) == (True, "All is well, but for 4 notes above.")
    failed = Report(Path("app"), "Title", (noted, ModelReport("n", error="It is broken.")), ())
    assert (failed.passed, failed.verdict) == (False, "Something is wrong; see above.")


def test_colour_that_cannot_be_read_is_noted(tmp_path: Path) -> None:
    """The note tells the contrast, and the shade that stands in; the check passes."""
    theme = '[theme]\ncolour = "#ffe066"\ncolour_dark = "#333333"\n'
    report = check_application(application(tmp_path, theme))
    assert report.notes == (
        "theme.colour: #ffe066 has a contrast of 1.2 with the light page; what is read needs 4.5. "
        "Buttons keep it, links and bars are drawn in #877000. Another shade of yours that has the "
        "contrast is taken as it is.",
        "theme.colour_dark: #333333 has a contrast of 1.3 with the dark page; what is read needs "
        "4.5. Buttons keep it, links and bars are drawn in #9d9d9d. Another shade of yours that "
        "has the contrast is taken as it is.",
    )
    assert (report.passed, report.verdict) == (True, "All is well, but for 2 notes above.")


def test_colour_that_can_be_read_is_not_noted(tmp_path: Path) -> None:
    """A colour with the contrast on light screens is well; on dark ones a shade is its part."""
    assert check_application(application(tmp_path, '[theme]\ncolour = "#1f6f8b"\n')).notes == ()


def test_notes_of_the_application_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is noted of podium.toml stands in the report as whole lines."""
    render_report(Report(tmp_path, "Title", (), (), ("theme.colour: a note",)))
    assert "\ntheme.colour: a note\n" in capsys.readouterr().out


def test_what_the_introduction_cannot_show_is_noted(tmp_path: Path) -> None:
    """Pictures of other sites, files that are not offered and those that are not there."""
    folder = application(tmp_path, "")
    spec = folder / "podium.toml"
    spec.write_text('about = "about.md"\n' + spec.read_text())
    (folder / "fine.png").touch()
    (folder / "table.csv").touch()
    (folder / "about.md").write_text(
        "![a](https://a.example/b.png) ![b](fine.png) ![c](gone.png) [d](table.csv) [e](gone.pdf) "
        "[f](https://a.example/) [g](mailto:a@b.example) [h](#part) [i](docs) [j](/docs)"
    )
    report = check_application(folder)
    assert report.passed
    assert report.notes == (
        "about.md: 'https://a.example/b.png' is on another site, from which the page shows "
        "nothing; copy it here",
        "about.md: 'gone.png' is not there",
        "about.md: 'table.csv' is a file that is not offered; name it in [[references]], or as a "
        "picture of one of the kinds .png, .jpg, .jpeg, .gif, .webp, .avif",
        "about.md: 'gone.pdf' is not there",
    )


@pytest.mark.parametrize(
    ("server", "large", "told"),
    [('workers = 4', 1, True), ('workers = 1', 1, False), ('workers = 4', 10_000_000, False),
     ('workers = 4\nengine = "gunicorn"', 1, False)],
    ids=["several copies", "one copy", "small", "shared"],
)  # fmt: skip
def test_large_models_of_several_workers_are_noted(
    server: str, large: int, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each web worker would load many bytes, the engine that has them once is told of."""
    monkeypatch.setattr(check, "LARGE", large)
    report = check_application(application(tmp_path, f"[server]\n{server}\n"))
    note = (
        "server.engine: the models' files have 0 MB, and each of 4 web workers loads them. "
        'With engine = "gunicorn" they are in memory once.'
    )
    assert report.notes == ((note,) if told else ())
