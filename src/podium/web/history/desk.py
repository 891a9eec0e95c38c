"""Where answers are kept as they are given, and asked for again."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import structs
from PIL.Image import Image

from podium.app import App
from podium.errors import Overloaded, PodiumError, UnknownAnswer
from podium.messages import said
from podium.options import Options
from podium.pipeline.decode import Items
from podium.spec import RESERVED
from podium.web.form import Form
from podium.web.history.given import given_json
from podium.web.opened import Opened
from podium.web.page.compared import Outcome
from podium.web.page.form import ALL_MODELS
from podium.web.page.picture import encoded
from podium.web.share import ShareView, failed_share, share_of

if TYPE_CHECKING:
    from podium.jobs.answers import AnswerStore, KeptAnswer
    from podium.jobs.state import StateFolder

log = logging.getLogger("podium")

REST_S: Final = 5.0
"""How long no database is asked after that failed: else every visitor would wait for it."""
SIDE: Final = 1024
"""The longest side of a kept picture in pixels. Without the file's metadata it does not tell
where and when it was taken, and at this size it takes no more than some 100 kB."""
_EXACT_PIXELS: Final = 256 * 256
"""Up to here a picture is kept as it is; of a drawing JPEG would leave less."""
MOST_OF_ONE: Final = 500_000
"""Bytes of one answer beside its text and its picture: 100 passes over 100 labels take half."""
_TROUBLE: Final = said("The kept answers cannot be reached at this moment. Try again soon.")


class History:
    """The kept answers of one application."""

    def __init__(self, app: App, state: StateFolder) -> None:
        self.app = app
        self.state = state
        self._store = Opened(state.answers, _TROUBLE)
        self._rests_until = 0.0

    def keep(self, sent: Form, outcomes: Sequence[Outcome], items: Items) -> ShareView:
        """Keep the answer to a form, and return its link; whatever fails, the answer is shown."""
        if self._rests:
            return failed_share()
        try:
            answer = self._answer(sent, outcomes, items)
            if _rest_of(answer) > MOST_OF_ONE:
                log.warning("An answer is too large to be kept, and has no link")
                return failed_share(too_large=True)
            self._store.get().add(answer)
        except PodiumError as err:
            log.warning("An answer could not be kept, and has no link: %s", err)
        except Exception as err:
            log.error("An answer could not be kept, and has no link", exc_info=err)
        else:
            return share_of(answer)
        self._rest()
        return failed_share()

    def answer(self, answer_id: str) -> KeptAnswer:
        """Return a kept answer.

        Raises:
            UnknownAnswer: there is none of this id, or its time is over.
            Overloaded: the database cannot be used now.
        """
        with self._used() as store:
            found = store.get(answer_id, time.time())
        if found is None:
            raise UnknownAnswer
        return found

    def remove(self, answer_id: str) -> None:
        """Forget an answer.

        Raises:
            UnknownAnswer: there is none of this id.
            Overloaded: the database cannot be used now.
        """
        with self._used() as store:
            removed = store.remove(answer_id)
        if not removed:
            raise UnknownAnswer

    @property
    def _rests(self) -> bool:
        return time.monotonic() < self._rests_until

    def _rest(self) -> None:
        self._rests_until = time.monotonic() + REST_S

    @contextmanager
    def _used(self) -> Iterator[AnswerStore]:
        """Yield the store.

        Raises:
            Overloaded: the database cannot be used now, or could not a moment ago.
        """
        if self._rests:
            raise Overloaded(_TROUBLE, 5)
        try:
            yield self._store.get()
        except Overloaded as err:
            log.warning("Kept answers cannot be reached: %s", err)
            self._rest()
            raise Overloaded(_TROUBLE, 5) from err

    def _answer(self, sent: Form, outcomes: Sequence[Outcome], items: Items) -> KeptAnswer:
        from podium.jobs.answers import KeptAnswer
        from podium.jobs.store import new_id

        now = time.time()
        return KeptAnswer(
            id=new_id(),
            application=self.state.application,
            created=now,
            removed_at=now + self.app.spec.history.keep,
            form=self._form(sent, items[0]),
            answers=given_json(self.app, outcomes),
            image=_picture(items[0]) if self.app.signature.image else None,
        )

    def _form(self, sent: Form, item: object) -> dict[str, list[str]]:
        """Return what was understood of a form: whoever sends more shall not fill the disk."""
        signature, values = self.app.signature, sent.values
        form = {name: [values[name].strip()] for name in signature.names if name in values}
        if signature.text is not None:
            form["text"] = [str(item)]
        models = [name for name in sent.fields.get("model", ())
                  if name in (*self.app.names, ALL_MODELS)]  # fmt: skip
        if models:
            form["model"] = models
        names = [name for name in RESERVED if name in values and name != "model"]
        wishes: dict[str, str] = {name: values[name] for name in names}
        asked = structs.asdict(Options.parse(wishes, self.app.names))
        asked["include"] = ",".join(sorted(asked["include"]))
        return form | {name: [str(asked[name])] for name in wishes if asked[name]}


def _rest_of(answer: KeptAnswer) -> int:
    """Return an answer's bytes beside its text and its picture, which have their own limits."""
    form = {name: texts for name, texts in answer.form.items() if name != "text"}
    return len(msgspec.json.encode(form)) + len(answer.answers.encode())


def _picture(item: object) -> bytes | None:
    if not isinstance(item, Image):
        return None
    if item.width * item.height <= _EXACT_PIXELS:
        return encoded(item, "PNG")
    small = item.copy()
    small.thumbnail((SIDE, SIDE))
    return encoded(small, "JPEG", quality=88)
