"""Which packages an application needs, and which may not come along."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.bundle.packages import Packages, name_of, packages_of
from podium.bundle.target import Target
from podium.bundle.wheel import requires_of
from podium.errors import BundleError
from podium.runtimes import RUNTIMES
from tests.bundle.folders import write

X86 = Target("3.11", "x86_64")
ARM = Target("3.11", "aarch64")
BASE = {
    "babel", "click", "duckdb", "flask", "flask-babel", "gunicorn", "gunicorn-h1c",
    "markdown-it-py", "msgspec", "multipart", "numpy", "onnxruntime", "packaging", "pathspec",
    "pillow", "platformdirs", "prometheus-client", "rich", "sqlalchemy",
}  # fmt: skip


def packages(folder: Path, *models: str, target: Target = X86, more: str = "") -> Packages:
    """Return the packages of an application with models of these names."""
    return packages_of(write(folder, models or ("net.onnx",), more), folder, target)


def added(packages: Packages) -> set[str]:
    """Return the names of packages beyond those that Podium itself needs."""
    return {name_of(line) for line in packages.lines} - BASE


def test_onnx_models_need_podium_alone(tmp_path: Path) -> None:
    """What Podium requires is listed sorted, without markers, and nothing else."""
    found = packages(tmp_path, "net.onnx")
    assert {name_of(line) for line in found.lines} == BASE
    assert found.extras == ()
    assert list(found.lines) == sorted(found.lines)
    assert [line for line in found.lines if ";" in line] == []
    assert "gunicorn<28,>=27.0" in found.lines
    assert found.text == "".join(f"{line}\n" for line in found.lines)


@pytest.mark.parametrize(
    ("model", "extras", "names"),
    [
        ("net.skops", ("sklearn",), {"pandas", "scikit-learn", "skops"}),
        ("net.pt2", ("torch",), {"safetensors", "torch"}),
        ("net.keras", ("keras", "tensorflow"), {"h5py", "keras", "tensorflow-cpu"}),
        ("net.tflite", ("tflite",), {"ai-edge-litert"}),
        ("net.ubj", ("xgboost",), {"xgboost-cpu"}),
        ("net.lgb", ("lightgbm",), {"lightgbm"}),
    ],
)
def test_each_model_brings_its_framework(
    tmp_path: Path, model: str, extras: tuple[str, ...], names: set[str]
) -> None:
    """A model adds the packages of its runtime, in their builds for processors."""
    found = packages(tmp_path, "other.onnx", model)
    assert found.extras == extras
    assert added(found) == names
    assert found.needs_torch == ("torch" in names)


def test_every_runtime_has_its_extras() -> None:
    """No runtime is forgotten, and Podium has each of the extras."""
    from podium.bundle.packages import EXTRAS

    assert set(EXTRAS) == set(RUNTIMES)
    named = {extra for extras in EXTRAS.values() for extra in extras}
    declared = " ".join(requires_of(None))
    assert [extra for extra in sorted(named) if f"extra == '{extra}'" not in declared] == []


def test_elsewhere_other_builds_are_needed(tmp_path: Path) -> None:
    """The markers of a requirement are read for the target, not for this machine."""
    assert added(packages(tmp_path, "net.ubj", "net.keras", target=ARM)) == {
        "xgboost", "tensorflow", "keras", "h5py",
    }  # fmt: skip


def test_the_makers_requirements_come_along(tmp_path: Path) -> None:
    """Requirements are taken as written, where their marker holds; Podium's extras as its own."""
    more = (
        'requirements = ["scipy>=1.14", "tzdata; python_version < \'3.9\'", '
        '"shapely==2.1.0; sys_platform == \'linux\'", "podium[heic]"]'
    )
    found = packages(tmp_path, more=more)
    assert added(found) == {"scipy", "shapely", "pillow-heif"}
    assert {"scipy>=1.14", "shapely==2.1.0"} <= set(found.lines)
    assert found.extras == ("heic",)


def test_counting_in_redis_needs_its_client(tmp_path: Path) -> None:
    """What podium.toml asks for beside models comes along, too."""
    parsed = write(
        tmp_path, ("net.onnx",), each='[access]\nrate = "9/s"\nrate_store = "redis://localhost/0"'
    )
    assert packages_of(parsed, tmp_path, X86).extras == ("redis",)


