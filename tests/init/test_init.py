"""`podium init`: what is made of a model."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.linear_model import LogisticRegression

from podium.app import App
from podium.check import check_application
from podium.errors import FieldError, InvalidInput, ModelError, PodiumError, UntrustedModel
from podium.folder import parse
from podium.init import Look, Order, create_application
from podium.init.bring import Origin
from podium.init.hints import Hints
from podium.options import Options
from podium.pipeline.probe import probe_items
from podium.spec import Reference
from tests.conformance.cases import Case, rows_of
from tests.conformance.graphs import linear
from tests.conformance.onnx_cases import CASES as ONNX
from tests.conformance.sklearn_cases import save, training_set

GUESSED = (
    "logits", "probabilities", "double", "zipmap", "zipmap-whole-numbers", "regressor",
    "regressor-one-at-a-time", "label-and-probabilities", "image-nchw", "image-nhwc",
)  # fmt: skip
DATA = "a,b,c,kind\n" + "".join(f"{x},1,2,{'left' if x > 0 else 'right'}\n" for x in range(-20, 20))


def make(model: Path, folder: Path, **options: Any) -> tuple[str, ...]:
    """Make an application as the command line does."""
    return create_application(Order.parse(str(model), options), folder)


@pytest.mark.parametrize(
    "case", [case for case in ONNX if case.name.removeprefix("onnx-") in GUESSED],
    ids=lambda case: case.name,
)  # fmt: skip
def test_made_application_is_what_was_guessed_and_answers(case: Case, tmp_path: Path) -> None:
    """podium.toml says what was guessed, and the application opens, answers and passes."""
    case.write(tmp_path)
    order = Order.parse(str(tmp_path / case.file), {})
    folder = tmp_path / "app"
    notes = create_application(order, folder)
    app = App(folder)
    guess = Look(folder, app.spec.models[0], order, None)(Hints())
    assert guess.notes == notes
    assert (app.spec.title, app.spec.task.kind) == (guess.title, guess.kind)
    assert (app.signature.features, app.signature.image) == (guess.features, guess.image)
    assert app.signature.labels == guess.labels
    items = probe_items(app.signature)
    assert len(app.predict(items, Options()).predictions) == len(items)
    assert check_application(folder).passed


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder that holds something is left alone, with the way out."""
    linear(tmp_path / "m.onnx")
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(PodiumError) as caught:
        make(tmp_path / "m.onnx", folder)
    message = f"{folder} exists and is not empty. Choose another with --output."
    assert str(caught.value) == message
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]
    with pytest.raises(PodiumError, match="exists and is not empty"):
        make(tmp_path / "m.onnx", folder / "notes.txt")


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    """An empty folder is taken."""
    linear(tmp_path / "m.onnx")
    (tmp_path / "app").mkdir()
    make(tmp_path / "m.onnx", tmp_path / "app")
    assert (tmp_path / "app/models/m.onnx").read_bytes() == (tmp_path / "m.onnx").read_bytes()


@pytest.mark.parametrize("there", [True, False])
def test_nothing_is_left_of_what_is_no_model(there: bool, tmp_path: Path) -> None:
    """A file that cannot be loaded leaves nothing behind; a folder that was there stays."""
    (tmp_path / "m.onnx").write_bytes(b"no model")
    folder = tmp_path / "new/app"
    if there:
        folder.mkdir(parents=True)
    with pytest.raises(ModelError, match=r"m\.onnx"):
        make(tmp_path / "m.onnx", folder)
    assert folder.exists() is there
    assert (tmp_path / "new").exists() is there
    assert not there or list(folder.iterdir()) == []


def test_folder_inside_of_the_model_is_refused(tmp_path: Path) -> None:
    """An application inside of the folder that it copies would copy itself."""
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf/config.json").write_text("{}")
    with pytest.raises(PodiumError, match=r"hf/app lies in the model itself\. Choose another"):
        make(tmp_path / "hf", tmp_path / "hf/app")
    assert [path.name for path in (tmp_path / "hf").iterdir()] == ["config.json"]


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where nothing can be written, that is told in words."""
    linear(tmp_path / "m.onnx")
    (tmp_path / "file").touch()
    with pytest.raises(PodiumError, match=r"file/app cannot be made: .*Not a directory"):
        make(tmp_path / "m.onnx", tmp_path / "file/app")


@pytest.mark.parametrize("location", ["m.onnx.data", "weights.bin"])
def test_weights_beside_the_graph_are_taken_along(location: str, tmp_path: Path) -> None:
    """A graph's weights in another file are copied too, whatever its name."""
    linear(tmp_path / "m.onnx")
    model: Any = onnx.load(tmp_path / "m.onnx")
    onnx.save(
        model, str(tmp_path / "m.onnx"), save_as_external_data=True, location=location,
        size_threshold=0, convert_attribute=True,
    )  # fmt: skip
    make(tmp_path / "m.onnx", tmp_path / "app")
    app = App(tmp_path / "app")
    assert len(app.predict(rows_of((1.0, 2.0, 3.0)), Options()).predictions) == 1


