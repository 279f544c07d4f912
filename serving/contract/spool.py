"""Pushes on disk between the receiver that answers the platform and the landing folder that the jobs read.

`<home>/spool/<feed>/<interval>.jsonl` holds whole lines, each on disk before its sender was told so. A lock on the file
orders writers of several processes; collecting renames it away under the same lock, so that a line is in one file only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "spool"
SUFFIX = ".jsonl"
TAKEN = ".taken"
_BLOCK = 65_536


def append_line(home: Path, feed: str, *, interval: str, line: bytes) -> None:
    """The line, which ends with a line feed, is on disk when this returns; OSError when it is not."""
    path = home / FOLDER / feed / f"{interval}{SUFFIX}"
    fresh = not path.exists()
    if fresh:
        make_folder(path.parent)
    with _locked(path) as descriptor:
        _drop_cut_line(descriptor)
        end = os.lseek(descriptor, 0, os.SEEK_END)
        try:
            _write(descriptor, line)
            os.fsync(descriptor)
        except OSError:
            # What was not acknowledged must not stay: the platform sends it again.
            os.ftruncate(descriptor, end)
            raise
    if fresh:
        sync_folder(path.parent)


def collect(home: Path, landing: Path) -> tuple[Path, ...]:
    """Every spooled line lies in the landing folder afterwards, in `<feed>/<interval>/push-<digest>.jsonl`.

    Stopped anywhere and called again it ends the same: a file taken before is moved first.
    """
    moved: list[Path] = []
    for folder in sorted(path for path in (home / FOLDER).glob("*") if path.is_dir()):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            _take(path)
        for taken in sorted(folder.glob(f"*{TAKEN}")):
            moved += _land(taken, landing / folder.name)
    return tuple(moved)


def _take(path: Path) -> None:
    with _locked(path) as descriptor:
        _drop_cut_line(descriptor)
        number = 0
        while (taken := path.with_name(f"{path.stem}.{number}{TAKEN}")).exists():
            number += 1
        path.rename(taken)


def _land(taken: Path, folder: Path) -> list[Path]:
    content = taken.read_bytes()
    if not content:
        taken.unlink()
        return []
    target = folder / taken.name[:10] / f"push-{hashlib.sha256(content).hexdigest()[:16]}{SUFFIX}"
    make_folder(target.parent)
    try:
        taken.rename(target)
    except OSError:
        # The landing lies on another file system: copied beside the target, then renamed.
        beside = folder.parent / f".{target.name}"
        shutil.copyfile(taken, beside)
        with beside.open("rb") as handle:
            os.fsync(handle.fileno())
        beside.rename(target)
        taken.unlink()
    sync_folder(target.parent)
    return [target]


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file that bears the name now, locked; a collector may have renamed it between opening and locking."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _bears_name(descriptor, path):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _bears_name(descriptor: int, path: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _drop_cut_line(descriptor: int) -> None:
    """A crash can leave half a line at the end; its sender never got an answer, so it goes."""
    size = end = os.lseek(descriptor, 0, os.SEEK_END)
    while end > 0:
        start = max(0, end - _BLOCK)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            end = start + found + 1
            break
        end = start
    if end < size:
        os.ftruncate(descriptor, end)


def _write(descriptor: int, line: bytes) -> None:
    view = memoryview(line)
    while view:
        view = view[os.write(descriptor, view) :]


def make_folder(folder: Path) -> None:
    """The folder and the parents it lacked are there, their names on disk: its files are found after a crash."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(exist_ok=True)
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """The names in the folder are on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
