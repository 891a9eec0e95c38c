"""What is special about SavedModels: signatures, and graphs that would read or write files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from podium.errors import MissingExtra, ModelError, UntrustedModel
from podium.runtimes import Source, TensorSpec, load
from podium.runtimes.quiet import quiet
from podium.runtimes.savedmodel import allowed_operators
from tests.conformance.cases import numbers
from tests.conformance.graphs import SINGLE
from tests.conformance.keras_cases import dense, features, save
from tests.conformance.tensorflow_cases import FromFile, Module, export
from tests.conformance.tflite_cases import converted
from tests.conformance.tflite_cases import save as save_lite

# Keras warns of itself when a test saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy")

FLOAT = np.dtype(np.float32)
X = features(numbers(5))
ROWS = tf.TensorSpec([None, 3], tf.float32, name="x")


def module(
    call: Callable[..., Any], *inputs: tf.TensorSpec, folder: Path, **signatures: Any
) -> Path:
    """Write a function of tensors as a SavedModel."""
    made = Module()
    made.own = tf.function(call, input_signature=inputs or [ROWS])
    target = folder / "m"
    tf.saved_model.save(made, str(target), signatures=signatures or made.own)
    return target


def refusal(folder: Path, **options: Any) -> str:
    """Return why a folder is refused."""
    with pytest.raises(UntrustedModel) as caught:
        load(Source.alone(folder, **options))
    return str(caught.value)


def change(folder: Path, do: Callable[[Any], None]) -> Path:
    """Change the MetaGraphDef of a SavedModel."""
    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel()
    model.ParseFromString(file.read_bytes())
    do(model.meta_graphs[0])
    file.write_bytes(model.SerializeToString())
    return folder


def functions(graph: Any, name: str) -> list[Any]:
    """Return the functions of a graph whose names hold a word."""
    return [one for one in graph.graph_def.library.function if name in one.signature.name]


# What a folder tells


def test_inputs_and_outputs_are_told(tmp_path: Path) -> None:
    """A signature's inputs and outputs go by their names; an installed version needs no note."""
    model = load(Source.alone(export(tmp_path, Module(SINGLE))))
    assert model.inputs == (TensorSpec("x", FLOAT, (None, 3)),)
    assert model.outputs == (TensorSpec("scores", FLOAT, (None, 1)),)
    assert model.notes == ()


def test_another_version_is_noted(tmp_path: Path) -> None:
    """A folder of another TensorFlow is loaded, and the note has both versions."""

    def older(graph: Any) -> None:
        graph.meta_info_def.tensorflow_version = "2.4.1"

    (note,) = load(Source.alone(change(export(tmp_path, Module()), older))).notes
    assert note.startswith(f"m was saved with tensorflow 2.4.1; installed is {tf.__version__}.")


def test_the_only_signature_is_taken(tmp_path: Path) -> None:
    """A single signature may have any name."""
    one = tf.function(lambda x: {"y": x * 2}, input_signature=[ROWS])
    folder = module(lambda x: x, folder=tmp_path, score=one)
    np.testing.assert_allclose(load(Source.alone(folder)).predict({"x": X})["y"], X * 2)


@pytest.mark.parametrize(("names", "found"), [((), "none"), (("score", "embed"), "embed, score")])
def test_no_single_signature(names: tuple[str, ...], found: str, tmp_path: Path) -> None:
    """Without serving_default, and without a single signature, the error names those found."""
    made = Module()
    signatures = dict.fromkeys(names, made.__call__)
    tf.saved_model.save(made, str(tmp_path / "m"), signatures=signatures)
    with pytest.raises(ModelError, match=rf"m needs a signature 'serving_default'.*found: {found}"):
        load(Source.alone(tmp_path / "m"))


def test_fixed_batch(tmp_path: Path) -> None:
    """A signature of four rows is run as often as a batch needs."""
    four = tf.TensorSpec([4, 3], tf.float32, name="x")
    folder = module(
        lambda x: {"y": tf.reshape(tf.reshape(x, [2, 6]) * 2, [4, 3])}, four, folder=tmp_path
    )
    model = load(Source.alone(folder))
    for rows in (1, 4, 5):
        np.testing.assert_allclose(model.predict({"x": X[:rows]})["y"], X[:rows] * 2)


