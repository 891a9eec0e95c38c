"""`podium optimize`: an ONNX graph in a model's place, where it answers the same, and faster."""

from __future__ import annotations

import filecmp
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from textwrap import shorten
from typing import Final, NamedTuple

from msgspec import structs

from podium.app import App, Served
from podium.cpus import available_cpus
from podium.errors import ModelError, PodiumError
from podium.folder import FILE
from podium.optimize.parity import Parity, compare
from podium.optimize.toml_edit import name_file
from podium.pipeline.decode import Items
from podium.pipeline.probe import probe_items
from podium.runtimes import export_onnx, model_files
from podium.runtimes.onnx import write_names

TOLERANCE: Final = 1e-4
BATCH: Final = 16
RUNS: Final = 500
BUDGET_S: Final = 5.0
"""At most RUNS answers are timed, and none is begun after this time."""

LEAST_GAIN: Final = 1.05
"""Medians closer than this are taken for equal."""


class Pair(NamedTuple):
    """A quantity of the old model and of the new one."""

    old: float
    new: float

    @property
    def ratio(self) -> float:
        """How many times the new quantity the old one is."""
        return self.old / self.new


@dataclass(frozen=True)
class Outcome:
    """What an ONNX graph brings: medians in milliseconds, sizes in bytes.

    `file` is the new file as podium.toml names it, "" when nothing was changed; `replaced` are
    the lines of podium.toml that it took the place of.
    """

    model: str
    platform: str
    parity: Parity
    one: Pair
    batch: Pair
    size: Pair
    file: str = ""
    replaced: tuple[str, ...] = ()

    @property
    def faster(self) -> bool:
        """Whether one answer takes less time, and a batch not more."""
        return self.one.ratio >= LEAST_GAIN and self.batch.ratio >= 1 / LEAST_GAIN


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The options of `podium optimize`."""

    model: str | None = None
    tolerance: float = TOLERANCE
    even_if_slower: bool = False


def optimize_application(folder: Path, wishes: Wishes, tell: Callable[[str], None]) -> Outcome:
    """Put an ONNX graph in a model's place if it answers the same, and faster.

    Nothing is changed before all is proven, nor when it is not. `tell` gets a sentence before
    each step.

    Raises:
        ModelError: the model cannot be exported, or its graph answers otherwise.
        PodiumError: podium.toml cannot be edited.
    """
    app = App(folder, workers=available_cpus())  # as many workers as processors: one thread each
    old = app.served(wishes.model)
    before = _text(app)
    _check_exportable(old)
    name_file(before, app.names.index(old.spec.name), "")
    with _staging(app.source(old.spec).file.parent) as staging:
        tell(f"Exporting {old.spec.file} to ONNX ...")
        new = _export(app, old, staging)
        tell("Comparing the answers ...")
        parity = compare(app, old, new)
        _check_parity(old, parity, wishes.tolerance)
        tell("Measuring ...")
        outcome = _measured(app, old, new, parity)
        if not outcome.faster and not wishes.even_if_slower:
            return outcome
        return _install(app, old, new, before, outcome)


def _check_exportable(old: Served) -> None:
    name, spec = old.spec.name, old.spec
    if spec.files:
        raise ModelError(
            f"{name} is an ensemble; optimize its members one by one. Give each a [[models]] of "
            "its own, optimize that, and name the graphs in files."
        )
    if spec.file is None:
        raise ModelError(f"{name} is Python code of your own, which cannot be exported to ONNX")
    if old.platform == "onnx":
        raise ModelError(f"{name} is ONNX already: {spec.file}")
    if spec.samples is not None:
        raise ModelError(f"{name} draws at random for its passes; such a model cannot be exported")
    if any(output.name == "votes" for output in old.pipeline.model.outputs):
        raise ModelError(
            f"{name} has members with a vote each, such as a forest's trees, and from their "
            "disagreement comes how sure it is. An ONNX graph tells their mean alone. The model "
            "stays as it is."
        )


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Make a folder beside the model, from which a file can be renamed into its place."""
    try:
        staging = tempfile.TemporaryDirectory(prefix=".optimize-", dir=folder)
    except OSError as err:
        raise PodiumError(f"{folder} cannot be written to: {err.strerror}") from err
    with staging as name:
        yield Path(name)


def _export(app: App, old: Served, folder: Path) -> Served:
    """Write the graph into `folder`, and return it in the application."""
    file = folder / f"{old.spec.name}.onnx"
    example = old.pipeline.encode(probe_items(old.pipeline.signature)[:2])
    export_onnx(app.source(old.spec), example, file)
    if model_files(file) != (file,):
        raise ModelError(f"{old.spec.name} is too large for one ONNX file, and stays as it is")
    write_names(file, old.pipeline.model.labels, old.pipeline.model.features)
    path = file.relative_to(app.folder).as_posix()
    spec = structs.replace(old.spec, file=path, runtime=None, factory=None, trust=None)
    try:
        return app.load_model(spec)
    except Exception as err:  # also what a postprocess of the maker raises
        raise ModelError(f"{old.spec.name}: its ONNX graph does not fit here: {err}") from err


