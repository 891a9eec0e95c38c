"""What lies in the database, opened when it is first asked for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from podium.errors import MissingExtra, Overloaded, StateError

Store = TypeVar("Store")

log = logging.getLogger("podium")


class Opened(Generic[Store]):
    """A store that `opener` opens once: most workers answer predictions alone, and need none.

    `trouble` is what is told while it cannot be opened.
    """

    def __init__(self, opener: Callable[[], Store], trouble: str) -> None:
        self._opener = opener
        self._trouble = trouble
        self._opening = threading.Lock()
        self._store: Store | None = None

    def get(self) -> Store:
        """Return the store.

        Raises:
            Overloaded: the database cannot be used now.
        """
        with self._opening:
            if self._store is None:
                try:
                    self._store = self._opener()
                except (StateError, MissingExtra) as err:
                    log.error("%s", err)
                    raise Overloaded(self._trouble, 5) from err
            return self._store
