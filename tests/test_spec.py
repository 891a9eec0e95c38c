"""podium.toml: what it may say, and every mistake in it at once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, get_origin, get_type_hints

import pytest

from podium.errors import Mistake, SpecError
from podium.folder import inside, parse
from podium.spec import RESERVED, Deploy, Feature, Limits, Spec
from podium.spec.deploy import CloudRun
from podium.strict import Period, Size, Table

HEAD = """
title = "A"
[task]
kind = "classification"
labels = ["x", "y"]
"""
INPUTS = """
[[features]]
name = "a"
"""
MODEL = """
[[models]]
name = "m"
file = "m.onnx"
"""
GOOD = HEAD + INPUTS + MODEL


def write(folder: Path, text: str) -> Path:
    """Write podium.toml, and a file for its model."""
    folder.mkdir(exist_ok=True)
    (folder / "podium.toml").write_text(text, "utf-8")
    (folder / "m.onnx").write_bytes(b"model")
    return folder


def mistakes_in(folder: Path, text: str) -> list[Mistake]:
    """Return all that is wrong with an application folder."""
    with pytest.raises(SpecError) as caught:
        parse(write(folder, text))
    assert caught.value.file == folder / "podium.toml"
    return list(caught.value.mistakes)


def test_least_application(tmp_path: Path) -> None:
    """A title, a task, an input and a model are enough; all else has its default."""
    parsed = parse(write(tmp_path, GOOD))
    spec = parsed.spec
    assert parsed.labels == ("x", "y")
    assert (spec.title, spec.summary, spec.about, spec.requirements) == ("A", "", None, ())
    assert spec.features == (Feature(name="a", kind="number", optional=False),)
    assert (spec.image, spec.text, spec.references, spec.examples) == (None, None, (), ())
    assert spec.limits == Limits(
        upload=Size(20_000_000), dataset=Size(2_000_000_000), rows=10_000, timeout=Period(60),
        concurrency=8, queue=64,
    )  # fmt: skip
    assert (spec.server.workers, spec.server.threads, spec.server.engine) == (None, 8, "local")
    assert (spec.server.base_path, spec.server.hosts) == ("", ())
    assert (spec.history.on, spec.history.keep) == (False, Period(30 * 86400))
    assert (spec.theme.colour, spec.theme.logo, spec.theme.font, spec.deploy) == (None,) * 3 + (
        Deploy(),
    )


def test_everything_that_the_design_names(tmp_path: Path) -> None:
    """An application that uses every table is read as it is written."""
    for name in ("about.md", "card.md", "data.csv", "logo.png"):
        (tmp_path / name).write_text("text")
    text = f"""
