"""The graph of a torch.export program, made again of PyTorch's own operators alone.

torch.export.load runs what a file brings: it calls any function by its dotted name, evaluates
expressions, compiles names into Python. Here the graph is read as data. A node calls an operator
of torch.ops.aten that computes with arrays, or is refused; of the file, nothing but the numbers and
texts that such an operator takes is handed to PyTorch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from podium.errors import ModelError
from podium.runtimes.torch.operators import Json, check_arguments, operator_of

_WRAPPERS: Final = {
    "torch.ops.higher_order.wrap_with_set_grad_enabled": 1,
    "torch.ops.higher_order.wrap_with_autocast": 4,
}
"""Nodes that hold a graph of their own, and the number of settings before it."""

_DTYPES: Final = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16",
}  # fmt: skip
_MEMORY_FORMATS: Final = {
    1: "contiguous_format", 2: "channels_last", 3: "channels_last_3d", 4: "preserve_format",
}  # fmt: skip
_STRIDED: Final = 7
_PLAIN: Final[dict[str, Callable[[Any], Any]]] = {
    "as_none": lambda _: None, "as_int": int, "as_float": float, "as_bool": bool, "as_string": str,
    "as_ints": lambda values: [int(value) for value in values],
    "as_floats": lambda values: [float(value) for value in values],
    "as_bools": lambda values: [bool(value) for value in values],
}  # fmt: skip


def dtype_of(number: int) -> Any:
    """Return the torch.dtype that a program means by a number."""
    import torch

    if number not in _DTYPES:
        raise ModelError(f"it holds arrays of the type {number}, which Podium does not know")
    return getattr(torch, _DTYPES[number])


def names_of(arguments: Sequence[Json]) -> Iterator[str]:
    """Yield the names of the tensors and sizes in arguments, or in a node's outputs."""
    for value in (value for argument in arguments for value in argument.values()):
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                name = one.get("name", one.get("as_name"))
                yield from names_of([one]) if name is None else [name]


@dataclass
class GraphMaker:
    """Makes an FX graph; `values` are its nodes, and constants, by their names in the JSON.

    A graph within the graph has a maker of its own, on the same FX graph. With `random`, nodes may
    draw as in training. `origins` are, for a
    node, the nodes of the program's state that it may share memory with; `written` are those of
    the state that the program writes to.
    """

    graph: Any
    values: dict[str, Any]
    random: bool = False
    origins: dict[Any, frozenset[Any]] = field(default_factory=dict)
    written: set[Any] = field(default_factory=set)

    def results(self, body: Json) -> list[Any]:
        """Add the nodes of a graph and return its outputs.

        Raises:
            UntrustedModel: a node calls something else than an operator on arrays.
            ModelError: it was exported in training mode, or for another PyTorch.
        """
        for node in body["nodes"]:
            self._add(node, body["tensor_values"])
        return [self._argument(output) for output in body["outputs"]]

    def _add(self, node: Json, shapes: Json) -> None:
        outputs = node["outputs"]
        if node["target"] in _WRAPPERS:
            found = self._inline([given["arg"] for given in node["inputs"]], node["target"])
            self.values.update(zip(names_of(outputs), found, strict=True))
            return
        function = operator_of(node["target"])
        given = {one["name"]: one["arg"] for one in node["inputs"]}
        schema = getattr(function, "_schema", None)
        if schema is None:
            values = tuple(map(self._argument, given.values()))
            self._keep(outputs, self.graph.call_function(function, values))
            return
        check_arguments(node["target"], schema, given, self.random)
        self._keep(outputs, self.graph.call_function(function, *self._placed(schema, given)))
        self._trace(schema, given, list(names_of(outputs)), shapes)

    def _inline(self, inputs: list[Json], target: str) -> list[Any]:
        """Put the graph that a wrapper holds in its place."""
        settings = inputs[: _WRAPPERS[target]]
        graph, *operands = inputs[_WRAPPERS[target] :]
        if len(settings) > 1 and settings[2]["as_bool"]:
            raise ModelError(
                "it computes in mixed precision (torch.autocast); export the model without it"
            )
        body = graph["as_graph"]["graph"]
        values = dict(zip(names_of(body["inputs"]), map(self._argument, operands), strict=True))
        inner = GraphMaker(self.graph, values, self.random, self.origins, self.written)
        return inner.results(body)

    def _placed(self, schema: Any, given: Json) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments in their places as far as they go without a gap, others by name."""
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        for place, argument in enumerate(schema.arguments):
            if argument.name not in given:
                continue
            value = self._argument(given[argument.name])
            if place == len(args) and not argument.kwarg_only:
                args.append(value)
            else:
                kwargs[argument.name] = value
        return tuple(args), kwargs

    def _argument(self, argument: Json) -> Any:
        import torch

        ((kind, value),) = argument.items()
        if kind in _PLAIN:
            return _PLAIN[kind](value)
        if kind in ("as_tensor", "as_sym_int", "as_sym_float", "as_sym_bool"):
            return self._value(value)
        if kind in ("as_tensors", "as_sym_ints", "as_sym_floats", "as_sym_bools"):
            return [self._value(one) for one in value]
        if kind == "as_optional_tensor":
            return self._argument(value)
        if kind == "as_optional_tensors":
            return [self._argument(one) for one in value]
        if kind == "as_scalar_type":
            return dtype_of(value)
        if kind == "as_memory_format":
            return getattr(torch, _MEMORY_FORMATS[value])
        if kind == "as_layout" and value == _STRIDED:
            return torch.strided
        if kind == "as_device":  # the program runs here, wherever it was exported
            return torch.device("cpu")
        raise ModelError(f"it holds an argument of the kind {kind!r}, which Podium does not know")

    def _value(self, named: Json) -> Any:
        """Return what a tensor or a size stands for: a node, or a number."""
        ((kind, value),) = named.items()
        return self.values[value] if kind in ("name", "as_name") else _PLAIN[kind](value)

    def _keep(self, outputs: Sequence[Json], result: Any) -> None:
        """Give what a node returns its names: one value, or a tuple of values and lists."""
        if len(outputs) != 1:
            for index, output in enumerate(outputs):
                if "as_none" not in output:
                    self._keep([output], self._item(result, index))
        elif "as_tensors" in outputs[0]:
            for index, name in enumerate(names_of(outputs)):
                self.values[name] = self._item(result, index)
        else:
            self.values.update((name, result) for name in names_of(outputs))

    def _item(self, result: Any, index: int) -> Any:
        return self.graph.call_function(operator.getitem, (result, index))

    def _trace(self, schema: Any, given: Json, outputs: list[str], shapes: Json) -> None:
        """Note whose memory an operator writes to, and whose its results may be.

        A result is a view where the schema says so; and some operators return what they were
        given where there is nothing to do, which then is of the same shape.
        """
        forms = [_form(shapes, name) for name in outputs]
        shared: frozenset[Any] = frozenset()
        for argument in schema.arguments:
            alias = argument.alias_info
            for name in names_of([given[argument.name]] if argument.name in given else []):
                origin = self.origins.get(self.values[name], frozenset())
                if alias is not None and alias.is_write:
                    self.written |= origin
                if alias is not None or _form(shapes, name) in forms:
                    shared |= origin
        self.origins.update((self.values[name], shared) for name in outputs if shared)


def _form(shapes: Json, name: str) -> tuple[Any, Any]:
    meta = shapes.get(name, {})
    return meta.get("dtype"), meta.get("sizes")
