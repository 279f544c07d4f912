"""Finds damage of a lake: logs, data files, manifests and serving files, each named.

What a kept snapshot pins is held to the digests of its inventory; what was written since is held to Delta's log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import IntegrityError
from pipelines.publish import BROKEN, is_broken, load_inventories, load_manifest, pointed, snapshots
from pipelines.spec import Table
from pipelines.store.inventory import (
    LOG,
    Logged,
    checkpoint_versions,
    commit_problem,
    commit_versions,
    digest_of,
    is_optional,
    logged_files,
    version_of,
)
from pipelines.store.marks import Marks
from pipelines.store.versions import UnreadableError, table_path
from pipelines.tables import ALL
from serving.contract import SNAPSHOT_FILE, snapshot_path

REPAIR = "run `cdp repair`"
REPAIR_MARK = "repair"
"""The mark of a repair that changes tables: until it is done, no run may begin."""


@dataclass(frozen=True)
class Damage:
    """One thing that is not as it was written: the file, what is wrong, and the table with its version (if any).

    `kind`: manifest, serving, log or data; `snapshot` names the one it belongs to, nothing for what was written since.
    """

    where: str
    problem: str
    kind: str = ""
    table: str = ""
    version: int = -1
    snapshot: str = ""

    def as_dict(self) -> dict[str, object]:
        """The damage as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Pin:
    """A file that a snapshot needs: whose it is, and its digest (and size, of a data file)."""

    table: str
    version: int
    digest: str
    snapshot: str
    size: int = -1


@dataclass
class Pinned:
    """All files that kept snapshots need, by path, and the oldest and newest version they need of each table."""

    logs: dict[Path, Pin] = field(default_factory=dict)
    files: dict[Path, Pin] = field(default_factory=dict)
    oldest: dict[str, int] = field(default_factory=dict)
    newest: dict[str, int] = field(default_factory=dict)


def find_damage(home: Path) -> list[Damage]:
    """Every damage of the lake and of its kept snapshots; an empty list means that all of it is whole."""
    damage = _pointer_damage(home)
    for name in snapshots(home):
        damage += snapshot_damage(home, name)
    pinned = pinned_files(home)
    damage += [*log_damage(home, pinned), *file_damage(pinned)]
    spoilt = {item.table for item in damage if item.kind == "log"}
    for table in ALL.tables:
        if table.full_name not in spoilt:
            damage += fresh_damage(home / "lake", table, pinned)
    return damage


def refuse_damage(home: Path) -> None:
    """The lake looks whole at a glance: the present manifest, and every file that it needs is there at its size.

    Cheap enough for the start of every run; `find_damage` reads all of it. Raises IntegrityError (exit 4) that names
    the file. Files that a repair gave up are known to be gone and refuse nothing.
    """
    if Marks(home).is_set(REPAIR_MARK):
        raise IntegrityError("a repair of the lake broke off", where=str(home), hint=REPAIR)
    name = pointed(home)
    inventories = {} if name is None else load_inventories(home, name)
    given_up = set() if name is None else lost_files(home, name)
    for table in ALL.tables:
        folder, inventory = table_path(home / "lake", table), inventories.get(table.full_name)
        for path, problem in _glance(folder, inventory.files if inventory else {}):
            if str(path) not in given_up:
                raise IntegrityError(
                    f"{table.full_name}: {problem}; nothing runs on a damaged lake", where=str(path), hint=REPAIR
                )
        if inventory is None:
            continue
        missing = [log for log in inventory.log if _is_needed(folder, log, inventory.version)]
        if missing:
            raise IntegrityError(
                f"{table.full_name}: a log file is missing; nothing runs on a damaged lake",
                where=str(folder / LOG / missing[0]),
                hint=REPAIR,
            )


