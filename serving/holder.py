"""The snapshot being served: follows `CURRENT`, hands out the present one, closes old ones once nobody reads them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from serving.clock import Clock
from serving.contract import pointer_path, snapshot_path
from serving.contract.intact import is_intact
from serving.errors import ServingError, SnapshotDamagedError, SnapshotMissingError
from serving.store import Snapshot

RETRY_MS = 1_000
"""How long a failed opening is believed before it is tried again."""

Mark = tuple[int, int, int]


@dataclass(frozen=True)
class Standing:
    """What is served and what is wrong; `usable` is false when requests cannot be answered.

    A problem beside a usable snapshot means: the one before is still served.
    """

    snapshot_id: str | None
    as_of: str | None
    built_at_ms: int | None
    problem: ServingError | None
    usable: bool


@dataclass
class _Open:
    snapshot: Snapshot
    leases: int = 0


class SnapshotHolder:
    """Serves the snapshot that the home's `CURRENT` names; a new one is taken up with the next request.

    A request keeps the snapshot it began with. While a new snapshot cannot be opened the one before stays; without any,
    `lease` raises SnapshotMissingError or SnapshotDamagedError.
    """

    def __init__(self, home: Path, monotonic: Clock) -> None:
        self._home = home
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._current: _Open | None = None
        self._mark: Mark | None = None
        self._problem: ServingError | None = None
        self._tried_ms = 0
        self.switches = 0

    @contextmanager
    def lease(self) -> Iterator[Snapshot]:
        """The present snapshot, open until the block ends."""
        with self._lock:
            self._follow()
            held = self._current
            if held is None:
                raise self._problem or SnapshotMissingError(str(self._home), problem="nothing was published yet")
            held.leases += 1
        try:
            yield held.snapshot
        finally:
            with self._lock:
                held.leases -= 1
                if held is not self._current and held.leases == 0:
                    held.snapshot.close()

    def standing(self) -> Standing:
        """What is served now, after a look at `CURRENT`."""
        with self._lock:
            self._follow()
            if self._current is None:
                missing = SnapshotMissingError(str(self._home), problem="nothing was published yet")
                problem = self._problem or missing
                return Standing(None, None, None, problem, usable=False)
            snapshot = self._current.snapshot
            return Standing(
                snapshot.snapshot_id,
                snapshot.as_of,
                snapshot.built_at_ms,
                snapshot.damage or self._problem,
                usable=snapshot.damage is None,
            )

    def close(self) -> None:
        """No snapshot is open any more, once the last lease ends."""
        with self._lock:
            held, self._current, self._mark = self._current, None, None
            if held is not None and held.leases == 0:
                held.snapshot.close()

    def _follow(self) -> None:
        pointer = pointer_path(self._home)
        try:
            found = os.stat(pointer)
        except OSError:
            self._mark = None
            self._problem = SnapshotMissingError(str(pointer), problem="CURRENT is not there")
            return
        mark = (found.st_mtime_ns, found.st_ino, found.st_size)
        if mark == self._mark and self._problem is None:
            return
        now = self._monotonic()
        if mark == self._mark and now - self._tried_ms < RETRY_MS:
            return
        self._mark, self._tried_ms = mark, now
        self._take_up(pointer)

    def _take_up(self, pointer: Path) -> None:
        try:
            name = pointer.read_text(encoding="utf-8").strip()
            if not name or Path(name).name != name:
                raise SnapshotMissingError(str(pointer), problem="CURRENT names no snapshot")
            path = snapshot_path(self._home, name)
            if self._current is None or self._current.snapshot.path != path:
                if path.is_file() and not is_intact(path):
                    raise SnapshotDamagedError(str(path), problem="it is not what was published")
                self._replace(Snapshot(path))
            self._problem = None
        except ServingError as error:
            self._problem = error
        except (OSError, UnicodeDecodeError):
            self._problem = SnapshotMissingError(str(pointer), problem="CURRENT cannot be read")

    def _replace(self, snapshot: Snapshot) -> None:
        held, self._current = self._current, _Open(snapshot)
        self.switches += 1
        if held is not None and held.leases == 0:
            held.snapshot.close()