def test_more_extras_may_be_asked_for(tmp_path: Path) -> None:
    """An operator may add what no model needs; an unknown one lists what there is."""
    parsed = write(tmp_path, ("net.onnx",))
    found = packages_of(parsed, tmp_path, X86, ("postgresql",))
    assert added(found) == {"psycopg"}
    with pytest.raises(BundleError, match=r"^Podium has no extra 'postgres'\. Known: .*postgresql"):
        packages_of(parsed, tmp_path, X86, ("postgres",))


@pytest.mark.parametrize(
    ("requirement", "way_out"),
    [
        ("onnxruntime-gpu>=1.23", "Write onnxruntime."),
        ("torch==2.8.0+cu126", "Leave out the +cu... of its version, or write torch."),
        ("tensorflow[and-cuda]", "Write tensorflow-cpu."),
        ("tensorflow>=2.20", "Write tensorflow-cpu."),
        ("jax[cuda12]", "Write jax without [cuda12]."),
        ("XGBoost", "Write xgboost-cpu."),
        ("nvidia-cublas-cu12", "Leave it out."),
        ("cupy-cuda12x", "Leave it out."),
        ("faiss-gpu", "Write faiss-cpu."),
        ("triton", "Leave it out."),
    ],
)
def test_what_brings_cuda_is_refused(tmp_path: Path, requirement: str, way_out: str) -> None:
    """A requirement that drags CUDA along is named with what to write in its place."""
    with pytest.raises(BundleError) as caught:
        packages(tmp_path, more=f'requirements = ["scipy", "{requirement}"]')
    assert str(caught.value) == (
        "The application is to run on processors alone, without a GPU:\n"
        f"  podium.toml: requirements[1]: '{requirement}' brings CUDA along. {way_out}"
    )


def test_builds_without_another_name_are_allowed_elsewhere(tmp_path: Path) -> None:
    """Where there is no build for processors under another name, the plain one is taken."""
    more = 'requirements = ["xgboost>=3.0", "tensorflow>=2.20"]'
    assert added(packages(tmp_path, target=ARM, more=more)) == {"xgboost", "tensorflow"}


def test_what_is_no_requirement_is_told(tmp_path: Path) -> None:
    """A line that pip could not read is named with where it stands."""
    with pytest.raises(BundleError) as caught:
        packages(tmp_path, more='requirements = ["scipy >> 1"]')
    assert str(caught.value) == (
        "podium.toml: requirements[0]: 'scipy >> 1' is no requirement such as 'scipy>=1.14'. "
        "Write name and version alone."
    )


MLMODEL = """\
flavors:
  python_function:
    loader_module: {loader}
    {path}
"""


def test_a_program_of_mlflow_brings_what_it_was_logged_with(tmp_path: Path) -> None:
    """Its requirements.txt counts but for MLflow, whose extra leaves the server out."""
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "MLmodel").write_text(MLMODEL.format(loader="mlflow.pyfunc.model", path=""))
    (folder / "requirements.txt").write_text("# logged\nmlflow==3.4.0\nscipy==1.16.0  # pinned\n")
    found = packages(tmp_path, "net")
    assert found.extras == ("mlflow",)
    assert added(found) == {"mlflow-skinny", "pandas", "scipy"}
    (folder / "requirements.txt").write_text("\nnvidia-nccl-cu12\n")
    with pytest.raises(BundleError, match=r"\n  net/requirements\.txt, line 2: 'nvidia-nccl-cu12'"):
        packages(tmp_path, "net")


def test_data_of_mlflow_brings_its_own_framework(tmp_path: Path) -> None:
    """A model that Podium reads itself needs that runtime, not what it was logged with."""
    folder = tmp_path / "net"
    folder.mkdir()
    (folder / "MLmodel").write_text(
        MLMODEL.format(loader="mlflow.sklearn", path="model_path: m.skops")
    )
    (folder / "m.skops").write_bytes(b"PK\x05\x06" + bytes(18))
    (folder / "requirements.txt").write_text("mlflow==3.4.0\nscikit-learn==1.5.0\n")
    found = packages(tmp_path, "net")
    assert found.extras == ("mlflow", "sklearn")
    assert "scikit-learn>=1.7" in found.lines
    assert added(found) == {"mlflow-skinny", "pandas", "scikit-learn", "skops"}
