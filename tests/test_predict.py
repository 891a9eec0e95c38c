"""`podium predict` with texts: each argument is one."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from podium.errors import FieldError, InvalidInput
from podium.predict import predict_once
from tests.support.apps import write_notes


def test_each_argument_is_a_text(tmp_path: Path) -> None:
    """Texts are answered in their order, whatever is in them; an equals sign makes no pair."""
    texts = ["It works, well?", "a=b", "--\n{}", "-1"]
    answer = json.loads(predict_once(write_notes(tmp_path / "app"), texts, {"model": "crc"}))
    assert [one["value"] for one in answer["predictions"]] == [
        zlib.crc32(text.encode()) for text in texts
    ]


def test_wrong_texts_are_told_by_their_number(tmp_path: Path) -> None:
    """Every argument that is no text is told with its place."""
    with pytest.raises(InvalidInput) as caught:
        predict_once(write_notes(tmp_path / "app"), ["a", "", "caf\udce9"], {})
    assert caught.value.errors == (
        FieldError("text 1", "is empty; expected a text"),
        FieldError("text 2", "character 4 is '\\udce9', which stands in no text; "
                             "is it encoded as UTF-8?"),
    )  # fmt: skip
