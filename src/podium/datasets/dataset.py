"""One data set on its way, with all that its steps ask of it."""

from __future__ import annotations

from typing import NamedTuple

from podium.app import App
from podium.datasets.reading import Upload
from podium.datasets.wishes import Staged, Wishes
from podium.datasets.work import Work
from podium.errors import UnknownModel


class Dataset(NamedTuple):
    """A data set that is taken in; its rows and answers are in `work`.

    `models` are those that are asked, in the order of their answers.
    """

    app: App
    models: tuple[str, ...]
    upload: Upload
    wishes: Wishes
    staged: Staged
    work: Work


def asked_models(app: App, wishes: Wishes) -> tuple[str, ...]:
    """Return the names of the models that are asked, each once.

    Raises:
        UnknownModel: the application has no such model.
    """
    for name in wishes.models:
        if name not in app.names:
            raise UnknownModel(name, app.names)
    return tuple(dict.fromkeys(wishes.models)) or app.names[:1]
