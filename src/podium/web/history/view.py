"""A kept answer as the page shows it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from flask import url_for
from flask_babel import gettext as _

from podium.app import App
from podium.pipeline.decode import Items
from podium.pipeline.photo import open_image
from podium.prediction import Answer
from podium.web.form import Form
from podium.web.history.given import Given, meaning_of, read_given
from podium.web.page.answer import answer_view
from podium.web.page.compared import compared_view
from podium.web.page.form import ALL_MODELS, form_view, image_preview
from podium.web.page.looked import LookedView, looked_view
from podium.web.page.pages import render_page
from podium.web.problem import Problem
from podium.web.share import share_of
from podium.web.site import site
from podium.web.words import moment

if TYPE_CHECKING:
    from podium.jobs.answers import KeptAnswer


class KeptView(NamedTuple):
    """Of a kept answer who gave it when, whether models have changed since; where to ask again."""

    words: str
    changed: str
    again: str


def kept_page(kept: KeptAnswer) -> str:
    """Return the page with an answer as it was given."""
    app = site().app
    given = read_given(kept.answers)
    items: Items = [open_image(kept.image)] if kept.image else []
    every = ALL_MODELS in kept.form.get("model", ())
    shown = _compared(app, given) if every else _single(app, given[0], items)
    return render_page(
        form_view(app, Form(kept.form, {}).values),
        kept=_view(app, kept, given),
        share=share_of(kept),
        preview=image_preview(items[0]) if items else None,
        **shown,
    )


def _single(app: App, given: Given, items: Items) -> dict[str, object]:
    answer = given.outcome[1]
    assert not isinstance(answer, Problem)
    looked = _looked(app, given, answer, items) if items else None
    # On what its coverage rests is told of the model of today alone.
    view = answer_view(app, answer)._replace(model=given.title, looked=looked, evidence="")
    return {"answer": view}


def _looked(app: App, given: Given, answer: Answer, items: Items) -> LookedView | None:
    """Return where the model looked; of one that has changed the picture it saw is not known."""
    shown = answer.predictions[0].map
    place = getattr(shown, "box", None)
    if place is None and _changed(app, given):
        return None
    return looked_view(app, answer, items)


def _compared(app: App, given: Sequence[Given]) -> dict[str, object]:
    return {"compared": compared_view(app, [one.outcome for one in given])}


def _view(app: App, kept: KeptAnswer, given: Sequence[Given]) -> KeptView:
    return KeptView(
        _words(moment(kept.created), given),
        _told_changed(app, given),
        url_for("answers.again", answer_id=kept.id),
    )


def _words(when: str, given: Sequence[Given]) -> str:
    if len(given) == 1:
        return _("Answered on %(when)s by %(model)s, version %(version)s.",
                 when=when, model=given[0].title, version=given[0].version)  # fmt: skip
    named = [f"{one.title} ({one.version})" if one.version else one.title for one in given]
    return _("Answered on %(when)s by %(models)s.", when=when, models=", ".join(named))


def _told_changed(app: App, given: Sequence[Given]) -> str:
    """Return in words which models are others now; "" if none is."""
    gone = [one.title for one in given if one.model not in app.names]
    changed = [one.title for one in given if one.model in app.names and _changed(app, one)]
    told = []
    if gone:
        told.append(_("No longer offered: %(models)s.", models=", ".join(gone)))
    version = app.version(given[0].model) if len(given) == 1 and changed else ""
    if version and version == given[0].version:
        told.append(_("Since then its answers have been given another meaning: the labels, the "
                      "target or the unit."))  # fmt: skip
    elif version:
        told.append(_("The model has changed since: its version is now %(version)s.",
                      version=version))  # fmt: skip
    elif changed:
        told.append(_("Changed since: %(models)s.", models=", ".join(changed)))
    return " ".join(told)


def _changed(app: App, given: Given) -> bool:
    """Whether the model that answered is no longer the one that would answer today."""
    if given.model not in app.names:
        return True
    if given.meaning and given.meaning != meaning_of(app):
        return True
    return bool(given.version) and app.version(given.model) != given.version
