"""What the doctor learns from an application's own description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from podium.app import App
from podium.doctor.patient import PUBLISHED, question_of
from podium.pipeline.decode import body_type
from podium.web.openapi import openapi
from tests.support.apps import write_colours, write_notes, write_weights


@pytest.mark.parametrize("write", [write_colours, write_weights, write_notes])
def test_question_is_one_that_the_application_takes(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    """For images, features and texts, the description is enough to ask for two predictions."""
    app = App(write(tmp_path / "app"), 1)
    body = question_of(openapi(app), 2)
    assert body is not None
    document = msgspec.json.decode(body, type=body_type(app.signature))
    assert len(document.inputs) == 2


def test_limits_are_published(tmp_path: Path) -> None:
    """The description tells bytes, items and seconds, as podium.toml sets them."""
    described = openapi(App(write_notes(tmp_path / "app"), 1))
    assert described[PUBLISHED] == {
        "upload": 100_000, "dataset": 2_000_000_000, "rows": 5, "timeout": 60.0,
    }  # fmt: skip


def test_description_without_predictions_gives_no_question() -> None:
    """Where nothing is described, nothing is asked."""
    assert question_of({}, 1) is None
