"""A SavedModel's graph is looked at before TensorFlow builds it: operators may read files.

TensorFlow works out constants while it builds a graph, so that a mere load would run some. Data
are the operators of the families below. Those that save and restore the variables may stand in
functions that nothing but TensorFlow's saver calls, and a table may be read from an asset of the
folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, Final

from podium.errors import ModelError, UntrustedModel
from podium.runtimes.base import Source
from podium.runtimes.trust import require_trust

FILE: Final = "saved_model.pb"
FAMILIES: Final = (
    "array_ops", "audio_ops", "bitwise_ops", "control_flow_ops", "count_ops", "ctc_ops",
    "cudnn_rnn_ops", "functional_ops", "image_ops", "linalg_ops", "list_ops", "lookup_ops",
    "manip_ops", "map_ops", "math_ops", "nn_ops", "parsing_ops", "ragged_array_ops",
    "ragged_conversion_ops", "ragged_math_ops", "random_ops", "random_index_shuffle_ops",
    "resource_variable_ops", "rnn_ops", "set_ops", "sparse_ops", "special_math_ops",
    "spectral_ops", "state_ops", "stateful_random_ops", "stateless_random_ops",
    "stateless_random_ops_v2", "string_ops", "training_ops", "uniform_quant_ops",
)  # fmt: skip
"""TensorFlow's modules of operators on arrays, tables and variables."""
OTHERS: Final = {
    "Assert", "DynamicPartition", "DynamicStitch", "IteratorGetNext", "ParallelDynamicStitch",
    "ShardedFilename", "TensorArrayCloseV3", "TensorArrayConcatV3", "TensorArrayGatherV3",
    "TensorArrayReadV3", "TensorArrayScatterV3", "TensorArraySizeV3", "TensorArraySplitV3",
    "TensorArrayV3", "TensorArrayWriteV3",
}  # fmt: skip
"""Harmless operators of other families."""
DENIED: Final = {"Abort", "ImmutableConst", "RemoteCall", "SymbolicGradient"}
"""Of the families, what ends the process, maps a file into memory, or calls by name."""
_SAVERS: Final = {"MergeV2Checkpoints", "RestoreV2", "SaveV2"}
_FROM_FILE: Final = {"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"}
_PLAIN_CALLS: Final = {"PartitionedCall", "StatefulPartitionedCall"}
_SWAPPED: Final = "api_implements"
"""The attribute by which TensorFlow may run one function in another's place."""


def audited(source: Source, files: Sequence[Path]) -> Any:
    """Return the MetaGraphDef of a SavedModel that is data, or for which the maker vouches.

    Raises:
        UntrustedModel: it is a program, or an asset's name leads out of the folder.
        ModelError: it cannot be read.
    """
    graphs = _parse(source.file)
    for asset in (asset for graph in graphs for asset in graph.asset_file_def):
        path = PurePosixPath(asset.filename)
        if path.is_absolute() or ".." in path.parts or ":" in asset.filename:
            raise UntrustedModel(f"{source.file.name}: its asset {asset.filename!r} leads outside")
    if len(graphs) != 1 or not graphs[0].HasField("object_graph_def"):
        require_trust(source, files, "is of TensorFlow 1's kind, whose graph runs to restore it",
                      "Save it again with TensorFlow 2, by tf.saved_model.save.")  # fmt: skip
        return graphs[0]
    found = sorted(set(Functions.of(graphs[0]).strangers()))
    if found:
        more = f" and {len(found) - 5} more" if len(found) > 5 else ""
        risk = "holds operators that may read or write files or run code: "
        require_trust(source, files, f"{risk}{', '.join(found[:5])}{more}",
                      "Save it again without them.")  # fmt: skip
    return graphs[0]


def allowed_operators() -> set[str]:
    """Return the names of all operators that are data wherever they stand."""
    names = set(OTHERS)
    for family in FAMILIES:
        module = f"tensorflow.python.ops.gen_{family}"
        if find_spec(module):
            names |= vars(import_module(module)).keys()
    return names - DENIED - _FROM_FILE


def _parse(folder: Path) -> Any:
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    try:
        model.ParseFromString((folder / FILE).read_bytes())
    except Exception as err:  # protobuf's error has no public stub
        raise ModelError(f"{folder.name}: its {FILE} is damaged or missing: {err}") from err
    if not model.meta_graphs:
        raise ModelError(f"{folder.name}: its {FILE} is damaged: it holds no graph")
    return model.meta_graphs


@dataclass(frozen=True)
class Functions:
    """The functions of a SavedModel, all that TensorFlow 2 builds and runs of its graph.

    `loaded` are those that an object of the model calls, each with the objects that stand in for
    its last arguments; `assets` are the objects that are files of the folder.
    """

    library: Mapping[str, Any]
    loaded: Mapping[str, Sequence[int]]
    assets: frozenset[int]

    @classmethod
    def of(cls, graph: Any) -> Functions:
        """Return the functions of a MetaGraphDef."""
        objects = graph.object_graph_def
        return cls(
            {function.signature.name: function for function in graph.graph_def.library.function},
            {name: list(one.bound_inputs) for name, one in objects.concrete_functions.items()},
            frozenset(i for i, node in enumerate(objects.nodes) if node.HasField("asset")),
        )

    def strangers(self) -> Iterator[str]:
        """Yield the operators, and the functions called, that are not data."""
        operators = allowed_operators()
        for name, function in self.library.items():
            for node in function.node_def:
                yield from (called for called in _called(node) if called not in self.library)
                if node.op in _SAVERS and self._is_savers(name):
                    continue
                if node.op in _FROM_FILE and self._names_asset(name, _input(node, 1), set()):
                    continue
                if node.op not in operators:
                    yield node.op[:80]

    def _is_savers(self, name: str) -> bool:
        """Whether nothing but TensorFlow's own saver can run a function."""
        swapped = _SWAPPED in self.library[name].attr
        return name not in self.loaded and not swapped and not any(self._callers(name))

    def _callers(self, name: str) -> Iterator[tuple[str, Any]]:
        for caller, function in self.library.items():
            yield from ((caller, node) for node in function.node_def
                        if name == node.op or name in _called(node))  # fmt: skip

    def _names_asset(self, name: str, value: str, seen: set[tuple[str, str]]) -> bool:
        """Whether a text in a function can be nothing but the name of one of the assets."""
        if (name, value) in seen:
            return True
        seen.add((name, value))
        function = self.library[name]
        arguments = [argument.name for argument in function.signature.input_arg]
        if value not in arguments or _SWAPPED in function.attr:
            return False
        index = arguments.index(value)
        if name in self.loaded:
            bound = self.loaded[name]
            place = index - (len(arguments) - len(bound))
            if place < 0 or bound[place] not in self.assets:
                return False
        return all(
            node.op in _PLAIN_CALLS and self._names_asset(caller, _input(node, index), seen)
            for caller, node in self._callers(name)
        )


def _input(node: Any, index: int) -> str:
    return node.input[index] if index < len(node.input) else ""


def _called(node: Any) -> set[str]:
    """Return the names of the functions that a node's attributes hold, however deep."""
    return set(_function_names(node.attr.values()))


def _function_names(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        for function in (value.func, *value.list.func):
            if function.name:
                yield function.name
            yield from _function_names(function.attr.values())
