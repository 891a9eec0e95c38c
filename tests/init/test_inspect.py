"""What a model, its maker and labelled data tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper
from sklearn.linear_model import LinearRegression, LogisticRegression

from podium.errors import FieldError, InvalidInput, ModelError
from podium.init.guess import Guess
from podium.init.hints import Hints
from podium.init.inspect import CHECK, expected_from, inspect_model, untold
from podium.init.table import LabelledTable, read_table
from podium.init.task import ONE_NUMBER
from podium.runtimes import Arrays, Model, Source, TensorSpec, load
from podium.spec import Feature, Image, TextInput
from tests.conformance.graphs import BOOL, FLOAT, INT64, SINGLE, UINT8, constant, linear, save
from tests.conformance.onnx_cases import CASES as ONNX
from tests.conformance.onnx_cases import FILE
from tests.conformance.sklearn_cases import save as save_sklearn
from tests.conformance.sklearn_cases import training_set

CASES = {case.name: case for case in ONNX}
LABELS = "The file names no classes: write their names under [task] labels."
FEATURES = "The file names no features: write their names, units and ranges."
SLICE = {"from": 0, "to": 3, "axis": 1}
XS = (Feature(name="x0"), Feature(name="x1"), Feature(name="x2"))
OBJECT = np.dtype(np.object_)
DOUBLE = np.dtype(np.float64)
SINGLES = np.dtype(np.float32)


@dataclass(kw_only=True)
class Told(Model):
    """A model that is only what it says of itself; it answers zeros of a shape."""

    platform: str = "told"
    answer: tuple[int, ...] = ()
    output: str = "y"
    asked: list[Arrays] = field(default_factory=list)

    def predict(self, inputs: Arrays) -> dict[str, NDArray[Any]]:
        """Return one zero row an item."""
        self.asked.append(inputs)
        return {self.output: np.zeros((len(next(iter(inputs.values()))), *self.answer))}


def told(*inputs: TensorSpec, **others: Any) -> Told:
    """Return a classifier of two classes with inputs."""
    given: dict[str, Any] = {"task": "classification", "labels": ("no", "yes"), **others}
    return Told(inputs=inputs, **given)


def matrix(width: int | None, **others: Any) -> Told:
    """Return a classifier of a matrix."""
    return told(TensorSpec("X", DOUBLE, (None, width)), **others)


def guess_of(file: Path, **hints: Any) -> Guess:
    """Return what a model file tells."""
    return inspect_model("M", load(Source.alone(file)), Hints(**hints))


def case_of(name: str, folder: Path) -> Guess:
    """Return what the file of a case tells."""
    CASES[f"onnx-{name}"].write(folder)
    return guess_of(folder / FILE)


def data_of(folder: Path, text: str, target: str = "kind") -> LabelledTable:
    """Return labelled data from their text."""
    file = folder / "data.csv"
    file.write_text(text)
    return read_table(file, target)


def mistakes(model: Model, hints: Hints | None = None, data: Any = None) -> list[FieldError]:
    """Return what is wrong with the options of a model that cannot be guessed."""
    with pytest.raises(InvalidInput) as caught:
        inspect_model("M", model, hints or Hints(), data)
    return list(caught.value.errors)


def test_scores_alone(tmp_path: Path) -> None:
    """Three scores make a classifier of three classes; what the file did not tell is marked."""
    linear(tmp_path / "m.onnx")
    unnamed = {f"features[{index}].name": "the file names no columns" for index in range(3)}
    assert guess_of(tmp_path / "m.onnx") == Guess(
        "M", "classification", ("class 0", "class 1", "class 2"), XS,
        why={"title": "from the file's name", "task.labels": "the file names no classes",
             **unnamed},
        notes=(FEATURES, LABELS),
    )  # fmt: skip


def test_classes_of_a_file(tmp_path: Path) -> None:
    """Classes that the file names are the labels, and no guess."""
    found = case_of("zipmap", tmp_path)
    assert (found.kind, found.labels) == ("classification", ("left", "middle", "right"))
    assert found.notes == (FEATURES,)
    assert "task.labels" not in found.why


def test_label_beside_probabilities(tmp_path: Path) -> None:
    """A label beside scores makes a classifier of as many classes as there are scores."""
    found = case_of("label-and-probabilities", tmp_path)
    assert found.kind == "classification"
    assert len(found.labels) == 3


def test_one_number_is_a_regression(tmp_path: Path) -> None:
    """One number an item is a regression's value; it could also be a probability, so a guess."""
    linear(tmp_path / "m.onnx", weights=SINGLE)
    found = guess_of(tmp_path / "m.onnx")
    assert (found.kind, found.labels, found.notes) == (
        "regression", (), (FEATURES, ONE_NUMBER),
    )  # fmt: skip
    assert found.why["task.kind"] == "the model gives one number"


