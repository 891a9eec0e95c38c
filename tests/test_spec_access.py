"""[access] in podium.toml: what is read, and what is said of mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from podium.spec.access import Access, Rate
from podium.strict import read

NEITHER = "expected text; found {found}. "
RATE = 'How many requests that send something one client may make, such as "10/s" or "600/min".'


def test_everybody_may_ask_when_nothing_is_said() -> None:
    """Without the table no way in is asked for, no site is listed, nothing is counted."""
    assert read(Access, {}) == (Access(), [])
    assert (Access().require, Access().cors, Access().most) == ((), (), None)
    assert (Access().takes_keys, Access().knows_clients) == (False, False)


@pytest.mark.parametrize(
    ("text", "most"),
    [("10/s", Rate(10, 1.0)), ("600/min", Rate(600, 60.0)), ("1/min", Rate(1, 60.0))],
)
def test_a_rate_is_a_number_in_a_period(text: str, most: Rate) -> None:
    """Seconds and minutes are known, as nginx knows them."""
    access, mistakes = read(Access, {"rate": text})
    assert mistakes == []
    assert access is not None
    assert access.most == most


@pytest.mark.parametrize(
    ("table", "key", "told"),
    [
        ({"require": ["keys"]}, "require[0]", "expected"),
        ({"require": ["key", "key"]}, "require", "'key' stands there twice"),
        ({"rate": "10"}, "rate", '"10/s" or "600/min"'),
        ({"rate": "0/s"}, "rate", '"10/s" or "600/min"'),
        ({"rate": "10/h"}, "rate", '"10/s" or "600/min"'),
        ({"cors": ["https://example.org/"]}, "cors[0]", '"https://example.org"'),
        ({"cors": ["example.org"]}, "cors[0]", '"https://example.org"'),
        ({"cors": ["*", "https://example.org"]}, "cors", '"*" stands for all; expected it alone'),
        ({"rate_store": "localhost:6379", "rate": "1/s"}, "rate_store", "redis://"),
        ({"rate_store": "redis://localhost"}, "rate_store", "needs rate"),
        ({"header": "X-User: "}, "header", "names the user"),
        ({"session": 0}, "session", 'expected more than "0 s"'),
    ],
)
def test_a_mistake_is_told_with_the_way_out(table: dict[str, Any], key: str, told: str) -> None:
    """Each mistake names its key, and what would be right."""
    _, (mistake,) = read(Access, table)
    assert mistake.key == key
    assert told in mistake.message
