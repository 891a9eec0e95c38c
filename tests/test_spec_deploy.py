"""[deploy.TARGET]: what is read, and what is told of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.errors import SpecError
from podium.folder import parse
from podium.spec import Deploy
from podium.strict import Size
from tests.deploy.conftest import write_rule


def test_defaults(tmp_path: Path) -> None:
    """Without a table every target has its defaults: one instance, everything by name."""
    write_rule(tmp_path, 1)
    assert parse(tmp_path).spec.deploy == Deploy()
    assert Deploy().cloud_run.instances == Deploy().azure_container_apps.instances == (0, 1)


def test_settings(tmp_path: Path) -> None:
    """Keys are read by the target's own name, with sizes as everywhere."""
    own = 'name = "my-rule"\nmemory = "4 GB"\nvariables = { A = "1" }\nsecrets = ["B"]\n'
    write_rule(tmp_path, 1, f'{own}[deploy.azure-app-service]\nplan = "P1V3"')
    told = parse(tmp_path).spec.deploy
    assert (told.cloud_run.name, told.cloud_run.memory) == ("my-rule", Size(4 * 10**9))
    assert (told.cloud_run.variables, told.cloud_run.secrets) == ({"A": "1"}, ("B",))
    assert told.azure_app_service.plan == "P1V3"


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ('name = "My Rule"', "deploy.cloud-run.name: expected"),
        ('name = "1rule"', "deploy.cloud-run.name: expected"),
        (f'name = "{"a" * 40}"', "deploy.cloud-run.name: expected"),
        ('variables = { A = "1" }\nsecrets = ["A"]', "deploy.cloud-run.secrets: 'A' stands in"),
        ('secrets = ["a-b"]', "deploy.cloud-run.secrets"),
        ("instances = [2, 1]", "deploy.cloud-run.instances: expected the fewest first; found 2"),
        ('regon = "x"', "deploy.cloud-run.regon: is not a known key. Did you mean 'region'?"),
        ("[deploy.gcp]", "deploy.gcp: is not a known key. Known: pythonanywhere, elastic-beanst"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, more: str, wrong: str) -> None:
    """Each is told with its key."""
    write_rule(tmp_path, 1, more)
    with pytest.raises(SpecError) as refused:
        parse(tmp_path)
    assert wrong in str(refused.value)
