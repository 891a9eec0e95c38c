"""The results as CSV and Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from podium.app import App
from podium.datasets import writing as exporting
from podium.datasets.findings import Findings
from podium.datasets.place import Format, Place
from podium.datasets.wishes import Wishes
from podium.datasets.work import Work
from podium.datasets.writing import Export
from tests.support.scoring import results_of, run_csv, write_python_app

X = '[[features]]\nname = "x"\n'
HALF = "def answer(x):\n    return x / 2"
CLASSES = '[task]\nkind = "classification"\ntarget = "kind"\nlabels = ["=1+1", "b"]'
TELLS = "def answer(x):\n    return np.stack([x[:, 0] < 0, x[:, 0] >= 0], axis=1) * 0.5 + 0.25"


class Scored:
    """A data set that is scored, of which results can be written again."""

    def __init__(self, app: App, place: Path, text: str, models: Sequence[str] = ()) -> None:
        self.app, self.place = app, place
        self.findings: Findings = run_csv(app, place, text, models=tuple(models))
        self.models = tuple(models) or app.names[:1]

    def export(self, work: Work) -> Export:
        """Return what writes its results."""
        return Export(work, self.findings.staged, self.app.signature, self.models)

    def write(self, name: str, kind: Format = "csv", **more: Any) -> bytes:
        """Write the results to a file in its folder, and return its bytes."""
        with Work(Place(self.place).work) as work:
            self.export(work).write(self.place / name, kind, **more)
        return (self.place / name).read_bytes()

    def parquet(self) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        """Return names and types of the columns of the Parquet results, and their rows."""
        self.write("results.parquet", "parquet")
        with duckdb.connect() as con:
            found = con.execute(f"SELECT * FROM '{self.place / 'results.parquet'}'")  # noqa: S608
            kinds = [(name, str(kind)) for name, kind, *_ in found.description or ()]
            return kinds, found.fetchall()


@pytest.fixture
def half(tmp_path: Path) -> App:
    """Return a regression: the half of x."""
    return App(write_python_app(tmp_path / "app", HALF, X))


def test_the_rows_are_written_as_they_came_with_the_answers_beside_them(
    half: App, tmp_path: Path
) -> None:
    """Columns keep their order and cells their text; what cannot be scored has its reason."""
    text = 'note,x\n"a, ""b""",1.50\n,-3\n"two\nlines",?\n007,1e2\n'
    Scored(half, tmp_path / "w", text)
    assert (tmp_path / "w/results.csv").read_text() == (
        "note,x,podium_value,podium_std,podium_aleatoric,podium_epistemic,podium_lower,"
        "podium_upper,podium_warning,podium_error\n"
        '"a, ""b""",1.50,0.75,,,,,,,\n'
        ",-3,-1.5,,,,,,,\n"
        "\"two\nlines\",?,,,,,,,,x: expected a number; found '?'.\n"
        "007,1e2,50.0,,,,,,,\n"
    )


def test_texts_that_would_start_a_formula_are_neutralised(tmp_path: Path) -> None:
    """Cells, names of columns, labels and reasons: none starts a formula; numbers stay."""
    app = App(write_python_app(tmp_path / "app", TELLS, X, CLASSES))
    text = "x,=cmd,kind\n-2.5,@sum,=1+1\n+4,-3,b\n=2,-x,b\n"
    Scored(app, tmp_path / "w", text)
    first, second, third = results_of(tmp_path / "w")
    assert list(first)[:3] == ["x", "'=cmd", "kind"]
    assert (first["x"], first["'=cmd"], first["kind"]) == ("-2.5", "'@sum", "'=1+1")
    assert first["podium_label"] == "'=1+1"
    assert (second["x"], second["'=cmd"], second["podium_label"]) == ("+4", "-3", "b")
    assert (third["x"], third["'=cmd"]) == ("'=2", "'-x")
    assert third["podium_error"] == "x: expected a number; found '=2'."


def test_a_reason_that_begins_with_a_formula_is_neutralised(tmp_path: Path) -> None:
    """A reason leads with the name of a feature, which may be anything."""
    features = '[[features]]\nname = "@x"\nrange = [0, 1]\n'
    app = App(write_python_app(tmp_path / "app", HALF, features))
    Scored(app, tmp_path / "w", "@x\nfive\n2\n")
    first, second = results_of(tmp_path / "w")
    assert first["podium_error"] == "'@x: expected a number; found 'five'."
    assert second["podium_warning"].startswith("'@x: 2 is outside")
    assert second["'@x"] == "2"


@pytest.mark.parametrize(
    ("text", "wide"),
    [("x,note\n1,plain\n", False), ("x,note\n1,caf\u00e9\n", True), ("x,n\u00f6te\n1,a\n", True)],
)
def test_a_byte_order_mark_leads_where_a_character_is_beyond_ascii(
    half: App, tmp_path: Path, text: str, wide: bool
) -> None:
    """Excel then reads UTF-8; a file of plain characters needs none."""
    Scored(half, tmp_path / "w", text)
    found = (tmp_path / "w/results.csv").read_bytes()
    assert found.startswith(b"\xef\xbb\xbf") == wide
    assert found.decode("utf-8-sig").startswith(text.splitlines()[0])


