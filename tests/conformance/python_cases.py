"""The cases of the maker's own Python: modules beside podium.toml."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.conformance.cases import (
    MIXED,
    Case,
    Inputs,
    Oracle,
    encoded,
    matrix,
    mixed,
    numbers,
)
from tests.conformance.graphs import BIAS, SINGLE, WEIGHTS, softmax
from tests.conformance.onnx_cases import image_toml, pictures, write_pictures

FILE = "m.py"
HEAD = f"""import numpy as np

WEIGHTS = np.array({WEIGHTS.tolist()})
BIAS = np.array({BIAS.tolist()})


def shares(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


"""
"""How each module begins."""

FUNCTION = """def predict(x):
    return x @ WEIGHTS + BIAS
"""


@dataclass(frozen=True)
class PythonCase(Case):
    """A module of the maker, and what `python` names in it."""

    code: str = "m:predict"

    @property
    def toml(self) -> str:
        """The text of podium.toml."""
        return super().toml.replace(f'file = "{self.file}"', f'python = "{self.code}"')


def module(text: str, answer: Oracle) -> Callable[[Path], Oracle]:
    """Write m.py: the common beginning and `text`."""

    def write(folder: Path) -> Oracle:
        (folder / FILE).write_text(HEAD + text)
        return answer

    return write


def logits(inputs: Inputs) -> NDArray[np.float64]:
    """Return the probabilities of the linear model."""
    return softmax(matrix(inputs) @ WEIGHTS + BIAS)


def _value(inputs: Inputs) -> NDArray[np.float64]:
    return np.asarray((matrix(inputs) @ SINGLE)[:, 0])


def _hot(inputs: Inputs) -> NDArray[np.float64]:
    return np.asarray(logits(inputs).argmax(axis=1)[:, None] == np.arange(3), np.float64)


def _of_mixed(inputs: Inputs) -> NDArray[np.float64]:
    width, count, flag, colour = encoded(inputs).T
    return softmax(np.stack([width, count / 9, flag + colour], axis=1))


WITH_STATE = """
from pathlib import Path


class Net:
    def __init__(self):
        self.weights = np.load(Path(__file__).with_name("weights.npy"))

    def predict(self, x):
        return {"logits": x @ self.weights + BIAS, "rows": np.arange(len(x))}
"""


def _with_state(folder: Path) -> Oracle:
    np.save(folder / "weights.npy", WEIGHTS)
    return module(WITH_STATE, logits)(folder)


CALLED = """
class Net:
    def __call__(self, x):
        return shares(x @ WEIGHTS + BIAS)


net = Net()
"""

VALUE = """
def predict(x):
    return x @ WEIGHTS[:, 0]
"""

SEVERAL = """
def prepare(rows):
    wide = np.array([[row["width"], row["count"] / 9] for row in rows])
    codes = [row["flag"] + ("red", "green", "blue").index(row["colour"]) for row in rows]
    return {"wide": wide, "codes": np.array(codes, np.int64)}


def predict(inputs):
    return np.column_stack([inputs["wide"], inputs["codes"]])
"""

VOTES = """
def predict(x):
    members = [x @ WEIGHTS + BIAS + turn for turn in np.eye(3)]
    return {"votes": np.stack([shares(one) for one in members], axis=1)}
"""

LISTED = """
def predict(x):
    names = "left", "middle", "right"
    return [names[best] for best in (x @ WEIGHTS + BIAS).argmax(axis=1)]
"""

PICTURES = """
def predict(images):
    return 3 * images.mean(axis=(1, 2)) @ WEIGHTS
"""


def _pictures(folder: Path) -> Oracle:
    return module(PICTURES, write_pictures("NHWC")(folder))(folder)


TEXTS = """
def predict(texts):
    counts = [[text.count(letter) for letter in "ab\\u00df"] for text in texts]
    return np.array(counts) / 9
"""

LETTERS = "abß"


def texts(count: int) -> list[dict[str, object]]:
    """Return texts of several scripts and lines."""
    rng = np.random.default_rng(3)
    drawn = rng.choice(list("abß \n\u0645😀"), (count, 12))
    return [{"text": "x" + "".join(row)} for row in drawn]


def _counted(inputs: Inputs) -> NDArray[np.float64]:
    given = [str(one["text"]) for one in inputs]
    return softmax(np.array([[text.count(letter) for letter in LETTERS] for text in given]) / 9)


def _votes(inputs: Inputs) -> NDArray[np.float64]:
    members = [softmax(matrix(inputs) @ WEIGHTS + BIAS + turn) for turn in np.eye(3)]
    return np.asarray(np.mean(members, axis=0))


def _case(
    name: str, text: str | Callable[[Path], Oracle], answer: Oracle = logits, **more: Any
) -> Case:
    write = module(text, answer) if isinstance(text, str) else text
    given = {"inputs": numbers, "tells_inputs": False, "tolerance": 1e-9}
    return PythonCase(f"python-{name}", FILE, write, **{**given, **more})


def with_preprocess(inputs_toml: str) -> str:
    """Return an application's inputs with m:prepare as its preprocess."""
    return f'{inputs_toml}\n[pipeline]\npreprocess = "m:prepare"\n'


CASES = (
    _case("function", FUNCTION),
    _case("class", _with_state, code="m:Net"),
    _case("object", CALLED, code="m:net"),
    _case("value", VALUE, _value, kind="regression", labels=()),
    _case("labels", LISTED, _hot, graded=False),
    _case("votes", VOTES, _votes),
    _case("several-arrays", SEVERAL, _of_mixed, inputs=mixed,
          inputs_toml=with_preprocess(MIXED)),
    _case("images", _pictures, inputs=pictures, inputs_toml=image_toml("NHWC"), tolerance=1e-6),
    _case("texts", TEXTS, _counted, inputs=texts, inputs_toml="[text]"),
)  # fmt: skip
