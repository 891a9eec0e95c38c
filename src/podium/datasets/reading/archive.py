"""Zip files that somebody sent: what they say of themselves is not believed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from podium.cells import printable
from podium.errors import DataError, Mistake
from podium.messages import Message, said, told_by
from podium.runtimes.archive import is_link, leads_outside
from podium.strict import Size

MAX_MEMBERS: Final = 100_000
"""How many files an archive may hold; each costs some 600 bytes of memory."""
MAX_DIRECTORY: Final = 16_000_000
"""How long the list of an archive's members may be, in bytes."""
ARCHIVES: Final = (".zip", ".7z", ".rar", ".gz", ".tar", ".tgz", ".bz2", ".xz")
PIECE: Final = 1 << 18
_LOCAL_HEADER: Final = 30  # bytes before the name of a member (APPNOTE.TXT, 4.3.7)
_ENCRYPTED: Final = 1  # bit of the flags (APPNOTE.TXT, 4.4.4)
_DAMAGE: Final = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError,
                  UnicodeDecodeError)  # fmt: skip


class Archive:
    """The files in a zip archive, by their names; nothing is written where a name says.

    Raises:
        DataError: it is damaged, or forged: names that stand twice, members that overlap.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._stream = _Bounded(FileIO(file))
        try:
            self._zip = ZipFile(self._stream)
        except (BadZipFile, NotImplementedError, ValueError, EOFError) as err:
            self._stream.close()
            raise self.refusal(said(
                "it cannot be read as a zip archive (%(reason)s). Was it sent whole? Make it anew.",
                reason=told_by(err),
            )) from err  # fmt: skip
        found = [one for one in self._zip.infolist() if not one.is_dir()]
        self.members = {one.filename: one for one in found}
        try:
            self._check(found)
        except DataError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._zip.close()
        self._stream.close()

    def refusal(self, message: Message) -> DataError:
        """Return the error that says why the archive is not taken."""
        return DataError(self.file, [Mistake("zip", message)])

    def read(self, name: str, limit: int) -> bytes:
        """Return a member of at most `limit` bytes.

        Raises:
            ValueError: it is larger, or cannot be read.
        """
        return b"".join(self.pieces(name, limit))

    def pieces(self, name: str, limit: int) -> Iterator[bytes]:
        """Yield a member piece by piece, no more than `limit` bytes whatever its header says.

        Raises:
            ValueError: it is larger, or cannot be read.
        """
        member = self.members[name]
        told = problem_of(member)
        if told:
            raise ValueError(told)
        left = limit
        try:
            with self._zip.open(member) as stream:
                while left >= 0 and (piece := stream.read(PIECE)):
                    left -= len(piece)
                    if left >= 0:
                        yield piece
        except _DAMAGE as err:
            raise ValueError(
                said("is damaged in the archive: %(reason)s", reason=told_by(err))
            ) from err
        if left < 0:
            raise ValueError(said("unpacks to more than %(limit)s", limit=Size(limit)))

    @contextmanager
    def unpacked(self, name: str, file: Path, limit: int) -> Iterator[Path]:
        """Give a member as a file, which is there as long as it is read.

        Raises:
            DataError: it is larger than `limit` bytes, or cannot be read.
        """
        try:
            try:
                with file.open("wb") as stream:
                    stream.writelines(self.pieces(name, limit))
            except ValueError as err:
                raise self.refusal(said("%(file)s in it %(problem)s", file=printable(name),
                                        problem=told_by(err))) from err  # fmt: skip
            yield file
        finally:
            file.unlink(missing_ok=True)

    def _check(self, found: list[ZipInfo]) -> None:
        if len(found) > MAX_MEMBERS:
            raise self.refusal(said(
                "it holds %(count)s files; at most %(most)s are taken. Send them in several "
                "archives.",
                count=f"{len(found):,}", most=f"{MAX_MEMBERS:,}",
            ))  # fmt: skip
        if len(self.members) < len(found):
            raise self.refusal(said("it holds a name twice. Make the archive anew."))
        places = sorted(found, key=lambda one: one.header_offset)
        ends = [one.header_offset + _LOCAL_HEADER + one.compress_size for one in places]
        starts = [*(one.header_offset for one in places), self._zip.start_dir]
        if any(end > start for end, start in zip(ends, starts[1:], strict=True)):
            raise self.refusal(
                said("files in it overlap, as in a zip bomb. Make the archive anew.")
            )


def problem_of(member: ZipInfo) -> Message | None:
    """Return why a member of an archive is not read, or None."""
    if leads_outside(member.filename):
        return said("its name leads outside of the archive: %(name)s",
                    name=printable(member.filename))  # fmt: skip
    if is_link(member):
        return said("is a symbolic link, which is not followed; put the file itself into the "
                    "archive")  # fmt: skip
    if member.flag_bits & _ENCRYPTED:
        return said("is encrypted; make the archive without a password")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return said("is compressed in a way that is not read; make the archive as an ordinary "
                    ".zip")  # fmt: skip
    return None


class _Bounded(BufferedReader):
    """A file that is not read at once: zipfile takes in the list of an archive in one go."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise BadZipFile(said("its list of files has %(size)s bytes; at most %(most)s",
                                  size=f"{size:,}", most=f"{MAX_DIRECTORY:,}"))  # fmt: skip
        return super().read(size)
