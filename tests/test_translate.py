"""`podium translate` writes the texts to translate, and keeps what is translated."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium import translate
from podium.catalogue import read_catalogue, template
from podium.errors import SpecError
from podium.translate import translate_application
from tests.support.apps import write_weights


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An application in English."""
    return write_weights(tmp_path / "app")


def test_a_new_file_has_every_text(folder: Path) -> None:
    """None is translated, and plurals have as many forms as the language."""
    told = translate_application(folder, "pl")
    texts = read_catalogue(folder, "pl")
    assert texts is not None
    assert told == (folder / "translations/pl.po", len(texts), len(texts))
    assert {one.id for one in texts} == {one.id for one in template()}
    assert {len(one.string or ()) for one in texts if isinstance(one.id, tuple)} == {3}


def test_a_file_is_brought_up_to_date(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is translated stays; of a changed text it is fuzzy, and of one that is gone obsolete."""
    file = translate_application(folder, "de").file
    text = file.read_text("utf-8")
    for english, german in (("Predict", "Vorhersagen"), ("Entropy", "Entropie")):
        text = text.replace(
            f'msgid "{english}"\nmsgstr ""', f'msgid "{english}"\nmsgstr "{german}"'
        )
    file.write_text(text, "utf-8")
    texts = template()
    texts.delete("Entropy")
    texts.delete("Predict")
    texts.add("Predict!")
    monkeypatch.setattr(translate, "template", lambda: texts)
    told = translate_application(folder, "de")
    known = read_catalogue(folder, "de")
    assert known is not None
    assert (known["Predict!"].string, known["Predict!"].fuzzy) == ("Vorhersagen", True)
    assert told.left == told.texts == len(texts)
    assert '#~ msgid "Entropy"\n#~ msgstr "Entropie"' in file.read_text("utf-8")


@pytest.mark.parametrize("language", ["german", "xx", "../de", "de_DE"])
def test_an_unknown_language_is_refused(folder: Path, language: str) -> None:
    """Nothing is written."""
    with pytest.raises(SpecError, match="is no known language; expected a tag such as"):
        translate_application(folder, language)
    assert not (folder / "translations").exists()


def test_an_application_is_needed(tmp_path: Path) -> None:
    """A folder without podium.toml is none."""
    with pytest.raises(SpecError, match="expected an application folder"):
        translate_application(tmp_path, "de")