title = "Penguins"
summary = "Which?"
about = "about.md"
requirements = ["scipy>=1.14"]
[task]
kind = "classification"
target = "species"
labels = ["x", "y"]
[[features]]
name = "bill"
label = "Bill"
unit = "mm"
help = "Long"
range = [1, 2.5]
example = 2
[[features]]
name = "island"
kind = "category"
choices = ["p", "q"]
optional = true
[pipeline]
preprocess = "steps:prepare"
postprocess = "package.steps:name"
{MODEL}
title = "Model"
runtime = "onnx"
samples = 100
noise = "eps"
card = "card.md"
[[references]]
title = "Data"
file = "data.csv"
[[references]]
title = "Paper"
url = "https://example.org/paper"
[[examples]]
title = "One"
inputs = {{ bill = 2, island = "p" }}
expected = "x"
[limits]
upload = "1 MB"
rows = 5
timeout = "2 min"
[server]
workers = 2
base_path = "/penguins"
hosts = ["example.org"]
[theme]
colour = "#1f6f8b"
logo = "logo.png"
font = "Fira Sans, sans-serif"
[deploy.cloud-run]
region = "europe-west1"
"""
    spec = parse(write(tmp_path, text)).spec
    assert spec.features[0] == Feature(
        name="bill", label="Bill", unit="mm", help="Long", range=(1.0, 2.5), example=2
    )
    assert (spec.features[1].choices, spec.features[1].optional) == (("p", "q"), True)
    assert (spec.models[0].samples, spec.models[0].noise, spec.models[0].card) == (
        100, "eps", "card.md",
    )  # fmt: skip
    assert [(one.title, one.file, one.url) for one in spec.references] == [
        ("Data", "data.csv", None),
        ("Paper", None, "https://example.org/paper"),
    ]
    assert spec.examples[0].inputs == {"bill": 2, "island": "p"}
    assert (spec.examples[0].expected, spec.examples[0].tolerance) == ("x", 0.0)
    assert (spec.limits.upload, spec.limits.timeout) == (Size(1_000_000), Period(120))
    assert spec.pipeline.postprocess == "package.steps:name"
    assert spec.deploy == Deploy(cloud_run=CloudRun(region="europe-west1"))


def test_image_application(tmp_path: Path) -> None:
    """An image's preparation is read as it is written, and grey has one channel."""
    text = (
        HEAD + '[image]\nsize = [28, 32]\nresize = "shortest"\ncrop = 0.875\ncolour = "grey"\n'
        'interpolation = "lanczos"\nscale = 1\nmean = [0.5]\nstd = [0.25]\nlayout = "NHWC"\n'
        'polarity = "any"\ntrim = true\ndraw = true\ndecode = "exact"\n' + MODEL
    )
    image = parse(write(tmp_path, text)).spec.image
    assert image is not None
    assert (image.size, image.channels, image.mean, image.std) == ((28, 32), 1, (0.5,), (0.25,))
    assert (image.resize, image.crop, image.interpolation) == ("shortest", 0.875, "lanczos")
    assert (image.scale, image.layout, image.polarity) == (1.0, "NHWC", "any")
    assert (image.trim, image.draw) == (True, True)


def test_every_mistake_at_once(tmp_path: Path) -> None:
    """Unknown keys, wrong types, broken rules and missing files of all tables come together."""
    text = """
titel = "A"
about = "none.md"
[task]
kind = "clasification"
[[features]]
name = "seed"
[[features]]
name = "b"
kind = "category"
choices = ["one"]
[[models]]
name = "m n"
file = "none.onnx"
[limits]
rows = 0
upload = "much"
"""
    found = dict(mistakes_in(tmp_path, text))
    assert found == {
        "titel": "is not a known key. Did you mean 'title'?",
        "title": "is missing; expected text (not empty)",
        "task.kind": "expected one of 'classification', 'regression'; found 'clasification'. "
        "Did you mean 'classification'?",
        "features[0].name": "'seed' is a query parameter; choose another name",
        "features[1].choices": "a category needs at least two choices",
        "models[0].name": "expected text; found 'm n'. Its name in requests: letters, digits, "
        "dots, dashes.",
        "limits.rows": "expected a whole number (at least 1); found 0",
        "limits.upload": 'expected a size such as "20 MB" or "512 KiB"; found \'much\'',
        "about": f"there is no file 'none.md' in {tmp_path}",
        "models[0].file": f"there is no file 'none.onnx' in {tmp_path}",
    }


