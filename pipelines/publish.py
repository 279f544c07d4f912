"""Publishing: one manifest names the version of every published table, and one rename makes it the present one.

`<home>/snapshots/<id>/manifest.json` with the serving snapshot and an inventory of the whole lake beside it;
`<home>/CURRENT` holds the id. Readers follow CURRENT and the manifest only: they see one whole run or the one before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.backup import forget_copies, keep_copies, pointer_copy, stage_pointer
from pipelines.errors import ConfigurationError, IntegrityError
from pipelines.store.inventory import Inventory, digest_of, take_inventory
from pipelines.store.marks import sync_folder
from pipelines.store.versions import table_state
from pipelines.tables import ALL

CURRENT = "CURRENT"
MANIFEST = "manifest.json"
INVENTORY = "inventory.json"
BROKEN = "BROKEN"
"""Beside a manifest: the snapshot lost data files for good; nobody goes back to it, the next publish removes it."""

Inventories = Mapping[str, Inventory]


@dataclass(frozen=True)
class Manifest:
    """A published snapshot: its id, the run and day it answers for, and every table's version with its checks.

    `files` holds the digest of each file beside the manifest.
    """

    snapshot_id: str
    run_id: str
    as_of: str
    tables: dict[str, dict[str, Any]]
    files: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The manifest as stable JSON that ends in its own digest."""
        body = {name: getattr(self, name) for name in ("snapshot_id", "run_id", "as_of", "tables", "files")}
        return json.dumps(body | {"sha256": _digest(body)}, sort_keys=True, indent=1)


def build_manifest(home: Path, run_id: str, as_of: str) -> Manifest:
    """The manifest of the lake as it stands; its id begins with the run's."""
    names = [table.full_name for table in ALL.tables if table.published]
    found = {name: table_state(home / "lake", name) for name in names}
    states = {name: state.as_dict() for name, state in found.items() if state is not None}
    digest = hashlib.sha256(json.dumps(states, sort_keys=True).encode()).hexdigest()[:8]
    return Manifest(f"{run_id}-{digest}", run_id, as_of, states)


def publish(home: Path, manifest: Manifest, build: Callable[[Path, Manifest], None], keep: int) -> Path:
    """The snapshot is complete on disk and the present one; snapshots beyond `keep` are removed.

    `build(folder, manifest)` writes the serving snapshot. A crash or a full disk anywhere before the last rename leaves
    the old one; after it nothing more is written.
    """
    root = home / "snapshots"
    folder, partial = root / manifest.snapshot_id, root / f".{manifest.snapshot_id}.partial"
    if not folder.exists():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        build(partial, manifest)
        _write_synced(partial / INVENTORY, _inventory_text(take_inventories(home)))
        # Delta does not sync what it writes: the lake must be on disk before a manifest says that it is.
        os.sync()
        named = replace(manifest, files={path.name: digest_of(path) for path in sorted(partial.iterdir())})
        _write_synced(partial / MANIFEST, named.to_json())
        sync_folder(partial)
        partial.rename(folder)
        sync_folder(root)
    keep_copies(home, {manifest.snapshot_id: _known_inventories(home, manifest.snapshot_id)})
    point_to(home, manifest.snapshot_id)
    prune(home, keep)
    forget_copies(home, {name: _known_inventories(home, name) for name in snapshots(home)})
    return folder


def take_inventories(home: Path) -> dict[str, Inventory]:
    """The inventory of every table of the lake as it stands; what the snapshot before knew is not read again."""
    name = pointed(home)
    before = (_known_inventories(home, name) if name else None) or {}
    found = {t.full_name: take_inventory(home / "lake", t, before.get(t.full_name)) for t in ALL.tables}
    return {name: inventory for name, inventory in found.items() if inventory is not None}


def current(home: Path) -> Manifest | None:
    """The present snapshot's manifest, or None before the first publish; a damaged one raises IntegrityError."""
    name = pointed(home)
    return None if name is None else load_manifest(home, name)


