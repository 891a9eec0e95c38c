"""SavedModels that would read or write files or run code: nothing of it happens."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from podium.runtimes import Source, load
from podium.runtimes.tensorflow.savedmodel import allowed_operators
from tests.conformance.cases import numbers
from tests.conformance.keras_cases import features
from tests.conformance.refusals import refusal, trust_in
from tests.conformance.tensorflow_cases import FromFile, Module, export
from tests.conformance.tensorflow_graphs import ROWS, change, functions, module

# Keras warns of itself when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

X = features(numbers(5))


# Graphs that are programs


def test_reading_a_file_needs_trust(tmp_path: Path) -> None:
    """A graph that reads a file is refused by the operator; vouched for, it reads it."""
    secret = tmp_path / "secret.txt"
    secret.write_text("7")
    folder = module(
        lambda x: {"y": x + tf.strings.to_number(tf.io.read_file(str(secret)))}, folder=tmp_path
    )
    message = refusal(folder)
    assert message.startswith(
        "m holds operators that may read or write files or run code: ReadFile. Save it again"
    )
    assert "not the one that trust names" in refusal(folder, trust="0" * 64)
    trusted = load(Source.alone(folder, trust=trust_in(message)))
    np.testing.assert_allclose(trusted.predict({"x": X})["y"], X + 7)


def test_writing_a_file_is_refused(tmp_path: Path) -> None:
    """A graph that writes a file when it is loaded is refused, and writes nothing."""
    marker = tmp_path / "ran"

    class Table(tf.lookup.StaticHashTable):  # type: ignore[misc]
        """A table that writes a file when it is filled."""

        def _initialize(self) -> Any:
            with tf.control_dependencies([tf.io.write_file(str(marker), "ran")]):
                return super()._initialize()

    made = Module()
    made.table = Table(tf.lookup.KeyValueTensorInitializer(["a"], [1]), 0)
    made.own = tf.function(
        lambda x: {"y": x + tf.cast(made.table.lookup(tf.constant("a")), tf.float32)},
        input_signature=[ROWS],
    )
    tf.saved_model.save(made, str(tmp_path / "m"), signatures=made.own)
    marker.unlink(missing_ok=True)
    assert "WriteFile" in refusal(tmp_path / "m")
    assert not marker.exists()
    tf.saved_model.load(str(tmp_path / "m"))
    assert marker.exists(), "the attack works where nobody looks"


def _print(x: Any) -> Any:
    tf.print(x, output_stream="file:///tmp/podium_printed")
    return x


def _lines(x: Any) -> Any:
    return x + tf.cast(tf.data.TextLineDataset("/etc/passwd").cardinality(), tf.float32)


def _mapped(x: Any) -> Any:
    return x + tf.cast(
        tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[3], memory_region_name="/etc/passwd"),
        tf.float32,
    )


def _encoded(_: Any) -> Any:
    return tf.raw_ops.EncodeProto(
        sizes=[[1]],
        values=[[[1]]],
        field_names=["a"],
        message_type="m",
        descriptor_source="/etc/passwd",
    )


def _deep(x: Any) -> Any:
    # The operator stands in a function that a loop's body calls.
    def body(i: Any, y: Any) -> Any:
        return i + 1, y + tf.cast(tf.size(tf.io.matching_files("/etc/*")), tf.float32)

    return tf.while_loop(lambda i, _: i < 2, body, (0, x))[1]


@pytest.mark.parametrize(
    ("call", "operator"),
    [
        (_print, "PrintV2"),
        (_lines, "TextLineDataset"),
        (_mapped, "ImmutableConst"),
        (_deep, "MatchingFiles"),
        (lambda x: tf.numpy_function(lambda y: y, [x], tf.float32, stateful=False),
         "PyFuncStateless"),
        (lambda x: tf.py_function(lambda y: y, [x], tf.float32), "EagerPyFunc"),
        (lambda x: tf.raw_ops.DebugIdentityV2(input=x, tfdbg_run_id="r"), "DebugIdentityV2"),
        (_encoded, "EncodeProto"),
        (lambda x: x + tf.raw_ops.RestoreV2(
            prefix="/tmp/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])[0],  # noqa: S108
         "RestoreV2"),
    ],
)  # fmt: skip
def test_operators_that_are_no_data(
    call: Callable[..., Any], operator: str, tmp_path: Path
) -> None:
    """Operators that read, write, print to files, call Python or debug are refused by name."""
    assert operator in refusal(module(call, folder=tmp_path))


def test_operator_that_tensorflow_lacks(tmp_path: Path) -> None:
    """An operator of somebody's own library is refused by name."""

    def own(graph: Any) -> None:
        functions(graph, "__call__")[0].node_def.add(name="own", op="PodiumEvilOp")

    assert "PodiumEvilOp" in refusal(change(export(tmp_path, Module()), own))