@pytest.mark.parametrize("name", ["top", "seed"])
def test_feature_of_a_reserved_name_is_told(name: str, tmp_path: Path) -> None:
    """Features of a reserved name make no folder that cannot be opened, but an error in words."""
    fitted = LogisticRegression().fit(*training_set())
    fitted.feature_names_in_ = np.array(["a", "b", name], np.object_)
    with pytest.raises(InvalidInput, match=name):
        make(save(tmp_path, fitted), tmp_path / "app")
    assert not (tmp_path / "app").exists()


def test_all_options_that_are_wrong_are_told_at_once(tmp_path: Path) -> None:
    """Mistakes of every kind stand in one error, before anything is read."""
    with pytest.raises(InvalidInput) as caught:
        Order.parse("x.onnx", {"name": "a b", "labels": "a", "size": "x", "text": True,
                               "data": tmp_path / "d.csv", "factory": "f"})  # fmt: skip
    assert [error.field for error in caught.value.errors] == [
        "MODEL", "--name", "--factory", "--labels", "--size", "--data",
    ]  # fmt: skip
    with pytest.raises(InvalidInput) as other:
        Order.parse(None, {"offer_data": True})
    assert [error.field for error in other.value.errors] == ["MODEL", "--offer-data"]


def test_options_become_what_podium_toml_says(tmp_path: Path) -> None:
    """Title, names, labels, target and the model's name are as the maker says."""
    linear(tmp_path / "m.onnx")
    make(tmp_path / "m.onnx", tmp_path / "app", title="Birds", labels="p,q,r", features="x,y,z",
         target="bird", name="best")  # fmt: skip
    parsed = parse(tmp_path / "app")
    assert (parsed.spec.title, parsed.labels, parsed.spec.task.target) == (
        "Birds", ("p", "q", "r"), "bird",
    )  # fmt: skip
    assert [one.name for one in parsed.spec.features] == ["x", "y", "z"]
    assert parsed.spec.models[0].name == "best"
    assert "guessed" not in (tmp_path / "app/podium.toml").read_text()


def test_data_fill_in_the_rest(tmp_path: Path) -> None:
    """Names, ranges, labels and examples come from the data, which stay private."""
    x, y = training_set()
    fitted = LogisticRegression().fit(x, y)
    rows = [f"{index},{','.join(map(str, row))},{kind}\n"
            for index, (row, kind) in enumerate(zip(x.tolist(), y, strict=True))]  # fmt: skip
    data = tmp_path / "train.csv"
    data.write_text("id,a,b,c,kind\n" + "".join(rows))
    notes = make(save(tmp_path, fitted), tmp_path / "app", data=data, target="kind")
    app = App(tmp_path / "app")
    assert app.signature.names == ("a", "b", "c")
    assert app.signature.features[0].range == (x[:, 0].min(), x[:, 0].max())
    assert [one.expected for one in app.spec.examples] == ["left", "middle", "right"]
    assert notes[0] == "Columns of train.csv that are left out: id."
    assert check_application(tmp_path / "app").passed
    assert not (tmp_path / "app/data").exists()
    assert app.spec.references == ()


def test_data_are_offered_where_the_maker_says_so(tmp_path: Path) -> None:
    """With --offer-data the file is copied, can be downloaded, and counts as training data."""
    linear(tmp_path / "m.onnx")
    data = tmp_path / "d.csv"
    data.write_text("a,b,c,kind\n1,2,3,x\n2,3,4,y\n3,4,5,z\n")
    make(tmp_path / "m.onnx", tmp_path / "app", data=data, target="kind", offer_data=True)
    spec = parse(tmp_path / "app").spec
    assert spec.references == (Reference(title="The data set", file="data/d.csv"),)
    assert spec.task.training == "data/d.csv"
    assert (tmp_path / "app/data/d.csv").read_text() == data.read_text()


