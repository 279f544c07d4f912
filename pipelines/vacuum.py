"""Deletes what no reader needs any more: data and log files of versions that are neither pinned, young nor in use."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipelines.jobs.s3_marker import marker_of
from pipelines.publish import load_inventories, prune, snapshots
from pipelines.spec import Table
from pipelines.store.aging import checkpoint, compact, needed_files, newest_version, outdated_logs, versions_since
from pipelines.store.inventory import LOG, Inventory, commit_versions
from pipelines.store.versions import table_path
from pipelines.tables import ALL

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Swept:
    """What a table lost: data files and log files with their bytes; `compacted`: small files put together."""

    table: str
    files: int = 0
    log_files: int = 0
    bytes: int = 0
    compacted: int = 0


@dataclass
class Vacuum:
    """What a vacuum deleted, or with a dry run would delete: old snapshots, and files per table."""

    dry_run: bool
    snapshots: list[str] = field(default_factory=list)
    tables: list[Swept] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """All bytes of the files."""
        return sum(swept.bytes for swept in self.tables)

    def as_dict(self) -> dict[str, object]:
        """The report as plain data."""
        return {**asdict(self), "bytes": self.bytes}


@dataclass(frozen=True)
class Needs:
    """What has to stay: the kept snapshots' inventories, versions in use by table, and everything since a time."""

    inventories: tuple[dict[str, Inventory], ...]
    in_use: dict[str, int]
    cutoff_ms: int

    def versions(self, table: Table, folder: Path) -> list[int]:
        """The versions of a table that have to stay readable."""
        pinned = {taken[table.full_name].version for taken in self.inventories if table.full_name in taken}
        used = {self.in_use[table.full_name]} if self.in_use.get(table.full_name, -1) >= 0 else set()
        return sorted({newest_version(folder), *pinned, *used, *versions_since(folder, self.cutoff_ms)})


def vacuum(home: Path, *, keep: int, cutoff_ms: int, dry_run: bool) -> Vacuum:
    """Snapshots beyond `keep` and files that were neither needed since the cutoff nor by a kept snapshot are gone.

    A file that nobody needs but that is younger than the cutoff stays for another time. Raises IntegrityError (exit 4)
    where a kept snapshot cannot say what it needs: then nothing is deleted. The caller holds the lake's lock.
    """
    done = Vacuum(dry_run)
    done.snapshots = prune(home, keep, dry_run=dry_run)
    kept = [name for name in snapshots(home) if name not in done.snapshots]
    marker = marker_of(home / "lake")
    needs = Needs(
        tuple(load_inventories(home, name) for name in kept), dict(marker.versions) if marker else {}, cutoff_ms
    )
    for table in ALL.tables:
        swept = _sweep(home / "lake", table, needs, dry_run=dry_run)
        if swept.files or swept.log_files:
            done.tables.append(swept)
    return done


def optimise(home: Path, say: Callable[[str], None]) -> list[Swept]:
    """Small files of every table lie together; rows and readers of older versions notice nothing.

    The caller holds the lake's lock.
    """
    done = []
    for table in ALL.tables:
        folder = table_path(home / "lake", table)
        if not commit_versions(folder):
            continue
        together = compact(table, folder)
        checkpoint(folder)
        if together:
            say(f"{table.full_name}: {together} files put together")
            done.append(Swept(table.full_name, compacted=together))
    return done


def _sweep(lake: Path, table: Table, needs: Needs, *, dry_run: bool) -> Swept:
    folder = table_path(lake, table)
    if not commit_versions(folder):
        return Swept(table.full_name)
    versions = needs.versions(table, folder)
    files = _unneeded(folder, needed_files(folder, versions), needs.cutoff_ms)
    logs = outdated_logs(folder, versions[0])
    size = sum(path.stat().st_size for path in (*files, *logs))
    if not dry_run:
        # The data goes first: a log without its data is found by the next vacuum, data without its log is not.
        for path in (*files, *logs):
            path.unlink(missing_ok=True)
        _remove_empty(folder)
        checkpoint(folder)
    return Swept(table.full_name, len(files), len(logs), size)


def _unneeded(folder: Path, needed: set[str], cutoff_ms: int) -> list[Path]:
    """Files outside the log that no needed version names, with the checksums beside them."""
    found = []
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if place.parts[0] == LOG or not path.is_file():
            continue
        name = path.name.removeprefix(".").removesuffix(".crc") if path.name.endswith(".crc") else path.name
        if place.with_name(name).as_posix() not in needed and path.stat().st_mtime_ns < cutoff_ms * 1_000_000:
            found.append(path)
    return found


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and path.name != LOG and not any(path.iterdir()):
            shutil.rmtree(path)
