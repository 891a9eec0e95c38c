"""What is particular to folders of Hugging Face."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from numpy.typing import NDArray

from podium.app import App
from podium.errors import MissingExtra, ModelError
from podium.runtimes import Model, Source, TensorSpec
from podium.runtimes.transformers import load
from podium.spec import Image
from tests.conformance.cases import LABELS, build
from tests.conformance.transformers_cases import (
    CASES,
    LIMIT,
    SIDE,
    SPECIAL,
    WORDS,
    bert,
    changed,
    made,
    processor,
    save,
    texts,
    vit,
    wordpiece,
)

BY_NAME = {case.name.removeprefix("transformers-"): case for case in CASES}
FLOAT = np.dtype(np.float32)
TEXTS = np.array([one["text"] for one in texts(12)], np.object_)
PIXELS = np.random.default_rng(0).normal(size=(3, 3, SIDE, SIDE)).astype(np.float32)


def saved_bert(folder: Path, **options: Any) -> Path:
    """Write a small BERT with its tokenizer; return its folder."""
    return save(folder, bert(**options), wordpiece())


def opened(folder: Path) -> Any:
    """Return a folder as its runtime loads it."""
    return load(Source.alone(folder, threads=1))


def asked(model: Model, items: NDArray[Any]) -> NDArray[Any]:
    """Return the logits."""
    return model.predict({model.inputs[0].name: items})["logits"]


def test_image_folder_tells_its_signature(tmp_path: Path) -> None:
    """Labels, task, shapes and [image] come from the folder."""
    model = opened(save(tmp_path, vit(), processor()))
    assert (model.platform, model.task, model.labels) == ("transformers", "classification", LABELS)
    assert model.inputs == (TensorSpec("pixel_values", FLOAT, (None, 3, SIDE, SIDE)),)
    assert model.outputs == (TensorSpec("logits", FLOAT, (None, 3)),)
    assert model.image == Image(size=(SIDE, SIDE), mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))
    assert model.notes == ()


def test_text_folder_tells_its_signature(tmp_path: Path) -> None:
    """Labels, task, shapes and the tokenizer's limit come from the folder."""
    model = opened(saved_bert(tmp_path))
    assert (model.task, model.labels, model.image) == ("classification", LABELS, None)
    assert model.inputs == (TensorSpec("text", np.dtype(np.object_), (None,)),)
    assert model.outputs == (TensorSpec("logits", FLOAT, (None, 3)),)
    assert model.notes == (f"Texts are cut after {LIMIT} tokens, the model's limit.",)


@pytest.mark.parametrize("options", [{}, {"problem_type": "regression"}])
def test_one_label_is_a_regression(options: dict[str, Any], tmp_path: Path) -> None:
    """A head of one output answers a value, whether or not the problem's type is named."""
    model = opened(saved_bert(tmp_path, id2label={0: "mood"}, label2id={"mood": 0}, **options))
    assert (model.task, model.labels) == ("regression", ())
    assert model.outputs == (TensorSpec("logits", FLOAT, (None, 1)),)


def test_regression_of_several_values_names_the_shape(tmp_path: Path) -> None:
    """A regression of three values is refused with the shape that was found."""
    built = build(BY_NAME["bert-regression"], tmp_path)
    saved_bert(tmp_path, problem_type="regression")
    with pytest.raises(ModelError, match=r"one number an item.*logits \[4, 3\]"):
        App(built.app.folder).served()


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["LABEL_0", "LABEL_1", "LABEL_2"], ()),
        (["crane", "dog", "crane"], ("crane (0)", "dog", "crane (2)")),
    ],
)
def test_labels_that_do_not_name(names: list[str], labels: tuple[str, ...], tmp_path: Path) -> None:
    """Placeholders are no labels; a name that stands twice, as in ImageNet, gets its index."""
    model = opened(saved_bert(tmp_path, id2label=dict(enumerate(names)), label2id={}))
    assert (model.labels, model.outputs[0].shape) == (labels, (None, 3))


def test_half_precision_is_computed_in_single(tmp_path: Path) -> None:
    """Weights saved in 16 bits answer as 32-bit floats."""
    module = vit().half()
    answers = asked(opened(save(tmp_path, module, processor())), PIXELS)
    with torch.inference_mode():
        expected = module.float()(torch.from_numpy(PIXELS)).logits.numpy()
    assert answers.dtype == FLOAT
    np.testing.assert_allclose(answers, expected, 0, 1e-5)


def test_vocabulary_alone_is_a_tokenizer(tmp_path: Path) -> None:
    """An older folder, with vocab.txt in place of tokenizer.json, answers the same."""
    folder = saved_bert(tmp_path)
    expected = asked(opened(folder), TEXTS)
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join((*SPECIAL, *WORDS)) + "\n")
    np.testing.assert_allclose(asked(opened(folder), TEXTS), expected, 0, 1e-6)


