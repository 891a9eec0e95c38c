"""What is special about the maker's own Python: what it may return, and what may go wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from podium.app import App
from podium.errors import Mistake, ModelError, SpecError
from podium.options import Options
from podium.prediction import Answer, ClassPrediction, ValuePrediction
from podium.runtimes import Source, TensorSpec, load, model_files
from podium.usercode import load_object
from tests.conformance.cases import NUMBERS, build, numbers, rows_of
from tests.conformance.python_cases import FILE, FUNCTION, HEAD, PythonCase, logits, module

ROWS = rows_of((0.1, 0.2, 0.3), (1.0, 2.0, 3.0))
PREDICT = "def predict(x):\n    return "


def application(folder: Path, text: str, **more: object) -> App:
    """Return an application of the module m.py."""
    case = PythonCase("own", FILE, module(text, logits), numbers, **more)  # type: ignore[arg-type]
    return build(case, folder).app


def answers(app: App) -> list[dict[str, float] | None]:
    """Return the probabilities of ROWS."""
    found = app.predict(ROWS, Options()).predictions
    return [one.probabilities for one in found if isinstance(one, ClassPrediction)]


def refusal(folder: Path, text: str, **more: object) -> str:
    """Return why the model of a module is not loaded."""
    with pytest.raises(ModelError) as caught:
        application(folder, text, **more).served()
    return str(caught.value)


RETURNED: dict[str, str] = {
    "list": "(x @ WEIGHTS + BIAS).tolist()",
    "tensor": "torch.tensor(x @ WEIGHTS + BIAS)",
    "tensor with a gradient": "torch.tensor(x @ WEIGHTS + BIAS, requires_grad=True) * 1",
    "frame": "pandas.DataFrame(x @ WEIGHTS + BIAS, columns=list('abc'))",
    "dict of tensors": "{'logits': torch.tensor(x @ WEIGHTS + BIAS)}",
}


@pytest.mark.parametrize("kind", RETURNED)
def test_whatever_holds_numbers_may_be_returned(kind: str, tmp_path: Path) -> None:
    """A list, a tensor and a frame answer as the array that they hold."""
    expected = answers(application(tmp_path / "plain", FUNCTION))
    text = f"import pandas\nimport torch\n\n{PREDICT}{RETURNED[kind]}\n"
    assert answers(application(tmp_path / "other", text)) == expected


@pytest.mark.parametrize(
    ("value", "returned"),
    [
        ("(x @ WEIGHTS)[:-1]", "ndarray [15, 3]"),
        ("(x @ WEIGHTS).T", "ndarray [3, 16]"),
        ("(x @ WEIGHTS)[0]", "ndarray [3]"),
        ("[0.1, 0.2, 0.7]", "list [3]"),
        ("{'probabilities': shares(x @ WEIGHTS), 'n': [1]}", "list [1]"),
        ("None", "None"),
        ("0.5", "0.5"),
    ],
    ids=["too few", "turned", "one row", "list", "one of several", "nothing", "number"],
)
def test_another_number_of_rows_is_refused(value: str, returned: str, tmp_path: Path) -> None:
    """A model that does not answer each item, which could mix up answers, is not loaded."""
    assert refusal(tmp_path, f"{PREDICT}{value}\n") == (
        f"'m:predict' returned {returned} for 16 items; expected [16, ...], one answer an item in "
        "their order"
    )


def test_another_number_of_rows_is_refused_at_a_request(tmp_path: Path) -> None:
    """What answers the probe batch and then loses a row fails the request, in words."""
    app = application(tmp_path, f"{PREDICT}(x @ WEIGHTS)[: 1 if len(x) == 2 else None]\n")
    assert len(app.predict(ROWS[:1], Options()).predictions) == 1
    with pytest.raises(ModelError, match=r"^'m:predict' returned ndarray \[1, 3\] for 2 items;"):
        app.predict(ROWS, Options())


@pytest.mark.parametrize("key", ["preprocess", "postprocess"])
def test_own_functions_that_lose_a_row_are_refused(key: str, tmp_path: Path) -> None:
    """A function of [pipeline] that makes another number of rows fails the request, in words."""
    text = f"{FUNCTION}\n\ndef some(rows):\n    return READ[: 1 if len(READ) == 2 else None]\n"
    what = {"preprocess": "np.array([[row[n] for n in 'abc'] for row in rows])",
            "postprocess": "shares(rows['output'])"}[key]  # fmt: skip
    toml = f'{NUMBERS}\n[pipeline]\n{key} = "m:some"\n'
    app = application(tmp_path, text.replace("READ", what), inputs_toml=toml)
    message = "There are 1 answers for 2 items. preprocess, model and postprocess keep one row"
    with pytest.raises(ModelError, match=f"^{re.escape(message)}"):
        app.predict(ROWS, Options())


@pytest.mark.parametrize(
    ("returned", "found"), [("['Left'] * len(x)", "Left"), ("[3] * len(x)", "3")]
)
def test_an_answer_that_is_no_label_is_refused(returned: str, found: str, tmp_path: Path) -> None:
    """A name or a number that is none of the labels is never taken for one of them."""
    app = application(tmp_path, f"{PREDICT}{returned}\n")
    message = f"The model answered {found}, which is none of the labels: left, middle, right"
    with pytest.raises(ModelError, match=f"^{message}$"):
        app.predict(ROWS, Options())


LINES = HEAD.count("\n")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def predicted(x):\n    return x\n",
         "ImportError: m.py has no 'predict'. Did you mean 'predicted'?"),
        ("predict = 3\n", "TypeError: 'predict' is not callable"),
        ("1 / 0\n", f"ZeroDivisionError: division by zero (m.py, line {LINES + 1})"),
        ("import no_such_package\n",
         f"ModuleNotFoundError: No module named 'no_such_package' (m.py, line {LINES + 1})"),
        ("def predict(:\n", f"SyntaxError: invalid syntax (m.py, line {LINES + 1})"),
        ("import sys\nsys.exit()\n",
         "ImportError: m.py ends the program when it is imported. Put what is to run as a script "
         'under: if __name__ == "__main__"'),
        ("class predict:\n    def __init__(self):\n        self.w = open('none.npy')\n",
         f"FileNotFoundError: [Errno 2] No such file or directory: 'none.npy' "
         f"(m.py, line {LINES + 3})"),
        ("class predict:\n    pass\n",
         "TypeError: a predict has no predict and cannot be called"),
    ],
    ids=["no such name", "no function", "raises", "no such package", "broken", "leaves",
         "cannot be made", "no model"],
)  # fmt: skip
def test_what_cannot_be_loaded(text: str, why: str, tmp_path: Path) -> None:
    """What is wrong with the maker's code is told with its place."""
    assert refusal(tmp_path, text) == f"'m:predict' in m.py cannot be loaded: {why}"