CLASSIFIES = 'kind = "classification"\nlabels = ["x", "y"]'
IMAGE = "[image]\nsize = [8, 8]\n"


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (CLASSIFIES, 'kind = "regression"\nlabels = ["x", "y"]',
         ("task.labels", 'belongs to kind = "classification"; remove it')),
        (CLASSIFIES, CLASSIFIES + '\nunit = "mm"',
         ("task.unit", 'belongs to kind = "regression"; remove it')),
        ('["x", "y"]', '["x"]', ("task.labels", "expected at least two labels, found 1")),
        ('["x", "y"]', '["x", "y", "x"]',
         ("task.labels", "'x' stands there twice; labels must differ")),
        ('name = "a"', 'name = "a"\nkind = "category"\nchoices = ["p", "q", "p"]',
         ("features[0].choices", "'p' stands there twice")),
        ('name = "a"', 'name = "a"\nchoices = ["p", "q"]',
         ("features[0].choices", 'belongs to kind = "category"')),
        ('name = "a"', 'name = "a"\nkind = "boolean"\nrange = [0, 1]',
         ("features[0].range", "belongs to a number or an integer")),
        ('name = "a"', 'name = "a"\nrange = [2, 1]',
         ("features[0].range", "expected [least, greatest], found [2.0, 1.0]")),
        ('name = "a"', 'name = "a"\nrange = [1, 1]',
         ("features[0].range", "expected [least, greatest], found [1.0, 1.0]")),
        ('name = "a"', 'name = "a"\n[[features]]\nname = "a"',
         ("features", "the name 'a' stands there twice")),
        (INPUTS, "",
         ("features", "expected one of [[features]], [image], [text]; found none")),
        (INPUTS, INPUTS + IMAGE,
         ("features", "expected one of [[features]], [image], [text]; found features and image")),
        (INPUTS, IMAGE + "mean = [0.1, 0.2]",
         ("image.mean", "expected 1 or 3 numbers for 'rgb'")),
        (INPUTS, IMAGE + 'colour = "grey"\nstd = [1, 1, 1]',
         ("image.std", "expected 1 number for 'grey'")),
        (INPUTS, IMAGE + "crop = 0.5\nresize_size = 9",
         ("image.crop", "resize_size says it already; leave one of the two out")),
        (INPUTS, IMAGE + "fill = [9]",
         ("image.fill", 'nothing is padded; it belongs to resize = "longest"')),
        (INPUTS, IMAGE + 'resize = "longest"\nfill = [1, 2]',
         ("image.fill", "expected 1 or 3 numbers for 'rgb'")),
        (INPUTS, IMAGE + "resize_size = [9]", ("image.resize_size",
         "expected a whole number or a list of 2, each a whole number; found [9]")),
        (INPUTS, IMAGE + "resize_size = 0",
         ("image.resize_size", "resizes to (0, 0); expected 1 to 4096 pixels")),
        (INPUTS, IMAGE + "crop = 0.001",
         ("image.crop", "resizes to (8000, 8000); expected 1 to 4096 pixels")),
        (INPUTS, IMAGE + 'polarity = "any"', ("image.polarity", 'needs colour = "grey"')),
        (INPUTS, IMAGE + "trim = true", ("image.trim", 'needs colour = "grey"')),
        (INPUTS, "[image]\nsize = [0, 8]\n",
         ("image.size[0]", "expected a list of 2, each a whole number (at least 1, at most 4096); "
          "found [0, 8]")),
        (INPUTS, IMAGE + "std = [0.0]",
         ("image.std[0]", "expected a list of a number (above 0); found [0.0]")),
        (INPUTS, INPUTS + '[pipeline]\npreprocess = "steps.prepare"',
         ("pipeline.preprocess", "expected \"module:function\", found 'steps.prepare'")),
        ('file = "m.onnx"', "",
         ("models[0].file", "expected one of file, files and python; found none")),
        ('file = "m.onnx"', 'file = "m.onnx"\nnoise = "eps"',
         ("models[0].samples", "noise needs the number of passes, such as samples = 100")),
        ('file = "m.onnx"', 'file = "m.onnx"\nsampling_width = 0.1',
         ("models[0].samples",
          "sampling_width needs the most passes, such as samples = 100")),
        ('file = "m.onnx"', 'file = "m.onnx"\nfactory = "nets.build"',
         ("models[0].factory", "expected \"module:name\", found 'nets.build'")),
        ('file = "m.onnx"', 'python = "nets"',
         ("models[0].python", "expected \"module:name\", found 'nets'")),
        ('file = "m.onnx"', 'python = "nets:predict"',
         ("models[0].python", "there is no module 'nets' in FOLDER")),
        ('file = "m.onnx"', 'file = "m.onnx"\nfactory = "nets.small:build"',
         ("models[0].factory", "there is no module 'nets.small' in FOLDER")),
        ('file = "m.onnx"', 'python = "m:predict"\nfactory = "m:build"',
         ("models[0].factory", "belongs to a file of weights; remove it")),
        ('file = "m.onnx"', 'file = "m.onnx"\ntrust = "yes"',
         ("models[0].trust", "expected text; found 'yes'. The sha256 of a model that is a program, "
          "for which the maker vouches.")),
        ('file = "m.onnx"', 'files = ["m.onnx"]',
         ("models[0].files", "an ensemble needs at least two; use file for one")),
        ('file = "m.onnx"', 'files = ["m.onnx", "lost.onnx"]',
         ("models[0].files[1]", "there is no file 'lost.onnx' in FOLDER")),
        ('file = "m.onnx"', 'file = "m.onnx"\n[[models]]\nname = "m"\nfile = "m.onnx"',
         ("models", "the name 'm' stands there twice")),
        (MODEL, MODEL + '[[references]]\ntitle = "A"',
         ("references[0].url", "expected either file or url")),
        (MODEL, MODEL + '[[references]]\ntitle = "A"\nurl = "ftp://x"',
         ("references[0].url", "expected text; found 'ftp://x'. An http or https address.")),
        (MODEL, MODEL + '[[examples]]\ntitle = "A"\nimage = "m.onnx"\ninputs = {a = 1}',
         ("examples[0].inputs", "expected exactly one of inputs, image and text")),
        (MODEL, MODEL + '[[examples]]\ntitle = "A"\nimage = "m.onnx"',
         ("examples[0].inputs", "is missing; expected the features")),
        (MODEL, MODEL + '[server]\nengine = "ray"',
         ("server.engine", '"ray" is not served by this version; use "local" or "gunicorn"')),
        (MODEL, MODEL + '[server]\nbase_path = "penguins"',
         ("server.base_path", "expected text; found 'penguins'. The path prefix behind a proxy, "
          "such as /penguins.")),
        (MODEL, MODEL + '[history]\non = true\nkeep = "0 s"',
         ("history.keep", 'expected more than "0 s"; to keep nothing, leave on = false')),
        (MODEL, MODEL + '[theme]\ncolour = "teal"',
         ("theme.colour", "expected text; found 'teal'. The accent colour, such as #1f6f8b.")),
        (MODEL, MODEL + '[theme]\nlogo = "podium.toml"',
         ("theme.logo", "'podium.toml' does not end in one of .svg, .png, .jpg, .jpeg, .gif, "
          ".webp, .avif")),
        (MODEL, MODEL + '[theme]\nfont_file = "m.onnx"',
         ("theme.font_file", "'m.onnx' does not end in one of .woff2, .woff, .ttf, .otf")),
        (MODEL, MODEL + '[theme]\nfont = "a;b"',
         ("theme.font", "expected text; found 'a;b'. A font family of the visitor's machine.")),
    ],
)  # fmt: skip
def test_each_rule(old: str, new: str, mistake: tuple[str, str], tmp_path: Path) -> None:
    """A broken rule is told once, with its key and the way out."""
    assert old in GOOD
    (tmp_path / "m.py").touch()
    key, message = mistake
    expected = Mistake(key, message.replace("FOLDER", str(tmp_path)))
    assert mistakes_in(tmp_path, GOOD.replace(old, new)) == [expected]


