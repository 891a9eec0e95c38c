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
from podium.options import Options
from podium.pipeline.decode import Items, read_images, read_texts
from podium.pipeline.probe import probe_items
from podium.prediction import ClassPrediction
from podium.spec import Example, Theme
from podium.web.files import Offer

LATENCY_RUNS: Final = 20
LATENCY_BUDGET_S: Final = 2.0


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


def check_application(folder: Path) -> Report:
    """Check an application folder.

    Raises:
        SpecError: podium.toml has mistakes.
    """
    app = App(folder)
    models = tuple(_check_model(app, name) for name in app.names)
    loaded = [model.name for model in models if not model.error]
    examples = tuple(
        _check_example(app, example, name) for example in app.spec.examples for name in loaded
    )
    notes = (*_theme_notes(app.spec.theme), *Offer(app).notes())
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
    expected = "" if example.expected is None else str(example.expected)
    counts = name == app.names[0]
    try:
        prediction = app.predict(
            example_items(app, example, name), Options(model=name)
        ).predictions[0]
    except PodiumError as err:
        return ExampleReport(example.title, name, expected, str(err), False, True)
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
