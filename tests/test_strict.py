"""Reading a table: every mistake at once, each with its key, what is expected and found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import pytest
from msgspec import Meta

from podium.errors import Mistake
from podium.strict import Period, Size, Table, read, shown


class Inner(Table, frozen=True, kw_only=True):
    """A table within another."""

    name: Annotated[str, Meta(min_length=1)]
    weight: Annotated[float, Meta(ge=0, le=1)] = 0.5

    def check(self) -> Iterator[Mistake]:
        """No name is forbidden."""
        if self.name == "forbidden":
            yield Mistake("name", "is forbidden")


class Outer(Table, frozen=True, kw_only=True):
    """A table with everything that podium.toml has."""

    title: str
    kind: Literal["round", "square"] = "round"
    count: Annotated[int, Meta(ge=1)] = 1
    passes: Annotated[Annotated[int, Meta(ge=2, le=10)] | None, Meta(description="Passes.")] = None
    slug: Annotated[
        Annotated[str, Meta(pattern="^[a-z]+$")] | None, Meta(description="Small letters.")
    ] = None
    range: tuple[float, float] | None = None
    names: tuple[str, ...] = ()
    value: str | int | float | bool | None = None
    on: bool = False
    limit: Size = Size(10)
    keep: Period = Period(10)
    settings: dict[str, int] = {}  # noqa: RUF012  msgspec copies it
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()


GOOD = {
    "title": "A",
    "kind": "square",
    "count": 3,
    "passes": 2,
    "slug": "abc",
    "range": [1, 2.5],
    "names": ["x", "y"],
    "value": True,
    "on": True,
    "limit": "2 MB",
    "keep": "2 min",
    "settings": {"a": 1},
    "inner": {"name": "n"},
    "inners": [{"name": "one", "weight": 1}, {"name": "two"}],
}


def test_good_table_is_read() -> None:
    """Every kind of value becomes what its key's type says."""
    found, mistakes = read(Outer, GOOD)
    assert mistakes == []
    assert found == Outer(
        title="A", kind="square", count=3, passes=2, slug="abc", range=(1.0, 2.5),
        names=("x", "y"), value=True, on=True, limit=Size(2_000_000), keep=Period(120),
        settings={"a": 1}, inner=Inner(name="n"),
        inners=(Inner(name="one", weight=1.0), Inner(name="two")),
    )  # fmt: skip
    assert (type(found.limit), type(found.keep)) == (Size, Period)


def test_defaults_are_taken_for_what_is_left_out() -> None:
    """Keys that are left out have their defaults."""
    assert read(Outer, {"title": "A"}) == (Outer(title="A"), [])


@pytest.mark.parametrize(
    ("key", "value", "place", "message"),
    [
        ("title", 5, "title", "expected text; found 5"),
        ("kind", "sqare", "kind",
         "expected one of 'round', 'square'; found 'sqare'. Did you mean 'square'?"),
        ("kind", "blob", "kind", "expected one of 'round', 'square'; found 'blob'"),
        ("kind", 3, "kind", "expected one of 'round', 'square'; found 3"),
        ("count", 0, "count", "expected a whole number (at least 1); found 0"),
        ("count", "3", "count", "expected a whole number (at least 1); found '3'"),
        ("count", 1.5, "count", "expected a whole number (at least 1); found 1.5"),
        ("count", True, "count", "expected a whole number (at least 1); found True"),
        ("passes", 1, "passes", "expected a whole number (at least 2, at most 10); found 1"),
        ("slug", "A1", "slug", "expected text; found 'A1'. Small letters."),
        ("range", [1], "range", "expected a list of 2, each a number; found [1]"),
        ("range", [1, "x"], "range[1]", "expected a list of 2, each a number; found [1, 'x']"),
        ("names", ["x", 1], "names[1]", "expected a list of text; found ['x', 1]"),
        ("names", "x", "names", "expected a list of text; found 'x'"),
        ("value", [1], "value",
         "expected text or a whole number or a number or true or false; found [1]"),
        ("on", "yes", "on", "expected true or false; found 'yes'"),
        ("limit", "20 XB", "limit",
         "expected a size such as \"20 MB\" or \"512 KiB\"; found '20 XB'"),
        ("keep", "soon", "keep",
         "expected a time such as \"60 s\", \"5 min\" or \"30 days\"; found 'soon'"),
        ("settings", 1, "settings", "expected a table; found 1"),
        ("inner", 1, "inner", "expected a table, found 1"),
        ("inners", {"name": "n"}, "inners", "expected [[inners]] tables, found {'name': 'n'}"),
        ("inners", [1], "inners[0]", "expected a table, found 1"),
        ("titel", "B", "titel", "is not a known key. Did you mean 'title'?"),
    ],
)  # fmt: skip
def test_each_mistake_says_key_expected_and_found(
    key: str, value: object, place: str, message: str
) -> None:
    """A wrong value is told with its place, what is expected there and what was found."""
    _, mistakes = read(Outer, {"title": "A", key: value})
    assert mistakes == [Mistake(place, message)]


