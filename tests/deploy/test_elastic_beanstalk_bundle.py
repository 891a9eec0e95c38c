"""The source bundle: every file, as a platform takes it; and run as a platform runs it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from msgspec import structs

from podium.bundle.lock import Lock
from podium.bundle.packages import packages_of
from podium.bundle.target import Target
from podium.cli import DEMOS
from podium.deploy import requirements
from podium.deploy.elastic_beanstalk import ElasticBeanstalk
from podium.deploy.prepare import prepare, write_files
from podium.deploy.run import Task, show
from podium.deploy.steps import Call
from podium.deploy.target import Deployment, Live
from podium.deploy.tell import InWords
from podium.errors import DeployError, MissingExtra
from podium.folder import parse
from podium.operate.asking import Question, public_door, question_of
from podium.spec import Access
from tests.deploy.beanstalk_instance import VARIABLES, Instance
from tests.deploy.kept import compare, penguins_with, without_version
from tests.support.missing import program
from tests.support.waiting import until

SETTINGS = """
[deploy.elastic-beanstalk]
python = "3.12"
secrets = ["TOKEN"]
[deploy.elastic-beanstalk.variables]
GREETING = "Grüß Gott"
STORED = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:penguins-a1b2c3"
"""
TEXTS = ("Procfile", "requirements.txt", ".ebextensions/podium.config",
         ".platform/hooks/predeploy/podium.sh",
         ".platform/nginx/conf.d/elasticbeanstalk/podium.conf")  # fmt: skip


@pytest.fixture
def penguins(tmp_path: Path) -> Path:
    """Return the penguins demo with settings of the platform, without what only its maker needs."""
    return penguins_with(tmp_path, SETTINGS)


def prepared(folder: Path, wheel: Path) -> Deployment:
    """Return an application as it goes to Elastic Beanstalk."""
    return prepare(ElasticBeanstalk(), folder, folder.parent / "work", wheel)


def test_every_file(penguins: Path, wheel: Path) -> None:
    """Each text is as it is kept; the rest is the application itself, and the wheel."""
    app = prepared(penguins, wheel)
    files = {name.removeprefix("bundle.zip/"): content
             for name, content in ElasticBeanstalk().files(app).items()}  # fmt: skip
    for name in TEXTS:
        compare(f"elastic-beanstalk/{name}", without_version(str(files[name]), app))
    own = {name: path for name, path in files.items() if name not in TEXTS}
    assert own == {wheel.name: app.wheel,
                   **{f"app/{file.name}": file.path for file in app.bundle.files}}  # fmt: skip


def test_dry_run(penguins: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that would be sent is told, offline, without boto3 and without credentials."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    lines: list[str] = []
    task = Task(ElasticBeanstalk(), penguins, penguins.parent / "state", InWords(lines.append),
                {"TOKEN": "canary-of-the-application"}, wheel)  # fmt: skip
    show(task)
    told = "\n".join(lines)
    plan = told[told.index("1. Make the role") :]
    compare("elastic-beanstalk/plan.txt", without_version(plan, task.app) + "\n")
    assert "canary" not in told
    assert f"{wheel.stat().st_size:,} bytes  bundle.zip/{wheel.name}\n" in told
    assert (
        "Note: AWS Elastic Beanstalk serves one instance by HTTP. For HTTPS, name a certificate"
        in told
    )


def test_without_the_sdk(penguins: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that installs it is told."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtra, match=r"Elastic Beanstalk .* pip install 'podium\[aws\]'"):
        ElasticBeanstalk().connect(prepared(penguins, wheel), {})


def test_same_files_make_the_same_archive(penguins: Path, wheel: Path, tmp_path: Path) -> None:
    """The archive has no folder above its files, fixed times, and the same bytes each time."""
    files = ElasticBeanstalk().files(prepared(penguins, wheel))
    archives = [write_files(files, tmp_path / name)["bundle.zip"] for name in ("one", "other")]
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {"Procfile", "app/podium.toml"} < {entry.filename for entry in entries}


def test_settings_of_an_environment_are_strings(penguins: Path, wheel: Path) -> None:
    """The platform takes no other values, in namespaces of its own."""
    files = ElasticBeanstalk().files(prepared(penguins, wheel))
    told = json.loads(str(files["bundle.zip/.ebextensions/podium.config"]))
    for namespace, options in told["option_settings"].items():
        assert namespace.startswith("aws:elasticbeanstalk:")
        assert all(isinstance(value, str) for value in options.values())


def test_the_hook_is_a_shell_script(penguins: Path, wheel: Path, tmp_path: Path) -> None:
    """What makes the state folder is right for a shell."""
    script = tmp_path / "hook"
    files = ElasticBeanstalk().files(prepared(penguins, wheel))
    script.write_text(str(files["bundle.zip/.platform/hooks/predeploy/podium.sh"]))
    subprocess.run(["/bin/sh", "-n", str(script)], check=True)  # noqa: S603  a list


def locked(app: Deployment, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give an application a lock for Python 3.12 on x86_64, and return what stands in it."""
    packages = packages_of(app.parsed, app.folder, Target("3.12", "x86_64"), (), app.wheel)
    text = f"certifi==2026.10.18 \\\n    --hash=sha256:{'0' * 64}\n"
    lock = Lock(text, packages, {"certifi": "2026.10.18"}, None)
    monkeypatch.setattr(requirements, "read_lock", lambda *_, **__: lock)
    return text


