"""XML that somebody sent, read piece by piece in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.parsers import expat

from podium.messages import said

MAX_NAMES: Final = 5_000
"""How many names of elements and of attributes a part may use: expat keeps each for good."""
MAX_DEPTH: Final = 100
MAX_TOKEN: Final = 4_000_000
"""How long one tag, comment or text may be, in bytes: expat keeps it until it has seen its end."""


class XmlPart:
    """Hears of the elements of one XML document; subclasses say what to do with them.

    Names come without their prefix. There are no entities but the five of XML itself: a document
    type, which could declare others, is refused, and nothing outside is ever read.
    """

    def __init__(self) -> None:
        self._expat = expat.ParserCreate()
        self._expat.StartElementHandler = self._started
        self._expat.EndElementHandler = self._ended
        self._expat.StartDoctypeDeclHandler = self._refuse
        self._names = _Names()
        self._attributes: set[str] = set()
        self._fed = self._depth = 0
        self._text: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Hear that an element begins."""

    def end(self, name: str) -> None:
        """Hear that an element ends."""

    def keep_text(self) -> None:
        """Keep the text that follows."""
        self._text = []
        self._expat.CharacterDataHandler = self._text.append

    def kept(self) -> str:
        """Return the text since `keep_text`."""
        self._expat.CharacterDataHandler = None
        return "".join(self._text)

    def feed(self, piece: bytes, last: bool = False) -> None:
        """Read on.

        Raises:
            ValueError: it is no XML, or made to fill the memory.
        """
        self._fed += len(piece)
        try:
            self._expat.Parse(piece, last)
        except (expat.ExpatError, LookupError) as err:
            raise ValueError(
                said("holds XML that cannot be read: %(reason)s", reason=str(err))
            ) from err
        long = self._fed - self._expat.CurrentByteIndex > MAX_TOKEN and not last
        if long or sum(map(len, self._text)) > MAX_TOKEN:
            raise ValueError(said("holds a single text or tag of more than %(most)s bytes",
                                  most=f"{MAX_TOKEN:,}"))  # fmt: skip
        if len(self._names) > MAX_NAMES or len(self._attributes) > MAX_NAMES:
            raise ValueError(
                said("holds XML of more than %(most)s different names", most=f"{MAX_NAMES:,}")
            )

    def read(self, pieces: Iterable[bytes]) -> None:
        """Read all of it."""
        for piece in pieces:
            self.feed(piece)
        self.feed(b"", last=True)

    def _started(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(said("holds XML nested more than %(most)s deep", most=MAX_DEPTH))
        self._attributes.update(attributes)
        self.start(self._names[name], attributes)

    def _ended(self, name: str) -> None:
        self._depth -= 1
        self.end(self._names[name])

    def _refuse(self, *_: object) -> None:
        raise ValueError(said("declares a document type (DOCTYPE), as no spreadsheet program does"))


class _Names(dict[str, str]):
    """Names of elements, without their prefix."""

    def __missing__(self, name: str) -> str:
        local = self[name] = name.rpartition(":")[2]
        return local
