"""Attack files for PyTorch: nothing in them runs, and each is refused in words."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from podium.errors import ModelError, UntrustedModel
from podium.runtimes import Source, load
from tests.conformance import torch_nets as nets
from tests.conformance.test_torch_program import BODY, PROGRAM, Parts, changed, packed, parts_of
from tests.conformance.torch_cases import made, saved, tensors

MARK = "ran"
COMMAND = f"touch {MARK}"


class Attack:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return os.system, (COMMAND,)


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let commands run in the test's folder, and fail if one did."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / MARK).exists()


def test_the_attack_works(tmp_path: Path) -> None:
    """What the other tests defend against would leave its mark."""
    pickle.loads(pickle.dumps(Attack()))  # noqa: S301
    (tmp_path / MARK).unlink()


def refusal(body: bytes, name: str = "m.pt2") -> str:
    """Return why a file is refused as one that could run code."""
    Path(name).write_bytes(body)
    with pytest.raises(UntrustedModel) as caught:
        load(Source.alone(Path(name).resolve(), code="nets:Table"))
    return str(caught.value)


PICKLES: dict[str, bytes] = {
    "torch.save": saved(Attack()),
    "torch.save of old": saved(Attack(), _use_new_zipfile_serialization=False),
    "within a state dict": saved({"head.0.weight": torch.zeros(2), "x": Attack()}),
    **{f"protocol {number}": pickle.dumps(Attack(), number) for number in (2, 3, 4, 5)},
}


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.pt2", "m.safetensors"])
@pytest.mark.parametrize("body", PICKLES.values(), ids=PICKLES)
def test_pickle_under_any_name(body: bytes, name: str) -> None:
    """A pickle is refused whatever it is called, and told as one."""
    told = refusal(body, name)
    assert told.startswith(f"{name} is a pickle that holds ")
    assert "could run code when it is loaded. Save its weights alone: torch.save(" in told


@pytest.mark.parametrize("number", [0, 1])
def test_pickle_of_text(number: int, tmp_path: Path) -> None:
    """The oldest pickles look like text, and are no model."""
    file = tmp_path / "m.pt"
    file.write_bytes(pickle.dumps(Attack(), number))
    with pytest.raises(ModelError, match=r"^m\.pt is damaged, or no model of PyTorch"):
        load(Source.alone(file))


OPERATORS = [
    "torch.os.system",
    "torch.load",
    "torch.hub.load",
    "torch.ops.load_library",
    "torch.ops.aten.__class__.mro",
    "torch.ops.aten._print.default",
    "torch.ops.prim.Print.default",
    "torch.ops.higher_order.cond",
    "torch.ops.mine.attack.default",
    "_operator.attrgetter",
    "_operator.call",
    "_operator.__loader__.load_module",
    "math.__loader__.load_module",
    "torch.sym_int.__globals__",
    "#mine:attack",
    "builtins.exec",
]


def calling(target: str, argument: str, value: object) -> Callable[[Any], object]:
    """Return what adds a node to a program's JSON."""
    node = {
        "target": target,
        "inputs": [{"name": argument, "arg": value, "kind": 1}],
        "outputs": [{"as_none": True}],
        "metadata": {},
        "name": "call",
    }
    return lambda table: table["graph_module"]["graph"]["nodes"].insert(0, node)


@pytest.mark.parametrize("target", OPERATORS)
def test_function_that_is_no_operator(target: str) -> None:
    """A program that calls something else than an operator on arrays is refused by its name."""
    told = refusal(changed(calling(target, "self", {"as_string": COMMAND})))
    assert told.startswith(
        f"m.pt2: it calls {target!r}, which is none of the operators on arrays (torch.ops.aten)"
    )


@pytest.mark.parametrize(
    "target", ["save.default", "warn.default", "backward.default", "name.join"]
)
def test_function_of_torchscript_alone(target: str) -> None:
    """Functions of TorchScript that write files have a name among the operators, and no more."""
    forged = changed(calling(f"torch.ops.aten.{target}", "filename", {"as_string": MARK}))
    Path("m.pt2").write_bytes(forged)
    with pytest.raises(ModelError, match=rf"it calls 'torch\.ops\.aten\.{target}', which the inst"):
        load(Source.alone(Path("m.pt2").resolve()))


def test_operator_that_reads_a_file() -> None:
    """An operator that takes the name of a file is refused."""
    told = refusal(
        changed(
            calling("torch.ops.aten.from_file.default", "filename", {"as_string": "/etc/passwd"})
        )
    )
    assert told == (
        "m.pt2: it calls 'torch.ops.aten.from_file.default' with a text as 'filename'; it could be "
        "a file"
    )


CODE = f"__import__('os').system({COMMAND!r})"


def swapped(old: str, new: str, count: int = -1) -> bytes:
    """Return a program in whose JSON a text stands in the place of another."""
    parts = parts_of(PROGRAM)
    text, (before, after) = parts[BODY].decode(), (json.dumps(old), json.dumps(new))
    assert before in text
    return packed({**parts, BODY: text.replace(before, after, count).encode()})


def swap_keyword(table: Any) -> None:
    """Give an operator an argument whose name is code."""
    call = calling("torch.ops.aten.relu.default", f"self, x={CODE}", {"as_tensor": {"name": "x"}})
    call(table)


TEXTS = {
    "name of the input": swapped("x", f"x={CODE}"),
    "name of a result": swapped("batch_norm", f"y = {CODE}\n    z"),
    "guards": changed(lambda table: table.update(guards_code=[f"{CODE} == 0"])),
    "verifiers": changed(lambda table: table.update(verifiers=[CODE])),
    "names of arguments": changed(
        lambda table: table["graph_module"]["module_call_graph"][0]["signature"].update(
            forward_arg_names=[f"x={CODE}"], in_spec=f"[1, {CODE}]"
        )
    ),
    "trace": changed(
        lambda table: table["graph_module"]["graph"]["nodes"][0].update(
            metadata={"stack_trace": f"\n{CODE}\n", "source_fn_stack": f"x,torch.{CODE}"}
        )
    ),
}