def test_a_lock_pins_what_is_installed(
    penguins: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With requirements.lock every package has its hash, the wheel too."""
    app = prepared(penguins, wheel)
    text = locked(app, monkeypatch)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert ElasticBeanstalk().files(app)["bundle.zip/requirements.txt"] == (
        f"{text}./{wheel.name} \\\n    --hash=sha256:{digest}\n"
    )


def test_a_lock_for_another_machine(
    penguins: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock for another processor is refused, with the command that makes it anew."""
    app = prepared(penguins, wheel)
    locked(app, monkeypatch)
    arm = structs.replace(app, settings=structs.replace(app.settings, instance_type="t4g.small"))
    with pytest.raises(DeployError, match=r"is for Python 3\.12 on Linux x86_64; .*aarch64"):
        ElasticBeanstalk().files(arm)


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_header_lets_in_only_behind_a_proxy(penguins: Path, wheel: Path, proxies: int) -> None:
    """Without a proxy a client would say itself who it is: its word is not heard."""
    app = prepared(penguins, wheel)
    server = structs.replace(app.parsed.spec.server, proxies=proxies)
    spec = structs.replace(app.parsed.spec, access=Access(require=("header",)), server=server)
    behind = structs.replace(app, parsed=structs.replace(app.parsed, spec=spec))
    target = ElasticBeanstalk()
    files = target.files(behind)
    rules = str(files["bundle.zip/.platform/nginx/conf.d/elasticbeanstalk/podium.conf"])
    assert ('proxy_set_header X-Remote-User "";' in rules) == (proxies == 0)
    assert f"--proxies {proxies + 1} " in str(files["bundle.zip/Procfile"])
    found = target.findings(behind, files)
    told = [one.fatal for one in found if "HTTPS" in one.told or "header" in one.told]
    assert told == ([False, True], [])[proxies]


def test_a_certificate_asks_for_a_load_balancer(penguins: Path, wheel: Path) -> None:
    """It takes HTTPS for the one instance, and is a proxy more, which tells the client."""
    arn = "arn:aws:acm:eu-central-1:123456789012:certificate/1"
    plain = prepared(penguins, wheel)
    app = structs.replace(plain, settings=structs.replace(plain.settings, certificate=arn))
    target = ElasticBeanstalk()
    files = target.files(app)
    call = target.plan(app, Live())[-2].call
    assert isinstance(call, Call)
    options = {(one["Namespace"], one["OptionName"]): one["Value"]
               for one in call.payload["OptionSettings"]}  # fmt: skip
    before = target.plan(plain, Live())[-2].call
    assert isinstance(before, Call)
    usual = {(one["Namespace"], one["OptionName"]): one["Value"]
             for one in before.payload["OptionSettings"]}  # fmt: skip
    assert {key: value for key, value in options.items() if usual.get(key) != value} == {
        ("aws:elasticbeanstalk:environment", "EnvironmentType"): "LoadBalanced",
        ("aws:elasticbeanstalk:environment", "LoadBalancerType"): "application",
        ("aws:autoscaling:asg", "MinSize"): "1",
        ("aws:autoscaling:asg", "MaxSize"): "1",
        ("aws:elbv2:listener:443", "ListenerEnabled"): "true",
        ("aws:elbv2:listener:443", "Protocol"): "HTTPS",
        ("aws:elbv2:listener:443", "SSLCertificateArns"): arn,
        ("aws:elbv2:loadbalancer", "IdleTimeout"): "105",
        ("aws:elasticbeanstalk:environment:process:default", "HealthCheckPath"): "/healthz",
    }
    assert "--proxies 2 " in str(files["bundle.zip/Procfile"])
    rules = str(files["bundle.zip/.platform/nginx/conf.d/elasticbeanstalk/podium.conf"])
    assert "X-Forwarded-For $proxy_add_x_forwarded_for;" in rules
    assert "X-Forwarded-Proto" not in rules
    assert not any("HTTPS" in one.told for one in target.findings(app, files))


def test_where_it_is_and_what_stays_is_told(
    penguins: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REGION stands for a region that is not named; a disk is gone with its instance."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    app, target = prepared(penguins, wheel), ElasticBeanstalk()
    unnamed, kept = (one.told for one in list(target.findings(app, {}))[:2])
    assert unnamed.startswith("No region is named: that of your AWS settings is taken")
    assert kept.startswith("Data sets, kept answers and keys lie in /var/lib/podium, on the ")
    assert "until the instance is replaced" in kept
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    assert next(target.findings(app, {})).told == kept


def test_a_dry_run_names_the_region_of_the_bucket(penguins: Path, wheel: Path) -> None:
    """The account's number alone is not known offline."""
    plain = prepared(penguins, wheel)
    app = structs.replace(plain, settings=structs.replace(plain.settings, region="eu-west-3"))
    calls = [step.call for step in ElasticBeanstalk().plan(app, Live())]
    (upload,) = (call for call in calls if isinstance(call, Call) and call.file)
    assert upload.payload["Bucket"] == "elasticbeanstalk-eu-west-3-ACCOUNT"


def test_a_dry_run_makes_the_roles_that_are_the_usual_ones(penguins: Path, wheel: Path) -> None:
    """An account may lack them; one of its own is there, or told once AWS is asked."""
    plain = prepared(penguins, wheel)
    settings = structs.replace(plain.settings, instance_profile="own")
    app = structs.replace(plain, settings=settings)
    made = [[step.what for step in ElasticBeanstalk().plan(one, Live())
             if step.what.startswith("Make the role")] for one in (plain, app)]  # fmt: skip
    service = "Make the role aws-elasticbeanstalk-service-role"
    assert made == [["Make the role aws-elasticbeanstalk-ec2-role", service], [service]]


def test_nginx_and_gixy_find_nothing_wrong(penguins: Path, wheel: Path, tmp_path: Path) -> None:
    """In the platform's nginx the bundle's part is right, and clean for gixy."""
    instance = Instance(tmp_path / "instance", Path(sys.executable).parent)
    file = instance.unpack(archive_of(penguins, wheel))
    test = [program("nginx", "nginx"), "-t", "-e", str(tmp_path / "error.log"), "-c", str(file)]
    done = subprocess.run(test, capture_output=True, text=True, check=False)  # noqa: S603  a list
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
    gixy = [sys.executable, "-m", "gixy", str(file), "-f", "json", "--skips", "origins"]
    found = subprocess.run(gixy, capture_output=True, text=True, check=False)  # noqa: S603  a list
    own = [one for one in json.loads(found.stdout) if "podium.conf" in one["path"]]
    assert own == [], own


def archive_of(folder: Path, wheel: Path | None) -> bytes:
    """Return the source bundle of an application, with a wheel of Podium's if none is given."""
    app = prepare(ElasticBeanstalk(), folder, folder.parent / "work", wheel)
    files = write_files(ElasticBeanstalk().files(app), folder.parent / "files")
    return files["bundle.zip"].read_bytes()


def test_bundle_runs_in_a_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requirements installed, its Procfile's lines started: it answers all its examples.

    Behind the platform's nginx the bodies that [limits] allow pass, and none much larger; who
    claims to be another client is not believed.
    """
    monkeypatch.setenv("PYTHONPATH", "")
    app = tmp_path / "digits"
    shutil.copytree(DEMOS / "digits", app, ignore=shutil.ignore_patterns("__pycache__"))
    instance = Instance(tmp_path / "instance", tmp_path / "clean" / "bin")
    bundle = archive_of(app, None)
    instance.unpack(bundle)
    venv = [sys.executable, "-m", "venv", str(tmp_path / "clean")]
    subprocess.run(venv, check=True)  # noqa: S603  a list
    pip = [str(tmp_path / "clean" / "bin" / "pip"), "install", "-q", "--no-compile",
           "--disable-pip-version-check", "-r", "requirements.txt"]  # fmt: skip
    subprocess.run(pip, cwd=instance.current, check=True, timeout=300)  # noqa: S603  a list
    try:
        instance.deploy(bundle, {})
        until(instance.ready)
        spec = parse(app).spec
        door = public_door(f"http://{instance.address}", spec, {"X-Forwarded-For": "203.0.113.9"})
        answers = [door.prediction(question_of(app, one)) for one in spec.examples]
        assert [one.label for one in answers] == [one.expected for one in spec.examples]  # type: ignore[union-attr]
        told = door.get("/readyz?worker").json
        assert told["release"] == instance.settings()[VARIABLES, "PODIUM_RELEASE"]
        assert door.predict(Question("image/png", bytes(30_000_000))).status == 413
        assert "/predict" in instance.log()
        assert "203.0.113.9" not in instance.log()
    finally:
        instance.stop()
