"""Data sets over HTTP against a real server with its worker."""

from __future__ import annotations

import csv
import io
import re
import time
from pathlib import Path
from typing import Any

import duckdb

from podium.cli import DEMOS
from tests.http.test_openapi import Described
from tests.support.client import JSON, Answer, Client, Upload, multipart
from tests.support.server import Server

TABLE = (DEMOS / "penguins" / "data" / "penguins.csv").read_bytes()
FILE = Upload("file", TABLE, "penguins.csv", "text/csv")
MODELS = ("bnn", "forest", "tree", "bayes")
ENDED = ("done", "failed", "cancelled")


def followed(client: Client, path: str, states: tuple[str, ...] = ENDED) -> dict[str, Any]:
    """Return a data set once it is in one of some states."""
    deadline = time.monotonic() + 60
    told: dict[str, Any] = {}
    while time.monotonic() < deadline and told.get("state") not in states:
        time.sleep(0.1)
        told = client.get(path).json()
    return told


def sent(answer: Answer) -> str:
    """Return the address of a data set that was taken."""
    assert (answer.status, answer.content_type) == (202, JSON), answer.body[:500]
    path: str = answer.headers["Location"]
    assert re.fullmatch(r"(/[a-z]+)*/datasets/[0-9a-f]{32}", path)
    assert path.endswith(answer.json()["id"])
    return path


def test_from_the_upload_to_the_end(penguins: Client, tmp_path: Path) -> None:
    """All models score the penguins; results come as CSV and Parquet; then nothing is left."""
    described = Described("penguins", penguins)
    taken = penguins.submit("/datasets?models=all&seed=1", files=[FILE])
    path = sent(taken)
    told = followed(penguins, path)
    schema = described.api["components"]["schemas"]["DatasetAnswer"]
    assert [described.mistakes(schema, one) for one in (taken.json(), told)] == [[], []]
    assert (told["state"], told["error"], told["rows"], told["rows_done"]) == (
        "done",
        None,
        344,
        344,
    )
    assert tuple(one["name"] for one in told["models"]) == tuple(told["metrics"]) == MODELS
    rows = list(csv.DictReader(io.StringIO(penguins.get(told["results"]["csv"]).text)))
    truth = [row["species"] for row in csv.DictReader(io.StringIO(TABLE.decode()))]
    assert [row["species"] for row in rows] == truth
    answered = [row for row in rows if not row["podium_error"]]
    assert len(rows) - len(answered) == told["rows_failed"]
    for model in MODELS:
        right = sum(row["species"] == row[f"podium_label_{model}"] for row in answered)
        assert right / len(answered) > 0.9
    file = tmp_path / "results.parquet"
    file.write_bytes(penguins.get(told["results"]["parquet"]).body)
    labels = duckdb.read_parquet(str(file)).project("podium_label_bnn").fetchall()
    assert [label or "" for (label,) in labels] == [row["podium_label_bnn"] for row in rows]
    for figure in told["figures"]:
        assert penguins.get(figure["url"]).json()["$schema"].startswith("https://vega.github.io/")
    assert penguins.get(told["report"]).body.lower().startswith(b"<!doctype html>")
    assert penguins.send("DELETE", path).status == 204
    gone = (path, told["results"]["csv"], told["figures"][0]["url"])
    assert [penguins.get(one).status for one in gone] == [404, 404, 404]


def test_columns_first(penguins: Client) -> None:
    """With start=false the columns are looked at, and nothing is scored until it is started."""
    raw = {"Content-Type": "text/csv", "Content-Disposition": 'attachment; filename="a.csv"'}
    path = sent(penguins.send("POST", "/datasets?start=false", TABLE, raw))
    told = followed(penguins, path, (*ENDED, "ready"))
    assert (told["state"], told["rows"], told["rows_done"], told["name"]) == (
        "ready",
        344,
        0,
        "a.csv",
    )
    uses = {one["name"]: (one["use"], one["input"]) for one in told["columns"]}
    assert uses["species"] == ("target", None)
    assert uses["sex"] == ("input", "sex")
    assert uses["year"] == (None, None)
    assert penguins.send("POST", f"{path}/start?models=tree").status == 202
    told = followed(penguins, path)
    assert (told["state"], [one["name"] for one in told["models"]]) == ("done", ["tree"])
    assert penguins.send("DELETE", path).status == 204


def test_what_cannot_be_read(penguins: Client) -> None:
    """A file that is no data set fails with its reason."""
    path = sent(penguins.post("/datasets?name=a.csv", b"a,b\n1,2\n", "text/csv"))
    told = followed(penguins, path)
    assert (told["state"], told["results"]) == ("failed", None)
    assert "bill_length_mm" in told["error"]
    assert penguins.send("DELETE", path).status == 204


def test_a_large_upload_costs_no_memory(penguins_server: Server, penguins: Client) -> None:
    """A file goes to disk as it arrives, as a form or alone."""
    row = b"Adelie,39.1,18.7,181,3750,Torgersen,male,2007\n" * 10_000
    body, kind = multipart([], [Upload("file", row * 60, "a.csv")])
    for sent_as, data in ((kind, body), ("text/csv", row * 60)):
        parts = (data[start : start + 65536] for start in range(0, len(data), 65536))
        penguins_server.forget_peak()
        before = penguins_server.resident_bytes()
        path = sent(penguins.post("/datasets?start=false", parts, sent_as))
        assert penguins_server.peak_bytes() - before < 20_000_000
        while penguins.send("DELETE", path).status != 204:  # the first one may have cancelled it
            pass
