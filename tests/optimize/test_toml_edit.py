"""podium.toml names another file, and keeps every other character."""

from __future__ import annotations

import tomllib

import pytest

from podium.errors import PodiumError
from podium.optimize.toml_edit import name_file

TEXT = """# The colours of [[models]]
title = "Colours"   # shown

[task]
kind="classification"
labels = [
  "red",  # first
  "blue",
]

[[models]]   # the default
name = "small"
\tfile   =   'models/small.pt'  # trained on = "Tuesday"
# built by hand
factory = "net:build"
title = "A \\"small\\" one"

  [[ models ]]
trust="0000000000000000000000000000000000000000000000000000000000000000" # mine
name = 'large'
card = \"\"\"
models/large.md\"\"\"
runtime = "torch"
file = "models/large.pt"


[[examples]]
title = "file = 3"
image = "a.png"
[server] # the end
workers=2"""


def test_only_the_models_own_lines_change() -> None:
    """The value changes in its place; keys of the old file go; all else stays to the character."""
    edit = name_file(TEXT, 0, "models/small.onnx")
    factory = 'factory = "net:build"\n'
    assert edit.text == TEXT.replace("'models/small.pt'", '"models/small.onnx"').replace(
        factory, ""
    )
    assert edit.replaced == (
        "file   =   'models/small.pt'  # trained on = \"Tuesday\"", 'factory = "net:build"'
    )  # fmt: skip


def test_another_model_than_the_first() -> None:
    """The table is counted, however its header is spaced; runtime and trust go."""
    edit = name_file(TEXT, 1, "models/large.onnx")
    gone = [f'trust="{"0" * 64}" # mine', 'runtime = "torch"']
    wanted = TEXT.replace("models/large.pt", "models/large.onnx")
    for line in gone:
        wanted = wanted.replace(f"{line}\n", "")
    assert (edit.text, edit.replaced) == (wanted, (*gone, 'file = "models/large.pt"'))


def test_line_ends_stay() -> None:
    """A file with the line ends of Windows keeps them, and a last line may have none."""
    text = '[[models]]\r\nname = "a"\r\nruntime = "keras"\r\nfile = "a.keras"'
    edited = name_file(text, 0, "a.onnx").text
    assert edited == '[[models]]\r\nname = "a"\r\nfile = "a.onnx"'


def test_tables_that_stand_apart_keep_their_order() -> None:
    """Models between which other tables stand are not moved together."""
    text = '[[models]]\nname="a"\nfile="a.pt"\n[[features]]\nname="x"\n[[models]]\nfile="b.pt"\n'
    assert name_file(text, 1, "b.onnx").text == text.replace("b.pt", "b.onnx")


def test_names_are_quoted() -> None:
    """A folder's name may hold quotes, backslashes and letters of any kind."""
    text = '[[models]]\nfile = "x.pt"\n'
    name = 'modèles/"best" \\ 猫.onnx'
    assert tomllib.loads(name_file(text, 0, name).text) == {"models": [{"file": name}]}


@pytest.mark.parametrize(
    "text",
    [
        'models = [{name = "a", file = "a.pt"}]',
        '[[models]]\nfile = """a.pt"""\n',
        '[[models]]\nfile = "a.pt"\nfactory = """\nnet:build"""\n',
        '[[models]]\nfile = "a.pt"\ntitle = """\nfile = "b.pt"\n"""\n',
        '[[models]]\n"file" = "a.pt"\n',
    ],
)
def test_what_cannot_be_edited_safely_is_refused(text: str) -> None:
    """A table in one line, or a value over several, is left to the maker."""
    with pytest.raises(PodiumError, match=r"podium\.toml cannot be edited safely: write the "):
        name_file(text, 0, "a.onnx")
