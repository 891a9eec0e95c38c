"""A data set is scored in chunks, by one model or several."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from podium.app import App
from podium.datasets import scoring
from podium.datasets.work import Work
from podium.errors import ModelError, UnknownModel
from podium.messages import from_json, is_english
from tests.support.apps import write_weights
from tests.support.scoring import quiet, results_of, run_csv, scored, write_python_app

X = '[[features]]\nname = "x"\n'
HEADER = "length,count,wet,material\n"


def rows_of(*values: object) -> str:
    """Return a CSV file of one column, x."""
    return "\n".join(["x", *map(str, values)]) + "\n"


def few_at_once(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Let a model get so many rows at once, and let each such step be a chunk."""
    monkeypatch.setattr(scoring, "ROWS", rows)
    monkeypatch.setattr(scoring, "STEPS", 1)


def test_a_row_that_the_model_fails_on_has_its_reason(tmp_path: Path) -> None:
    """Of a step on which the model fails, all rows are answered but the ones at fault."""
    code = "def answer(x):\n    if 13 in x: raise ValueError('unlucky')\n    return 2 * x"
    app = App(write_python_app(tmp_path / "app", code, X))
    table = scored(app, tmp_path, rows_of(*range(10), 13, *range(11, 20), 13))
    assert [row["podium_value"] for row in table if row["x"] != "13"] == [
        str(2.0 * x) for x in (*range(10), *range(11, 13), *range(14, 20))
    ]
    wrong = [row for row in table if row["x"] == "13"]
    assert [row["podium_value"] for row in wrong] == ["", "", ""]
    assert {row["podium_error"] for row in wrong} == {
        "'models:answer' raises ValueError: unlucky (models.py, line 3)"
    }


def test_a_model_that_fails_on_every_row_ends_the_work_soon(tmp_path: Path) -> None:
    """The model's reason is told after a few dozen rows, not after all of them."""
    code = (
        "calls = []\n"
        "def answer(x):\n"
        "    calls.append(len(x))\n"
        "    if len(calls) > 2: raise ValueError('broken')\n"
        "    return x"
    )
    app = App(write_python_app(tmp_path / "app", code, X))
    answer = app.served().pipeline.model.answer  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=r"own fails on every row so far: .*broken"):
        run_csv(app, tmp_path, rows_of(*range(5000)))
    assert len(answer.__globals__["calls"]) < 150


def test_a_model_that_answered_before_it_failed_does_not_end_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken up again after a first chunk that was answered, 60 failing rows are rows at fault."""
    few_at_once(monkeypatch, 20)
    code = "def answer(x):\n    if x.max() > 100: raise ValueError('too long')\n    return x"
    app = App(write_python_app(tmp_path / "app", code, X))
    text = rows_of(*range(20), *range(101, 161))

    def end(step: str, done: int, _: int) -> None:
        if step == "scoring" and done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_csv(app, tmp_path, text, end)
    run_csv(app, tmp_path, text)
    table = results_of(tmp_path)
    assert [bool(row["podium_error"]) for row in table] == 20 * [False] + 60 * [True]


def test_answers_that_are_not_finite_are_told_row_by_row(tmp_path: Path) -> None:
    """A value that is not finite is no answer; the rows around it have theirs."""
    code = "def answer(x):\n    return np.where(x < 0, np.nan, np.sqrt(np.abs(x)))"
    app = App(write_python_app(tmp_path / "app", code, X))
    table = scored(app, tmp_path, rows_of(4, *range(-300, 0), 9))
    assert [table[0]["podium_value"], table[-1]["podium_value"]] == ["2.0", "3.0"]
    told = {(row["podium_value"], row["podium_error"]) for row in table[1:-1]}
    assert told == {("", "the model gives no finite answer for these values")}


def test_memory_that_does_not_suffice_for_many_rows_may_for_fewer(tmp_path: Path) -> None:
    """When the model's memory ends it is asked for half of the rows."""
    code = "def answer(x):\n    if len(x) > 40: raise MemoryError\n    return x + 1"
    app = App(write_python_app(tmp_path / "app", code, X))
    table = scored(app, tmp_path, rows_of(*range(100)))
    assert [float(row["podium_value"]) for row in table] == [x + 1.0 for x in range(100)]


def test_a_function_that_loses_rows_is_found_out(tmp_path: Path) -> None:
    """A postprocess that returns one answer for all rows is not spread over them."""
    folder = write_python_app(tmp_path / "app", "def answer(x):\n    return x", X)
    (folder / "own.py").write_text("def first(outputs):\n    return outputs['output'][:1, 0]\n")
    toml = folder / "podium.toml"
    toml.write_text(toml.read_text() + '[pipeline]\npostprocess = "own:first"\n')
    table = scored(App(folder), tmp_path, rows_of(1, 2))
    # Asked row by row, each has its answer.
    assert [row["podium_value"] for row in table] == ["1.0", "2.0"]


