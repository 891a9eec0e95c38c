"""Who is told what a deployment does, and keeps it."""

from __future__ import annotations

import json
from typing import Any

from podium.deploy.tell import AsJson


class Teller(AsJson):
    """Keeps all events."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        super().__init__(lambda line: self.events.append(json.loads(line)))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind."""
        return [one for one in self.events if one["event"] == kind]

    @property
    def steps(self) -> list[str]:
        """The steps that were begun."""
        return [one["what"] for one in self.of("step")]
