"""A whole data set, from a CSV file to a CSV file of results: Podium and bare loops."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.applications import FEATURES, Case, Disagreement, labels_of
from podium.app import App
from podium.datasets.place import Place
from podium.datasets.reading import Upload
from podium.datasets.run import run
from podium.datasets.scoring import ROWS
from podium.datasets.wishes import Wishes

Floats = NDArray[Any]
Work = Callable[[Path, Path], None]
"""Makes results of a data set: (CSV file, an empty folder) -> results.csv in it."""


def podium(folder: Path) -> Work:
    """Return Podium's own way: the file is checked, every chunk kept, and nothing lost if it ends.

    It writes more: entropy, the parts of the uncertainty, warnings and errors.
    """
    app = App(folder, patient=True)
    app.served()

    def work(file: Path, place: Path) -> None:
        run(app, Place(place), Upload(file, file.name), Wishes(), ("csv",), lambda *_: None)

    return work


def bare_duckdb(folder: Path) -> Work:
    """Return the loop that reads and writes with DuckDB, and keeps all in memory."""
    import duckdb

    infer = _session(folder)
    labels = labels_of(folder)

    def work(file: Path, place: Path) -> None:
        types = ", ".join(f"'{name}': 'DOUBLE'" for name in FEATURES)
        with duckdb.connect() as con:
            source = f"read_csv('{file}', header=true, columns={{{types}}})"
            read = con.execute(f"SELECT * FROM {source}").fetchnumpy()  # noqa: S608
            found = infer([np.asarray(read[name], np.float32) for name in FEATURES])
            table = {name: np.asarray(read[name]) for name in FEATURES}
            table |= {"label": found.argmax(axis=1), "probability": found.max(axis=1)}
            con.register("results", table)
            con.execute(
                f"COPY (SELECT * REPLACE ({list(labels)}[label + 1] AS label) FROM results) "  # noqa: S608
                f"TO '{place / 'results.csv'}' (HEADER)"
            )

    return work


def bare_pyarrow(folder: Path) -> Work:
    """Return the loop that reads and writes with pyarrow, and keeps all in memory."""
    import pyarrow as pa
    from pyarrow import csv

    infer = _session(folder)
    labels = labels_of(folder)

    def work(file: Path, place: Path) -> None:
        table = csv.read_csv(file)
        found = infer([table[name].to_numpy().astype(np.float32) for name in FEATURES])
        codes = pa.array(found.argmax(axis=1).astype(np.int32))
        told = pa.DictionaryArray.from_arrays(codes, labels).cast(pa.string())
        table = table.append_column("label", told)
        table = table.append_column("probability", pa.array(found.max(axis=1)))
        csv.write_csv(table, place / "results.csv")

    return work


CONTENDERS: Final = {"bare loop": bare_duckdb, "bare loop, pyarrow": bare_pyarrow,
                     "Podium": podium}  # fmt: skip


def check_results(case: Case, folders: dict[str, Path]) -> float:
    """Return the largest difference between a bare loop's probabilities and Podium's.

    Raises:
        Disagreement: a label differs, a row is missing, or a probability differs by too much.
    """
    import duckdb

    ours = _told(folders["Podium"], "podium_label", "podium_probability")
    worst = 0.0
    for name in folders.keys() - {"Podium"}:
        theirs = _told(folders[name], "label", "probability")
        query = (
            "SELECT count(*), count_if(ours.label = theirs.label), "  # noqa: S608
            "max(abs(ours.probability - theirs.probability)) "
            f"FROM ({ours}) AS ours POSITIONAL JOIN ({theirs}) AS theirs"
        )
        ((rows, same, off),) = duckdb.execute(query).fetchall()
        if not rows == same == case.items or off > case.tolerance:
            raise Disagreement(
                f"Podium and the {name} agree on {same} of {rows} labels; probabilities differ by "
                f"{off}"
            )
        worst = max(worst, off)
    return worst


def _told(folder: Path, label: str, probability: str) -> str:
    """Return the SQL for the labels and probabilities in some results."""
    file = folder / "results.csv"
    source = f"read_csv('{file}', types={{'{label}': 'VARCHAR'}})"
    return f"SELECT {label} AS label, {probability} AS probability FROM {source}"  # noqa: S608


def _session(folder: Path) -> Callable[[list[Floats]], Floats]:
    """Return the function that makes probabilities of columns, in steps as Podium has them."""
    import onnxruntime

    session = onnxruntime.InferenceSession(folder / "model.onnx")
    (given,) = session.get_inputs()
    name = session.get_outputs()[-1].name

    def infer(columns: list[Floats]) -> Floats:
        rows = np.stack(columns, axis=1)
        steps = range(0, len(rows), ROWS)
        parts = [session.run([name], {given.name: rows[one : one + ROWS]})[0] for one in steps]
        return np.concatenate(parts)

    infer([np.zeros(1, np.float32) for _ in FEATURES])
    return infer


def main(arguments: list[str]) -> None:
    """Run with FOLDER FILE PLACE CONTENDER; print as JSON how many seconds it took."""
    folder, file, place = map(Path, arguments[:3])
    work = CONTENDERS[arguments[3]](folder)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    start = time.perf_counter()
    work(file, place)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main(sys.argv[1:])
