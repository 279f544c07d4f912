"""Brings a damaged lake back to its last good state, and says what it did and what has to be run again.

Small files have copies (`pipelines.backup`); data files have none. So logs, manifests and the pointer are brought back
as they were; lost data files are dealt with by going back to the newest snapshot that needs none of them, and where
there is no such snapshot by giving the files up and naming the run that makes their rows again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pipelines.backup import bring_back, log_copy, pointer_copy, snapshot_copy
from pipelines.errors import IntegrityError
from pipelines.publish import (
    BROKEN,
    CURRENT,
    INVENTORY,
    MANIFEST,
    Manifest,
    load_inventories,
    load_manifest,
    point_to,
    pointed,
    publish,
    read_inventories,
    read_manifest,
    snapshots,
)
from pipelines.rebuilding import Lost, commands, lost_rows, owe, owed
from pipelines.spec import Table
from pipelines.store.inventory import LOG, commit_versions, digest_of, version_of
from pipelines.store.local import LocalLake
from pipelines.store.marks import Marks
from pipelines.store.rewind import forget_missing
from pipelines.store.versions import table_path
from pipelines.tables import ALL
from pipelines.verify import (
    REPAIR_MARK,
    Damage,
    find_damage,
    fresh_damage,
    log_damage,
    lost_files,
    pinned_files,
    snapshot_damage,
)

STAYING = frozenset(
    ("ops.job_runs", "ops.quality_results", "ops.audit", "identity.steward_decisions", "silver.quarantine")
)
"""Tables that are not made from others: what was written to them since a snapshot is no part of a run cut short."""
UNSURE = ("bronze", "downstream")
"""Marks that make the next run look at everything."""

BuildServing = Callable[[Path, Manifest], None]


@dataclass(frozen=True)
class Step:
    """One thing the repair did, and to which file or table."""

    what: str
    where: str


@dataclass
class Repair:
    """What a repair did: its steps, the snapshot now present, commands that make lost rows again, what is left."""

    steps: list[Step] = field(default_factory=list)
    snapshot: str | None = None
    rerun: list[str] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    remaining: list[Damage] = field(default_factory=list)

    def did(self, what: str, where: object) -> None:
        """The step is part of the report."""
        self.steps.append(Step(what, str(where)))

    def as_dict(self) -> dict[str, object]:
        """The report as plain data."""
        return asdict(self)


def repair(home: Path, build: BuildServing) -> Repair:
    """The lake is as the last good snapshot says; a lake without damage is left as it is.

    `build` writes the serving file of a manifest into a folder. The caller holds the lake's lock.
    """
    report, marks = Repair(), Marks(home)
    if marks.is_set(REPAIR_MARK) or find_damage(home):
        _bring_back_snapshots(home, report)
        _bring_back_pointer(home, report)
        _bring_back_logs(home, report)
        rewind = marks.is_set(REPAIR_MARK) or _cut_fresh_logs(home, report)
        _settle_data(home, report, rewind=rewind)
        marks.clear(REPAIR_MARK)
        _rebuild_serving(home, build, report)
        report.remaining = find_damage(home)
    report.rerun = report.rerun or owed(home)
    report.snapshot = pointed(home)
    return report


def _bring_back_snapshots(home: Path, report: Repair) -> None:
    """Manifests and inventories are whole or, where not even the copy is, their snapshot is gone."""
    copies = home / "backup" / "snapshots"
    known = {path.name for path in copies.iterdir()} if copies.is_dir() else set()
    wanted = {name for name in (pointed(home), _text(pointer_copy(home))) if name in known}
    for name in sorted(wanted | set(snapshots(home))):
        folder, copy = home / "snapshots" / name, snapshot_copy(home, name)
        if not any(item.kind == "manifest" for item in snapshot_damage(home, name)):
            continue
        try:
            manifest = read_manifest(copy / MANIFEST, name)
            read_inventories(copy / INVENTORY, manifest.files.get(INVENTORY, ""))
        except IntegrityError:
            _put_aside(home, folder, report, "snapshot without manifest put aside")
            continue
        for file in (MANIFEST, INVENTORY):
            if bring_back(copy / file, folder / file, digest_of(copy / file)):
                report.did("brought back from its copy", folder / file)


def _bring_back_pointer(home: Path, report: Repair) -> None:
    kept = snapshots(home)
    if pointed(home) in kept:
        return
    copied = _text(pointer_copy(home))
    name = copied if copied in kept else (kept[-1] if kept else "")
    if name:
        point_to(home, name)
        report.did(f"points to snapshot {name} again", home / CURRENT)
    elif (home / CURRENT).exists():
        _put_aside(home, home / CURRENT, report, "pointer to no snapshot put aside")


def _bring_back_logs(home: Path, report: Repair) -> None:
    pinned = pinned_files(home)
    for item in log_damage(home, pinned):
        path = Path(item.where)
        if bring_back(log_copy(home, item.table, path.name), path, pinned.logs[path].digest):
            report.did("log file brought back from its copy", path)


def _cut_fresh_logs(home: Path, report: Repair) -> bool:
    """Commits since the newest snapshot end before the first damaged one; whether anything was cut."""
    pinned, cut = pinned_files(home), False
    for table in ALL.tables:
        damage = fresh_damage(home / "lake", table, pinned)
        versions = [item.version for item in damage if item.kind == "log"]
        if versions:
            Marks(home).set(REPAIR_MARK)
            _cut_from(home, table, min(versions), report)
            cut = True
    return cut


def _settle_data(home: Path, report: Repair, *, rewind: bool) -> None:
    """The lake is at the newest snapshot that has all its files; without one, files that are gone are given up."""
    damage = [item for item in find_damage(home) if item.kind in ("log", "data")]
    if not (damage or rewind):
        return
    Marks(home).set(REPAIR_MARK)
    present = pointed(home)
    spoilt = {Path(item.where) for item in damage if item.snapshot}
    whole = [name for name in snapshots(home) if not _needed_by(home, name, spoilt)]
    if present is not None and (earlier := [name for name in whole if name <= present]):
        _rewind(home, earlier[-1], report)
    else:
        _give_up(home, damage, report, cut=rewind)


def _rewind(home: Path, snapshot_id: str, report: Repair) -> None:
    """Every table holds what it held when the snapshot was published, and it is the present one."""
    lake, inventories = LocalLake(home / "lake"), load_inventories(home, snapshot_id)
    _be_unsure(home)
    damaged = {item.table for item in find_damage(home)}
    for table in ALL.tables:
        taken = inventories.get(table.full_name)
        if table.full_name in STAYING and table.full_name not in damaged:
            continue
        version = taken.version if taken else -1
        if lake.exists(table) and lake.version(table) != version:
            lake.restore(table, version)
            report.did(f"holds version {version} again" if taken else "holds no rows again", table.full_name)
    if pointed(home) != snapshot_id:
        point_to(home, snapshot_id)
        report.did(f"points to snapshot {snapshot_id} again", home / CURRENT)
    for name in snapshots(home):
        if name > snapshot_id:
            _put_aside(home, home / "snapshots" / name, report, "snapshot that lost files put aside")
    report.rerun = ["cdp run"]


def _give_up(home: Path, damage: Sequence[Damage], report: Repair, *, cut: bool) -> None:
    """Files that no snapshot can do without are taken out of their tables; the rows they held are counted."""
    _be_unsure(home)
    for name in sorted({item.table for item in damage if item.kind == "log"}):
        _cut_from(home, ALL[name], min(item.version for item in damage if item.table == name), report)
        cut = True
    lost = [item for item in damage if item.kind == "data" and not _settled(home, Path(item.where))]
    for name in sorted({item.table for item in lost}):
        _forget(home, name, [Path(item.where) for item in lost if item.table == name], report)
    _break_snapshots(home, {Path(item.where) for item in damage}, report)
    if lost or cut:
        report.rerun = commands(home / "lake", report.lost, everything=cut)
        owe(home, report.rerun)


def _settled(home: Path, path: Path) -> bool:
    """Whether an earlier repair gave the file up."""
    present = pointed(home)
    return present is not None and str(path) in lost_files(home, present) and not path.exists()


def _forget(home: Path, name: str, files: list[Path], report: Repair) -> None:
    folder = table_path(home / "lake", ALL[name])
    report.lost.append(lost_rows(folder, name, files))
    for file in files:
        if file.exists():
            _put_aside(home, file, report, f"{name}: damaged data file put aside")
    if commit_versions(folder) and forget_missing(folder):
        report.did(f"{len(files)} lost data files taken out of the table", name)


def _break_snapshots(home: Path, gone: set[Path], report: Repair) -> None:
    """Snapshots that need these files are put aside; the present one stays until the next publish, and says so."""
    for name in snapshots(home):
        needed = _needed_by(home, name, gone)
        if needed and name != pointed(home):
            _put_aside(home, home / "snapshots" / name, report, "snapshot that lost files put aside")
        elif needed:
            known = lost_files(home, name) | {str(path) for path in needed}
            (home / "snapshots" / name / BROKEN).write_text("".join(f"{path}\n" for path in sorted(known)), "utf-8")


def _be_unsure(home: Path) -> None:
    """The next run looks at everything."""
    for mark in UNSURE:
        Marks(home).set(mark)


def _rebuild_serving(home: Path, build: BuildServing, report: Repair) -> None:
    """The present snapshot's serving file is made again from the same versions, under a new id that readers take up."""
    present = pointed(home)
    for name in snapshots(home):
        if not any(item.kind == "serving" for item in snapshot_damage(home, name)):
            continue
        if name != present:
            _put_aside(home, home / "snapshots" / name, report, "old snapshot without its serving file put aside")
            continue
        manifest = load_manifest(home, name)
        again = Manifest(_next_id(name), manifest.run_id, manifest.as_of, manifest.tables)
        folder = publish(home, again, build, keep=len(snapshots(home)) + 1)
        report.did("serving snapshot made again from the same versions", folder)
        _put_aside(home, home / "snapshots" / name, report, "snapshot with the damaged serving file put aside")