def test_parquet_has_numbers_where_every_cell_is_one(tmp_path: Path) -> None:
    """A feature's column of numbers, with gaps, is one of numbers; others stay as they came."""
    features = X + '[[features]]\nname = "n"\nkind = "integer"\noptional = true\n'
    features += '[[features]]\nname = "m"\noptional = true\n'
    code = "def answer(x):\n    return np.nan_to_num(x).sum(axis=1)"
    app = App(write_python_app(tmp_path / "app", code, features))
    done = Scored(app, tmp_path / "w", "x,n,m,id,y\n1.5,2,1,007,=3\n-2,NA,?,008,4\n")
    kinds, rows = done.parquet()
    assert kinds[:5] == [("x", "DOUBLE"), ("n", "DOUBLE"), ("m", "VARCHAR"), ("id", "VARCHAR"),
                         ("y", "VARCHAR")]  # fmt: skip
    assert [row[:6] for row in rows] == [
        (1.5, 2.0, "1", "007", "=3", 4.5), (-2.0, None, "?", "008", "4", None)
    ]  # fmt: skip


def test_parquet_reads_a_decimal_comma(half: App, tmp_path: Path) -> None:
    """A number that is written 3,5 is 3.5."""
    kinds, rows = Scored(half, tmp_path / "w", "x;y\n3,5;1,25\n-1,0;\n").parquet()
    assert kinds[:2] == [("x", "DOUBLE"), ("y", "DOUBLE")]
    assert [row[:3] for row in rows] == [(3.5, 1.25, 1.75), (-1.0, None, -0.5)]


def test_parquet_tells_columns_apart(half: App, tmp_path: Path) -> None:
    """Names that differ in case alone, and columns without a name, get names of their own."""
    kinds, rows = Scored(half, tmp_path / "w", "x,Note,note,\n1,a,b,c\n").parquet()
    assert [name for name, _ in kinds[:4]] == ["x", "Note", "note_2", "column_4"]
    assert rows[0][:4] == (1.0, "a", "b", "c")


def test_no_column_is_called_as_duckdb_numbers_rows(half: App, tmp_path: Path) -> None:
    """Rows are told by their place in the file, for which DuckDB has a name."""
    done = Scored(half, tmp_path / "w", "x,File_Row_Number,file_row_number\n1,a,b\n")
    kinds, _ = done.parquet()
    assert [name for name, _ in kinds[:3]] == ["x", "File_Row_Number_2", "file_row_number_3"]


def test_columns_of_the_data_set_keep_their_names_in_a_clash(half: App, tmp_path: Path) -> None:
    """Results that are scored again get another prefix, in any case of letters, and a note."""
    done = Scored(half, tmp_path / "w", "x,PODIUM_Value,podium2_error\n1,7,none\n")
    (row,) = results_of(tmp_path / "w")
    assert (row["PODIUM_Value"], row["podium2_error"], row["podium3_value"]) == ("7", "none", "0.5")
    assert [note for note in done.findings.notes if "podium3_" in note] == [
        "The data set has columns of its own that are called as the results would be: what the "
        "models say stands in columns that begin with podium3_ instead."
    ]


def test_another_column_of_podium_is_no_clash(half: App, tmp_path: Path) -> None:
    """A column that no result is called is left alone, and so is the prefix."""
    done = Scored(half, tmp_path / "w", "x,podium_of_winners\n1,7\n")
    (row,) = results_of(tmp_path / "w")
    assert row["podium_value"] == "0.5"
    assert not any("podium2" in note for note in done.findings.notes)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_bytes_are_the_same_with_more_threads(
    half: App, tmp_path: Path, kind: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many threads write, and however often, the file is the same."""
    rows = "\n".join(f"{n},row {n}" for n in range(5000))
    done = Scored(half, tmp_path / "w", f"x,note\n{rows}\n")
    plain = done.write("one", kind)
    monkeypatch.setattr(exporting, "_PART", 300)
    monkeypatch.setattr(exporting, "available_cpus", lambda: 4)
    monkeypatch.setattr("podium.datasets.work.available_cpus", lambda: 4)
    assert done.write("many", kind) == plain
    assert done.write("again", kind) == plain
    assert plain.count(b"\n") == 5001 or kind == "parquet"


def test_a_file_that_is_there_stays_until_the_new_one_is_whole(
    half: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends the writing leaves the old file, and nothing else behind."""
    monkeypatch.setattr(exporting, "_PART", 100)
    done = Scored(half, tmp_path / "w", "x\n" + "\n".join(map(str, range(1000))))
    before = {file: file.stat().st_size for file in (tmp_path / "w").iterdir()}
    heard: list[tuple[int, int]] = []

    def end(written: int, rows: int) -> None:
        heard.append((written, rows))
        if written == 300:
            raise KeyboardInterrupt

    old = (tmp_path / "w/results.csv").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        done.write("results.csv", told=end)
    assert heard == [(100, 1000), (200, 1000), (300, 1000)]
    assert (tmp_path / "w/results.csv").read_bytes() == old
    assert set((tmp_path / "w").iterdir()) == set(before)


def test_models_whose_names_are_odd_are_columns_too(tmp_path: Path) -> None:
    """A suffix is the model's name as it is."""
    folder = write_python_app(tmp_path / "app", HALF, X)
    toml = folder / "podium.toml"
    toml.write_text(toml.read_text() + '[[models]]\nname = "b-2"\npython = "models:answer"\n')
    done = Scored(App(folder), tmp_path / "w", "x\n4\n", ("own", "b-2"))
    (row,) = results_of(tmp_path / "w")
    assert (row["podium_value_own"], row["podium_value_b-2"]) == ("2.0", "2.0")
    assert [one.model for one in done.findings.models] == ["own", "b-2"]
    assert done.findings.wishes == Wishes(models=("own", "b-2"))
