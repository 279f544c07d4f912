"""The snapshot format, shared by its writer and every reader: one SQLite file per published snapshot.

A snapshot is immutable once `CURRENT` names it. People have a dense `person` number inside one file (bitmaps and
feature columns are indexed by it); it is not stable between files, the OneID is. Money is integer fen, times are UTC
epoch ms, business dates are `YYYY-MM-DD` in Asia/Shanghai. No clear personal data is stored: tokens and masks only, and
a mask never stands in the row of its token.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from serving.contract.format import (
    APPLICATION_ID,
    BITMAPS,
    INDEXES,
    PERSONAL_NAMESPACES,
    SCHEMA_VERSION,
    TABLES,
    Column,
    SnapshotTable,
    contract_markdown,
)

CURRENT = "CURRENT"
"""File in the home of a lake that holds the id of the published snapshot."""

SNAPSHOT_FILE = "serving.sqlite"
"""Name of the serving snapshot inside the folder of a published snapshot."""


def pointer_path(home: Path) -> Path:
    """The file that names the published snapshot; publishing replaces it by one atomic rename."""
    return home / CURRENT


def snapshot_path(home: Path, snapshot_id: str) -> Path:
    """Where the serving snapshot of a published snapshot lies: `<home>/snapshots/<id>/serving.sqlite`."""
    return home / "snapshots" / snapshot_id / SNAPSHOT_FILE


def key_check(identity_key: str) -> str:
    """A digest that tells whether two processes hold the same identity key; it says nothing about the key.

    >>> key_check("a" * 64) == key_check("a" * 64), key_check("a" * 64) == key_check("b" * 64)
    (True, False)
    """
    return hmac.new(identity_key.encode(), b"serving key check", hashlib.sha256).hexdigest()[:16]


__all__ = [
    "APPLICATION_ID",
    "BITMAPS",
    "CURRENT",
    "INDEXES",
    "PERSONAL_NAMESPACES",
    "SCHEMA_VERSION",
    "SNAPSHOT_FILE",
    "TABLES",
    "Column",
    "SnapshotTable",
    "contract_markdown",
    "key_check",
    "pointer_path",
    "snapshot_path",
]
