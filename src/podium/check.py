"""`podium check`: validate an application folder, load its models, run its examples."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from podium.app import App
from podium.calibrated import in_words
from podium.colours import READABLE, shades_of, worst_contrast
from podium.errors import PodiumError, counted
from podium.jobs.state import state_folder
from podium.keys import CredentialsFile, missing_ways
from podium.options import Options
from podium.pipeline.decode import Items, read_images, read_texts
from podium.pipeline.probe import probe_items
from podium.prediction import ClassPrediction, Prediction
from podium.production.gunicorn import worker_count
from podium.runtimes import model_files
from podium.spec import Example, Theme
from podium.web.files import Offer

LATENCY_RUNS: Final = 20
LATENCY_BUDGET_S: Final = 2.0
LARGE: Final = 200_000_000
"""How many bytes models may have before it is told that there is an engine that shares them."""


@dataclass(frozen=True)
class ModelReport:
    """One model: how fast it answers one input, or why it cannot; what else it tells."""

    name: str
    platform: str = ""
    version: str = ""
    load_s: float = 0.0
    latency_ms: float = 0.0
    error: str = ""
    notes: tuple[str, ...] = ()
    calibration: str = ""


@dataclass(frozen=True)
class ExampleReport:
    """One example answered by one model. A miss counts when the model is the default one."""

    title: str
    model: str
    expected: str
    found: str
    passed: bool
    counts: bool


@dataclass(frozen=True)
class Report:
    """All that a check found out."""

    folder: Path
    title: str
    models: tuple[ModelReport, ...]
    examples: tuple[ExampleReport, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every model loads and the default one answers every example as expected."""
        wrong = any(example.counts and not example.passed for example in self.examples)
        return not wrong and not any(model.error for model in self.models)

    @property
    def verdict(self) -> str:
        """How the check ended, in words; notes do not fail it."""
        if not self.passed:
            return "Something is wrong; see above."
        notes = len(self.notes) + sum(len(model.notes) for model in self.models)
        return f"All is well, but for {counted(notes, 'note')} above." if notes else "All is well."


def check_application(folder: Path, state: Path | None = None) -> Report:
    """Check an application folder; `state` is where its server keeps what it keeps.

    Raises:
        SpecError: podium.toml has mistakes.
    """
    app = App(folder)
    models = tuple(_check_model(app, name) for name in app.names)
    loaded = [model.name for model in models if not model.error]
    examples = tuple(
        _check_example(app, example, name) for example in app.spec.examples for name in loaded
    )
    notes = (
        *_theme_notes(app.spec.theme), *_access_notes(app, folder, state), *_engine_notes(app),
        *Offer(app).notes(),
    )  # fmt: skip
    return Report(folder, app.spec.title, models, examples, notes)


def _theme_notes(theme: Theme) -> Iterator[str]:
    """Yield what the page makes of colours that cannot be read on it."""
    for key, scheme in (("colour", "light"), ("colour_dark", "dark")):
        colour = getattr(theme, key)
        if colour is None or worst_contrast(colour, scheme) >= READABLE:
            continue
        found, shade = worst_contrast(colour, scheme), shades_of(colour, scheme).mark
        yield (
            f"theme.{key}: {colour} has a contrast of {found:.1f} with the {scheme} page; what is "
            f"read needs {READABLE}. Buttons keep it, links and bars are drawn in {shade}. "
            "Another shade of yours that has the contrast is taken as it is."
        )


def _access_notes(app: App, folder: Path, state: Path | None) -> Iterator[str]:
    """Yield which ways in are asked for and not set up."""
    access = app.spec.access
    if access.require:
        held = CredentialsFile(state_folder(folder, state, make=False).path).read()
        yield from missing_ways(access, held, app.spec.server.proxies, str(folder))


def _engine_notes(app: App) -> Iterator[str]:
    """Yield that large models might be in memory once instead of once a web worker."""
    workers = worker_count(app.spec)
    sources = [source for name in app.loaded for source in app.sources(app.served(name).spec)]
    files = {file for one in sources for file in model_files(one.file, one.runtime)}
    size = sum(file.stat().st_size for file in files)
    if app.spec.server.engine == "local" and workers > 1 and size > LARGE:
        yield (
            f"server.engine: the models' files have {size / 1e6:,.0f} MB, and each of {workers} "
            'web workers loads them. With engine = "gunicorn" they are in memory once.'
        )


