"""What a hosting platform says by its environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.errors import ServeError
from podium.folder import parse
from podium.hosting import as_hosted, takes_datasets
from podium.production.gunicorn import Address, settings
from podium.strict import Period, Size
from tests.support.apps import write_notes
from tests.support.server import running


def test_limits_are_lowered(tmp_path: Path) -> None:
    """Each named limit is the lower one of both; the others stay."""
    spec = parse(write_notes(tmp_path / "app")).spec
    told = {"PODIUM_LIMITS": "upload=32 MB; dataset=32 MB;timeout = 20 s;"}
    lowered = as_hosted(spec, told).limits
    assert (lowered.upload, lowered.dataset, lowered.timeout) == (
        Size(100_000), Size(32_000_000), Period(20),
    )  # fmt: skip
    assert lowered.rows == 5
    assert as_hosted(spec, {}) == spec


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ("uploads=1 MB", "names 'uploads', which is no limit that is lowered. Did you mean 'uplo"),
        ("upload", "upload is ''; expected a size such as"),
        ("timeout=soon", "timeout is 'soon'; expected a time such as"),
    ],
)
def test_limits_that_cannot_be_read(tmp_path: Path, told: str, wrong: str) -> None:
    """What is misspelt is told: the limit would else be another than the platform's."""
    spec = parse(write_notes(tmp_path / "app")).spec
    with pytest.raises(ServeError, match=f"^PODIUM_LIMITS.*{wrong}"):
        as_hosted(spec, {"PODIUM_LIMITS": told})


def test_datasets_are_on_or_off() -> None:
    """They are on where nothing is told; what is neither is refused."""
    told = [takes_datasets(one) for one in ({}, {"PODIUM_DATASETS": ""},
            {"PODIUM_DATASETS": "on"}, {"PODIUM_DATASETS": "off"})]  # fmt: skip
    assert told == [True, True, True, False]
    with pytest.raises(ServeError, match='PODIUM_DATASETS is \'no\'; expected "on" or "off"'):
        takes_datasets({"PODIUM_DATASETS": "no"})


def test_gunicorn_waits_as_long_as_a_request_may_take(tmp_path: Path) -> None:
    """Time-outs rise outwards from the lowered limit."""
    spec = parse(write_notes(tmp_path / "app")).spec
    lowered = as_hosted(spec, {"PODIUM_LIMITS": "timeout=20 s"})
    address = Address("127.0.0.1", 0)
    own, told = (settings(one, address, 1)["timeout"] for one in (spec, lowered))
    assert own - told == 40


def test_server_of_a_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server keeps to what its platform says, and starts no worker of data sets."""
    monkeypatch.setenv("PODIUM_LIMITS", "upload=1 kB; dataset=1 kB")
    monkeypatch.setenv("PODIUM_DATASETS", "off")
    with running(tmp_path, "serve", str(write_notes(tmp_path / "app"))) as server:
        client = server.client
        large = client.predict({"text": "a" * 1000})
        told = client.get("/openapi.json").json()
        assert (large.status, large.json()["detail"]) == (
            413, "The body of 1.03 kB is larger than 1 kB, the limit of one request ([limits] "
            "upload)",
        )  # fmt: skip
        assert client.predict({"text": "a"}).predictions[0]["value"] == 3904355907
        assert told["x-podium-limits"] == {"upload": 1000, "rows": 5, "timeout": 60}
        assert server.job_workers == frozenset()
