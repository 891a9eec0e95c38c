"""The files of a container, as they are to be."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from msgspec import structs

from podium.container.compose import compose
from podium.spec import Limits
from podium.strict import Size
from tests.containerfiles.cases import CASES, GOLDEN, container, texts
from tests.production.test_gunicorn import spec


@pytest.mark.parametrize("case", CASES)
def test_files_are_as_they_were_read(case: str) -> None:
    """Each file is as it stands in golden/; `python -m tests.containerfiles.cases` writes it."""
    made = texts(CASES[case])
    assert made == {name: (GOLDEN / case / name).read_text("utf-8") for name in made}


@pytest.mark.parametrize("case", CASES)
def test_no_service_may_more_than_it_needs(case: str) -> None:
    """Each runs as a numeric user, on a root that it cannot write to, without any capability."""
    services = _services(case)
    assert sorted(services) == ["app", "certificate", "nginx", "worker"]
    for service in services.values():
        assert {key: service[key] for key in ("user", "read_only", "cap_drop", "security_opt")} == {
            "user": "10001:10001", "read_only": True, "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
        }  # fmt: skip
        assert "privileged" not in service


def test_image_is_never_looked_for_in_a_registry() -> None:
    """It may hold another's of that name; what is not there is built."""
    services = _services("onnx")
    told = {name: (service.get("pull_policy"), "build" in service)
            for name, service in services.items()}  # fmt: skip
    assert told == {"certificate": ("never", False), "app": ("never", True),
                    "worker": ("never", False), "nginx": (None, False)}  # fmt: skip


def test_nginx_is_made_anew_where_it_would_read_something_else() -> None:
    """Compose tells by its label: other limits make another, as another name does; packages do not.

    Its files lie on the host, and the certificate in a volume: Compose knows nothing of a change.
    """
    roomier = structs.replace(spec(), limits=Limits(upload=Size(50_000_000)))
    told = [compose(one) for one in (container(), container(("torch",)), container(of=roomier))]
    one, same, other = (yaml.safe_load(text)["services"]["nginx"]["labels"] for text in told)
    assert one == same
    assert one != other
    assert one[0].endswith(" ${PODIUM_DOMAIN:-localhost}")


def test_only_nginx_is_reached_from_outside() -> None:
    """The server has no port, but a socket in a volume that nginx only reads."""
    services = _services("onnx")
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]
    assert "run:/podium/run" in services["app"]["volumes"]
    assert "run:/podium/run:ro" in services["nginx"]["volumes"]


def test_layers_are_in_the_order_in_which_they_change() -> None:
    """A changed model leaves all layers before its own: packages, Podium, the application."""
    final = texts(CASES["torch"])["Dockerfile"].rpartition("\nFROM ")[2]
    copied = [line.split()[-2] for line in final.splitlines() if line.startswith("COPY")]
    assert copied == ["/opt/podium", "/own", "/opt/bytecode", "app/", "models/"]


@pytest.mark.parametrize(("case", "asked"), [("torch", True), ("locked", True), ("onnx", False)])
def test_pytorch_has_an_index_of_its_own(case: str, asked: bool) -> None:
    """Where PyTorch is needed its index is an argument, and CUDA ends the build."""
    made = texts(CASES[case])
    words = ("ARG PYTORCH_INDEX=https://download.pytorch.org/whl/cpu", "--extra-index-url",
             "CUDA came along")  # fmt: skip
    assert [word in made["Dockerfile"] for word in words] == [asked] * 3
    told = _services(case)["app"]["build"]["args"]
    assert ("PYTORCH_INDEX" in told) is asked


def test_a_lock_is_held_to() -> None:
    """With a lock, nothing is installed whose hash is not in it."""
    told = [
        ("--require-hashes" in texts(CASES[case])["Dockerfile"]) for case in ("locked", "torch")
    ]
    assert told == [True, False]


def _services(case: str) -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(texts(CASES[case])["compose.yaml"])["services"]
    return services