def test_function_that_is_not_there(tmp_path: Path) -> None:
    """A call of what the folder does not hold, such as an operator by name, is refused."""

    def calls(graph: Any) -> None:
        node = functions(graph, "__call__")[0].node_def.add(name="c", op="PartitionedCall")
        node.attr["f"].func.name = "If"
        node.attr["f"].func.attr["then_branch"].func.name = "ReadFile"

    message = refusal(change(export(tmp_path, Module()), calls))
    assert "If, ReadFile" in message


@pytest.mark.parametrize("way", ["called", "nested", "loaded", "swapped"])
def test_saver_that_more_than_the_saver_can_run(way: str, tmp_path: Path) -> None:
    """What saves the variables may write files: nothing but TensorFlow's saver may call it."""

    def attack(graph: Any) -> None:
        (saver,) = functions(graph, "traced_save")
        call = functions(graph, "__call__")[0]
        if way == "called":
            call.node_def.add(name="c", op=saver.signature.name)
        if way == "nested":
            node = call.node_def.add(name="c", op="StatefulPartitionedCall")
            node.attr["f"].func.name = call.signature.name
            node.attr["f"].func.attr["g"].func.name = saver.signature.name
        if way == "loaded":
            graph.object_graph_def.concrete_functions[saver.signature.name].SetInParent()
        if way == "swapped":
            saver.attr["api_implements"].s = b"lstm"

    assert "SaveV2" in refusal(change(export(tmp_path, Module()), attack))


def test_table_of_an_asset_is_data(tmp_path: Path) -> None:
    """A table that is read from a file of the folder is loaded, also if it was saved twice."""
    module = FromFile(tmp_path / "words.txt")
    folder = export(tmp_path, module)
    loaded = tf.saved_model.load(str(folder))
    tf.saved_model.save(loaded, str(tmp_path / "twice"), signatures=loaded.signatures)
    shutil.rmtree(folder)
    (tmp_path / "words.txt").unlink()
    model = load(Source.alone(tmp_path / "twice"))
    colours = np.array([["green"], ["blue"]], np.object_)
    found = model.predict({"width": np.zeros((2, 1)), "colour": colours})
    assert found["scores"].tolist() == [[1], [2]]


def _table_from(path: Any) -> Any:
    table = tf.raw_ops.AnonymousHashTable(key_dtype=tf.string, value_dtype=tf.int64)
    tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=table, filename=path, key_index=-2, value_index=-1
    )
    return tf.raw_ops.LookupTableSizeV2(table_handle=table)


def test_table_of_another_file_is_refused(tmp_path: Path) -> None:
    """A table that is read from a file that the graph names is refused."""
    folder = module(lambda x: x + tf.cast(_table_from("/etc/passwd"), tf.float32), folder=tmp_path)
    assert "InitializeTableFromTextFileV2" in refusal(folder)


def test_table_of_the_visitors_file_is_refused(tmp_path: Path) -> None:
    """A table that is read from a file that the caller names is refused."""
    name = tf.TensorSpec([], tf.string, name="x")
    folder = module(lambda x: {"y": _table_from(x)}, name, folder=tmp_path)
    assert "InitializeTableFromTextFileV2" in refusal(folder)


