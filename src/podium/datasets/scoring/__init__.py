"""A data set that was taken in is scored, chunk after chunk, by one model or several."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import replace
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.app import App, Served
from podium.datasets.dataset import Dataset
from podium.datasets.place import Rows
from podium.datasets.reasons import MOST, reason_columns
from podium.datasets.scoring.answers import Columns, Teller
from podium.datasets.scoring.keys import keys_of
from podium.datasets.scoring.pictures import Pictures, model_items, open_pictures, portions
from podium.datasets.scoring.rows import Chunk, RowReader
from podium.datasets.sql import answers_table
from podium.datasets.work import ROW_GROUP, Tally
from podium.errors import InvalidInput, ModelError, PodiumError
from podium.messages import Message, joined, said, told_by
from podium.pipeline import check_rows, images_together

STEPS: Final = 15
"""The most steps of one chunk; a chunk is fewer where one takes long, since a chunk is what is
lost when the process ends."""
CHUNK_S: Final = 1.0
"""How long a chunk should take."""
ROWS: Final = ROW_GROUP // STEPS
"""The most rows that a model gets at once, which is a step: more would take memory, and the
processor's caches hold no more."""
MAX_SCORES: Final = 2_000_000
"""How many scores of passes and classes one step may have: 16 MB, and some times that while
something is computed from them."""
MAX_VALUES: Final = 300_000
"""How many values of features one step may have."""
IMAGES: Final = 32
TEXTS: Final = 256
_FAILURES: Final = 50
"""After so many rows that a model fails on, with none that it answers, it is the model."""
_NAMED: Final = re.compile(r"inputs\[(\d+)\]")

Places = NDArray[np.intp]


