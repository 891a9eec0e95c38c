"""A Parquet file becomes the `input` table."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from podium.datasets.reading import parquet as reading
from podium.datasets.reading.intake import Intake
from podium.datasets.reading.parquet import stage_parquet
from podium.datasets.wishes import Column, Staged
from podium.datasets.work import Work
from podium.errors import DataError, Mistake
from podium.messages import message_of
from podium.signature import Signature
from podium.spec import Feature, Limits
from podium.strict import Size

SIGNATURE = Signature(
    "classification", "kind", None, ("x", "y"), (Feature(name="a"), Feature(name="b"))
)
TOO_SOON = "ends too soon: it was not written or sent whole. Write or send it again"


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Work]:
    """A data set's work."""
    with Work(tmp_path / "work.duckdb") as work:
        yield work


def written(folder: Path, query: str, options: str = "") -> Path:
    """Write what a query finds, and return where."""
    file = folder / "data.parquet"
    duckdb.connect().execute(f"COPY ({query}) TO '{file}' (FORMAT parquet{options})")
    return file


def refused(work: Work, file: Path) -> list[Mistake]:
    """Return why a file is refused."""
    with pytest.raises(DataError) as caught:
        stage_parquet(file, Intake(work, SIGNATURE))
    return list(caught.value.mistakes)


def types_of(work: Work) -> dict[str, str]:
    """Return the types of the columns of `input`."""
    return dict(
        work.con.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'input'"
        ).fetchall()
    )


def test_plain_types_are_kept(tmp_path: Path, work: Work) -> None:
    """Numbers, truth values, texts, decimals and dates stay what they are, NULL too."""
    query = (
        "SELECT 1.5::FLOAT AS B, 2::TINYINT AS a, true AS t, 'é' AS s, 2.50::DECIMAL(9, 2) AS d, "
        "DATE '2026-11-23' AS day, TIMESTAMP '2026-11-23 01:02:03' AS at, "
        "18446744073709551615::UBIGINT AS u, NULL::DOUBLE AS n"
    )
    names = ("B", "a", "t", "s", "d", "day", "at", "u", "n")
    uses = {"B": "b", "a": "a"}
    assert stage_parquet(written(tmp_path, query), Intake(work, SIGNATURE, "t")) == Staged(
        kind="parquet",
        columns=tuple(Column(name, uses.get(name), name == "t") for name in names),
        rows=1,
        notes=(message_of("Columns are taken that are written otherwise: 'B' for 'b'."),),
    )
    assert list(types_of(work).values()) == [
        "FLOAT", "TINYINT", "BOOLEAN", "VARCHAR", "DECIMAL(9,2)", "DATE", "TIMESTAMP", "UBIGINT",
        "DOUBLE", "VARCHAR",
    ]  # fmt: skip


def test_other_types_become_text(tmp_path: Path, work: Work) -> None:
    """What no cell of a CSV file can hold as it is becomes text."""
    query = (
        "SELECT 1 AS a, 2 AS b, [1, 2] AS l, {'k': {'m': 'v'}, 'n': 3} AS s, MAP([1], ['x']) AS m, "
        "'\\xAA'::BLOB AS bytes, TIMESTAMPTZ '2026-11-23 01:02:03+00' AS at, 'q'::ENUM('p', 'q') "
        "AS e, '8d0f0b8e-9d3c-4a0e-8c1a-2f6d3c7b1a00'::UUID AS u, INTERVAL '1 day' AS i"
    )
    found = stage_parquet(written(tmp_path, query), Intake(work, SIGNATURE))
    assert [one.name for one in found.columns] == [
        "a", "b", "l", "s", "m", "bytes", "at", "e", "u", "i",
    ]  # fmt: skip
    (row,) = work.con.execute("SELECT * FROM input").fetchall()
    assert row == (
        1, 2, "[1, 2]", "{'k': {'m': v}, 'n': 3}", "{1=x}", "\\xAA", "2026-11-23 01:02:03+00", "q",
        "8d0f0b8e-9d3c-4a0e-8c1a-2f6d3c7b1a00", "1 day", None,
    )  # fmt: skip


def test_the_order_of_many_row_groups(tmp_path: Path, work: Work) -> None:
    """Rows stand in the order of the file."""
    file = written(tmp_path, "SELECT i AS a, i AS b FROM range(100_000) AS t(i)",
                   ", ROW_GROUP_SIZE 2048")  # fmt: skip
    assert stage_parquet(file, Intake(work, SIGNATURE)).rows == 100_000
    assert work.con.execute("SELECT count(*) FROM input WHERE c0 <> rowid").fetchone() == (0,)


def test_names_that_differ_in_case_alone(tmp_path: Path, work: Work) -> None:
    """Columns have the names that stand in the file."""
    file = written(tmp_path, "SELECT 1 AS A, 2 AS b, 3 AS c")
    content = file.read_bytes()
    assert content.count(b"\x01c") > 0
    file.write_bytes(content.replace(b"\x01c", b"\x01a"))
    found = stage_parquet(file, Intake(work, SIGNATURE))
    assert found.columns == (Column("A"), Column("b", "b"), Column("a", "a"))
    assert work.con.execute("SELECT * FROM input").fetchall() == [(1, 2, 3, None)]


def test_the_path_is_no_pattern(tmp_path: Path, work: Work) -> None:
    """A file's folders may have names that mean something to DuckDB."""
    folder = tmp_path / "k=3" / "[a]*"
    folder.mkdir(parents=True)
    file = written(folder, "SELECT 1 AS a, 2 AS b")
    assert len(stage_parquet(file, Intake(work, SIGNATURE)).columns) == 2


