"""Finds damage of the published snapshot: logs, data files, manifest and serving file, each named."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import IntegrityError
from pipelines.publish import Manifest, current
from pipelines.store.versions import UnreadableError, active_files, commit_file, files_digest
from serving.contract import snapshot_path


@dataclass(frozen=True)
class Damage:
    """One thing that is not as the manifest says: where, and what was expected."""

    where: str
    problem: str


def find_damage(home: Path) -> list[Damage]:
    """Every damage of the present snapshot; an empty list means that it is whole."""
    try:
        manifest = current(home)
    except IntegrityError as error:
        return [Damage(error.where, error.message)]
    if manifest is None:
        return []
    damage: list[Damage] = []
    for name in sorted(manifest.tables):
        damage += _table_damage(home, name, manifest)
    return damage + _serving_damage(home, manifest)


def _table_damage(home: Path, name: str, manifest: Manifest) -> list[Damage]:
    state = manifest.tables[name]
    lake, version = home / "lake", int(state["version"])
    commit = commit_file(lake, name, version)
    if not commit.is_file():
        return [Damage(str(commit), f"{name}: the commit of version {version} is missing")]
    if hashlib.sha256(commit.read_bytes()).hexdigest() != state["commit_sha256"]:
        return [Damage(str(commit), f"{name}: the commit of version {version} was changed or cut")]
    try:
        files = active_files(lake, name, version)
    except UnreadableError:
        return [Damage(str(commit.parent), f"{name}: version {version} cannot be read from the log")]
    if files_digest(lake, name, files) != state["files_sha256"]:
        return [Damage(str(commit.parent), f"{name}: version {version} names other files than when it was published")]
    return _file_damage(name, files, int(state["rows"]))


def _file_damage(name: str, files: list[str], rows: int) -> list[Damage]:
    damage: list[Damage] = []
    found = 0
    for file in files:
        try:
            content = pq.ParquetFile(file)
            found += content.metadata.num_rows
            for group in range(content.num_row_groups):
                content.read_row_group(group)
        except (OSError, pa.ArrowException):
            damage.append(Damage(file, f"{name}: the data file is missing, cut or unreadable"))
    if not damage and found != rows:
        damage.append(Damage(name, f"{name}: {found} rows where the manifest says {rows}"))
    return damage


def _serving_damage(home: Path, manifest: Manifest) -> list[Damage]:
    path = snapshot_path(home, manifest.snapshot_id)
    if not path.is_file():
        return [Damage(str(path), "the serving snapshot is missing")]
    try:
        with sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True) as connection:
            answer = connection.execute("PRAGMA quick_check").fetchone()[0]
    except sqlite3.DatabaseError:
        answer = "unreadable"
    return [] if answer == "ok" else [Damage(str(path), "the serving snapshot is damaged")]