def _next_id(snapshot_id: str) -> str:
    """The id of the same snapshot made again; it sorts behind the old one and before the next run's.

    >>> _next_id("r000001-2025-03-01-99579160"), _next_id("r000001-2025-03-01-99579160-2")
    ('r000001-2025-03-01-99579160-2', 'r000001-2025-03-01-99579160-3')
    """
    parts = snapshot_id.split("-")
    if len(parts) > 5:
        return "-".join([*parts[:-1], str(int(parts[-1]) + 1)])
    return f"{snapshot_id}-2"


def _needed_by(home: Path, snapshot_id: str, files: set[Path]) -> set[Path]:
    """Those of the files that the snapshot's tables need."""
    needed: set[Path] = set()
    for name, taken in load_inventories(home, snapshot_id).items():
        folder = table_path(home / "lake", ALL[name])
        needed |= {folder / file for file in taken.files} | {folder / LOG / log for log in taken.log}
    return needed & files


def _cut_from(home: Path, table: Table, version: int, report: Repair) -> None:
    """The table's log ends before a version; without a version left the table is put aside."""
    folder = table_path(home / "lake", table)
    if version <= 0:
        _put_aside(home, folder, report, f"{table.full_name}: table without a readable log put aside")
        return
    for file in sorted((folder / LOG).iterdir()):
        found = version_of(file.name)
        if found is not None and found >= version:
            _put_aside(home, file, report, f"{table.full_name}: damaged log from version {version} on put aside")


def _put_aside(home: Path, path: Path, report: Repair, what: str) -> None:
    """The file or folder lies under `<home>/damaged`, at its old place there; what lay there before is replaced."""
    target = home / "damaged" / path.relative_to(home)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    path.rename(target)
    report.did(what, path)


def _text(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip() if path.is_file() else ""