def test_no_such_module(tmp_path: Path) -> None:
    """A module that is not there is told when podium.toml is read, with where it was looked for."""
    folder = tmp_path / "app"
    with pytest.raises(SpecError) as caught:
        refusal(folder, FUNCTION, code="nets:predict")
    expected = Mistake("models[0].python", f"there is no module 'nets' in {folder}")
    assert caught.value.mistakes == (expected,)


def test_python_model_as_a_file(tmp_path: Path) -> None:
    """A .py file is not served as a model's file: it does not say which function is meant."""
    (tmp_path / FILE).write_text(FUNCTION)
    with pytest.raises(ModelError, match=r'^m\.py: write python = "module:name" instead of file$'):
        load(Source.alone(tmp_path / FILE))


def test_what_raises_on_the_probe_batch(tmp_path: Path) -> None:
    """A function that fails on any batch is told when it is loaded, with its line."""
    assert refusal(tmp_path, f"{PREDICT}x['a']\n") == (
        "'m:predict' raises IndexError: only integers, slices (`:`), ellipsis (`...`), "
        "numpy.newaxis (`None`) and integer or boolean arrays are valid indices "
        f"(m.py, line {LINES + 2})"
    )


def test_what_raises_at_a_request(tmp_path: Path) -> None:
    """What fails on one request alone is told with its line, and the next one is answered."""
    app = application(tmp_path, f"{PREDICT}x @ WEIGHTS / (1 if len(x) != 2 else [][0])\n")
    with pytest.raises(ModelError) as caught:
        app.predict(ROWS, Options())
    place = f"(m.py, line {LINES + 2})"
    assert str(caught.value) == f"'m:predict' raises IndexError: list index out of range {place}"
    assert len(app.predict(ROWS[:1], Options()).predictions) == 1


