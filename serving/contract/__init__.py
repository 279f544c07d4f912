"""The snapshot format, shared by its writer and every reader: one SQLite file per published snapshot.

A snapshot is immutable once `CURRENT` names it. People have a dense `person` number inside one file (bitmaps and
feature columns are indexed by it); it is not stable between files, the OneID is. Money is integer fen, times are UTC
epoch ms, business dates are `YYYY-MM-DD` in Asia/Shanghai. No clear personal data is stored: tokens and masks only, and
a mask never stands in the row of its token.
"""

from __future__ import annotations

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
"""File inside the serving folder that holds the name of the snapshot to serve."""


def serving_dir(home: Path) -> Path:
    """The folder of the serving snapshots of one lake: `CDP_HOME/serving`."""
    return home / "serving"


__all__ = [
    "APPLICATION_ID",
    "BITMAPS",
    "CURRENT",
    "INDEXES",
    "PERSONAL_NAMESPACES",
    "SCHEMA_VERSION",
    "TABLES",
    "Column",
    "SnapshotTable",
    "contract_markdown",
    "serving_dir",
]