@pytest.mark.parametrize("name", ['size (")', "a\\b"])
def test_names_that_no_key_can_be(name: str, tmp_path: Path) -> None:
    """A name with a quote or a backslash is told before the server fails on it."""
    found = mistakes_in(tmp_path, GOOD.replace('"a"', f"'{name}'"))
    expected = f'{name!r} holds a " or \\; write it in label alone'
    assert found == [Mistake("features[0].name", expected)]


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names(name: str, tmp_path: Path) -> None:
    """No feature has the name of a query parameter."""
    found = mistakes_in(tmp_path, GOOD.replace('"a"', f'"{name}"'))
    expected = f"{name!r} is a query parameter; choose another name"
    assert found == [Mistake("features[0].name", expected)]


@pytest.mark.parametrize(
    "text", [HEAD + INPUTS, HEAD.replace("[task]", "models = []\n[task]") + INPUTS]
)
def test_no_model(text: str, tmp_path: Path) -> None:
    """An application without a model is told so, whether the key is missing or empty."""
    found = mistakes_in(tmp_path, text)
    assert [mistake.key for mistake in found] == ["models"]


def test_a_rule_is_not_hidden_by_another_mistake(tmp_path: Path) -> None:
    """Two models of one name are told even where one of them has another mistake."""
    more = '[[models]]\nname = "m"\nfile = "m.onnx"\ncrad = "x"\n'
    assert sorted(mistakes_in(tmp_path, GOOD + more)) == [
        Mistake("models", "the name 'm' stands there twice"),
        Mistake("models[1].crad", "is not a known key. Did you mean 'card'?"),
    ]


