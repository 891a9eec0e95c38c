"""An application held against what is known of a platform, and that knowledge itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from podium.bundle.files import Bundle
from podium.deploy import checks
from podium.deploy.facts import Facts, facts_of
from podium.deploy.memory import Unmeasured, needed_memory
from podium.deploy.prepare import prepare, write_files
from podium.deploy.target import Deployment, Finding, Target
from podium.deploy.targets import TARGETS, target_of
from podium.folder import parse
from podium.spec import Limits
from podium.strict import Period, Size
from tests.deploy.conftest import write_rule
from tests.deploy.shelf import FACTS, Shelf, fact

OPEN = replace(FACTS, disk=fact(True), background=fact(True))
NO_DISK = replace(FACTS, disk=fact(False))
WITHOUT_DATASETS = (
    "Whole data sets are off at The shelf, and its page says so. It is False. `podium score` "
    "scores them here, and /predict takes 10,000 rows at once."
)


class Known(Shelf):
    """The shelf, of which something else is known."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts


def found(
    app: Path, wheel: Path, facts: Facts, environment: Mapping[str, str] | None = None
) -> list[Finding]:
    """Return what is found, without what is known of data sets."""
    target, place = Known(facts), app.parent / "place"
    made = prepare(target, app, place, wheel)
    files = target.files(made)
    written = write_files(files, place / "files")
    told = checks.findings(target, made, files, written, environment or {}, place)
    return [one for one in told if one.told != WITHOUT_DATASETS]


def limits(app: Path, text: str) -> None:
    """Write more tables into podium.toml."""
    with (app / "podium.toml").open("a") as file:
        file.write(text)


def test_what_fits_is_not_mentioned(app: Path, wheel: Path) -> None:
    """Where nothing is otherwise, nothing is told."""
    assert found(app, wheel, OPEN) == []


def test_lowered_limits(app: Path, wheel: Path) -> None:
    """Each limit that the platform lowers is told with both values."""
    facts = replace(OPEN, upload=fact(5_000_000), timeout=fact(30))
    limits(app, '[limits]\nupload = "4 MB"\n')
    assert found(app, wheel, facts) == [
        Finding("[limits] dataset is 5 MB at The shelf, in place of 2 GB."),
        Finding("[limits] timeout is 30 s at The shelf, in place of 60 s."),
    ]
    made = prepare(Known(facts), app, app.parent / "s", wheel)
    assert made.environment()["PODIUM_LIMITS"] == "dataset=5 MB; timeout=30 s"


def test_limits_survive_being_written() -> None:
    """What the environment says is read as a little less than the platform's limit."""
    facts = replace(OPEN, upload=fact(33_554_432))
    told = facts.lowered(Limits(upload=Size(10**9), timeout=Period(10)))
    assert told == {"upload": "33.5 MB", "dataset": "33.5 MB"}
    assert Size.parse(told["upload"]) == 33_500_000


def answers_to(folder: Path, target: Target, hosts: str, more: str = "") -> list[str]:
    """Return what is found of [server] hosts, `more` in the table of a target."""
    write_rule(folder, 1, f"[deploy.{target.name}]\n{more}" * (target.name != "cloud-run"))
    text = (folder / "podium.toml").read_text()
    (folder / "podium.toml").write_text(text.replace("workers = 1", f"workers = 1\n{hosts}"))
    made = Deployment(
        folder=folder, parsed=(parsed := parse(folder)), name="rule", version="0" * 12,
        settings=getattr(parsed.spec.deploy, target.name.replace("-", "_")),
        bundle=Bundle(()), wheel=folder,
    )  # fmt: skip
    found = checks.findings(target, made, {}, {}, {}, folder)
    return [one.told for one in found if one.fatal and "hosts" in one.told]