def test_texts_are_cut_at_the_configs_length(tmp_path: Path) -> None:
    """Where the tokenizer knows no limit, the model's positions are one."""
    folder = save(tmp_path, bert(), wordpiece(model_max_length=int(1e30)))
    model = opened(folder)
    long = np.array(["good " * (LIMIT - 2), "good " * 500], np.object_)
    assert model.notes == (f"Texts are cut after {LIMIT} tokens, the model's limit.",)
    first, second = asked(model, long)
    np.testing.assert_allclose(first, second, 0, 1e-6)


def test_positions_behind_the_padding_do_not_count(tmp_path: Path) -> None:
    """RoBERTa counts positions from its padding token's on; the longest text is answered."""
    config = transformers.RobertaConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        vocab_size=len(SPECIAL) + len(WORDS), max_position_embeddings=20, num_labels=2,
        pad_token_id=0,
    )  # fmt: skip
    module = made(transformers.RobertaForSequenceClassification, config)
    tokenizer = wordpiece(transformers.BertTokenizer, model_max_length=int(1e30))
    model = opened(save(tmp_path, module, tokenizer))
    assert model.notes == ("Texts are cut after 19 tokens, the model's limit.",)
    assert asked(model, np.array(["bad " * 100], np.object_)).shape == (1, 2)


def test_without_a_padding_token_texts_go_alone(tmp_path: Path) -> None:
    """A GPT-2 that knows no padding answers a batch of texts of different lengths."""
    config = transformers.GPT2Config(
        n_embd=16, n_layer=1, n_head=2, n_positions=LIMIT, vocab_size=len(SPECIAL) + len(WORDS),
        num_labels=2,
    )  # fmt: skip
    module = made(transformers.GPT2ForSequenceClassification, config)
    folder = save(tmp_path, module, wordpiece())
    changed(folder / "tokenizer_config.json", pad_token=None)
    model = opened(folder)
    assert model.rows == 1
    together = asked(model, TEXTS)
    single = [asked(model, TEXTS[n : n + 1])[0] for n in range(len(TEXTS))]
    np.testing.assert_allclose(together, single, 0, 1e-6)


def test_threads_take_turns_at_the_tokenizer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """32 threads get the answers to their own texts, and never meet in the tokenizer.

    Two calls at once of which one sets padding fail with "Already borrowed".
    """
    model = opened(saved_bert(tmp_path))
    batches = [TEXTS[n % 12 :][: 1 + n % 4] for n in range(32)]
    expected = [asked(model, batch) for batch in batches]
    call, busy = transformers.BertTokenizer.__call__, Lock()

    def alone(*args: Any, **options: Any) -> Any:
        assert busy.acquire(blocking=False), "two threads at once"
        try:
            return call(*args, **options)
        finally:
            busy.release()

    def ask(number: int) -> None:
        for _ in range(5):
            np.testing.assert_allclose(asked(model, batches[number]), expected[number], 0, 1e-6)

    monkeypatch.setattr(transformers.BertTokenizer, "__call__", alone)
    with ThreadPoolExecutor(32) as pool:
        for done in [pool.submit(ask, number) for number in range(32)]:
            done.result(60)


QUIET = """
import socket, sys
def refuse(*args, **kwargs):
    print("asked the network for", args)
    raise OSError("no network")
socket.socket.connect = socket.getaddrinfo = refuse
import numpy as np
from pathlib import Path
from podium.runtimes import Source, load
for folder, items in ((sys.argv[1], np.array(["good", "bad film"], object)),
                      (sys.argv[2], np.zeros((2, 3, 16, 16), np.float32))):
    model = load(Source.alone(Path(folder), threads=1))
    print(model.predict({model.inputs[0].name: items})["logits"].shape)
"""


def test_nothing_is_asked_of_a_network_or_told_on_the_terminal(tmp_path: Path) -> None:
    """Loading and answering opens no connection and writes nothing, with no switch set."""
    text, image = saved_bert(tmp_path / "a"), save(tmp_path / "b", vit(), processor())
    changed(text / "config.json", transformers_version="4.30.0", _name_or_path="google/bert")
    done = subprocess.run(  # noqa: S603  the interpreter that runs this test
        [sys.executable, "-c", QUIET, text, image], capture_output=True, text=True, timeout=120,
        env={key: value for key, value in os.environ.items() if not key.startswith("HF_")},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("(2, 3)\n(2, 3)\n", "")


def test_warnings_of_the_framework_stay_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the framework warns of while it loads is no error of the folder, nor told."""
    load_module = transformers.AutoModelForSequenceClassification.from_pretrained

    def warn(*args: Any, **options: Any) -> Any:
        warnings.warn("this will change in a later version", FutureWarning, stacklevel=2)
        return load_module(*args, **options)

    monkeypatch.setattr(transformers.AutoModelForSequenceClassification, "from_pretrained", warn)
    assert opened(saved_bert(tmp_path)).labels == LABELS


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without transformers the error names the folder, its format and the install command."""
    folder = saved_bert(tmp_path)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"m \(Hugging Face model folder\).*\[transformers\]"):
        opened(folder)