def test_data_need_a_target(tmp_path: Path) -> None:
    """Without the column of the answers, those that there are are told."""
    linear(tmp_path / "m.onnx")
    (tmp_path / "d.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InvalidInput) as caught:
        make(tmp_path / "m.onnx", tmp_path / "app", data=tmp_path / "d.csv")
    message = f"is missing: which column of {tmp_path / 'd.csv'} holds the answers? a, b"
    assert caught.value.errors == (FieldError("--target", message),)


CODE = """
import numpy as np
from weights import W

def predict(x):
    return x @ W
"""


def test_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The maker's function, with what it imports, answers once the maker says what it takes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(CODE)
    (tmp_path / "weights.py").write_text("import numpy as np\nW = np.eye(3)\n")
    model = Path("own.py:predict")
    with pytest.raises(ModelError, match=r"own:predict does not say what it takes\. Say it: --fea"):
        make(model, tmp_path / "app")
    assert not (tmp_path / "app").exists()
    make(model, tmp_path / "app", features="a,b,c", labels="x,y,z")
    assert check_application(tmp_path / "app").passed
    answer = App(tmp_path / "app").predict(rows_of((0.0, 9.0, 0.0)), Options())
    assert answer.predictions[0].label == "y"  # type: ignore[union-attr]


def test_own_code_that_reads_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the code needs is asked for, and copied beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reads.py").write_text(
        "from pathlib import Path\nimport numpy as np\nclass Net:\n"
        "    def __init__(self):\n"
        "        self.w = np.loadtxt(Path(__file__).with_name('w.txt'), ndmin=2)\n"
        "    def predict(self, x):\n        return x @ self.w\n"
    )
    np.savetxt(tmp_path / "w.txt", np.eye(2))
    options = {"python": "reads:Net", "features": "2"}
    with pytest.raises(ModelError, match="Name what it reads as MODEL: podium init FILE --python"):
        create_application(Order.parse(None, options), tmp_path / "app")
    make(Path("w.txt"), tmp_path / "app", **options)
    assert check_application(tmp_path / "app").passed


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a model that is loaded only if the maker vouches for it."""
    fitted = LogisticRegression().fit(*training_set())
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(fitted))
    return tmp_path / "m.pkl"


def test_program_is_refused(program: Path, tmp_path: Path) -> None:
    """A program makes nothing; the refusal names the option."""
    with pytest.raises(UntrustedModel) as caught:
        make(program, tmp_path / "app")
    assert str(caught.value).startswith("m.pkl is a pickle")
    assert str(caught.value).endswith("`podium init MODEL --trust` writes that line.")
    assert not (tmp_path / "app").exists()


def test_program_that_the_maker_vouches_for(program: Path, tmp_path: Path) -> None:
    """With --trust the sha256 of this very file is written."""
    make(program, tmp_path / "app", trust=True)
    (model,) = parse(tmp_path / "app").spec.models
    assert model.trust is not None
    assert len(model.trust) == 64
    assert check_application(tmp_path / "app").passed


def test_trust_that_is_not_needed_is_not_written(tmp_path: Path) -> None:
    """A model that is data needs no trust, and is told so."""
    linear(tmp_path / "m.onnx")
    notes = make(tmp_path / "m.onnx", tmp_path / "app", trust=True)
    assert notes[-1] == "--trust was not needed: the model is data."
    assert parse(tmp_path / "app").spec.models[0].trust is None


class Strange:
    """A type that skops does not trust."""


def test_trust_does_not_help_against_a_bad_file(tmp_path: Path) -> None:
    """What is refused for another reason stays refused, without a hint at --trust."""
    fitted = LogisticRegression().fit(*training_set())
    fitted.extra = Strange()
    for trust in (False, True):
        with pytest.raises(UntrustedModel, match="Strange") as caught:
            make(save(tmp_path, fitted), tmp_path / "app", trust=trust)
        assert "--trust" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "folder"),
    [("m.onnx", "m"), ("hf", "hf-app"), ("org/bert.v2", "bert.v2"), ("net.py:f", "net")],
)
def test_folder_is_called_after_the_model(
    model: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --output the folder has the model's name, and is never the model itself."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hf").mkdir()
    for name in ("m.onnx", "net.py"):
        (tmp_path / name).touch()
    assert Order(Origin.parse(model)).folder == Path(folder)


def test_folder_without_space_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full leaves nothing behind, and is told."""
    linear(tmp_path / "m.onnx")

    def full(_from: object, _to: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(PodiumError, match="No space left on device"):
        make(tmp_path / "m.onnx", tmp_path / "app")
    assert not (tmp_path / "app").exists()