@pytest.mark.parametrize("way", ["constant", "caller", "another object", "joined", "swapped"])
def test_asset_that_is_none(way: str, tmp_path: Path) -> None:
    """A table's file must be an asset on all ways that lead to it."""

    def attack(graph: Any) -> None:
        (filled,) = functions(graph, "initializer")
        name = filled.signature.name
        if way == "constant":
            filled.node_def[0].input[1] = "Const:output:0"
        if way == "caller":
            node = functions(graph, "__call__")[0].node_def.add(name="c", op="PartitionedCall")
            node.input.extend(["Const:output:0", "x"])
            node.attr["f"].func.name = name
        if way == "another object":
            bound = graph.object_graph_def.concrete_functions[name].bound_inputs
            bound[0], bound[1] = bound[1], bound[0]
        if way == "swapped":
            filled.attr["api_implements"].s = b"lstm"
        if way == "joined":
            join = filled.node_def.add(name="j", op="StringJoin")
            join.input.extend([filled.node_def[0].input[1]])
            filled.node_def[0].input[1] = "j:output:0"

    folder = export(tmp_path, FromFile(tmp_path / "words.txt"))
    assert "InitializeTableFromTextFileV2" in refusal(change(folder, attack))


@pytest.mark.parametrize("name", ["../../secret.txt", "/etc/passwd", "gs://bucket/x"])
def test_asset_that_leads_outside(name: str, tmp_path: Path) -> None:
    """An asset whose name leads out of the folder is refused, trusted or not."""

    def outside(graph: Any) -> None:
        graph.asset_file_def[0].filename = name

    folder = change(export(tmp_path, FromFile(tmp_path / "words.txt")), outside)
    assert refusal(folder, trust="0" * 64) == f"m: its asset {name!r} leads outside"


def test_links_out_of_the_folder(tmp_path: Path) -> None:
    """A link in the folder, to a file or to a folder, may not lead out of the application."""
    app = tmp_path / "app"
    folder = export(app, Module())
    outside = (folder / "variables").rename(tmp_path / "variables")
    (folder / "variables").symlink_to(outside)
    assert "variables is a link to a folder" in refusal(folder)
    (folder / "variables").unlink()
    (folder / "variables").mkdir()
    for file in outside.iterdir():
        (folder / "variables" / file.name).symlink_to(file)
    assert "leads outside of m/" in refusal(folder)


def test_model_of_tensorflow_1(tmp_path: Path) -> None:
    """A graph of TensorFlow 1, which runs when it is loaded, needs trust."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        tf.compat.v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": x}, {"y": x * 2})
    message = refusal(tmp_path / "m")
    assert message.startswith("m is of TensorFlow 1's kind, whose graph runs to restore it.")
    trusted = load(Source.alone(tmp_path / "m", trust=trust_in(message)))
    np.testing.assert_allclose(trusted.predict({"x": X})["y"], X * 2)


FILES = re.compile(
    r"file|path|dir\b|dir_|_dir|url|uri|address|vocab|descriptor|region|library|callback|host"
    r"|prefix|checkpoint|token$|device", re.I,
)  # fmt: skip
HARMLESS = {"top_paths", "host_reserved", "ragged_prefix", "vocab_size", "device_names",
            "allowed_devices"}  # fmt: skip


def test_no_operator_that_counts_as_data_names_a_file() -> None:
    """Nothing among the operators that are data has an input or attribute like a file's name."""
    found: dict[str, set[str]] = {}
    for name in sorted(allowed_operators()):
        operator = op_def_registry.get(name)
        if operator is not None:
            parts = {one.name for one in (*operator.input_arg, *operator.attr)}
            named = {part for part in parts if FILES.search(part)} - HARMLESS
            found |= {name: named} if named else {}
    assert found == {}


def test_the_commonest_operators_are_data() -> None:
    """The families hold what models are made of."""
    common = {
        "MatMul", "Conv2D", "FusedBatchNormV3", "Softmax", "ReadVariableOp", "VarHandleOp",
        "StatefulPartitionedCall", "While", "If", "Einsum", "GatherV2", "HashTableV2",
        "LookupTableFindV2", "LookupTableImportV2", "StringSplitV2", "StaticRegexReplace",
        "RaggedTensorToTensor", "TensorListStack", "DecodeJpeg", "ResizeBilinear", "ParseExampleV2",
        "NonMaxSuppressionV5", "StatelessRandomUniformV2", "FFT2D", "Assert", "CudnnRNNV3",
    }  # fmt: skip
    assert common - allowed_operators() == set()
