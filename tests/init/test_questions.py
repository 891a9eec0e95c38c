"""What `podium init` asks on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from podium.folder import parse
from podium.init import Look, Order, create_application
from podium.init.bring import Origin
from podium.init.hints import Hints
from podium.init.questions import Terminal
from podium.runtimes import TensorSpec
from tests.conformance.graphs import SINGLE, linear
from tests.init.test_inspect import SINGLES, told

CODE = "import numpy as np\ndef predict(x):\n    return np.zeros((len(x), 2))\n"


def typed(text: str, work: Callable[[], Any]) -> tuple[Any, str]:
    """Return what `work` makes of typed lines, and what stood on the terminal."""
    runner = CliRunner()
    with runner.isolation(input=text) as streams:
        made = work()
        shown = streams[0].getvalue().decode()
    return made, shown


def answered(model: Path, text: str, **options: Any) -> tuple[Path, str]:
    """Return the application that typed answers make, and what stood on the terminal."""
    folder = model.parent / "app"
    order = Order.parse(str(model), options)
    _, shown = typed(text, lambda: create_application(order, folder, Terminal()))
    return folder, shown


def test_enter_keeps_every_guess(tmp_path: Path) -> None:
    """Enter alone makes what would be made without a terminal; the guesses stay marked."""
    linear(tmp_path / "net.onnx")
    folder, shown = answered(tmp_path / "net.onnx", "\n\n\n")
    assert shown == (
        "Title [Net]: \n"
        "Labels in the model's order, with commas between, or a file with one a line "
        "[class 0, class 1, class 2]: \n"
        "Columns in the model's order, with commas between [x0, x1, x2]: \n"
    )
    create_application(Order.parse(str(tmp_path / "net.onnx"), {}), tmp_path / "other")
    assert (folder / "podium.toml").read_text() == (tmp_path / "other/podium.toml").read_text()


def test_answers_take_the_place_of_guesses(tmp_path: Path) -> None:
    """What is typed stands in podium.toml, and is no guess."""
    linear(tmp_path / "net.onnx")
    folder, _ = answered(tmp_path / "net.onnx", "Birds\np, q, r\nbill,depth,mass\n")
    parsed = parse(folder)
    assert (parsed.spec.title, parsed.labels) == ("Birds", ("p", "q", "r"))
    assert [one.name for one in parsed.spec.features] == ["bill", "depth", "mass"]
    assert "guessed" not in (folder / "podium.toml").read_text()


def test_wrong_answer_is_told_and_asked_again(tmp_path: Path) -> None:
    """An answer that does not fit says why, and the question comes again."""
    linear(tmp_path / "net.onnx")
    folder, shown = answered(tmp_path / "net.onnx", "\np,q\np,p,q\np,q,r\na,top,c\na,b,c\n")
    assert parse(folder).labels == ("p", "q", "r")
    assert "the model has 3 classes; found 2\nLabels in" in shown
    assert "'p' stands there twice; labels must differ." in shown
    assert "'top' is a query parameter, which no feature may be called\nColumns in" in shown


def test_what_options_say_is_not_asked(tmp_path: Path) -> None:
    """An option leaves nothing to ask."""
    linear(tmp_path / "net.onnx")
    _, shown = answered(tmp_path / "net.onnx", "", title="N", labels="p,q,r", features="a,b,c")
    assert shown == ""


def test_option_that_does_not_fit_is_asked_again(tmp_path: Path) -> None:
    """On a terminal a wrong option is no end."""
    linear(tmp_path / "net.onnx")
    folder, shown = answered(
        tmp_path / "net.onnx", "p,q,r\n", title="N", labels="p,q", features="a,b,c"
    )
    assert shown == "--labels: the model has 3 classes; found 2: p,q,r\n"
    assert parse(folder).labels == ("p", "q", "r")


def test_one_number_may_be_a_probability(tmp_path: Path) -> None:
    """Whether one number is a value or a probability is asked."""
    linear(tmp_path / "net.onnx", weights=SINGLE)
    folder, shown = answered(tmp_path / "net.onnx", "\nboth\nclassification\nno,yes\n\n")
    assert parse(folder).labels == ("no", "yes")
    assert "classification or regression [regression]: both\nexpected classification" in shown


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("features\n3\n", ("features", 3)),
        ("\na,b,c\n", ("features", 3)),
        ("images\n8x9\n", ("image", (8, 9))),
        ("images\nbig\n8\n", ("image", (8, 8))),
        ("text\n", ("text", 0)),
    ],
)
def test_what_the_model_takes_is_asked(
    lines: str, told: tuple[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that does not say what it takes is asked for: features, images or text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(CODE)
    order = Order.parse("own.py:predict", {"title": "T", "labels": "a,b"})
    folder = tmp_path / "app"
    _, shown = typed(f"{lines}\n\n", lambda: create_application(order, folder, Terminal()))
    assert shown.startswith("The file does not say what it takes.\nfeatures, images or text")
    spec = parse(folder).spec
    key, value = told
    found = {"features": len(spec.features), "text": 0, "image": spec.image and spec.image.size}
    assert found[key] == value
    assert getattr(spec, key)


def test_target_is_asked_where_there_are_data(tmp_path: Path) -> None:
    """Which column holds the answers is asked; one that there is not is told."""
    linear(tmp_path / "net.onnx")
    data = tmp_path / "d.csv"
    data.write_text("a,b,c,kind\n1,2,3,x\n2,3,4,y\n3,4,5,z\n")
    folder, shown = answered(tmp_path / "net.onnx", "kid\nkind\n\n\n\n", data=data)
    assert parse(folder).spec.task.target == "kind"
    assert shown.startswith("Column of the answers (a, b, c, kind): kid\n"
                            "there is no column 'kid'. Did you mean 'kind'?\n")  # fmt: skip


def test_long_guess_is_cut_where_it_is_shown(tmp_path: Path) -> None:
    """A guess of a thousand labels does not flood the terminal; Enter keeps all of them."""
    linear(tmp_path / "net.onnx", weights=np.ones((3, 200)), bias=np.arange(200.0))
    folder, shown = answered(tmp_path / "net.onnx", "\n\n\n")
    assert len(parse(folder).labels) == 200
    assert max(map(len, shown.splitlines())) < 160


def test_size_that_the_file_leaves_open_is_asked() -> None:
    """The size of images is asked if the file leaves it open: height x width."""
    model = told(TensorSpec("X", SINGLES, (None, 3, None, None)))

    class Fixed(Look):
        def model(self, _: Hints) -> Any:
            return model

    order = Order(Origin("m.onnx"))
    look = Fixed(Path(), order.origin.spec("m.onnx"), order, None)
    hints, shown = typed("\n128x96\n", lambda: Terminal().correct(Hints(), look))
    assert hints == Hints(size=(128, 96))
    assert "Height x width of the images that the model takes [224x224]: 128x96" in shown


def test_a_terminal_is_asked_and_anything_else_is_not(tmp_path: Path) -> None:
    """`podium init` asks where it stands on a terminal: here the title alone is answered."""
    linear(tmp_path / "net.onnx")
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "podium", "init", "net.onnx", "--no-check"]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path) as asked:  # noqa: S603
        os.write(master, b"Birds\n\n\n")
        assert asked.wait(timeout=60) == 0
    os.close(slave)
    os.close(master)
    assert parse(tmp_path / "net").spec.title == "Birds"