def test_missing_columns(tmp_path: Path, work: Work) -> None:
    """Columns that miss are told as they are of a CSV file."""
    assert refused(work, written(tmp_path, "SELECT 1 AS aa, 2 AS b")) == [
        ("a", "there is no such column. Did you mean 'aa'? Then rename it to a. Columns: aa, b.")
    ]


def test_no_rows(tmp_path: Path, work: Work) -> None:
    """A file without rows is refused."""
    file = written(tmp_path, "SELECT 1 AS a, 2 AS b LIMIT 0")
    assert refused(work, file) == [("Parquet", "has columns and no rows")]


@pytest.mark.parametrize("kept", [0, 4, 8, 300, -1, -30])
def test_a_file_cut_short(kept: int, tmp_path: Path, work: Work) -> None:
    """A file without its end is refused in words that name no path."""
    file = written(tmp_path, "SELECT i AS a, i AS b FROM range(1000) AS t(i)")
    file.write_bytes(file.read_bytes()[:kept])
    assert refused(work, file) == [("Parquet", TOO_SOON)]


def test_an_encrypted_file(tmp_path: Path, work: Work) -> None:
    """A file whose footer is encrypted is told as such."""
    file = written(tmp_path, "SELECT 1 AS a, 2 AS b")
    file.write_bytes(file.read_bytes()[:-4] + b"PARE")
    assert refused(work, file) == [("Parquet", "is encrypted. Write it without encryption")]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT 1 AS a, repeat('x', 1000) AS b FROM range(2000)",
         "unpacks to 2 MB: 2,000 rows of 2 columns"),
        ("SELECT 1 AS a, [repeat('x', 1000)] AS b FROM range(2000)",
         "unpacks to 2 MB: 2,000 rows of 2 columns"),
        ("SELECT 1 AS a, 2 AS b FROM range(100_000)", "unpacks to 2 MB: 100,000 rows of 2 columns"),
    ],
)  # fmt: skip
def test_what_unpacks_to_too_much(query: str, told: str, tmp_path: Path, work: Work) -> None:
    """What many cells share takes no room in the file; nothing of it is written before."""
    file = written(tmp_path, query, ", COMPRESSION zstd")
    assert file.stat().st_size < 20_000
    with pytest.raises(DataError) as caught:
        stage_parquet(file, Intake(work, SIGNATURE, limits=Limits(dataset=Size(1_000_000))))
    ((key, message),) = caught.value.mistakes
    assert key == "Parquet"
    assert message == (
        f"{told}; the limit is 1 MB ([limits] dataset). Send fewer rows at once, or leave out "
        "columns that nobody needs"
    )
    assert types_of(work) == {}
    larger = Intake(work, SIGNATURE, limits=Limits(dataset=Size(3_000_000)))
    assert stage_parquet(file, larger).rows >= 2000


@pytest.mark.parametrize("length", [0, 1, 2**31 - 1, 2**32 - 1])
def test_a_footer_that_lies(length: int, tmp_path: Path, work: Work) -> None:
    """A footer that tells another length of itself is refused."""
    file = written(tmp_path, "SELECT i AS a, i AS b FROM range(1000) AS t(i)")
    content = file.read_bytes()
    file.write_bytes(content[:-8] + length.to_bytes(4, "little") + content[-4:])
    ((key, message),) = refused(work, file)
    assert key == "Parquet"
    assert message.startswith("is damaged, or written in a way that is not known here (")
    assert str(tmp_path) not in message


def test_damaged_files(tmp_path: Path) -> None:
    """Whatever bytes are changed, a file is read or refused, and the next one is read."""
    file = written(tmp_path, "SELECT i AS a, i AS b, [i] AS l, 'x' AS s FROM range(100) AS t(i)")
    content = file.read_bytes()
    draw = random.Random(4)  # noqa: S311  no secret
    refusals = 0
    for number in range(20):
        damaged = bytearray(content)
        for _ in range(3):
            damaged[draw.randrange(4, len(content) - 8)] = draw.randrange(256)
        file.write_bytes(damaged)
        with Work(tmp_path / f"{number}.duckdb") as work:
            try:
                assert stage_parquet(file, Intake(work, SIGNATURE)).rows > 0
            except DataError:
                refusals += 1
    assert 0 < refusals < 20


def test_row_groups_that_need_too_much_memory(tmp_path: Path, work: Work) -> None:
    """What does not fit into DuckDB's memory is refused with the way out."""
    query = "SELECT 1 AS a, 2 AS b, repeat('x', 1_000_000) AS s FROM range(300)"
    assert refused(work, written(tmp_path, query, ", COMPRESSION zstd")) == [
        ("rows", "take more than 200MB at once; leave out columns that nobody needs, or write "
                 "smaller row groups")
    ]  # fmt: skip


def test_a_full_disk_is_not_the_files_fault(
    tmp_path: Path, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the rows cannot be written, it is told as it is."""

    def create_input(*_: object) -> int:
        raise duckdb.IOException("IO Error: Could not write: No space left on device")

    monkeypatch.setattr(reading, "create_input", create_input)
    with pytest.raises(duckdb.IOException, match="No space left"):
        stage_parquet(written(tmp_path, "SELECT 1 AS a, 2 AS b"), Intake(work, SIGNATURE))
