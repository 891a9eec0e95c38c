"""`podium calibrate`: labelled rows that no model has seen teach how sure its models may be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from podium.app import App
from podium.calibrate.asking import Asking, some_of
from podium.calibrated import calibration_file, write_calibration
from podium.cells import listed
from podium.errors import (
    CalibrationError,
    DataError,
    Mistake,
    ModelError,
    UnknownModel,
    counted,
)
from podium.labelled import Labelled, lines_also_in, lines_twice, read_labelled
from podium.pipeline.calibration import Calibration
from podium.pipeline.conformal import Method, check_rows, cross_validate, default_method, fit
from podium.runtimes.trust import sha256
from podium.signature import Signature

if TYPE_CHECKING:
    from rich.progress import TaskID

_LINES_TOLD: Final = 10
_EMPTY: Final = 0.01
"""The share of empty sets that is worth a word."""
_UNCHECKED: Final = (
    "No [task] training in podium.toml: whether these rows are new could not be checked."
)
Progress = Callable[[str, int, int], None]
"""Gets a model's name, how many rows it has answered, and of how many."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """The options of `podium calibrate`; no models are all."""

    confidence_level: float = 0.9
    models: tuple[str, ...] = ()
    method: Method | None = None
    target: str | None = None
    leave_out_known: bool = False


@dataclass(frozen=True)
class Calibrated:
    """One model: its calibration and where it is kept, or why it has none."""

    model: str
    file: Path
    calibration: Calibration | None = None
    error: str = ""