@pytest.mark.parametrize("low", ["-inf", "nan"])
def test_range_is_finite(low: str, tmp_path: Path) -> None:
    """A range has two ends; infinity and no number are none."""
    found = mistakes_in(tmp_path, GOOD.replace('name = "a"', f'name = "a"\nrange = [{low}, 5]'))
    assert [mistake.key for mistake in found] == ["features[0].range"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('kind = "number"\nexample = "x"', "expected a number; found 'x'"),
        ('kind = "category"\nchoices = ["p", "q"]\nexample = "r"', "one of p, q"),
    ],
)
def test_example_of_a_feature_fits(keys: str, message: str, tmp_path: Path) -> None:
    """A feature's example is a value that it takes; the form could not be sent with it."""
    found = mistakes_in(tmp_path, GOOD.replace('name = "a"', f'name = "a"\n{keys}'))
    assert [mistake.key for mistake in found] == ["features[0].example"]
    assert message in found[0].message


def test_expected_value_of_a_regression_is_a_number(tmp_path: Path) -> None:
    """A regression's example expects a number."""
    text = GOOD.replace(CLASSIFIES, 'kind = "regression"')
    more = '[[examples]]\ntitle = "A"\ninputs = {a = 1}\nexpected = "much"\n'
    found = mistakes_in(tmp_path, text + more)
    assert [mistake.key for mistake in found] == ["examples[0].expected"]


def test_expected_label_is_one_of_the_labels(tmp_path: Path) -> None:
    """A classification's example expects one of the labels; the nearest is asked for."""
    more = '[[examples]]\ntitle = "A"\ninputs = {a = 1}\nexpected = "z"\n'
    found = mistakes_in(tmp_path, GOOD + more)
    assert [mistake.key for mistake in found] == ["examples[0].expected"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("about", 'about = "{}"\n' + GOOD),
        ("models[0].file", GOOD.replace('"m.onnx"', '"{}"')),
        ("models[0].card", GOOD + 'card = "{}"\n'),
        ("theme.logo", GOOD + '[theme]\nlogo = "{}"\n'),
        ("theme.font_file", GOOD + '[theme]\nfont_file = "{}"\n'),
        ("references[0].file", GOOD + '[[references]]\ntitle = "A"\nfile = "{}"\n'),
        ("examples[0].image",
         GOOD.replace(INPUTS, IMAGE) + '[[examples]]\ntitle = "A"\nimage = "{}"\n'),
        ("task.labels", GOOD.replace('["x", "y"]', '"{}"')),
    ],
)  # fmt: skip
def test_files_outside_the_folder(key: str, text: str, tmp_path: Path) -> None:
    """No key reads a file outside the folder, by dots, from the root or through a link."""
    folder = write(tmp_path / "app", GOOD)
    (tmp_path / "secret").write_text("p\nq\n")
    (folder / "link").symlink_to(tmp_path / "secret")
    for name in ("../secret", str(tmp_path / "secret"), "link", "x/../../secret"):
        message = f"{name!r} leads outside the application folder"
        assert mistakes_in(folder, text.replace("{}", name)) == [Mistake(key, message)]


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A key that names a file does not take a folder."""
    (tmp_path / "cards").mkdir()
    found = mistakes_in(tmp_path, GOOD + 'card = "cards"\n')
    assert [mistake.key for mistake in found] == ["models[0].card"]


def test_inside_follows_names_and_links(tmp_path: Path) -> None:
    """A name inside the folder is its path; one that leads out is None."""
    (tmp_path / "out").symlink_to("/etc")
    assert inside(tmp_path, "a/b.txt") == tmp_path / "a/b.txt"
    assert inside(tmp_path, "a/../b.txt") == tmp_path / "b.txt"
    assert inside(tmp_path, "../b.txt") is None
    assert inside(tmp_path, "/etc/passwd") is None
    assert inside(tmp_path, "out/passwd") is None


def test_labels_from_a_file(tmp_path: Path) -> None:
    """Labels may stand in a file, one a line; empty lines and space around them do not count."""
    write(tmp_path, GOOD.replace('["x", "y"]', '"labels.txt"'))
    (tmp_path / "labels.txt").write_text("größe\n\n  cat dog \r\nz\n", "utf-8")
    assert parse(tmp_path).labels == ("größe", "cat dog", "z")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\nx\ny\n", "labels.txt: 'x' stands there twice; labels must differ"),
        ("x\n", "labels.txt: expected at least two labels, found 1"),
        ("", "labels.txt: expected at least two labels, found 0"),
    ],
)
def test_wrong_labels_in_a_file(text: str, message: str, tmp_path: Path) -> None:
    """What is wrong with the labels of a file names the file."""
    (tmp_path / "labels.txt").write_text(text)
    found = mistakes_in(tmp_path, GOOD.replace('["x", "y"]', '"labels.txt"'))
    assert found == [Mistake("task.labels", message)]


def test_labels_file_that_is_no_text(tmp_path: Path) -> None:
    """A labels file that is not UTF-8 is a mistake in words."""
    (tmp_path / "labels.txt").write_bytes(b"gr\xf6\xdfe\nx\n")
    found = mistakes_in(tmp_path, GOOD.replace('["x", "y"]', '"labels.txt"'))
    assert [mistake.key for mistake in found] == ["task.labels"]


def test_labels_file_that_is_not_there(tmp_path: Path) -> None:
    """A labels file that is not there is named."""
    found = mistakes_in(tmp_path, GOOD.replace('["x", "y"]', '"labels.txt"'))
    assert found == [Mistake("task.labels", f"there is no file 'labels.txt' in {tmp_path}")]


def test_labels_may_be_left_out(tmp_path: Path) -> None:
    """Without labels the model's own are used later; here there are none."""
    assert parse(write(tmp_path, GOOD.replace('labels = ["x", "y"]', ""))).labels == ()


