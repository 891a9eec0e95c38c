"""Attack folders: an MLflow folder that holds a program, or leads elsewhere, runs nothing."""

from __future__ import annotations

import contextlib
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from podium.errors import ModelError, UntrustedModel
from tests.conformance.mlflow_cases import (
    digest,
    opened,
    program_folder,
    pyfunc,
    rewrite,
    sklearn_folder,
)
from tests.conformance.test_keras_attacks import Marked


class Touch:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize(
    ("name", "protocol"), [("model.pkl", 0), ("model.PTH", 1), ("notes.txt", 2), ("notes.txt", 5)]
)
def test_pickle_is_refused_and_never_run(name: str, protocol: int, tmp_path: Path) -> None:
    """A pickle makes a folder a program, whatever it is called and wherever it lies."""
    folder = sklearn_folder(tmp_path)
    (folder / "extra").mkdir()
    (folder / "extra" / name).write_bytes(pickle.dumps(Touch(tmp_path / "ran"), protocol))
    with pytest.raises(UntrustedModel) as caught:
        opened(folder)
    message = str(caught.value)
    assert message.startswith(
        f"m holds a pickle (extra/{name}), which runs code when it is loaded. Log the model again "
        "as data: "
    )
    assert message.endswith(f'trust = "{digest(folder)}" in its [[models]] table.')
    assert not (tmp_path / "ran").exists()


DISGUISED = [("model.pt2", "pytorch"), ("model.safetensors", "pytorch"), ("model.keras", "keras")]


@pytest.mark.filterwarnings("ignore:.*lambda")
@pytest.mark.parametrize(("name", "flavor"), DISGUISED)
def test_program_in_another_dress_is_refused_and_never_run(
    name: str, flavor: str, tmp_path: Path
) -> None:
    """What only the model's own runtime knows for a program needs trust in the whole folder."""
    folder = tmp_path / "models" / "m"
    (folder / "data").mkdir(parents=True)
    marked = Marked(tmp_path)
    if flavor == "keras":
        marked.model().save(folder / "data" / name)
        marked.marker.unlink(missing_ok=True)
    else:
        with (folder / "data" / name).open("wb") as stream:
            torch.save(Touch(marked.marker), stream)
    flavors = {"python_function": {"loader_module": f"mlflow.{flavor}", "data": "data"},
               flavor: {"data": "data", "model_data": "data"}}  # fmt: skip
    (folder / "MLmodel").write_text(json.dumps({"flavors": flavors}))
    with pytest.raises(UntrustedModel) as caught:
        opened(folder)
    assert f'trust = "{digest(folder)}"' in str(caught.value)
    assert not marked.marker.exists()
    with contextlib.suppress(ModelError):  # the pickle holds no model
        opened(folder, trust=digest(folder))
    assert marked.marker.exists()


def test_pickle_in_the_models_place_is_refused_and_never_run(tmp_path: Path) -> None:
    """Neither the pickled estimator nor the pickled program of a folder is touched."""
    folders = (
        sklearn_folder(tmp_path / "a", serialization_format="pickle"),
        program_folder(tmp_path / "b"),
    )
    for folder in folders:
        (evil,) = folder.glob("*.pkl")
        evil.write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
        for trust in (None, "0" * 64):
            with pytest.raises(UntrustedModel, match=rf"holds a pickle \({evil.name}\)"):
                opened(folder, trust=trust)
    assert not (tmp_path / "ran").exists()


def test_trust_is_for_the_very_bytes(tmp_path: Path) -> None:
    """A folder in which one byte changed after somebody vouched for it is refused."""
    folder = program_folder(tmp_path)
    trust = digest(folder)
    assert opened(folder, trust=trust).platform == "mlflow (pyfunc)"
    (folder / "requirements.txt").write_text("evil\n")
    with pytest.raises(UntrustedModel, match="It is not the one that trust names"):
        opened(folder, trust=trust)


@pytest.mark.parametrize("loader", ["os", "evil", "mlflow.spark", "mlflow.pyfunc.model"])
def test_other_loader_is_a_program(loader: str, tmp_path: Path) -> None:
    """A folder that names a module to load it with is a program; the module is not imported."""
    (tmp_path / "evil.py").write_text("raise SystemExit('the attacker ran')\n")
    folder = rewrite(sklearn_folder(tmp_path), lambda told: pyfunc(told).update(
        loader_module=loader, code="code"))  # fmt: skip
    with pytest.raises(UntrustedModel, match=rf"m is loaded by a program \({loader}\)"):
        opened(folder)
    assert "evil" not in sys.modules


def test_tag_in_yaml_runs_nothing(tmp_path: Path) -> None:
    """An MLmodel that would make Python objects is refused."""
    folder = sklearn_folder(tmp_path)
    file = folder / "MLmodel"
    tag = f"!!python/object/apply:os.mkdir [{tmp_path / 'ran'}]"
    file.write_text(f"{file.read_text()}evil: {tag}\n")
    with pytest.raises(ModelError, match=r"m: MLmodel is damaged: .*python/object/apply"):
        opened(folder)
    assert not (tmp_path / "ran").exists()


OUTSIDE = {
    "data": "../../secret.skops",
    "pickled_model": "/etc/passwd",
    "model_path": "..",
    "code": "../code",
    "python_model": ["x"],
    "artifacts": {"weights": {"path": "../../secret.skops", "uri": "x"}},
}


@pytest.mark.parametrize("key", OUTSIDE)
@pytest.mark.parametrize("flavor", ["python_function", "sklearn"])
def test_path_outside_of_the_folder_is_refused(key: str, flavor: str, tmp_path: Path) -> None:
    """MLmodel names nothing outside of its folder, in no flavor, and not with trust either."""
    folder = rewrite(
        sklearn_folder(tmp_path), lambda told: told["flavors"][flavor].update({key: OUTSIDE[key]})
    )
    with pytest.raises(UntrustedModel, match=r"m: MLmodel names .* as its .*outside of it"):
        opened(folder, trust=digest(folder))


def test_link_out_of_the_application_is_refused(tmp_path: Path) -> None:
    """A file that is a link to one outside of the application folder is not read."""
    folder = sklearn_folder(tmp_path / "app")
    (folder / "model.skops").rename(tmp_path / "model.skops")
    (folder / "model.skops").symlink_to(tmp_path / "model.skops")
    with pytest.raises(UntrustedModel, match=r"outside"):
        opened(folder)


def test_types_that_the_folder_trusts_are_not_trusted(tmp_path: Path) -> None:
    """A folder cannot vouch for its own types, as MLflow would let it."""
    import skops.io

    folder = rewrite(sklearn_folder(tmp_path), lambda told: told["flavors"]["sklearn"].update(
        skops_trusted_types=["tests.conformance.test_mlflow_attacks.Evil"]))  # fmt: skip
    skops.io.dump(Evil(), folder / "model.skops")
    with pytest.raises(UntrustedModel, match=r"model\.skops.*Evil"):
        opened(folder)


class Evil:
    """A type that is not scikit-learn's."""

    classes_ = ("a", "b")

    def predict(self, x: Any) -> Any:
        """Return nothing."""
        return x