@pytest.mark.parametrize("body", TEXTS.values(), ids=TEXTS)
def test_code_in_a_text_of_the_program(body: bytes, tmp_path: Path) -> None:
    """Texts that PyTorch's own loader makes Python of are names here; the program answers."""
    file = tmp_path / "m.pt2"
    file.write_bytes(body)
    model = load(Source.alone(file))
    assert model.predict({model.inputs[0].name: np.zeros((5, 3))})["output"].shape == (5, 3)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (swapped("Symbol('s77', positive=True, integer=True)", CODE),
         "it takes some numbers of rows alone"),
        (changed(swap_keyword), "it gives 'torch.ops.aten.relu.default' a "),
    ],
    ids=["size", "keyword"],
)  # fmt: skip
def test_code_where_no_text_is(body: bytes, message: str, tmp_path: Path) -> None:
    """Code as a size, or as an argument's name, is an error and never evaluated."""
    file = tmp_path / "m.pt2"
    file.write_bytes(body)
    with pytest.raises(ModelError, match=message):
        load(Source.alone(file))


PARTS = parts_of(PROGRAM)
WEIGHTS = "data/weights/model_weights_config.json"


def pickled_entry(table: str) -> Parts:
    """Return parts in which the first tensor of a table is a pickle."""
    config = json.loads(PARTS[WEIGHTS])
    entry = next(iter(config["config"].values()))
    entry.update(use_pickle=True, path_name="attack")
    return {
        table: json.dumps(config).encode(),
        f"{table.rpartition('/')[0]}/attack": saved(Attack()),
    }


MEMBERS: dict[str, tuple[Parts, str]] = {
    "examples": ({"data/sample_inputs/model.pt": saved(((Attack(),), {}))},
                 "data/sample_inputs/model.pt in it is a pickle that holds posix.system, which "
                 "could run code when it is loaded. Export the model instead: "),
    "plain pickle": ({"data/sample_inputs/model.pt": pickle.dumps(Attack())},
                     "data/sample_inputs/model.pt in it is a pickle that holds more than weights"),
    "old weights": ({"data/weights/model.pt": saved({"x": Attack()})},
                    "data/weights/model.pt in it is a pickle that holds posix.system"),
    "weights": (pickled_entry(WEIGHTS), "data/weights/attack in it is a pickle"),
    "constants": (pickled_entry("data/constants/model_constants_config.json"),
                  "data/constants/attack in it is a pickle"),
    "machine code": ({"data/aotinductor/model/model.so": b"\x7fELF"},
                     "it holds machine code, compiled by AOTInductor. Export the model instead: "),
}  # fmt: skip


@pytest.mark.parametrize(("more", "message"), MEMBERS.values(), ids=MEMBERS)
def test_program_with_a_member_that_could_run(more: Parts, message: str) -> None:
    """A pickle within a program, and machine code, are refused whether they are needed or not."""
    assert refusal(packed({**PARTS, **more})).startswith(f"m.pt2: {message}")


def test_name_that_leads_out_of_the_archive() -> None:
    """A member that would lie outside of the archive is refused."""
    assert refusal(packed({**PARTS, "../../escaped": b"x"})) == (
        "m.pt2: 'm/../../escaped' in it leads outside of it"
    )


def test_archive_that_unpacks_to_too_much() -> None:
    """A zip bomb is refused before it is unpacked, also one within the archive."""
    bomb = {"data/zeros": bytes(200_000_000)}
    body = packed({**PARTS, **bomb}, compression=zipfile.ZIP_DEFLATED)
    assert refusal(body).startswith("m.pt2 would unpack to 200 MB, over 50 times its size: a zip b")
    inner = {"data/sample_inputs/model.pt": packed(bomb, compression=zipfile.ZIP_DEFLATED)}
    assert refusal(packed({**PARTS, **inner})).startswith(
        "m.pt2: data/sample_inputs/model.pt would unpack to 200 MB"
    )


def test_state_dict_that_unpacks_to_too_much() -> None:
    """A zip bomb is refused where weights are expected, too."""
    body = packed({"data.pkl": bytes(200_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert refusal(body, "m.pt").startswith("m.pt would unpack to 200 MB, over 50 times its size")


def with_header(header: bytes, length: int | None = None) -> bytes:
    """Return safetensors of a header and no data."""
    size = len(header) if length is None else length
    return size.to_bytes(8, "little") + header


SPAN = '{"head.0.weight": {"dtype": "F32", "shape": [8, 3], "data_offsets": %s}}'
LYING = {
    "endless header": with_header(b"{}", 2**63),
    "header beyond the end": with_header(b"{}", 3),
    "data beyond the end": with_header((SPAN % "[0, 96]").encode()),
    "data before the beginning": with_header((SPAN % "[-96, 0]").encode()) + bytes(96),
    "data of another size": with_header((SPAN % "[0, 8]").encode()) + bytes(8),
    "no JSON": with_header(b"{" * 64),
    "truncated": made(nets.Tied, tensors)[:-5],
}


@pytest.mark.parametrize("body", LYING.values(), ids=LYING)
def test_safetensors_that_lies_about_its_size(body: bytes, tmp_path: Path) -> None:
    """A header that does not fit the file is a damaged file."""
    file = tmp_path / "m.safetensors"
    file.write_bytes(body)
    with pytest.raises(ModelError, match=r"^m\.safetensors is damaged"):
        load(Source.alone(file, code="nets:Table"))