def test_one_number_of_a_classifier_is_of_two_classes(tmp_path: Path) -> None:
    """What the maker calls a classifier has two classes where it has one score."""
    linear(tmp_path / "m.onnx", weights=SINGLE)
    assert guess_of(tmp_path / "m.onnx", task="classification").labels == ("class 0", "class 1")
    assert guess_of(tmp_path / "m.onnx", labels=("no", "yes")).labels == ("no", "yes")


def test_an_input_a_feature(tmp_path: Path) -> None:
    """Inputs of their own are features of their name and kind."""
    nodes = [helper.make_node("Identity", ["a"], ["y"])]
    inputs = [("a", FLOAT, ["N", 1]), ("b", INT64, ["N"]), ("c", BOOL, ["N", 1])]
    save(tmp_path / "m.onnx", nodes, inputs, [("y", FLOAT, ["N", 1])])
    found = guess_of(tmp_path / "m.onnx")
    assert [(one.name, one.kind) for one in found.features] == [
        ("a", "number"), ("b", "integer"), ("c", "boolean"),
    ]  # fmt: skip
    assert found.notes == (ONE_NUMBER,)


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        (["N", 3, 28, 32], Image(size=(28, 32), colour="rgb", layout="NCHW")),
        (["N", 28, 32, 3], Image(size=(28, 32), colour="rgb", layout="NHWC")),
        (["N", 1, 28, 28], Image(size=(28, 28), colour="grey", layout="NCHW")),
        (["N", 28, 28, 1], Image(size=(28, 28), colour="grey", layout="NHWC")),
        ([1, 3, "H", "W"], Image(size=(224, 224), colour="rgb", layout="NCHW")),
    ],
)
def test_images(shape: Any, image: Image, tmp_path: Path) -> None:
    """Four axes are an image, whose channels tell its layout; an open size is 224, a guess."""
    nodes = [
        helper.make_node("Flatten", ["X"], ["flat"]),
        helper.make_node("Slice", ["flat", "from", "to", "axis"], ["y"]),
    ]
    constants = [constant(name, np.array([value])) for name, value in SLICE.items()]
    outputs: Any = [("y", FLOAT, [shape[0], 3])]
    save(tmp_path / "m.onnx", nodes, [("X", FLOAT, shape)], outputs, constants)
    found = guess_of(tmp_path / "m.onnx")
    assert (found.image, found.features) == (image, ())
    assert {key for key, why in found.why.items() if why == CHECK} == {
        f"image.{key}" for key in ("resize", "interpolation", "colour", "scale", "mean", "std")
    }
    assert ("image.size" in found.why) == ("H" in shape)


def test_image_of_bytes_is_not_scaled(tmp_path: Path) -> None:
    """A graph that takes bytes gets 0 to 255; scaled to 1 and cut, all would be black."""
    shape = ["N", 6, 6, 3]
    nodes = [
        helper.make_node("Cast", ["X"], ["floats"], to=FLOAT),
        helper.make_node("Flatten", ["floats"], ["y"]),
    ]
    save(tmp_path / "m.onnx", nodes, [("X", UINT8, shape)], [("y", FLOAT, ["N", 108])])
    found = guess_of(tmp_path / "m.onnx")
    assert found.image is not None
    assert found.image.scale == 1


def test_image_that_the_file_describes_is_no_guess() -> None:
    """How a file says that pictures are prepared is taken as it is."""
    image = Image(size=(8, 9), resize="shortest", mean=(0.5,), std=(0.5,))
    found = inspect_model(
        "M", told(TensorSpec("X", SINGLES, (None, 3, 8, 9)), image=image), Hints()
    )
    assert found.image == image
    assert list(found.why) == ["title"]


def test_size_from_the_maker() -> None:
    """The maker says the size that the file leaves open; one that differs is a mistake."""
    model = told(TensorSpec("X", SINGLES, (None, 3, None, None)))
    found = inspect_model("M", model, Hints(size=(8, 9)))
    assert found.image is not None
    assert (found.image.size, "image.size" in found.why) == ((8, 9), False)
    fixed = told(TensorSpec("X", SINGLES, (None, 3, 8, 8)))
    assert mistakes(fixed, Hints(size=(8, 9))) == [
        FieldError("--size", "the model takes 8x8; leave it out")
    ]