def test_unknown_shape_is_the_applications(tmp_path: Path) -> None:
    """An input of unknown shape takes what the application makes of its items."""
    any_shape = tf.TensorSpec(None, tf.float32, name="x")
    folder = module(lambda x: {"y": x * 2}, any_shape, folder=tmp_path)
    expects = TensorSpec("X", np.dtype(np.float64), (None, 3))
    assert load(Source.alone(folder, expects=expects)).inputs == (
        TensorSpec("x", FLOAT, (None, 3)),
    )
    with pytest.raises(ModelError, match=r"m: the input 'x' has no axis for the batch"):
        load(Source.alone(folder))


def test_texts_and_half_precision_come_out(tmp_path: Path) -> None:
    """Texts come out as texts, bfloat16 as single precision."""

    def call(x: Any) -> dict[str, Any]:
        return {"text": tf.fill([tf.shape(x)[0]], "größer"), "half": tf.cast(x, tf.bfloat16)}

    found = load(Source.alone(module(call, folder=tmp_path))).predict({"x": np.ones((2, 3))})
    assert found["text"].tolist() == ["größer", "größer"]
    assert (found["half"].dtype, found["half"].tolist()) == (FLOAT, [[1, 1, 1]] * 2)


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
    trusted = load(Source.alone(folder, trust=message.partition('trust = "')[2][:64]))
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
    trusted = load(Source.alone(tmp_path / "m", trust=message.partition('trust = "')[2][:64]))
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


# Damage and installations


@pytest.mark.parametrize("body", [b"", b"hello\n", bytes(range(256)) * 20])
def test_damaged_graph(body: bytes, tmp_path: Path) -> None:
    """A folder whose graph is damaged cannot be loaded, and the error names it."""
    folder = export(tmp_path, Module())
    (folder / "saved_model.pb").write_bytes(body)
    with pytest.raises(ModelError, match=r"^m: its saved_model\.pb is damaged"):
        load(Source.alone(folder))


def test_damaged_functions(tmp_path: Path) -> None:
    """A graph that TensorFlow cannot build is an error that names the folder."""

    def dangling(graph: Any) -> None:
        functions(graph, "__call__")[0].node_def[1].input[0] = "nowhere:0"

    with pytest.raises(ModelError, match=r"^m: TensorFlow cannot load it: "):
        load(Source.alone(change(export(tmp_path, Module()), dangling)))


def test_missing_variables(tmp_path: Path) -> None:
    """A folder without its variables is an error that names the folder."""
    folder = export(tmp_path, Module())
    shutil.rmtree(folder / "variables")
    with pytest.raises(ModelError, match=r"^m: TensorFlow cannot load it: "):
        load(Source.alone(folder))


def test_missing_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TensorFlow the error names folder, format and the command that installs it."""
    folder = export(tmp_path, Module())
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingExtra) as caught:
        load(Source.alone(folder))
    assert str(caught.value) == (
        "m (SavedModel) needs the extra 'tensorflow': pip install 'podium[tensorflow]'"
    )


ALL = """
import sys
from pathlib import Path
import numpy as np
from podium.runtimes import Source, load
for file in sys.argv[1:]:
    model = load(Source.alone(Path(file)))
    (spec,) = model.inputs
    for rows in (1, 2, 3, 4, 5, 6, 7):
        model.predict({spec.name: np.zeros((rows, 3), np.float32)})
"""


def test_frameworks_are_quiet(tmp_path: Path) -> None:
    """Loading and running a Keras file, a SavedModel and a .tflite says nothing at all."""
    files = [save(tmp_path, dense()), export(tmp_path, Module()),
             save_lite(tmp_path, converted(dense))]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", ALL, *files], env=kept, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("", "")


def test_what_is_no_chatter_comes_after(capfd: pytest.CaptureFixture[str]) -> None:
    """Other lines on standard error are kept, in their order."""
    with quiet(), quiet():
        os.write(2, b"one\nI0000 00:00:1 1 port.cc:153] oneDNN\n")
        os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\ntwo\n")
    assert capfd.readouterr().err == "one\ntwo\n"


def test_whoever_sets_the_log_level_sees_all(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TF_CPP_MIN_LOG_LEVEL set, nothing is held back."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with quiet():
        os.write(2, b"I0000 00:00:1 1 port.cc:153] oneDNN\n")
    assert "oneDNN" in capfd.readouterr().err