def _check_parity(old: Served, parity: Parity, tolerance: float) -> None:
    if not parity.greatest <= tolerance:
        raise ModelError(
            f"{old.spec.name}: its ONNX graph answers otherwise. The largest difference is "
            f"{parity.greatest:.2g}, for {shorten(parity.worst, 400)}; allowed is {tolerance:g}. "
            "Nothing was changed; --tolerance allows more."
        )


def _measured(app: App, old: Served, new: Served, parity: Parity) -> Outcome:
    signature = old.pipeline.signature
    items = [item for seed in range(BATCH) for item in probe_items(signature, seed)][:BATCH]
    one, batch = _medians(old, new, items[:1]), _medians(old, new, items)  # type: ignore[arg-type]
    size = Pair(_size(app, old), _size(app, new))
    return Outcome(old.spec.name, old.platform, parity, one, batch, size)


def _medians(old: Served, new: Served, items: Items) -> Pair:
    """Return how long the items take, in milliseconds.

    The models take turns, so that whatever else the machine does slows both.
    """
    taken: tuple[list[float], list[float]] = ([], [])
    deadline = time.perf_counter() + BUDGET_S
    for _ in range(RUNS):
        for served, times in zip((old, new), taken, strict=True):
            started = time.perf_counter()
            served.pipeline.engine.infer(served.pipeline.model, served.pipeline.encode(items))
            times.append((time.perf_counter() - started) * 1000)
        if time.perf_counter() > deadline:
            break
    return Pair(*map(statistics.median, taken))


def _size(app: App, served: Served) -> int:
    source = app.source(served.spec)
    return sum(file.stat().st_size for file in model_files(source.file, source.runtime))


def _install(app: App, old: Served, new: Served, before: str, outcome: Outcome) -> Outcome:
    """Move the graph beside the old file and name it in podium.toml; undo both on a failure."""
    name, graph = old.spec.name, app.source(new.spec).file
    file = _free(app.source(old.spec).file.with_name(f"{name}.onnx"), graph)
    path = file.relative_to(app.folder).as_posix()
    edit = name_file(before, app.names.index(name), path)
    if _text(app) != before:
        raise PodiumError(f"{FILE} was changed meanwhile. Nothing was done; run it again.")
    was_there = file.exists()
    graph.replace(file)
    try:
        _write(app, edit.text)
        App(app.folder).served(name)
    except BaseException:
        _write(app, before)
        if not was_there:
            file.unlink()
        raise
    return replace(outcome, file=path, replaced=edit.replaced)


def _free(wanted: Path, graph: Path) -> Path:
    """Return `wanted`, or with a number the first that is no file of another content."""
    numbered = (wanted.with_stem(f"{wanted.stem}-{number}") for number in count(2))
    return next(
        file for file in chain((wanted,), numbered)
        if not file.exists() or filecmp.cmp(file, graph, shallow=False)
    )  # fmt: skip


def _text(app: App) -> str:
    """Return podium.toml with its own line ends."""
    return (app.folder / FILE).read_bytes().decode()


def _write(app: App, text: str) -> None:
    """Write podium.toml: at every moment there is the old one or the new one, whole."""
    file = (app.folder / FILE).resolve()
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{FILE}-", delete=False) as part:
        part.write(text.encode())
    shutil.copymode(file, part.name)
    Path(part.name).replace(file)


def render_outcome(outcome: Outcome) -> None:
    """Print what was gained, what was changed, and the way back."""
    from rich.console import Console
    from rich.filesize import decimal
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    title = f"{outcome.model}, one thread"
    table = Table("", escape(outcome.platform), "onnx", "Ratio", title=escape(title))
    for name, pair in {"One answer": outcome.one, f"Batch of {BATCH}": outcome.batch}.items():
        table.add_row(name, *map(_milliseconds, pair), f"{pair.ratio:.1f}")
    sizes = (decimal(int(size)) for size in outcome.size)
    table.add_row("File", *sizes, f"{outcome.size.ratio:.1f}")
    console.print(table)
    for line in _sentences(outcome):
        console.print(escape(line), soft_wrap=True, highlight=False)


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


def _sentences(outcome: Outcome) -> Iterator[str]:
    parity = outcome.parity
    yield f"{parity.inputs} inputs: the largest difference of the answers is {parity.answers:.1g}."
    if not outcome.file:
        yield (
            "The ONNX graph is not faster; nothing was changed. --even-if-slower takes it all the "
            "same."
        )
        return
    yield f"{FILE} now names {outcome.file}; the old file stays. To go back, write again:"
    yield from (f"  {line}" for line in outcome.replaced)