def test_sklearn_classifier_names_all(tmp_path: Path) -> None:
    """An estimator tells its kind, classes and features; nothing is left to guess."""
    fitted = LogisticRegression().fit(*training_set())
    fitted.feature_names_in_ = np.array(["bill", "depth", "mass"], np.object_)
    assert guess_of(save_sklearn(tmp_path, fitted), title="Birds") == Guess(
        "Birds", "classification", ("left", "middle", "right"),
        tuple(Feature(name=name) for name in ("bill", "depth", "mass")),
    )  # fmt: skip


def test_sklearn_regressor(tmp_path: Path) -> None:
    """A regressor is a regression; without names its features are numbered."""
    x, _ = training_set()
    found = guess_of(save_sklearn(tmp_path, LinearRegression().fit(x, x[:, 0])), unit="g")
    assert (found.kind, found.labels, found.features, found.unit) == ("regression", (), XS, "g")
    assert found.notes == (FEATURES,)


def test_sklearn_model_of_one_feature_keeps_its_name(tmp_path: Path) -> None:
    """One feature has the name that the file holds."""
    x, _ = training_set()
    fitted = LinearRegression().fit(x[:, :1], x[:, 0])
    fitted.feature_names_in_ = np.array(["bill"], np.object_)
    assert guess_of(save_sklearn(tmp_path, fitted)).features == (Feature(name="bill"),)


@pytest.mark.parametrize("shape", [(None,), (None, 1)])
def test_text_input(shape: tuple[int | None, ...]) -> None:
    """One text an item is a text input."""
    found = inspect_model("M", told(TensorSpec("t", OBJECT, shape)), Hints())
    assert (found.text, found.features, found.image) == (TextInput(), (), None)


def test_text_with_choices_is_a_category() -> None:
    """An input that tells its choices, and whether it may miss, is a feature."""
    model = told(TensorSpec("island", OBJECT, (None,), ("Biscoe", "Dream"), True))
    assert inspect_model("M", model, Hints()).features == (
        Feature(name="island", kind="category", choices=("Biscoe", "Dream"), optional=True),
    )


def test_columns_of_texts_need_data() -> None:
    """Columns that may be texts, of which the file does not tell which, need data."""
    model = told(TensorSpec("a", DOUBLE, (None,)), TensorSpec("b", OBJECT, (None,)))
    message = (
        "is needed: {} may be texts, and the file does not say which; a labelled CSV file does"
    )
    assert mistakes(model) == [FieldError("--data", message.format("b"))]
    table = told(TensorSpec("X", OBJECT, (None, 2)))
    assert mistakes(table) == [FieldError("--data", message.format("x0, x1"))]


def test_labels_fit_any_output() -> None:
    """Of several outputs, the one that has a score for each label counts."""
    outputs = (TensorSpec("hidden", DOUBLE, (None, 8)), TensorSpec("scores", DOUBLE, (None, 3)))
    model = matrix(2, labels=(), outputs=outputs)
    assert inspect_model("M", model, Hints(labels=("a", "b", "c"))).labels == ("a", "b", "c")
    assert mistakes(model, Hints(labels=("a", "b"))) == [
        FieldError("--labels", "the model has 8 classes; found 2")
    ]
    likely = (*outputs, TensorSpec("probabilities", DOUBLE, (None, 4)))
    assert len(inspect_model("M", matrix(2, labels=(), outputs=likely), Hints()).labels) == 4


def test_shape_that_is_no_input() -> None:
    """Inputs that are neither features nor an image are told, with what to do."""
    with pytest.raises(ModelError, match=r"'X' of shape \[None, 4, 5\] is neither a feature"):
        inspect_model("M", told(TensorSpec("X", DOUBLE, (None, 4, 5))), Hints())


def test_names_from_the_maker() -> None:
    """The maker names the columns of a matrix, as many as it has."""
    found = inspect_model("M", matrix(2), Hints(features=("a", "b")))
    assert found.features == (Feature(name="a"), Feature(name="b"))
    assert mistakes(matrix(2), Hints(features=("a", "b", "c"))) == [
        FieldError("--features", "the model takes 2 columns; found 3: a, b, c")
    ]
    assert mistakes(matrix(2), Hints(columns=3)) == [
        FieldError("--features", "the model takes 2 columns; found 3")
    ]