@pytest.mark.parametrize("key", ["preprocess", "postprocess"])
def test_the_makers_functions_may_raise_what_they_like(tmp_path: Path, key: str) -> None:
    """An exception in the maker's own code is the reason of the row that it was raised for."""
    folder = write_python_app(tmp_path / "app", "def answer(x):\n    return x", X)
    (folder / "own.py").write_text(
        "import numpy as np\n"
        "def preprocess(rows):\n"
        "    return np.array([[{1.0: 1, 2.0: 2, 0.0: 0, None: 0}.get(r['x'], None) or "
        "{0.0: 0.5}[0.0 if r['x'] < 3 else r['x']]] for r in rows])\n"
        "def postprocess(outputs):\n"
        "    values = outputs['output'][:, 0]\n"
        "    return {3.0: None}.get(max(values), values) + 0\n"
    )
    toml = folder / "podium.toml"
    toml.write_text(toml.read_text() + f'[pipeline]\n{key} = "own:{key}"\n')
    table = scored(App(folder), tmp_path, rows_of(1, 3, 2))
    assert [row["podium_value"] for row in table] == ["1.0", "", "2.0"]
    kind = {"preprocess": "KeyError: 3.0", "postprocess": "TypeError: "}[key]
    assert table[1]["podium_error"].startswith(f"the model fails on this row: {kind}")


def test_noise_is_drawn_by_the_number_of_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows without an item, and how many the model gets at once, change no other row's answer."""
    app = App(write_weights(tmp_path / "app"))
    good = [f"{n},1,yes,oak" for n in range(12)]
    bad = ["" if n in (0, 4, 5, 9) else row for n, row in enumerate(good)]
    bad = [row or "x,1,yes,oak" for row in bad]
    whole = scored(app, tmp_path / "a", HEADER + "\n".join(good), models=("noisy",), seed=3)
    few_at_once(monkeypatch, 5)
    holes = scored(app, tmp_path / "b", HEADER + "\n".join(bad), models=("noisy",), seed=3)
    kept = [n for n in range(12) if n not in (0, 4, 5, 9)]
    assert [holes[n] for n in kept] == [whole[n] for n in kept]
    assert [n for n in range(12) if holes[n]["podium_error"]] == [0, 4, 5, 9]
    assert len({row["podium_epistemic"] for row in whole}) == 12


def test_no_pass_is_left_out_of_a_data_set(tmp_path: Path) -> None:
    """A model that may end early on requests makes all its passes on data sets."""
    folder = write_weights(tmp_path / "app")
    text = HEADER + "1,1,yes,oak\n2,2,no,pine\n"
    plain = scored(App(folder), tmp_path / "a", text, models=("noisy",))
    toml = folder / "podium.toml"
    early = toml.read_text().replace("samples = 50", "samples = 50\nsampling_width = 1000")
    toml.write_text(early)
    app = App(folder)
    assert app.served("noisy").pipeline.early is not None
    assert scored(app, tmp_path / "b", text, models=("noisy",)) == plain


class Ended(Exception):
    """The process that scores is ended."""


def test_work_that_was_ended_at_every_chunk_gives_the_same_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended whenever it says how far it is, and taken up again, it writes the same bytes."""
    few_at_once(monkeypatch, 7)
    app = App(write_weights(tmp_path / "app"))
    rows = [f"{n % 13},{n % 7},{'yes' if n % 3 else 'no'},oak" for n in range(40)]
    rows[11] = "x,1,yes,oak"
    text = HEADER + "\n".join(rows)
    wishes: dict[str, Any] = {"models": ("noisy", "exact"), "seed": 5}
    run_csv(app, tmp_path / "whole", text, **wishes)
    heard: list[tuple[str, int, int]] = []

    def end(*told: Any) -> None:
        if told not in heard:
            heard.append(told)
            raise Ended

    for _ in range(100):
        try:
            run_csv(app, tmp_path / "ended", text, end, **wishes)
            break
        except Ended:
            continue
    assert {done for step, done, _ in heard if step == "scoring"} == {0, 7, 14, 21, 28, 35, 40}
    whole, ended = ((tmp_path / name / "results.csv").read_bytes() for name in ("whole", "ended"))
    assert ended == whole
    notes = ("podium_error", "podium_warning")
    told = {row[name] for row in results_of(tmp_path / "whole") for name in notes} - {""}
    for name in ("whole", "ended"):
        with Work(tmp_path / name / "work.duckdb") as work:
            found = work.con.execute("SELECT text FROM reasons").fetchall()
        assert sorted(text for (text,) in found) == sorted(told)


def test_what_is_said_of_rows_can_be_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each text of the results, from whatever step, is known as the Message it was; up to MOST."""
    few_at_once(monkeypatch, 2)
    monkeypatch.setattr(scoring, "MOST", 3)
    code = "def answer(x):\n    if 13 in x: raise ValueError('unlucky')\n    return x"
    app = App(write_python_app(tmp_path / "app", code, X + "range = [0, 40]"))
    found = run_csv(app, tmp_path, rows_of(1, "a", '"b', 13, 50, "a", "c"))
    told = [row["podium_error"] or row["podium_warning"] for row in results_of(tmp_path)]
    wrong, other = (f"x: expected a number; found '{text}'." for text in "ac")
    torn = "line 4: a quote opens in cell 1 and is never closed"
    failed = "'models:answer' raises ValueError: unlucky (models.py, line 3)"
    far = "x: 50 is outside the training range, 0 to 40"
    assert told == ["", wrong, torn, failed, far, wrong, other]
    kept = {text: from_json(one) for text, one in found.reasons.items()}
    assert kept == {text: text for text in (torn, wrong, far)}
    assert not any(map(is_english, kept.values()))
    problems = [(row, is_english(one)) for row, one in found.problems]
    assert problems == [(2, False), (3, False), (4, True), (6, False), (7, True)]


