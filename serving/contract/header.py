"""A look at the first bytes of a snapshot: enough to refuse a cut or foreign file before SQLite reads it."""

from __future__ import annotations

from pathlib import Path

from serving.contract.format import APPLICATION_ID
from serving.errors import SnapshotDamagedError, SnapshotMissingError

_HEADER_BYTES = 100


def check_header(path: Path) -> None:
    """The file is a snapshot of its full length; SnapshotMissingError or SnapshotDamagedError say what it is instead.

    Source of the offsets: the SQLite file format, section 1.3.
    """
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        size = path.stat().st_size
    except OSError as error:
        raise SnapshotMissingError(str(path), problem="the file cannot be opened") from error
    if len(header) < _HEADER_BYTES or not header.startswith(b"SQLite format 3\x00"):
        raise SnapshotDamagedError(str(path), problem="not a snapshot file")
    if int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise SnapshotDamagedError(str(path), problem="an SQLite file of another program")
    page = int.from_bytes(header[16:18], "big")
    expected = (65536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if size != expected:
        raise SnapshotDamagedError(str(path), problem=f"{size} bytes long instead of {expected}")
