"""The file in which a data set is worked on holds whole chunks, none twice."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from podium.datasets.sql import is_missing
from podium.datasets.wishes import Column, Staged
from podium.datasets.work import Tally, Work
from podium.messages import said


def texts(*cells: str | None) -> np.ndarray:
    """Return a column of texts."""
    return np.array(cells, object)


def test_a_chunk_and_how_far_it_reaches_are_added_together(tmp_path: Path) -> None:
    """What is added is there when the file is opened again, with how the models fared."""
    with Work(tmp_path / "w.duckdb") as work:
        assert (work.scored, work.tallies(2)) == (0, [Tally(), Tally()])
        work.add({"rows": {"truth": np.array([1.0, np.nan])}}, [Tally(2, 0), Tally(1, 1)], 2)
        work.add({"rows": {"truth": np.array([3.0])}}, [Tally(3, 0), Tally(1, 2)], 3)
    with Work(tmp_path / "w.duckdb") as work:
        assert (work.scored, work.tallies(2)) == (3, [Tally(3, 0), Tally(1, 2)])
        # What nobody knows is NaN in an array and NULL in the table.
        assert work.con.execute("SELECT truth FROM rows").fetchall() == [(1.0,), (None,), (3.0,)]


def test_a_chunk_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """Of two tables, of which the second cannot be written, neither has the chunk."""
    with Work(tmp_path / "w.duckdb") as work:
        work.add({"a": {"x": np.array([1])}, "b": {"x": np.array([1])}}, [], 1)
        with pytest.raises(duckdb.Error, match='"y"'):
            work.add({"a": {"x": np.array([2])}, "b": {"y": np.array([2]), "z": np.array([2])}},
                     [], 2)  # fmt: skip
        assert work.scored == 1
        assert work.query("SELECT x FROM a")["x"].tolist() == [1]
        work.add({"a": {"x": np.array([3])}, "b": {"x": np.array([3])}}, [], 2)
        assert work.query("SELECT a.x, rowid FROM a")["rowid"].tolist() == [0, 1]


def test_texts_of_which_nothing_is_known_are_null(tmp_path: Path) -> None:
    """A first chunk without any text makes a column that takes texts later."""
    with Work(tmp_path / "w.duckdb") as work:
        work.add({"a": {"t": texts(None, None)}}, [], 2)
        work.add({"a": {"t": texts(None, "said")}}, [], 4)
        found = work.con.execute("SELECT t FROM a").fetchall()
    assert found == [(None,), (None,), (None,), ("said",)]


def test_rows_are_read_by_number(tmp_path: Path) -> None:
    """A part of the input is read as SQL says; what is NULL is masked; problems are sparse."""
    with Work(tmp_path / "w.duckdb") as work:
        work.con.execute(
            "CREATE TABLE input AS SELECT * FROM (VALUES ('1', NULL), ('x', NULL), (NULL, 'torn'), "
            "('4', NULL)) AS t(c0, problem)"
        )
        found = work.read(1, 4, {"n": "TRY_CAST(c0 AS DOUBLE)"})["n"]
        assert found.tolist() == [None, None, 4.0]
        assert work.problems(1, 4) == {1: "torn"}
        assert work.problems(3, 4) == {}


def test_what_was_taken_in_is_known_once_it_is_whole(tmp_path: Path) -> None:
    """Until then there is nothing; afterwards all that was found is there again."""
    columns, note = (Column("a", "x"), Column("b")), said("%(rows)s odd rows", rows=3)
    staged = Staged(kind="csv", columns=columns, rows=7, notes=(note,))
    with Work(tmp_path / "w.duckdb") as work:
        assert work.staged is None
        work.stage(staged)
    with Work(tmp_path / "w.duckdb") as work:
        assert work.staged == staged
        assert work.staged.notes[0].template == "%(rows)s odd rows"


def test_rows_come_in_their_order(tmp_path: Path) -> None:
    """Also where DuckDB makes a join of an expression, which does not keep it."""
    words = ", ".join(f"'{number}'" for number in range(11))
    with Work(tmp_path / "w.duckdb") as work:
        work.con.execute("CREATE TABLE input AS SELECT range::VARCHAR AS c0 FROM range(200_000)")
        for start in (8_192, 106_496):
            found = work.read(start, 188_416, {"known": f"c0 IN ({words})", "row": "rowid"})
            assert found["row"].tolist() == list(range(start, 188_416))


def test_rows_that_come_in_another_order_are_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were DuckDB not to keep the order of the rows, each would still get its own answer."""

    class Backwards:
        def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
            self.con = con

        def execute(self, query: str) -> duckdb.DuckDBPyConnection:
            return self.con.execute(f"{query} ORDER BY rowid DESC")

    with Work(tmp_path / "work") as work:
        work.con.execute("CREATE TABLE input AS SELECT range AS c0 FROM range(5)")
        monkeypatch.setattr(work, "_reading", Backwards(work.cursor()))
        assert work.read(1, 4, {"x": "nullif(c0, 2)"})["x"].tolist() == [1, None, 3]


def test_a_word_for_missing_makes_no_join(tmp_path: Path) -> None:
    """Results are written in the order in which they are read."""
    with Work(tmp_path / "w.duckdb") as work:
        work.con.execute("CREATE TABLE input AS SELECT 'NA' AS c0 FROM range(10)")
        plan = work.con.execute(f"EXPLAIN SELECT {is_missing('c0')} FROM input").fetchall()  # noqa: S608
        told = work.con.execute(f"SELECT DISTINCT {is_missing('c0')} FROM input").fetchall()  # noqa: S608
    assert ("JOIN" in str(plan), told) == (False, [(True,)])
