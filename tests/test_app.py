"""An application folder with its models."""

from __future__ import annotations

import sys
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from PIL import Image as pil

from podium import app as app_module
from podium import runtimes
from podium.app import App, Served
from podium.errors import Mistake, ModelError, SpecError, UnknownModel
from podium.options import Options
from tests.conformance.cases import NUMBERS, build, rows_of
from tests.conformance.graphs import linear
from tests.conformance.onnx_cases import CASES as ONNX
from tests.support.apps import SIDE, write_colours

PLAIN = {case.name: case for case in ONNX}["onnx-logits"]
ROW: Any = [(1.0, 2.0, 3.0)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an application of one good and one damaged model."""
    build(PLAIN, tmp_path)
    (tmp_path / "models/broken.onnx").write_bytes(b"broken")
    with (tmp_path / "podium.toml").open("a") as file:
        file.write('[[models]]\nname = "broken"\nfile = "models/broken.onnx"\n')
    return tmp_path


def test_models_are_loaded_when_asked_for(folder: Path) -> None:
    """A model is loaded once, by its first request; a damaged one is no trouble to others."""
    app = App(folder)
    assert (app.names, app.ready, app.failures) == (("m", "broken"), False, {})
    served = app.served()
    assert isinstance(served, Served)
    assert (served.spec.name, served.platform) == ("m", "onnx")
    assert app.served("m") is served
    assert app.predict(ROW, Options()).model == "m"


def test_all_models_are_loaded_and_failures_told(folder: Path) -> None:
    """Loading all tells each model's error, keeps it, and leaves the application not ready."""
    app = App(folder)
    found = dict(app.load_all())
    assert found["m"] is None
    assert isinstance(found["broken"], ModelError)
    assert app.failures == {"broken": str(found["broken"])}
    assert not app.ready


def test_application_is_ready_with_its_last_model(tmp_path: Path) -> None:
    """An application is ready when every model is loaded."""
    app = build(PLAIN, tmp_path).app
    assert not app.ready
    assert list(app.load_all()) == [("m", None)]
    assert app.ready


def test_unknown_model(folder: Path) -> None:
    """A model that there is not is told with those that there are."""
    with pytest.raises(UnknownModel) as caught:
        App(folder).predict(ROW, Options(model="brokn"))
    assert caught.value.known == ("m", "broken")


def test_model_is_loaded_once_by_many_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests that come together wait for one loading."""
    app = build(PLAIN, tmp_path).app
    loads: list[object] = []
    load = runtimes.load
    monkeypatch.setattr(app_module, "load", lambda *args: loads.append(args) or load(*args))  # type: ignore[func-returns-value]
    start = Barrier(8)

    def ask() -> None:
        start.wait(10)
        app.served()

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(loads) == 1


def test_failed_loading_is_tried_again(folder: Path) -> None:
    """A model whose file was mended is loaded at the next request."""
    app = App(folder)
    with pytest.raises(ModelError):
        app.served("broken")
    linear(folder / "models/broken.onnx")
    assert app.served("broken").spec.name == "broken"


@pytest.mark.parametrize(("cpus", "workers", "threads"), [(8, 1, 8), (8, 3, 2), (2, 4, 1)])
def test_workers_share_the_processors(
    cpus: int, workers: int, threads: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of several workers gives its models its share of the processors, one at least."""
    asked: list[int] = []
    load = runtimes.load

    def remember(source: Any, *args: Any) -> Any:
        asked.append(source.threads)
        return load(source, *args)

    monkeypatch.setattr(app_module, "available_cpus", lambda: cpus)
    monkeypatch.setattr(app_module, "load", remember)
    App(folder, workers=workers).served()
    assert asked == [threads]


def test_labels_left_out_where_the_file_names_none(tmp_path: Path) -> None:
    """Where neither podium.toml nor the default model names classes, that is the mistake."""
    build(PLAIN, tmp_path)
    text = "\n".join(line for line in PLAIN.toml.splitlines() if not line.startswith("labels"))
    (tmp_path / "podium.toml").write_text(text)
    with pytest.raises(SpecError) as caught:
        App(tmp_path)
    message = "is missing, and the default model names no classes"
    assert caught.value.mistakes == (Mistake("task.labels", message),)


def test_mistakes_of_podium_toml(tmp_path: Path) -> None:
    """A folder with mistakes opens no application."""
    with pytest.raises(SpecError):
        App(tmp_path)


def _with_pipeline(folder: Path, keys: str) -> Path:
    linear(folder / "models/m.onnx")
    text = PLAIN.toml.replace(NUMBERS, f"{NUMBERS}[pipeline]\n{keys}\n")
    (folder / "podium.toml").write_text(text)
    return folder


def test_own_functions_that_cannot_be_imported(tmp_path: Path) -> None:
    """Each function that cannot be imported is named with its reason, together."""
    (tmp_path / "steps.py").write_text("value = 1\n")
    _with_pipeline(tmp_path, 'preprocess = "none:prepare"\npostprocess = "steps:value"')
    with pytest.raises(SpecError) as caught:
        App(tmp_path)
    first, second = caught.value.mistakes
    assert first.key == "pipeline.preprocess"
    assert first.message.startswith("'none:prepare' cannot be imported: ImportError: there is no")
    assert second == Mistake(
        "pipeline.postprocess",
        "'steps:value' cannot be imported: TypeError: 'value' is not callable",
    )


def test_own_modules_that_raise(tmp_path: Path) -> None:
    """What a maker's module raises when it is imported is told."""
    (tmp_path / "steps.py").write_text("1 / 0\n")
    _with_pipeline(tmp_path, 'preprocess = "steps:prepare"')
    with pytest.raises(SpecError, match=r"pipeline\.preprocess.*ZeroDivisionError"):
        App(tmp_path)


def test_own_modules_do_not_hide_installed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A maker's json.py is the maker's own and leaves Python's json alone."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "json.py").write_text(
        "import numpy as np\n\n\ndef prepare(items):\n"
        "    return np.array([list(i.values()) for i in items], np.float32)\n"
    )
    before = sys.modules["json"]
    _with_pipeline(tmp_path, 'preprocess = "json:prepare"')
    assert len(App(tmp_path).predict(ROW, Options()).predictions) == 1
    assert sys.modules["json"] is before


