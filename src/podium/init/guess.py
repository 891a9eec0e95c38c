"""A guessed application, and what is found on the way to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from podium.errors import FieldError
from podium.runtimes import Task
from podium.signature import Signature
from podium.spec import Example, Feature, Image, TextInput


@dataclass(frozen=True)
class Guess:
    """A guessed application.

    `why` tells of each key of podium.toml that is a guess what it was made from, `sources` of each
    that was read which file says it, and `notes` what the maker should read. `text_column` is the
    column of the data that holds the texts.
    """

    title: str = ""
    kind: Task = "regression"
    labels: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    image: Image | None = None
    text: TextInput | None = None
    target: str | None = None
    unit: str | None = None
    examples: tuple[Example, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    text_column: str | None = None

    @property
    def signature(self) -> Signature:
        """The signature of the application."""
        return Signature(self.kind, self.target or "", self.unit, self.labels, self.features,
                         self.image, self.text)  # fmt: skip


@dataclass
class Findings:
    """Mistakes of the maker by their option, why a key is a guess, what says it, and notes."""

    wrong: list[FieldError] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def mistake(self, option: str, message: str) -> None:
        """Add what is wrong with an option."""
        self.wrong.append(FieldError(option, message))
