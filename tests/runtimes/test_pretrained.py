"""Folders of Hugging Face that are damaged, forged, or lack something."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers

from podium.errors import ModelError, UntrustedModel
from podium.runtimes import Source
from podium.runtimes import load as load_any
from podium.runtimes.transformers import load
from podium.runtimes.transformers.pretrained import staged
from tests.conformance.transformers_cases import (
    SPECIAL,
    WORDS,
    bert,
    changed,
    made,
    processor,
    save,
    vit,
    wordpiece,
)

Change = Callable[[Path], object]
TEXTS = np.array(["good film", "very bad plot", "the actor"], np.object_)


@pytest.fixture
def text_folder(tmp_path: Path) -> Path:
    """Return a folder with a small BERT and its tokenizer."""
    return save(tmp_path, bert(), wordpiece())


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Return a folder with a small ViT and its image processor."""
    return save(tmp_path, vit(), processor())


def opened(folder: Path) -> Any:
    """Return a folder as its runtime loads it."""
    return load(Source.alone(folder, threads=1))


def refusal(folder: Path, kind: type[ModelError] = ModelError) -> str:
    """Return the message with which a folder is refused."""
    with pytest.raises(ModelError) as caught:
        opened(folder)
    assert type(caught.value) is kind
    return str(caught.value)


def answers(folder: Path) -> object:
    """Return a text model's answers."""
    return opened(folder).predict({"text": TEXTS})["logits"].tolist()


class Touch:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.file,)


# Programs, and ways out of the folder


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin"])
def test_pickled_weights_are_refused(name: str, image_folder: Path, tmp_path: Path) -> None:
    """Weights in a pickle are not loaded; the refusal tells how to save them as safetensors."""
    (image_folder / "model.safetensors").unlink()
    (image_folder / name).write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    assert refusal(image_folder, UntrustedModel) == (
        f"m holds its weights as a pickle ({name}), which runs code when it is loaded. Load it "
        "where it was trained and save it as safetensors: "
        "model.save_pretrained(folder, safe_serialization=True)"
    )
    assert not (tmp_path / "ran").exists()