def test_names_of_the_file_stay() -> None:
    """Columns that the file names cannot be called otherwise."""
    model = matrix(2, features=("a", "b"))
    assert [one.name for one in inspect_model("M", model, Hints(features=("b", "a"))).features] == [
        "a", "b",
    ]  # fmt: skip
    assert mistakes(model, Hints(features=("a", "c"))) == [
        FieldError("--features", "the model itself names its columns: a, b")
    ]


def test_names_that_no_feature_may_have() -> None:
    """Columns called as query parameters, or twice, are told, all at once."""
    assert [error.field for error in mistakes(matrix(4, features=("top", "a", "a", "seed")))] == [
        "MODEL", "MODEL", "MODEL",
    ]  # fmt: skip
    (first, *_) = mistakes(matrix(2, features=("top", "a")))
    assert first.message.startswith("its column 'top' has the name of a query parameter")


@pytest.mark.parametrize(
    ("model", "hints", "options"),
    [
        (matrix(2), Hints(text=True), ["--text"]),
        (matrix(2), Hints(size=(8, 8)), ["--size"]),
        (told(TensorSpec("X", SINGLES, (None, 3, 8, 8))), Hints(text=True), ["--text"]),
        (told(TensorSpec("X", SINGLES, (None, 3, 8, 8))), Hints(columns=3), ["--features"]),
        (told(TensorSpec("t", OBJECT, (None,))), Hints(size=(8, 8)), ["--size"]),
        (matrix(2), Hints(task="regression"), ["--task"]),
        (matrix(2), Hints(unit="g"), ["--unit"]),
        (matrix(2), Hints(labels=("a", "b", "c")), ["--labels"]),
        (matrix(2, labels=(), answer=(3,)), Hints(labels=("a", "b")), ["--labels"]),
        (matrix(2), Hints(labels=("a", "b", "c"), columns=3), ["--features", "--labels"]),
    ],
)
def test_hints_that_contradict_the_model(model: Told, hints: Hints, options: list[str]) -> None:
    """What the maker says and the model refutes is told by its option."""
    assert [error.field for error in mistakes(model, hints)] == options


def test_outputs_that_the_file_does_not_tell_are_tried() -> None:
    """The shape of the answer to a probe batch tells the classes."""
    model = matrix(2, labels=(), task=None, answer=(4,))
    found = inspect_model("M", model, Hints())
    assert (found.kind, len(found.labels), len(model.asked)) == ("classification", 4, 1)
    votes = matrix(2, labels=(), task=None, answer=(7, 3), output="votes")
    assert len(inspect_model("M", votes, Hints()).labels) == 3
    single = inspect_model("M", matrix(2, labels=(), task=None, answer=()), Hints())
    assert (single.kind, single.labels) == ("regression", ())


def test_unknown_number_of_classes() -> None:
    """A classifier that does not tell its classes needs their names from the maker."""
    message = (
        "the model does not say how many classes it has; name the classes, in the model's order"
    )
    assert mistakes(matrix(2, labels=(), answer=())) == [FieldError("--labels", message)]


@pytest.mark.parametrize(
    ("hints", "shape", "dtype"),
    [
        (Hints(columns=3), (None, 3), DOUBLE),
        (Hints(features=("a", "b")), (None, 2), DOUBLE),
        (Hints(size=(8, 9)), (None, 3, 8, 9), SINGLES),
        (Hints(size=(8, 9, 1)), (None, 1, 8, 9), SINGLES),
        (Hints(text=True), (None,), OBJECT),
    ],
)
def test_input_from_the_maker(hints: Hints, shape: Any, dtype: Any) -> None:
    """What a model gets that does not say what it takes."""
    spec = expected_from(hints, None)
    assert spec is not None
    assert (spec.shape, spec.dtype) == (shape, dtype)


def test_input_from_data(tmp_path: Path) -> None:
    """Without the maker's word, the columns of the data are what a model takes."""
    spec = expected_from(Hints(), data_of(tmp_path, "id,a,b,kind\n1,2,3,x\n2,4,5,y\n"))
    assert spec is not None
    assert spec.shape == (None, 2)
    assert expected_from(Hints(), None) is None


def test_what_is_untold() -> None:
    """A model without inputs, or of an open width, leaves something to say."""
    assert untold(told(), Hints(), None).startswith("what it takes. Say it: --features a,b,c")
    assert untold(matrix(None), Hints(), None).startswith("how many columns 'X' has. Say it: ")
    assert untold(matrix(None), Hints(columns=2), None) == ""
    assert untold(matrix(2), Hints(), None) == ""


