"""What is said of rows, so that it can be translated.

The rows hold it in plain English, which is what the results tell. The first different texts stand
beside them once more, each with all that a translation takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.messages import Message, as_json, from_json, is_english, message_of

MOST: Final = 2000
"""So many texts, of some 300 bytes, can be translated; all others of a data set stay English."""


class Reasons(dict[str, Message]):
    """Texts in English, and the Message that each of them is: the first MOST."""

    def noted(self, told: str) -> str:
        """Return a text in plain English, and keep the Message that it is."""
        text = str(told)
        if len(self) < MOST and isinstance(told, Message) and not is_english(told):
            self.setdefault(text, told)
        return text


def reason_columns(reasons: Mapping[str, Message]) -> dict[str, NDArray[Any]]:
    """Return texts, and their Messages as JSON, as the columns of a table."""
    told = [as_json(one) for one in reasons.values()]
    return {"text": np.array([*reasons], object), "told": np.array(told, object)}


def reason_of(text: str, kept: Mapping[str, str]) -> Message:
    """Return the Message that a text is, from those that are kept as JSON; else the text alone."""
    return from_json(kept[text]) if text in kept else message_of(text)
