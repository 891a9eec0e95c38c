"""Which label is taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from podium.charts.frame import Spec, category, framed, layer, lines, number, short
from podium.messages import Message, joined, said, said_of

MOST_LABELS: Final = 20
"""How many labels a matrix has; smaller cells cannot be read."""
_TOLD: Final = 12
"""Up to so many labels the cells hold their counts."""
_SHARED: Final = 6
"""Up to so many labels they hold their shares too."""
_DARK: Final = 0.5


def most_confused(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the labels that a matrix shows, in their order: those with the most mistakes."""
    wrong = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    return np.sort(np.argsort(-wrong, kind="stable")[:MOST_LABELS])


def confusion(counts: NDArray[np.intp], labels: Sequence[str], target: str) -> Spec:
    """Return a matrix of counts, shape (true labels, predicted labels), shaded by row."""
    shown = most_confused(counts)
    of_row = counts.sum(axis=1)
    cells = [
        {"truth": labels[i], "said": labels[j], "rows": int(counts[i, j]),
         "share": short(counts[i, j] / max(1, of_row[i]))}
        for i in shown for j in shown
    ]  # fmt: skip
    names = [labels[i] for i in shown]
    x = _side("said", said("Predicted %(target)s", target=target), names)
    y = _side("truth", said("True %(target)s", target=target), names)
    shade = number("share", scale={"domain": [0, 1], "range": [0.04, 0.92]}, legend=None)
    tooltip = lines(truth=said("true"), said=said("predicted"), rows=(said("rows"), ",d"),
                    share=(said("of the true"), ".1%"))  # fmt: skip
    about = said_of(
        int(counts.sum()),
        "Confusion matrix: %(right)s of %(rows)s prediction is right.",
        "Confusion matrix: %(right)s of %(rows)s predictions are right.",
        right=int(counts.diagonal().sum()), rows=int(counts.sum()),
    )  # fmt: skip
    return framed(
        joined([about, *_confusions(cells)]),
        max(200, min(520, 60 * len(names))),
        [layer(cells, "rect", "cell", x=x, y=y, opacity=shade, tooltip=tooltip),
         *(layer(_texts(cells, len(names), dark), "text", style, x=x, y=y, text={"field": "text"})
           for dark, style in ((False, "cell-text"), (True, "cell-text-strong")))],
    )  # fmt: skip


def _side(field: str, title: str, names: Sequence[str]) -> Spec:
    axis: Spec = {"labelLimit": 96, "domain": False}
    if field == "said":
        axis["labelAngle"] = -40 if sum(map(len, names)) > 28 else 0
    else:
        axis["titlePadding"] = 16  # the widths of labels are estimated, some are wider
    scale = {"domain": list(names), "paddingInner": 0.04}
    return category(field, title=title, axis=axis, scale=scale)


def _texts(cells: Sequence[dict[str, Any]], labels: int, dark: bool) -> list[Spec]:
    if labels > _TOLD:
        return []
    return [
        {"truth": one["truth"], "said": one["said"], "text": _text(one, labels)}
        for one in cells
        if one["rows"] and (one["share"] > _DARK) == dark
    ]


def _text(cell: dict[str, Any], labels: int) -> str | list[str]:
    count = f"{cell['rows']:,}"
    return [count, f"{cell['share']:.0%}"] if labels <= _SHARED else count


def _confusions(cells: Sequence[dict[str, Any]]) -> list[Message]:
    """Return the commonest mistakes in words."""
    wrong = [one for one in cells if one["rows"] and one["truth"] != one["said"]]
    wrong.sort(key=lambda one: -one["rows"])
    return [said("%(rows)s of %(truth)s taken for %(answer)s.", rows=one["rows"],
                 truth=one["truth"], answer=one["said"]) for one in wrong[:5]]  # fmt: skip
