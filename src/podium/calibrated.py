"""The calibration of a model as a file beside it: plain JSON, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from podium.errors import PodiumError, counted
from podium.folder import FILE
from podium.messages import NOTHING, Message, said
from podium.pipeline.calibration import FORMAT, Calibration
from podium.pipeline.conformal import MAX_SCORES
from podium.runtimes import Task
from podium.signature import Signature
from podium.spec import Code, ModelSpec

ENDING: Final = ".calibration.json"
MAX_BYTES: Final = 2_000_000
_AGAIN: Final = said("calibrate again")
_DIGITS: Final = 12
_TEMPERATURES: Final = (0.01, 1000.0)
_FLOORS: Final = (1e-300, 1e30)
"""Beyond them numbers overflow."""
_NUMBERS: Final = re.compile(r"\[\s+([-+.\deE,\s]+?)\s+\]")


class Kept(NamedTuple):
    """The calibration that is kept of a model, or None; and why it is not applied, or ""."""

    calibration: Calibration | None
    trouble: Message = NOTHING


class Asked(NamedTuple):
    """What a calibration belongs to: a model's name and content, how it is asked, and its task."""

    model: str
    version: str
    settings: str
    kind: Task


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
        with suppress(OSError):  # of a folder that cannot be written to
            part.unlink()


def settings_of(signature: Signature, spec: ModelSpec, code: Code, modules: Iterable[Path]) -> str:
    """Return what names all that decides a model's answers beside its file.

    That is what it gets and answers, how often it is asked, and the maker's `code` around it, in
    `modules`.
    """
    features = [(one.name, one.kind, one.choices, one.optional) for one in signature.features]
    told = (signature.kind, signature.labels, features, signature.image, signature.text)
    asked = (spec.samples, spec.noise, spec.files, spec.factory, spec.python, spec.runtime)
    digest = hashlib.sha256(msgspec.json.encode((told, asked, code)))
    for file in modules:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:_DIGITS]


def read_calibration(file: Path, asked: Asked) -> Kept:
    """Return the calibration in a file, if it is one of this very model as it is asked now.

    What is wrong is told and not raised: the model serves without it.
    """
    try:
        if file.exists() and not (file.is_file() and file.stat().st_size <= MAX_BYTES):
            return Kept(None, _wrong(file, said("is no file of at most %(bytes)s bytes",
                                                bytes=f"{MAX_BYTES:,}")))  # fmt: skip
        text = file.read_bytes()
        form = msgspec.json.decode(text, type=_Head).format
        if form != FORMAT:
            reason = said("has format %(format)s, and this Podium reads %(known)s",
                          format=form, known=FORMAT)  # fmt: skip
            return Kept(None, _wrong(file, reason))
        found = msgspec.json.decode(text, type=Calibration)
    except FileNotFoundError:
        return Kept(None)
    except OSError as err:
        told = said("%(file)s cannot be read: %(reason)s", file=file.name, reason=err.strerror)
        return Kept(None, told)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
        return Kept(None, _wrong(file, said("is no calibration: %(reason)s", reason=str(err))))
    wrong = next(_mistakes(found, asked), None)
    if wrong:
        return Kept(None, _wrong(file, wrong))
    if found.version != asked.version:
        told = said(
            "calibrated for version %(version)s, the model is %(now)s: %(mend)s",
            version=found.version, now=asked.version, mend=_AGAIN,
        )  # fmt: skip
        return Kept(None, told)
    if found.settings != asked.settings:
        told = said(
            "calibrated when podium.toml, or the code it names, had the model asked otherwise: "
            "%(mend)s", mend=_AGAIN,
        )  # fmt: skip
        return Kept(None, told)
    return Kept(found)


def _wrong(file: Path, reason: Message) -> Message:
    return said("%(file)s %(reason)s; %(mend)s", file=file.name, reason=reason, mend=_AGAIN)


def in_words(found: Calibration) -> str:
    """Return on what a model was calibrated, for which level, and how often that was kept."""
    measured = found.coverage
    return (
        f"calibrated at {found.confidence_level:g} with {found.fit.method} on {found.data} "
        f"({counted(found.rows, 'row')}, {found.date}): coverage {measured.coverage:.1%} "
        f"[{measured.low:.1%}, {measured.high:.1%}]"
    )


def _mistakes(found: Calibration, asked: Asked) -> Iterator[Message]:
    """Yield what makes a calibration one of another model, or one that cannot be applied."""
    fit, measured = found.fit, found.coverage
    if found.model != asked.model:
        yield said("is of the model %(model)s", model=repr(found.model))
    if (fit.method in ("lac", "aps")) != (asked.kind == "classification"):
        yield said("has the method %(method)s, which is not for a %(task)s",
                   method=repr(fit.method), task=asked.kind)  # fmt: skip
    count = min(fit.rows, MAX_SCORES)
    if not 0 < count == len(fit.scores) or list(fit.scores) != sorted(fit.scores):
        yield said("has %(scores)s scores, not those of %(rows)s rows in order",
                   scores=len(fit.scores), rows=fit.rows)  # fmt: skip
    elif fit.scores[0] < 0:
        yield said("has a score below 0, %(score)s", score=f"{fit.scores[0]:g}")
    for name, value, wanted, (least, most) in (
        ("temperature", fit.temperature, asked.kind == "classification", _TEMPERATURES),
        ("floor", fit.floor, fit.method != "absolute", _FLOORS),
    ):
        if (value is not None) != wanted or not least <= (1 if value is None else value) <= most:
            yield said("has a %(name)s of %(value)s, which the method %(method)s cannot have",
                       name=name, value=value, method=repr(fit.method))  # fmt: skip
    shares = (found.confidence_level, measured.coverage, measured.low, measured.high)
    if not (all(0 <= share <= 1 for share in shares) and 0 < found.confidence_level < 1):
        yield said("has a level or a coverage that is no share")
    if found.rows < fit.rows or found.passes < 1:
        yield said("has %(rows)s rows and %(passes)s passes, which cannot be",
                   rows=found.rows, passes=found.passes)  # fmt: skip
