"""The very files of a table at one version, with their digests: what `cdp verify` compares and `cdp repair` goes by.

Delta's log states the size of a data file, not its content, and nothing states what a log file held. Files are never
written twice under one name, so the digest of a known file is taken over from the inventory before.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from pipelines.errors import IntegrityError
from pipelines.spec import Table
from pipelines.store.versions import UnreadableError, table_path

LOG = "_delta_log"
_VERSION = re.compile(r"^\.?(\d{20})\.")
_COMMIT = re.compile(r"^\d{20}\.json$")


@dataclass(frozen=True)
class Inventory:
    """A table at a version: its log files by name with their digests, its data files by place with size and digest."""

    version: int
    log: Mapping[str, str]
    files: Mapping[str, tuple[int, str]]

    def as_dict(self) -> dict[str, Any]:
        """The inventory as plain data."""
        return {
            "version": self.version,
            "log": dict(self.log),
            "files": {name: list(known) for name, known in self.files.items()},
        }

    @staticmethod
    def of(body: Mapping[str, Any]) -> Inventory:
        """The inventory that `as_dict` gave; raises KeyError, TypeError or ValueError for anything else."""
        files = {str(name): (int(size), str(digest)) for name, (size, digest) in body["files"].items()}
        return Inventory(int(body["version"]), {str(k): str(v) for k, v in body["log"].items()}, files)


def take_inventory(lake: Path, table: Table, before: Inventory | None = None) -> Inventory | None:
    """The newest version of a table, or None when there is no such table.

    Raises IntegrityError (exit 4) that names the file that is missing, cut or no commit: what is damaged already must
    not be published.
    """
    folder = table_path(lake, table)
    if not commit_versions(folder):
        return None
    try:
        stated, version = logged_files(folder)
    except UnreadableError:
        raise _refused(folder / LOG, f"{table.full_name}: the newest version cannot be read from the log") from None
    known = before or Inventory(-1, {}, {})
    log: dict[str, str] = {}
    for path in log_files(folder, version):
        if path.name not in known.log and _COMMIT.match(path.name) and (problem := commit_problem(path)):
            raise _refused(path, f"{table.full_name}: the log file {problem}")
        log[path.name] = known.log.get(path.name) or digest_of(path)
    files: dict[str, tuple[int, str]] = {}
    for name, logged in stated.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != logged.size:
            raise _refused(path, f"{table.full_name}: the data file of version {version} is missing or cut")
        files[name] = known.files.get(name) or (logged.size, digest_of(path))
    return Inventory(version, log, files)


@dataclass(frozen=True)
class Logged:
    """A data file as the log states it; `rows` is None where the log does not say."""

    size: int
    rows: int | None


def logged_files(folder: Path, version: int | None = None) -> tuple[dict[str, Logged], int]:
    """The data files of a version (None: the newest) by their place in the table, sorted; and the version.

    Raises UnreadableError.
    """
    try:
        delta = DeltaTable(str(folder), version=version)
        actions = pa.table(delta.get_add_actions())
    except (DeltaError, OSError, ValueError) as error:
        raise UnreadableError(type(error).__name__) from None
    columns = (actions.column(name).to_pylist() for name in ("path", "size_bytes", "num_records"))
    files = {unquote(path): Logged(int(size), rows) for path, size, rows in zip(*columns, strict=True)}
    return dict(sorted(files.items())), int(delta.version())


def commit_versions(folder: Path) -> list[int]:
    """The versions whose commits are in the table's log, sorted."""
    log = folder / LOG
    return sorted(int(p.name[:20]) for p in log.iterdir() if _COMMIT.match(p.name)) if log.is_dir() else []


def checkpoint_versions(folder: Path) -> list[int]:
    """The versions of the table's checkpoints, sorted."""
    found = (folder / LOG).glob("*.checkpoint*.parquet")
    return sorted({int(path.name[:20]) for path in found if _VERSION.match(path.name)})


def version_of(name: str) -> int | None:
    """The version a log file belongs to, None for a file of no version.

    >>> version_of("00000000000000000012.json"), version_of(".00000000000000000003.crc.crc"), version_of("_x")
    (12, 3, None)
    """
    match = _VERSION.match(name)
    return int(match[1]) if match else None


def log_files(folder: Path, upto: int) -> Iterator[Path]:
    """The log files of versions up to one, sorted by name."""
    for path in sorted((folder / LOG).iterdir()):
        version = version_of(path.name)
        if version is not None and version <= upto and path.is_file() and not path.name.endswith(".tmp"):
            yield path


def is_optional(name: str) -> bool:
    """Whether readers do without this log file when it is gone.

    >>> is_optional("00000000000000000012.json"), is_optional("00000000000000000012.crc")
    (False, True)
    """
    return name.endswith(".crc")


def commit_problem(path: Path) -> str:
    """What is wrong with a commit, nothing when each of its lines is an action."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return "is missing"
    except OSError:
        return "cannot be read"
    if not lines:
        return "is empty"
    try:
        whole = all(isinstance(json.loads(line), dict) for line in lines)
    except ValueError:
        whole = False
    return "" if whole else "is cut or was changed"


def digest_of(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _refused(path: Path, problem: str) -> IntegrityError:
    return IntegrityError(problem, where=str(path), hint="run `cdp verify`, then `cdp repair`")