@pytest.mark.parametrize(
    ("target", "ending"),
    [
        ("cloud-run", ".run.app"), ("elastic-beanstalk", ".elasticbeanstalk.com"),
        ("azure-app-service", ".azurewebsites.net"),
        ("azure-container-apps", ".azurecontainerapps.io"),
    ],
)  # fmt: skip
def test_hosts_without_the_name_that_a_platform_gives(
    app: Path, target: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would be answered there, nor the proof: told before anything is sent."""
    found = target_of(target)
    monkeypatch.setattr(type(found), "findings", lambda *_: iter(()))
    assert answers_to(app, found, "") == []
    assert answers_to(app, found, f'hosts = ["a.example", "Rule-1{ending}"]') == []
    assert answers_to(app, found, 'hosts = ["a.example"]') == [
        f"[server] hosts does not list a name ending in {ending}, such as {found.title} gives, so "
        "that nobody would be answered. Leave hosts out until the first deployment has told the "
        "name, and add it then."
    ]


@pytest.mark.parametrize(
    ("target", "more", "host"),
    [
        ("pythonanywhere", 'username = "Ada"', "ada.pythonanywhere.com"),
        ("pythonanywhere", 'domain = "b.example"', "b.example"),
        ("pythonanywhere", "", None),
        ("vm", 'host = "ada@b.example"', "b.example"),
        ("vm", 'host = "x"\ndomain = "b.example"', "b.example"),
        ("vm", "", None),
    ],
)
def test_hosts_without_the_name_that_is_known(
    app: Path, target: str, more: str, host: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finding says which name to add; nothing is found where none is named yet."""
    monkeypatch.delenv("PYTHONANYWHERE_USERNAME", raising=False)
    found = target_of(target)
    monkeypatch.setattr(type(found), "findings", lambda *_: iter(()))
    assert answers_to(app, found, f'hosts = ["a.example", "{host}"]', more) == []
    assert answers_to(app, found, 'hosts = ["a.example"]', more) == [
        f"[server] hosts does not list {host}, so that nobody would be answered. Add it, or name "
        f"another: [deploy.{target}] domain"
    ] * (host is not None)


def test_bundle_that_is_too_large(app: Path, wheel: Path) -> None:
    """It is refused with its size, the limit and where that stands."""
    (one,) = found(app, wheel, replace(OPEN, bundle=fact(100)))
    assert one.fatal
    assert re.fullmatch(
        r"bundle\.zip has \d+ B; The shelf takes 100 B \(https://shelf\.example/limits\)\. "
        r"Leave out what is not needed \(\.podiumignore\), or make the models smaller: podium "
        r"optimize\.", one.told,
    )  # fmt: skip


def test_what_is_kept_where_nothing_stays(app: Path, wheel: Path) -> None:
    """Links to answers are a note; keys that could let nobody in are a refusal."""
    limits(app, '[history]\non = true\n[access]\nrequire = ["key", "header"]\n')
    keys, history = found(app, wheel, NO_DISK)
    assert keys == Finding(
        "[access] require asks for a key, kept in the state folder; The shelf: It is False. "
        "Nobody could be let in that way. Let the platform ask, or take one whose disk stays."
    )
    assert history == Finding(
        "[history] on: links to answers do not hold at The shelf. It is False. With "
        "PODIUM_DATABASE among its secrets, the address of a PostgreSQL, they do."
    )
    assert found(app, wheel, OPEN) == []
    text = (app / "podium.toml").read_text().replace('["key", "header"]', '["key", "password"]')
    (app / "podium.toml").write_text(text)
    keys, _ = found(app, wheel, NO_DISK)
    assert keys.fatal
    assert "asks for a key or a password, kept" in keys.told


def test_several_instances(app: Path, wheel: Path) -> None:
    """What each would keep for itself is refused or told, unless a service keeps it for all."""
    write_rule(app, 1, "instances = [1, 3]")
    limits(app, '[history]\non = true\n[access]\nrate = "10/s"\n')
    history, rate = found(app, wheel, OPEN)
    assert history.fatal
    assert history.told.startswith("[history] on: 3 instances share no disk, so that a link to an")
    assert rate == Finding(
        "[access] rate: each of up to 3 instances counts by itself. PODIUM_RATE_STORE, the address "
        "of a Redis, lets them count together."
    )
    text = (app / "podium.toml").read_text()
    kept = 'secrets = ["PODIUM_DATABASE", "PODIUM_RATE_STORE"]\ninstances'
    (app / "podium.toml").write_text(text.replace("instances", kept))
    assert found(app, wheel, OPEN) == []
    assert found(app, wheel, NO_DISK) == []


@pytest.mark.parametrize("missing", ["disk", "background"])
def test_data_sets_that_are_off(app: Path, wheel: Path, missing: str) -> None:
    """They are off where nothing stays, or nothing works on: told, and in the environment."""
    target = Known(replace(OPEN, **{missing: fact(False)}))
    made = prepare(target, app, app.parent / "s", wheel)
    assert made.environment()["PODIUM_DATASETS"] == "off"
    told = list(checks.findings(target, made, {}, {}, {}, app.parent))
    assert told == [Finding(WITHOUT_DATASETS)]


def test_another_architecture(app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image for another processor than this machine's is told: it takes longer to build."""
    facts = replace(OPEN, architecture=fact("amd64"))
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert found(app, wheel, facts) == [Finding(
        "The shelf: It is amd64. This machine is arm64, so Docker emulates, which takes its time."
    )]  # fmt: skip
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert found(app, wheel, facts) == []


def test_secret_in_a_file(app: Path, wheel: Path) -> None:
    """A file that holds the value of a secret is refused; short values stand there by chance."""
    write_rule(app, 1, 'secrets = ["TOKEN", "SHORT"]')
    (app / "notes.md").write_text("The token is 0123456789.\n")
    told = {"TOKEN": "0123456789", "SHORT": "The"}
    assert found(app, wheel, OPEN, told) == [Finding(
        "bundle.zip/app/notes.md holds the value of TOKEN, which [deploy.*] secrets names. Take it "
        "out, and read it from the environment.", fatal=True,
    )]  # fmt: skip


@pytest.mark.parametrize("before", [999_995, 1_999_990, 2_500_000])
def test_secret_far_within_a_file(app: Path, wheel: Path, before: int) -> None:
    """All of a large file is looked at, also where two parts of it meet."""
    write_rule(app, 1, 'secrets = ["TOKEN"]')
    (app / "rows.csv").write_text("x" * before + "0123456789")
    (one,) = found(app, wheel, OPEN, {"TOKEN": "0123456789"})
    assert "rows.csv holds the value of TOKEN" in one.told


@pytest.mark.parametrize(
    ("needed", "workers", "told", "fatal"),
    [
        (400_000_000, 1, "", False),
        (900_000_000, 1, "Memory is short at The shelf: 1 x 900 MB are needed", False),
        (600_000_000, 2, "The shelf would run out of memory: 2 x 600 MB are needed", True),
    ],
)
def test_memory(
    app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch,
    needed: int, workers: int, told: str, fatal: bool,
) -> None:  # fmt: skip
    """The measured need of all workers is held against what an instance has."""
    write_rule(app, 1, 'memory = "1 GB"')
    text = (app / "podium.toml").read_text().replace("workers = 1", f"workers = {workers}")
    (app / "podium.toml").write_text(text)
    monkeypatch.setattr(checks, "needed_memory", lambda _app, _place: Size(needed))
    assert [(one.told[: len(told)], one.fatal) for one in found(app, wheel, OPEN)] == (
        [(told, fatal)] if told else []
    )


def test_memory_is_measured_once_a_version(
    app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of its own loads and asks the models; its peak is kept for the version."""
    (app / "rule.py").write_text(
        "import numpy as np\nheld = np.ones(25_000_000)\n"
        "def predict(rows):\n    more = np.ones(12_500_000)\n    return rows[:, 0] * more[0]\n"
    )
    made = prepare(Shelf(), app, app.parent / "s", wheel)
    most = needed_memory(made, app.parent / "place")
    (app / "rule.py").write_text("def predict(rows):\n    return rows[:, 0]\n")
    small = prepare(Shelf(), app, app.parent / "s", wheel)
    least = needed_memory(small, app.parent / "elsewhere")
    assert 280_000_000 < most - least < 330_000_000
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("measured again"))
    assert needed_memory(made, app.parent / "place") == most


def test_memory_that_cannot_be_measured(
    app: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a model does not load here, that is a note with the reason, not a refusal."""
    (app / "rule.py").write_text("raise ValueError('no such card')\n")
    made = prepare(Shelf(), app, app.parent / "s", wheel)
    with pytest.raises(Unmeasured, match="cannot be loaded: ValueError: no such card"):
        needed_memory(made, app.parent / "place")
    monkeypatch.setattr(checks, "needed_memory", needed_memory)
    (one,) = found(app, wheel, OPEN)
    assert one.told.startswith("How much memory the models need could not be measured: podium.err")
    assert not one.fatal


@pytest.mark.parametrize("target", TARGETS)
def test_facts_have_sources(target: str) -> None:
    """Each says in words what it is, where that stands and when it was read."""
    facts = dict(facts_of(target).stated())
    assert {"disk", "background", "several"} <= set(facts)
    for name, one in facts.items():
        assert one.told.endswith("."), (target, name)
        assert re.fullmatch(r"https://\S+|docs/\S+\.md", one.source), (target, name)
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", one.date), (target, name)
