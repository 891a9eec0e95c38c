"""What the doctor learns from an application's own description."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from podium.app import App
from podium.doctor.patient import PUBLISHED, Patient, question_of
from podium.doctor.service import limits_agree
from podium.pipeline.decode import body_type
from podium.spec import Limits, Spec, Task
from podium.spec.serving import told_limits
from podium.strict import Size
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


@pytest.mark.parametrize(
    ("served", "verdict", "seen"),
    [
        ({}, "ok", "as in podium.toml"),
        ({"upload": 33_500_000}, "ok",
         "lowered, as at cloud-run: upload = 33.5 MB, in podium.toml 40 MB"),
        (
            {"upload": 1_000_000, "timeout": 5.0}, "warning",
            "what serves has lower limits: upload = 1 MB, in podium.toml 40 MB; "
            "timeout = 5 s, in podium.toml 60 s",
        ),
        ({"rows": 4}, "wrong", "what serves has other limits: rows = 4, in podium.toml 10000"),
        ({"upload": 50_000_000}, "wrong",
         "what serves has other limits: upload = 50 MB, in podium.toml 40 MB"),
    ],
)  # fmt: skip
def test_limits_that_a_host_lowers(served: dict[str, float], verdict: str, seen: str) -> None:
    """Lower ones are no error: a host may lower what podium.toml says, and never raises it."""
    limits = Limits(upload=Size(40_000_000))
    spec = Spec(title="Rule", task=Task(kind="regression"), models=(), limits=limits)
    patient = cast(Patient, SimpleNamespace(spec=spec, limits={**told_limits(limits), **served}))
    (finding,) = limits_agree(patient)
    assert (finding.verdict, finding.seen) == (verdict, seen)
    assert ("PODIUM_LIMITS" in finding.mend) == (verdict == "warning")


def test_description_without_predictions_gives_no_question() -> None:
    """Where nothing is described, nothing is asked."""
    assert question_of({}, 1) is None
