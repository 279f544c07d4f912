"""A second copy of the small files without which a lake cannot be read: table logs, manifests, the pointer.

They lie in `<home>/backup`, follow the kept snapshots, and hold no more than the originals: Delta's log keeps no
statistics on personal columns.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipelines.store.inventory import LOG, Inventory, digest_of
from pipelines.store.versions import table_path
from pipelines.tables import ALL


def log_copy(home: Path, full_name: str, name: str) -> Path:
    """Where the copy of a table's log file lies."""
    layer, _, table = full_name.partition(".")
    return home / "backup" / "log" / layer / table / name


def snapshot_copy(home: Path, snapshot_id: str) -> Path:
    """The folder with the copies of a snapshot's manifest and inventory."""
    return home / "backup" / "snapshots" / snapshot_id


def pointer_copy(home: Path) -> Path:
    """The copy of `CURRENT`."""
    return home / "backup" / "CURRENT"


def keep_copies(home: Path, snapshots: Mapping[str, Mapping[str, Inventory] | None]) -> None:
    """The log files, manifests and inventories of these snapshots have copies; None: one that cannot be read."""
    for full_name, names in _logs(snapshots).items():
        _copy_logs(home, full_name, names)
    for snapshot_id, inventories in snapshots.items():
        for path in sorted((home / "snapshots" / snapshot_id).glob("*.json")) if inventories is not None else ():
            _copy(path, snapshot_copy(home, snapshot_id) / path.name)


def forget_copies(home: Path, snapshots: Mapping[str, Mapping[str, Inventory] | None]) -> None:
    """Copies that none of these snapshots needs are gone, unless one cannot be read (None) and may still need them."""
    if None not in snapshots.values():
        _drop_copies(home, set(snapshots), _logs(snapshots))


def stage_pointer(home: Path, pointer: Path) -> Path:
    """The pointer's copy lies ready to take its place by a rename, which a full disk cannot stop; gives its path."""
    staged = pointer_copy(home).with_name("CURRENT.partial")
    staged.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(pointer, staged)
    return staged


def _logs(snapshots: Mapping[str, Mapping[str, Inventory] | None]) -> dict[str, dict[str, str]]:
    logs: dict[str, dict[str, str]] = {}
    for inventories in snapshots.values():
        for full_name, inventory in (inventories or {}).items():
            logs.setdefault(full_name, {}).update(inventory.log)
    return logs


def bring_back(copy: Path, target: Path, digest: str) -> bool:
    """The file stands again as its copy holds it; False, and nothing changed, where the copy is not that content."""
    if not copy.is_file() or digest_of(copy) != digest:
        return False
    _copy(copy, target)
    return True


def _copy_logs(home: Path, full_name: str, names: Mapping[str, str]) -> None:
    source = table_path(home / "lake", ALL[full_name]) / LOG
    folder = log_copy(home, full_name, "x").parent
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    for name in sorted(set(names) - held):
        if (source / name).is_file() and digest_of(source / name) == names[name]:
            _copy(source / name, folder / name)


def _drop_copies(home: Path, snapshots: set[str], logs: Mapping[str, Mapping[str, str]]) -> None:
    for path in sorted((home / "backup" / "log").glob("*/*/*")):
        if path.name not in logs.get(f"{path.parent.parent.name}.{path.parent.name}", {}):
            path.unlink()
    for folder in sorted((home / "backup" / "snapshots").glob("*")):
        if folder.name not in snapshots:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """The target is the source's content, by one rename."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    shutil.copyfile(source, partial)
    os.replace(partial, target)
