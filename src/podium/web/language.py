"""The language of the page: every text in it stands in one catalogue, and can be translated.

Templates call `_("...")` and `ngettext`, Python `flask_babel.gettext` as `_`, scripts `t("...")`.
What the core says comes as a `podium.messages.Message`, which templates translate by themselves.
Outside of a page all stays English, but within `in_language_of`, as in a report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.support import NullTranslations, Translations
from flask import Flask
from flask_babel import Babel, Domain, get_translations, gettext, ngettext
from jinja2 import Environment
from markupsafe import escape

from podium.app import App
from podium.catalogue import ENGLISH, read_catalogue, template
from podium.messages import Message, is_english


def add_language(flask: Flask, app: App) -> None:
    """Let templates and Python say what they say in the application's language."""
    catalogue = read_catalogue(app.folder, app.spec.language)
    texts = _Texts(_compiled(catalogue) if catalogue else NullTranslations())
    _Babel(texts).init_app(flask, default_locale=_locale(app.spec.language))
    let_templates_say(flask.jinja_env)
    flask.jinja_env.finalize = translated
    flask.jinja_env.globals.update(
        language=app.spec.language, script_texts=_of_scripts(catalogue) if catalogue else {}
    )


@contextmanager
def in_language_of(app: App) -> Iterator[None]:
    """Let what is said outside of a server be in an application's language."""
    flask = Flask("podium.web")
    add_language(flask, app)
    with flask.app_context():
        yield


def let_templates_say(env: Environment) -> None:
    """Let templates translate: a text is escaped before values, which are by then, come into it.

    The filter `translated` does so with the texts in a value, and the test `english` tells one that
    cannot be translated.
    """
    # What the extension adds to the environment is not in its types.
    install: Callable[..., None] = vars(env)["install_gettext_callables"]
    install(
        lambda text: escape(get_translations().ugettext(text)),
        lambda one, many, number: escape(get_translations().ungettext(one, many, number)),
        newstyle=True,
    )
    env.filters["translated"], env.tests["english"] = translated, is_english


def translated(value: Any) -> Any:
    """Return a Message of the core in the page's language, those in lists and tables, too."""
    if isinstance(value, dict):
        return {name: translated(one) for name, one in value.items()}
    if isinstance(value, list):
        return [translated(one) for one in value]
    if not isinstance(value, Message):
        return value
    values = {name: translated(one) for name, one in value.values.items()}
    if value.plural:
        return ngettext(value.template, value.plural, value.number, **values)
    return gettext(value.template, **values)


class _Texts(Domain):  # type: ignore[misc]
    """One language's texts, for every request."""

    def __init__(self, translations: NullTranslations) -> None:
        super().__init__()
        self._translations = translations

    def get_translations(self) -> NullTranslations:
        """Return the texts."""
        return self._translations


class _Babel(Babel):  # type: ignore[misc]
    """Flask-Babel with one language."""

    def __init__(self, texts: _Texts) -> None:
        super().__init__()
        self._texts = texts

    @cached_property
    def domain_instance(self) -> _Texts:
        """The texts."""
        return self._texts


def _locale(language: str) -> str:
    """Return how Babel calls a language, whose months it knows; English where it knows none."""
    try:
        return str(Locale.parse(language, sep="-"))
    except UnknownLocaleError:
        return ENGLISH


def _compiled(catalogue: Catalog) -> Translations:
    """Return a catalogue as gettext reads it; what is not translated, or fuzzy, stays English."""
    file = BytesIO()
    write_mo(file, catalogue)
    file.seek(0)
    return Translations(file)


def _of_scripts(catalogue: Catalog) -> dict[str, str]:
    """Return what the scripts say, translated."""
    said = (one.id for one in template() if any(name.endswith(".js") for name, _ in one.locations))
    found = {text: catalogue.get(text) for text in said if isinstance(text, str)}
    return {
        text: one.string
        for text, one in found.items()
        if one and isinstance(one.string, str) and one.string and not one.fuzzy
    }