def test_pickle_beside_safetensors_is_not_touched(image_folder: Path, tmp_path: Path) -> None:
    """A folder with both kinds of weights loads the safetensors alone."""
    (image_folder / "pytorch_model.bin").write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    (image_folder / "training_args.bin").write_bytes(pickle.dumps(Touch(tmp_path / "ran")))
    assert opened(image_folder).task == "classification"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("config.json", {"AutoConfig": "own.Config"}),
        ("config.json", {"AutoModelForSequenceClassification": "own.Model"}),
        ("tokenizer_config.json", {"AutoTokenizer": [None, "own.Tokenizer"]}),
        ("preprocessor_config.json", {"AutoImageProcessor": "own.Processor"}),
    ],
)  # fmt: skip
def test_code_of_the_folder_is_refused(
    name: str, table: dict[str, object], text_folder: Path, tmp_path: Path
) -> None:
    """A folder that brings code is refused, with the ways out, and the code is not run."""
    (text_folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    changed(text_folder / name, auto_map=table)
    assert refusal(text_folder, UntrustedModel) == (
        f"m needs code of its own (auto_map in {name}), and Podium runs none that a model's "
        "folder brings. Export the model to ONNX, or load it in a module beside podium.toml "
        'that you have read: python = "module:function"'
    )
    assert not (tmp_path / "ran").exists()


def test_code_that_nothing_names_is_not_run(text_folder: Path, tmp_path: Path) -> None:
    """Python files in the folder are no part of the model."""
    for name in ("configuration_bert.py", "modeling_bert.py", "tokenization_bert.py"):
        (text_folder / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    assert opened(text_folder).task == "classification"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "key", ["attn_implementation", "_attn_implementation", "_attn_implementation_internal"]
)
def test_attention_of_the_hub_is_left_out(key: str, text_folder: Path) -> None:
    """An attention kernel that config.json names is not fetched; the answers are the same."""
    expected = answers(text_folder)
    changed(text_folder / "config.json", **{key: "someone/kernel"})
    assert opened(text_folder).module.config._attn_implementation in ("sdpa", "eager")
    assert answers(text_folder) == expected


def test_other_weights_are_left_out(text_folder: Path, tmp_path: Path) -> None:
    """Weights elsewhere, which config.json may name, are not read."""
    expected = answers(text_folder)
    save(tmp_path / "other", bert(initializer_range=0.2))
    elsewhere = "../../other/models/m/model.safetensors"
    changed(text_folder / "config.json", transformers_weights=elsewhere)
    assert answers(text_folder) == expected


VOCABULARY = "\n".join((*SPECIAL, *WORDS[::-1])) + "\n"
"""The same words in another order: who reads it answers otherwise."""


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json"])
@pytest.mark.parametrize("kept", ["tokenizer.json", "vocab.txt"])
@pytest.mark.parametrize(
    "keys", [["vocab_file", "tokenizer_file", "gguf_file"], ["vocab"], ["init_inputs"]]
)
def test_vocabulary_elsewhere_is_left_out(
    name: str, kept: str, keys: list[str], text_folder: Path, tmp_path: Path
) -> None:
    """Paths among a tokenizer's settings are not followed; the folder's own vocabulary counts."""
    expected = answers(text_folder)
    (tmp_path / "vocab.txt").write_text(VOCABULARY)
    if kept == "vocab.txt":
        (text_folder / "tokenizer.json").unlink()
        (text_folder / kept).write_text("\n".join((*SPECIAL, *WORDS)) + "\n")
    elsewhere = str(tmp_path / "vocab.txt")
    named = [elsewhere] if keys == ["init_inputs"] else elsewhere
    changed(text_folder / name, **dict.fromkeys(keys, named))
    assert answers(text_folder) == expected


def test_tokenizer_elsewhere_is_left_out(text_folder: Path, tmp_path: Path) -> None:
    """A list of tokenizer files that leads out of the folder is not followed."""
    expected = answers(text_folder)
    (tmp_path / "tokenizer.9.0.json").write_text("{}")
    changed(text_folder / "tokenizer_config.json",
            fast_tokenizer_files=["../../tokenizer.9.0.json"])  # fmt: skip
    assert answers(text_folder) == expected


@pytest.mark.parametrize("key", ["tokenizer_class", "image_processor_type"])
def test_class_that_is_no_tokenizer_is_left_out(key: str, text_folder: Path) -> None:
    """Settings choose among tokenizers and image processors, not among all of transformers."""
    expected = answers(text_folder)
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
        changed(text_folder / name, **{key: "RagRetriever"})
    with staged(text_folder) as stage:
        assert all("Rag" not in file.read_text() for file in stage.glob("*config.json"))
    assert answers(text_folder) == expected


def test_only_data_is_handed_over(text_folder: Path) -> None:
    """The framework sees weights, vocabularies and settings, and nothing else of the folder."""
    for name in ("own.py", "pytorch_model.bin", "chat_template.jinja", "other.safetensors"):
        (text_folder / name).write_text("x")
    with staged(text_folder) as stage:
        assert sorted(file.name for file in stage.iterdir()) == [
            "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        ]  # fmt: skip


@pytest.mark.parametrize("name", ["../../outside.safetensors", "/etc/passwd", "gone.safetensors"])
def test_index_that_leads_elsewhere_is_refused(
    name: str, image_folder: Path, tmp_path: Path
) -> None:
    """An index may name files of its folder alone."""
    (image_folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
    index = {"metadata": {}, "weight_map": {"classifier.bias": name}}
    (image_folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert refusal(image_folder) == (
        f"m: model.safetensors.index.json names {name}, and the folder holds no .safetensors "
        "file. Save the model again."
    )


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_link_out_of_the_application_is_refused(
    name: str, text_folder: Path, tmp_path: Path
) -> None:
    """A symbolic link to a file outside is refused before anything is read."""
    outside = tmp_path / "elsewhere"
    (text_folder / name).rename(outside)
    (text_folder / name).symlink_to(outside)
    with pytest.raises(UntrustedModel, match=f"m: {name} leads outside of m/"):
        load_any(Source.alone(text_folder))


# What is missing, damaged or not served


def _unlink(name: str) -> Change:
    return lambda folder: (folder / name).rename(folder / "gone")


def _write(name: str, text: str) -> Change:
    return lambda folder: (folder / name).write_text(text)


def _set(**settings: Any) -> Change:
    return lambda folder: changed(folder / "config.json", **settings)


HEADS = (
    "Served are models for image classification (...ForImageClassification) and text "
    "classification (...ForSequenceClassification); export another one to ONNX."
)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unlink("config.json"), "m holds no config.json: model.save_pretrained(folder)"),
        (_unlink("model.safetensors"), "m holds no model.safetensors. Save the model: "),
        (_unlink("tokenizer.json"), "m holds no tokenizer. Save the one of the training beside "
         "the weights: tokenizer.save_pretrained(folder)"),
        (_write("adapter_config.json", '{"base_model_name_or_path": "org/base"}'),
         "m is an adapter (PEFT) to 'org/base' and no whole model. Merge the two and save the "
         "result: model.merge_and_unload().save_pretrained(folder)"),
        (_set(architectures=["BertForTokenClassification"]),
         f"m: config.json names BertForTokenClassification. {HEADS}"),
        (_set(architectures=["BertModel"]), f"m: config.json names BertModel. {HEADS}"),
        (_set(architectures=None), f"m: config.json names no architecture. {HEADS}"),
        (_set(architectures=["TimmWrapperForImageClassification"]),
         f"m: config.json names TimmWrapperForImageClassification. {HEADS}"),
        (_set(problem_type="multi_label_classification"),
         'm tells several labels at once (problem_type "multi_label_classification"). '),
        (_set(quantization_config={"quant_method": "bitsandbytes"}),
         "m is quantized (quantization_config in config.json), which needs packages beyond"),
        (_set(model_type="hyperformer", transformers_version="9.1.0"),
         f"m: transformers {transformers.__version__} has no model type 'hyperformer'; the folder "
         "was saved with 9.1.0. pip install --upgrade transformers"),
        (_set(id2label={"0": "a", "1": "b"}),
         "m: 'classifier.bias' has the shape [3] in the weights and [2] by config.json. "),
        (_set(num_hidden_layers=3), "m: its weights lack 16 parameters such as "
         "'bert.encoder.layer.2.attention.output.LayerNorm.bias'; the model would answer at "),
        (lambda folder: wordpiece(extra_special_tokens=["[E1]", "[E2]"]).save_pretrained(folder),
         "m: the tokenizer has 18 tokens; the model knows 16. Save the one that it was trained "),
    ],
)  # fmt: skip
def test_folder_that_is_not_served(change: Change, message: str, text_folder: Path) -> None:
    """What is missing or not served is told in words, with the way out."""
    change(text_folder)
    assert refusal(text_folder).startswith(message)


@pytest.mark.parametrize(
    "name", ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
)
@pytest.mark.parametrize("damage", ["empty", "garbage", "truncated", "of text", "deep"])
def test_damaged_file_is_a_model_error(name: str, damage: str, text_folder: Path) -> None:
    """A damaged file of the folder cannot be loaded; the error names the folder, in one line."""
    body = (text_folder / name).read_bytes()
    bodies = {"empty": b"", "garbage": bytes(range(256)) * 20, "of text": b"hello\n",
              "truncated": body[: len(body) // 2], "deep": b"[" * 100_000}  # fmt: skip
    (text_folder / name).write_bytes(bodies[damage])
    message = refusal(text_folder)
    assert message.startswith("m: ")
    assert "\n" not in message
    assert "/podium-" not in message


def test_other_version_is_told_where_it_fails(image_folder: Path) -> None:
    """The framework's reason comes with both versions."""
    changed(image_folder / "config.json", hidden_size="wide", transformers_version="4.1.0")
    message = refusal(image_folder)
    assert message.startswith("m: transformers cannot load it: ")
    assert f"saved with transformers 4.1.0; installed is {transformers.__version__}" in message


def test_other_version_that_loads_is_a_note(image_folder: Path) -> None:
    """A folder of another version is served, and its maker is told."""
    changed(image_folder / "config.json", transformers_version="4.1.0")
    assert opened(image_folder).notes == (
        f"m was saved with transformers 4.1.0; installed is {transformers.__version__}. If it "
        "does not load or answers otherwise: pip install 'transformers==4.1.0', or save it again.",
    )


def test_without_a_processor_there_is_no_image(image_folder: Path) -> None:
    """An image model without a preprocessor_config.json is served; a note says what is missing."""
    (image_folder / "preprocessor_config.json").unlink()
    model = opened(image_folder)
    assert (model.image, model.notes) == (
        None, ("m holds no preprocessor_config.json: [image] is not known from it.",)
    )  # fmt: skip


def test_processor_that_cannot_be_read_is_a_note(image_folder: Path) -> None:
    """Settings that the framework refuses leave [image] to the maker."""
    changed(image_folder / "preprocessor_config.json", size="large")
    model = opened(image_folder)
    assert model.image is None
    assert model.notes[0].startswith("preprocessor_config.json cannot be read: ")


def test_processor_within_another_file(image_folder: Path) -> None:
    """The image processor may stand in processor_config.json, as newer folders have it."""
    expected = opened(image_folder).image
    file = image_folder / "preprocessor_config.json"
    settings = json.loads(file.read_text())
    file.unlink()
    changed(image_folder / "processor_config.json", image_processor=settings)
    assert opened(image_folder).image == expected


def test_pixels_that_no_picture_has(tmp_path: Path) -> None:
    """A classifier of images that takes something else than pixels is refused."""
    config = transformers.ImageGPTConfig(n_embd=8, n_layer=1, n_head=1, vocab_size=9, num_labels=2)
    folder = save(tmp_path, made(transformers.ImageGPTForImageClassification, config))
    assert refusal(folder) == (
        "m: ImageGPTForImageClassification takes input_ids and no pixels. Export it to ONNX."
    )