DATA = """id,width,count,flag,colour,gap,kind
1,1.5,3,true,red,1,yes
2,2.5,4,false,blue,,no
3,3.5,5,true,red,2,no
"""


def test_features_from_data(tmp_path: Path) -> None:
    """Kinds, ranges, choices and gaps come from the data, in the order of the model's columns."""
    names = ("count", "width", "flag", "colour", "gap")
    found = inspect_model("M", matrix(5, features=names), Hints(), data_of(tmp_path, DATA))
    assert found.features == (
        Feature(name="count", kind="integer", range=(3, 5)),
        Feature(name="width", kind="number", range=(1.5, 3.5)),
        Feature(name="flag", kind="boolean"),
        Feature(name="colour", kind="category", choices=("blue", "red")),
        Feature(name="gap", kind="integer", range=(1, 2), optional=True),
    )
    assert found.target == "kind"
    assert found.notes == ("Columns of data.csv that are left out: id.",)
    assert found.why == {
        "title": "from the file's name",
        "features[0].kind": "all its values are whole",
        "features[3].choices": "the model gets a value's index; check the order",
        "features[4].kind": "all its values are whole",
    }


def test_types_of_the_inputs_go_before_the_data(tmp_path: Path) -> None:
    """Choices and types that the file tells stay; texts are categories, whatever they look like."""
    model = told(
        TensorSpec("colour", OBJECT, (None,), ("red", "blue", "green")),
        TensorSpec("flag", OBJECT, (None,)),
        TensorSpec("count", np.dtype(np.int64), (None,)),
    )
    assert inspect_model("M", model, Hints(), data_of(tmp_path, DATA)).features == (
        Feature(name="colour", kind="category", choices=("red", "blue", "green")),
        Feature(name="flag", kind="category", choices=("false", "true")),
        Feature(name="count", kind="integer", range=(3, 5)),
    )


@pytest.mark.parametrize(
    ("cells", "kind"),
    [("True False", "boolean"), ("true false", "category"), ("no yes", "category")],
)
def test_texts_that_are_booleans(cells: str, kind: str, tmp_path: Path) -> None:
    """Where a model takes texts, a column is boolean if true is "True", as Podium writes it."""
    first, second = cells.split()
    model = told(TensorSpec("flag", OBJECT, (None,)), TensorSpec("a", DOUBLE, (None,)))
    data = data_of(tmp_path, f"a,flag,kind\n1,{first},no\n2,{second},yes\n")
    assert inspect_model("M", model, Hints(), data).features[0].kind == kind


def test_columns_of_an_unnamed_matrix(tmp_path: Path) -> None:
    """A matrix without names takes the columns of the data, but for those that name the rows."""
    data = data_of(tmp_path, "id,a,b,kind\n1,2,3,no\n2,4,5,yes\n")
    found = inspect_model("M", matrix(2), Hints(), data)
    assert [one.name for one in found.features] == ["a", "b"]
    assert found.why["features[0].name"] == "the columns of data.csv in their order"
    every = inspect_model("M", matrix(3), Hints(), data)
    assert [one.name for one in every.features] == ["id", "a", "b"]
    assert mistakes(matrix(4), None, data) == [
        FieldError("--data", "the model takes 4 columns; found 2: a, b. Name those that it takes "
                   "with --features")
    ]  # fmt: skip
    assert mistakes(matrix(None), Hints(columns=4), data) == mistakes(matrix(4), None, data)


def test_columns_that_the_data_lack(tmp_path: Path) -> None:
    """Each column of the model that the data lack is told with the nearest that they have."""
    model, file = matrix(3, features=("widht", "kind", "mass")), tmp_path / "data.csv"
    assert mistakes(model, None, data_of(tmp_path, "width,kind\n1,no\n2,yes\n")) == [
        FieldError("--data", f"{file} has no column 'widht'. Did you mean 'width'?"),
        FieldError("--target", "'kind' is a column that the model takes; the target is what it "
                   "predicts"),
        FieldError("--data", f"{file} has no column 'mass'. Columns: width."),
    ]  # fmt: skip


def test_column_of_one_text_is_no_category(tmp_path: Path) -> None:
    """A column of one text, or of too many, is told."""
    rows = "".join(f"a,name {row},no\n" for row in range(1001))
    data = data_of(tmp_path, f"one,many,kind\n{rows}")
    found = [error.message.partition(";")[0]
             for error in mistakes(matrix(2, features=("one", "many")), None, data)
             if error.field == "--data"]  # fmt: skip
    assert found == [
        "the column 'one' holds one value alone",
        "the column 'many' holds too many different texts",
    ]


