"""What old versions of a table still need, rows past their time, and many small files as few: without a JVM."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deltalake import DeltaTable

from pipelines.spec import Table
from pipelines.store.commit import active
from pipelines.store.inventory import checkpoint_versions, commit_versions, log_files, logged_files, version_of
from pipelines.store.layout import bytes_per_file

CHECKPOINT_EVERY = 20
"""Commits after the last checkpoint from which a new one is worth its while."""


def versions_since(folder: Path, cutoff_ms: int) -> list[int]:
    """The versions that were in force at the cutoff or came later; a log without times counts as new."""
    history = DeltaTable(str(folder)).history()
    times = {int(entry["version"]): int(entry.get("timestamp") or cutoff_ms) for entry in history}
    older = [version for version, at in times.items() if at < cutoff_ms]
    first = max(older) if older else min(times, default=0)
    return sorted(version for version in times if version >= first)


def needed_files(folder: Path, versions: Iterable[int]) -> set[str]:
    """The data files of these versions by their place in the table; raises UnreadableError."""
    needed: set[str] = set()
    for version in versions:
        needed |= set(logged_files(folder, version)[0])
    return needed


def newest_version(folder: Path) -> int:
    """The table's newest version."""
    return int(DeltaTable(str(folder)).version())


def outdated_logs(folder: Path, oldest_needed: int) -> list[Path]:
    """The log files that no reader of the oldest needed version or a later one opens."""
    base = max((version for version in checkpoint_versions(folder) if version <= oldest_needed), default=-1)
    return [path for path in log_files(folder, base - 1) if (version_of(path.name) or 0) < base]


def checkpoint(folder: Path) -> bool:
    """The newest version has a checkpoint if many commits came since the last one; whether it was made now."""
    newest = commit_versions(folder)[-1]
    if newest - max(checkpoint_versions(folder), default=0) < CHECKPOINT_EVERY:
        return False
    DeltaTable(str(folder)).create_checkpoint()
    return True


def compact(table: Table, folder: Path) -> int:
    """Small files of the table lie together in larger ones, the rows unchanged; gives the files put together."""
    delta = DeltaTable(str(folder))
    standing = sum(file.size for file in active(delta).values())
    return int(delta.optimize.compact(target_size=bytes_per_file(table, standing))["numFilesRemoved"])


def delete_before(folder: Path, column: str, day: str) -> None:
    """No row with an earlier business date is left in the newest version."""
    DeltaTable(str(folder)).delete(f"\"{column}\" < '{day}'")