def test_a_class_is_made_once(tmp_path: Path) -> None:
    """A class reads its weights once, whatever the number of requests and threads."""
    text = """
class Net:
    made = 0

    def __init__(self):
        Net.made += 1

    def predict(self, x):
        return np.full(len(x), float(Net.made))
"""
    app = application(tmp_path, text, code="m:Net", kind="regression", labels=())
    for _ in range(3):
        found: Answer = app.predict(ROWS, Options())
        assert [one.value for one in found.predictions if isinstance(one, ValuePrediction)] == [
            1.0, 1.0,
        ]  # fmt: skip


def test_what_the_function_gets(tmp_path: Path) -> None:
    """Features come as a matrix of doubles, texts as an array of texts, images as [image] says."""
    text = """
seen = []

def seen_by_now():
    return seen

def predict(x):
    seen.append((str(x.dtype), x.shape))
    return np.eye(3)[[0] * len(x)]
"""
    given: dict[str, tuple[str, Callable[[int], tuple[int, ...]]]] = {
        NUMBERS: ("float64", lambda rows: (rows, 3)),
        "[text]": ("object", lambda rows: (rows,)),
        "[image]\nsize = [4, 5]": ("float32", lambda rows: (rows, 3, 4, 5)),
        '[image]\nsize = [4, 5]\ncolour = "grey"\nlayout = "NHWC"':
            ("float32", lambda rows: (rows, 4, 5, 1)),
    }  # fmt: skip
    for number, (inputs_toml, (dtype, shape)) in enumerate(given.items()):
        app = application(tmp_path / str(number), text, inputs_toml=inputs_toml)
        app.served()
        seen = load_object(app.folder, "m:seen_by_now")()
        rows = seen[0][1][0]
        assert set(seen) == {(dtype, shape(rows))}
        assert rows > 1


def test_python_that_a_symbolic_link_leads_to_is_refused(tmp_path: Path) -> None:
    """A module outside of the application folder is not run."""
    marker = tmp_path / "ran"
    outside = tmp_path / "outside.py"
    outside.write_text(f"open({str(marker)!r}, 'w')\n{FUNCTION}")
    app = application(tmp_path / "app", FUNCTION)
    (app.folder / FILE).unlink()
    (app.folder / FILE).symlink_to(outside)
    with pytest.raises(ModelError, match=r"^m\.py: m\.py leads outside of app/\."):
        app.served()
    assert not marker.exists()


def test_a_package_has_the_version_of_all_its_modules(tmp_path: Path) -> None:
    """A package is one model: what changes in any of its modules changes the version."""
    package = tmp_path / "nets"
    package.mkdir()
    (package / "__init__.py").write_text("from .layers import predict\n")
    (package / "layers.py").write_text(HEAD + FUNCTION)
    app = application(tmp_path, FUNCTION, code="nets:predict")
    plain = answers(application(tmp_path, FUNCTION))
    assert answers(App(tmp_path)) == plain
    assert model_files(package / "__init__.py") == (
        package / "__init__.py", package / "layers.py",
    )  # fmt: skip
    version = app.version("m")
    (package / "layers.py").write_text(HEAD + FUNCTION + "# another\n")
    assert app.version("m") != version


def test_an_answer_is_sent_as_json(tmp_path: Path) -> None:
    """Whatever number type the maker's function gives, the answer is JSON."""
    text = f"{PREDICT}np.float32(x[:, 0])\n"
    app = application(tmp_path, text, kind="regression", labels=())
    answer = msgspec.json.decode(msgspec.json.encode(app.predict(ROWS, Options())))
    assert [one["value"] for one in answer["predictions"]] == pytest.approx([0.1, 1.0])


def test_input_of_a_model_that_says_nothing_itself(tmp_path: Path) -> None:
    """The model takes what the application makes, and anything behind a preprocess."""
    (tmp_path / FILE).write_text(HEAD + FUNCTION)
    expects = TensorSpec("X", np.dtype(np.float64), (None, 3))
    source = Source.alone(tmp_path / FILE, runtime="python", code="m:predict", expects=expects)
    assert load(source).inputs == (expects,)
    free = Source.alone(tmp_path / FILE, runtime="python", code="m:predict")
    assert load(free).inputs == ()