@pytest.mark.parametrize(
    ("own", "values", "labels", "guessed"),
    [
        (("no", "yes"), "no yes", ("no", "yes"), False),
        (("yes", "no"), "no yes", ("yes", "no"), False),
        (("True", "False"), "true false", ("True", "False"), False),
        (("1.0", "2.0"), "2 1", ("1.0", "2.0"), False),
        (("0", "1"), "no yes", ("no", "yes"), True),
        (("LABEL_0", "LABEL_1"), "yes no", ("no", "yes"), True),
        ((), "yes no", ("no", "yes"), True),
        ((), "10 9", ("9", "10"), True),
        (("0", "1"), "1 0", ("0", "1"), False),
        (("0", "1", "2"), "1 0", ("0", "1", "2"), False),
    ],
)
def test_labels_from_data(
    own: tuple[str, ...], values: str, labels: tuple[str, ...], guessed: bool, tmp_path: Path
) -> None:
    """The file's names go first; classes that are only counted get the values in their order."""
    rows = "".join(f"{index},{value}\n" for index, value in enumerate(values.split()))
    model = matrix(1, labels=own, answer=(2,))
    found = inspect_model("M", model, Hints(), data_of(tmp_path, f"a,kind\n{rows}"))
    assert found.labels == labels
    assert ("task.labels" in found.why) is guessed


@pytest.mark.parametrize(
    ("model", "rows", "error"),
    [
        (matrix(1), "1,maybe\n2,no\n",
         FieldError("--target", "'kind' holds 'maybe'; the model's labels are: no, yes")),
        (matrix(1, labels=(), answer=(3,)), "1,a\n2,b\n",
         FieldError("--labels", "the model has 3 classes, and kind 2 values; name the classes, in "
                    "the model's order")),
        (matrix(1, labels=(), task="regression"), "1,a\n2,b\n",
         FieldError("--target", "'kind' of data.csv holds texts; the model predicts a number")),
        (matrix(1), "".join(f"1,{row}\n" for row in range(1001)),
         FieldError("--target", "'kind' has more than 1,000 different values; a classification "
                    "has labels")),
    ],
)  # fmt: skip
def test_answers_that_the_model_cannot_give(
    model: Told, rows: str, error: FieldError, tmp_path: Path
) -> None:
    """A target that the model does not predict is told."""
    assert mistakes(model, None, data_of(tmp_path, f"a,kind\n{rows}")) == [error]


@pytest.mark.parametrize(
    ("values", "kind"), [("no yes", "classification"), ("0 1", "classification"),
                         ("0.5 1.5 2", "regression")]
)  # fmt: skip
def test_task_from_data(values: str, kind: str, tmp_path: Path) -> None:
    """One number an item is a regression's value or a probability: the answers tell which."""
    rows = "".join(f"1,{value}\n" for value in values.split())
    model = matrix(1, labels=(), task=None, answer=(1,))
    found = inspect_model("M", model, Hints(), data_of(tmp_path, f"a,kind\n{rows}"))
    assert (found.kind, found.why["task.kind"]) == (kind, "from the values of kind")


REVIEWS = "id,review,stars,kind\n1,very good,5,yes\n2,quite bad,1,no\n3,very bad,1,no\n"


def test_texts_from_data(tmp_path: Path) -> None:
    """The only column of texts holds the texts; the maker may name another."""
    model = told(TensorSpec("t", OBJECT, (None,)))
    data = data_of(tmp_path, REVIEWS)
    assert inspect_model("M", model, Hints(), data).text_column == "review"
    assert inspect_model("M", model, Hints(features=("stars",)), data).text_column == "stars"
    two = data_of(tmp_path, "a,b,kind\nx,y,no\nz,w,yes\n")
    assert mistakes(model, None, two) == [
        FieldError("--features", "which column of data.csv holds the text? One of: a, b")
    ]
    assert [error.field for error in mistakes(model, Hints(features=("c",)), two)] == ["--features"]


def test_input_of_few_texts_is_a_category_of_its_name(tmp_path: Path) -> None:
    """Where the data have a column of an input's name that holds few values, it is a category."""
    data = data_of(tmp_path, "colour,kind\nred,no\nblue,yes\nred,no\n")
    found = inspect_model("M", told(TensorSpec("colour", OBJECT, (None, 1))), Hints(), data)
    assert found.features == (Feature(name="colour", kind="category", choices=("blue", "red")),)
