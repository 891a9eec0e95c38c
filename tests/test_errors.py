"""Messages say what is wrong, which value, and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium import errors
from podium.errors import (
    FieldError,
    InvalidInput,
    MissingExtra,
    Mistake,
    RequestError,
    SpecError,
    UnknownModel,
    nearest,
)


def test_spec_error_lists_every_mistake() -> None:
    """A SpecError names the file, counts the mistakes and puts each on a line of its own."""
    mistakes = [Mistake("title", "is missing"), Mistake("task.kind", "is wrong")]
    error = SpecError(Path("app/podium.toml"), mistakes)
    assert str(error) == ("app/podium.toml: 2 mistakes\n  title: is missing\n  task.kind: is wrong")
    assert error.mistakes == tuple(mistakes)
    assert error.file == Path("app/podium.toml")


def test_one_mistake_is_counted_as_one() -> None:
    """A single mistake is not called mistakes."""
    error = SpecError(Path("podium.toml"), [Mistake("title", "is missing")])
    assert str(error) == "podium.toml: 1 mistake\n  title: is missing"


def test_missing_extra_names_the_install_command() -> None:
    """A missing package is answered with the command that installs it."""
    error = MissingExtra("forest.skops", "sklearn")
    command = "pip install 'podium[sklearn]'"
    assert str(error) == f"forest.skops needs the extra 'sklearn': {command}"
    assert error.extra == "sklearn"


def test_missing_pytorch_names_the_small_build_first() -> None:
    """The extra alone would bring gigabytes of CUDA packages; the command says how not to."""
    small = "pip install torch --index-url https://download.pytorch.org/whl/cpu"
    for extra in ("photos", "torch", "transformers"):
        command = f"{small} && pip install 'podium[{extra}]'"
        error = MissingExtra("net.pt2 (torch.export program)", extra)
        assert str(error) == f"net.pt2 (torch.export program) needs the extra {extra!r}: {command}"


def test_unknown_model_names_the_known_ones() -> None:
    """An unknown model is answered with the nearest and with all known names."""
    error = UnknownModel("forrest", ("bnn", "forest"))
    message = "There is no model 'forrest'. Did you mean 'forest'? Known: bnn, forest."
    assert (str(error), error.known) == (message, ("bnn", "forest"))
    assert error.errors == (FieldError("model", message),)


def test_invalid_input_shows_three_and_counts_the_rest() -> None:
    """The message shows three mistakes and how many more there are; errors holds all."""
    wrong = [FieldError(name, "is missing") for name in "abcde"]
    error = InvalidInput(wrong)
    assert str(error) == "a: is missing; b: is missing; c: is missing; and 2 more"
    assert error.errors == tuple(wrong)
    assert str(InvalidInput(wrong[:3])) == "a: is missing; b: is missing; c: is missing"


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("MalformedRequest", 400),
        ("UnknownModel", 404),
        ("RequestTooLarge", 413),
        ("UnsupportedBody", 415),
        ("InvalidInput", 422),
        ("Overloaded", 503),
    ],
)
def test_each_request_error_has_its_status(name: str, status: int) -> None:
    """A request error knows the HTTP status that says why, and a title of its own."""
    kind: type[RequestError] = getattr(errors, name)
    assert kind.status == status
    assert kind.title != RequestError.title


def test_tree_in_the_docstring_is_the_tree_of_the_module() -> None:
    """The module's docstring names every error, indented below its parent."""
    assert errors.__doc__ is not None
    drawn = [line.split("── ")[-1].split()[0]
             for line in errors.__doc__.splitlines() if "── " in line]  # fmt: skip
    kinds = [
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.PodiumError)
    ]
    assert ["PodiumError", *drawn] == kinds


@pytest.mark.parametrize(
    ("name", "hint"),
    [("titel", " Did you mean 'title'?"), ("xyz", ""), ("title" * 100_000, "")],
    ids=["near", "far", "huge"],
)
def test_nearest_known_name(name: str, hint: str) -> None:
    """The nearest known name is asked for, nothing when none is near; a huge name is no burden."""
    assert nearest(name, ["title", "task", "models"]) == hint
