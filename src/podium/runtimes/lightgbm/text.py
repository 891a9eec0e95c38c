"""LightGBM's text files: read, audited, and written again for LightGBM.

LightGBM trusts the numbers in the text, jumps to where the text says that a tree begins, and
ends the process at a mistake. It therefore gets a text that is made here, of parts that were
looked at; names, parameters and whatever else it needs not for a prediction stay behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.runtimes.boosters import UnservedError, count, lead_on

_END: Final = "end of trees"
_VERSIONS: Final = ("v2", "v3", "v4")
_NUMBERS: Final = re.compile(r"[-+.0-9eEinfa ]*", re.ASCII)
_OBJECTIVE: Final = re.compile(r"[a-z0-9_.:+\- ]*", re.ASCII)
_CATEGORICAL: Final = 1
"""The bit in decision_type that says that a node asks for a category."""

Table = dict[str, str]


@dataclass(frozen=True)
class Text:
    """A model as its file says it; `categories` are the values of a column, by its index."""

    header: Table
    averaged: bool
    trees: tuple[Table, ...]
    categories: dict[int, tuple[Any, ...]]

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return self.header["feature_names"].split()

    @property
    def coded(self) -> list[int]:
        """The indexes of the columns that are asked for a category."""
        return _coded(self.header)

    @property
    def objective(self) -> str:
        """The objective's name; "" where the maker's own function was the objective."""
        return self.header.get("objective", "").partition(" ")[0]

    @property
    def groups(self) -> int:
        """How many numbers an answer has."""
        return count(self.header["num_tree_per_iteration"])

    def written(self) -> str:
        """Return what LightGBM needs for a prediction."""
        columns = len(self.names)
        lines = [
            "tree",
            f"version={self.header['version']}",
            f"num_class={self.groups}",
            f"num_tree_per_iteration={self.groups}",
            "label_index=0",
            f"max_feature_idx={columns - 1}",
            *([f"objective={self.header['objective']}"] if self.objective else []),
            *(["average_output"] if self.averaged else []),
            f"feature_names={' '.join(f'x{index}' for index in range(columns))}",
            f"feature_infos={' '.join(['none'] * columns)}",
            "",
        ]
        for index, tree in enumerate(self.trees):
            lines += [f"Tree={index}", *(f"{key}={tree[key]}" for key in _kept(tree)), ""]
        return "\n".join([*lines, _END, ""])


def read(data: bytes) -> Text:
    """Return the model in a file.

    Raises:
        ValueError: saying what is wrong with it; KeyError: a line is missing.
    """
    lines = data.decode().splitlines()
    if lines[:1] != ["tree"]:
        raise ValueError("the first line of one is 'tree'")
    if _END not in lines:
        raise ValueError(f"it ends before {_END!r}")
    end = lines.index(_END)
    tables: list[Table] = [{}]
    averaged = False
    for line in lines[1:end]:
        key, _, value = line.partition("=")
        if key == "Tree":
            tables.append({})
        elif key in tables[-1]:
            raise ValueError(f"{key} stands there twice")
        elif "=" in line:
            tables[-1][key] = value
        averaged |= line == "average_output"
    header, *trees = tables
    return Text(header, averaged, tuple(trees), _categories(header, lines[end:]))


def audit(text: Text) -> None:
    """Look at every number that LightGBM would trust.

    Raises:
        ValueError: saying what is wrong; KeyError: a line is missing.
    """
    header, groups, columns = text.header, text.groups, len(text.names)
    if header["version"] not in _VERSIONS:
        known = ", ".join(_VERSIONS)
        raise UnservedError(f"its format is {header['version']!r}; Podium knows {known}")
    _require(1 <= groups <= max(1, len(text.trees)), "a class has no tree")
    _require(len(text.trees) % groups == 0, "trees are missing")
    _require(columns == count(header["max_feature_idx"]) + 1 > 0, "names of columns are missing")
    _require(all(index < columns for index in text.coded), "a category has no column")
    told = header.get("objective", "")
    _require(_OBJECTIVE.fullmatch(told), "the objective is no name with parameters")
    classes = re.findall(r"num_class:(\S+)", told)
    _require(classes == ([str(groups)] if text.objective.startswith("multiclass") else []),
             "the objective has other classes than the trees")  # fmt: skip
    _require(groups == 1 or classes or not told, "the objective answers one number")
    for index, tree in enumerate(text.trees):
        try:
            _check_tree(tree, columns)
        except KeyError as err:
            raise ValueError(f"tree {index}: {err} is missing") from err
        except ValueError as err:
            raise ValueError(f"tree {index}: {err}") from err


def _check_tree(tree: Table, columns: int) -> None:
    leaves = count(tree["num_leaves"])
    nodes = leaves - 1
    _require(nodes >= 0, "it has no leaves")
    values = _floats(tree, "leaf_value", leaves)
    _require(np.isfinite(values).all(), "the value of a leaf is not finite")
    _floats(tree, "shrinkage", 1)
    if "is_linear" in tree and count(tree["is_linear"]):
        _check_linear(tree, leaves, columns)
    left, right, column, kind = (
        _integers(tree, key, nodes)
        for key in ("left_child", "right_child", "split_feature", "decision_type")
    )
    children = np.concatenate([left, right])
    sound = lead_on(children[children >= 0], nodes) and np.all(children >= -leaves)
    _require(sound, "its nodes lead outside of it or in a circle")
    _require(_within(column, columns), "it asks for a column that is not there")
    _require(_within(kind, 16), "a node asks in an unknown way")
    thresholds = _floats(tree, "threshold", nodes)
    _check_categories(tree, thresholds[kind & _CATEGORICAL == _CATEGORICAL])


def _check_categories(tree: Table, asked: NDArray[np.float64]) -> None:
    """Look at the sets of categories, of which `asked` are the numbers that nodes ask for."""
    sets = count(tree["num_cat"])
    _require(_within(asked, sets), "a node asks for unknown categories")
    if sets:
        bits = _integers(tree, "cat_threshold")
        bounds = _integers(tree, "cat_boundaries", sets + 1)
        sound = bounds[0] == 0 and bounds[-1] == len(bits) and np.all(np.diff(bounds) >= 0)
        _require(sound and _within(bits, 1 << 32), "categories lead outside of their list")


def _check_linear(tree: Table, leaves: int, columns: int) -> None:
    _floats(tree, "leaf_const", leaves)
    counts = _integers(tree, "num_features", leaves)
    _require(np.all(counts >= 0), "a leaf has less than no columns")
    features = _integers(tree, "leaf_features", int(counts.sum()))
    _require(_within(features, columns), "a leaf takes a column that is not there")
    _floats(tree, "leaf_coeff", int(counts.sum()))


def _integers(tree: Table, key: str, length: int | None = None) -> NDArray[np.int64]:
    return _array(tree, key, length, np.int64)


def _floats(tree: Table, key: str, length: int) -> NDArray[np.float64]:
    return _array(tree, key, length, np.float64)


def _array(tree: Table, key: str, length: int | None, kind: type) -> NDArray[Any]:
    _require(_NUMBERS.fullmatch(tree[key]), f"{key} holds something else than numbers")
    try:
        found: NDArray[Any] = np.array(tree[key].split(), kind)
    except (ValueError, OverflowError) as err:
        raise ValueError(f"{key} holds something else than numbers") from err
    _require(length in (None, len(found)), f"{key} has {len(found)} numbers instead of {length}")
    return found


def _within(numbers: NDArray[Any], end: int) -> bool:
    return bool(np.all((numbers >= 0) & (numbers < end)))


def _categories(header: Table, tail: list[str]) -> dict[int, tuple[Any, ...]]:
    """Return the categories of the columns that came as pandas categories, by their index.

    The last line has their values without the columns, which feature_infos or the parameters
    tell. Where they do not agree, categories are asked for by their codes.
    """
    line = next((one for one in reversed(tail) if one.startswith("pandas_categorical:")), ":null")
    values = json.loads(line.partition(":")[2]) or []
    told = re.search(r"\[categorical_feature: ([\d,]+)\]", "\n".join(tail))
    indexes = [int(one) for one in told[1].split(",") if one] if told else []
    for columns in (sorted(indexes), _coded(header)):
        if len(columns) == len(values):
            return {index: tuple(one) for index, one in zip(columns, values, strict=True)}
    return {}


def _coded(header: Table) -> list[int]:
    """Return which columns have categories in feature_infos, where others have [least:greatest]."""
    infos = header["feature_infos"].split()
    return [index for index, info in enumerate(infos) if info != "none" and info[0] != "["]


def _kept(tree: Table) -> Iterator[str]:
    """Yield which lines of a tree LightGBM gets; each was looked at."""
    yield from ("num_leaves", "num_cat", "split_feature", "threshold", "decision_type",
                "left_child", "right_child", "leaf_value", "shrinkage")  # fmt: skip
    if count(tree["num_cat"]):
        yield from ("cat_boundaries", "cat_threshold")
    if "is_linear" in tree and count(tree["is_linear"]):
        yield from ("is_linear", "leaf_const", "num_features", "leaf_features", "leaf_coeff")


def _require(holds: Any, told: str) -> None:
    if not holds:
        raise ValueError(told)
