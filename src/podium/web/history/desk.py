"""Where answers are kept as they are given, and asked for again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from flask import current_app
from PIL.Image import Image

from podium.app import App
from podium.errors import MissingExtra, Overloaded, PodiumError, StateError, UnknownAnswer
from podium.pipeline.decode import Items
from podium.spec import RESERVED
from podium.web.form import Form
from podium.web.history.given import Outcome, given_json
from podium.web.history.share import ShareView, failed_share, share_of
from podium.web.page.picture import encoded

if TYPE_CHECKING:
    from podium.jobs.answers import AnswerStore, KeptAnswer
    from podium.jobs.state import StateFolder

log = logging.getLogger("podium")

REST_S: Final = 5.0
"""How long nothing is kept after that failed: else each answer would wait for the database."""
SIDE: Final = 1024
"""The longest side of a kept picture in pixels. Without the file's metadata it does not tell
where and when it was taken, and at this size it takes no more than some 100 kB."""
_EXACT_PIXELS: Final = 256 * 256
"""Up to here a picture is kept as it is; of a drawing JPEG would leave less."""


class History:
    """The kept answers of one application."""

    def __init__(self, app: App, state: StateFolder) -> None:
        self.app = app
        self.state = state
        self._opening = threading.Lock()
        self._store: AnswerStore | None = None
        self._rests_until = 0.0

    @property
    def store(self) -> AnswerStore:
        """The answers; opened when first asked for.

        Raises:
            Overloaded: the database cannot be used now.
        """
        with self._opening:
            if self._store is None:
                try:
                    self._store = self.state.answers()
                except (StateError, MissingExtra) as err:
                    log.error("%s", err)
                    raise Overloaded("The database of answers cannot be used now", 5) from err
            return self._store

    def keep(self, sent: Form, outcomes: Sequence[Outcome], items: Items) -> ShareView:
        """Keep the answer to a form, and return its link; whatever fails, the answer is shown."""
        if time.monotonic() < self._rests_until:
            return failed_share()
        try:
            answer = self._answer(sent, outcomes, items)
            self.store.add(answer)
        except PodiumError as err:
            log.warning("An answer could not be kept, and has no link: %s", err)
        except Exception as err:
            log.error("An answer could not be kept, and has no link", exc_info=err)
        else:
            return share_of(answer)
        self._rests_until = time.monotonic() + REST_S
        return failed_share()

    def answer(self, answer_id: str) -> KeptAnswer:
        """Return a kept answer.

        Raises:
            UnknownAnswer: there is none of this id, or its time is over.
            Overloaded: the database cannot be used now.
        """
        found = self.store.get(answer_id, time.time())
        if found is None:
            raise UnknownAnswer
        return found

    def _answer(self, sent: Form, outcomes: Sequence[Outcome], items: Items) -> KeptAnswer:
        from podium.jobs.answers import KeptAnswer
        from podium.jobs.store import new_id

        now = time.time()
        known = {*self.app.signature.names, "text", *RESERVED}
        return KeptAnswer(
            id=new_id(),
            application=self.state.application,
            created=now,
            removed_at=now + self.app.spec.history.keep,
            form={name: texts for name, texts in sent.fields.items() if name in known},
            answers=given_json(self.app, outcomes),
            image=_picture(items[0]) if self.app.signature.image else None,
        )


def keep(sent: Form, outcomes: Sequence[Outcome], items: Items) -> dict[str, object]:
    """Return what the page shows of the link to an answer, which is kept; nothing without history.

    `outcomes` are what the asked models said of the first of the items.
    """
    history: History | None = current_app.extensions.get("podium.history")
    return {} if history is None else {"share": history.keep(sent, outcomes, items)}


def _picture(item: object) -> bytes | None:
    if not isinstance(item, Image):
        return None
    if item.width * item.height <= _EXACT_PIXELS:
        return encoded(item, "PNG")
    small = item.copy()
    small.thumbnail((SIDE, SIDE))
    return encoded(small, "JPEG", quality=88)
