"""What is told of a data set is read again as it was written."""

from __future__ import annotations

import msgspec

from podium.datasets.findings import read_findings
from podium.messages import Message, plain, whole
from tests.support.findings import evil_findings


def test_findings_are_read_as_they_were_written() -> None:
    """Their texts know what they were made of, in tables and in figures, whatever names say."""
    found = evil_findings()
    kept = msgspec.json.encode(found, enc_hook=whole)
    told = read_findings(kept)
    assert told == found
    assert msgspec.json.encode(told, enc_hook=whole) == kept
    matrix = next(one for one in told.models[0].figures if one.name == "confusion").spec
    title = matrix["layer"][0]["encoding"]["x"]["title"]
    assert isinstance(title, Message)
    assert (title.template, title.values) == (
        "Predicted %(target)s", {"target": found.labels[1]}
    )  # fmt: skip


def test_findings_of_an_earlier_version_are_read() -> None:
    """They hold plain English, which is shown as it is."""
    found = evil_findings()
    assert read_findings(msgspec.json.encode(found, enc_hook=plain)) == found