def test_own_modules_import_one_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A maker's module may import another of the folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "podium_test_helper.py").write_text("import numpy as np\nkind = np.float32\n")
    (tmp_path / "steps.py").write_text(
        "import numpy as np\nfrom podium_test_helper import kind\n\n\ndef prepare(items):\n"
        "    return np.array([list(i.values()) for i in items], kind)\n"
    )
    _with_pipeline(tmp_path, 'preprocess = "steps:prepare"')
    assert len(App(tmp_path).predict(ROW, Options()).predictions) == 1


@pytest.mark.parametrize(
    ("runtime", "message"),
    [("onxx", r"no runtime 'onxx'\. Did you mean 'onnx'\?"), ("zzz", "Known: onnx, sklearn")],
)
def test_unknown_runtime(runtime: str, message: str, tmp_path: Path) -> None:
    """A runtime that there is not is told with the nearest or with all."""
    build(PLAIN, tmp_path)
    (tmp_path / "podium.toml").write_text(PLAIN.toml + f'runtime = "{runtime}"\n')
    with pytest.raises(ModelError, match=message):
        App(tmp_path).served()


def test_unknown_ending(tmp_path: Path) -> None:
    """A file of an ending that no runtime answers to is told with the known endings."""
    build(PLAIN, tmp_path)
    (tmp_path / "models/m.onnx").rename(tmp_path / "models/m.model")
    text = PLAIN.toml.replace("m.onnx", "m.model")
    (tmp_path / "podium.toml").write_text(text)
    expected = r"^m\.model: no runtime is known for '\.model' files\. Known: \.onnx, \.skops"
    with pytest.raises(ModelError, match=expected):
        App(tmp_path).served()
    (tmp_path / "podium.toml").write_text(text + 'runtime = "onnx"\n')
    assert App(tmp_path).served().platform == "onnx"


def test_range_is_warned_of(tmp_path: Path) -> None:
    """A value outside the training range is warned of in the answer."""
    build(PLAIN, tmp_path)
    text = PLAIN.toml.replace('name = "b"', 'name = "b"\nrange = [0, 1]')
    (tmp_path / "podium.toml").write_text(text)
    answer = App(tmp_path).predict(rows_of((9.0, 0.5, 9.0), (0.0, 2.0, 0.0)), Options())
    assert [[one.field for one in each.warnings] for each in answer.predictions] == [[], ["b"]]