def load_manifest(home: Path, snapshot_id: str) -> Manifest:
    """The manifest of a snapshot; one that was changed or cut raises IntegrityError."""
    return read_manifest(home / "snapshots" / snapshot_id / MANIFEST, snapshot_id)


def read_manifest(path: Path, snapshot_id: str) -> Manifest:
    """The manifest in a file, which has to be of that snapshot."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        digest = body.pop("sha256")
        if body["snapshot_id"] != snapshot_id or digest != _digest(body):
            raise ValueError(snapshot_id)
        return Manifest(**body)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise IntegrityError(
            "the snapshot's manifest is missing or damaged", where=str(path), hint="run `cdp repair`"
        ) from None


def load_inventories(home: Path, snapshot_id: str) -> dict[str, Inventory]:
    """The inventory of every table of the lake when the snapshot was published; raises IntegrityError."""
    wanted = load_manifest(home, snapshot_id).files.get(INVENTORY, "")
    return read_inventories(home / "snapshots" / snapshot_id / INVENTORY, wanted)


def read_inventories(path: Path, digest: str) -> dict[str, Inventory]:
    """The inventories in a file, which has to have that digest."""
    try:
        text = path.read_bytes()
        if hashlib.sha256(text).hexdigest() != digest:
            raise ValueError(digest)
        return {name: Inventory.of(body) for name, body in json.loads(text).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise IntegrityError(
            "the snapshot's inventory is missing or damaged", where=str(path), hint="run `cdp repair`"
        ) from None


def snapshots(home: Path) -> list[str]:
    """The snapshots that are kept, oldest first."""
    root = home / "snapshots"
    return sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")) if root.is_dir() else []


def rollback(home: Path) -> str:
    """The snapshot before the present one is the present one; gives its id."""
    kept = [name for name in snapshots(home) if not is_broken(home, name)]
    present = current(home)
    earlier = [name for name in kept if present is not None and name < present.snapshot_id]
    if not earlier:
        raise ConfigurationError(
            "there is no earlier snapshot to go back to", where=str(home / "snapshots"), hint="see `cdp status`"
        )
    load_manifest(home, earlier[-1])
    point_to(home, earlier[-1])
    return earlier[-1]


def is_broken(home: Path, snapshot_id: str) -> bool:
    """Whether the snapshot is known to have lost data files for good."""
    return (home / "snapshots" / snapshot_id / BROKEN).exists()


def point_to(home: Path, snapshot_id: str) -> None:
    """CURRENT names the snapshot, by one atomic rename."""
    pointer = home / CURRENT
    temporary = home / f".{CURRENT}.new"
    _write_synced(temporary, snapshot_id + "\n")
    copy = stage_pointer(home, temporary)
    os.replace(temporary, pointer)
    sync_folder(home)
    os.replace(copy, pointer_copy(home))


def _known_inventories(home: Path, snapshot_id: str) -> Inventories | None:
    try:
        return load_inventories(home, snapshot_id)
    except IntegrityError:
        return None


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _inventory_text(inventories: Inventories) -> str:
    return json.dumps({name: taken.as_dict() for name, taken in inventories.items()}, sort_keys=True)


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


def pointed(home: Path) -> str | None:
    """The id in CURRENT, None without one; what is no text any more names no snapshot."""
    pointer = home / CURRENT
    return pointer.read_text(encoding="ascii", errors="replace").strip() if pointer.is_file() else None


def prune(home: Path, keep: int, *, dry_run: bool = False) -> list[str]:
    """Snapshots beyond the bound are gone, and what publishes that broke off left behind; gives their names."""
    kept, present, root = snapshots(home), pointed(home), home / "snapshots"
    gone = sorted({name for name in kept if is_broken(home, name)} | set(kept[:-keep]))
    gone = [name for name in gone if name != present]
    for folder in () if dry_run else (*(root / name for name in gone), *root.glob(".*.partial")):
        shutil.rmtree(folder, ignore_errors=True)
    return gone
