"""What a framework says of itself on standard error while it starts is not for users."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LEVEL: Final = "TF_CPP_MIN_LOG_LEVEL"
_CHATTER: Final = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:|WARNING: All log messages before absl|INFO: Created TensorFlow Lite"
)
_LOCK: Final = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Drop TensorFlow's chatter on standard error; all else that is written there comes after.

    Its libraries write the first lines before they know their log level. Whoever sets the level
    wants to see them.
    """
    if os.environ.get(_LEVEL, "3") != "3":
        yield
        return
    os.environ[_LEVEL] = "3"
    with _LOCK, tempfile.TemporaryFile() as written:
        kept = os.dup(2)
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            for line in written:
                if not _CHATTER.match(line):
                    os.write(2, line)
