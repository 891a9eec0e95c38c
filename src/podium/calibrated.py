"""The calibration of a model as a file beside it: plain JSON, written whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from podium.errors import PodiumError
from podium.folder import FILE
from podium.pipeline.calibration import FORMAT, Calibration
from podium.pipeline.conformal import MAX_SCORES
from podium.runtimes import Task
from podium.spec import ModelSpec

ENDING: Final = ".calibration.json"
_AGAIN: Final = "calibrate again"
_NUMBERS: Final = re.compile(r"\[\s+([-+.\deE,\s]+?)\s+\]")


class Kept(NamedTuple):
    """The calibration that is kept of a model, or None; and why it is not applied, or ""."""

    calibration: Calibration | None
    trouble: str = ""


class _Head(msgspec.Struct):
    format: int


def calibration_file(folder: Path, spec: ModelSpec) -> Path:
    """Return where the calibration of a model is kept: beside its file, or the first of several.

    That of a model of Python code is kept beside podium.toml.
    """
    model = folder / (spec.file or next(iter(spec.files), FILE))
    beside = folder if model.resolve() == folder.resolve() else model.parent
    return beside / f"{spec.name}{ENDING}"


def write_calibration(file: Path, calibration: Calibration) -> None:
    """Write a calibration; at every moment there is the old file or the new one, whole.

    Raises:
        PodiumError: the folder cannot be written to.
    """
    text = msgspec.json.format(msgspec.json.encode(calibration), indent=2).decode()
    text = _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        part.write_text(text + "\n", "utf-8")
        part.replace(file)
    except OSError as err:
        raise PodiumError(f"{file} cannot be written: {err.strerror}") from err
    finally:
        part.unlink(missing_ok=True)


def read_calibration(file: Path, spec: ModelSpec, version: str, kind: Task) -> Kept:
    """Return the calibration in a file, if it is one of this very model.

    `version` names the content of the model's files. What is wrong is told and not raised: the
    model serves without it.
    """
    try:
        text = file.read_bytes()
        form = msgspec.json.decode(text, type=_Head).format
        if form != FORMAT:
            told = f"{file.name} has format {form}, and this Podium reads {FORMAT}; {_AGAIN}"
            return Kept(None, told)
        found = msgspec.json.decode(text, type=Calibration)
    except FileNotFoundError:
        return Kept(None)
    except OSError as err:
        return Kept(None, f"{file.name} cannot be read: {err.strerror}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
        return Kept(None, f"{file.name} is no calibration: {err}; {_AGAIN}")
    wrong = next(_mistakes(found, spec, kind), "")
    if wrong:
        return Kept(None, f"{file.name} {wrong}; {_AGAIN}")
    if found.version != version:
        told = f"calibrated for version {found.version}, the model is {version}: {_AGAIN}"
        return Kept(None, told)
    return Kept(found)


def in_words(found: Calibration) -> str:
    """Return on what a model was calibrated, for which level, and how often that was kept."""
    measured = found.coverage
    return (
        f"calibrated at {found.confidence_level:g} with {found.fit.method} on {found.data} "
        f"({found.rows} rows, {found.date}): coverage {measured.coverage:.1%} "
        f"[{measured.low:.1%}, {measured.high:.1%}]"
    )


def _mistakes(found: Calibration, spec: ModelSpec, kind: Task) -> Iterator[str]:
    """Yield what makes a calibration one of another model, or one that cannot be applied."""
    fit = found.fit
    if found.model != spec.name:
        yield f"is of the model {found.model!r}"
    if (fit.method in ("lac", "aps")) != (kind == "classification"):
        yield f"has the method {fit.method!r}, which is not for a {kind}"
    if len(fit.scores) != min(fit.rows, MAX_SCORES) or list(fit.scores) != sorted(fit.scores):
        yield f"has {len(fit.scores)} scores, not those of {fit.rows} rows in order"
    positive = [one for one in (fit.temperature, fit.floor) if one is not None]
    if not 0 < found.confidence_level < 1 or min(positive, default=1) <= 0:
        yield "has a level, a temperature or a floor that cannot be"
