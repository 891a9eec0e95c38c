"""Models in processes of their own, which all web workers ask: [server] engine = "gunicorn".

A web worker decodes and checks a request, and sends its items and options over a Unix socket; a
model worker answers with the whole answer, or with what is wrong. Model workers are processes of
Gunicorn's dirty pool, which starts them and starts others when they end. What goes through its own
arbiter reaches a model worker one request at a time, could never be answered together, and waits
for ever when that worker is killed; so the web workers ask over sockets of the model workers' own.
"""

from __future__ import annotations

from typing import Final

STOPPING: Final = "stopping"
"""The file beside the sockets that says that the whole server stops, and not one model worker."""
