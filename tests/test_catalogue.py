"""The texts of a language are read from the application's folder, and their mistakes named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts.texts import catalogue, written

from podium.catalogue import TEMPLATE, catalogue_file, language_mistakes, template

HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def write(folder: Path, text: str) -> None:
    """Write the German texts."""
    file = folder / catalogue_file("de")
    file.parent.mkdir(exist_ok=True)
    file.write_text(HEAD + text, "utf-8")


def mistakes(folder: Path, language: str = "de") -> list[str]:
    """Return what is wrong with a language's texts."""
    return [mistake.message for mistake in language_mistakes(folder, language)]


def test_english_needs_no_file(tmp_path: Path) -> None:
    """Nor does an English of some region."""
    assert (mistakes(tmp_path, "en"), mistakes(tmp_path, "en-GB")) == ([], [])


def test_another_language_needs_its_file(tmp_path: Path) -> None:
    """The message says what makes it."""
    assert mistakes(tmp_path) == [
        f"there is no file 'translations/de.po' in {tmp_path}; "
        f"`podium translate {tmp_path} de` makes it"
    ]


def test_a_file_that_is_no_catalogue_is_named_with_its_line(tmp_path: Path) -> None:
    """As when a quotation mark is lost."""
    write(tmp_path, 'msgid "Predict"\nmsgstr "Vorhersagen\n')
    assert mistakes(tmp_path) == [
        "translations/de.po cannot be read: line 6: expected a keyword and a text in quotation "
        "marks; found 'msgstr \"Vorhersagen'"
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('msgid "%(n)s rows"\nmsgstr "%(m)s Zeilen"',
         "line 5: '%(m)s Zeilen' has the values %(m); expected %(n)"),
        ('msgid "%(n)s rows"\nmsgstr "Zeilen"',
         "line 5: 'Zeilen' has the values none; expected %(n)"),
        ('msgid "{part} sent"\nmsgstr "{teil} da"',
         "line 5: '{teil} da' has the values {teil}; expected {part}"),
        ('msgid "Sure"\nmsgstr "100 %"',
         "line 5: '100 %' has a % that stands for no value; write %%"),
        ('msgid "%(n)s%% of them"\nmsgstr "%(n)s% davon"',
         "line 5: '%(n)s% davon' has a % that stands for no value; write %%"),
    ],
    ids=["other", "none", "script", "stray", "percent"],
)  # fmt: skip
def test_a_translation_has_the_values_of_its_original(tmp_path: Path, text: str, told: str) -> None:
    """Else the page could not be made when somebody looks at it."""
    write(tmp_path, text + "\n")
    assert mistakes(tmp_path) == [f"translations/de.po, {told}"]


def test_what_is_left_out_is_no_mistake(tmp_path: Path) -> None:
    """Nor is one thing that is not counted, or a fuzzy text, which is not shown."""
    write(
        tmp_path,
        'msgid "Predict"\nmsgstr ""\n\n'
        'msgid "%(n)s row"\nmsgid_plural "%(n)s rows"\n'
        'msgstr[0] "eine Zeile"\nmsgstr[1] "%(n)s Zeilen"\n\n'
        '#, fuzzy\nmsgid "at most %(n)s"\nmsgstr "viele"\n\n'
        'msgid "{part}% sent"\nmsgstr "{part} % gesendet"\n',
    )
    assert mistakes(tmp_path) == []


def test_the_catalogue_has_every_text() -> None:
    """It was collected after the last change of a text: `make texts`."""
    assert TEMPLATE.read_bytes().decode() == written(catalogue()).decode()


def test_the_guide_shows_a_text_that_is_there() -> None:
    """What docs/howto/translate.md has as an example stands in the catalogue."""
    guide = Path(__file__).parents[1] / "docs" / "howto" / "translate.md"
    shown = re.findall(r'msgid "(.+)"', guide.read_text("utf-8"))
    assert shown != []
    assert set(shown) <= {message.id for message in template()}