def _check_model(app: App, name: str) -> ModelReport:
    started = time.perf_counter()
    try:
        served = app.served(name)
        load_s = time.perf_counter() - started
        latency = statistics.median(_latencies(app, name)) * 1000
    except PodiumError as err:
        return ModelReport(name, error=str(err))
    notes = (*served.notes, *filter(None, [served.kept.trouble]))
    calibration = served.kept.calibration
    return ModelReport(name, served.platform, served.version, load_s, latency, notes=notes,
                       calibration=in_words(calibration) if calibration else "")  # fmt: skip


def _latencies(app: App, name: str) -> Iterator[float]:
    """Yield how long one input takes, in seconds, within a budget for slow models."""
    item = probe_items(app.served(name).pipeline.signature)[:1]
    deadline = time.perf_counter() + LATENCY_BUDGET_S
    for _ in range(LATENCY_RUNS):
        started = time.perf_counter()
        app.predict(item, Options(model=name))
        ended = time.perf_counter()
        yield ended - started
        if ended > deadline:
            return


def _check_example(app: App, example: Example, name: str) -> ExampleReport:
    try:
        items = example_items(app, example, name)
        prediction = app.predict(items, Options(model=name)).predictions[0]
    except PodiumError as err:
        expected = "" if example.expected is None else str(example.expected)
        return ExampleReport(example.title, name, expected, str(err), False, True)
    return judged(example, name, prediction, counts=name == app.names[0])


def judged(example: Example, name: str, prediction: Prediction, counts: bool) -> ExampleReport:
    """Return how a model's prediction compares with what an example expects."""
    expected = "" if example.expected is None else str(example.expected)
    if isinstance(prediction, ClassPrediction):
        found, passed = prediction.label, prediction.label == expected
        share = prediction.probability
        shown = found if share is None else f"{found} ({share:.1%})"
    else:
        shown = f"{prediction.value:.6g}"
        passed = bool(expected) and abs(prediction.value - float(expected)) <= example.tolerance
    passed = passed or example.expected is None
    return ExampleReport(example.title, name, expected, shown, passed, counts)


def example_items(app: App, example: Example, model: str | None = None) -> Items:
    """Return an example's input as the one item of a request to a model."""
    if example.image is not None:
        return read_images(
            [(app.folder / example.image).read_bytes()], "image", app.image_of(model)
        )
    if example.text is not None:
        return read_texts(app.signature, [example.text], "text")
    return [app.signature.row_of(example.inputs or {})]


def render_report(report: Report) -> None:
    """Print a report as two tables and a verdict."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    title = escape(report.title)
    models = Table("Model", "Format", "Version", "Load", "One answer", "", title=title)
    for model in report.models:
        told = "[red]failed" if model.error else "[green]ok"
        times = ("", "") if model.error else (f"{model.load_s:.2f} s", f"{model.latency_ms:.1f} ms")
        models.add_row(model.name, model.platform, model.version, *times, told)
    console.print(models)
    for note in report.notes:
        console.print(f"[yellow]{escape(note)}", soft_wrap=True)
    for model in report.models:  # whole lines: some hold what is to be copied
        for note in model.notes:
            console.print(f"[yellow]{escape(model.name)}: {escape(note)}", soft_wrap=True)
        if model.error:
            console.print(f"[red]{escape(model.name)}: {escape(model.error)}", soft_wrap=True)
        if model.calibration:
            console.print(f"{escape(model.name)}: {escape(model.calibration)}", soft_wrap=True)
    if report.examples:
        examples = Table("Example", "Model", "Expected", "Answer", "")
        for example in report.examples:
            cells = (example.title, example.model, example.expected, example.found)
            examples.add_row(*map(escape, cells), _mark(example))
        console.print(examples)
    console.print(f"[{'green' if report.passed else 'red'}]{report.verdict}")


def _mark(example: ExampleReport) -> str:
    if example.passed:
        return "[green]ok"
    return "[red]wrong" if example.counts else "[yellow]differs"
