"""The results as files: the data set's own columns, then what the models say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

from podium.datasets.wishes import Staged
from podium.datasets.work import Work
from podium.signature import Signature

Format = Literal["csv", "parquet"]
PREFIX: Final = "podium_"
_OF_A_CLASS: Final = ("label", "probability", "entropy", "aleatoric", "epistemic", "set")
_OF_A_VALUE: Final = ("value", "std", "aleatoric", "epistemic", "lower", "upper")
_ALL: Final = ("warning", "error")


def export(
    work: Work, staged: Staged, signature: Signature, models: Sequence[str], file: Path,
    kind: Format,
) -> None:  # fmt: skip
    """Write the results of all rows; `file` is there whole or not at all."""
    part = file.with_name(file.name + ".part")
    columns = ", ".join(f"{sql} AS {_name(name)}"
                        for name, sql in _columns(staged, signature, models))  # fmt: skip
    tables = " POSITIONAL JOIN ".join(["input", "rows", *_answers(models)])
    how = "FORMAT csv, HEADER" if kind == "csv" else "FORMAT parquet"
    work.con.execute(f"COPY (SELECT {columns} FROM {tables}) TO ? ({how})", [str(part)])  # noqa: S608
    part.replace(file)


def _columns(
    staged: Staged, signature: Signature, models: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the name of each column of the results, and its SQL."""
    own = [one.name for one in staged.columns]
    yield from ((name, f"input.c{index}") for index, name in enumerate(own))
    classes = signature.kind == "classification"
    labels = "[" + ", ".join(_text(label) for label in signature.labels) + "]"
    known = {"label": f"list_extract({labels}, {{}}.label + 1)", "set": "{}.labels_in_set"}
    for table, model in zip(_answers(models), models, strict=True):
        suffix = f"_{model}" if len(models) > 1 else ""
        for name in _OF_A_CLASS if classes else _OF_A_VALUE:
            plain = f"CASE WHEN isnan({{0}}.{name}) THEN NULL ELSE {{0}}.{name} END"
            yield f"{PREFIX}{name}{suffix}", known.get(name, plain).format(table)
    yield f"{PREFIX}warning", "rows.warning"
    yield f"{PREFIX}error", "coalesce(rows.problem, input.problem)"


def _answers(models: Sequence[str]) -> list[str]:
    return [f"answers_{index}" for index in range(len(models))]


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
