"""Modules of PyTorch; the cases write this very file beside podium.toml, as their nets.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import nn


class Table(nn.Module):  # type: ignore[misc]
    """Three numbers to scores; what eval mode changes is in it, and a layer that works in place."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Sequential(
            nn.Linear(3, 8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(8, outputs)
        )
        nn.init.normal_(self.norm.running_mean)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, x: Any) -> Any:
        """Return logits, or values."""
        return self.head(self.norm(x))


class Shares(Table):
    """Returns probabilities among others, by name."""

    def forward(self, x: Any) -> Any:
        """Return a dict."""
        hidden = self.head[0](self.norm(x))
        return {"hidden": hidden, "probabilities": super().forward(x).softmax(1)}


class Pair(Table):
    """Returns several tensors in a tuple."""

    def forward(self, x: Any) -> Any:
        """Return a tuple; the scores are its second."""
        return self.head[0](self.norm(x)), super().forward(x)


class Answer(Table):
    """Returns an object."""

    def forward(self, x: Any) -> Any:
        """Return an object with logits."""
        return SimpleNamespace(loss=None, logits=super().forward(x))


class Squeezed(Table):
    """Drops every axis of length one, also that of a batch of one row."""

    def __init__(self) -> None:
        super().__init__(1)

    def forward(self, x: Any) -> Any:
        """Return values, shape (batch,) or ()."""
        return super().forward(x).squeeze()


class Deciding(Table):
    """Looks at the values of its input, which no graph can follow."""

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return super().forward(x if float(x.sum()) > 0 else -x)


class Columns(nn.Module):  # type: ignore[misc]
    """Takes the features of MIXED each on its own."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Embedding(3, 4)
        self.head = nn.Linear(7, 3)

    def forward(self, width: Any, count: Any, flag: Any, colour: Any) -> Any:
        """Return logits."""
        numbers = torch.stack([width, count / 9, flag.to(width.dtype)], dim=1)
        return self.head(torch.cat([numbers, self.colours(colour)], dim=1))


class Picture(nn.Module):  # type: ignore[misc]
    """Pictures of three channels to scores."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True),
            nn.Conv2d(6, 6, 3, groups=6), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(6, 3)
        nn.init.normal_(self.head.weight, std=20)

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return self.head(self.body(x))


class Tied(nn.Module):  # type: ignore[misc]
    """Two layers that share their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return self.second(torch.tanh(self.first(x)))


class Counting(nn.Module):  # type: ignore[misc]
    """Writes into its own state and into its input."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        """Return logits that are those of the first call."""
        self.calls += 1
        return self.head(x.mul_(2)) * self.calls


def value() -> Table:
    """Return a regressor."""
    return Table(1)


def double() -> nn.Module:
    """Return a module of double precision."""
    return Table().double()


def half() -> nn.Module:
    """Return a module of half precision."""
    return Table().bfloat16()


def nothing() -> str:
    """Return no module."""
    return "no module"


def broken() -> nn.Module:
    """Raise what a factory may."""
    raise RuntimeError("the data set is missing")
