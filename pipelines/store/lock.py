"""One writer per lake: an advisory `flock` on one file, taken before any JVM starts.

The lock dies with the process that holds it, so a killed run leaves nothing to clean up, and a stale file means
nothing: its text only tells who holds or held the lock. A JVM that was started under the lock holds it too: killed
without its parent knowing, it may still finish a commit, and until it has ended nobody else writes.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pipelines.errors import CdpError, ExitCode

FILE = "writer.lock"
_HELD: list[int] = []


@contextlib.contextmanager
def writer_lock(
    home: Path, command: str, *, started: str, wait: float = 0.0, tell: Callable[[str], None] | None = None
) -> Iterator[None]:
    """The lake at `home` has this process as its only writer inside the block.

    `wait`: seconds to wait for another holder (0: not at all). Raises CdpError with exit 5 that says who holds it.
    """
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / FILE, os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(descriptor, False)
    try:
        _acquire(descriptor, home, wait=wait, tell=tell)
        owner = {"pid": os.getpid(), "command": command, "started": started}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        _HELD.append(descriptor)
        try:
            yield
        finally:
            _HELD.remove(descriptor)
            # Not only closed: a JVM that ends a moment later would hold the lake as long.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def held_locks() -> tuple[int, ...]:
    """The descriptors of the locks that this process holds, for children that must hold them as long as they live."""
    return tuple(_HELD)


def holder(home: Path) -> dict[str, object] | None:
    """Who holds the lake's lock now, or None when it is free."""
    path = home / FILE
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _owner(descriptor)
    finally:
        os.close(descriptor)
    return None


def _acquire(descriptor: int, home: Path, *, wait: float, tell: Callable[[str], None] | None) -> None:
    deadline = time.monotonic() + wait
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            owner = _owner(descriptor)
        command, started = owner.get("command", "unknown command"), owner.get("started", "?")
        who = f"process {owner.get('pid', '?')} ({command}, since {started})"
        if not _is_alive(owner.get("pid")):
            who += ", which is not seen here any more: a JVM it started may still be ending"
        if time.monotonic() >= deadline:
            raise CdpError(
                ExitCode.LOCKED,
                f"another run holds the lake: {who}",
                where=str(home),
                hint="let it finish, or wait for it with --wait",
            )
        if tell and not told:
            tell(f"waiting for {who}")
            told = True
        time.sleep(0.2)


def _is_alive(pid: object) -> bool:
    try:
        os.kill(int(str(pid)), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _owner(descriptor: int) -> dict[str, object]:
    try:
        loaded = json.loads(os.pread(descriptor, 4096, 0).decode())
    except (ValueError, OSError):
        return {}
    return loaded if isinstance(loaded, dict) else {}
