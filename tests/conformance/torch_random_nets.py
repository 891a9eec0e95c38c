"""Modules of PyTorch that draw at random; tests write this very file beside podium.toml."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional


class Dropped(nn.Module):  # type: ignore[misc]
    """Three numbers to scores, with dropout and batch-norm."""

    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.first = nn.Linear(3, 64)
        self.last = nn.Linear(64, outputs)
        nn.init.normal_(self.norm.running_mean)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, or values."""
        hidden = functional.relu(self.first(self.norm(x)))
        return self.last(functional.dropout(hidden, 0.5, self.training))


class Wide(nn.Module):  # type: ignore[misc]
    """Three numbers, made eight, through one layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.wide = nn.Linear(3, 8)
        self.layer = layer

    def forward(self, x: Any) -> Any:
        """Return logits of three classes."""
        return self.layer(self.wide(x)).cumsum(1)[:, -3:]


class Steps(Wide):
    """The layer takes a sequence, and returns one, or a tuple that begins with it."""

    def forward(self, x: Any) -> Any:
        """Return logits of three classes."""
        steps = self.wide(x)[:, None] * torch.arange(1.0, 5.0)[:, None]
        found = self.layer(steps)
        return (found[0] if isinstance(found, tuple) else found)[:, -1, :3]


class Attention(nn.Module):  # type: ignore[misc]
    """Attention of a sequence to itself; its weights are dropped out."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)

    def forward(self, x: Any) -> Any:
        """Return the sequence and the weights."""
        return self.attention(x, x, x)


class Skipped(nn.Module):  # type: ignore[misc]
    """Stochastic depth: a row goes around the layer as often as through it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        """Return features."""
        if not self.training:
            return x + self.layer(x) / 2
        return x + self.layer(x) * torch.rand_like(x[:, :1]).round()


class Pixels(nn.Module):  # type: ignore[misc]
    """Whole channels are dropped out."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Dropout2d(0.5), nn.Conv2d(8, 8, 1))

    def forward(self, x: Any) -> Any:
        """Return features."""
        return self.layer(x[:, :, None, None].expand(-1, -1, 2, 2)).mean((2, 3))


class Averaging(Dropped):
    """Keeps a statistic under a name of its own, as some normalisations do."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale()

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return super().forward(self.scale(x))


class Scale(nn.Module):  # type: ignore[misc]
    """Divides by the size that the inputs of a training have."""

    def __init__(self) -> None:
        super().__init__()
        self.size: Any
        self.register_buffer("size", torch.ones(()))

    def forward(self, x: Any) -> Any:
        """Return rows of a size of about 1."""
        if self.training:
            self.size = 0.9 * self.size + 0.1 * x.detach().abs().mean()
        return x / self.size


class Bounded(nn.Module):  # type: ignore[misc]
    """Spectral norm, which goes on with its power iteration in training mode; and dropout."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 8))
        self.layers = nn.Sequential(layer, nn.Dropout(0.5), nn.Linear(8, 3))

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return self.layers(x)


class Counting(Dropped):
    """Counts its calls at all times."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: Any) -> Any:
        """Return logits."""
        self.calls += 1
        return super().forward(x)


class Auxiliary(Dropped):
    """Returns more in training mode, as Inception does."""

    def forward(self, x: Any) -> Any:
        """Return logits, or a tuple of them and others."""
        found = super().forward(x)
        return (found, self.first(x)) if self.training else found


class Targets(Dropped):
    """Takes more in training mode, as detectors do."""

    def forward(self, x: Any, targets: Any = None) -> Any:
        """Return logits."""
        if self.training and targets is None:
            raise ValueError("targets are missing")
        return super().forward(x)


class Bayes(nn.Module):  # type: ignore[misc]
    """A linear layer whose weights are drawn once a call."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(outputs, inputs))
        self.log_std = nn.Parameter(torch.full((outputs, inputs), -1.0))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Any) -> Any:
        """Return features."""
        weight = self.mean + self.log_std.exp() * torch.randn_like(self.mean)
        return functional.linear(x, weight, self.bias)


class Buffered(Bayes):
    """Keeps what it draws in a buffer, as some libraries do."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.register_buffer("noise", torch.zeros(outputs, inputs))

    def forward(self, x: Any) -> Any:
        """Return features."""
        self.noise.normal_()
        return functional.linear(x, self.mean + self.log_std.exp() * self.noise, self.bias)


class BayesLSTM(nn.Module):  # type: ignore[misc]
    """Draws weights once a call, behind recurrent layers with dropout, which vmap cannot take."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = Steps(nn.LSTM(8, 8, 2, dropout=0.5, batch_first=True))
        self.head = Bayes(3, 3)

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return self.head(self.steps(x))


class Deciding(nn.Module):  # type: ignore[misc]
    """Goes where a number that it draws sends it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return self.head(x if torch.rand(()) > 0.5 else -x)


class Elsewhere(nn.Module):  # type: ignore[misc]
    """Draws also from numpy's generator."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Bayes(3, 3)

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return self.head(x * np.random.normal())


class Leaking(Dropped):
    """Returns more in training mode and draws in eval mode, too."""

    def forward(self, x: Any) -> Any:
        """Return logits, or a tuple of them and a loss."""
        hidden = functional.dropout(functional.relu(self.first(x)), 0.5, training=True)
        return (self.last(hidden), x.sum()) if self.training else self.last(hidden)


class InPlace(nn.Module):  # type: ignore[misc]
    """Draws weights once a call, and dropout in place before."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(0.5, inplace=True), Bayes(3, 3))

    def forward(self, x: Any) -> Any:
        """Return logits."""
        return self.layers(x.clone())


class Squeezed(nn.Module):  # type: ignore[misc]
    """Drops every axis of length one, also that of a batch of one row."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Bayes(3, 1)

    def forward(self, x: Any) -> Any:
        """Return values, shape (batch,) or ()."""
        return self.head(x).squeeze()


class Named(nn.Module):  # type: ignore[misc]
    """Returns several tensors by name."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Bayes(3, 3)

    def forward(self, x: Any) -> Any:
        """Return a dict."""
        logits = self.head(x)
        return {"logits": logits, "index": logits.argmax(1)}


def bayes() -> nn.Module:
    """Return a Bayesian network."""
    return nn.Sequential(Bayes(3, 16), nn.Tanh(), Bayes(16, 3))


def buffered() -> nn.Module:
    """Return a Bayesian network that keeps what it draws."""
    return nn.Sequential(Buffered(3, 16), nn.Tanh(), Buffered(16, 3))


def recurrent() -> nn.Module:
    """Return recurrent layers with dropout between them."""
    return Steps(nn.LSTM(8, 8, 2, dropout=0.5, batch_first=True))


def transformer() -> nn.Module:
    """Return layers of attention with dropout."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)
    return Steps(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))


def attention() -> nn.Module:
    """Return attention with dropout."""
    return Steps(Attention())


def depth() -> nn.Module:
    """Return stochastic depth."""
    return Wide(Skipped())


def channels() -> nn.Module:
    """Return dropout of channels."""
    return Wide(Pixels())


def alpha() -> nn.Module:
    """Return alpha dropout."""
    return Wide(nn.AlphaDropout(0.5))


def leaky() -> nn.Module:
    """Return a leaky ReLU whose slope is drawn."""
    return Wide(nn.RReLU())


def plain() -> nn.Module:
    """Return a module that draws nothing."""
    return nn.Linear(3, 3)