class Scoring:
    """Scores what a data set's work holds; it goes on where it was left.

    A model gets the rows in steps that are the same whenever it is run, and each draws by the
    number of its row: so are the answers, to the last bit, of models that a seed decides. No pass
    is left out for the time it takes, as a request may ask.
    """

    def __init__(self, data: Dataset) -> None:
        self._data = data
        self._reader = RowReader(data.app.signature, data.staged, data.work)
        self._pictures: Pictures | None = None
        self._tallies: dict[str, Tally] = {}
        self._reasons: dict[int, dict[str, str]] = {}
        self._pace_s = CHUNK_S
        self._done = data.work.scored
        self._said = set(data.work.reasons)

    def run(self, told: Rows) -> None:
        """Score all rows that have no answers yet; what `told` raises ends it.

        Raises:
            ModelError: a model cannot be loaded, or fails on every row.
        """
        data, work = self._data, self._data.work
        served = [data.app.served(name) for name in data.models]
        judged = data.staged.target is not None
        level = data.wishes.confidence_level
        tellers = [Teller(one.pipeline, level, judged) for one in served]
        self._tallies = dict(zip(data.models, work.tallies(len(served)), strict=True))
        step = rows_at_once(data.app, served)
        first = self._done
        told(first, data.staged.rows)
        ahead = self._chunks(first, step)
        pictures = open_pictures(data.upload.file, data.staged, data.app.spec.limits.upload)
        with (
            pictures or nullcontext() as self._pictures,
            closing(ahead) as chunks,
            ThreadPoolExecutor(1) as pool,
        ):
            adding: Future[int] | None = None
            for chunk in chunks:
                begun = time.perf_counter()
                answers = [
                    self._ask(chunk, one, teller, step, told)
                    for one, teller in zip(served, tellers, strict=True)
                ]
                self._note_reasons(chunk)
                tables = {answers_table(index): columns for index, columns in enumerate(answers)}
                tallies = [replace(one) for one in self._tallies.values()]
                steps = -(-(chunk.stop - chunk.start) // step)
                self._pace_s = (time.perf_counter() - begun) / steps
                self._await(adding, told)
                tables["rows"] = _of_rows(chunk)
                if new := self._new_reasons(chunk):
                    tables["reasons"] = reason_columns(new)
                # While one chunk is written, the models are asked for the next; not the first
                # one: were the process to die in the second, the next run begins with it, and
                # what is told of the place is true.
                adding = pool.submit(self._add, tables, tallies, chunk.stop)
                if chunk.start == first:
                    self._await(adding, told)
            self._await(adding, told)

    def _add(self, tables: Mapping[str, Columns], tallies: Sequence[Tally], stop: int) -> int:
        """Keep the answers up to row `stop`, and return it."""
        self._data.work.add(tables, tallies, stop)
        return stop

    def _await(self, adding: Future[int] | None, told: Rows) -> None:
        """Wait until a chunk is kept, and tell it."""
        if adding and adding.result() > self._done:
            self._done = adding.result()
            told(self._done, self._data.staged.rows)

    def _chunks(self, start: int, step: int) -> Generator[Chunk, None, None]:
        """Yield the rows from `start` on, whole steps at a time; the next ones are read ahead."""
        rows = self._data.staged.rows
        with ThreadPoolExecutor(1) as pool:
            coming = None
            while start < rows or coming is not None:
                chunk = coming.result() if coming is not None else None
                coming = None
                if start < rows:
                    steps = max(1, min(STEPS, int(CHUNK_S / self._pace_s)))
                    coming = pool.submit(self._reader.read, start, start + steps * step)
                    start += steps * step
                if chunk is not None:
                    yield chunk

    def _ask(self, chunk: Chunk, served: Served, teller: Teller, step: int, told: Rows) -> Columns:
        """Return a model's answers to a whole chunk; rows without one are unknown."""
        made = teller.unknown(chunk.stop - chunk.start)
        for start in range(0, chunk.stop - chunk.start, step):
            low, high = np.searchsorted(chunk.places, (start, start + step))
            for which in self._portions(chunk, np.arange(low, high)):
                if which[0]:
                    told(self._done, self._data.staged.rows)
                for places, columns in self._answers(chunk, which, served, teller):
                    self._tallies[served.spec.name].answered += len(places)
                    for name, values in columns.items():
                        made[name][places] = values
        return made

    def _portions(self, chunk: Chunk, which: Places) -> Iterator[Places]:
        """Yield items in portions whose pictures may be held all at once."""
        if self._pictures is None or not len(which):
            yield from [which] if len(which) else []
            return
        names = [str(chunk.items[index]) for index in which]
        for part in portions(self._pictures, names):
            yield which[part]

    def _answers(
        self, chunk: Chunk, which: Places, served: Served, teller: Teller
    ) -> Iterator[tuple[Places, Columns]]:
        """Yield the answers to some items; of one that the model fails on, the reason is kept."""
        if not len(which):
            return
        try:
            made = self._told(chunk, which, served, teller)
        except Exception as err:  # the maker's own code raises what it likes
            wrong = self._wrong(err, chunk, which, served)
            for one, reason in wrong.items():
                self._keep(chunk, one, served.spec.name, err, reason)
            rest = which[~np.isin(which, list(wrong))]
            parts = [rest] if wrong else np.array_split(which, 2)
            for part in parts:
                yield from self._answers(chunk, part, served, teller)
        else:
            yield chunk.places[which], made

    def _told(self, chunk: Chunk, which: Places, served: Served, teller: Teller) -> Columns:
        """Return what a model says of some items.

        A row draws by its number: where the model draws at random, it is given all rows in
        between too, each as a copy of the one before, and what it says of them is left out.
        """
        places = chunk.places[which]
        asked = np.arange(len(which))
        if served.pipeline.draws:
            asked = np.searchsorted(places, np.arange(places[0], places[-1] + 1), side="right") - 1
        image = self._data.app.image_of(served.spec.name)
        items = model_items(chunk.taken(which[asked]), self._pictures, image)
        pipeline = served.pipeline
        first = chunk.start + int(places[0])
        scores = pipeline.scores(items, self._data.wishes.seed, first)
        check_rows(scores, len(items))
        truth = None if chunk.truth is None else chunk.truth[places[asked]]
        made = teller.columns(pipeline.scaled(scores), items, truth)
        if len(asked) == len(which):
            return made
        return {name: values[places - places[0]] for name, values in made.items()}

    def _wrong(self, err: Exception, chunk: Chunk, which: Places, served: Served) -> dict[int, str]:
        """Return the items that an error is about, each with its reason; none when it may be any.

        A pipeline names the items by their place among those that it was asked.
        """
        if len(which) == 1:
            return {int(which[0]): _reason(err)}
        if not isinstance(err, InvalidInput):
            return {}
        places = chunk.places[which]
        named = {int(found[1]): one.message for one in err.errors
                 if (found := _NAMED.fullmatch(one.field))}  # fmt: skip
        if not served.pipeline.draws:
            return {int(which[place]): message for place, message in named.items()}
        asked = zip(which.tolist(), (places - places[0]).tolist(), strict=True)
        return {item: named[place] for item, place in asked if place in named}

    def _keep(self, chunk: Chunk, item: int, model: str, err: Exception, reason: str) -> None:
        """Keep why a model has no answer to an item.

        Raises:
            ModelError: it has none to any.
        """
        tally = self._tallies[model]
        if not isinstance(err, InvalidInput):
            tally.failed += 1
            if tally.failed >= _FAILURES and not tally.answered:
                raise ModelError(
                    said("%(model)s fails on every row so far: %(reason)s",
                         model=model, reason=reason)
                ) from err  # fmt: skip
        self._reasons.setdefault(int(chunk.places[item]), {})[model] = reason

    def _note_reasons(self, chunk: Chunk) -> None:
        """Note why rows of a chunk lack answers: once, where all models say the same."""
        for row, reasons in self._reasons.items():
            if len(reasons) == len(self._data.models) and len(set(reasons.values())) == 1:
                chunk.add_problem(row, next(iter(reasons.values())))
                continue
            for model, reason in reasons.items():
                told = Message("%(model)s: %(reason)s", {"model": model, "reason": reason})
                chunk.add_problem(row, told)
        self._reasons.clear()

    def _new_reasons(self, chunk: Chunk) -> dict[str, Message]:
        """Return what is said of rows of a chunk and of none before, up to MOST in all."""
        new = {text: one for text, one in chunk.reasons.items() if text not in self._said}
        new = dict(islice(new.items(), max(0, MOST - len(self._said))))
        self._said |= new.keys()
        return new


def rows_at_once(app: App, served: Sequence[Served]) -> int:
    """Return how many rows the models get at once."""
    signature = app.signature
    if signature.image is not None:
        images = (app.image_of(one.spec.name) or signature.image for one in served)
        return min(IMAGES, *map(images_together, images))
    if signature.text is not None:
        return TEXTS
    each = max(one.pipeline.passes for one in served) * max(1, len(signature.labels))
    return max(1, min(ROWS, MAX_SCORES // each, MAX_VALUES // len(signature.features)))


def _reason(err: Exception) -> str:
    """Return in words why a model has no answer to an item that was asked alone."""
    if isinstance(err, InvalidInput) and all(one.field.startswith("inputs") for one in err.errors):
        return joined([one.message for one in err.errors], "; ")
    if isinstance(err, PodiumError):
        return told_by(err)
    if isinstance(err, MemoryError):
        return said("the model needs more memory for this row than there is")
    return said("the model fails on this row: %(error)s", error=f"{type(err).__name__}: {err}")


def _of_rows(chunk: Chunk) -> dict[str, NDArray[Any]]:
    """Return what is known of each row, whatever a model says."""
    count = chunk.stop - chunk.start
    made: dict[str, NDArray[Any]] = {}
    for name, texts in (("problem", chunk.problems), ("warning", chunk.warnings)):
        column = np.full(count, None, object)
        for row, text in texts.items():
            column[row] = text
        made[name] = column
    made["truth"] = np.full(count, np.nan) if chunk.truth is None else chunk.truth
    made["key"] = keys_of(chunk)
    return made