def test_broken_toml(tmp_path: Path) -> None:
    """Broken TOML is told with its line."""
    found = mistakes_in(tmp_path, 'title = "A"\n[task\n')
    assert [mistake.key for mistake in found] == ["TOML"]
    assert "line 2" in found[0].message


def test_toml_that_is_no_text(tmp_path: Path) -> None:
    """A podium.toml that is not UTF-8 is told in words."""
    (tmp_path / "podium.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(SpecError, match=r"podium\.toml: 1 mistake\n  TOML: .*utf-8"):
        parse(tmp_path)


def test_folder_without_podium_toml(tmp_path: Path) -> None:
    """Without podium.toml the command that makes one is named."""
    with pytest.raises(SpecError) as caught:
        parse(tmp_path)
    hint = f"is missing; `podium init MODEL --output {tmp_path}` makes one"
    assert caught.value.mistakes == (Mistake("podium.toml", hint),)


def test_file_in_place_of_a_folder(tmp_path: Path) -> None:
    """A file is no application folder."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(SpecError, match="expected an application folder"):
        parse(tmp_path / "file")


def below(kind: type[Any]) -> set[type[Any]]:
    """Return all classes that are of a kind."""
    return {one for own in kind.__subclasses__() for one in {own, *below(own)}}


def test_every_key_has_its_sentence() -> None:
    """Every key that is no table has a description for the reference."""
    tables = {"task", "models", "features", "image", "text", "pipeline", "references", "examples",
              "limits", "server", "access", "history", "theme", "deploy",
              *Deploy.__struct_fields__}  # fmt: skip
    bare = {
        name
        for table in below(Table)
        if table.__module__.startswith("podium.spec")
        for name, kind in get_type_hints(table, include_extras=True).items()
        if get_origin(kind) not in (Annotated, ClassVar)
    }
    assert bare == tables
    assert {*Spec.__struct_fields__, *Deploy.__struct_fields__} >= tables


@pytest.mark.parametrize(
    ("history", "kept"),
    [("", 3600), ('on = true\nkeep = "2 days"', 172800), ('on = true\nkeep = "1 min"', 3600)],
)
def test_data_sets_are_kept_for_the_longer_time(tmp_path: Path, history: str, kept: int) -> None:
    """With history on a data set is kept as long as answers are, if not longer."""
    text = f'{GOOD}[limits]\ndataset_keep = "1 h"\n[history]\n{history}\n'
    assert float(parse(write(tmp_path, text)).spec.dataset_keep) == kept
