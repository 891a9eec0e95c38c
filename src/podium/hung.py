"""How a request is answered whose thread does not come back from a model's native code.

The server that took a request in can answer on its connection, and then leaves; what to answer is
made elsewhere. Neither knows the other.
"""

from __future__ import annotations

from collections.abc import Callable

Send = Callable[[int, bytes], None]
"""Sends a whole HTTP response to the request that a thread works on; the thread is not used any
more, and the process is replaced."""

_senders: list[Send] = []


def send_by(send: Send) -> None:
    """Let `send` answer from now on."""
    _senders[:] = [send]


def send(thread: int, response: bytes) -> None:
    """Answer the request that a thread works on, if this process can."""
    for one in _senders:
        one(thread, response)
