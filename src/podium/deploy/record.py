"""What was put on a platform last, and what had served there before."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from podium.errors import DeployError


class Record(Struct, frozen=True, kw_only=True):
    """One deployment that served; `before` is the version that a rollback brings back."""

    target: str
    name: str
    version: str
    address: str
    before: str | None = None
    since: float = 0.0


class Records:
    """The records of one application, in its state folder; a file a target."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "deploy"

    def workplace(self, target: str) -> Path:
        """Return the folder in which a target's files are made."""
        return self._folder / target

    def read(self, target: str) -> Record | None:
        """Return what was put there last; None if nothing was, or it was removed.

        Raises:
            DeployError: the record is damaged.
        """
        file = self._file(target)
        try:
            return msgspec.json.decode(file.read_bytes(), type=Record)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as err:
            raise DeployError(
                f"{file} is damaged: {err}. Remove it; a rollback then has nothing to go back to."
            ) from err

    def write(self, record: Record) -> Record:
        """Note what serves now, and return the record as it stands in the file.

        Where nothing else had served just before, it stays what a rollback brings back.
        """
        last = self.read(record.target)
        if last is not None and record.before in (None, record.version):
            before = last.before if last.version == record.version else last.version
            record = replace(record, before=before)
        elif record.before == record.version:
            record = replace(record, before=None)
        record = replace(record, since=time.time())
        file = self._file(record.target)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f".{file.name}")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(record)))
        part.replace(file)
        return record

    def forget(self, target: str) -> None:
        """Note that nothing is there any more."""
        self._file(target).unlink(missing_ok=True)

    def _file(self, target: str) -> Path:
        return self._folder / f"{target}.json"