def lost_files(home: Path, snapshot_id: str) -> set[str]:
    """The files of a snapshot that a repair gave up."""
    path = home / "snapshots" / snapshot_id / BROKEN
    return set(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else set()


def snapshot_damage(home: Path, snapshot_id: str) -> list[Damage]:
    """Damage of a snapshot's own files: manifest, inventory, serving file."""
    try:
        manifest = load_manifest(home, snapshot_id)
        load_inventories(home, snapshot_id)
    except IntegrityError as error:
        return [Damage(error.where, error.message, "manifest", snapshot=snapshot_id)]
    path = snapshot_path(home, snapshot_id)
    if not path.is_file():
        return [Damage(str(path), "the serving snapshot is missing", "serving", snapshot=snapshot_id)]
    if digest_of(path) != manifest.files.get(SNAPSHOT_FILE):
        return [Damage(str(path), "the serving snapshot is damaged", "serving", snapshot=snapshot_id)]
    return []


def pinned_files(home: Path) -> Pinned:
    """What the snapshots with a readable inventory need; one that is known to be broken counts while it is present."""
    pinned, present = Pinned(), pointed(home)
    for name in snapshots(home):
        if is_broken(home, name) and name != present:
            continue
        try:
            inventories = load_inventories(home, name)
        except IntegrityError:
            continue
        for full_name, taken in inventories.items():
            folder = table_path(home / "lake", ALL[full_name])
            for log, digest in taken.log.items():
                pinned.logs[folder / LOG / log] = Pin(full_name, taken.version, digest, name)
            for file, (size, digest) in taken.files.items():
                pinned.files[folder / file] = Pin(full_name, taken.version, digest, name, size)
            oldest = pinned.oldest.get(full_name, taken.version)
            pinned.oldest[full_name] = min(oldest, taken.version)
            pinned.newest[full_name] = max(pinned.newest.get(full_name, -1), taken.version)
    return pinned


def log_damage(home: Path, pinned: Pinned) -> list[Damage]:
    """Log files of pinned versions that are missing, cut or changed."""
    damage = []
    for path, pin in sorted(pinned.logs.items()):
        if not path.is_file():
            if not _is_needed(path.parent.parent, path.name, pinned.oldest[pin.table]):
                continue
            problem = f"the log file of version {version_of(path.name)} is missing"
        elif digest_of(path) != pin.digest:
            problem = f"the log file of version {version_of(path.name)} was changed or cut"
        else:
            continue
        found = f"{pin.table}: {problem}"
        damage.append(Damage(str(path), found, "log", pin.table, version_of(path.name) or 0, pin.snapshot))
    return damage


def file_damage(pinned: Pinned) -> list[Damage]:
    """Data files of pinned versions that are missing, cut or changed."""
    damage = []
    for path, pin in sorted(pinned.files.items()):
        problem = _size_problem(path, pin.size) or ("was changed" if digest_of(path) != pin.digest else "")
        if problem:
            found = f"{pin.table}: the data file {problem}"
            damage.append(Damage(str(path), found, "data", pin.table, pin.version, pin.snapshot))
    return damage


def fresh_damage(lake: Path, table: Table, pinned: Pinned) -> list[Damage]:
    """Damage of what was written to a table since its newest pinned version."""
    folder, name = table_path(lake, table), table.full_name
    if not (folder / LOG).is_dir() or _was_never_made(folder):
        return []
    damage = _fresh_log_damage(folder, name, pinned.newest.get(name))
    if damage:
        return damage
    versions = commit_versions(folder)
    if name in pinned.newest and versions[-1] <= pinned.newest[name]:
        return []
    try:
        files, version = logged_files(folder)
    except UnreadableError:
        problem = f"{name}: the newest version cannot be read from the log"
        return [Damage(str(folder / LOG), problem, "log", name, versions[-1])]
    found = ((folder / file, _data_problem(folder / file, logged)) for file, logged in files.items())
    return [
        Damage(str(path), f"{name}: the data file {problem}", "data", name, version)
        for path, problem in found
        if problem and path not in pinned.files
    ]


def _was_never_made(folder: Path) -> bool:
    """Whether a run was killed between making the table's folder and its first commit: nothing was ever there."""
    return not commit_versions(folder) and not any(folder.rglob("*.parquet"))


def _pointer_damage(home: Path) -> list[Damage]:
    name = pointed(home)
    if name is None:
        kept = snapshots(home)
        return [Damage(str(home / "CURRENT"), "CURRENT is missing", "manifest")] if kept else []
    if name in snapshots(home):
        return []
    return [Damage(str(home / "CURRENT"), "the manifest that CURRENT names is missing or damaged", "manifest")]


def _fresh_log_damage(folder: Path, name: str, newest_pinned: int | None) -> list[Damage]:
    versions = commit_versions(folder)
    if newest_pinned is not None:
        first = newest_pinned + 1
    else:
        first = versions[0] if versions and checkpoint_versions(folder) else 0
    last = max([*versions, first if newest_pinned is None else first - 1])
    damage = []
    for version in range(first, last + 1):
        path = folder / LOG / f"{version:020d}.json"
        if problem := commit_problem(path):
            found = f"{name}: the log file of version {version} {problem}"
            damage.append(Damage(str(path), found, "log", name, version))
    return damage


def _is_needed(folder: Path, log: str, version: int) -> bool:
    """Whether a log file is missing that reading the version needs: a later checkpoint makes up for commits."""
    if is_optional(log) or (folder / LOG / log).is_file():
        return False
    own = version_of(log) or 0
    return not any(own < checkpoint <= version for checkpoint in checkpoint_versions(folder))


def _glance(folder: Path, files: Mapping[str, tuple[int, str]]) -> Iterator[tuple[Path, str]]:
    versions = commit_versions(folder)
    if versions:
        newest = folder / LOG / f"{versions[-1]:020d}.json"
        if problem := commit_problem(newest):
            yield newest, f"the newest log file {problem}"
    for name, (size, _) in files.items():
        if problem := _size_problem(folder / name, size):
            yield folder / name, f"the data file {problem}"


def _size_problem(path: Path, size: int) -> str:
    try:
        found = path.stat().st_size
    except OSError:
        return "is missing"
    if found == size:
        return ""
    return f"is cut or was changed: {found} bytes where {size} were written" if found else "is empty"


def _data_problem(path: Path, logged: Logged) -> str:
    """What is wrong with a data file that has no digest yet: its size, footer, rows or pages."""
    if problem := _size_problem(path, logged.size):
        return problem
    try:
        content = pq.ParquetFile(path)
        for group in range(content.num_row_groups):
            content.read_row_group(group)
    except (OSError, pa.ArrowException):
        return "cannot be read"
    rows = content.metadata.num_rows
    return "" if logged.rows in (None, rows) else f"holds {rows} rows where the log says {logged.rows}"