def test_what_is_told_never_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are told as done again and again, but not before they are kept, which takes a while."""
    monkeypatch.setattr(scoring, "ROWS", 4)
    heard: list[tuple[int, int]] = []
    kept = [0]
    add = Work.add

    def add_slowly(work: Work, tables: Any, tallies: Any, stop: int) -> None:
        time.sleep(0.02)
        add(work, tables, tallies, stop)
        kept.append(stop)

    def hear(step: str, done: int, rows: int) -> None:
        if step == "scoring":
            assert done in kept
            heard.append((done, rows))

    monkeypatch.setattr(Work, "add", add_slowly)

    app = App(write_python_app(tmp_path / "app", "def answer(x):\n    return x", X))
    run_csv(app, tmp_path, rows_of(*range(100)), hear)
    assert (heard[0], heard[-1]) == ((0, 100), (100, 100))
    assert heard == sorted(heard)
    assert len(heard) > 20


def test_an_unknown_model_is_told_before_anything_is_read(tmp_path: Path) -> None:
    """A model's name that is misspelt is told with the nearest one."""
    app = App(write_weights(tmp_path / "app"))
    with pytest.raises(UnknownModel, match=r"There is no model 'exat'\. Did you mean 'exact'\?"):
        run_csv(app, tmp_path / "work", "nothing\n1\n", models=("exat",))
    assert not (tmp_path / "work/work.duckdb").exists()


def test_a_step_is_smaller_where_a_model_makes_passes(tmp_path: Path) -> None:
    """Passes, labels and features bound the rows that are held at once."""
    app = App(write_weights(tmp_path / "app"))
    exact, noisy = app.served("exact"), app.served("noisy")
    assert scoring.rows_at_once(app, [exact]) == scoring.ROWS
    assert scoring.rows_at_once(app, [noisy]) == min(scoring.ROWS, scoring.MAX_SCORES // 50)
    assert scoring.rows_at_once(app, [exact, noisy]) == scoring.rows_at_once(app, [noisy])


def test_a_chunk_is_read_ahead_and_ends_with_its_reader(tmp_path: Path) -> None:
    """A run that is ended leaves no thread that reads behind."""
    import threading

    app = App(write_python_app(tmp_path / "app", "def answer(x):\n    return x", X))

    def end(step: str, *_: int) -> None:
        if step == "scoring":
            raise Ended

    before = threading.active_count()
    with pytest.raises(Ended):
        run_csv(app, tmp_path, rows_of(*np.arange(1000)), end)
    assert threading.active_count() == before
    run_csv(app, tmp_path, rows_of(*np.arange(1000)), quiet)


@pytest.mark.parametrize(
    ("other", "expected"),
    [("answer", "{answer}"), ("second", "own: {answer}; other: {second}"),
     ("third", "own: {answer}")],
)  # fmt: skip
def test_what_all_models_say_of_a_row_is_told_once(
    other: str, expected: str, tmp_path: Path
) -> None:
    """Models are named where their reasons differ, or only some fail; else one reason stands."""
    code = (
        "def answer(x):\n"
        "    if 13 in x: raise ValueError('unlucky')\n"
        "    return x\n"
        "def second(x):\n"
        "    if 13 in x: raise ValueError('odd')\n"
        "    return x\n"
        "def third(x): return x"
    )
    more = f'\n[[models]]\nname = "other"\npython = "models:{other}"\n'
    folder = write_python_app(tmp_path / "app", code, X)
    toml = folder / "podium.toml"
    toml.write_text(toml.read_text() + more)
    table = scored(App(folder), tmp_path, rows_of(1, 13), models=("own", "other"))
    reasons = {
        "answer": "'models:answer' raises ValueError: unlucky (models.py, line 3)",
        "second": "'models:second' raises ValueError: odd (models.py, line 6)",
    }
    assert [row["podium_error"] for row in table] == ["", expected.format(**reasons)]