@dataclass(frozen=True)
class Outcome:
    """What was calibrated on the rows of `data`, and what the maker should know of them."""

    folder: Path
    signature: Signature
    data: Labelled
    level: float
    models: tuple[Calibrated, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether any model was calibrated."""
        return any(one.calibration for one in self.models)


def calibrate_application(
    folder: Path, file: Path, wishes: Wishes, progress: Progress = lambda *_: None
) -> Outcome:
    """Calibrate models of an application on a labelled file and keep what was found beside them.

    A model that cannot be calibrated does not keep the others from it. Nothing is written before
    all others are.

    Raises:
        PodiumError: the application or an option is wrong, or a calibration cannot be written.
        DataError: the labelled file is wrong, or holds rows on which the models were trained.
        CalibrationError: there are too few rows for the level.
    """
    app = App(folder)
    for name in wishes.models:
        if name not in app.names:
            raise UnknownModel(name, app.names)
    signature = replace(app.signature, target=wishes.target or app.signature.target)
    data = read_labelled(file, signature)
    notes = list(_notes_on(data, signature))
    data = _without_known(app, data, signature, wishes, notes)
    notes += _notes_on_equal(data)
    least: Method = "lac" if signature.kind == "classification" else "absolute"
    check_rows(len(data.lines), wishes.confidence_level, wishes.method or least)
    digest = sha256(file, [file])
    names = list(dict.fromkeys(wishes.models or app.names))
    found = tuple(_calibrated(app, name, data, digest, wishes, progress) for name in names)
    for one in found:
        if one.calibration is not None:
            write_calibration(one.file, one.calibration)
    return Outcome(folder, signature, data, wishes.confidence_level, found, tuple(notes))


def _notes_on(data: Labelled, signature: Signature) -> Iterator[str]:
    yield from data.notes
    if data.left_out:
        rows = _rows(data.left_out)
        yield f"{rows} of {data.file.name} without a {signature.target} left out."
    if signature.kind == "classification":
        there = {line.answer for line in data.lines}
        lacking = [label for label in signature.labels if label not in there]
        if lacking:
            yield f"No row of {data.file.name} is of the label {listed(lacking)}."


def _notes_on_equal(data: Labelled) -> Iterator[str]:
    twice = lines_twice(data)
    if twice:
        rows = f"{_rows(len(twice))} of {data.file.name}"
        yield (
            f"{rows} stand there more than once ({_lines(twice)}); equal rows make the coverage "
            "look surer than it is."
        )


def _without_known(
    app: App, data: Labelled, signature: Signature, wishes: Wishes, notes: list[str]
) -> Labelled:
    """Return the rows on which the models were not trained.

    Raises:
        DataError: there are others, and they should not be left out.
    """
    training = app.spec.task.training
    if training is None:
        notes += [*_notes_on_references(app, data, signature)] or [_UNCHECKED]
        return data
    known = lines_also_in(data, app.folder / training, signature)
    if not known:
        return data
    if not wishes.leave_out_known:
        message = (
            f"{_rows(len(known))} stand in {training} too, on which the models were trained: they "
            "would seem surer than they are. Remove them, or have them left out with "
            "--leave-out-known."
        )
        raise DataError(data.file, [Mistake(_lines(known), message)])
    notes.append(f"{_rows(len(known))} that stand in {training} too left out: {_lines(known)}.")
    data = data.without(set(known))
    if not data.lines:
        raise DataError(data.file, [Mistake("lines", f"all of them stand in {training}")])
    return data


def _notes_on_references(app: App, data: Labelled, signature: Signature) -> Iterator[str]:
    for reference in app.spec.references:
        if reference.file is None or not reference.file.lower().endswith((".csv", ".tsv")):
            continue
        try:
            known = lines_also_in(data, app.folder / reference.file, signature)
        except DataError:  # it need not be labelled
            continue
        if known:
            yield (
                f"{_rows(len(known))} stand in {reference.file} too. If the models were trained on "
                f"it, this calibration promises too much: write training = {reference.file!r} "
                "under [task], and such rows are refused."
            )


def _calibrated(
    app: App, name: str, data: Labelled, digest: str, wishes: Wishes, progress: Progress
) -> Calibrated:
    spec = app.spec.models[app.names.index(name)]
    file = calibration_file(app.folder, spec)
    try:
        # Rows whose passes end early would not have as many as the others.
        served = app.load_model(structs.replace(spec, sampling_time=None, sampling_width=None))
        data = some_of(data, served.pipeline.passes * max(1, len(app.signature.labels)))
        scores, drawn = Asking(app, name, served.pipeline.scores, wishes.method).all(
            data, lambda done: progress(name, done, len(data.lines))
        )
        truth = _truth(data, app.signature)
        method = wishes.method or default_method(scores)
        level = wishes.confidence_level
        coverage = cross_validate(scores, truth, method, level, drawn)
        learned = fit(scores, truth, method, drawn)
    except (ModelError, CalibrationError) as err:
        return Calibrated(name, file, error=str(err))
    calibration = Calibration(
        model=name, version=served.version, settings=app.settings(spec), data=data.file.name,
        sha256=digest, rows=len(data.lines), date=datetime.now(UTC).date().isoformat(),
        confidence_level=level, passes=scores.values.shape[1], fit=learned, coverage=coverage,
    )  # fmt: skip
    return Calibrated(name, file, calibration)


def _truth(data: Labelled, signature: Signature) -> NDArray[Any]:
    """Return the index of each row's label, or its value."""
    if signature.kind == "regression":
        return np.array([line.answer for line in data.lines], np.float64)
    index = {label: place for place, label in enumerate(signature.labels)}
    return np.array([index[str(line.answer)] for line in data.lines], np.intp)


@contextmanager
def progress_line() -> Iterator[Progress]:
    """Show on a terminal how many rows a model has answered; the line is gone in the end."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def told(model: str, done: int, count: int) -> None:
            if model not in tasks:
                tasks[model] = bar.add_task(model, total=count)
            bar.update(tasks[model], completed=done)

        yield told


def render_outcome(outcome: Outcome) -> None:
    """Print what each model's calibration promises, where it is kept, and what to do next."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console()
    done = [one for one in outcome.models if one.calibration is not None]
    for note in outcome.notes:
        console.print(f"[yellow]{escape(note)}", soft_wrap=True)
    if done:
        values = outcome.signature.kind == "regression"
        last = ["Width"] if values else ["Labels in a set", "Temperature"]
        title = f"{_rows(len(outcome.data.lines))} of {outcome.data.file.name}"
        coverage = f"Coverage at {outcome.level:g}"
        table = Table("Model", "Method", coverage, *last, title=escape(title))
        for one in done:
            assert one.calibration is not None
            table.add_row(one.model, *map(escape, _cells(one.calibration, outcome.signature.unit)))
        console.print(table)
    for one in outcome.models:
        if one.calibration and one.calibration.rows < len(outcome.data.lines):
            told = f"{one.model}: {_rows(one.calibration.rows)} of them were drawn, for the memory"
            console.print(escape(told), soft_wrap=True)
        if one.error:
            console.print(f"[red]{escape(one.model)}: {escape(one.error)}", soft_wrap=True)
    for one in done:
        if worse := _worse(one):
            console.print(f"[yellow]{escape(worse)}", soft_wrap=True)
    for one in done:
        file = outcome.folder / one.file.relative_to(outcome.folder.resolve())
        console.print(f"Wrote {escape(str(file))}", soft_wrap=True)
    if not done:
        console.print("[red]No model was calibrated.")
        return
    for told in (_hint(outcome, done), _next(outcome, done)):
        if told:
            console.print(escape(told), soft_wrap=True)


def _hint(outcome: Outcome, done: Sequence[Calibrated]) -> str:
    """Return what to do where sets hold no label."""
    found = {one.model: one.calibration.coverage.empty for one in done if one.calibration}
    empty = {model: share for model, share in found.items() if share > _EMPTY}
    if not empty:
        return ""
    shares = ", ".join(f"{share:.1%} of {model}'s" for model, share in empty.items())
    return (
        f"Of the sets {shares} are empty, as happens where a model is right more often than "
        f"{outcome.level:g}. A higher --confidence-level leaves fewer empty."
    )


def _worse(one: Calibrated) -> str:
    """Return what to know of a temperature that did not help."""
    assert one.calibration is not None
    before, after = one.calibration.coverage.before, one.calibration.coverage.after
    if before is None or after is None or after.log_loss <= before.log_loss:
        return ""
    losses = f"{before.log_loss:.3g}", f"{after.log_loss:.3g}"
    if losses[0] == losses[1]:
        return ""
    return (
        f"{one.model}: its temperature made the log loss of rows left out worse "
        f"({' to '.join(losses)}): more rows would tell."
    )


def _cells(found: Calibration, unit: str | None) -> list[str]:
    measured, temperature = found.coverage, found.fit.temperature
    told = f"{measured.coverage:.1%} [{measured.low:.1%}, {measured.high:.1%}]"
    size = f"{measured.size:.3g}" + (f" {unit}" if unit else "")
    heat = [] if temperature is None else [f"{temperature:.3g}"]
    return [found.fit.method, told, size, *heat]


def _next(outcome: Outcome, done: Sequence[Calibrated]) -> str:
    classes = outcome.signature.kind == "classification"
    kind = "prediction_set" if classes else "prediction_interval"
    rows = min(one.calibration.fit.rows for one in done if one.calibration is not None)
    most = math.floor(1000 * rows / (rows + 1)) / 1000
    apart = 200 * math.sqrt(outcome.level * (1 - outcome.level) / (rows + 2))
    return (
        f"Coverage is how often the truth was in the {kind}, cross-validated, with its 95% "
        f"interval. Of the answers to come it may be up to {apart:.0f} points more or less, "
        f"since {rows:,} rows decide.\nEvery answer now has one; a running server takes it up when "
        "it starts anew. With these rows a request may ask for a confidence_level of up to "
        f"{most:.3f}; --confidence-level takes more rows, since its coverage is cross-validated.\n"
        f"Next:\n  podium serve {outcome.folder}"
    )


def _rows(count: int) -> str:
    return counted(count, "row")


def _lines(numbers: Sequence[int]) -> str:
    more = len(numbers) - _LINES_TOLD
    told = ", ".join(map(str, numbers[:_LINES_TOLD])) + (f" and {more} more" if more > 0 else "")
    return f"line {told}" if len(numbers) == 1 else f"lines {told}"
