"""torch.export programs (.pt2): what one takes and returns, and a module that runs it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.archive import open_archive
from podium.runtimes.base import TensorSpec
from podium.runtimes.torch.archive import ProgramArchive
from podium.runtimes.torch.graph import GraphMaker, dtype_of
from podium.runtimes.torch.operators import Json
from podium.runtimes.versions import mismatch

_FORM: Final = 8
"""The major version of the JSON's form; PyTorch has written it since 2.5."""

_STATE: Final = {
    "parameter": "parameter_name", "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}  # fmt: skip
_SYMBOL: Final = re.compile(r"(?:Symbol\(')?(\w+)(?:'[^()]*\))?")
_UNBOUNDED: Final = 2**31
_WIDENED: Final = {"float16": "float32", "bfloat16": "float32", "complex32": "complex64"}
"""What arrays are outside of PyTorch, which alone computes with these types."""


class Program(NamedTuple):
    """A program that is ready to run.

    `module` takes tensors of `dtypes` in the order of `inputs` and returns a tuple of those of
    `outputs`. It takes from `least` to `most` rows at once; None is no bound.
    """

    module: Any
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    dtypes: tuple[Any, ...]
    least: int
    most: int | None
    notes: tuple[str, ...]


def read_program(file: Path, random: bool = False) -> Program:
    """Return the program in a file; with `random` it may draw as in training.

    Raises:
        UntrustedModel: something in it could run code.
        ModelError: it is damaged, or none that Podium can run.
    """
    note = ""
    with open_archive(file, file.name) as archive:
        try:
            members = ProgramArchive.of(archive)
            body = members.body()
            note = _version_note(file, body)
            return _program(body, members.state(), note, random)
        except UntrustedModel as err:
            raise UntrustedModel(f"{file.name}: {err}") from err
        except ModelError as err:
            raise ModelError(f"{file.name}: {err}. {note}".rstrip()) from err
        except Exception as err:  # a forged file may lack anything, anywhere
            raise ModelError(f"{file.name} is damaged: {err!r}. {note}".rstrip()) from err


def _version_note(file: Path, body: Json) -> str:
    saved = str(body.get("torch_version", "")).partition("+")[0]
    form = body["schema_version"]["major"]
    if form != _FORM:
        raise ModelError(
            f"it is written in form {form} of torch.export, by PyTorch {saved}; Podium reads form "
            f"{_FORM}. Save it again with another PyTorch"
        )
    return mismatch(file.name, saved if saved[:1].isdigit() else None, "torch")


def _program(body: Json, state: Mapping[str, Any], note: str, random: bool) -> Program:
    import torch

    module = body["graph_module"]
    shapes, specs = module["graph"]["tensor_values"], module["signature"]["input_specs"]
    inputs = [name for spec in specs for name in _user_input(spec)]
    maker = GraphMaker(torch.fx.Graph(), {}, random)
    for index, name in enumerate(inputs):
        maker.values[name] = maker.graph.placeholder(f"input_{index}")
    tensors = _add_state(maker, specs, state)
    outputs = _outputs(module, maker.results(module["graph"]))
    maker.graph.output(tuple(node for node, _ in outputs.values()))
    for node in maker.written:
        _copy_first(maker.graph, node)
    least, most = _rows([shapes[name] for name in inputs], body["range_constraints"])
    fixed = (
        f"The program takes {least} rows at a time and is run as often as a request needs it. "
        "Exported with dynamic_shapes it would take any number at once."
    )
    return Program(
        module=torch.fx.GraphModule(tensors, maker.graph).eval(),
        inputs=tuple(_tensor_spec(name, shapes[name]) for name in inputs),
        outputs=tuple(_tensor_spec(name, shapes[own]) for name, (_, own) in outputs.items()),
        dtypes=tuple(dtype_of(shapes[name]["dtype"]) for name in inputs),
        least=least,
        most=most,
        notes=tuple(filter(None, (note, fixed if least == most else ""))),
    )


def _user_input(spec: Json) -> Iterator[str]:
    """Yield the name of an input that is an array; one that was a constant is in the graph."""
    ((kind, told),) = spec.items()
    if kind not in ("user_input", "constant_input", *_STATE):
        raise ModelError(f"it takes an input of the kind {kind!r}, which Podium does not know")
    given = told["arg"] if kind == "user_input" else {}
    if "as_sym_int" in given:
        raise ModelError("it takes a number beside its arrays; export the model with it fixed")
    if "as_tensor" in given:
        yield given["as_tensor"]["name"]


def _add_state(
    maker: GraphMaker, specs: Sequence[Json], state: Mapping[str, Any]
) -> dict[str, Any]:
    """Add nodes for parameters, buffers and constants; return the tensors by the nodes' names."""
    tensors: dict[str, Any] = {}
    for spec in specs:
        ((kind, told),) = spec.items()
        if kind in _STATE:
            target = f"state_{len(tensors)}"
            tensors[target] = state[told[_STATE[kind]]]
            node = maker.graph.get_attr(target)
            maker.values[told["arg"]["name"]] = node
            maker.origins[node] = frozenset([node])
    return tensors


def _copy_first(graph: Any, node: Any) -> None:
    """Let a program that writes to its own state do so in a copy: requests share the state."""
    import torch

    with graph.inserting_after(node):
        copy = graph.call_function(torch.ops.aten.clone.default, (node,))
    node.replace_all_uses_with(copy, delete_user_cb=lambda user: user is not copy)


def _outputs(module: Json, results: Sequence[Any]) -> dict[str, tuple[Any, str]]:
    """Return the tensors among the results, each with its name in the graph, by their keys."""
    specs = module["signature"]["output_specs"]
    told = [
        (result, spec["user_output"]["arg"])
        for result, spec in zip(results, specs, strict=True)
        if "user_output" in spec
    ]
    names = list(_leaves(json.loads(module["module_call_graph"][0]["signature"]["out_spec"])[1]))
    return {
        name: (result, given["as_tensor"]["name"])
        for name, (result, given) in zip(names, told, strict=True)
        if "as_tensor" in given
    }


def _leaves(tree: Json, name: str = "") -> Iterator[str]:
    """Yield names for what forward returned: the keys of a dict, else "output" and a number."""
    children = tree["children_spec"]
    if tree["type"] is None:
        yield name or "output"
        return
    keys = json.loads(tree["context"])
    if not isinstance(keys, list) or len(keys) != len(children):
        keys = list(range(len(children))) if len(children) > 1 else [""]
        name = name or "output"
    for key, child in zip(keys, children, strict=True):
        yield from _leaves(child, "_".join(str(part) for part in (name, key) if part != ""))


def _rows(metas: Sequence[Json], ranges: Json) -> tuple[int, int | None]:
    """Return how many rows the program takes at once, at least and at most."""
    bounds = [_bounds(meta["sizes"], ranges) for meta in metas]
    least = max(low for low, _ in bounds)
    most = min(high for _, high in bounds)
    return least, most if most < _UNBOUNDED else None


def _bounds(sizes: Sequence[Json], ranges: Json) -> tuple[int, int]:
    if not sizes:
        raise ModelError("it takes an array without an axis; the first axis is that of the rows")
    if "as_int" in sizes[0]:
        return sizes[0]["as_int"], sizes[0]["as_int"]
    symbol = _SYMBOL.fullmatch(sizes[0]["as_expr"]["expr_str"])
    if symbol is None:
        raise ModelError("it takes some numbers of rows alone; export it with a plain Dim")
    given = ranges.get(symbol[1], {})
    return max(1, given.get("min_val") or 1), given.get("max_val") or _UNBOUNDED


def _tensor_spec(name: str, meta: Json) -> TensorSpec:
    shape = tuple(size.get("as_int") for size in meta["sizes"])
    dtype = str(dtype_of(meta["dtype"])).removeprefix("torch.")
    return TensorSpec(name, np.dtype(_WIDENED.get(dtype, dtype)), (None, *shape[1:]))
