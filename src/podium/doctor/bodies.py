"""How large a body may be, and how slowly it may arrive: as the limits say, by whose word."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

from podium.doctor.finding import Finding, unknown, well, wrong
from podium.doctor.patient import JSON, Patient
from podium.doctor.proxies import PODIUM, PODIUMS_NGINX, proxy_of, size_setting, time_setting, who
from podium.doctor.service import OVERDUE, refused
from podium.doctor.visitor import Told, at_once
from podium.strict import Size

CHUNK: Final = 65_536
SENT_BYTES: Final = 200_000_000
"""What is larger is only announced, if it is not asked for with --full."""
PIECES: Final = 5
PAUSE_S, LONG_PAUSE_S = 1.0, 7.0
"""How long a slow body stands still between its pieces; within what the server allows, 10 s."""
CSV: Final = {"Content-Type": "text/csv"}


def upload(patient: Patient) -> Iterator[Finding]:
    """Send /predict a body of exactly [limits] upload, and one byte more."""
    question = patient.question()
    if question is None or "upload" not in patient.limits:
        yield _untold("upload")
        return
    limit = int(patient.limits["upload"])
    real = patient.full or limit <= SENT_BYTES
    for size in (limit, limit + 1):
        check = f"/predict, {size:,} bytes"
        if real:
            told: Told | None = patient.visitor.send(
                "POST", "/predict", _padded(question, size), size, JSON
            )
        else:
            told = patient.visitor.announce("/predict", size, JSON, size > limit)
        yield _judged(patient, check, "upload", size, told)


def dataset(patient: Patient) -> Iterator[Finding]:
    """Announce a data set of exactly [limits] dataset, and one byte more; `--full` sends them."""
    if "dataset" not in patient.limits:
        yield well("/datasets", "off, as the server says") if patient.limits else _untold("dataset")
        return
    limit, path = int(patient.limits["dataset"]), "/datasets?start=false"
    for size in (limit, limit + 1):
        check = f"/datasets, {size:,} bytes" + ("" if patient.full else " announced")
        if not patient.full:
            told = patient.visitor.announce(path, size, CSV, size > limit)
        else:
            told = patient.visitor.send("POST", path, _table(patient, size), size, CSV)
            _forget(patient, told)
        yield _judged(patient, check, "dataset", size, told)


def slow_body(patient: Patient) -> Iterator[Finding]:
    """Send a body that arrives in pieces, with pauses within what the server allows."""
    question, check = patient.question(), "slow body"
    if question is None:
        return
    pause = LONG_PAUSE_S if patient.full else PAUSE_S
    told = patient.visitor.send("POST", "/predict", _pieces(question, pause), len(question), JSON)
    if told.status == 200:
        yield well(check, f"{PIECES} pieces in {told.seconds:.0f} s are taken")
    elif told.status in (408, *OVERDUE) and who(told) != PODIUM:
        yield wrong(check, f"{who(told)} after {told.seconds:.0f} s: {told.brief}", "200",
                    f"nginx: client_body_timeout at least {LONG_PAUSE_S + 3:.0f}s; "
                    f"{proxy_of(told).time}")  # fmt: skip
    else:
        yield refused(patient, check, told, "200")


def long_answer(patient: Patient) -> Iterator[Finding]:
    """Ask for as much at once as the limits allow, which takes the application longest."""
    check, wanted = "long answer", patient.patience_s
    one = patient.question()
    if one is None or not {"rows", "upload"} <= patient.limits.keys():
        return
    if not patient.full:
        yield unknown(check, "how long proxies wait is seen only when an answer takes as long",
                      "ask for the longest there is: --full")  # fmt: skip
        return
    two = patient.question(2) or one
    each = len(two) - len(one)
    count = max(1, min(int(patient.limits["rows"]), int(patient.limits["upload"]) // each - 1))
    body = patient.question(count) or one
    told = patient.visitor.send("POST", "/predict", *at_once(body), JSON)
    asked = f"{count:,} items, {told.seconds:.1f} s"
    if told.status == 200 or who(told) == PODIUM:
        yield well(check, f"{asked}: {told.status}, by the application; beyond that nobody can ask")
    elif told.status in OVERDUE:
        yield wrong(check, f"{asked}: {who(told)}: {told.brief}", "an answer, or the application's "
                    "own words", time_setting(told, wanted))  # fmt: skip
    else:
        yield refused(patient, check, told, "200")


def _judged(patient: Patient, check: str, key: str, size: int, told: Told | None) -> Finding:
    """Judge the answer to a body of a size; None is one that was announced and taken."""
    limit = int(patient.limits[key])
    path = f"{patient.visitor.address.base}/{'predict' if key == 'upload' else 'datasets'}"
    if size <= limit:
        return _within(patient, check, key, told, path)
    if told is not None and told.status == 413 and who(told) == PODIUM:
        return well(check, f"413, by the application, which names [limits] {key}")
    named = f"a problem document of the application that names [limits] {key}"
    if told is not None and told.status == 413:
        if who(told) == PODIUMS_NGINX:
            return well(check, f"413, by {PODIUMS_NGINX}")
        return wrong(check, f"{who(told)}: {told.brief}", f"413, {named}",
                     size_setting(told, key, limit, path))  # fmt: skip
    if told is not None and told.status in (401, 403):
        return unknown(check, told.brief, "show a key: --key KEY")
    return wrong(check, "taken" if told is None else f"{who(told)}: {told.brief}",
                 f"413, {named}", "what serves has other limits: podium reload DIR")  # fmt: skip


def _within(patient: Patient, check: str, key: str, told: Told | None, path: str) -> Finding:
    limit = int(patient.limits[key])
    if told is None:
        return well(check, "taken; not sent (--full sends it)")
    if told.status in (401, 403):
        return unknown(check, told.brief, "show a key: --key KEY")
    by = who(told)
    if told.status == 413 and by != PODIUM:
        return wrong(check, f"{by} takes less than the application: {told.brief}",
                     f"taken: [limits] {key} is {Size(limit)}",
                     size_setting(told, key, limit, path))  # fmt: skip
    taken = (200, 202, 400, 415, 422) if by == PODIUM else (200, 202)
    if told.status in taken:
        return well(check, f"{told.status} after {told.seconds:.1f} s")
    if told.status == 413:
        return wrong(check, f"{by}: {told.brief}", f"taken: [limits] {key} is {Size(limit)}",
                     "what serves has other limits: podium reload DIR")  # fmt: skip
    return refused(patient, check, told, "taken")


def _padded(question: bytes, size: int) -> Iterator[bytes]:
    """Yield a question in JSON that blanks make as long as it has to be."""
    yield question[:-1]
    left = size - len(question)
    while left > 0:
        yield b" " * min(CHUNK, left)
        left -= CHUNK
    yield question[-1:]


def _pieces(question: bytes, pause_s: float) -> Iterator[bytes]:
    step = -(-len(question) // PIECES)
    for start in range(0, len(question), step):
        if start:
            time.sleep(pause_s)
        yield question[start : start + step]


def _table(patient: Patient, size: int) -> Iterator[bytes]:
    """Yield a CSV file of a size: the columns, and rows without values."""
    head = patient.visitor.get("/datasets/template.csv").body.splitlines()[:1]
    columns = head[0] if head else b"text"
    row = b"," * columns.count(b",") + b"\n"
    yield columns + b"\n"
    left, many = size - len(columns) - 1, row * (CHUNK // len(row))
    while left > 0:
        yield many[:left]
        left -= len(many)


def _forget(patient: Patient, told: Told) -> None:
    """Remove a data set that was sent to see whether it is taken."""
    document: Any = told.json
    if told.status == 202 and isinstance(document, dict):
        patient.visitor.send("DELETE", f"/datasets/{document['id']}")


def _untold(key: str) -> Finding:
    return unknown(f"[limits] {key}", "is not known: /openapi.json does not say it",
                   "show a key (--key KEY), or name the folder (--dir DIR)")  # fmt: skip
