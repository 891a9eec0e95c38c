"""docs/howto/watch.md tells all that is logged and counted, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from podium.logs import Line, RequestLine
from podium.metrics import METERS, PROCESS

TEXT = (Path(__file__).parents[2] / "docs" / "howto" / "watch.md").read_text("utf-8")
LOOKED_FOR = {"podium_model_info", "podium_worker_resident_memory_bytes", "podium_datasets"}


def test_every_metric_is_described() -> None:
    """Each has a row, and no row is left of one that is gone."""
    counted = {meter.name + ("_total" if meter.kind == "counter" else "")
               for meter in METERS if meter is not PROCESS}  # fmt: skip
    assert set(re.findall(r"^\| (podium_\w+) \|", TEXT, re.M)) == counted | LOOKED_FOR


def test_alerts_ask_for_what_there_is() -> None:
    """Every metric that an alert names is described, but for a histogram's buckets."""
    rules = TEXT.partition("## Alerts to set")[2]
    named = {name.removesuffix("_bucket") for name in re.findall(r"podium_\w+", rules)}
    assert named <= set(re.findall(r"^\| (podium_\w+) \|", TEXT, re.M))


def test_every_key_of_the_log_is_described() -> None:
    """Those of a request in the table, the others below it."""
    rows = re.findall(r"^\| ([a-z_, ]+) \|", TEXT.partition("## Which request")[0], re.M)
    told = {key for row in rows for key in row.split(", ")}
    assert told == set(RequestLine.__struct_fields__)
    others = set(Line.__struct_fields__) - told
    assert others == {"logger", "exception"}
    assert all(name in TEXT for name in others)