def colours(folder: Path, more: str = "", image: str = "") -> Path:
    """Return the colour application; `image` goes into the second model's [models.image]."""
    file = write_colours(folder) / "podium.toml"
    text = file.read_text()
    end = 'file = "models/topleft.onnx"\n'
    file.write_text(more + text.replace(end, f"{end}[models.image]\n{image}\n" if image else end))
    return folder


def test_a_model_has_its_own_way_with_images(tmp_path: Path) -> None:
    """Keys of [models.image] count for its model, and for no other."""
    own = f'size = [{SIDE}, {SIDE}]\ncolour = "bgr"\ndecode = "exact"'
    app = App(colours(tmp_path, image=own))
    assert app.image_of(None) == app.image_of("whole") == app.image_of("none") == app.spec.image
    assert app.image_of("topleft") == app.spec.models[1].image
    red: Any = [pil.new("RGB", (SIDE, SIDE), (255, 0, 0))]
    found = [app.predict(red, Options(model=name, top=4)).predictions[0] for name in app.names]
    shares = [one.probabilities["red"] for one in found]  # type: ignore[union-attr,index]
    assert shares == pytest.approx([1 / 3, 0, 1 / 3])


@pytest.mark.parametrize(
    ("image", "own", "key", "value"),
    [
        ("mean = [0.5]\ncrop = 0.5", "std = [0.2]", "mean", (0.5,)),
        ("mean = [0.5]\ncrop = 0.5", "mean = [0.1]", "mean", (0.1,)),
        ("crop = 0.5", "size = [8, 8]", "resized", (16, 16)),
        ("crop = 0.5", "resize_size = 20", "resized", (20, 20)),
        ("resize_size = 20", "crop = 0.25", "resized", (64, 64)),
    ],
)
def test_what_a_model_does_not_say_is_as_in_image(
    image: str, own: str, key: str, value: object, tmp_path: Path
) -> None:
    """[models.image] inherits; what says how far to resize, replaces the other way to say it."""
    file = colours(tmp_path, image=own) / "podium.toml"
    file.write_text(file.read_text().replace("[image]\n", f"[image]\n{image}\n", 1))
    assert getattr(App(tmp_path).image_of("topleft"), key) == value


def test_a_mistake_in_image_is_told_once(tmp_path: Path) -> None:
    """A model that inherits a wrong value is not blamed for it; its own mistakes are told."""
    file = colours(tmp_path, image='decode = "quick"') / "podium.toml"
    file.write_text(file.read_text().replace("[image]\n", '[image]\nmean = ["x"]\n', 1))
    with pytest.raises(SpecError) as caught:
        App(tmp_path)
    keys = sorted(one.key for one in caught.value.mistakes)
    assert keys == ["image.mean[0]", "models[1].image.decode"]


def test_the_size_of_a_model_counts_when_it_is_loaded(tmp_path: Path) -> None:
    """A model that does not fit its own [models.image] is refused, others are served."""
    app = App(colours(tmp_path, image="size = [8, 8]"))
    assert app.served("whole").platform == "onnx"
    with pytest.raises(ModelError, match=r"\[image\] makes \[n, 3, 8, 8\]"):
        app.served("topleft")


def test_the_makers_preprocess_gets_whole_pictures(tmp_path: Path) -> None:
    """With a preprocess of the maker no picture is scaled while it is decoded."""
    (tmp_path / "prepare.py").write_text("def run(items):\n    return items\n")
    app = App(colours(tmp_path, "", 'size = [8, 8]\ndecode = "fast"'))
    assert app.image_of("topleft").decode == "fast"  # type: ignore[union-attr]
    file = tmp_path / "podium.toml"
    file.write_text(f'{file.read_text()}\n[pipeline]\npreprocess = "prepare:run"\n')
    app = App(tmp_path)
    assert {app.image_of(name).decode for name in app.names} == {"exact"}  # type: ignore[union-attr]


def test_images_of_a_model_need_images(folder: Path) -> None:
    """[models.image] without [image] is a mistake."""
    with (folder / "podium.toml").open("a") as file:
        file.write("[models.image]\nsize = [8, 8]\n")
    with pytest.raises(SpecError) as caught:
        App(folder)
    assert [mistake.key for mistake in caught.value.mistakes] == ["models[1].image"]