def test_unknown_key_without_a_near_one_lists_the_known() -> None:
    """A key that is like no other is answered with all that there are."""
    assert read(Inner, {"name": "n", "zzz": 1})[1] == [
        Mistake("zzz", "is not a known key. Known: name, weight.")
    ]


def test_missing_key_says_what_is_expected() -> None:
    """A required key that is left out is named with what it takes."""
    found, mistakes = read(Outer, {"inner": {}})
    assert mistakes == [
        Mistake("title", "is missing; expected text"),
        Mistake("inner.name", "is missing; expected text (not empty)"),
    ]
    assert found is not None
    assert found.title is None


def test_every_mistake_is_reported_at_once() -> None:
    """Mistakes of types, unknown keys and rules, at every depth, come together."""
    table = {
        "titel": "A",
        "count": "x",
        "inner": {"name": "forbidden", "weigth": 1},
        "inners": [{"name": "ok"}, {"name": "", "weight": 2}, {"name": "forbidden"}],
    }
    assert read(Outer, table)[1] == [
        Mistake("titel", "is not a known key. Did you mean 'title'?"),
        Mistake("title", "is missing; expected text"),
        Mistake("count", "expected a whole number (at least 1); found 'x'"),
        Mistake("inner.weigth", "is not a known key. Did you mean 'weight'?"),
        Mistake("inner.name", "is forbidden"),
        Mistake("inners[1].name", "expected text (not empty); found ''"),
        Mistake("inners[1].weight", "expected a number (at least 0, at most 1); found 2"),
        Mistake("inners[2].name", "is forbidden"),
    ]


def test_what_is_no_table_has_no_struct() -> None:
    """A value where a table should be is told under the table's own key."""
    assert read(Inner, [1], "inner") == (None, [Mistake("inner", "expected a table, found [1]")])


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20 MB", 20_000_000),
        ("20MB", 20_000_000),
        ("1.5 kB", 1500),
        ("512 KiB", 524_288),
        ("2 MiB", 2_097_152),
        ("1 GiB", 1_073_741_824),
        ("3 GB", 3_000_000_000),
        ("7 B", 7),
        ("7", 7),
        (7, 7),
        (" 7 b ", 7),
    ],
)
def test_sizes(text: object, size: int) -> None:
    """A size is a number of bytes with a decimal or binary unit; a bare number counts bytes."""
    assert Size.parse(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1 MB", "1 TB", "1 MB 2", "1e3", True, None, [1]])
def test_what_is_no_size(text: object) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ValueError, match='a size such as "20 MB"'):
        Size.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60 s", 60),
        ("250 ms", 0.25),
        ("5 min", 300),
        ("2 h", 7200),
        ("1 day", 86400),
        ("30 days", 2_592_000),
        (2, 2),
        (1.5, 1.5),
        ("90", 90),
    ],
)
def test_periods(text: object, seconds: float) -> None:
    """A period is a number with a unit of time; a bare number counts seconds."""
    assert Period.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1 s", "1 S", "1 month", False, None])
def test_what_is_no_period(text: object) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ValueError, match='a time such as "60 s"'):
        Period.parse(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(20_000_000, "20 MB"), (1_500, "1.5 kB"), (999, "999 B"), (2_000_000_000, "2 GB"), (0, "0 B")],
)
def test_sizes_are_shown_with_their_unit(size: int, text: str) -> None:
    """A size reads as it is written."""
    assert str(Size(size)) == text


def test_periods_are_shown_in_seconds() -> None:
    """A period reads as seconds."""
    assert [str(Period(60)), str(Period(0.25))] == ["60 s", "0.25 s"]


def test_long_values_are_cut() -> None:
    """A value in a message takes at most 80 characters."""
    assert shown("a" * 78) == f"'{'a' * 78}'"
    assert shown("a" * 79) == f"'{'a' * 76}..."
    assert len(shown("a" * 500)) == 80
