"""Rows of results that two models, a and b, have answered."""

from __future__ import annotations

from pathlib import Path

import duckdb

from podium.datasets.findings import Findings, Judged
from podium.datasets.wishes import Column, Staged, Wishes

LABELS = ("Adelie", "Gentoo")
COLUMNS = (Column("year", "year"), Column("species", None, is_target=True))
CLASSES = """
  (2007, 'Adelie',   'Adelie', 0.9, 0.3, 'Gentoo', 0.6, 0.7, NULL, NULL),
  (2008, ' ADELIE ', 'Adelie', 0.7, 0.6, 'Gentoo', 0.8, 0.5, NULL, NULL),
  (2009, 'Gentoo',   'Adelie', 0.8, 0.5, 'Gentoo', 0.9, 0.3, 'year: 2009 is rare', NULL),
  (2010, '=2+3',     'Gentoo', 0.6, 0.7, 'Gentoo', 0.7, 0.6, NULL, NULL),
  (2011, 'Gentoo',   NULL,     NULL, NULL, NULL,   NULL, NULL, NULL, 'year: expected a number')
"""
CLASS_NAMES = ("year, species, podium_label_a, podium_probability_a, podium_entropy_a, "
               "podium_label_b, podium_probability_b, podium_entropy_b, podium_warning, "
               "podium_error")  # fmt: skip
UNTOLD = ("NULL::DOUBLE AS podium_aleatoric_{0}, NULL::DOUBLE AS podium_epistemic_{0}, "
          "NULL::VARCHAR AS podium_set_{0}")  # fmt: skip


def findings(*models: str, labels: tuple[str, ...] = LABELS) -> Findings:
    """Return findings of so many models on a file with a year and its answers."""
    staged = Staged(kind="csv", columns=COLUMNS, rows=5)
    judged = tuple(Judged(model=name, title=name.upper(), version="1", rows=4, judged=3)
                   for name in models)  # fmt: skip
    return Findings(title="Birds", file="birds.csv", target="species", unit=None, labels=labels,
                    rows=5, failed=1, problems=(), staged=staged, wishes=Wishes(),
                    models=judged)  # fmt: skip


def write_birds(file: Path) -> Path:
    """Write the results of five rows as Parquet; return the file."""
    own = ("year, species, podium_label_{0}, podium_probability_{0}::DOUBLE AS "
           "podium_probability_{0}, podium_entropy_{0}::DOUBLE AS podium_entropy_{0}, "
           + UNTOLD)  # fmt: skip
    columns = ", ".join((own.format("a"), own.format("b").removeprefix("year, species, "),
                         "podium_warning, podium_error"))  # fmt: skip
    duckdb.connect().execute(
        f"COPY (SELECT {columns} FROM (VALUES {CLASSES}) AS t({CLASS_NAMES})) TO '{file}'"  # noqa: S608
    )
    return file
