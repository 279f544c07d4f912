"""Publishing: one manifest names the version of every published table, and one rename makes it the present one.

`<home>/snapshots/<id>/manifest.json` with the serving snapshot beside it; `<home>/CURRENT` holds the id. Readers follow
CURRENT and the manifest only, so they see one whole run or the one before.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import ConfigurationError, IntegrityError
from pipelines.store.marks import sync_folder
from pipelines.store.versions import table_state
from pipelines.tables import ALL

CURRENT = "CURRENT"
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """A published snapshot: its id, the run and day it answers for, and every table's version with its checks."""

    snapshot_id: str
    run_id: str
    as_of: str
    tables: dict[str, dict[str, Any]]

    def to_json(self) -> str:
        """The manifest as stable JSON."""
        body = {"snapshot_id": self.snapshot_id, "run_id": self.run_id, "as_of": self.as_of, "tables": self.tables}
        return json.dumps(body, sort_keys=True, indent=1)


def build_manifest(home: Path, run_id: str, as_of: str) -> Manifest:
    """The manifest of the lake as it stands; its id begins with the run's."""
    names = [table.full_name for table in ALL.tables if table.published]
    found = {name: table_state(home / "lake", name) for name in names}
    states = {name: state.as_dict() for name, state in found.items() if state is not None}
    digest = hashlib.sha256(json.dumps(states, sort_keys=True).encode()).hexdigest()[:8]
    return Manifest(f"{run_id}-{digest}", run_id, as_of, states)


def publish(home: Path, manifest: Manifest, build: Callable[[Path, Manifest], None], keep: int) -> Path:
    """The snapshot is complete on disk and the present one; snapshots beyond `keep` are removed.

    `build(folder, manifest)` writes the serving snapshot. A crash anywhere before the last rename leaves the old one.
    """
    root = home / "snapshots"
    folder, partial = root / manifest.snapshot_id, root / f".{manifest.snapshot_id}.partial"
    if not folder.exists():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        build(partial, manifest)
        _write_synced(partial / MANIFEST, manifest.to_json())
        sync_folder(partial)
        partial.rename(folder)
        sync_folder(root)
    point_to(home, manifest.snapshot_id)
    _prune(home, keep)
    return folder


def current(home: Path) -> Manifest | None:
    """The present snapshot's manifest, or None before the first publish; a damaged one raises IntegrityError."""
    name = _pointed(home)
    return None if name is None else load_manifest(home, name)


def load_manifest(home: Path, snapshot_id: str) -> Manifest:
    """The manifest of a snapshot."""
    path = home / "snapshots" / snapshot_id / MANIFEST
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["snapshot_id"] != snapshot_id:
            raise ValueError(snapshot_id)
        return Manifest(body["snapshot_id"], body["run_id"], body["as_of"], body["tables"])
    except (OSError, ValueError, KeyError, TypeError):
        raise IntegrityError(
            "the snapshot's manifest is missing or damaged", where=str(path), hint="run `cdp repair`"
        ) from None


def snapshots(home: Path) -> list[str]:
    """The snapshots that are kept, oldest first."""
    root = home / "snapshots"
    return sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")) if root.is_dir() else []


def rollback(home: Path) -> str:
    """The snapshot before the present one is the present one; gives its id."""
    kept = snapshots(home)
    present = current(home)
    earlier = [name for name in kept if present is not None and name < present.snapshot_id]
    if not earlier:
        raise ConfigurationError(
            "there is no earlier snapshot to go back to", where=str(home / "snapshots"), hint="see `cdp status`"
        )
    load_manifest(home, earlier[-1])
    point_to(home, earlier[-1])
    return earlier[-1]


def point_to(home: Path, snapshot_id: str) -> None:
    """CURRENT names the snapshot, by one atomic rename."""
    pointer = home / CURRENT
    temporary = home / f".{CURRENT}.new"
    _write_synced(temporary, snapshot_id + "\n")
    os.replace(temporary, pointer)
    sync_folder(home)


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())


def _pointed(home: Path) -> str | None:
    """The id in CURRENT, None without one; what is no text any more names no snapshot."""
    pointer = home / CURRENT
    return pointer.read_text(encoding="ascii", errors="replace").strip() if pointer.is_file() else None


def _prune(home: Path, keep: int) -> None:
    """Snapshots beyond the bound are gone, and what publishes that broke off left behind."""
    kept, present, root = snapshots(home), _pointed(home), home / "snapshots"
    gone = [root / name for name in kept[:-keep] if name != present]
    for folder in (*gone, *root.glob(".*.partial")):
        shutil.rmtree(folder, ignore_errors=True)
