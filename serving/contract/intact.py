"""Whether a published serving file is still what was published: its digest stands in the manifest beside it."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path

MANIFEST_FILE = "manifest.json"
"""The manifest of a published snapshot, beside its serving file; `files` holds the SHA-256 of each file there."""


def is_intact(path: Path) -> bool:
    """Whether the serving file has the digest of its manifest; a file without a manifest is taken as it is.

    A file that did not change since the last look is not read again.
    """
    manifest = path.with_name(MANIFEST_FILE)
    if not manifest.is_file():
        return True
    try:
        wanted = json.loads(manifest.read_text(encoding="utf-8"))["files"].get(path.name)
        found = path.stat()
        return wanted is None or _digest(path, found.st_mtime_ns, found.st_size, found.st_ino) == wanted
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


@lru_cache(maxsize=8)
def _digest(path: Path, changed_ns: int, size: int, inode: int) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
